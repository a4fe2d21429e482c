package tape

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// With dropout the gradient is that of the values that were drawn, in blocks of
// rows and where the networks run again.
func TestSelectVariablesDropout(t *testing.T) {
	const rows, vars, d, rate = variableRows + 5, 3, 4, 0.4
	r := rand.New(rand.NewPCG(4, 4))
	var p []*Param
	for _, s := range [][]int{{vars, d}, {vars, d}, {vars, d, d}, {vars, d}, {vars, d, d}, {vars, d}, {vars, 2 * d, d}, {vars, 2 * d}, {vars, d}, {vars, d}} {
		q := NewParam("p", s...)
		copy(q.Value, draw(r, len(q.Value), 0.7))
		q.Shards(1)
		p = append(p, q)
	}
	v := &Variables{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]}
	x, share, up := draw(r, rows*vars, 1), draw(r, rows*vars, 1), draw(r, rows*d, 1)
	tp := New(0)
	run := func(rate float64) *Tensor {
		tp.Reset(true, rng.New(5))
		return tp.SelectVariables(tp.Input(rows, vars, x), tp.Input(rows, vars, share), v, 1e-3, rate)
	}
	objective := func() float64 {
		s := 0.0
		for i, y := range run(rate).Value {
			s += float64(y) * float64(up[i])
		}
		return s
	}
	plain := append([]float32(nil), run(0).Value...)
	y := run(rate)
	same := 0
	for i, v := range y.Value {
		if v == plain[i] {
			same++
		}
	}
	if same > len(plain)/2 {
		t.Errorf("%d of %d values did not notice dropout", same, len(plain))
	}
	g, _ := tp.gradOf(y)
	copy(g, up)
	tp.Backward()
	grads := make([][]float32, len(p))
	for k, q := range p {
		grads[k] = append([]float32(nil), q.ShardGrad(0)...)
	}
	for k, q := range p {
		top := 0.0
		for _, v := range grads[k] {
			top = max(top, math.Abs(float64(v)))
		}
		for i := 0; i < len(q.Value); i += 3 {
			const h = 2e-3
			v := q.Value[i]
			q.Value[i] = v + h
			hi := objective()
			q.Value[i] = v - h
			lo := objective()
			q.Value[i] = v
			// the sums of hundreds of float32 values leave a few thousandths
			if want := (hi - lo) / (2 * h); math.Abs(float64(grads[k][i])-want) > 1e-2*max(1, top) {
				t.Fatalf("gradient %d of parameter %d is %v, want %v", i, k, grads[k][i], want)
			}
		}
	}
}
