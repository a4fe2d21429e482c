package tape

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

// mat is a matrix in float64 for the plain forms of the operations.
type mat struct {
	r, c int
	v    []float64
}

func newMat(r, c int) mat             { return mat{r, c, make([]float64, r*c)} }
func (m mat) at(i, j int) float64     { return m.v[i*m.c+j] }
func (m mat) set(i, j int, v float64) { m.v[i*m.c+j] = v }
func (m mat) each(f func(float64) float64) mat {
	o := newMat(m.r, m.c)
	for i, v := range m.v {
		o.v[i] = f(v)
	}
	return o
}

// operation is one operation twice: on the tape, and as its definition says in
// float64. Inputs come first, then parameters.
type operation struct {
	name   string
	inputs [][2]int
	params [][]int
	tape   func(t *Tape, x []*Tensor, p []*Param) *Tensor
	plain  func(x []mat) mat // inputs and parameters, each parameter as Shape[0] rows
	tol    float64           // of values and gradients, relative to their size; 0: 2e-5
}

func sigma(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func linear(x, w, b mat) mat {
	y := newMat(x.r, w.r)
	for i := range x.r {
		for j := range w.r {
			s := b.v[j]
			for k := range x.c {
				s += x.at(i, k) * w.at(j, k)
			}
			y.set(i, j, s)
		}
	}
	return y
}

func normal(x, gain, bias mat, eps float64, centre bool) mat {
	y := newMat(x.r, x.c)
	for i := range x.r {
		mean, variance := 0.0, 0.0
		for j := range x.c {
			mean += x.at(i, j) / float64(x.c)
		}
		if !centre {
			mean = 0
		}
		for j := range x.c {
			d := x.at(i, j) - mean
			variance += d * d / float64(x.c)
		}
		for j := range x.c {
			y.set(i, j, (x.at(i, j)-mean)/math.Sqrt(variance+eps)*gain.v[j]+bias.v[j])
		}
	}
	return y
}

// recurrent runs step over every sample; state is what it keeps, h first.
func recurrent(x mat, steps, hidden, kept int, step func(in []float64, state [][]float64)) mat {
	y := newMat(x.r, hidden)
	for b := range x.r / steps {
		state := make([][]float64, kept)
		for k := range state {
			state[k] = make([]float64, hidden)
		}
		for s := range steps {
			r := b*steps + s
			step(x.v[r*x.c:(r+1)*x.c], state)
			copy(y.v[r*hidden:], state[0])
		}
	}
	return y
}

func gate(in, h []float64, x []mat, row int) (fromInput, fromState float64) {
	wi, wh, bi, bh := x[1], x[2], x[3], x[4]
	fromInput, fromState = bi.v[row], bh.v[row]
	for k, v := range in {
		fromInput += v * wi.at(row, k)
	}
	for k, v := range h {
		fromState += v * wh.at(row, k)
	}
	return
}

func operations() []operation {
	activation := func(name string, a Activation, f func(float64) float64) operation {
		return operation{name: name, inputs: [][2]int{{5, 19}},
			tape:  func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.Apply(x[0], a) },
			plain: func(x []mat) mat { return x[0].each(f) }}
	}
	linearApply := func(name string, a Activation, f func(float64) float64) operation {
		return operation{name: "linear with " + name, inputs: [][2]int{{7, 5}}, params: [][]int{{19, 5}, {19}},
			tape:  func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.LinearApply(x[0], p[0], p[1], a) },
			plain: func(x []mat) mat { return linear(x[0], x[1], x[2]).each(f) }}
	}
	weights := func(gates, in, hidden int) [][]int {
		return [][]int{{gates * hidden, in}, {gates * hidden, hidden}, {gates * hidden}, {gates * hidden}}
	}
	layer := func(p []*Param) *Recurrent { return &Recurrent{p[0], p[1], p[2], p[3]} }
	return []operation{
		{name: "linear", inputs: [][2]int{{7, 5}}, params: [][]int{{9, 5}, {9}},
			tape:  func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.Linear(x[0], p[0], p[1]) },
			plain: func(x []mat) mat { return linear(x[0], x[1], x[2]) }},
		{name: "linear without bias, twice", inputs: [][2]int{{3, 4}}, params: [][]int{{4, 4}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.Linear(t.Linear(x[0], p[0], nil), p[0], nil) },
			plain: func(x []mat) mat {
				return linear(linear(x[0], x[1], newMat(1, 4)), x[1], newMat(1, 4))
			}},
		linearApply("relu", ReLU, func(x float64) float64 { return max(x, 0) }),
		linearApply("gelu", GELU, func(x float64) float64 { return x * normalCDF(x) }),
		linearApply("tanh", Tanh, math.Tanh),
		{name: "linear plus residual", inputs: [][2]int{{7, 5}, {7, 9}}, params: [][]int{{9, 5}, {9}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.LinearAdd(x[0], p[0], p[1], x[1]) },
			plain: func(x []mat) mat {
				y := linear(x[0], x[2], x[3])
				for i, v := range x[1].v {
					y.v[i] += v
				}
				return y
			}},
		{name: "residual of what it is added to", inputs: [][2]int{{7, 9}}, params: [][]int{{9, 9}, {9}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				y := t.Add(t.LinearAdd(x[0], p[0], p[1], x[0]), x[0])
				return t.Add(y, y)
			},
			plain: func(x []mat) mat {
				y := linear(x[0], x[1], x[2])
				for i, v := range x[0].v {
					y.v[i] = 2 * (y.v[i] + 2*v)
				}
				return y
			}},
		activation("relu", ReLU, func(x float64) float64 { return max(x, 0) }),
		activation("gelu", GELU, func(x float64) float64 { return x * normalCDF(x) }),
		activation("silu", SiLU, func(x float64) float64 { return x * sigma(x) }),
		activation("tanh", Tanh, math.Tanh),
		activation("sigmoid", Sigmoid, sigma),
		{name: "an activation used twice", inputs: [][2]int{{3, 11}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Apply(x[0], GELU), t.Mul(t.Apply(x[0], Tanh), x[0]))
			},
			plain: func(x []mat) mat {
				return x[0].each(func(x float64) float64 { return x*normalCDF(x) + x*math.Tanh(x) })
			}},
		{name: "sum, product, scale", inputs: [][2]int{{4, 6}, {4, 6}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Scale(t.Mul(x[0], x[1]), 0.5), t.Scale(x[0], -2))
			},
			plain: func(x []mat) mat {
				y := newMat(4, 6)
				for i := range y.v {
					y.v[i] = 0.5*x[0].v[i]*x[1].v[i] - 2*x[0].v[i]
				}
				return y
			}},
		{name: "concat, slice, reshape", inputs: [][2]int{{4, 3}, {4, 5}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Reshape(t.Slice(t.Concat(x[0], x[1], x[0]), 1, 10), 6, 6)
			},
			plain: func(x []mat) mat {
				y := newMat(6, 6)
				for i := range 4 {
					for j := range 9 {
						k := j + 1
						switch {
						case k < 3:
							y.v[i*9+j] = x[0].at(i, k)
						case k < 8:
							y.v[i*9+j] = x[1].at(i, k-3)
						default:
							y.v[i*9+j] = x[0].at(i, k-8)
						}
					}
				}
				return y
			}},
		{name: "layer norm", inputs: [][2]int{{5, 13}}, params: [][]int{{13}, {13}},
			tape:  func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.LayerNorm(x[0], p[0], p[1], 1e-5) },
			plain: func(x []mat) mat { return normal(x[0], x[1], x[2], 1e-5, true) }},
		{name: "rms norm", inputs: [][2]int{{5, 9}}, params: [][]int{{9}},
			tape:  func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.RMSNorm(x[0], p[0], 1e-5) },
			plain: func(x []mat) mat { return normal(x[0], x[1], newMat(1, 9), 1e-5, false) }},
		{name: "lstm", inputs: [][2]int{{3 * 6, 4}}, params: weights(4, 4, 11),
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.LSTM(x[0], 6, layer(p)) },
			plain: func(x []mat) mat {
				const n = 11
				return recurrent(x[0], 6, n, 2, func(in []float64, state [][]float64) {
					var a [4][n]float64
					for g := range a {
						for j := range n {
							u, v := gate(in, state[0], x, g*n+j)
							a[g][j] = u + v
						}
					}
					for j := range n {
						state[1][j] = sigma(a[1][j])*state[1][j] + sigma(a[0][j])*math.Tanh(a[2][j])
					}
					for j := range n {
						state[0][j] = sigma(a[3][j]) * math.Tanh(state[1][j])
					}
				})
			}},
		{name: "lstm of one step", inputs: [][2]int{{3, 4}}, params: weights(4, 4, 5),
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.LSTM(x[0], 1, layer(p)) },
			plain: func(x []mat) mat {
				return recurrent(x[0], 1, 5, 1, func(in []float64, state [][]float64) {
					h := make([]float64, 5)
					for j := range h {
						var a [4]float64
						for g := range a {
							u, v := gate(in, state[0], x, g*5+j)
							a[g] = u + v
						}
						h[j] = sigma(a[3]) * math.Tanh(sigma(a[0])*math.Tanh(a[2]))
					}
					copy(state[0], h)
				})
			}},
		{name: "gru", inputs: [][2]int{{3 * 6, 4}}, params: weights(3, 4, 11),
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.GRU(x[0], 6, layer(p)) },
			plain: func(x []mat) mat {
				const n = 11
				return recurrent(x[0], 6, n, 1, func(in []float64, state [][]float64) {
					h := make([]float64, n)
					for j := range n {
						ri, rh := gate(in, state[0], x, j)
						zi, zh := gate(in, state[0], x, n+j)
						ni, nh := gate(in, state[0], x, 2*n+j)
						z := sigma(zi + zh)
						h[j] = (1-z)*math.Tanh(ni+sigma(ri+rh)*nh) + z*state[0][j]
					}
					copy(state[0], h)
				})
			}},
	}
}

