package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/internal/simd"
)

func draw(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// layout puts a matrix of rows×cols into memory in one of four ways.
func layout(r *rand.Rand, rows, cols, how int) Matrix {
	pad := 0
	if how%2 == 1 {
		pad = 1 + r.IntN(9)
	}
	if how < 2 {
		return Rows(draw(r, rows*(cols+pad)), cols+pad)
	}
	return Cols(draw(r, cols*(rows+pad)), rows+pad)
}

// exact is A·B in float64 and the same of the absolute values.
func exact(m, n, k int, a, b Matrix) (sum, size []float64) {
	sum, size = make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				p := float64(a.Data[i*a.RowStride+l*a.ColStride]) * float64(b.Data[l*b.RowStride+j*b.ColStride])
				sum[i*n+j] += p
				size[i*n+j] += math.Abs(p)
			}
		}
	}
	return sum, size
}

// verify multiplies on the path in use and compares with the exact product.
func verify(t *testing.T, r *rand.Rand, m, n, k, la, lb int) []float32 {
	t.Helper()
	a, b := layout(r, m, k, la), layout(r, k, n, lb)
	ldc := n + r.IntN(4)
	c := draw(r, m*ldc+3)
	before := slices.Clone(c)
	sum, size := exact(m, n, k, a, b)
	var buf Buffer
	for _, add := range []bool{false, true} {
		copy(c, before)
		Mul(m, n, k, a, b, c, ldc, add, &buf)
		for i, v := range c {
			row, col := i/ldc, i%ldc
			if row >= m || col >= n {
				if v != before[i] {
					t.Fatalf("%d×%d×%d: value %d outside of C changed", m, n, k, i)
				}
				continue
			}
			want, bound := sum[row*n+col], size[row*n+col]
			if add {
				want += float64(before[i])
				bound += math.Abs(float64(before[i]))
			}
			if d := math.Abs(float64(v) - want); !(d <= float64(k+2)*0x1p-24*bound+1e-37) {
				t.Fatalf("%d×%d×%d layouts %d %d add %v: C(%d, %d) = %v, want %v", m, n, k, la, lb, add, row, col, v, want)
			}
		}
	}
	return c
}

func eachPath(t *testing.T, f func(t *testing.T)) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			f(t)
		})
	}
}

// Every number of rows and columns that a tile can have, and one more.
func TestEveryTile(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for m := 1; m <= 15; m++ {
			for n := 1; n <= 70; n++ {
				verify(t, r, m, n, 1+r.IntN(9), r.IntN(4), r.IntN(4))
			}
		}
	})
}

func TestBlocksAndPanels(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 1))
		for _, s := range [][3]int{{1, 1, 1}, {5, 3, 383}, {5, 3, 384}, {5, 17, 385}, {7, 33, 1000}, {191, 20, 5}, {193, 20, 5}, {192 + 47, 9, 6}, {192 + 48, 9, 6}, {500, 40, 3}, {30, 300, 8}, {25, 257, 400}, {24, 257, 10}} {
			for l := range 16 {
				verify(t, r, s[0], s[1], s[2], l/4, l%4)
			}
		}
	})
}

// AVX2 and AVX-512 sum in the same order with the same roundings.
func TestPathsGiveTheSameBits(t *testing.T) {
	if simd.Best() < simd.AVX512 {
		t.Skip("simd: this machine cannot run the kernel path avx512; its best is " + simd.Best().String())
	}
	var want []float32
	for _, p := range []simd.Path{simd.AVX2, simd.AVX512} {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(3, 1))
			var got []float32
			for range 50 {
				got = append(got, verify(t, r, 1+r.IntN(60), 1+r.IntN(90), 1+r.IntN(900), r.IntN(4), r.IntN(4))...)
			}
			if want != nil && !slices.Equal(got, want) {
				t.Error("the bits differ")
			}
			want = got
		})
	}
}

