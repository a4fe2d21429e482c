package stat

import "math"

// Autocovariance is Σ_{t>k}(x_t−mean)(x_{t−k}−mean)/n. NaN for an empty slice
// or k outside [0, n). O(n).
func Autocovariance(x []float64, k int) float64 {
	if k < 0 || k >= len(x) {
		return math.NaN()
	}
	return autocov(x, Mean(x), k)
}

func autocov(x []float64, m float64, k int) float64 {
	s := 0.0
	for t := k; t < len(x); t++ {
		s += float64((x[t] - m) * (x[t-k] - m))
	}
	return s / float64(len(x))
}

// Autocorrelation is Autocovariance(x, k)/Autocovariance(x, 0). NaN for a
// constant slice. O(n).
func Autocorrelation(x []float64, k int) float64 {
	if len(x) == 0 || constant(x) {
		return math.NaN()
	}
	return Autocovariance(x, k) / Autocovariance(x, 0)
}

// HACLag is the number of lags for [LongRunVariance]: the larger of Newey and
// West's rule of thumb ⌊4(n/100)^(2/9)⌋ (1994) and Andrews' plug-in for the
// Bartlett kernel with an AR(1) fit, ⌈1.1447 (α n)^(1/3)⌉ with
// α = 4ρ²/((1−ρ)²(1+ρ)²) (Andrews 1991, equations 6.2 and 6.4), at most n/3.
// ρ is cut to ±0.97. 0 for fewer than 3 values. O(n).
func HACLag(x []float64) int {
	n := len(x)
	if n < 3 {
		return 0
	}
	lag := int(4 * math.Pow(float64(n)/100, 2.0/9))
	if rho := Autocorrelation(x, 1); !math.IsNaN(rho) {
		rho = min(max(rho, -0.97), 0.97)
		d := 1 - float64(rho*rho)
		a := 4 * rho * rho / (d * d)
		lag = max(lag, int(math.Ceil(1.1447*math.Cbrt(a*float64(n)))))
	}
	return min(lag, n/3)
}

// LongRunVariance is Newey and West's estimate γ₀ + 2Σ_{k≤lag}(1−k/(lag+1))γ_k
// of n·Var(mean) under autocorrelation and heteroskedasticity, times n/(n−1)
// for the estimated mean. It is never negative; lag 0 gives [Variance]. NaN
// for fewer than two values or a negative lag; a lag beyond n−1 counts as n−1.
// O(n·lag). Source: Newey and West (1987), equation 5.
func LongRunVariance(x []float64, lag int) float64 {
	n := len(x)
	if n < 2 || lag < 0 {
		return math.NaN()
	}
	if constant(x) {
		return 0
	}
	lag = min(lag, n-1)
	m := Mean(x)
	v := autocov(x, m, 0)
	for k := 1; k <= lag; k++ {
		w := 1 - float64(k)/float64(lag+1)
		v += float64(2 * w * autocov(x, m, k))
	}
	// The Bartlett sum is non-negative up to rounding.
	return max(v, 0) * float64(n) / float64(n-1)
}

// MeanStdErr is √(LongRunVariance(x, lag)/n), the standard error of the mean.
func MeanStdErr(x []float64, lag int) float64 {
	return math.Sqrt(LongRunVariance(x, lag) / float64(len(x)))
}

// SharpeInfluence writes into dst how much each observation moves the Sharpe
// ratio SR = mean/sd: z_t − SR (z_t² − 1)/2 with z_t = (x_t−mean)/sd (sd
// divides by n). Their sample mean is 0, their variance is Mertens' (2002)
// 1 − γ₃SR + (γ₄−1)SR²/4, and their long-run variance is Lo's (2002, section
// "non-IID returns") asymptotic variance of √n(SR̂−SR) by the delta method.
// dst is grown as needed and returned. NaN when x is constant. O(n).
func SharpeInfluence(dst, x []float64) []float64 {
	if cap(dst) < len(x) {
		dst = make([]float64, len(x))
	}
	dst = dst[:len(x)]
	m, sd := Mean(x), StdDevPop(x)
	sr := m / sd
	for i, v := range x {
		if !(sd > 0) {
			dst[i] = math.NaN()
			continue
		}
		z := (v - m) / sd
		dst[i] = z - float64(sr/2*(float64(z*z)-1))
	}
	return dst
}

// SharpeStdErr is the standard error of the per-period Sharpe ratio of x under
// autocorrelation, heteroskedasticity, skew and fat tails: the square root of
// LongRunVariance of [SharpeInfluence] over n. lag < 0 means [HACLag] of the
// influence values. NaN for a constant slice or fewer than two values. O(n·lag).
// Source: Lo (2002); Newey and West (1987).
func SharpeStdErr(x []float64, lag int) float64 {
	if len(x) < 2 || constant(x) {
		return math.NaN()
	}
	inf := SharpeInfluence(nil, x)
	if lag < 0 {
		lag = HACLag(inf)
	}
	return MeanStdErr(inf, lag)
}

// LjungBox is Q = n(n+2)Σ_{k=1..lags} ρ_k²/(n−k), compared with a χ² law of
// that many degrees of freedom when x is white noise. NaN for a constant slice
// or lags outside [1, n). O(n·lags). Source: Ljung and Box (1978).
func LjungBox(x []float64, lags int) float64 {
	n := len(x)
	if lags < 1 || lags >= n || constant(x) {
		return math.NaN()
	}
	m := Mean(x)
	g0 := autocov(x, m, 0)
	q := 0.0
	for k := 1; k <= lags; k++ {
		r := autocov(x, m, k) / g0
		q += float64(r*r) / float64(n-k)
	}
	return float64(n) * float64(n+2) * q
}
