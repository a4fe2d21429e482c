package tape

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

// verifyAll checks operations on every path.
func verifyAll(t *testing.T, ops []operation) {
	t.Helper()
	for _, path := range simd.Supported() {
		for _, op := range ops {
			t.Run(path.String()+"/"+op.name, func(t *testing.T) {
				simd.Force(t, path)
				verify(t, op)
			})
		}
	}
}

// conv is a causal convolution by channel; w(l, c) is the weight of lag l.
func conv(x mat, steps, lags int, w func(l, c int) float64, bias func(c int) float64) mat {
	y := newMat(x.r, x.c)
	for r := range x.r {
		for c := range x.c {
			v := bias(c)
			for l := 0; l < lags && l <= r%steps; l++ {
				v += w(l, c) * x.at(r-l, c)
			}
			y.set(r, c, v)
		}
	}
	return y
}

// selective is the scan of Mamba: x, dt, b, c, aLog, d.
func selective(x []mat, steps int) mat {
	n, states := x[0].c, x[2].c
	y := newMat(x[0].r, n)
	for ch := range n {
		h := make([]float64, states)
		for r := range x[0].r {
			if r%steps == 0 {
				clear(h)
			}
			dt := math.Log1p(math.Exp(x[1].at(r, ch)))
			v := x[5].v[ch] * x[0].at(r, ch)
			for k := range h {
				h[k] = math.Exp(-dt*math.Exp(x[4].at(ch, k)))*h[k] + dt*x[2].at(r, k)*x[0].at(r, ch)
				v += x[3].at(r, k) * h[k]
			}
			y.set(r, ch, v)
		}
	}
	return y
}

// hold discretises one mode.
func hold(a complex128, dt float64, bilinear bool) (z, b complex128) {
	d := complex(dt, 0)
	if bilinear {
		return (1 + a*d/2) / (1 - a*d/2), d / (1 - a*d/2)
	}
	return cmplx.Exp(a * d), (cmplx.Exp(a*d) - 1) / a
}

// s5 is the layer: x, re, im, B, C, D, log step.
func s5(x []mat, steps int, bilinear bool) mat {
	n, p := x[0].c, len(x[1].v)
	y := newMat(x[0].r, n)
	h := make([]complex128, p)
	for r := range x[0].r {
		if r%steps == 0 {
			clear(h)
		}
		for k := range p {
			z, b := hold(complex(x[1].v[k], x[2].v[k]), math.Exp(x[6].v[k]), bilinear)
			in := 0i
			for j := range n {
				in += complex(x[3].v[(k*n+j)*2], x[3].v[(k*n+j)*2+1]) * complex(x[0].at(r, j), 0)
			}
			h[k] = z*h[k] + b*in
		}
		for j := range n {
			v := x[5].v[j] * x[0].at(r, j)
			for k := range p {
				v += 2 * real(complex(x[4].v[(j*p+k)*2], x[4].v[(j*p+k)*2+1])*h[k])
			}
			y.set(r, j, v)
		}
	}
	return y
}

// s4d is the kernel of complex modes: C, log dt, log −Re A, Im A.
func s4d(x []mat, lags int, bilinear bool) mat {
	n, modes := len(x[1].v), x[2].c
	k := newMat(lags, n)
	for ch := range n {
		for m := range modes {
			j := ch*modes + m
			z, b := hold(complex(-math.Exp(x[2].v[j]), x[3].v[j]), math.Exp(x[1].v[ch]), bilinear)
			p := complex(x[0].v[2*j], x[0].v[2*j+1]) * b
			for l := range lags {
				k.v[l*n+ch] += 2 * real(p)
				p *= z
			}
		}
	}
	return k
}