func draw(r *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * scale)
	}
	return v
}

func toMat(v []float32, rows int) mat {
	m := newMat(rows, len(v)/rows)
	for i, x := range v {
		m.v[i] = float64(x)
	}
	return m
}

// Values are those of the definitions in float64; gradients are those of
// central differences of the definitions.
func TestOperationsAgainstTheirDefinitions(t *testing.T) {
	for _, path := range simd.Supported() {
		for _, op := range operations() {
			t.Run(path.String()+"/"+op.name, func(t *testing.T) {
				simd.Force(t, path)
				verify(t, op)
			})
		}
	}
}

func verify(t *testing.T, op operation) {
	tol := op.tol
	if tol == 0 {
		tol = 2e-5
	}
	r := rand.New(rand.NewPCG(3, uint64(len(op.name))))
	tp := New(0)
	for round := range 2 { // the second round reuses memory
		tp.Reset(true, rng.New(1))
		var all []mat
		var x, leaves []*Tensor
		var params []*Param
		for _, s := range op.inputs {
			v := draw(r, s[0]*s[1], 1)
			all = append(all, toMat(v, s[0]))
			leaf := tp.Input(s[0], s[1], v)
			leaf.input = false // to see its gradient
			x, leaves = append(x, leaf), append(leaves, leaf)
		}
		for _, s := range op.params {
			p := NewParam("p", s...)
			copy(p.Value, draw(r, len(p.Value), 0.5))
			p.Shards(1)
			params = append(params, p)
			all = append(all, toMat(p.Value, s[0]))
		}
		y := op.tape(tp, x, params)
		want := op.plain(all)
		if y.Rows != want.r || y.Cols != want.c {
			t.Fatalf("%v, want %d×%d", y, want.r, want.c)
		}
		for i, v := range want.v {
			if d := math.Abs(float64(y.Value[i]) - v); !(d <= tol*max(1, math.Abs(v))) {
				t.Fatalf("round %d: value %d is %v, want %v", round, i, y.Value[i], v)
			}
		}
		up := draw(r, len(y.Value), 1)
		g, _ := tp.gradOf(y)
		copy(g, up)
		tp.Backward()
		objective := func() float64 {
			s := 0.0
			for i, v := range op.plain(all).v {
				s += v * float64(up[i])
			}
			return s
		}
		for a, m := range all {
			var got []float32
			if a < len(leaves) {
				got = leaves[a].Grad()
			} else {
				got = params[a-len(leaves)].ShardGrad(0)
			}
			if got == nil {
				t.Fatalf("argument %d has no gradient", a)
			}
			for i := range m.v {
				const h = 1e-5
				v := m.v[i]
				m.v[i] = v + h
				hi := objective()
				m.v[i] = v - h
				lo := objective()
				m.v[i] = v
				want := (hi - lo) / (2 * h)
				if d := math.Abs(float64(got[i]) - want); !(d <= 2*tol*max(1, math.Abs(want))) {
					t.Fatalf("round %d: gradient %d of argument %d is %v, want %v", round, i, a, got[i], want)
				}
			}
		}
	}
}

