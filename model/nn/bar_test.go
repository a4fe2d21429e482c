package nn

import (
	"math"
	"testing"
)

// A bar is scaled to the bits of scaling its values one by one, whatever they are.
func TestBarsAreScaledLikeSingleValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	values := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 4.9, 5.1, -7, 1e30, -1e30, 3e38, -3e38, inf, -inf, nan, 1e-40, .5, 2, 3, 4}
	for _, b := range []bound{{0, false}, {5, false}, {5, true}, {.25, false}} {
		for _, mean := range []float32{0, 1, -3e38} {
			for _, inv := range []float32{0, 1, 2.5, 3e38} {
				s := &windowScale{bound: b}
				for range values {
					s.mean, s.inv = append(s.mean, mean), append(s.inv, inv)
				}
				got := append([]float32(nil), values...)
				s.standardize(got)
				for j, v := range values {
					if want := standard(v, mean, inv, b); math.Float32bits(got[j]) != math.Float32bits(want) {
						t.Errorf("bound %v: (%v − %v)·%v = %v, want %v", b, v, mean, inv, got[j], want)
					}
				}
			}
		}
	}
}