func scanOperations() []operation {
	scan := func(name string, samples, steps, n, states int) operation {
		rows := samples * steps
		return operation{name: name, inputs: [][2]int{{rows, n}, {rows, n}, {rows, states}, {rows, states}}, params: [][]int{{n, states}, {n}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.SelectiveScan(x[0], x[1], x[2], x[3], steps, p[0], p[1])
			},
			plain: func(x []mat) mat { return selective(x, steps) }}
	}
	layer := func(p []*Param, bilinear bool) *Diagonal {
		return &Diagonal{LambdaRe: p[0], LambdaIm: p[1], B: p[2], C: p[3], D: p[4], LogStep: p[5], Bilinear: bilinear}
	}
	diagonal := func(name string, steps, n, p int, bilinear bool) operation {
		return operation{name: name, inputs: [][2]int{{2 * steps, n}}, params: [][]int{{p}, {p}, {p, n, 2}, {n, p, 2}, {n}, {p, 1}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.S5(x[0], steps, layer(p, bilinear))
			},
			plain: func(x []mat) mat { return s5(x, steps, bilinear) }}
	}
	kernel := func(name string, n, modes, lags int, bilinear bool) operation {
		return operation{name: name, params: [][]int{{n, modes, 2}, {n}, {n, modes}, {n, modes}},
			tape: func(t *Tape, _ []*Tensor, p []*Param) *Tensor {
				return t.S4DKernel(lags, &DiagonalKernel{C: p[0], LogDt: p[1], LogAReal: p[2], AImag: p[3], Bilinear: bilinear})
			},
			plain: func(x []mat) mat { return s4d(x, lags, bilinear) }}
	}
	return []operation{
		{name: "long convolution", inputs: [][2]int{{3 * 7, 5}, {7, 5}}, params: [][]int{{5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.LongConv(x[0], 7, x[1], p[0]) },
			plain: func(x []mat) mat {
				y := conv(x[0], 7, 7, x[1].at, func(int) float64 { return 0 })
				for i := range y.v {
					y.v[i] += x[2].v[i%5] * x[0].v[i]
				}
				return y
			}},
		{name: "long convolution, few lags, many channels, used twice", inputs: [][2]int{{2 * 5, 19}, {3, 19}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.LongConv(x[0], 5, x[1], nil), t.Add(x[0], t.LongConv(x[0], 5, x[1], nil)))
			},
			plain: func(x []mat) mat {
				y := conv(x[0], 5, 3, x[1].at, func(int) float64 { return 0 })
				for i := range y.v {
					y.v[i] = 2*y.v[i] + x[0].v[i]
				}
				return y
			}},
		{name: "short convolution", inputs: [][2]int{{2 * 6, 17}}, params: [][]int{{17, 1, 4}, {17}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.ShortConv(x[0], 6, p[0], p[1]) },
			plain: func(x []mat) mat {
				return conv(x[0], 6, 4, func(l, c int) float64 { return x[1].at(c, 3-l) }, func(c int) float64 { return x[2].v[c] })
			}},
		{name: "short convolution of fewer steps than taps", inputs: [][2]int{{3 * 2, 5}}, params: [][]int{{5, 1, 4}, {5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.ShortConv(x[0], 2, p[0], p[1]) },
			plain: func(x []mat) mat {
				return conv(x[0], 2, 4, func(l, c int) float64 { return x[1].at(c, 3-l) }, func(c int) float64 { return x[2].v[c] })
			}},
		scan("selective scan", 2, 6, 5, 3),
		scan("selective scan of many channels", 2, 4, 53, 4),
		scan("selective scan of one step", 3, 1, 16, 2),
		diagonal("s5 with a hold", 6, 3, 5, false),
		diagonal("s5, bilinear", 4, 5, 18, true),
		diagonal("s5 of one step", 1, 3, 8, false),
		kernel("s4d with a hold", 3, 4, 9, false),
		kernel("s4d, bilinear, many modes", 2, 35, 6, true),
		{name: "s4d of real modes", params: [][]int{{3, 4}, {3}, {3, 4}},
			tape: func(t *Tape, _ []*Tensor, p []*Param) *Tensor {
				return t.S4DKernel(8, &DiagonalKernel{C: p[0], LogDt: p[1], LogAReal: p[2]})
			},
			plain: func(x []mat) mat {
				c, im := newMat(3, 8), newMat(3, 4)
				for i, v := range x[0].v {
					c.v[2*i] = v / 2
				}
				return s4d([]mat{c, x[1], x[2], im}, 8, false)
			}},
	}
}

func TestScansAgainstTheirDefinitions(t *testing.T) { verifyAll(t, scanOperations()) }

func TestScansDoNotAllocateOnceWarm(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	const n, states, steps = 40, 4, 10
	aLog, d := NewParam("A_log", n, states), NewParam("D", n)
	aLog.Shards(1)
	d.Shards(1)
	x, b := draw(r, 4*steps*n, 1), draw(r, 4*steps*states, 1)
	tp := New(0)
	step := func() {
		tp.Reset(true, rng.New(1))
		in, p := tp.Input(4*steps, n, x), tp.Input(4*steps, states, b)
		p.input = false
		tp.CrossEntropy(tp.SelectiveScan(in, in, p, p, steps, aLog, d), make([]int, 4*steps), nil, 0, 1)
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
