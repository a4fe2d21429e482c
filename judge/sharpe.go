package judge

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/stat"
)

// Sample is what the Sharpe formulas need of a record of returns.
type Sample struct {
	Sharpe   float64 // SR̂, per period: mean/StdDev
	N        int     // T, number of returns
	Skew     float64 // γ₃
	Kurtosis float64 // γ₄, raw: normal = 3
	Rho      float64 // ρ, lag-1 autocorrelation; only the 2026 forms use it
}

// NewSample computes a Sample from per-period returns. An error for fewer than
// two returns, a value that is not finite, or constant returns, whose Sharpe
// ratio does not exist. O(n).
func NewSample(returns []float64) (Sample, error) {
	if len(returns) < 2 {
		return Sample{}, fmt.Errorf("judge: %d returns: a Sharpe ratio needs at least 2", len(returns))
	}
	for i, r := range returns {
		if math.IsNaN(r) || math.IsInf(r, 0) {
			return Sample{}, fmt.Errorf("judge: return %d is %v", i, r)
		}
	}
	m := stat.MomentsOf(returns)
	if !(m.StdDev > 0) || math.IsNaN(m.Kurtosis) || math.IsInf(m.Mean/m.StdDev, 0) {
		return Sample{}, fmt.Errorf("judge: all %d returns are %v: a Sharpe ratio needs returns that vary", len(returns), returns[0])
	}
	// ρ = ±1 is possible only for two or three returns and has no AR(1) law.
	rho := min(max(stat.Autocorrelation(returns, 1), -0.95), 0.95)
	return Sample{Sharpe: m.Mean / m.StdDev, N: len(returns), Skew: m.Skew, Kurtosis: m.Kurtosis, Rho: rho}, nil
}

// Check refuses what no record can have: fewer than two returns, values that
// are not finite, raw kurtosis below 1 (an excess kurtosis was passed), kurtosis
// below 1 + skew² (Pearson's inequality), |ρ| ≥ 1.
func (s Sample) Check() error {
	var errs []error
	for _, f := range []struct {
		name string
		v    float64
	}{{"sharpe", s.Sharpe}, {"skew", s.Skew}, {"kurtosis", s.Kurtosis}, {"rho", s.Rho}} {
		if math.IsNaN(f.v) || math.IsInf(f.v, 0) {
			errs = append(errs, fmt.Errorf("judge: %s is %v", f.name, f.v))
		}
	}
	if s.N < 2 {
		errs = append(errs, fmt.Errorf("judge: %d returns: want at least 2", s.N))
	}
	if s.Kurtosis < 1 {
		errs = append(errs, fmt.Errorf("judge: kurtosis %v is below 1, the least possible: pass the raw fourth moment (normal = 3), not the excess", s.Kurtosis))
	} else if low := 1 + float64(s.Skew*s.Skew); s.Kurtosis < low*(1-1e-9) {
		errs = append(errs, fmt.Errorf("judge: kurtosis %v with skew %v is impossible: it is at least 1 + skew² = %v; pass the raw fourth moment (normal = 3), not the excess", s.Kurtosis, s.Skew, low))
	}
	if math.Abs(s.Rho) >= 1 {
		errs = append(errs, fmt.Errorf("judge: rho %v: want inside (−1, 1)", s.Rho))
	}
	return errors.Join(errs...)
}

// spread is 1 − γ₃SR + (γ₄−1)/4·SR², T times the variance of SR̂ for
// independent returns (Mertens 2002; Opdyke 2007).
func (s Sample) spread(sr float64) float64 {
	return max(1-float64(s.Skew*sr)+float64((s.Kurtosis-1)/4*sr*sr), 0)
}

// spreadAR is T times the variance of SR̂ when returns are AR(1) with ρ:
// (1+ρ)/(1−ρ) − (1+ρ/(1−ρ)+ρ²/(1−ρ²))γ₃SR + (1+ρ²)/(1−ρ²)·(γ₄−1)/4·SR²
// (López de Prado, Lipton and Zoonekynd 2026).
func (s Sample) spreadAR(sr float64) float64 {
	r := s.Rho
	r2 := float64(r * r)
	a := (1 + r) / (1 - r)
	b := 1 + r/(1-r) + r2/(1-r2)
	c := (1 + r2) / (1 - r2)
	return max(a-float64(b*s.Skew*sr)+float64(c*(s.Kurtosis-1)/4*sr*sr), 0)
}