// A row does not depend on how many others there are: shards of a batch may be
// cut anywhere.
func TestRowsStandAlone(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 1))
		const m, n, k = 37, 50, 500
		a, b := layout(r, m, k, 0), layout(r, k, n, 3)
		whole, part := make([]float32, m*n), make([]float32, m*n)
		var buf Buffer
		Mul(m, n, k, a, b, whole, n, false, &buf)
		for lo := 0; lo < m; {
			rows := min(1+r.IntN(9), m-lo)
			Mul(rows, n, k, Rows(a.Data[lo*k:], k), b, part[lo*n:], n, false, &buf)
			lo += rows
		}
		if !slices.Equal(whole, part) {
			t.Error("rows computed apart differ")
		}
	})
}

// What was packed once gives the bits of packing for every product.
func TestPackedGivesTheSameBits(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(8, 1))
		for range 200 {
			m, n, k := 1+r.IntN(40), 1+r.IntN(150), 1+r.IntN(600)
			a, b := layout(r, m, k, r.IntN(4)), layout(r, k, n, r.IntN(4))
			ldc := n + r.IntN(3)
			want, got := draw(r, m*ldc), []float32(nil)
			got = slices.Clone(want)
			p := Pack(1+r.IntN(40), k, n, b, draw(r, PackedLen(k, n)))
			var buf Buffer
			for _, add := range []bool{false, true} {
				Mul(m, n, k, a, b, want, ldc, add, &buf)
				MulPacked(m, a, &p, got, ldc, add)
				if !slices.Equal(got, want) {
					t.Fatalf("%d×%d×%d add %v: the bits differ", m, k, n, add)
				}
			}
		}
	})
}

// A product in two parts of k, the second going on with the sums of the first, has
// the bits of one.
func TestContinuedProductGivesTheSameBits(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(10, 1))
		for range 300 {
			m, n, k := 1+r.IntN(20), 1+r.IntN(150), 2+r.IntN(blockK-1)
			if r.IntN(4) == 0 {
				m, n = 1, 64*(1+r.IntN(4))
			}
			first := 1 + r.IntN(k-1)
			a, b := layout(r, m, k, 0), layout(r, k, n, 0)
			ldc := n + r.IntN(3)
			want := draw(r, m*ldc)
			got := slices.Clone(want)
			var buf Buffer
			Mul(m, n, k, a, b, want, ldc, false, &buf)
			rows := 1 + r.IntN(8)*r.IntN(2)
			rest := Pack(rows, k-first, n, Rows(b.Data[first*b.RowStride:], b.RowStride), draw(r, PackedLen(k-first, n)))
			begin, ldd := got, ldc
			if r.IntN(2) == 0 {
				ldd = n + r.IntN(3)
				begin = draw(r, m*ldd)
			}
			Mul(m, n, first, a, b, begin, ldd, false, &buf)
			before := slices.Clone(begin)
			ContinuePacked(m, Rows(a.Data[first:], a.RowStride), &rest, begin, ldd, got, ldc, r.IntN(2) == 0)
			if !slices.Equal(got, want) {
				t.Fatalf("%d×%d×%d, %d first, packed for %d rows: the bits differ", m, k, n, first, rows)
			}
			if &begin[0] != &got[0] && !slices.Equal(begin, before) {
				t.Fatalf("%d×%d×%d: the sums to begin with have changed", m, k, n)
			}
		}
	})
}

