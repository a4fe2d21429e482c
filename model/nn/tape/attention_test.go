package tape

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

// attend is attention by its definition; bias may be empty.
func attend(q, k, v mat, samples, heads int, bias mat, causal, mean bool) mat {
	nq, nk := q.r/samples, k.r/samples
	d, dv := q.c/heads, v.c/heads
	cols := v.c
	if mean {
		dv = v.c
	}
	y := newMat(q.r, cols)
	for b := range samples {
		for h := range heads {
			for i := range nq {
				p, sum := make([]float64, nk), 0.0
				for j := range nk {
					if causal && j > i+nk-nq {
						continue
					}
					s := 0.0
					for c := range d {
						s += q.at(b*nq+i, h*d+c) * k.at(b*nk+j, h*d+c)
					}
					s /= math.Sqrt(float64(d))
					if bias.v != nil {
						s += bias.at(h*nk+j, i)
					}
					p[j] = math.Exp(s)
					sum += p[j]
				}
				for j := range nk {
					for c := range dv {
						if mean {
							y.v[(b*nq+i)*cols+c] += p[j] / sum * v.at(b*nk+j, c) / float64(heads)
						} else {
							y.v[(b*nq+i)*cols+h*dv+c] += p[j] / sum * v.at(b*nk+j, h*dv+c)
						}
					}
				}
			}
		}
	}
	return y
}

func columnsOf(x mat, lo, hi int) mat {
	y := newMat(x.r, hi-lo)
	for i := range x.r {
		copy(y.v[i*y.c:(i+1)*y.c], x.v[i*x.c+lo:i*x.c+hi])
	}
	return y
}

func attentionOperations() []operation {
	self := func(x *Tensor, heads, steps int, a Attention) Attention {
		a.Q, a.K, a.V = SelfHeads(x, heads)
		a.Heads, a.QuerySteps, a.KeySteps = heads, steps, steps
		return a
	}
	plainSelf := func(x mat, samples, heads int, bias mat, causal bool) mat {
		w := x.c / 3
		return attend(columnsOf(x, 0, w), columnsOf(x, w, 2*w), columnsOf(x, 2*w, x.c), samples, heads, bias, causal, false)
	}
	return []operation{
		{name: "self attention", inputs: [][2]int{{3 * 5, 24}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				y, _ := t.Attend(self(x[0], 2, 5, Attention{}))
				return y
			},
			plain: func(x []mat) mat { return plainSelf(x[0], 3, 2, mat{}, false) }},
		{name: "causal self attention of 17 steps, twice", inputs: [][2]int{{2 * 17, 9}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				y, _ := t.Attend(self(x[0], 1, 17, Attention{Causal: true}))
				z, _ := t.Attend(self(x[0], 3, 17, Attention{Causal: true}))
				return t.Add(y, z)
			},
			plain: func(x []mat) mat {
				y, z := plainSelf(x[0], 2, 1, mat{}, true), plainSelf(x[0], 2, 3, mat{}, true)
				for i := range y.v {
					y.v[i] += z.v[i]
				}
				return y
			}},
		{name: "attention with a bias", inputs: [][2]int{{2 * 4, 12}, {2 * 4, 4}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				y, _ := t.Attend(self(x[0], 2, 4, Attention{Bias: x[1]}))
				return y
			},
			plain: func(x []mat) mat { return plainSelf(x[0], 2, 2, x[1], false) }},
		{name: "cross attention, causal", inputs: [][2]int{{2 * 3, 8}, {2 * 7, 14}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				y, _ := t.Attend(Attention{Q: Heads{x[0], 0, 4, 4}, K: Heads{x[1], 0, 4, 4}, V: Heads{x[1], 8, 3, 3}, Heads: 2, QuerySteps: 3, KeySteps: 7, Causal: true})
				return y
			},
			plain: func(x []mat) mat {
				return attend(x[0], columnsOf(x[1], 0, 8), columnsOf(x[1], 8, 14), 2, 2, mat{}, true, false)
			}},
		{name: "interpretable attention with columns nobody reads", inputs: [][2]int{{2 * 4, 8}, {2 * 4, 13}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				y, _ := t.Attend(Attention{Q: Heads{x[0], 0, 4, 4}, K: Heads{x[1], 0, 4, 4}, V: Heads{x[1], 8, 0, 3}, Heads: 2, QuerySteps: 4, KeySteps: 4, Mean: true})
				return y
			},
			plain: func(x []mat) mat {
				return attend(x[0], columnsOf(x[1], 0, 8), columnsOf(x[1], 8, 11), 2, 2, mat{}, false, true)
			}},
		{name: "relative bias", inputs: [][2]int{{2 * 9, 6}}, params: [][]int{{8, 2}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				y, _ := t.Attend(self(x[0], 2, 9, Attention{Bias: t.RelativeBias(p[0], 9, 9, 6)}))
				return y
			},
			plain: func(x []mat) mat {
				bias := newMat(2*9, 9)
				for h := range 2 {
					for j := range 9 {
						for i := range 9 {
							bias.set(h*9+j, i, x[1].at(Bucket(j-i, 8, 6), h))
						}
					}
				}
				return plainSelf(x[0], 2, 2, bias, false)
			}},
		{name: "rotated heads", inputs: [][2]int{{2 * 3, 11}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Rotate(x[0], 3, 2, 4, 4, Rotation(3, 4)), x[0])
			},
			plain: func(x []mat) mat {
				y := newMat(6, 11)
				copy(y.v, x[0].v)
				for r := range 6 {
					for h := range 2 {
						for i := range 2 {
							angle := float64(r%3) * math.Pow(10000, -float64(i)/2)
							c, s := float64(float32(math.Cos(angle))), float64(float32(math.Sin(angle)))
							a, b := x[0].at(r, h*4+i), x[0].at(r, h*4+i+2)
							y.set(r, h*4+i, a*c-b*s)
							y.set(r, h*4+i+2, b*c+a*s)
						}
					}
				}
				for i, v := range x[0].v {
					y.v[i] += v
				}
				return y
			}},
		{name: "softmax of rows", inputs: [][2]int{{5, 11}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.Add(t.Softmax(x[0]), x[0]) },
			plain: func(x []mat) mat {
				y := x[0].each(math.Exp)
				for i := range y.r {
					sum := 0.0
					for j := range y.c {
						sum += y.at(i, j)
					}
					for j := range y.c {
						y.set(i, j, y.at(i, j)/sum+x[0].at(i, j))
					}
				}
				return y
			}},
	}
}

