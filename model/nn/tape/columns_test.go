package tape

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// standardised is x by columns with mean 0 and variance 1 over groups of rows,
// times gain plus bias.
func standardised(x, gain, bias mat, group int, eps float64) mat {
	y := newMat(x.r, x.c)
	for g := 0; g < x.r; g += group {
		for j := range x.c {
			mean, variance := 0.0, 0.0
			for i := range group {
				mean += x.at(g+i, j) / float64(group)
			}
			for i := range group {
				d := x.at(g+i, j) - mean
				variance += d * d / float64(group)
			}
			for i := range group {
				y.set(g+i, j, (x.at(g+i, j)-mean)/math.Sqrt(variance+eps)*gain.v[j]+bias.v[j])
			}
		}
	}
	return y
}

func ones(n int) mat { return newMat(1, n).each(func(float64) float64 { return 1 }) }

// unscaled batch norm without the buffers of a network.
func normOf(p []*Param) *BatchNorm {
	b := NewBatchNorm("n", len(p[0].Value))
	b.Gain, b.Bias = p[0], p[1]
	for _, q := range []*Param{b.Mean, b.Variance, b.Batches} {
		q.Shards(1)
	}
	return b
}

func pooled(x mat, steps int, lo, hi func(u int) int, out int, f func([]float64) float64) mat {
	y := newMat(x.r/steps*out, x.c)
	for b := range x.r / steps {
		for u := range out {
			for c := range x.c {
				var v []float64
				for s := lo(u); s < hi(u); s++ {
					v = append(v, x.at(b*steps+s, c))
				}
				y.set(b*out+u, c, f(v))
			}
		}
	}
	return y
}

