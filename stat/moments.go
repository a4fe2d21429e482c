package stat

import "math"

// Mean is Σx/n. NaN for an empty slice. O(n).
func Mean(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// sumSquares is Σ(x−m)².
func sumSquares(x []float64, m float64) float64 {
	s := 0.0
	for _, v := range x {
		d := v - m
		s += float64(d * d)
	}
	return s
}

// Variance is Σ(x−mean)²/(n−1), by two passes. NaN for fewer than two values.
// A constant slice gives exactly 0. O(n).
func Variance(x []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	if constant(x) {
		return 0
	}
	return sumSquares(x, Mean(x)) / float64(len(x)-1)
}

// StdDev is the square root of [Variance] (n−1).
func StdDev(x []float64) float64 { return math.Sqrt(Variance(x)) }

// StdDevPop is the square root of Σ(x−mean)²/n. NaN for an empty slice. O(n).
func StdDevPop(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	if constant(x) {
		return 0
	}
	return math.Sqrt(sumSquares(x, Mean(x)) / float64(len(x)))
}

// constant reports whether all values are equal; the mean of equal values can
// miss them by a rounding, which would make their variance 1e-40 and a ratio
// by it a large number.
func constant(x []float64) bool {
	for _, v := range x[1:] {
		if v != x[0] {
			return false
		}
	}
	return x[0] == x[0]
}

// Moments are the first four sample moments of a series.
type Moments struct {
	N        int
	Mean     float64
	StdDev   float64 // divides by n−1
	Skew     float64 // m3 / m2^1.5, moments divided by n
	Kurtosis float64 // m4 / m2², moments divided by n; raw: normal = 3
}

// MomentsOf computes all four. Skew and Kurtosis are NaN when the series is
// constant or has fewer than two values. O(n).
func MomentsOf(x []float64) Moments {
	m := Moments{N: len(x), Mean: Mean(x), StdDev: StdDev(x), Skew: math.NaN(), Kurtosis: math.NaN()}
	if !(m.StdDev > 0) {
		return m
	}
	// Scaling first keeps the fourth power of tiny returns away from underflow.
	var s2, s3, s4 float64
	for _, v := range x {
		d := (v - m.Mean) / m.StdDev
		d2 := float64(d * d)
		s2 += d2
		s3 += float64(d2 * d)
		s4 += float64(d2 * d2)
	}
	n := float64(len(x))
	m2 := s2 / n
	m.Skew = s3 / n / (m2 * math.Sqrt(m2))
	m.Kurtosis = s4 / n / (m2 * m2)
	return m
}

// Skew is the third standardised moment m3/m2^1.5 with moments divided by n.
// NaN for a constant slice. O(n).
func Skew(x []float64) float64 { return MomentsOf(x).Skew }

// Kurtosis is the raw fourth standardised moment m4/m2² with moments divided
// by n: 3 for a normal law, never below 1. NaN for a constant slice. O(n).
func Kurtosis(x []float64) float64 { return MomentsOf(x).Kurtosis }

// ExcessKurtosis is Kurtosis − 3.
func ExcessKurtosis(x []float64) float64 { return Kurtosis(x) - 3 }
