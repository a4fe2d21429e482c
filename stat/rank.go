package stat

import (
	"cmp"
	"math"
	"slices"
)

// Quantile is the p-quantile of x by linear interpolation of order statistics
// at (n−1)p (type 7 of Hyndman and Fan 1996; the default of numpy and R). x
// need not be sorted and is not changed. NaN for an empty slice, a NaN in x or
// p outside [0, 1]. O(n log n).
func Quantile(x []float64, p float64) float64 {
	s := slices.Clone(x)
	slices.Sort(s) // NaN sorts first
	return QuantileSorted(s, p)
}

// QuantileSorted is [Quantile] of an ascending slice. O(1).
func QuantileSorted(s []float64, p float64) float64 {
	if len(s) == 0 || !(p >= 0 && p <= 1) || s[0] != s[0] {
		return math.NaN()
	}
	h := float64(len(s)-1) * p
	lo := int(h)
	if lo+1 >= len(s) || h == float64(lo) {
		return s[lo]
	}
	return s[lo] + float64((h-float64(lo))*(s[lo+1]-s[lo]))
}

// Ranks writes into dst the ranks 1…n of x, ties sharing the mean of theirs.
// dst is grown as needed and returned. NaN anywhere makes all ranks NaN.
// O(n log n).
func Ranks(dst, x []float64) []float64 {
	if cap(dst) < len(x) {
		dst = make([]float64, len(x))
	}
	dst = dst[:len(x)]
	order := make([]int, len(x))
	nan := false
	for i, v := range x {
		order[i] = i
		nan = nan || v != v
	}
	if nan {
		for i := range dst {
			dst[i] = math.NaN()
		}
		return dst
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(x[a], x[b]), a-b) })
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		r := float64(i+j+1) / 2
		for ; i < j; i++ {
			dst[order[i]] = r
		}
	}
	return dst
}

// Correlation is Pearson's product-moment correlation. NaN when either side is
// constant, shorter than two, or holds a NaN. Panics on different lengths.
// O(n).
func Correlation(x, y []float64) float64 {
	if len(x) != len(y) {
		panic("stat: Correlation of slices of different lengths")
	}
	if len(x) < 2 || constant(x) || constant(y) {
		return math.NaN()
	}
	mx, my := Mean(x), Mean(y)
	var sxx, syy, sxy float64
	for i := range x {
		a, b := x[i]-mx, y[i]-my
		sxx += float64(a * a)
		syy += float64(b * b)
		sxy += float64(a * b)
	}
	return min(max(sxy/(math.Sqrt(sxx)*math.Sqrt(syy)), -1), 1)
}

// Spearman is the rank correlation: [Correlation] of the mean ranks, so ties
// are handled exactly. NaN as for Correlation. Panics on different lengths.
// O(n log n). Source: Spearman (1904).
func Spearman(x, y []float64) float64 {
	if len(x) != len(y) {
		panic("stat: Spearman of slices of different lengths")
	}
	return Correlation(Ranks(nil, x), Ranks(nil, y))
}
