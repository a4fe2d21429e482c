package tape

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// laneCase is an attention of few steps; queries have a tensor of their own where
// their number is another.
type laneCase struct{ samples, heads, queries, keys, dim, values int }

// attendWith is the result, the gradients of the operands, twice added to, and the
// weights. With hidden, a bias of zeros, heads go one by one through matrix products.
func attendWith(c laneCase, hidden bool) (y []float32, grads [][]float32, w Weights) {
	r := rand.New(rand.NewPCG(1, 1))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	t := New(0)
	t.Reset(true, rng.New(1))
	tensors := []*Tensor{}
	operand := func(steps, cols int) *Tensor {
		x := t.tensor(c.samples*steps, cols, draw(c.samples*steps*cols))
		tensors = append(tensors, x)
		return x
	}
	a := Attention{Heads: c.heads, QuerySteps: c.queries, KeySteps: c.keys}
	if c.queries == c.keys && c.dim == c.values {
		a.Q, a.K, a.V = SelfHeads(operand(c.keys, 3*c.heads*c.dim), c.heads)
	} else {
		a.Q = Heads{operand(c.queries, 1+c.heads*c.dim), 1, c.dim, c.dim}
		kv := operand(c.keys, c.heads*(c.dim+c.values))
		a.K, a.V = Heads{kv, 0, c.dim, c.dim}, Heads{kv, c.heads * c.dim, c.values, c.values}
	}
	if hidden {
		a.Bias = t.Input(c.heads*c.keys, c.queries, make([]float32, c.queries*c.heads*c.keys))
	}
	out, w := t.Attend(a)
	g, _ := t.gradOf(out)
	copy(g, draw(len(g)))
	back := t.back[len(t.back)-1]
	back()
	back()
	for _, x := range tensors {
		grads = append(grads, x.grad)
	}
	return out.Value, grads, w
}

// Heads side by side give what they give one by one, in blocks that are full, that are
// not, and that begin inside a sample.
func TestLanesAreHeadsOneByOne(t *testing.T) {
	for _, c := range []laneCase{
		{1, 1, 1, 1, 1, 1}, {3, 2, 8, 8, 4, 4}, {5, 3, 1, 7, 4, 4}, {2, 1, 5, 3, 2, 3}, {188, 4, 7, 7, 4, 4}, {91, 7, 2, 3, 3, 4}, {64, 4, 2, 2, 4, 4}, {257, 1, 3, 3, 4, 1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			got, gotGrads, gotWeights := attendWith(c, false)
			want, wantGrads, wantWeights := attendWith(c, true)
			if !gotWeights.lanes || wantWeights.lanes {
				t.Fatal("the two do not differ")
			}
			near := func(what string, got, want []float32) {
				t.Helper()
				for i, v := range want {
					if d := math.Abs(float64(got[i] - v)); !(d <= 2e-6*math.Max(1, math.Abs(float64(v)))) {
						t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], v)
					}
				}
			}
			near("result", got, want)
			for k := range wantGrads {
				near(fmt.Sprint("gradient ", k), gotGrads[k], wantGrads[k])
			}
			for s := range c.samples {
				for h := range c.heads {
					for i := range c.queries {
						for j := range c.keys {
							near("weight", []float32{gotWeights.At(s, h, i, j)}, []float32{wantWeights.At(s, h, i, j)})
						}
					}
				}
			}
		})
	}
}

// A sample's result has the same bits among few and among many.
func TestLanesDoNotDependOnTheirNumber(t *testing.T) {
	for _, few := range []int{1, 2, 70} {
		r := rand.New(rand.NewPCG(1, 1))
		x := make([]float32, 300*7*36)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		run := func(samples int) []float32 {
			tp := New(0)
			a := Attention{Heads: 3, QuerySteps: 7, KeySteps: 7}
			a.Q, a.K, a.V = SelfHeads(tp.Input(samples*7, 36, x[:samples*7*36]), 3)
			y, _ := tp.Attend(a)
			return y.Value
		}
		if all := run(300); !slices.Equal(run(few), all[:few*7*12]) {
			t.Errorf("the first of %d samples differ from those of 300", few)
		}
	}
}
