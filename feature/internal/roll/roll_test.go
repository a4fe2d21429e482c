package roll_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

// stream is an ordinary stream with a huge spike, a NaN and a flat stretch.
func stream(n int) []float64 {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float64, n)
	level := 50.0
	for i := range x {
		level += r.NormFloat64()
		x[i] = level
		switch {
		case i == 200:
			x[i] = 1e12
		case i == 400:
			x[i] = math.NaN()
		case i > 500 && i < 560:
			x[i] = 50.1
		}
	}
	return x
}

// clean reports whether the last n values before i, i included, are all there.
func clean(x []float64, i, n int) bool {
	if i+1 < n {
		return false
	}
	for _, v := range x[i+1-n : i+1] {
		if v != v {
			return false
		}
	}
	return true
}

func TestSumAndMomentsEqualTheWindow(t *testing.T) {
	x := stream(900)
	for _, n := range []int{1, 2, 3, 20, 64, 101} {
		sum, mom := roll.NewSum(n), roll.NewMoments(n)
		for i, v := range x {
			s := sum.Push(v)
			mean, m2 := mom.Push(v)
			if sum.Full() != (i+1 >= n) {
				t.Fatalf("n %d: full is %v after %d values", n, sum.Full(), i+1)
			}
			if !clean(x, i, n) {
				if i+1 >= n && (s == s || mean == mean || m2 == m2) {
					t.Fatalf("n %d: a missing value in the window gives %v, %v, %v", n, s, mean, m2)
				}
				continue
			}
			w := x[i+1-n : i+1]
			var ws, abs float64
			for _, v := range w {
				ws += v
				abs += math.Abs(v)
			}
			var w2, ref float64
			for _, v := range w {
				w2 += (v - ws/float64(n)) * (v - ws/float64(n))
				ref = max(ref, math.Abs(v))
			}
			// The sum has the rounding of its own terms only: the spike of 1e12
			// leaves nothing behind.
			if math.Abs(s-ws) > 1e-14*float64(n)*abs || math.Abs(mean-ws/float64(n)) > 1e-14*float64(n)*ref {
				t.Fatalf("n %d at %d: sum %v, mean %v, want %v", n, i, s, mean, ws)
			}
			if math.Abs(m2-w2) > 1e-13*float64(n)*w2+1e-26*ref*ref*float64(n) {
				t.Fatalf("n %d at %d: squared deviations %v, want %v", n, i, m2, w2)
			}
		}
	}
}

func TestFlatWindowHasNoDeviation(t *testing.T) {
	for _, level := range []float64{0.1, 100.37, 1e9 / 3} {
		m := roll.NewMoments(20)
		for i := range 200 {
			x := level
			if i < 70 {
				x = level * (1 + 0.001*float64(i%7))
			}
			mean, m2 := m.Push(x)
			if i >= 90 && (m2 != 0 || mean != level) {
				t.Fatalf("level %v value %d: mean %v, squared deviations %v", level, i, mean, m2)
			}
		}
	}
}

func TestExtremesEqualTheWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x := make([]float64, 700)
	for i := range x {
		x[i] = float64(r.IntN(40)) - 20
	}
	for _, n := range []int{1, 2, 7, 55} {
		top, bottom := roll.NewMax(n), roll.NewMin(n)
		for i, v := range x {
			hi, lo := top.Push(v), bottom.Push(v)
			wantHi, wantLo := math.Inf(-1), math.Inf(1)
			for _, w := range x[max(0, i+1-n) : i+1] {
				wantHi, wantLo = max(wantHi, w), min(wantLo, w)
			}
			if hi != wantHi || lo != wantLo {
				t.Fatalf("n %d at %d: %v and %v, want %v and %v", n, i, hi, lo, wantHi, wantLo)
			}
		}
	}
}

func TestRing(t *testing.T) {
	r := roll.NewRing(3)
	for i := range 10 {
		old := r.Push(float64(i))
		if i < 3 && old == old || i >= 3 && old != float64(i-3) {
			t.Fatalf("push %d gives %v", i, old)
		}
	}
	if got := r.Values()[r.Oldest()]; got != 7 {
		t.Errorf("the oldest is %v, want 7", got)
	}
}

// TestMemoryOfAnExponentialMean: what lies Memory values back has a weight
// below 1e-14.
func TestMemoryOfAnExponentialMean(t *testing.T) {
	for _, n := range []int{2, 14, 200} {
		alpha := 1 / float64(n)
		if w := math.Pow(1-alpha, float64(roll.Memory(alpha))); w > 1e-14 || w < 1e-16 {
			t.Errorf("n %d: weight %v is left", n, w)
		}
	}
}

// TestPushAllEqualsPush bit for bit, in pieces of any size and in place.
func TestPushAllEqualsPush(t *testing.T) {
	x := stream(900)
	type pusher interface {
		Push(x float64) float64
		PushAll(dst, x []float64)
	}
	for name, f := range map[string]func(n int) pusher{
		"Sum":    func(n int) pusher { r := roll.NewSum(n); return &r },
		"Max":    func(n int) pusher { r := roll.NewMax(n); return &r },
		"Min":    func(n int) pusher { r := roll.NewMin(n); return &r },
		"EMA":    func(n int) pusher { r := roll.NewEMA(n); return &r },
		"Wilder": func(n int) pusher { r := roll.NewWilder(n); return &r },
	} {
		for _, n := range []int{1, 2, 20, 101} {
			one, all := f(n), f(n)
			want, got := make([]float64, len(x)), append([]float64(nil), x...)
			for i, v := range x {
				want[i] = one.Push(v)
			}
			for i, k := 0, 0; i < len(x); k++ {
				to := min(len(x), i+[]int{1, 33, 7, 250}[k%4])
				all.PushAll(got[i:to], got[i:to])
				i = to
			}
			for i := range want {
				if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) {
					t.Fatalf("%s over %d at %d: %v, want %v", name, n, i, got[i], want[i])
				}
			}
		}
	}
}
