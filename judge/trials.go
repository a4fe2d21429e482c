package judge

import (
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/stat"
)

// MinCommonDays is how many days two trials must share for their correlation
// to be estimated; with fewer they count as independent, which deflates more.
const MinCommonDays = 20

// MeanCorrelation is the average correlation of all pairs of trials over the
// days that both have. A pair with fewer than [MinCommonDays] common days, or
// with a side that never moves on them, counts as 0. It is 0 for fewer than
// two trials. O(trials²·days), O(trials·days) when all have the same days.
func MeanCorrelation(trials []Trial) float64 {
	n := len(trials)
	if n < 2 {
		return 0
	}
	if sameDays(trials) {
		return meanCorrelationAligned(trials)
	}
	var x, y []float64
	sum := 0.0
	for i := range trials {
		for j := i + 1; j < n; j++ {
			x, y = common(trials[i], trials[j], x[:0], y[:0])
			if len(x) < MinCommonDays {
				continue
			}
			if c := stat.Correlation(x, y); !math.IsNaN(c) {
				sum += c
			}
		}
	}
	return sum / (float64(n) * float64(n-1) / 2)
}

func sameDays(trials []Trial) bool {
	for _, t := range trials[1:] {
		if !slices.Equal(t.Days, trials[0].Days) {
			return false
		}
	}
	return true
}

// meanCorrelationAligned uses that the squared length of the sum of all
// standardised series is the sum of all correlations, the diagonal included.
func meanCorrelationAligned(trials []Trial) float64 {
	days := len(trials[0].Days)
	if days < MinCommonDays {
		return 0
	}
	total := make([]float64, days)
	moving := 0
	for _, t := range trials {
		m, sd := stat.Mean(t.Returns), stat.StdDevPop(t.Returns)
		if !(sd > 0) {
			continue
		}
		moving++
		for i, r := range t.Returns {
			total[i] += (r - m) / sd
		}
	}
	sum := 0.0
	for _, v := range total {
		sum += float64(v * v)
	}
	n := float64(len(trials))
	return (sum/float64(days) - float64(moving)) / (n * (n - 1))
}

// common appends to x and y the returns of the days that a and b share.
func common(a, b Trial, x, y []float64) ([]float64, []float64) {
	for i, j := 0, 0; i < len(a.Days) && j < len(b.Days); {
		switch da, db := a.Days[i], b.Days[j]; {
		case da < db:
			i++
		case da > db:
			j++
		default:
			x, y = append(x, a.Returns[i]), append(y, b.Returns[j])
			i++
			j++
		}
	}
	return x, y
}

// EffectiveTrials is how many independent trials n trials with mean
// correlation rho amount to, ρ̄ + (1−ρ̄)n, within [1, n]. Source: Bailey and
// López de Prado (2014), equation 9.
func EffectiveTrials(n int, rho float64) float64 {
	return min(max(rho+float64((1-rho)*float64(n)), 1), float64(n))
}

// sampleFrom is the number of trials from which the sample variance of their
// Sharpe ratios is trusted beside the formula.
const sampleFrom = 10

// Deflation is what the competing trials take off a Sharpe ratio.
type Deflation struct {
	Trials          int     // N, the candidate included
	Effective       float64 // ρ̄ + (1−ρ̄)N
	MeanCorrelation float64 // ρ̄
	Formula         float64 // (1−ρ̄)/T; 0 for one trial
	Sample          float64 // sample variance (n−1) of the trials' per-period Sharpe ratios; 0 for fewer than 10
	Variance        float64 // V: the larger of the two
	Source          string  // which rule gave V, in words
}

// Deflate computes V by the house's rule: one trial needs none; else
// V = (1−ρ̄)/T, T being the candidate's number of days, because skill-less
// Sharpe ratios have variance 1/T each and share ρ̄ of it; with 10 or more
// trials the larger of that and the sample variance (n−1) of the trials'
// Sharpe ratios over their own days (0 for a trial that never moves). trials
// holds the candidate. Takes as long as [MeanCorrelation].
func Deflate(trials []Trial, days int) Deflation {
	n := len(trials)
	d := Deflation{Trials: n, MeanCorrelation: MeanCorrelation(trials), Source: "one trial: nothing to deflate"}
	d.Effective = EffectiveTrials(n, d.MeanCorrelation)
	if n < 2 {
		return d
	}
	d.Formula = max(1-d.MeanCorrelation, 0) / float64(days)
	d.Variance = d.Formula
	d.Source = "(1 − mean correlation) / days"
	if n >= sampleFrom {
		sr := make([]float64, n)
		for i, t := range trials {
			if m := stat.MomentsOf(t.Returns); m.StdDev > 0 {
				sr[i] = m.Mean / m.StdDev
			}
		}
		d.Sample = stat.Variance(sr)
		if d.Sample > d.Formula {
			d.Variance = d.Sample
			d.Source = "sample variance of the trials' Sharpe ratios"
		}
	}
	return d
}
