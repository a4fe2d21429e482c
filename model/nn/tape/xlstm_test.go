package tape

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// scalar is the sLSTM cell without a stabiliser: gates, kernel, bias.
func scalar(x []mat, steps, heads, n int) mat {
	hidden := heads * n
	y := newMat(x[0].r, hidden)
	var h, c, norm []float64
	for r := range x[0].r {
		if r%steps == 0 {
			h, c, norm = make([]float64, hidden), make([]float64, hidden), make([]float64, hidden)
		}
		next := make([]float64, hidden)
		for k := range heads {
			for j := range n {
				var a [4]float64
				for g := range a {
					a[g] = x[0].at(r, g*hidden+k*n+j) + x[2].v[(k*4+g)*n+j]
					for m := range n {
						a[g] += h[k*n+m] * x[1].v[((k*n+m)*4+g)*n+j]
					}
				}
				at := k*n + j
				i, f := math.Exp(a[0]), sigma(a[1])
				c[at] = f*c[at] + i*math.Tanh(a[2])
				norm[at] = f*norm[at] + i
				next[at] = sigma(a[3]) * c[at] / norm[at]
			}
		}
		h = next
		copy(y.v[r*hidden:], h)
	}
	return y
}

// matrixCell is the mLSTM cell as a recurrence with a matrix and its stabiliser:
// q, k, v, i, f.
func matrixCell(x []mat, steps, heads int) mat {
	n := x[0].c / heads
	y := newMat(x[0].r, x[0].c)
	for h := range heads {
		var c, norm []float64
		m := 0.0
		for r := range x[0].r {
			logF, in := -math.Log1p(math.Exp(-x[4].at(r, h))), x[3].at(r, h)
			if r%steps == 0 {
				c, norm, m = make([]float64, n*n), make([]float64, n), math.Inf(-1)
			}
			next := math.Max(in, logF+m)
			keep, take := math.Exp(logF+m-next), math.Exp(in-next)
			m = next
			weight := 0.0
			out := make([]float64, n)
			for a := range n {
				k := x[1].at(r, h*n+a) / math.Sqrt(float64(n))
				norm[a] = keep*norm[a] + take*k
				weight += norm[a] * x[0].at(r, h*n+a)
				for b := range n {
					c[a*n+b] = keep*c[a*n+b] + take*k*x[2].at(r, h*n+b)
					out[b] += c[a*n+b] * x[0].at(r, h*n+a)
				}
			}
			for b := range n {
				y.set(r, h*n+b, out[b]/(math.Max(math.Abs(weight), math.Exp(-m))+matrixEps))
			}
		}
	}
	return y
}

func TestExtendedCellsAgainstTheirDefinitions(t *testing.T) {
	sl := func(name string, steps, heads, n int) operation {
		return operation{name: name, inputs: [][2]int{{2 * steps, 4 * heads * n}}, params: [][]int{{heads, n, 4, n}, {heads, 4, n}},
			tape:  func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.SLSTM(x[0], steps, p[0], p[1]) },
			plain: func(x []mat) mat { return scalar(x, steps, heads, n) }}
	}
	ml := func(name string, steps, heads, n int) operation {
		q, g := [2]int{2 * steps, heads * n}, [2]int{2 * steps, heads}
		return operation{name: name, inputs: [][2]int{q, q, q, g, g}, tol: 5e-5, // where Σ w is near e^−m
			tape:  func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.MLSTM(x[0], x[1], x[2], x[3], x[4], steps) },
			plain: func(x []mat) mat { return matrixCell(x, steps, heads) }}
	}
	verifyAll(t, []operation{
		sl("slstm", 5, 2, 3), sl("slstm of wide heads", 4, 1, 17), sl("slstm of one step", 1, 2, 4),
		ml("mlstm", 6, 2, 3), ml("mlstm of wide heads", 5, 1, 19), ml("mlstm of one step", 1, 2, 4),
		{name: "headwise map", inputs: [][2]int{{5, 12}}, params: [][]int{{3, 2, 4}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.Headwise(x[0], p[0]) },
			plain: func(x []mat) mat {
				y := newMat(5, 6)
				for r := range 5 {
					for j := range 6 {
						for k := range 4 {
							y.v[r*6+j] += x[0].at(r, j/2*4+k) * x[1].v[j*4+k]
						}
					}
				}
				return y
			}},
		{name: "scale of columns", inputs: [][2]int{{5, 7}}, params: [][]int{{7}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.ScaleColumns(x[0], p[0]) },
			plain: func(x []mat) mat {
				y := newMat(5, 7)
				for i := range y.v {
					y.v[i] = x[0].v[i] * x[1].v[i%7]
				}
				return y
			}},
		{name: "norm by head", inputs: [][2]int{{4, 15}}, params: [][]int{{15}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.HeadNorm(x[0], 3, p[0], 1e-5) },
			plain: func(x []mat) mat {
				y := newMat(4, 15)
				for h := range 3 {
					part, gain := newMat(4, 5), newMat(1, 5)
					for r := range 4 {
						copy(part.v[r*5:], x[0].v[r*15+h*5:][:5])
					}
					copy(gain.v, x[1].v[h*5:])
					z := normal(part, gain, newMat(1, 5), 1e-5, true)
					for r := range 4 {
						copy(y.v[r*15+h*5:][:5], z.v[r*5:])
					}
				}
				return y
			}},
	})
}

// Gates far from 0 neither overflow nor pass on what is not a number.
func TestExtendedCellsStayFinite(t *testing.T) {
	for _, level := range []float32{-200, -80, 80, 200} {
		tp := New(0)
		tp.Reset(true, rng.New(1))
		r := rand.New(rand.NewPCG(1, 1))
		wanted := func(rows, cols int, v []float32) *Tensor {
			x := tp.Input(rows, cols, v)
			x.input = false
			return x
		}
		fill := func(n int) []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = level
			}
			return v
		}
		in := []*Tensor{wanted(6, 4, draw(r, 24, 1)), wanted(6, 4, draw(r, 24, 1)), wanted(6, 4, draw(r, 24, 1)), wanted(6, 2, fill(12)), wanted(6, 2, fill(12)), wanted(6, 16, fill(96))}
		kernel, bias := NewParam("k", 2, 2, 4, 2), NewParam("b", 2, 4, 2)
		kernel.Shards(1)
		bias.Shards(1)
		y := tp.Add(tp.MLSTM(in[0], in[1], in[2], in[3], in[4], 6), tp.SLSTM(in[5], 6, kernel, bias))
		g, _ := tp.gradOf(y)
		for i := range g {
			g[i] = 1
		}
		tp.Backward()
		for k, x := range append(in, y) {
			for _, v := range append(append([]float32(nil), x.Value...), x.Grad()...) {
				if v-v != 0 {
					t.Fatalf("gates of %v: argument %d has %v", level, k, v)
				}
			}
		}
	}
}
