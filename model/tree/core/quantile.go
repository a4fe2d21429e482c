package core

import (
	"math"
	"slices"
)

// QuantileOf is the α-quantile of v, as XGBoost takes it for reg:quantileerror.
// Without weights (nil) it lies at position α(n+1) of the sorted values, counted
// from one, linearly interpolated and held within the ends (Hyndman and Fan
// 1996, definition 6). With weights it is the first value at which the cumulated
// weight reaches α of all. v is sorted; NaN if it is empty. O(n log n).
func QuantileOf(v, w []float32, alpha float32) float32 {
	n := len(v)
	if n == 0 {
		return float32(math.NaN())
	}
	if w != nil {
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case v[a] < v[b]:
				return -1
			case v[a] > v[b]:
				return 1
			}
			return 0
		})
		cdf, sum := make([]float32, n), float32(0)
		for i, k := range order {
			sum += w[k]
			cdf[i] = sum
		}
		i, _ := slices.BinarySearch(cdf, float32(float64(sum)*float64(alpha)))
		return v[order[min(i, n-1)]]
	}
	slices.Sort(v)
	m, a := float64(n), float64(alpha)
	switch {
	case a <= 1/(m+1):
		return v[0]
	case a >= m/(m+1):
		return v[n-1]
	}
	x := a * (m + 1)
	k := math.Floor(x) - 1
	d := (x - 1) - k
	lo, hi := v[int(k)], v[int(k)+1]
	return float32(float64(lo) + float64(d*float64(hi-lo)))
}
