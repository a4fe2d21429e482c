package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/nn/tape"
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

// Windows that are laid out together, at prediction and while training, are those
// that are laid out one by one, whether or not they share bars, lack some or hold
// missing values.
func TestWindowsLaidOutTogetherAreThoseLaidOutAlone(t *testing.T) {
	nan := float32(math.NaN())
	w := &view.Windows{Length: 5, Names: []string{"a", "b"}, Width: 3, Columns: []int32{2, 0}}
	r := rand.New(rand.NewPCG(31, 1))
	for b := range 120 {
		v := float32(r.NormFloat64())
		if b%17 == 9 {
			v = nan
		}
		w.Data = append(w.Data, v, 99, float32(r.NormFloat64()))
	}
	for i := range 60 {
		w.Last = append(w.Last, int32(2+i)) // the first lack bars
	}
	w.Last = append(w.Last, 119, 80, 83, 81, -1)
	var rows []int
	for i := range w.Len() {
		rows = append(rows, i)
	}
	s := newWindowScale(w, rows, bound{at: 5})
	n := s.length * s.width()
	want := make([]float32, w.Len()*n)
	for i := range w.Len() {
		s.put(w, i, want[i*n:(i+1)*n])
	}
	src, shared := s.source(w, rows), 0
	for lo := range w.Len() {
		for hi := lo + 1; hi <= w.Len(); hi++ {
			tp := tape.New(0)
			if s.putShared(tp, w, lo, hi) != nil {
				shared++
			}
			for name, x := range map[string]*tape.Tensor{"predicting": s.putAll(tp, w, lo, hi), "training": src.put(tp, rows[lo:hi])} {
				if !slices.Equal(x.Value, want[lo*n:hi*n]) {
					t.Fatalf("%s: windows %d to %d differ", name, lo, hi-1)
				}
			}
		}
	}
	if shared < 1000 {
		t.Errorf("windows shared bars %d times: the test compares little", shared)
	}
}

// Bars whose channels are all there is in the matrix, which is not so in the last
// case, are scaled many at a time: as one by one, for every number of them, with values that are missing or far away.
func TestBarsAreThoseOneByOne(t *testing.T) {
	for k, b := range []bound{{}, {at: 2}, {at: 2, robust: true}, {}} {
		w := &view.Windows{Length: 40, Names: []string{"a", "b", "c"}, Width: 3 + k/3, Columns: []int32{0, 1, 2}, Last: []int32{59}}
		r := rand.New(rand.NewPCG(32, 1))
		for range 60 * w.Width {
			w.Data = append(w.Data, float32(3*r.NormFloat64()+1))
		}
		s := newWindowScale(w, []int{0}, b)
		if s.missing {
			t.Fatal("values are missing")
		}
		w.Data[100], w.Data[131] = float32(math.NaN()), 1e30
		for first := range 60 {
			for end := first; end <= 60; end++ {
				got, want := make([]float32, (end-first)*3+1), make([]float32, (end-first)*3+1)
				s.bars(w, first, end, got)
				for k := first; k < end; k++ {
					s.bar(w, k, want[(k-first)*3:], true)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%+v, bars %d to %d: %v, want %v", b, first, end-1, got, want)
				}
			}
		}
	}
}