// A product of several blocks of k goes on with a row that all rows of C begin with as
// one block does with a copy of it, and adds the other blocks.
func TestContinuedProductBeginsWithOneRow(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 1))
		for range 100 {
			m, n, k := 1+r.IntN(20), 1+r.IntN(150), 1+r.IntN(2*blockK)
			if r.IntN(4) == 0 {
				m, n = 1, 64*(1+r.IntN(4))
			}
			a, b, row := layout(r, m, k, 0), layout(r, k, n, 0), draw(r, n)
			pack := func(k0, k int) *Packed {
				p := Pack(m, k, n, Rows(b.Data[k0*b.RowStride:], b.RowStride), draw(r, PackedLen(k, n)))
				return &p
			}
			ldc := n + r.IntN(3)
			want := draw(r, m*ldc)
			got := slices.Clone(want)
			for i := range m {
				copy(want[i*ldc:], row)
			}
			first := min(k, blockK)
			ContinuePacked(m, a, pack(0, first), want, ldc, want, ldc, false)
			if first < k {
				MulPacked(m, Rows(a.Data[first:], a.RowStride), pack(first, k-first), want, ldc, true)
			}
			ContinuePacked(m, a, pack(0, k), row, 0, got, ldc, false)
			if !slices.Equal(got, want) {
				t.Fatalf("%d×%d×%d: the bits differ", m, k, n)
			}
		}
	})
}

func TestTransposeMovesEveryValue(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 1))
		for range 300 {
			rows, cols := 1+r.IntN(40), 1+r.IntN(40)
			lds, ldd := cols+r.IntN(3), rows+r.IntN(3)
			src, got := draw(r, rows*lds), draw(r, cols*ldd)
			want := slices.Clone(got)
			for i := range rows {
				for j := range cols {
					want[j*ldd+i] = src[i*lds+j]
				}
			}
			Transpose(rows, cols, src, lds, got, ldd)
			if !slices.Equal(got, want) {
				t.Fatalf("%d×%d: not the transpose", rows, cols)
			}
		}
	})
}

// A long product packs blocks of B row by row and fetches the next ones ahead: with
// the bits of its blocks one by one.
func TestLongProductsGiveTheBitsOfTheirBlocks(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(14, 1))
		for _, s := range [][3]int{{64, 192, 3000}, {33, 104, 2000}, {256, 105, 1500}, {100, 17, 9000}} {
			m, n, k := s[0], s[1], s[2]
			a, b := layout(r, m, k, 2+r.IntN(2)), layout(r, k, n, r.IntN(2))
			want, got := make([]float32, m*n), make([]float32, m*n)
			var buf Buffer
			Mul(m, n, k, a, b, got, n, false, &buf)
			for k0 := 0; k0 < k; k0 += blockK {
				Mul(m, n, min(blockK, k-k0), Cols(a.Data[k0*a.ColStride:], a.ColStride), Rows(b.Data[k0*b.RowStride:], b.RowStride), want, n, k0 > 0, &buf)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d×%d×%d: the bits differ", m, k, n)
			}
		}
	})
}

func TestEmptyShapes(t *testing.T) {
	c := []float32{1, 2, 3}
	var buf Buffer
	Mul(0, 3, 2, Matrix{}, Matrix{}, nil, 3, false, &buf)
	Mul(1, 3, 0, Matrix{}, Matrix{}, c, 3, true, &buf)
	if c[0] != 1 {
		t.Error("adding a product over nothing changed C")
	}
	Mul(1, 3, 0, Matrix{}, Matrix{}, c, 3, false, &buf)
	if c[0] != 0 || c[2] != 0 {
		t.Error("the product over nothing is not zero")
	}
}

