package catboost

import (
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/stat"
)

// border types, in the library's words.
const (
	borderGreedy  = "GreedyLogSum"
	borderMedian  = "Median"
	borderUniform = "Uniform"
)

// cutter makes the edges of at most count borders of the given type for
// columns of n rows. A column with missing values spends one border on telling
// them from the rest.
func cutter(kind string, count, n int) core.Cutter {
	return func(sorted, _ []float32) core.Cuts {
		k := count
		if len(sorted) < n {
			k--
		}
		c := core.Cuts{Last: math.MaxFloat32}
		for _, b := range Borders(kind, sorted, k) {
			if e := ensemble.Above(float64(b)); len(c.Edge) == 0 || e > c.Edge[len(c.Edge)-1] {
				c.Edge = append(c.Edge, e)
			}
		}
		return c
	}
}

// Borders chooses at most count borders between the values of sorted, which
// ascend and hold no NaN: a split sends x > border right.
//
//   - GreedyLogSum: the bin whose halving gains most in Σ log(rows of a bin) is
//     halved, until count borders are set or no bin has two values. A border is
//     the midpoint of its neighbours.
//   - Median: borders at equal shares of the rows.
//   - Uniform: borders at equal distances between the least and the largest
//     value.
//
// The result ascends. Rows count once, whatever their weight. O(count·log n)
// for GreedyLogSum. Method and order of ties: binarization.cpp of CatBoost 1.2.
func Borders(kind string, sorted []float32, count int) []float32 {
	n := len(sorted)
	if n == 0 || count < 1 || sorted[0] == sorted[n-1] {
		return nil
	}
	var out []float32
	switch kind {
	case borderMedian:
		for i := range count {
			v := sorted[min((i+1)*n/(count+1), n-1)]
			if v != sorted[0] {
				out = append(out, borderBefore(v, sorted))
			}
		}
	case borderUniform:
		low, width := sorted[0], sorted[n-1]-sorted[0]
		for i := range count {
			out = append(out, low+float32(float32(i+1)*width)/float32(count+1))
		}
	default:
		out = greedyBorders(sorted, count)
	}
	for i, b := range out {
		out[i] = b + 0 // −0 becomes 0
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// borderBefore is the border below the value v of sorted, which is not the
// least.
func borderBefore(v float32, sorted []float32) float32 {
	i, _ := slices.BinarySearch(sorted, v)
	b := (sorted[i] + sorted[i-1]) * 0.5
	if b == sorted[i] {
		b = sorted[i-1]
	}
	return b
}

// span is a run of sorted values that will be a bin, and its best division.
type span struct {
	from, to, at int
	gain         float64
}

// newSpan finds the better of the two divisions of sorted[from:to] next to its
// median value.
func newSpan(sorted []float32, from, to int) span {
	mid := from + (to-from)/2
	v := sorted[mid]
	lo, _ := slices.BinarySearch(sorted[from:mid], v)
	lo += from
	hi, _ := slices.BinarySearchFunc(sorted[mid:to], v, func(a, b float32) int {
		if a > b {
			return 1
		}
		return -1
	})
	hi += mid
	gain := func(at int) float64 {
		if at == from || at == to {
			return math.Inf(-1)
		}
		log := func(n int) float64 { return stat.Log(float64(n) + 1e-8) }
		return log(at-from) + log(to-at) - log(to-from)
	}
	if l, r := gain(lo), gain(hi); l < r {
		return span{from, to, hi, r}
	} else {
		return span{from, to, lo, l}
	}
}

// greedyBorders is GreedyLogSum. Which of several bins with equal gains is
// halved first follows from the heap of the library's standard library.
func greedyBorders(sorted []float32, count int) []float32 {
	h := heap{newSpan(sorted, 0, len(sorted))}
	for len(h) <= count && h[0].at != h[0].from && h[0].at != h[0].to {
		top := h.pop()
		h.push(newSpan(sorted, top.from, top.at))
		h.push(newSpan(sorted, top.at, top.to))
	}
	var out []float32
	for _, s := range h {
		if s.from > 0 {
			b := 0.5 * sorted[s.from-1]
			out = append(out, b+float32(0.5*sorted[s.from]))
		}
	}
	return out
}

// heap is a binary heap with the largest gain first. It moves elements as
// LLVM's libc++ does (Floyd 1964: sift the hole to the bottom, then up), so that
// ties come out in the library's order.
type heap []span

func (h *heap) push(s span) {
	*h = append(*h, s)
	h.up(len(*h) - 1)
}

func (h heap) up(i int) {
	s := h[i]
	for i > 0 {
		p := (i - 1) / 2
		if !(h[p].gain < s.gain) {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = s
}

func (h *heap) pop() span {
	a := *h
	n, top := len(a), a[0]
	hole := 0
	for 2*hole+1 < n {
		c := 2*hole + 1
		if c+1 < n && a[c].gain < a[c+1].gain {
			c++
		}
		a[hole] = a[c]
		hole = c
	}
	if hole != n-1 {
		a[hole] = a[n-1]
		a[:hole+1].up(hole)
	}
	*h = a[:n-1]
	return top
}