// SharpeStdErr is σ(SR̂) = √((1 − γ₃SR + (γ₄−1)/4·SR²)/(T−1)) for independent
// returns of any law with four moments. Source: Bailey and López de Prado
// (2012), equation 8.
func SharpeStdErr(s Sample) (float64, error) {
	if err := s.Check(); err != nil {
		return math.NaN(), err
	}
	return math.Sqrt(s.spread(s.Sharpe) / float64(s.N-1)), nil
}

// PSR is the probabilistic Sharpe ratio: the confidence that the true
// per-period Sharpe ratio exceeds benchmark,
// Φ((SR̂−SR*)√(T−1)/√(1 − γ₃SR̂ + (γ₄−1)/4·SR̂²)). Independent returns are
// assumed. Source: Bailey and López de Prado (2012), equation 11.
func PSR(s Sample, benchmark float64) (float64, error) {
	if err := s.Check(); err != nil {
		return math.NaN(), err
	}
	return confidence(s.Sharpe-benchmark, s.spread(s.Sharpe)/float64(s.N-1))
}

// PSR2026 is the probabilistic Sharpe ratio under AR(1) returns,
// Φ((SR̂−SR*)/σ*), with the variance σ*² of the AR(1) formula taken at the null
// SR = SR* and divided by T. Source: López de Prado, Lipton and Zoonekynd
// (2026), "How to use the Sharpe ratio".
func PSR2026(s Sample, benchmark float64) (float64, error) {
	if err := s.Check(); err != nil {
		return math.NaN(), err
	}
	return confidence(s.Sharpe-benchmark, s.spreadAR(benchmark)/float64(s.N))
}

// confidence is Φ(d/√v). A variance of zero, which only a two-point law at the
// edge of possibility has, is refused.
func confidence(d, v float64) (float64, error) {
	if !(v > 0) || math.IsNaN(d) || math.IsInf(d, 0) {
		return math.NaN(), fmt.Errorf("judge: distance %v with variance %v gives no probability", d, v)
	}
	return stat.NormalCDF(d / math.Sqrt(v)), nil
}

// MinTRL is the minimum track record length: the number of returns at which
// PSR(benchmark) reaches the confidence, all moments as observed,
// 1 + (1 − γ₃SR + (γ₄−1)/4·SR²)(z/(SR−SR*))². +Inf when SR ≤ SR*: no length
// suffices. Source: Bailey and López de Prado (2012), equation 13.
func MinTRL(s Sample, benchmark, level float64) (float64, error) {
	if err := errors.Join(s.Check(), checkLevel(level)); err != nil {
		return math.NaN(), err
	}
	d := s.Sharpe - benchmark
	if !(d > 0) {
		return math.Inf(1), nil
	}
	z := stat.NormalQuantile(level) / d
	return 1 + float64(s.spread(s.Sharpe)*float64(z*z)), nil
}

// MinTRL2026 is the number of returns at which [PSR2026] reaches the level:
// σ²(SR*)·T·(z/(SR−SR*))². +Inf when SR ≤ SR*. Source: López de Prado, Lipton
// and Zoonekynd (2026).
func MinTRL2026(s Sample, benchmark, level float64) (float64, error) {
	if err := errors.Join(s.Check(), checkLevel(level)); err != nil {
		return math.NaN(), err
	}
	d := s.Sharpe - benchmark
	if !(d > 0) {
		return math.Inf(1), nil
	}
	z := stat.NormalQuantile(level) / d
	return float64(s.spreadAR(benchmark) * float64(z*z)), nil
}

func checkLevel(level float64) error {
	if !(level > 0.5 && level < 1) {
		return fmt.Errorf("judge: confidence %v: want inside (0.5, 1)", level)
	}
	return nil
}

// StdErrAR is the standard error of SR̂ under AR(1) returns at the estimate,
// √(spread/T) with the variance of López de Prado, Lipton and Zoonekynd (2026).
// s must pass [Sample.Check].
func StdErrAR(s Sample) float64 { return math.Sqrt(s.spreadAR(s.Sharpe) / float64(s.N)) }
