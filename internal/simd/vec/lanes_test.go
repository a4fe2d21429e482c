package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/internal/simd"
)

// lanesCall is one element-wise kernel with its numbers of inputs and outputs.
type lanesCall struct {
	name      string
	ins, outs int
	call      func(v [][]float32)
}

func lanesCalls() []lanesCall {
	return []lanesCall{
		{"Exp", 1, 1, func(v [][]float32) { Exp(v[0], v[1]) }},
		{"Sigmoid", 1, 1, func(v [][]float32) { Sigmoid(v[0], v[1]) }},
		{"Tanh", 1, 1, func(v [][]float32) { Tanh(v[0], v[1]) }},
		{"GELU", 1, 1, func(v [][]float32) { GELU(v[0], v[1]) }},
		{"GELUGrad", 2, 1, func(v [][]float32) { GELUGrad(v[0], v[1], v[2]) }},
		{"SiLU", 1, 1, func(v [][]float32) { SiLU(v[0], v[1]) }},
		{"SiLUGrad", 2, 1, func(v [][]float32) { SiLUGrad(v[0], v[1], v[2]) }},
		{"ReLU", 1, 1, func(v [][]float32) { ReLU(v[0], v[1]) }},
		{"ReLUGrad", 2, 1, func(v [][]float32) { ReLUGrad(v[0], v[1], v[2]) }},
		{"Add", 2, 1, func(v [][]float32) { Add(v[0], v[1], v[2]) }},
		{"Mul", 2, 1, func(v [][]float32) { Mul(v[0], v[1], v[2]) }},
		{"MulAdd", 3, 1, func(v [][]float32) { MulAdd(v[0], v[1], v[2], v[3]) }},
		{"Scale", 1, 1, func(v [][]float32) { Scale(v[0], v[1], -1.7) }},
		{"Standardize", 3, 1, func(v [][]float32) { Standardize(v[0], v[1], v[2], v[3], .5, float32(math.Inf(1))) }},
		{"MaxIndex", 3, 2, func(v [][]float32) { MaxIndex(v[0], v[1], v[2], v[3], v[4], 2) }},
		{"RouteGrad", 3, 1, func(v [][]float32) {
			for i, x := range v[0] { // an index is a whole number
				v[0][i] = float32(int(x) % 3)
			}
			RouteGrad(v[0], v[1], v[2], v[3], 1)
		}},
		{"LSTM", 5, 7, func(v [][]float32) {
			LSTM(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11])
		}},
		{"LSTMGrad", 8, 5, func(v [][]float32) {
			LSTMGrad(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12])
		}},
		{"GRU", 5, 4, func(v [][]float32) { GRU(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]) }},
		{"GRUGrad", 6, 5, func(v [][]float32) {
			GRUGrad(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10])
		}},
		{"GLU", 2, 1, func(v [][]float32) { GLU(v[0], v[1], v[2]) }},
		{"GLUGrad", 3, 2, func(v [][]float32) { GLUGrad(v[0], v[1], v[2], v[3], v[4]) }},
		{"Normal", 2, 2, func(v [][]float32) {
			for i, x := range v[1] { // a variance is not negative
				v[1][i] = x * x
			}
			Normal(v[0], v[1], v[2], v[3], 1e-5)
		}},
		{"NormalGrad", 4, 1, func(v [][]float32) { NormalGrad(v[0], v[1], v[2], v[3], v[4]) }},
		{"ELU", 1, 1, func(v [][]float32) { ELU(v[0], v[1]) }},
		{"ELUGrad", 2, 1, func(v [][]float32) { ELUGrad(v[0], v[1], v[2]) }},
		{"AdamW", 4, 3, func(v [][]float32) {
			for i, x := range v[3] { // a variance is not negative
				v[3][i] = x * x
			}
			AdamW(v[0], v[1], v[2], v[3], v[4], v[5], v[6], .9, .1, .999, .001, 1.5, 1e-8, 1e-3, .999)
		}},
	}
}

