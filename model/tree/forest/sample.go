package forest

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/mlfactory/mlfactory/view"
)

// sampler draws rows with replacement. It is not changed by drawing and may be
// shared by goroutines.
type sampler interface {
	// draw adds to count, by row, how often it is among n draws.
	draw(r *rand.Rand, n int, count []uint32)
}

// weighted draws each row with probability proportional to its weight.
type weighted struct {
	n   int
	sum []float64 // Σ of the weights up to and with each row; nil: all 1
}

func newUniform(n int, w []float64) *weighted {
	s := &weighted{n: n}
	if w != nil {
		s.sum = make([]float64, n)
		total := 0.0
		for i, x := range w {
			total += x
			s.sum[i] = total
		}
	}
	return s
}

func (s *weighted) draw(r *rand.Rand, n int, count []uint32) {
	for range n {
		i := 0
		if s.sum == nil {
			i = r.IntN(s.n)
		} else {
			u := r.Float64() * s.sum[s.n-1]
			i = min(sort.Search(s.n, func(k int) bool { return s.sum[k] > u }), s.n-1)
		}
		count[i]++
	}
}

// serial is the sequential bootstrap: a row is drawn with probability
// proportional to its weight times the average uniqueness that its label would
// have among the labels drawn so far and itself,
//
//	u_j = 1/|life_j| ∫_{life_j} dt/(c(t)+1),  c(t) = labels drawn that are alive at t
//
// over time instead of bars, with lives [Decision, Outcome) as in package
// label; a label that lives for no time has uniqueness 1.
//
// Instead of recomputing every u_j after every draw, which costs O(n²) a
// sample, rows are proposed in proportion to an upper bound (u_j only falls as
// labels are drawn, so any earlier value will do) and accepted with probability
// u_j/bound. That is the same distribution: whatever the bounds, row j is
// accepted in proportion to u_j. A bound is lowered to u_j when it was looked at.
// Costs O(n log n) once and about O(C + log n) a draw where C labels overlap.
//
// Source: López de Prado (2018), §4.5.
type serial struct {
	begin, end []int32   // first and last+1 elementary interval of each label
	length     []float64 // of each elementary interval
	life       []float64 // of each label; 0 for one that lives for no time
	weight     []float64 // relative to the largest; nil: all 1
}

func newSequential(spans []view.Span, w []float64) *serial {
	at := make([]int64, 0, 2*len(spans))
	for _, s := range spans {
		at = append(at, s.Decision, s.Outcome)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	s := &serial{
		begin: make([]int32, len(spans)), end: make([]int32, len(spans)),
		length: make([]float64, len(at)), life: make([]float64, len(spans)),
	}
	for k := 1; k < len(at); k++ {
		s.length[k-1] = float64(at[k] - at[k-1])
	}
	find := func(t int64) int32 {
		k, _ := slices.BinarySearch(at, t)
		return int32(k) // #nosec G115 -- at most twice the rows, which are at most 2²⁶
	}
	for i, sp := range spans {
		s.begin[i], s.end[i], s.life[i] = find(sp.Decision), find(sp.Outcome), float64(sp.Outcome-sp.Decision)
	}
	if w != nil {
		most := slices.Max(w)
		s.weight = make([]float64, len(w))
		for i := range w {
			s.weight[i] = w[i] / most
		}
	}
	return s
}

// chance is the weight times the uniqueness of row j among the labels drawn:
// its probability but for a factor common to all rows.
func (s *serial) chance(j int, alive []int32) float64 {
	u := 1.0
	if s.life[j] > 0 {
		u = 0
		for k := s.begin[j]; k < s.end[j]; k++ {
			u += s.length[k] / float64(alive[k]+1)
		}
		u = math.Min(u/s.life[j], 1)
	}
	if s.weight != nil {
		u *= s.weight[j]
	}
	return u
}

// boundUnit is the unit of the bounds: sums of integers stay exact.
const boundUnit = 1 << 32

func (s *serial) draw(r *rand.Rand, n int, count []uint32) {
	rows := len(s.life)
	alive := make([]int32, len(s.length))
	bound := make([]uint64, rows)
	tree := make([]uint64, rows+1) // Fenwick tree of the bounds
	total := uint64(0)
	for j := range bound {
		bound[j] = boundUnit
		if s.weight != nil {
			bound[j] = uint64(math.Ceil(s.weight[j] * boundUnit))
		}
		total += bound[j]
		tree[j+1] += bound[j]
		if up := j + 1 + (j+1)&-(j+1); up <= rows {
			tree[up] += tree[j+1]
		}
	}
	top := 1
	for top*2 <= rows {
		top *= 2
	}
	for drawn := 0; drawn < n; {
		u, j := r.Uint64N(total), 0
		for step := top; step > 0; step >>= 1 { // the row at which the running sum passes u
			if next := j + step; next <= rows && tree[next] <= u {
				u -= tree[next]
				j = next
			}
		}
		c := s.chance(j, alive) * boundUnit
		if float64(r.Uint64N(bound[j])) < c { // bound and c differ by less than one unit when both are new
			count[j]++
			drawn++
			for k := s.begin[j]; k < s.end[j]; k++ {
				alive[k]++
			}
			c = s.chance(j, alive) * boundUnit
		}
		lower := max(1, uint64(math.Ceil(c)))
		if cut := bound[j] - min(lower, bound[j]); cut > 0 {
			bound[j] -= cut
			total -= cut
			for k := j + 1; k <= rows; k += k & -k {
				tree[k] -= cut
			}
		}
	}
}

// meeting says for each row whether its label overlaps ([view.Span.Overlaps])
// that of any row that was drawn.
type meeting struct {
	order []int32 // rows by decision
	upto  []int32 // by row: how many rows are decided no later than its outcome
	spans []view.Span
}

func newMeeting(spans []view.Span) *meeting {
	m := &meeting{order: make([]int32, len(spans)), upto: make([]int32, len(spans)), spans: spans}
	for i := range m.order {
		m.order[i] = int32(i) // #nosec G115 -- rows are at most 2²⁶
	}
	slices.SortStableFunc(m.order, func(a, b int32) int {
		x, y := spans[a].Decision, spans[b].Decision
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for i, s := range spans {
		m.upto[i] = int32(sort.Search(len(m.order), func(k int) bool { return spans[m.order[k]].Decision > s.Outcome })) // #nosec G115 -- as above
	}
	return m
}

// mark sets met[i] where row i's label overlaps that of a row with a count.
// latest has room for one value more than there are rows. O(n).
func (m *meeting) mark(count []uint32, latest []int64, met []bool) {
	latest[0] = math.MinInt64 // the latest outcome of the first k rows drawn, by decision
	for k, i := range m.order {
		latest[k+1] = latest[k]
		if count[i] > 0 {
			latest[k+1] = max(latest[k], m.spans[i].Outcome)
		}
	}
	for i, s := range m.spans {
		met[i] = latest[m.upto[i]] >= s.Decision
	}
}
