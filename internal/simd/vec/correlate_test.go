package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// plainCorrelate restates the documented order of operations.
func plainCorrelate(m, n, channels int, w []float32, ws int, x []float32, xi, xj int, y []float32, ys int, add bool) {
	for i := range m {
		for c := range channels {
			s := float32(0)
			for j := range n {
				s += float32(w[j*ws+c] * x[i*xi+j*xj+c])
			}
			if add {
				s += y[i*ys+c]
			}
			y[i*ys+c] = s
		}
	}
}

func compareCorrelate(t *testing.T, p simd.Path, r *rand.Rand, m, n, channels, xi, xj int, add bool) {
	t.Helper()
	ws, ys := channels+r.IntN(3), channels+r.IntN(3)
	w := draw(r, (n-1)*ws+channels)
	x := draw(r, (m-1)*xi+(n-1)*xj+channels)
	got := draw(r, (m-1)*ys+channels)
	want := append([]float32(nil), got...)
	simd.Force(t, p)
	Correlate(m, n, channels, w, ws, x, xi, xj, got, ys, add)
	plainCorrelate(m, n, channels, w, ws, x, xi, xj, want, ys, add)
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("%v: %d×%d of %d channels, strides %d and %d, add %v: element %d is %v, want %v", p, m, n, channels, xi, xj, add, i, got[i], want[i])
		}
	}
}

func TestCorrelateGivesTheSameBitsOnEveryPath(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 1))
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			for _, channels := range []int{1, 5, 8, 16, 17, 31, 40, 70, 129} {
				for m := 1; m < 20; m++ {
					compareCorrelate(t, p, r, m, 1+r.IntN(9), channels, channels*(1+r.IntN(2)), channels*(1+r.IntN(3)), m%2 == 0)
				}
			}
		})
	}
}

func FuzzCorrelate(f *testing.F) {
	f.Add(uint64(1), uint8(9), uint8(3), uint8(33), uint8(1), uint8(2), true)
	f.Fuzz(func(t *testing.T, seed uint64, m, n, channels, xi, xj uint8, add bool) {
		c := int(channels%100) + 1
		for _, p := range simd.Supported() {
			compareCorrelate(t, p, rand.New(rand.NewPCG(seed, 2)), int(m%30)+1, int(n%20)+1, c, c*int(xi%4), c*int(xj%4), add)
		}
	})
}

func TestCorrelateRefusesShortSlices(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a short slice did not panic")
		}
	}()
	Correlate(2, 2, 4, make([]float32, 8), 4, make([]float32, 11), 4, 4, make([]float32, 8), 4, false)
}

// An empty sum is zero, or leaves y as it is.
func TestCorrelateOfNothing(t *testing.T) {
	y := []float32{1, float32(math.Inf(1))}
	Correlate(1, 0, 2, nil, 2, nil, 2, 2, y, 2, true)
	if y[0] != 1 {
		t.Errorf("an empty sum made %v of 1", y[0])
	}
	Correlate(1, 0, 2, nil, 2, nil, 2, 2, y, 2, false)
	if y[0] != 0 || y[1] != 0 {
		t.Errorf("an empty sum is %v", y)
	}
}