// values covers the interesting places of a function of one number.
func values(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-30, -1e-8, .625, -.625, 1, -1, 20, -20, 88, -88, 100, -100, 1e30, -1e30, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	for i := range v {
		if v[i] = float32(r.NormFloat64() * math.Exp2(float64(r.IntN(9)-4))); r.IntN(12) == 0 {
			v[i] = special[r.IntN(len(special))]
		}
	}
	return v
}

// All paths give the bits of plain Go, for every length.
func TestLanesGiveTheSameBitsOnEveryPath(t *testing.T) {
	for _, c := range lanesCalls() {
		for n := range 70 {
			r := rand.New(rand.NewPCG(uint64(n), 7))
			in := make([][]float32, c.ins+c.outs)
			for i := range in {
				in[i] = values(r, n)
			}
			var want [][]float32
			for _, p := range simd.Supported() {
				v := make([][]float32, len(in))
				for i := range in {
					v[i] = append([]float32(nil), in[i]...)
				}
				t.Run(p.String(), func(t *testing.T) {
					simd.Force(t, p)
					c.call(v)
				})
				if want == nil {
					want = v
					continue
				}
				for i := range v {
					for j := range v[i] {
						if !sameBits(v[i][j], want[i][j]) {
							t.Fatalf("%s, %d elements, %v: vector %d element %d is %v, plain Go has %v", c.name, n, p, i, j, v[i][j], want[i][j])
						}
					}
				}
			}
		}
	}
}

// reference is each function of one number in float64.
func TestFunctionsOfOneNumber(t *testing.T) {
	sigma := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	normal := func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
	for _, c := range []struct {
		name string
		call func(x, y []float32)
		want func(x float64) float64
		rel  float64 // error relative to the value
		abs  float64 // error relative to max(1, |x|)
	}{
		{"Exp", Exp, math.Exp, 3e-7, 0},
		{"Sigmoid", Sigmoid, sigma, 4e-7, 0},
		{"Tanh", Tanh, math.Tanh, 3e-7, 0},
		{"GELU", GELU, func(x float64) float64 { return x * normal(x) }, 0, 5e-7},
		{"ReLU", ReLU, func(x float64) float64 { return max(x, 0) }, 0, 0},
		{"ELU", ELU, func(x float64) float64 {
			if x > 0 {
				return x
			}
			return math.Expm1(x)
		}, 0, 2e-7},
		{"SiLU", SiLU, func(x float64) float64 { return x * sigma(x) }, 5e-7, 0},
		{"GELUGrad", func(x, y []float32) {
			for i := range y {
				y[i] = 1
			}
			GELUGrad(x, y, y)
		}, func(x float64) float64 { return normal(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi) }, 0, 6e-7},
		{"SiLUGrad", func(x, y []float32) {
			for i := range y {
				y[i] = 1
			}
			SiLUGrad(x, y, y)
		}, func(x float64) float64 { s := sigma(x); return s * (1 + x*(1-s)) }, 0, 6e-7},
	} {
		var x []float32
		for v := float32(-86); v < 86; v += 0.00731 {
			x = append(x, v)
		}
		x = append(x, 1e-8, -1e-8, 1e-4, -1e-4, 0.6249, 0.6251)
		y := make([]float32, len(x))
		c.call(x, y)
		for i := range x {
			want := c.want(float64(x[i]))
			if d := math.Abs(float64(y[i]) - want); !(d <= c.rel*math.Abs(want)+c.abs*max(1, math.Abs(float64(x[i])))+1e-37) {
				t.Fatalf("%s(%v) = %v, want %v: off by %.2g", c.name, x[i], y[i], want, d)
			}
		}
		nan := []float32{float32(math.NaN())}
		out := []float32{0}
		if c.call(nan, out); out[0] == out[0] {
			t.Errorf("%s of NaN is %v", c.name, out[0])
		}
	}
}

