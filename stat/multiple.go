package stat

import (
	"cmp"
	"math"
	"slices"
)

// The adjusted p-values below reject at level α exactly where they are ≤ α.
// Each function writes into dst, in the order of p; dst is grown as needed and
// returned. A NaN anywhere makes all of them NaN.

// Bonferroni is min(n·p, 1): the chance of any false rejection among n tests
// stays below α whatever their dependence. O(n).
func Bonferroni(dst, p []float64) []float64 {
	return adjust(dst, p, func(n, rank int) float64 { return float64(n) }, 0)
}

// Holm steps down: the largest of (n−j+1)·p_(j) over ranks j up to p's own. It
// keeps Bonferroni's promise and rejects more. O(n log n). Source: Holm (1979).
func Holm(dst, p []float64) []float64 {
	return adjust(dst, p, func(n, rank int) float64 { return float64(n - rank + 1) }, 1)
}

// BenjaminiYekutieli steps up: the least of n·c(n)/j·p_(j) over ranks j from
// p's own, c(n) = Σ1/k. The expected share of false rejections stays below α
// under any dependence. O(n log n). Source: Benjamini and Yekutieli (2001); the
// "BHY" of Harvey, Liu and Zhu (2016).
func BenjaminiYekutieli(dst, p []float64) []float64 {
	c := 0.0
	for k := 1; k <= len(p); k++ {
		c += 1 / float64(k)
	}
	return adjust(dst, p, func(n, rank int) float64 { return float64(n) * c / float64(rank) }, -1)
}

// adjust multiplies the p-value of each rank (1 the smallest, ties by position)
// by factor, then takes the running maximum upwards (step 1) or minimum
// downwards (step −1), at most 1.
func adjust(dst, p []float64, factor func(n, rank int) float64, step int) []float64 {
	n := len(p)
	if cap(dst) < n {
		dst = make([]float64, n)
	}
	dst = dst[:n]
	order := make([]int, n)
	nan := false
	for i, v := range p {
		order[i] = i
		nan = nan || v != v
	}
	if nan {
		for i := range dst {
			dst[i] = math.NaN()
		}
		return dst
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(p[a], p[b]), a-b) })
	for r, i := range order {
		dst[i] = min(factor(n, r+1)*p[i], 1)
	}
	for r := 1; step > 0 && r < n; r++ {
		dst[order[r]] = max(dst[order[r]], dst[order[r-1]])
	}
	for r := n - 2; step < 0 && r >= 0; r-- {
		dst[order[r]] = min(dst[order[r]], dst[order[r+1]])
	}
	return dst
}
