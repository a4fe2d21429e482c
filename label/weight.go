package label

import (
	"fmt"
	"math"
	"sort"

	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/view"
)

// Profile is a step function of time: how many spans are alive. Count[k] holds
// on [Time[k], Time[k+1]); the last count is 0.
type Profile struct {
	Time  []int64
	Count []int
}

// Concurrency counts how many spans are alive at every instant. A span lives on
// [Decision, Outcome); one with Outcome ≤ Decision lives for no time and is not
// counted. Cost: O(n log n).
//
// Source: López de Prado (2018), §4.3, over time instead of bars.
func Concurrency(spans []view.Span) Profile {
	begins, ends := make([]int64, 0, len(spans)), make([]int64, 0, len(spans))
	for _, s := range spans {
		if s.Outcome > s.Decision {
			begins, ends = append(begins, s.Decision), append(ends, s.Outcome)
		}
	}
	sortInt64(begins)
	sortInt64(ends)
	var p Profile
	alive, b, e := 0, 0, 0
	for e < len(ends) {
		t := ends[e]
		if b < len(begins) && begins[b] < t {
			t = begins[b]
		}
		before := alive
		for b < len(begins) && begins[b] == t {
			alive, b = alive+1, b+1
		}
		for e < len(ends) && ends[e] == t {
			alive, e = alive-1, e+1
		}
		if alive != before {
			p.Time, p.Count = append(p.Time, t), append(p.Count, alive)
		}
	}
	return p
}

// At is the number of spans alive at t.
func (p Profile) At(t int64) int {
	k := sort.Search(len(p.Time), func(k int) bool { return p.Time[k] > t })
	if k == 0 {
		return 0
	}
	return p.Count[k-1]
}

// Mean is the average over the time at which at least one span is alive: the
// spans' total length divided by the length of their union; 0 without spans.
func (p Profile) Mean() float64 {
	var total, union float64
	for k := 0; k+1 < len(p.Time); k++ {
		if p.Count[k] > 0 {
			d := float64(p.Time[k+1] - p.Time[k])
			total, union = total+float64(d*float64(p.Count[k])), union+d
		}
	}
	if union == 0 {
		return 0
	}
	return total / union
}

// Uniqueness is the average uniqueness of each span: the mean of 1/c(t) over its
// life, where c is the [Concurrency] of the given spans; between 0 and 1, and 1
// for a span that meets no other or lives for no time. The sum over spans is the
// effective number of samples ([EffectiveN]); use the values as weights as they
// are. Give only the rows that train. Cost: O(n log n), exact up to the rounding
// of one prefix sum (relative error below 1e-9 for spans of seconds in decades).
//
// Source: López de Prado (2018), §4.4, over time instead of bars.
func Uniqueness(spans []view.Span) []float64 {
	p := Concurrency(spans)
	// inverse[k] is ∫ 1/c from Time[0] to Time[k] in nanoseconds.
	inverse := make([]float64, len(p.Time))
	for k := 1; k < len(p.Time); k++ {
		inverse[k] = inverse[k-1]
		if c := p.Count[k-1]; c > 0 {
			inverse[k] += float64(p.Time[k]-p.Time[k-1]) / float64(c)
		}
	}
	at := func(t int64) int {
		return sort.Search(len(p.Time), func(k int) bool { return p.Time[k] >= t })
	}
	u := make([]float64, len(spans))
	for i, s := range spans {
		if s.Outcome <= s.Decision {
			u[i] = 1
			continue
		}
		// Steps at which as many begin as end are left out of the profile, so
		// the ends of a span may fall inside a step.
		u[i] = (p.integral(inverse, s.Outcome, at) - p.integral(inverse, s.Decision, at)) / float64(s.Outcome-s.Decision)
		u[i] = min(u[i], 1)
	}
	return u
}

// integral is ∫ 1/c up to t, given the prefix sums at the steps.
func (p Profile) integral(inverse []float64, t int64, at func(int64) int) float64 {
	k := at(t)
	if k < len(p.Time) && p.Time[k] == t {
		return inverse[k]
	}
	return inverse[k-1] + float64(t-p.Time[k-1])/float64(p.Count[k-1])
}

// EffectiveN is the sum of uniqueness: how many independent samples the spans
// are worth.
func EffectiveN(uniqueness []float64) float64 {
	sum := 0.0
	for _, u := range uniqueness {
		sum += u
	}
	return sum
}

// MaxConcurrency is the mean concurrency to which training rows are thinned.
const MaxConcurrency = 4

