package core

import (
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
)

// Scales turn gradients and hessians into integers.
type Scales struct{ G, H float64 }

// NewScales chooses the largest powers of two such that no sum over any subset
// of n rows leaves the ranges of a packed entry: it is at most the sum over
// all rows plus half a unit of rounding for each. Powers of two cost up to one
// bit and keep what is exact exact: unit hessians, the gradients ±½ of a first
// round and dyadic weights stay what they are, and with them comparisons with
// min_child_weight and gamma at the boundary.
func NewScales(sumAbsG, sumH float64, n int) Scales {
	at := func(limit, sum float64) float64 {
		if sum == 0 {
			return 1
		}
		_, e := math.Frexp((limit - float64(n) - 2) / sum)
		return math.Ldexp(1, min(e-1, 100)) // used in float32, which ends at 2¹²⁷
	}
	return Scales{G: at(1<<31, sumAbsG), H: at(1<<32, sumH)}
}

// Quantise writes the packed gradient and hessian of the given rows to gh[row]
// and returns their sum.
func (s Scales) Quantise(rows []uint32, g, h []float32, gh []uint64) (sum uint64) {
	fg, fh := float32(s.G), float32(s.H)
	if lo, hi, ok := contiguous(rows); ok {
		return hist.Quantise(g[lo:hi], h[lo:hi], fg, fh, gh[lo:hi])
	}
	for _, i := range rows {
		p := hist.Quantum(g[i], h[i], fg, fh)
		gh[i] = p
		sum += p
	}
	return sum
}

// NewWideScales is [NewScales] for sums of 64 bits each, held below 2⁵² so that
// a float64 has them exactly.
func NewWideScales(sumAbsG, sumH float64, n int) Scales {
	at := func(sum float64) float64 {
		if sum == 0 {
			return 1
		}
		_, e := math.Frexp((1<<52 - float64(n) - 2) / sum)
		return math.Ldexp(1, min(e-1, 500))
	}
	return Scales{G: at(sumAbsG), H: at(sumH)}
}

// QuantiseWide writes the gradients and hessians of the given rows as integers
// to wg[row] and wh[row] and returns their sums.
func (s Scales) QuantiseWide(rows []uint32, g, h []float32, wg, wh []uint64) (sumG, sumH uint64) {
	for _, i := range rows {
		a := uint64(int64(math.RoundToEven(float64(g[i]) * s.G))) // #nosec G115 -- two's complement
		b := uint64(int64(math.RoundToEven(float64(h[i]) * s.H))) // #nosec G115
		wg[i], wh[i] = a, b
		sumG += a
		sumH += b
	}
	return sumG, sumH
}

// contiguous reports whether ascending rows are lo to hi−1.
func contiguous(rows []uint32) (lo, hi int, ok bool) {
	if len(rows) == 0 {
		return 0, 0, true
	}
	lo, hi = int(rows[0]), int(rows[len(rows)-1])+1
	return lo, hi, hi-lo == len(rows)
}

// narrowSpan is the largest Σw/min(w) at which the row of least weight keeps one
// unit of gradient in a packed sum, wideSpan that in a wide one; see the package
// comment of xgboost.
const (
	narrowSpan = 1 << 30
	wideSpan   = 1 << 50
)

// wideRows is the number of rows from which the average row would keep few units
// in a packed sum.
const wideRows = 10_000_000

// CheckSpan refuses weights and targets that packed sums cannot hold.
func CheckSpan(l *Loss, t *Targets) error { return t.span(l, narrowSpan, "2³⁰") }

// NeedsWide reports whether weights, targets or the number of rows ask for wide
// sums, and refuses what even those cannot hold.
func NeedsWide(l *Loss, t *Targets) (bool, error) {
	if err := t.span(l, wideSpan, "2⁵⁰"); err != nil {
		return false, err
	}
	return len(t.Y) > wideRows || CheckSpan(l, t) != nil, nil
}

func (t *Targets) span(l *Loss, limit float64, word string) error {
	if t.W != nil {
		sum, low := 0.0, math.Inf(1)
		for _, w := range t.W {
			sum += float64(w)
			low = min(low, float64(w))
		}
		if !(sum > 1e-30 && sum < 1e30) {
			return fmt.Errorf("model/tree: training weights sum to %g; scale them so that their mean is near 1", sum)
		}
		if sum/low > limit {
			return fmt.Errorf("model/tree: training weights span too wide a range: the least is %g, the sum %g, and their ratio must not exceed %s; drop rows of negligible weight or give them weight 0", low, sum, word)
		}
	}
	if l.Name != SquaredError {
		return nil
	}
	sorted := slices.Clone(t.Y)
	slices.Sort(sorted)
	median, sum, lost := float64(sorted[len(sorted)/2]), 0.0, 0
	far := func(i int) float64 { return math.Abs(float64(t.Y[i])-median) * t.Weight(i) }
	for i := range t.Y {
		sum += far(i)
	}
	for i := range t.Y {
		if d := far(i); d > 0 && d*limit < 0.5*sum {
			lost++
		}
	}
	if lost > len(t.Y)/2 {
		return fmt.Errorf("model/tree: %d of %d training targets vanish beside the largest (their distances from the median are below 1/(2·%s) of the sum of all); clip or transform the target", lost, len(t.Y), word)
	}
	return nil
}
