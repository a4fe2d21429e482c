package forest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// These tests look inside: what a draw does cannot be seen in a forest.

// afml is the example of López de Prado (2018), §4.5.3: three labels over six
// bars, with the indicator columns 111000, 001100 and 000011.
func afml() []view.Span {
	return []view.Span{{Decision: 0, Entry: 0, Outcome: 3}, {Decision: 2, Entry: 2, Outcome: 4}, {Decision: 4, Entry: 4, Outcome: 6}}
}

// chances are the probabilities of the next draw after the given ones.
func chances(s *serial, drawn ...int) []float64 {
	alive := make([]int32, len(s.length))
	for _, i := range drawn {
		for k := s.begin[i]; k < s.end[i]; k++ {
			alive[k]++
		}
	}
	out, sum := make([]float64, len(s.life)), 0.0
	for j := range out {
		out[j] = s.chance(j, alive)
		sum += out[j]
	}
	for j := range out {
		out[j] /= sum
	}
	return out
}

func TestSequential_AFMLExample(t *testing.T) {
	s := newSequential(afml(), nil)
	for _, tc := range []struct {
		drawn []int
		want  []float64
	}{
		{nil, []float64{1. / 3, 1. / 3, 1. / 3}},
		{[]int{1}, []float64{5. / 14, 3. / 14, 6. / 14}},
		{[]int{1, 2}, []float64{5. / 11, 3. / 11, 3. / 11}},
	} {
		got := chances(s, tc.drawn...)
		for j, w := range tc.want {
			if math.Abs(got[j]-w) > 1e-15 {
				t.Errorf("after %v: %v, want %v", tc.drawn, got, tc.want)
			}
		}
	}
	// Drawn often enough, the frequencies of pairs are the products of these.
	const runs = 200000
	var pairs [3][3]int
	r := rng.New(5).Stream("pairs").Rand()
	for range runs {
		both := make([]uint32, 3)
		s.draw(r, 2, both)
		i := slices.IndexFunc(both, func(c uint32) bool { return c > 0 })
		if both[i] == 2 {
			pairs[i][i]++
			continue
		}
		j := i + 1 + slices.IndexFunc(both[i+1:], func(c uint32) bool { return c > 0 })
		pairs[i][j]++
	}
	for i := range 3 {
		for j := i; j < 3; j++ {
			want := chances(s, i)[j] / 3
			if i != j {
				want += chances(s, j)[i] / 3
			}
			se := math.Sqrt(want * (1 - want) / runs)
			if got := float64(pairs[i][j]) / runs; math.Abs(got-want) > 4*se {
				t.Errorf("rows %d and %d are drawn with frequency %.4f, want %.4f ± %.4f", i, j, got, want, se)
			}
		}
	}
}

// The Monte Carlo experiment of §4.5.4: ten labels over a hundred bars, each of
// at most five; the median uniqueness of a sample is about 0.6 with uniform and
// 0.7 with sequential draws.
func TestSequential_AFMLMonteCarlo(t *testing.T) {
	const runs = 2000
	r := rng.New(6).Stream("experiment").Rand()
	var plain, seq []float64
	for range runs {
		spans := make([]view.Span, 10)
		for i := range spans {
			t0 := int64(r.IntN(100))
			spans[i] = view.Span{Decision: t0, Entry: t0, Outcome: t0 + 1 + int64(r.IntN(5))}
		}
		mean := func(s sampler) float64 {
			count := make([]uint32, 10)
			s.draw(r, 10, count)
			var drawn []view.Span
			for i, c := range count {
				for range c {
					drawn = append(drawn, spans[i])
				}
			}
			// The book takes the mean over the cells of the indicator matrix.
			sum, life := 0.0, 0.0
			for i, u := range label.Uniqueness(drawn) {
				l := float64(drawn[i].Outcome - drawn[i].Decision)
				sum, life = sum+u*l, life+l
			}
			return sum / life
		}
		plain, seq = append(plain, mean(newUniform(10, nil))), append(seq, mean(newSequential(spans, nil)))
	}
	slices.Sort(plain)
	slices.Sort(seq)
	if m := plain[runs/2]; math.Abs(m-0.6) > 0.02 {
		t.Errorf("median uniqueness %.3f of uniform draws, want 0.600", m)
	}
	if m := seq[runs/2]; math.Abs(m-0.7) > 0.02 {
		t.Errorf("median uniqueness %.3f of sequential draws, want 0.700", m)
	}
}

// Against the plain algorithm: recompute all probabilities before every draw.
func TestSequentialTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, weighted := range []bool{false, true} {
		spans, w := make([]view.Span, 12), []float64(nil)
		for i := range spans {
			t0 := int64(r.IntN(30))
			spans[i] = view.Span{Decision: t0, Outcome: t0 + int64(r.IntN(9))} // some live for no time
		}
		if weighted {
			w = make([]float64, len(spans))
			for i := range w {
				w[i] = 0.1 + r.Float64()
			}
		}
		s := newSequential(spans, w)
		const runs, draws = 40000, 8
		var fast, slow [12]float64
		for range runs {
			count := make([]uint32, len(spans))
			s.draw(r, draws, count)
			for i, c := range count {
				fast[i] += float64(c)
			}
			var drawn []int
			for range draws {
				p, u, i := chances(s, drawn...), r.Float64(), 0
				for ; i < len(p)-1 && u >= p[i]; i++ {
					u -= p[i]
				}
				drawn = append(drawn, i)
				slow[i]++
			}
		}
		for i := range fast {
			se := math.Sqrt((fast[i] + slow[i] + 2)) // counts of about equal variance
			if d := math.Abs(fast[i] - slow[i]); d > 4.5*se {
				t.Errorf("weighted %v: row %d is drawn %v times, by the plain algorithm %v times", weighted, i, fast[i], slow[i])
			}
		}
	}
}

func TestUniformFollowsWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	w := []float64{1, 0.5, 3, 0.25, 2}
	count := make([]uint32, len(w))
	const n = 200000
	newUniform(len(w), w).draw(r, n, count)
	for i, c := range count {
		p := w[i] / 6.75
		if d := float64(c) - n*p; math.Abs(d) > 4*math.Sqrt(n*p*(1-p)) {
			t.Errorf("row %d of weight %v is drawn %d times of %d", i, w[i], c, n)
		}
	}
}

func TestMeetingTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		n := 1 + r.IntN(30)
		spans, count := make([]view.Span, n), make([]uint32, n)
		for i := range spans {
			t0 := int64(r.IntN(60))
			spans[i] = view.Span{Decision: t0, Outcome: t0 + int64(r.IntN(12))}
			if r.IntN(4) == 0 {
				count[i] = 1
			}
		}
		got := make([]bool, n)
		newMeeting(spans).mark(count, make([]int64, n+1), got)
		for i, s := range spans {
			want := false
			for j, o := range spans {
				want = want || count[j] > 0 && s.Overlaps(o)
			}
			if got[i] != want {
				t.Fatalf("row %d of %v with draws %v: %v, want %v", i, spans, count, got[i], want)
			}
		}
	}
}

func TestPowerOfTwo(t *testing.T) {
	for x, want := range map[float64]float64{1: 1, 1.5: 1, 2: 2, 3.99: 2, 0.3: 0.25, 1 << 40: 1 << 40} {
		if got := powerOfTwo(x); got != want {
			t.Errorf("powerOfTwo(%v) = %v, want %v", x, got, want)
		}
	}
}