// Thin chooses rows whose mean concurrency ([Profile.Mean]) is at most limit:
// with the spans in order of decision (ties: of outcome, then of index) it keeps
// every k-th from the first on, for the smallest k that suffices. The rule looks
// at ranks only, so it does not prefer rows by how they ended. It returns the
// indices kept, ascending, and k. A limit below 1 cannot be reached and is an
// error. Cost: O(k · n log n).
func Thin(spans []view.Span, limit float64) ([]int, int, error) {
	if !(limit >= 1) {
		return nil, 0, fmt.Errorf("label: thinning to a mean concurrency of %v: the least possible is 1", limit)
	}
	order := byTime(spans)
	for k := 1; ; k++ {
		var kept []view.Span
		var rows []int
		for i := 0; i < len(order); i += k {
			kept, rows = append(kept, spans[order[i]]), append(rows, order[i])
		}
		if len(kept) <= 1 || Concurrency(kept).Mean() <= limit {
			sort.Ints(rows)
			return rows, k, nil
		}
	}
}

// byTime is the order of decision, then outcome, then index.
func byTime(spans []view.Span) []int {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		x, y := spans[order[a]], spans[order[b]]
		if x.Decision != y.Decision {
			return x.Decision < y.Decision
		}
		return x.Outcome < y.Outcome
	})
	return order
}

// TimeDecay is a factor per row, linear in cumulative uniqueness in order of
// time, 1 for the newest:
//
//	factor_i = a + b·Σ_{j≤i} u_j,  b = (1−last)/Σu for last ≥ 0, 1/((last+1)·Σu) below, a = 1 − b·Σu, floored at 0
//
// last in (−1, 1] is the factor that the oldest row would have at cumulative
// uniqueness 0; a negative one gives the oldest share −last of the uniqueness no
// weight. 1 means no decay. Multiply it with the uniqueness; do not rescale.
//
// Source: López de Prado (2018), §4.7, snippet 4.11.
func TimeDecay(spans []view.Span, uniqueness []float64, last float64) ([]float64, error) {
	if len(spans) != len(uniqueness) {
		return nil, fmt.Errorf("label: time decay: %d weights for %d spans", len(uniqueness), len(spans))
	}
	if !(last > -1 && last <= 1) {
		return nil, fmt.Errorf("label: time decay to %v: want more than -1 and at most 1", last)
	}
	for i, u := range uniqueness {
		if !(u >= 0) || math.IsInf(u, 0) {
			return nil, fmt.Errorf("label: time decay: row %d has uniqueness %v, want a finite number of at least 0", i, u)
		}
	}
	total := EffectiveN(uniqueness)
	out := make([]float64, len(spans))
	if total == 0 {
		for i := range out {
			out[i] = 1
		}
		return out, nil
	}
	slope := (1 - last) / total
	if last < 0 {
		slope = 1 / ((last + 1) * total)
	}
	sum, base := 0.0, 1-float64(slope*total)
	for _, i := range byTime(spans) {
		sum += uniqueness[i]
		out[i] = max(0, base+float64(slope*sum))
	}
	return out, nil
}

// WeightConfig is how training rows are weighed.
type WeightConfig struct {
	MaxConcurrency float64 `yaml:"max_concurrency" doc:"mean number of labels alive at once to which training rows are thinned" min:"1" max:"1000000"`
	Decay          float64 `yaml:"decay" doc:"weight of the oldest rows relative to the newest, linear in cumulative uniqueness; 1 = no decay; below 0 the oldest share gets none" min:"-0.99" max:"1"`
}

// DefaultWeights thins to a mean concurrency of 4 and does not decay.
func DefaultWeights() WeightConfig { return WeightConfig{MaxConcurrency: MaxConcurrency, Decay: 1} }

// Weights is the training rows that are kept and what they are worth.
type Weights struct {
	Rows        []int     // kept: positions in the spans given, ascending
	Weight      []float64 // by kept row: uniqueness × decay
	Every       int       // every so-manieth row in order of time was kept
	Concurrency float64   // mean over the kept rows
	Effective   float64   // sum of the uniqueness of the kept rows
}

// Weigh thins training rows, computes the uniqueness of what is left among
// itself, and multiplies it with the decay. spans are the training rows of one
// fold after the purge and nothing else.
func Weigh(spans []view.Span, cfg WeightConfig) (Weights, error) {
	if err := param.Check(cfg); err != nil {
		return Weights{}, fmt.Errorf("label: weights: %w", err)
	}
	rows, every, err := Thin(spans, cfg.MaxConcurrency)
	if err != nil {
		return Weights{}, err
	}
	kept := make([]view.Span, len(rows))
	for k, i := range rows {
		kept[k] = spans[i]
	}
	u := Uniqueness(kept)
	decay, err := TimeDecay(kept, u, cfg.Decay)
	if err != nil {
		return Weights{}, err
	}
	w := Weights{Rows: rows, Weight: make([]float64, len(u)), Every: every, Concurrency: Concurrency(kept).Mean(), Effective: EffectiveN(u)}
	for k := range u {
		w.Weight[k] = float64(u[k] * decay[k])
	}
	return w, nil
}

func sortInt64(x []int64) { sort.Slice(x, func(i, j int) bool { return x[i] < x[j] }) }
