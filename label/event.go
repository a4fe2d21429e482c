package label

import (
	"fmt"
	"math"
)

// CUSUM is the symmetric cumulative-sum filter: it marks the positions at which
// a series has moved by more than a threshold since the last mark, up or down.
//
//	S⁺ ← max(0, S⁺ + r), S⁻ ← min(0, S⁻ + r), r = x[i] − x[i−1]
//	mark i and set S⁻ = 0 when S⁻ < −h[i], else mark i and set S⁺ = 0 when S⁺ > h[i]
//
// x is usually the log close of the decision bars; h has one threshold per
// value, or one for all. A step whose r or h is NaN is skipped. The filter is
// causal: position i depends on nothing later. Errors: lengths that differ, a
// negative threshold. Cost: O(n).
//
// Source: López de Prado (2018), §2.5.2.1, snippet 2.4.
func CUSUM(x, h []float64) ([]int, error) {
	if len(h) != 1 && len(h) != len(x) {
		return nil, fmt.Errorf("label: cusum: %d thresholds for %d values; give one or as many", len(h), len(x))
	}
	for i, t := range h {
		if t < 0 {
			return nil, fmt.Errorf("label: cusum: threshold %d is %v, want at least 0", i, t)
		}
	}
	var marks []int
	up, down := 0.0, 0.0
	for i := 1; i < len(x); i++ {
		t := h[0]
		if len(h) > 1 {
			t = h[i]
		}
		r := x[i] - x[i-1]
		if math.IsNaN(r) || math.IsNaN(t) {
			continue
		}
		up, down = max(0, up+r), min(0, down+r)
		switch {
		case down < -t:
			down = 0
			marks = append(marks, i)
		case up > t:
			up = 0
			marks = append(marks, i)
		}
	}
	return marks, nil
}
