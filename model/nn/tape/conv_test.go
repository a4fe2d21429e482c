package tape

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

// plainConv is the definition of [Tape.Conv]. w has a row of in/groups·kernel
// values for each output.
func plainConv(x, w, b mat, steps, kernel, stride, dilation, groups, left, right int) mat {
	samples := x.r / steps
	out := (steps+left+right-(kernel-1)*dilation-1)/stride + 1
	y := newMat(samples*out, w.r)
	in := x.c / groups
	for s := range samples {
		for u := range out {
			for o := range w.r {
				sum := b.v[o]
				for j := range kernel {
					at := u*stride + j*dilation - left
					if at < 0 || at >= steps {
						continue
					}
					for i := range in {
						sum += w.at(o, i*kernel+j) * x.at(s*steps+at, o/(w.r/groups)*in+i)
					}
				}
				y.set(s*out+u, o, sum)
			}
		}
	}
	return y
}

// convCase is one shape of a convolution.
type convCase struct {
	name                                        string
	samples, steps, in, out, kernel             int
	stride, dilation, groups, left, right, bias int
}

func convCases() []convCase {
	return []convCase{
		{"one tap", 2, 5, 3, 7, 1, 1, 1, 1, 0, 0, 1},
		{"one tap without bias", 2, 5, 3, 7, 1, 1, 1, 1, 0, 0, 0},
		{"no padding", 2, 7, 3, 5, 3, 1, 1, 1, 0, 0, 1},
		{"same", 3, 9, 4, 6, 5, 1, 1, 1, 2, 2, 1},
		{"same of even kernel", 2, 9, 4, 3, 4, 1, 1, 1, 1, 2, 0},
		{"kernel longer than the sequence", 2, 4, 3, 3, 9, 1, 1, 1, 4, 4, 1},
		{"causal", 2, 8, 3, 4, 3, 1, 1, 1, 2, 0, 1},
		{"more zeros than taps", 2, 5, 3, 2, 2, 1, 1, 1, 3, 2, 1},
		{"causal dilated", 3, 9, 4, 5, 3, 1, 2, 1, 4, 0, 1},
		{"dilated beyond the sequence", 2, 5, 3, 4, 3, 1, 4, 1, 8, 0, 1},
		{"strided", 2, 9, 3, 5, 3, 2, 1, 1, 1, 1, 1},
		{"strided, steps to spare", 2, 10, 3, 5, 2, 3, 1, 1, 0, 0, 0},
		{"strided one tap", 2, 9, 4, 5, 1, 2, 1, 1, 0, 0, 0},
		{"strided dilated", 2, 11, 3, 4, 3, 2, 2, 1, 2, 1, 1},
		{"grouped", 2, 7, 6, 4, 3, 1, 1, 2, 1, 1, 1},
		{"grouped dilated strided", 2, 9, 6, 9, 3, 2, 2, 3, 2, 2, 0},
		{"depthwise", 2, 9, 19, 19, 5, 1, 1, 19, 2, 2, 1},
		{"depthwise causal dilated", 2, 9, 5, 5, 3, 1, 2, 5, 4, 0, 0},
		{"depthwise strided", 2, 10, 9, 9, 3, 2, 1, 9, 1, 1, 1},
		{"depthwise longer than the sequence", 2, 4, 3, 3, 7, 1, 1, 3, 3, 3, 1},
		{"depthwise multiplied", 2, 6, 3, 6, 3, 1, 1, 3, 1, 1, 1},
	}
}

func (c convCase) conv(p []*Param) *Conv {
	v := &Conv{Weight: p[0], Stride: c.stride, Dilation: c.dilation, Groups: c.groups, Left: c.left, Right: c.right}
	if c.bias == 1 {
		v.Bias = p[1]
	}
	return v
}

func (c convCase) operation(a Activation) operation {
	params := [][]int{{c.out, c.in / c.groups, c.kernel}}
	if c.bias == 1 {
		params = append(params, []int{c.out})
	}
	return operation{name: c.name, inputs: [][2]int{{c.samples * c.steps, c.in}}, params: params,
		tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.Conv(x[0], c.steps, c.conv(p), a) },
		plain: func(x []mat) mat {
			b := newMat(1, c.out)
			if c.bias == 1 {
				b = x[2]
			}
			y := plainConv(x[0], x[1], b, c.steps, c.kernel, c.stride, c.dilation, c.groups, c.left, c.right)
			switch a {
			case ReLU:
				return y.each(func(v float64) float64 { return max(v, 0) })
			case GELU:
				return y.each(func(v float64) float64 { return v * normalCDF(v) })
			}
			return y
		}}
}

func convOperations() []operation {
	var list []operation
	for _, c := range convCases() {
		list = append(list, c.operation(None))
	}
	relu, gelu := convCases()[3], convCases()[8]
	relu.name, gelu.name = "with relu", "with gelu"
	twice := operation{name: "convolution used twice", inputs: [][2]int{{2 * 6, 4}}, params: [][]int{{4, 4, 3}},
		tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
			c := &Conv{Weight: p[0], Left: 1, Right: 1}
			return t.Add(t.Conv(t.Conv(x[0], 6, c, None), 6, c, None), x[0])
		},
		plain: func(x []mat) mat {
			b := newMat(1, 4)
			y := plainConv(plainConv(x[0], x[1], b, 6, 3, 1, 1, 1, 1, 1), x[1], b, 6, 3, 1, 1, 1, 1, 1)
			for i := range y.v {
				y.v[i] += x[0].v[i]
			}
			return y
		}}
	dtwice := operation{name: "depthwise used twice", inputs: [][2]int{{2 * 6, 17}}, params: [][]int{{17, 1, 3}},
		tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
			c := &Conv{Weight: p[0], Left: 1, Right: 1, Groups: 17}
			return t.Add(t.Conv(t.Conv(x[0], 6, c, None), 6, c, None), x[0])
		},
		plain: func(x []mat) mat {
			b := newMat(1, 17)
			y := plainConv(plainConv(x[0], x[1], b, 6, 3, 1, 1, 17, 1, 1), x[1], b, 6, 3, 1, 1, 17, 1, 1)
			for i := range y.v {
				y.v[i] += x[0].v[i]
			}
			return y
		}}
	return append(list, relu.operation(ReLU), gelu.operation(GELU), twice, dtwice)
}