func TestShapesThatDoNotFitPanic(t *testing.T) {
	v := make([]float32, 12)
	for name, f := range map[string]func(){
		"A":       func() { Mul(4, 2, 4, Rows(v, 4), Rows(v, 2), make([]float32, 8), 2, false, nil) },
		"B":       func() { Mul(2, 4, 4, Rows(v, 4), Rows(v, 4), make([]float32, 8), 4, false, nil) },
		"C":       func() { Mul(3, 4, 3, Rows(v, 3), Rows(v, 4), make([]float32, 11), 4, false, nil) },
		"ldc":     func() { Mul(3, 4, 3, Rows(v, 3), Rows(v, 4), make([]float32, 99), 3, false, nil) },
		"shape":   func() { Mul(-1, 4, 3, Rows(v, 3), Rows(v, 4), v, 4, false, nil) },
		"packing": func() { Pack(1, 4, 4, Rows(v, 2), make([]float32, PackedLen(4, 4)-1)) },
		"packed C": func() {
			p := Pack(1, 2, 4, Rows(v, 4), make([]float32, PackedLen(2, 4)))
			MulPacked(2, Rows(v, 2), &p, make([]float32, 7), 4, false)
		},
		"packed A": func() {
			p := Pack(1, 2, 4, Rows(v, 4), make([]float32, PackedLen(2, 4)))
			MulPacked(7, Rows(v, 2), &p, make([]float32, 28), 4, false)
		},
		"going on, C": func() {
			p := Pack(1, 2, 4, Rows(v, 4), make([]float32, PackedLen(2, 4)))
			ContinuePacked(2, Rows(v, 2), &p, v, 4, make([]float32, 7), 4, false)
		},
		"going on, D": func() {
			p := Pack(1, 2, 4, Rows(v, 4), make([]float32, PackedLen(2, 4)))
			ContinuePacked(2, Rows(v, 2), &p, make([]float32, 7), 4, v, 4, false)
		},
		"going on, rows of D": func() {
			p := Pack(1, 2, 4, Rows(v, 4), make([]float32, PackedLen(2, 4)))
			ContinuePacked(2, Rows(v, 2), &p, v, 3, v, 4, false)
		},
		"transposing from":   func() { Transpose(3, 4, v[:11], 4, make([]float32, 12), 3) },
		"transposing to":     func() { Transpose(3, 4, v, 4, make([]float32, 11), 3) },
		"transposing stride": func() { Transpose(3, 4, v, 4, make([]float32, 99), 2) },
		"stride":             func() { Mul(2, 2, 2, Matrix{v, -2, 1}, Rows(v, 4), v, 4, false, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestNotANumberPropagates(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 1))
		a, b := layout(r, 9, 7, 0), layout(r, 7, 21, 0)
		a.Data[3*7+2] = float32(math.NaN())
		c := make([]float32, 9*21)
		Mul(9, 21, 7, a, b, c, 21, false, &Buffer{})
		for i, v := range c {
			if (v != v) != (i/21 == 3) {
				t.Fatalf("C(%d, %d) = %v", i/21, i%21, v)
			}
		}
	})
}

func TestDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	a, b, c := layout(r, 64, 500, 2), layout(r, 500, 70, 2), make([]float32, 64*70)
	var buf Buffer
	Mul(64, 70, 500, a, b, c, 70, false, &buf)
	if n := testing.AllocsPerRun(10, func() { Mul(64, 70, 500, a, b, c, 70, true, &buf) }); n != 0 && !race.Enabled {
		t.Errorf("%v allocations", n)
	}
}

func FuzzMul(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(20), uint16(400), uint8(5))
	f.Fuzz(func(t *testing.T, seed uint64, m, n uint8, k uint16, l uint8) {
		verify(t, rand.New(rand.NewPCG(seed, 9)), 1+int(m%100), 1+int(n%100), 1+int(k%1000), int(l&3), int(l>>2&3))
	})
}

// Shapes of small networks, for a look at the speed; the comparison with others
// is bench/nn.
func BenchmarkMul(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 1))
	for _, s := range []struct{ m, n, k, la, lb int }{{256, 256, 256, 0, 0}, {512, 512, 512, 0, 0}, {256, 256, 40, 0, 0}, {256, 192, 64, 0, 0}, {15360, 64, 64, 0, 0}, {15360, 192, 40, 0, 0}, {64, 192, 15360, 2, 0}, {256, 64, 192, 0, 2}, {1, 64, 256, 0, 0}} {
		b.Run(fmt.Sprintf("%dx%dx%d", s.m, s.k, s.n), func(b *testing.B) {
			x, y, c := layout(r, s.m, s.k, s.la), layout(r, s.k, s.n, s.lb), make([]float32, s.m*s.n)
			var buf Buffer
			for b.Loop() {
				Mul(s.m, s.n, s.k, x, y, c, s.n, false, &buf)
			}
			b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
		})
	}
}