func largest(v []float64) float64 {
	m := v[0]
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func meanOf(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

func columnOperations() []operation {
	pool := func(p Pool, steps int) (lo, hi func(int) int) {
		return func(u int) int { return max(0, u*p.Stride-p.Left) }, func(u int) int { return min(steps, u*p.Stride-p.Left+p.Kernel) }
	}
	var list []operation
	add := func(name string, inputs [][2]int, params [][]int, f func(t *Tape, x []*Tensor, p []*Param) *Tensor, plain func(x []mat) mat) {
		list = append(list, operation{name: name, inputs: inputs, params: params, tape: f, plain: plain})
	}
	add("batch norm", [][2]int{{37, 5}}, [][]int{{5}, {5}},
		func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.BatchNorm(x[0], normOf(p), None) },
		func(x []mat) mat { return standardised(x[0], x[1], x[2], 37, 1e-5) })
	add("batch norm with relu, used twice", [][2]int{{23, 5}}, [][]int{{5}, {5}},
		func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.Add(x[0], t.BatchNorm(x[0], normOf(p), ReLU)) },
		func(x []mat) mat {
			y := standardised(x[0], x[1], x[2], 23, 1e-5).each(func(v float64) float64 { return max(v, 0) })
			for i := range y.v {
				y.v[i] += x[0].v[i]
			}
			return y
		})
	add("batch norm with gelu", [][2]int{{23, 5}}, [][]int{{5}, {5}},
		func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.BatchNorm(x[0], normOf(p), GELU) },
		func(x []mat) mat {
			return standardised(x[0], x[1], x[2], 23, 1e-5).each(func(v float64) float64 { return v * normalCDF(v) })
		})
	add("instance norm", [][2]int{{3 * 7, 4}}, [][]int{{4}, {4}},
		func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.InstanceNorm(x[0], 7, p[0], p[1], 1e-5) },
		func(x []mat) mat { return standardised(x[0], x[1], x[2], 7, 1e-5) })
	add("instance norm without gain", [][2]int{{3 * 7, 4}}, nil,
		func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.InstanceNorm(x[0], 7, nil, nil, 1e-5) },
		func(x []mat) mat { return standardised(x[0], ones(4), newMat(1, 4), 7, 1e-5) })
	for _, p := range []Pool{{3, 1, 1, 1}, {2, 2, 0, 0}, {3, 2, 1, 0}, {4, 3, 2, 2}} {
		lo, hi := pool(p, 9)
		add("max pool", [][2]int{{2 * 9, 5}}, nil,
			func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.MaxPool(x[0], 9, p) },
			func(x []mat) mat { return pooled(x[0], 9, lo, hi, p.Steps(9), largest) })
		add("average pool", [][2]int{{2 * 9, 5}}, nil,
			func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.AveragePool(x[0], 9, p) },
			func(x []mat) mat {
				return pooled(x[0], 9, lo, hi, p.Steps(9), func(v []float64) float64 {
					return meanOf(v) * float64(len(v)) / float64(p.Kernel)
				})
			})
	}
	for _, n := range []int{1, 3, 4, 9} {
		lo, hi := func(u int) int { return u * 9 / n }, func(u int) int { return ((u+1)*9 + n - 1) / n }
		add("adaptive max pool", [][2]int{{2 * 9, 5}}, nil,
			func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.AdaptiveMaxPool(x[0], 9, n) },
			func(x []mat) mat { return pooled(x[0], 9, lo, hi, n, largest) })
		add("adaptive average pool, used twice", [][2]int{{2 * 9, 5}}, nil,
			func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.AdaptiveAveragePool(x[0], 9, n), t.AdaptiveAveragePool(x[0], 9, n))
			},
			func(x []mat) mat {
				return pooled(x[0], 9, lo, hi, n, func(v []float64) float64 { return 2 * meanOf(v) })
			})
	}
	add("global max and average", [][2]int{{2 * 9, 5}}, nil,
		func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
			return t.Concat(t.GlobalMax(x[0], 9), t.GlobalAverage(x[0], 9))
		},
		func(x []mat) mat {
			y := newMat(2, 10)
			all := func(int) int { return 9 }
			first := func(int) int { return 0 }
			a, b := pooled(x[0], 9, first, all, 1, largest), pooled(x[0], 9, first, all, 1, meanOf)
			for i := range 2 {
				for j := range 5 {
					y.set(i, j, a.at(i, j))
					y.set(i, 5+j, b.at(i, j))
				}
			}
			return y
		})
	add("sum with relu, three times", [][2]int{{4, 6}, {4, 6}}, nil,
		func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
			return t.AddReLU(t.AddReLU(x[0], x[1]), t.AddReLU(x[0], x[0]))
		},
		func(x []mat) mat {
			y := newMat(4, 6)
			for i := range y.v {
				y.v[i] = max(0, x[0].v[i]+x[1].v[i]) + max(0, 2*x[0].v[i])
			}
			return y
		})
	add("swap columns", [][2]int{{4, 6}}, nil,
		func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.SwapColumns(x[0], 2, 3) },
		func(x []mat) mat {
			y := newMat(4, 6)
			for r := range 4 {
				for i := range 2 {
					for j := range 3 {
						y.set(r, j*2+i, x[0].at(r, i*3+j))
					}
				}
			}
			return y
		})
	add("weight norm, used twice", [][2]int{{2 * 5, 3}}, [][]int{{4, 3, 2}, {4}},
		func(t *Tape, x []*Tensor, p []*Param) *Tensor {
			c := &Conv{Weight: t.WeightNorm(p[0], p[1]), Left: 1}
			return t.Add(t.Conv(x[0], 5, c, None), t.Conv(x[0], 5, &Conv{Weight: t.WeightNorm(p[0], p[1]), Left: 1}, Tanh))
		},
		func(x []mat) mat {
			w := newMat(4, 6)
			for i := range 4 {
				square := 0.0
				for j := range 6 {
					square += x[1].at(i, j) * x[1].at(i, j)
				}
				for j := range 6 {
					w.set(i, j, x[1].at(i, j)*x[2].v[i]/math.Sqrt(square))
				}
			}
			return plainConv(x[0], w, newMat(1, 4), 5, 2, 1, 1, 1, 1, 0).each(func(v float64) float64 { return v + math.Tanh(v) })
		})
	for _, p := range []Patches{{Length: 4, Stride: 2}, {Length: 4, Stride: 2, End: 2}, {Length: 3, Stride: 5, ByStep: true}, {Length: 9, Stride: 9}, {Length: 4, Stride: 2, End: 2, ByStep: true}} {
		add("patch", [][2]int{{2 * 9, 3}}, nil,
			func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.Patch(x[0], 9, p) },
			func(x []mat) mat {
				n := p.Count(9)
				y := newMat(2*3*n, p.Length)
				for b := range 2 {
					for c := range 3 {
						for k := range n {
							for i := range p.Length {
								row := (b*3+c)*n + k
								if p.ByStep {
									row = (b*n+k)*3 + c
								}
								y.set(row, i, x[0].at(b*9+min(k*p.Stride+i, 8), c))
							}
						}
					}
				}
				return y
			})
	}
	return list
}

func TestColumnOperationsAgainstTheirDefinitions(t *testing.T) { against(t, columnOperations()) }

// The first of equal values gets the gradient, as in PyTorch.
func TestMaxPoolOfEqualValues(t *testing.T) {
	tp := New(0)
	tp.Reset(true, rng.New(1))
	x := tp.tensor(4, 1, []float32{0, 0, 0, 0})
	y := tp.MaxPool(x, 4, Pool{Kernel: 3, Stride: 1, Left: 1, Right: 1})
	g, _ := tp.gradOf(y)
	copy(g, []float32{1, 2, 4, 8})
	tp.Backward()
	for i, want := range []float32{3, 4, 8, 0} {
		if got := x.Grad()[i]; got != want {
			t.Errorf("gradient %d is %v, want %v", i, got, want)
		}
	}
}