// The gradients of the cells are those of finite differences in float64.
func TestCellGradients(t *testing.T) {
	sigma := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	lstm := func(a []float64) (h, c float64) {
		c = sigma(a[1])*a[4] + sigma(a[0])*math.Tanh(a[2])
		return sigma(a[3]) * math.Tanh(c), c
	}
	gru := func(a []float64) float64 {
		r, z := sigma(a[0]), sigma(a[1])
		return (1-z)*math.Tanh(a[2]+r*a[3]) + z*a[4]
	}
	r := rand.New(rand.NewPCG(8, 1))
	const eps = 1e-5
	for range 300 {
		a := make([]float64, 5)
		v := make([][]float32, 12)
		for i := range v {
			v[i] = []float32{0}
			if i < 5 {
				v[i][0] = float32(r.NormFloat64() * 2)
				a[i] = float64(v[i][0])
			}
		}
		dh, dc := float32(r.NormFloat64()), float32(r.NormFloat64())
		LSTM(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11])
		if h, c := lstm(a); math.Abs(h-float64(v[11][0])) > 1e-6 || math.Abs(c-float64(v[9][0])) > 2e-6 {
			t.Fatalf("LSTM(%v) = %v %v, want %v %v", a, v[11][0], v[9][0], h, c)
		}
		d := [5][]float32{{0}, {0}, {0}, {0}, {0}}
		LSTMGrad([]float32{dh}, []float32{dc}, v[5], v[6], v[7], v[8], v[10], v[4], d[0], d[1], d[2], d[3], d[4])
		check := func(name string, f func(a []float64) float64) {
			for i := range a {
				x := a[i]
				a[i] = x + eps
				up := f(a)
				a[i] = x - eps
				down := f(a)
				a[i] = x
				if want := (up - down) / (2 * eps); math.Abs(want-float64(d[i][0])) > 3e-6 {
					t.Fatalf("%s: gradient %d at %v is %v, want %v", name, i, a, d[i][0], want)
				}
			}
		}
		check("LSTM", func(a []float64) float64 { h, c := lstm(a); return float64(dh)*h + float64(dc)*c })
		GRU(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8])
		if h := gru(a); math.Abs(h-float64(v[8][0])) > 1e-6 {
			t.Fatalf("GRU(%v) = %v, want %v", a, v[8][0], h)
		}
		GRUGrad([]float32{dh}, v[5], v[6], v[7], v[3], v[4], d[0], d[1], d[2], d[3], d[4])
		check("GRU", func(a []float64) float64 { return float64(dh) * gru(a) })
	}
}

// A step of AdamW against the formulas in float64.
func TestAdamWStep(t *testing.T) {
	const b1, b2, lr, wd, eps, n = 0.9, 0.999, 1e-2, 0.1, 1e-8, 3.0
	w, g, m, v := []float32{1.5}, []float32{-0.3}, []float32{0.02}, []float32{0.004}
	m1 := b1*0.02 + (1-b1)*-0.3
	v1 := b2*0.004 + (1-b2)*0.09
	want := 1.5*(1-lr*wd) - lr*(m1/(1-math.Pow(b1, n)))/(math.Sqrt(v1/(1-math.Pow(b2, n)))+eps)
	AdamW(w, g, m, v, w, m, v, b1, 1-b1, b2, 1-b2, float32(1/math.Sqrt(1-math.Pow(b2, n))), eps, float32(lr/(1-math.Pow(b1, n))), 1-lr*wd)
	if math.Abs(float64(w[0])-want) > 1e-6 || math.Abs(float64(m[0])-m1) > 1e-8 || math.Abs(float64(v[0])-v1) > 1e-8 {
		t.Errorf("w %v m %v v %v, want %v %v %v", w[0], m[0], v[0], want, m1, v1)
	}
}

func TestLanesDoNotAllocateAndRefuseOtherLengths(t *testing.T) {
	x, y := make([]float32, 100), make([]float32, 100)
	if n := testing.AllocsPerRun(10, func() { Tanh(x, y) }); n != 0 && !race.Enabled {
		t.Errorf("%v allocations", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("vectors of different lengths pass")
		}
	}()
	Tanh(x, y[:99])
}