func TestCrossEntropy(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	tp := New(0)
	tp.Reset(true, rng.New(1))
	const n, k, smoothing, total = 6, 3, 0.1, 7.5
	z := draw(r, n*k, 2)
	classes, weight := make([]int, n), make([]float32, n)
	for i := range classes {
		classes[i], weight[i] = r.IntN(k), float32(r.Float64()*2)
	}
	loss := func(z []float64) float64 {
		s := 0.0
		for i, y := range classes {
			sum := 0.0
			for j := range k {
				sum += math.Exp(z[i*k+j])
			}
			for j := range k {
				target := smoothing / k
				if j == y {
					target += 1 - smoothing
				}
				s -= float64(weight[i]) / total * target * (z[i*k+j] - math.Log(sum))
			}
		}
		return s
	}
	x := tp.tensor(n, k, z)
	got := tp.CrossEntropy(x, classes, weight, smoothing, total)
	z64 := toMat(z, n).v
	if want := loss(z64); math.Abs(got-want) > 1e-12 {
		t.Errorf("loss %v, want %v", got, want)
	}
	for i := range z64 {
		const h = 1e-6
		v := z64[i]
		z64[i] = v + h
		hi := loss(z64)
		z64[i] = v - h
		lo := loss(z64)
		z64[i] = v
		if want := (hi - lo) / (2 * h); math.Abs(float64(x.Grad()[i])-want) > 1e-7 {
			t.Errorf("gradient %d is %v, want %v", i, x.Grad()[i], want)
		}
	}
}

