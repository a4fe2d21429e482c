package nn

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/view"
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
				s.standardize(got, got)
				for j, v := range values {
					if want := standard(v, mean, inv, b); math.Float32bits(got[j]) != math.Float32bits(want) {
						t.Errorf("bound %v: (%v − %v)·%v = %v, want %v", b, v, mean, inv, got[j], want)
					}
				}
			}
		}
	}
}

// Channels that lie side by side in a bar are read where they are, with the bits of
// those that are gathered.
func TestAdjoiningChannelsAreScaledInPlace(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		columns []int32
		adjoin  bool
	}{{[]int32{0, 1, 2}, true}, {[]int32{2, 3, 4}, true}, {[]int32{0, 2, 3}, false}, {[]int32{1, 0, 2}, false}, {[]int32{0, 2, 1, 3}, false}, {[]int32{4}, true}} {
		w := &view.Windows{Width: 5, Data: []float32{1, 2, 3, 4, 5, 6, nan, 8, 9, 10}, Columns: c.columns}
		s := &windowScale{bound: bound{at: 5}}
		for j := range c.columns {
			s.names, s.mean, s.inv = append(s.names, "c"), append(s.mean, float32(j)), append(s.inv, .5)
		}
		if got := adjoin(w); got != c.adjoin {
			t.Errorf("channels %v adjoin: %v", c.columns, got)
		}
		for b := range 2 {
			got := make([]float32, len(c.columns))
			s.bar(w, b, got, adjoin(w))
			for j, at := range c.columns {
				if want := standard(w.Data[b*5+int(at)], s.mean[j], .5, s.bound); got[j] != want {
					t.Errorf("channel %d of %v is %v, want %v", j, c.columns, got[j], want)
				}
			}
		}
	}
}
