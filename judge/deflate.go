package judge

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/stat"
)

// SR0 is the per-period Sharpe ratio that the best of n skill-less trials is
// expected to show, √V·E[max_n], where variance V is that of the trials'
// per-period Sharpe ratios. 0 for one trial. Source: Bailey and López de Prado
// (2014), equation 1.
func SR0(n int, variance float64) (float64, error) {
	if n < 1 || !(variance >= 0) || math.IsInf(variance, 0) {
		return math.NaN(), fmt.Errorf("judge: %d trials with variance %v: want at least 1 trial and a finite variance of at least 0", n, variance)
	}
	return math.Sqrt(variance) * ExpectedMax(n), nil
}

// DSR is the deflated Sharpe ratio of 2014, PSR(SR0): the confidence (1 − p)
// that the Sharpe ratio exceeds what the best of n trials without skill would
// show. It is no probability of an edge. Source: Bailey and López de Prado
// (2014), equation 2.
func DSR(s Sample, n int, variance float64) (float64, error) {
	sr0, err := SR0(n, variance)
	if err != nil {
		return math.NaN(), err
	}
	return PSR(s, sr0)
}

// DSR2026 is the deflated Sharpe ratio of 2026, Φ((SR̂−SR0)/(√V·σ_n)): the
// record is compared with the law of the best of n skill-less trials, whose
// spread σ_n is exact ([MaxMoments]). Its only knowledge of autocorrelation,
// skew and record length is through V. Source: López de Prado, Lipton and
// Zoonekynd (2026).
func DSR2026(sharpe float64, n int, variance float64) (float64, error) {
	sr0, err := SR0(n, variance)
	if err != nil {
		return math.NaN(), err
	}
	_, sd := MaxMoments(n)
	return confidence(sharpe-sr0, variance*sd*sd)
}

// dsr2026Correlated is [DSR2026] for trials with mean correlation rho: what
// they share moves the best trial too and adds common = ρ̄·Var(SR̂) to the
// variance. With one trial (variance 0, common the whole) it is PSR2026(0).
func dsr2026Correlated(sharpe float64, n int, variance, common float64) (float64, error) {
	sr0, err := SR0(n, variance)
	if err != nil {
		return math.NaN(), err
	}
	_, sd := MaxMoments(n)
	return confidence(sharpe-sr0, float64(variance*sd*sd)+common)
}

// TypeII is β, the probability that a record of s.N returns with true
// per-period Sharpe ratio sr1 fails to reject SR ≤ sr0 at the level:
// Φ((sr0 + z·σ(sr0) − sr1)/σ(sr1)) with the AR(1) variance at each hypothesis.
// s.Sharpe is not used. Power is 1 − β. Source: López de Prado, Lipton and
// Zoonekynd (2026).
func TypeII(s Sample, sr0, sr1, level float64) (float64, error) {
	if err := errors.Join(s.Check(), checkLevel(level)); err != nil {
		return math.NaN(), err
	}
	return typeII(s, float64(s.N), sr0, sr1, stat.NormalQuantile(level))
}

func typeII(s Sample, n, sr0, sr1, z float64) (float64, error) {
	crit := sr0 + float64(z*math.Sqrt(s.spreadAR(sr0)/n))
	return confidence(crit-sr1, s.spreadAR(sr1)/n)
}

// Plan is what a power statement assumes: the law of the returns, how many
// trials compete and how the spread of their Sharpe ratios shrinks with time.
type Plan struct {
	Sample     Sample  // Skew, Kurtosis, Rho; Sharpe is not used
	Trials     int     // n, at least 1
	TrialScale float64 // V·T: variance of the trials' Sharpe ratios times record length
	Level      float64 // confidence of the gate, such as 0.95
	Power      float64 // wanted probability of passing, such as 0.8
}

func (p Plan) check() error {
	errs := []error{p.Sample.Check(), checkLevel(p.Level)}
	if !(p.Power > 0 && p.Power < 1) {
		errs = append(errs, fmt.Errorf("judge: power %v: want inside (0, 1)", p.Power))
	}
	if p.Trials < 1 || !(p.TrialScale >= 0) || math.IsInf(p.TrialScale, 0) {
		errs = append(errs, fmt.Errorf("judge: %d trials with scale %v: want at least 1 trial and a finite scale of at least 0", p.Trials, p.TrialScale))
	}
	return errors.Join(errs...)
}

// shortfall is β − (1 − power) at n returns and true Sharpe ratio sr; negative
// when the power suffices.
func (p Plan) shortfall(n, sr float64) float64 {
	sr0 := math.Sqrt(p.TrialScale/n) * ExpectedMax(p.Trials)
	b, err := typeII(p.Sample, n, sr0, sr, stat.NormalQuantile(p.Level))
	if err != nil {
		return 1
	}
	return b - (1 - p.Power)
}

// MinDetectable is the smallest true per-period Sharpe ratio that a record of
// Sample.N returns passes the deflated gate with probability Power. +Inf when
// none up to 100 per period does. O(1) by bisection.
func (p Plan) MinDetectable() (float64, error) {
	if err := p.check(); err != nil {
		return math.NaN(), err
	}
	n := float64(p.Sample.N)
	return bisect(0, 100, func(sr float64) bool { return p.shortfall(n, sr) <= 0 }), nil
}

// Needed is the number of returns (fractional) at which a true per-period
// Sharpe ratio sr passes the deflated gate with probability Power. +Inf when
// 10⁹ do not suffice or sr ≤ 0. O(1) by bisection.
func (p Plan) Needed(sr float64) (float64, error) {
	if err := p.check(); err != nil {
		return math.NaN(), err
	}
	if !(sr > 0) {
		return math.Inf(1), nil
	}
	return bisect(1, 1e9, func(n float64) bool { return p.shortfall(n, sr) <= 0 }), nil
}

// bisect finds where ok turns true between lo and hi, to 1e-12 relative; +Inf
// when ok(hi) is false.
func bisect(lo, hi float64, ok func(float64) bool) float64 {
	if !ok(hi) {
		return math.Inf(1)
	}
	for range 200 {
		mid := lo + (hi-lo)/2
		if ok(mid) {
			hi = mid
		} else {
			lo = mid
		}
		if hi-lo <= 1e-12*hi {
			break
		}
	}
	return hi
}