// Values are those of the definitions in float64; gradients are those of
// central differences of the definitions.
func TestAttentionAgainstItsDefinition(t *testing.T) {
	for _, path := range simd.Supported() {
		for _, op := range append(attentionOperations(), gateOperations()...) {
			t.Run(path.String()+"/"+op.name, func(t *testing.T) {
				simd.Force(t, path)
				verify(t, op)
			})
		}
	}
}

// With the arguments of testdata/golden/attention.json, values and gradients are
// those of PyTorch, relative to the largest of each array.
func TestAttentionAgainstPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/attention.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tolerance float64 `json:"tolerance"`
		Cases     []struct {
			Name  string      `json:"name"`
			Args  [][]float32 `json:"args"`
			Up    []float32   `json:"up"`
			Y     []float32   `json:"y"`
			Grads [][]float32 `json:"grads"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 10 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	ops := append(attentionOperations(), gateOperations()...)
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			k := slices.IndexFunc(ops, func(o operation) bool { return o.name == c.Name })
			if k < 0 {
				t.Fatal("no such operation")
			}
			op, tp := ops[k], New(0)
			tp.Reset(true, rng.New(1))
			var x []*Tensor
			var params []*Param
			for i, s := range op.inputs {
				leaf := tp.Input(s[0], s[1], c.Args[i])
				leaf.input = false
				x = append(x, leaf)
			}
			for i, s := range op.params {
				p := NewParam("p", s...)
				copy(p.Value, c.Args[len(x)+i])
				p.Shards(1)
				params = append(params, p)
			}
			y := op.tape(tp, x, params)
			near(t, "value", y.Value, c.Y, file.Tolerance)
			g, _ := tp.gradOf(y)
			copy(g, c.Up)
			tp.Backward()
			for i := range c.Args {
				if i < len(x) {
					near(t, fmt.Sprintf("gradient %d", i), x[i].Grad(), c.Grads[i], file.Tolerance)
				} else {
					near(t, fmt.Sprintf("gradient %d", i), params[i-len(x)].ShardGrad(0), c.Grads[i], file.Tolerance)
				}
			}
		})
	}
}

// near compares arrays relative to the largest value wanted.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	top := 0.0
	for _, w := range want {
		top = max(top, math.Abs(float64(w)))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= tolerance*top) {
			t.Fatalf("%s: value %d is %v, want %v (largest %.3g)", what, i, got[i], w, top)
		}
	}
}

// A hidden key changes nothing, not even a bit, and weights are shares.
func TestCausalAttentionSeesNothingLater(t *testing.T) {
	const steps, heads, width = 21, 2, 8
	r := rand.New(rand.NewPCG(9, 9))
	data := draw(r, steps*3*width, 1)
	run := func(data []float32) ([]float32, Weights) {
		tp := New(0)
		tp.Reset(false, rng.Stream{})
		a := Attention{Heads: heads, QuerySteps: steps, KeySteps: steps, Causal: true}
		a.Q, a.K, a.V = SelfHeads(tp.Input(steps, 3*width, data), heads)
		y, w := tp.Attend(a)
		return y.Value, w
	}
	before, w := run(data)
	changed := append([]float32(nil), data...)
	const from = 12
	for i := from * 3 * width; i < len(changed); i++ {
		changed[i] *= -7
	}
	after, _ := run(changed)
	for i := range from * width {
		if before[i] != after[i] {
			t.Fatalf("step %d saw what came later", i/width)
		}
	}
	if slices.Equal(before[from*width:], after[from*width:]) {
		t.Error("later steps do not see themselves")
	}
	for h := range heads {
		for q := range steps {
			sum := 0.0
			for k := range steps {
				p := w.At(0, h, q, k)
				if k > q && p != 0 {
					t.Fatalf("head %d: query %d gives %v to key %d", h, q, p, k)
				}
				sum += float64(p)
			}
			if math.Abs(sum-1) > 1e-5 {
				t.Errorf("head %d: the weights of query %d sum to %v", h, q, sum)
			}
		}
	}
}

// A sample's result has the same bits whatever else is in the call.
func TestAttentionOfASampleDoesNotDependOnOthers(t *testing.T) {
	const steps, heads, width, samples = 7, 2, 16, 5
	data := draw(rand.New(rand.NewPCG(9, 4)), samples*steps*3*width, 1)
	run := func(n int, data []float32) []float32 {
		tp := New(0)
		tp.Reset(false, rng.Stream{})
		a := Attention{Heads: heads, QuerySteps: steps, KeySteps: steps}
		a.Q, a.K, a.V = SelfHeads(tp.Input(n*steps, 3*width, data), heads)
		y, _ := tp.Attend(a)
		return y.Value
	}
	all := run(samples, data)
	for b := range samples {
		one := run(1, data[b*steps*3*width:(b+1)*steps*3*width])
		if !slices.Equal(one, all[b*steps*width:(b+1)*steps*width]) {
			t.Errorf("sample %d alone differs", b)
		}
	}
}

// Dropout removes weights at its rate, keeps the mean, and its gradient is that
// of the same draw.
func TestAttentionDropout(t *testing.T) {
	const steps, width, rate = 64, 2, 0.3
	data := draw(rand.New(rand.NewPCG(9, 6)), steps*3*width, 1)
	tp := New(0)
	run := func(data []float32) (*Tensor, *Tensor) {
		tp.Reset(true, rng.New(3))
		a := Attention{Heads: 1, QuerySteps: steps, KeySteps: steps, Dropout: rate}
		x := tp.Input(steps, 3*width, data)
		x.input = false
		a.Q, a.K, a.V = SelfHeads(x, 1)
		y, _ := tp.Attend(a)
		return x, y
	}
	x, y := run(data)
	up := draw(rand.New(rand.NewPCG(9, 7)), len(y.Value), 1)
	g, _ := tp.gradOf(y)
	copy(g, up)
	tp.Backward()
	grad := append([]float32(nil), x.Grad()...)
	objective := func(data []float32) float64 {
		_, y := run(data)
		s := 0.0
		for i, v := range y.Value {
			s += float64(v) * float64(up[i])
		}
		return s
	}
	for i := 0; i < len(data); i += 5 {
		const h = 1e-2
		v := data[i]
		data[i] = v + h
		hi := objective(data)
		data[i] = v - h
		lo := objective(data)
		data[i] = v
		// float32 and the third derivative leave a few thousandths
		if want := (hi - lo) / (2 * h); math.Abs(float64(grad[i])-want) > 5e-3*max(1, math.Abs(want)) {
			t.Fatalf("gradient %d is %v, want %v", i, grad[i], want)
		}
	}
	mask := tp.dropMask(40001, rate)
	zeros := 0
	for _, v := range mask {
		switch {
		case v == 0:
			zeros++
		case math.Abs(float64(v)-1/(1-rate)) > 1e-6:
			t.Fatalf("a weight is multiplied by %v", v)
		}
	}
	if share := float64(zeros) / 40001; math.Abs(share-rate) > 5*math.Sqrt(rate*(1-rate)/40001) {
		t.Errorf("%v of the weights were dropped, want %v", share, rate)
	}
}

// The slopes that Press et al. (2022) print for eight heads are 1/2, 1/4, … 1/256.
func TestLinearBias(t *testing.T) {
	const heads, n = 8, 3
	b := LinearBias(heads, n, n)
	for h := range heads {
		for j := range n {
			for i := range n {
				want := -math.Abs(float64(j-i)) / math.Exp2(float64(h+1))
				if got := float64(b[(h*n+j)*n+i]); got != want {
					t.Errorf("head %d, key %d, query %d: %v, want %v", h, j, i, got, want)
				}
			}
		}
	}
}
