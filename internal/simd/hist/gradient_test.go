package hist

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

func TestExp32(t *testing.T) {
	for x := float32(-86); x < 87; x += 0.0371 {
		want := math.Exp(float64(x))
		if d := math.Abs(float64(Exp32(x))/want - 1); d > 3e-7 {
			t.Fatalf("Exp32(%v) is off by %.2g", x, d)
		}
	}
	if Exp32(-1000) != Exp32(-87) || Exp32(1000) != Exp32(88) || Exp32(0) != 1 {
		t.Error("the ends are not clamped, or e⁰ is not 1")
	}
}

// fill makes n values of several sizes.
func fill(r *rand.Rand, n int, spread float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * math.Exp(spread*r.NormFloat64()))
	}
	return v
}

func FuzzLogisticAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(100), float64(1), false)
	f.Add(uint64(2), uint16(7), float64(0), true)
	f.Add(uint64(3), uint16(4096), float64(4), true)
	f.Add(uint64(4), uint16(0), float64(9), false)
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, spread float64, weighted bool) {
		if !(math.Abs(spread) < 50) {
			t.Skip()
		}
		r := rand.New(rand.NewPCG(seed, 5))
		n := int(rows) % 5000
		score, y := fill(r, n, spread), make([]float32, n)
		for i := range y {
			y[i] = float32(r.IntN(2))
		}
		var w []float32
		if weighted {
			w = fill(r, n, 1)
			for i := range w {
				w[i] = float32(math.Abs(float64(w[i])))
			}
		}
		type result struct {
			g, h   []float32
			sg, sh float64
		}
		var first *result
		for _, p := range simd.Supported() {
			simd.Force(t, p)
			res := result{g: make([]float32, n), h: make([]float32, n)}
			res.sg, res.sh = Logistic(score, y, w, res.g, res.h)
			if first == nil {
				first = &res
				for i, s := range score {
					q := 1 / (1 + math.Exp(-float64(s)))
					weight := 1.0
					if w != nil {
						weight = float64(w[i])
					}
					if math.Abs(float64(res.g[i])-weight*(q-float64(y[i]))) > 1e-6*weight || math.Abs(float64(res.h[i])-weight*q*(1-q)) > 1e-6*weight {
						t.Fatalf("row %d, score %v: gradient %v, hessian %v", i, s, res.g[i], res.h[i])
					}
				}
				continue
			}
			if !slices.Equal(res.g, first.g) || !slices.Equal(res.h, first.h) || res.sg != first.sg || res.sh != first.sh {
				t.Fatalf("%v gives other bits", p)
			}
		}
	})
}

func FuzzQuantiseAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(100), float64(1))
	f.Add(uint64(2), uint16(3), float64(0))
	f.Add(uint64(3), uint16(4095), float64(3))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, spread float64) {
		if !(math.Abs(spread) < 20) {
			t.Skip()
		}
		r := rand.New(rand.NewPCG(seed, 6))
		n := int(rows) % 5000
		g, h := fill(r, n, spread), fill(r, n, spread)
		top := float32(1e-30)
		for i := range h {
			h[i] = float32(math.Abs(float64(h[i])))
			top = max(top, h[i], float32(math.Abs(float64(g[i]))))
		}
		if r.IntN(2) == 0 { // ties of rounding
			for i := range g {
				g[i], h[i] = float32(r.IntN(9)-4)/2, float32(r.IntN(9))/2
			}
			top = 1 << 30
		}
		fg, fh := float32(1<<30)/top, float32(3<<30)/top
		a, b := make([]uint64, n), make([]uint64, n)
		x, y := Quantise(g, h, fg, fh, a), quantiseGeneric(g, h, fg, fh, b)
		if x != y || !slices.Equal(a, b) {
			t.Fatal("the packed gradients differ")
		}
	})
}

// Every path gives the bits of a plain softmax, row by row, and the same sums.
func TestSoftmaxAgainstAPlainLoop(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	for _, k := range []int{2, 3, 7} {
		for _, n := range []int{0, 1, 7, 8, 255, 256, 300, 1000} {
			for _, weighted := range []bool{false, true} {
				score, y := fill(r, n*k, 1), make([]float32, n)
				var w []float32
				for i := range y {
					y[i] = float32(r.IntN(k))
				}
				if weighted {
					w = make([]float32, n)
					for i := range w {
						w[i] = r.Float32() * 10
					}
				}
				var first []float64
				for _, p := range simd.Supported() {
					simd.Force(t, p)
					g, h, sums := make([][]float32, k), make([][]float32, k), make([]float64, 2*k)
					for c := range k {
						g[c], h[c] = make([]float32, n), make([]float32, n)
					}
					Softmax(score, y, w, g, h, make([]float32, SoftmaxRoom(k)), sums)
					if first == nil {
						first = sums
					}
					if !slices.Equal(sums, first) {
						t.Errorf("%v, k=%d, n=%d: sums %v, want %v", p, k, n, sums, first)
					}
					plain := make([]float64, 2*k)
					for i := range n {
						row, e, sum := score[i*k:i*k+k], make([]float32, k), float32(0)
						for c, v := range row {
							e[c] = Exp32(v - slices.Max(row))
							sum += e[c]
						}
						for c := range k {
							q, weight := e[c]*(1/sum), float32(1)
							if weighted {
								weight = w[i]
							}
							wantG, wantH := q, 2*q*(1-q)
							if int(y[i]) == c {
								wantG = q - 1
							}
							wantG, wantH = wantG*weight, max(wantH*weight, MinHessian)
							if g[c][i] != wantG || h[c][i] != wantH {
								t.Fatalf("%v, k=%d, n=%d, row %d, class %d: %v, %v, want %v, %v", p, k, n, i, c, g[c][i], h[c][i], wantG, wantH)
							}
							plain[c] += math.Abs(float64(wantG))
							plain[k+c] += float64(wantH)
						}
					}
					for c, v := range sums {
						if math.Abs(v-plain[c]) > 1e-9*plain[c] {
							t.Errorf("%v, k=%d, n=%d: sum %d is %v, want %v", p, k, n, c, v, plain[c])
						}
					}
				}
			}
		}
	}
}