// against runs operations on every kernel path.
func against(t *testing.T, list []operation) {
	t.Helper()
	for _, path := range simd.Supported() {
		for _, op := range list {
			t.Run(path.String()+"/"+op.name, func(t *testing.T) {
				simd.Force(t, path)
				verify(t, op)
			})
		}
	}
}

func TestConvAgainstItsDefinition(t *testing.T) { against(t, convOperations()) }

// Weights in more than one panel, with and without dilation.
func TestWideConv(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 1))
	const samples, steps, in, out = 2, 5, 270, 300
	for _, dilation := range []int{1, 2} {
		p := NewParam("w", out, in, 2)
		copy(p.Value, draw(r, len(p.Value), 0.1))
		p.Shards(1)
		tp := New(0)
		tp.Reset(true, rng.New(1))
		x := tp.tensor(samples*steps, in, draw(r, samples*steps*in, 1))
		y := tp.Conv(x, steps, &Conv{Weight: p, Dilation: dilation, Left: dilation}, None)
		want := plainConv(toMat(x.Value, x.Rows), toMat(p.Value, out), newMat(1, out), steps, 2, 1, dilation, 1, dilation, 0)
		for i, v := range want.v {
			if math.Abs(float64(y.Value[i])-v) > 1e-4 {
				t.Fatalf("dilation %d: value %d is %v, want %v", dilation, i, y.Value[i], v)
			}
		}
		g, _ := tp.gradOf(y)
		copy(g, draw(r, len(g), 1))
		tp.Backward()
		// dx[s, i] = Σ_o Σ_j dy[s + left − j·dilation, o]·w[o, i, j]
		for s := range steps {
			for _, i := range []int{0, 255, 256, in - 1} {
				want := 0.0
				for j := range 2 {
					u := s + dilation - j*dilation
					if u >= steps {
						continue
					}
					for o := range out {
						want += float64(y.grad[u*out+o]) * float64(p.Value[(o*in+i)*2+j])
					}
				}
				if got := x.Grad()[s*in+i]; math.Abs(float64(got)-want) > 1e-4 {
					t.Fatalf("dilation %d: gradient of step %d channel %d is %v, want %v", dilation, s, i, got, want)
				}
			}
		}
	}
}

// A sample's result and gradient are the same bits whoever shares the tape.
func TestConvOfASampleDoesNotDependOnOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 1))
	for _, c := range convCases() {
		p := []*Param{NewParam("w", c.out, c.in/c.groups, c.kernel), NewParam("b", c.out)}
		copy(p[0].Value, draw(r, len(p[0].Value), 1))
		data := draw(r, c.samples*c.steps*c.in, 1)
		one := func(samples int) []float32 {
			for _, q := range p {
				q.Shards(1)
			}
			tp := New(0)
			tp.Reset(true, rng.New(1))
			x := tp.tensor(samples*c.steps, c.in, data[:samples*c.steps*c.in])
			y := tp.Conv(x, c.steps, c.conv(p), None)
			g, _ := tp.gradOf(y)
			copy(g, y.Value)
			tp.Backward()
			return append(append([]float32(nil), y.Value[:c.conv(p).Steps(c.steps)*c.out]...), x.Grad()[:c.steps*c.in]...)
		}
		alone, among := one(1), one(c.samples)
		for i, v := range alone {
			if v != among[i] {
				t.Fatalf("%s: value %d is %v alone and %v among others", c.name, i, v, among[i])
			}
		}
	}
}

func TestPaddings(t *testing.T) {
	for _, c := range []struct{ kernel, dilation, left, right int }{{3, 1, 1, 1}, {4, 1, 1, 2}, {3, 4, 4, 4}} {
		v := &Conv{Weight: NewParam("w", 1, 1, c.kernel), Dilation: c.dilation}
		if v.Same(); v.Left != c.left || v.Right != c.right || v.Steps(20) != 20 {
			t.Errorf("same of %d taps %d apart is %d and %d and makes %d of 20 steps", c.kernel, c.dilation, v.Left, v.Right, v.Steps(20))
		}
		if v.Causal(); v.Left != c.left+c.right || v.Right != 0 || v.Steps(20) != 20 {
			t.Errorf("causal is %d and %d and makes %d of 20 steps", v.Left, v.Right, v.Steps(20))
		}
	}
}

func TestConvRefusesWrongShapes(t *testing.T) {
	tp := New(0)
	tp.Reset(false, rng.Stream{})
	x := tp.Zeros(10, 4)
	for name, c := range map[string]*Conv{
		"channels": {Weight: NewParam("w", 3, 5, 3)},
		"groups":   {Weight: NewParam("w", 4, 1, 3), Groups: 3},
		"bias":     {Weight: NewParam("w", 3, 4, 3), Bias: NewParam("b", 2)},
		"reach":    {Weight: NewParam("w", 3, 4, 6)},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			tp.Conv(x, 5, c, None)
		}()
	}
}
