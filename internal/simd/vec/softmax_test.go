package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/internal/simd"
)

// Values are those of the definition in float64, and all paths give the same bits.
func TestSoftmaxColumns(t *testing.T) {
	const scale = 0.37
	for _, shape := range [][3]int{{1, 1, 16}, {3, 5, 16}, {60, 60, 64}, {7, 16, 32}, {17, 33, 48}} {
		rows, cols, stride := shape[0], shape[1], shape[2]
		r := rand.New(rand.NewPCG(8, uint64(rows)))
		x, up := make([]float32, rows*stride), make([]float32, rows*stride)
		for i := range x {
			x[i], up[i] = float32(r.NormFloat64()*9), float32(r.NormFloat64())
			if i >= stride && r.IntN(7) == 0 {
				x[i] = float32(math.Inf(-1))
			}
		}
		var first, firstGrad []float32
		for _, p := range simd.Supported() {
			simd.Force(t, p)
			y, d := append([]float32(nil), x...), append([]float32(nil), up...)
			SoftmaxColumns(y, rows, cols, stride, scale)
			SoftmaxColumnsGrad(y, d, rows, cols, stride, scale)
			if first == nil {
				first, firstGrad = y, d
			}
			for c := range cols {
				sum, slope := 0.0, 0.0
				for k := range rows {
					sum += math.Exp(scale * float64(x[k*stride+c]))
				}
				for k := range rows {
					slope += math.Exp(scale*float64(x[k*stride+c])) / sum * float64(up[k*stride+c])
				}
				for k := range rows {
					at := k*stride + c
					want := math.Exp(scale*float64(x[at])) / sum
					if got := float64(y[at]); math.Abs(got-want) > 4e-6*want+1e-30 || want == 0 && got != 0 {
						t.Fatalf("%v, %v: row %d column %d is %v, want %v", p, shape, k, c, got, want)
					}
					want = scale * want * (float64(up[at]) - slope)
					if got := float64(d[at]); math.Abs(got-want) > 1e-6 {
						t.Fatalf("%v, %v: gradient of row %d column %d is %v, want %v", p, shape, k, c, got, want)
					}
					if !sameBits(y[at], first[at]) || !sameBits(d[at], firstGrad[at]) {
						t.Fatalf("%v, %v: row %d column %d is %v and %v, plain Go has %v and %v", p, shape, k, c, y[at], d[at], first[at], firstGrad[at])
					}
				}
			}
		}
	}
}

func TestSoftmaxColumnsOfWhatIsNoNumber(t *testing.T) {
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		x := make([]float32, 3*16)
		x[16] = float32(math.NaN())
		for r := range 3 {
			x[r*16+1] = float32(math.Inf(-1))
		}
		SoftmaxColumns(x, 3, 16, 16, 1)
		for r := range 3 {
			if x[r*16] == x[r*16] || x[r*16+1] == x[r*16+1] {
				t.Errorf("%v: row %d is %v and %v, want NaN", p, r, x[r*16], x[r*16+1])
			}
			if math.Abs(float64(x[r*16+2])-1./3) > 1e-6 {
				t.Errorf("%v: a column of zeros gives %v", p, x[r*16+2])
			}
		}
	}
}

func TestSoftmaxColumnsRefusesAndDoesNotAllocate(t *testing.T) {
	x := make([]float32, 64)
	for name, f := range map[string]func(){
		"stride": func() { SoftmaxColumns(x, 2, 10, 24, 1) },
		"short":  func() { SoftmaxColumns(x, 5, 10, 16, 1) },
		"wide":   func() { SoftmaxColumns(x, 1, 17, 16, 1) },
		"other":  func() { SoftmaxColumnsGrad(x, x[:48], 3, 16, 16, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
	d := make([]float32, 64)
	if n := testing.AllocsPerRun(10, func() { SoftmaxColumns(x, 4, 16, 16, 1); SoftmaxColumnsGrad(x, d, 4, 16, 16, 1) }); n != 0 && !race.Enabled {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSoftmaxColumns(b *testing.B) {
	x := make([]float32, 60*64)
	for b.Loop() {
		SoftmaxColumns(x, 60, 60, 64, 0.25)
	}
}

func BenchmarkSoftmaxColumnsGrad(b *testing.B) {
	x, d := make([]float32, 60*64), make([]float32, 60*64)
	for b.Loop() {
		SoftmaxColumnsGrad(x, d, 60, 60, 64, 0.25)
	}
}
