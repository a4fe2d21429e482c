package tape

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/rng"
)

// arrays are nested lists of numbers by name.
type arrays map[string]json.RawMessage

// reference is a part of what the authors' implementations of state-space models
// returned.
func reference(t *testing.T, part string) arrays {
	t.Helper()
	raw, err := os.ReadFile(shareddata.Path(t, "ref_fm/ssm_golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]arrays
	if err := json.Unmarshal(raw, &parts); err != nil {
		t.Fatal(err)
	}
	if parts[part] == nil {
		t.Fatalf("there is no %q", part)
	}
	return parts[part]
}

// flat is an array in row-major order with its shape.
func (a arrays) flat(t *testing.T, name string) (values []float32, shape []int) {
	t.Helper()
	var x any
	if err := json.Unmarshal(a[name], &x); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var walk func(x any, depth int)
	walk = func(x any, depth int) {
		list, ok := x.([]any)
		if !ok {
			values = append(values, float32(x.(float64)))
			return
		}
		if depth == len(shape) {
			shape = append(shape, len(list))
		}
		for _, v := range list {
			walk(v, depth+1)
		}
	}
	walk(x, 0)
	return values, shape
}

// steps is an array of samples × channels × steps as a sequence.
func (a arrays) steps(t *testing.T, tp *Tape, name string) *Tensor {
	t.Helper()
	v, s := a.flat(t, name)
	x := tp.fresh(s[0]*s[2], s[1])
	for b := range s[0] {
		for c := range s[1] {
			for l := range s[2] {
				x.Row(b*s[2] + l)[c] = v[(b*s[1]+c)*s[2]+l]
			}
		}
	}
	return x
}

func (a arrays) param(t *testing.T, name string, each func(float64) float64) *Param {
	t.Helper()
	v, s := a.flat(t, name)
	p := NewParam(name, s...)
	for i, x := range v {
		p.Value[i] = float32(each(float64(x)))
	}
	return p
}

func asItIs(x float64) float64 { return x }

// agree compares relative to the largest value.
func agree(t *testing.T, what string, got, want []float32) {
	t.Helper()
	top, worst := 0.0, 0.0
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		top = max(top, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got[i]-w)))
	}
	if !(worst <= 1e-5*top) {
		t.Errorf("%s is off by %v, the largest value is %v", what, worst, top)
	}
}

func TestSelectiveScanReference(t *testing.T) {
	a := reference(t, "selective_scan")
	tp := New(0)
	tp.Reset(false, rng.Stream{})
	u, delta, z := a.steps(t, tp, "u"), a.steps(t, tp, "delta"), a.steps(t, tp, "z")
	bias, _ := a.flat(t, "delta_bias")
	for r := range delta.Rows {
		for j, v := range bias {
			delta.Row(r)[j] += v
		}
	}
	_, shape := a.flat(t, "u")
	aLog, d := a.param(t, "A", func(x float64) float64 { return math.Log(-x) }), a.param(t, "D", asItIs)
	y := tp.SelectiveScan(u, delta, a.steps(t, tp, "B"), a.steps(t, tp, "C"), shape[2], aLog, d)
	agree(t, "y", tp.Mul(y, tp.Apply(z, SiLU)).Value, a.steps(t, tp, "y").Value)
	clear(d.Value)
	y = tp.SelectiveScan(u, delta, a.steps(t, tp, "B"), a.steps(t, tp, "C"), shape[2], aLog, d)
	agree(t, "y without D and gate", y.Value, a.steps(t, tp, "y_noD_noz").Value)
}

// The reference takes log decays of any kind and inputs times Δ: with A = −1 the
// decays are −Δ. Each head has its own B and C.
func TestDualityReference(t *testing.T) {
	a := reference(t, "ssd")
	x, shape := a.flat(t, "X")
	decay, _ := a.flat(t, "A")
	samples, steps, heads, width := shape[0], shape[1], shape[2], shape[3]
	dt := make([]float32, len(decay))
	for i, v := range decay {
		step := -float64(v)
		if step <= 0 {
			t.Fatalf("the decay is %v", v)
		}
		dt[i] = float32(step + math.Log(-math.Expm1(-step)))
		for p := range width {
			x[i*width+p] /= float32(step)
		}
	}
	b, s := a.flat(t, "B")
	c, _ := a.flat(t, "C")
	want, _ := a.flat(t, "Y")
	for _, chunk := range []int{3, 4, 64} {
		tp := New(0)
		tp.Reset(false, rng.Stream{})
		rows, states := samples*steps, s[3]
		y := tp.SSD(tp.Input(rows, heads*width, x), tp.Input(rows, heads, dt), tp.Input(rows, heads*states, b), tp.Input(rows, heads*states, c), steps,
			&Duality{Heads: heads, Groups: heads, Chunk: chunk, ALog: NewParam("A_log", heads), D: NewParam("D", heads), DtBias: NewParam("dt_bias", heads)})
		agree(t, "y", y.Value, want)
	}
}

func TestS4DReference(t *testing.T) {
	a := reference(t, "s4d_layer")
	var params arrays
	if err := json.Unmarshal(a["params"], &params); err != nil {
		t.Fatal(err)
	}
	k := &DiagonalKernel{C: params.param(t, "kernel.C", asItIs), LogDt: params.param(t, "kernel.log_dt", asItIs),
		LogAReal: params.param(t, "kernel.log_A_real", asItIs), AImag: params.param(t, "kernel.A_imag", asItIs)}
	tp := New(0)
	tp.Reset(false, rng.Stream{})
	u := a.steps(t, tp, "u")
	_, shape := a.flat(t, "u")
	lags, n := shape[2], shape[1]
	kernel := tp.S4DKernel(lags, k)
	want, _ := a.flat(t, "kernel")
	turned := make([]float32, len(want))
	for c := range n {
		for l := range lags {
			turned[l*n+c] = want[c*lags+l]
		}
	}
	agree(t, "kernel", kernel.Value, turned)
	z := tp.Apply(tp.LongConv(u, lags, kernel, params.param(t, "D", asItIs)), GELU)
	z = tp.Linear(z, params.param(t, "output_linear.0.weight", asItIs), params.param(t, "output_linear.0.bias", asItIs))
	agree(t, "y", tp.Gate(z, Sigmoid).Value, a.steps(t, tp, "y").Value)
}
