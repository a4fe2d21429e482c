package judge

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/param"
)

// Record is someone's own track record: returns and, if known, those of a
// benchmark on the same dates.
type Record struct {
	Name           string
	Days           []int32   // dates, days since 1970-01-01, ascending
	Returns        []float64 // simple returns per period
	Benchmark      []float64 // nil when there is none
	PeriodsPerYear float64   // 0: inferred from the dates, see InferPeriods
	Notes          []string  // what the reader of a file did to it; become caveats
}

// Declared is what the owner of a record says about how it was chosen.
type Declared struct {
	// Trials is how many strategies were tried before this one was shown, it
	// included; at least 1.
	Trials int
	// VarianceAnnual is the variance of the trials' annual Sharpe ratios, at
	// least 0; nil when unknown: the trials are then taken as independent and
	// without skill, V = 1/T per period. That is what chance alone spreads;
	// trials that differ in skill spread more and deflate more.
	VarianceAnnual *float64
	// MeanCorrelation of the trials' returns, in [0, 1]; with an unknown
	// variance V = (1−ρ̄)/T. 0 when unknown.
	MeanCorrelation float64
}

// InferPeriods is how many periods a year the dates have:
// (n−1)·365.2425/(last − first), at most 366. NaN for fewer than two dates.
func InferPeriods(days []int32) float64 {
	if len(days) < 2 || days[len(days)-1] <= days[0] {
		return math.NaN()
	}
	return min(float64(len(days)-1)*365.2425/float64(days[len(days)-1]-days[0]), 366)
}

// FromReturns judges a record by what a list of returns can show: PSR, DSR with
// the declared number of trials, power, intervals. The gates are traded,
// worthwhile, dsr, days (periods), active_days and, with a benchmark, excess_dsr of returns
// minus benchmark; costs, bets, random entries and a lockbox cannot be seen in
// returns, which the caveats say. Errors as for [Judge].
func FromReturns(c Config, r Record, d Declared) (Verdict, error) {
	if err := param.Validate(&c); err != nil {
		return Verdict{}, fmt.Errorf("judge: config: %w", err)
	}
	if d.Trials < 1 {
		return Verdict{}, fmt.Errorf("judge: %d declared trials: the record itself is one", d.Trials)
	}
	if !(d.MeanCorrelation >= 0 && d.MeanCorrelation <= 1) {
		return Verdict{}, fmt.Errorf("judge: mean correlation %v of the trials: want within [0, 1]", d.MeanCorrelation)
	}
	if x := d.VarianceAnnual; x != nil && !(*x >= 0 && *x <= math.MaxFloat64) {
		return Verdict{}, fmt.Errorf("judge: variance %v of the trials' annual Sharpe ratios: want a finite number of at least 0", *x)
	}
	perYear := r.PeriodsPerYear
	if perYear == 0 && len(r.Days) < 2 {
		perYear = 252 // a record too short for its dates to say; nothing is annualised
	} else if perYear == 0 {
		perYear = InferPeriods(r.Days)
	}
	e := Evidence{Candidate: r.Name, PeriodsPerYear: perYear, Days: r.Days, Net: r.Returns, SameExposure: r.Benchmark, Lockbox: Lockbox{State: LockboxNone}}
	if err := e.check(); err != nil {
		return Verdict{}, err
	}
	v := newVerdict(c)
	v.Candidate = r.Name
	v.Caveats = append(v.Caveats, r.Notes...)
	v.Caveats = append(v.Caveats, "returns are taken as net of cost; bets, cost stress, random entries and a lockbox cannot be checked from returns")
	v.record(c, r.Days, r.Returns, perYear)

	def := Deflation{Trials: d.Trials, MeanCorrelation: d.MeanCorrelation, Effective: EffectiveTrials(d.Trials, d.MeanCorrelation),
		Source: "one trial: nothing to deflate"}
	switch n := float64(max(len(r.Days), 1)); {
	case d.Trials == 1:
	case d.VarianceAnnual != nil:
		def.Sample = *d.VarianceAnnual / perYear
		def.Variance, def.Source = def.Sample, "declared variance of the trials' annual Sharpe ratios"
	default:
		def.Formula = (1 - d.MeanCorrelation) / n
		def.Variance, def.Source = def.Formula, "assumed: independent trials without skill, 1 / periods"
		if d.MeanCorrelation > 0 {
			def.Source = "assumed: trials without skill, (1 − declared mean correlation) / periods"
		}
		v.Caveats = append(v.Caveats, "variance of the trials' Sharpe ratios "+def.Source)
	}
	v.deflate(c, r.Returns, def)
	v.Reasons = append(v.Reasons, v.traded(r.Returns), v.worthwhile(c))
	if r.Benchmark != nil {
		v.ExposureAnnual = sharpeInterval(r.Benchmark, perYear, c.Confidence)
		v.Reasons = append(v.Reasons, v.excess(c, r.Returns, r.Benchmark, def))
	}
	v.Reasons = append(v.Reasons, v.dsr(c), v.length(c), v.active(c))
	v.Status = decide(v.Reasons)
	v.Sentence = v.sentence(c)
	if v.Status == Pass {
		v.Sentence = fmt.Sprintf("the record shows an edge if its returns are net of cost and no more than %s competed: net Sharpe %s, DSR %s",
			count(d.Trials, "trial"), v.SharpeAnnual, probability(v.DSR, c.MinDSR))
	}
	return v, nil
}