func TestDropout(t *testing.T) {
	tp := New(0)
	const n, p = 40001, 0.3
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	tp.Reset(true, rng.New(4).Stream("dropout", 1))
	x := tp.tensor(1, n, ones)
	y := tp.Dropout(x, p)
	zeros := 0
	for _, v := range y.Value {
		switch {
		case v == 0:
			zeros++
		case math.Abs(float64(v)-1/(1-p)) > 1e-6:
			t.Fatalf("a value became %v", v)
		}
	}
	if share := float64(zeros) / n; math.Abs(share-p) > 5*math.Sqrt(p*(1-p)/n) {
		t.Errorf("%v of the values were dropped, want %v", share, p)
	}
	g, _ := tp.gradOf(y)
	copy(g, ones)
	tp.Backward()
	for i, v := range x.Grad() {
		if v != y.Value[i] {
			t.Fatalf("gradient %d is %v where the value is %v", i, v, y.Value[i])
		}
	}
	again := append([]float32(nil), y.Value...)
	tp.Reset(true, rng.New(4).Stream("dropout", 1))
	for i, v := range tp.Dropout(tp.tensor(1, n, ones), p).Value {
		if v != again[i] {
			t.Fatal("the same stream drops other values")
		}
	}
	tp.Reset(false, rng.Stream{})
	if x := tp.tensor(1, n, ones); tp.Dropout(x, p) != x {
		t.Error("values are dropped without training")
	}
}

// Gradients add up over shards in their order, whoever ran them.
func TestShardsAddUp(t *testing.T) {
	p := NewParam("w", 2, 3)
	p.Shards(3)
	for _, s := range []int{2, 0} {
		tp := New(s)
		tp.Reset(true, rng.New(1))
		x := tp.Input(1, 3, []float32{1, 2, 3})
		y := tp.Linear(x, p, nil)
		g, _ := tp.gradOf(y)
		g[0], g[1] = float32(s+1), 10
		tp.Backward()
	}
	sum := p.SumGrads(0, 6)
	for i, want := range []float32{4, 8, 12, 20, 40, 60} {
		if sum[i] != want {
			t.Errorf("gradient %d is %v, want %v", i, sum[i], want)
		}
	}
	p.Forget()
	if got := p.SumGrads(2, 4); got[0] != 0 || got[1] != 0 {
		t.Errorf("forgotten gradients are %v", got)
	}
}

func TestStepsDoNotAllocateOnceWarm(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	l := &Recurrent{NewParam("a", 64, 8), NewParam("b", 64, 16), NewParam("c", 64), NewParam("d", 64)}
	for _, p := range []*Param{l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias} {
		copy(p.Value, draw(r, len(p.Value), 0.3))
		p.Shards(1)
	}
	tp, data := New(0), draw(r, 40*8, 1)
	step := func() {
		tp.Reset(true, rng.New(1))
		tp.CrossEntropy(tp.LSTM(tp.Input(40, 8, data), 10, l), make([]int, 40), nil, 0, 40)
		tp.Backward()
	}
	step()
	before := tp.Bytes()
	for range 5 {
		step()
	}
	if after := tp.Bytes(); after != before {
		t.Errorf("the tape grew from %d to %d bytes", before, after)
	}
}