// Running statistics are the plain mean of the first steps, follow by a tenth
// later, do not depend on the order in which shards ran, and stand in without
// training.
func TestBatchNormBuffers(t *testing.T) {
	const n, rows = 3, 8
	run := func(order []int) *BatchNorm {
		r := rand.New(rand.NewPCG(52, 1))
		b := NewBatchNorm("bn", n)
		for _, p := range b.Params() {
			p.Shards(3)
		}
		for range 12 {
			data := draw(r, 3*rows*n, 2)
			for _, s := range order {
				tp := New(s)
				tp.Reset(true, rng.New(1))
				tp.BatchNorm(tp.Input(rows, n, data[s*rows*n:(s+1)*rows*n]), b, None)
			}
			for _, p := range b.Params()[2:] {
				p.Settle()
			}
		}
		return b
	}
	a, b := run([]int{0, 1, 2}), run([]int{2, 0, 1})
	for j := range n {
		if a.Mean.Value[j] != b.Mean.Value[j] || a.Variance.Value[j] != b.Variance.Value[j] {
			t.Fatalf("channel %d: %v and %v in one order, %v and %v in another", j, a.Mean.Value[j], a.Variance.Value[j], b.Mean.Value[j], b.Variance.Value[j])
		}
	}
	if a.Batches.Value[0] != 12 {
		t.Errorf("%v steps were counted", a.Batches.Value[0])
	}
	// The same in float64.
	r := rand.New(rand.NewPCG(52, 1))
	mean, variance := make([]float64, n), []float64{1, 1, 1}
	for step := range 12 {
		data := draw(r, 3*rows*n, 2)
		rate := max(0.1, 1/float64(step+1))
		for j := range n {
			m, v := 0.0, 0.0
			for s := range 3 {
				own, square := 0.0, 0.0
				for i := range rows {
					own += float64(data[(s*rows+i)*n+j]) / rows
				}
				for i := range rows {
					d := float64(data[(s*rows+i)*n+j]) - own
					square += d * d / (rows - 1)
				}
				m, v = m+own/3, v+square/3
			}
			mean[j] += rate * (m - mean[j])
			variance[j] += rate * (v - variance[j])
		}
	}
	tp := New(0)
	tp.Reset(false, rng.Stream{})
	copy(a.Gain.Value, []float32{2, 3, 4})
	copy(a.Bias.Value, []float32{5, 6, 7})
	x := tp.Input(2, n, draw(r, 2*n, 1))
	y := tp.BatchNorm(x, a, None)
	for i, v := range y.Value {
		j := i % n
		want := (float64(x.Value[i])-mean[j])/math.Sqrt(variance[j]+1e-5)*float64(a.Gain.Value[j]) + float64(a.Bias.Value[j])
		if math.Abs(float64(v)-want) > 1e-5*max(1, math.Abs(want)) {
			t.Errorf("value %d is %v, want %v", i, v, want)
		}
	}
}

// Denormalise undoes Normalise.
func TestReversibleNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(53, 1))
	tp := New(0)
	tp.Reset(false, rng.Stream{})
	x := tp.Input(2*9, 4, draw(r, 72, 3))
	norm := &RevIN{Gain: NewParam("w", 4), Bias: NewParam("b", 4), Epsilon: 1e-5}
	copy(norm.Gain.Value, []float32{1, 0.5, 2, -1})
	copy(norm.Bias.Value, []float32{0, 1, -1, 3})
	y, removed := tp.Normalise(x, 9, norm)
	for i, v := range tp.Denormalise(y, removed, norm).Value {
		if math.Abs(float64(v-x.Value[i])) > 1e-5*9 {
			t.Fatalf("value %d comes back as %v, was %v", i, v, x.Value[i])
		}
	}
}

func TestDropPath(t *testing.T) {
	const samples, rows, cols, p = 4000, 3, 2, 0.3
	tp := New(0)
	tp.Reset(true, rng.New(4))
	ones := make([]float32, samples*rows*cols)
	for i := range ones {
		ones[i] = 1
	}
	x := tp.tensor(samples*rows, cols, ones)
	y := tp.DropPath(x, rows, p)
	dropped := 0
	for b := range samples {
		v := y.Value[b*rows*cols : (b+1)*rows*cols]
		for _, u := range v {
			if u != v[0] || u != 0 && math.Abs(float64(u)-1/(1-p)) > 1e-6 {
				t.Fatalf("sample %d became %v", b, v)
			}
		}
		if v[0] == 0 {
			dropped++
		}
	}
	if share := float64(dropped) / samples; math.Abs(share-p) > 5*math.Sqrt(p*(1-p)/samples) {
		t.Errorf("%v of the samples were dropped, want %v", share, p)
	}
	g, _ := tp.gradOf(y)
	copy(g, ones)
	tp.Backward()
	for i, v := range x.Grad() {
		if v != y.Value[i] {
			t.Fatalf("gradient %d is %v where the value is %v", i, v, y.Value[i])
		}
	}
	tp.Reset(false, rng.Stream{})
	if x := tp.tensor(2, 2, ones[:4]); tp.DropPath(x, 1, p) != x {
		t.Error("paths are dropped without training")
	}
}
