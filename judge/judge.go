package judge

import (
	"fmt"
	"math"
	"strings"

	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// Judge weighs the evidence by the gates of the package comment. An error
// means that the configuration or the evidence contradicts itself (unequal
// lengths, days out of order, NaN); a record that is merely empty, constant or
// short gets a verdict. O(trials²·days + draws·days), less than a second for a
// hundred trials of a thousand days.
func Judge(c Config, e Evidence) (Verdict, error) {
	if err := param.Validate(&c); err != nil {
		return Verdict{}, fmt.Errorf("judge: config: %w", err)
	}
	if err := e.check(); err != nil {
		return Verdict{}, err
	}
	v := newVerdict(c)
	v.Candidate, v.Instrument = e.Candidate, e.Instrument
	v.Caveats = append(v.Caveats, e.Caveats...)
	v.Bets = max(e.Bets, -1)
	if e.EffectiveN > 0 {
		v.EffectiveN = Number(e.EffectiveN)
	}
	v.BreakEvenTicks = Number(e.BreakEvenTicks)
	v.Ledger = e.Trials.Digest
	v.Lockbox = string(e.Lockbox.State)
	v.record(c, e.Days, e.Net, e.PeriodsPerYear)

	trials := e.competing()
	d := Deflate(trials, max(len(e.Days), 1))
	v.deflate(c, e.Net, d)
	if len(e.Days) >= 2 {
		v.GrossAnnual = sharpeInterval(e.Gross, e.PeriodsPerYear, c.Confidence)
		v.MultipleAnnual = sharpeInterval(e.NetMultiple, e.PeriodsPerYear, c.Confidence)
		v.ExposureAnnual = sharpeInterval(e.SameExposure, e.PeriodsPerYear, c.Confidence)
		v.HoldAnnual = sharpeInterval(e.BuyAndHold, e.PeriodsPerYear, c.Confidence)
	}
	if e.Lockbox.State == LockboxOpened {
		v.LockboxAnnual = sharpeInterval(e.Lockbox.Net, e.PeriodsPerYear, c.Confidence)
		if s, err := NewSample(e.Lockbox.Net); err == nil {
			v.LockboxPSR = orNaN(PSR(s, 0))
		}
	}

	v.Reasons = append(v.Reasons, v.traded(e.Net), v.worthwhile(c), v.cost(c, e), v.excess(c, e.Net, e.SameExposure, d), v.random(c, e),
		v.dsr(c), v.bets(c), v.length(c), v.active(c))
	pbo, err := v.overfitting(c, e)
	if err != nil {
		return Verdict{}, err
	}
	v.Reasons = append(v.Reasons, pbo)
	v.Status = decide(v.Reasons)
	v.Sentence = v.sentence(c)
	return v, nil
}

// decide is the rule of the package comment: a gate that forces fail wins, then
// one that forces not enough evidence, else pass.
func decide(reasons []Reason) Status {
	out := Pass
	for _, r := range reasons {
		switch {
		case r.OK:
		case r.Blocks == Fail:
			return Fail
		default:
			out = NotEnoughEvidence
		}
	}
	return out
}

// orNaN keeps a number whose formula refused as one that does not exist.
func orNaN(x float64, err error) Number {
	if err != nil {
		return Number(math.NaN())
	}
	return Number(x)
}

// record fills what the returns alone say.
func (v *Verdict) record(c Config, days []int32, net []float64, perYear float64) {
	v.Days, v.PeriodsPerYear, v.ActiveDays = len(days), perYear, moved(net)
	v.Years = float64(len(days)) / perYear
	if len(days) > 0 {
		v.From, v.To = date(days[0]), date(days[len(days)-1])
		v.NetReturnAnnual = Number(stat.Mean(net) * perYear)
	}
	v.SharpeAnnual = sharpeInterval(net, perYear, c.Confidence)
	v.SharpeBootstrap = bootstrapInterval(net, perYear, c.Confidence, c.BootstrapDraws, rng.New(c.Seed).Stream("judge/bootstrap"))
	s, err := NewSample(net)
	if err != nil {
		return
	}
	v.Skew, v.Kurtosis, v.Autocorrelation = Number(s.Skew), Number(s.Kurtosis), Number(s.Rho)
	v.PSR = orNaN(PSR(s, 0))
	v.MinTrackRecordYears = orNaN(MinTRL(s, 0, c.Confidence)) / Number(perYear)
}

// deflate fills the deflated Sharpe ratios and the power statements.
func (v *Verdict) deflate(c Config, net []float64, d Deflation) {
	k := annual(v.PeriodsPerYear)
	v.Trials, v.Effective, v.Correlation = d.Trials, Number(d.Effective), Number(d.MeanCorrelation)
	v.Variance, v.VarianceFrom = Number(d.Variance), d.Source
	v.SR0Annual = orNaN(SR0(d.Trials, d.Variance)) * Number(k)
	n := len(net)
	s, err := NewSample(net)
	if err == nil {
		v.DSR = orNaN(DSR(s, d.Trials, d.Variance))
		// Under AR(1) returns every Sharpe ratio's variance grows by the same
		// factor, which a sample variance contains already; what the trials
		// share stays with the best of them.
		ar := s.spreadAR(0)
		shared := ar / float64(n)
		if d.Trials > 1 {
			shared *= max(d.MeanCorrelation, 0)
		}
		v.DSR2026 = orNaN(dsr2026Correlated(s.Sharpe, d.Trials, max(d.Formula*ar, d.Sample), shared))
		// Independent returns stay below this in 97.5 % of records.
		if s.Rho > 1.96/math.Sqrt(float64(n)) {
			v.Caveats = append(v.Caveats, fmt.Sprintf("daily returns follow each other (autocorrelation %.2f): the DSR that gates (2014) takes them as independent and is too sure; the form that does not (2026) gives %s",
				s.Rho, probability(v.DSR2026, c.MinDSR)))
		}
	} else {
		s = Sample{N: n, Kurtosis: 3}
	}
	if n < 2 {
		return
	}
	plan := Plan{Sample: s, Trials: d.Trials, TrialScale: d.Variance * float64(n), Level: c.MinDSR, Power: c.Power}
	v.MinDetectableAnnual = orNaN(plan.MinDetectable()) * Number(k)
	v.YearsForWorthwhile = orNaN(plan.Needed(c.MinWorthwhileSharpe/k)) / Number(v.PeriodsPerYear)
	v.YearsForOne = orNaN(plan.Needed(1/k)) / Number(v.PeriodsPerYear)
}

// result builds a reason; blocks is what a failure forces.
func result(g Gate, ok bool, value, threshold float64, blocks Status, format string, args ...any) Reason {
	r := Reason{Gate: g, OK: ok, Measured: true, Value: Number(value), Threshold: Number(threshold), Text: fmt.Sprintf(format, args...)}
	if !ok {
		r.Blocks = blocks
	}
	return r
}

// unmeasured is a gate without evidence: it never passes and never fails.
func unmeasured(g Gate, threshold float64, text string) Reason {
	return Reason{Gate: g, Value: Number(math.NaN()), Threshold: Number(threshold), Blocks: NotEnoughEvidence, Text: text}
}

// moved counts the returns other than 0.
func moved(net []float64) int {
	n := 0
	for _, r := range net {
		if r != 0 {
			n++
		}
	}
	return n
}

func (v *Verdict) traded(net []float64) Reason {
	moved := moved(net)
	switch {
	case len(net) == 0:
		return unmeasured(GateTraded, 1, "there is no out-of-sample day")
	case moved == 0:
		return result(GateTraded, false, 0, 1, Fail, "the rule never found a trade worth its cost in %s", count(len(net), v.period()))
	}
	return result(GateTraded, true, float64(moved), 1, Fail, "%d of %s have a return", moved, count(len(net), v.period()))
}

func (v *Verdict) worthwhile(c Config) Reason {
	i := v.SharpeAnnual
	if !i.High.Exists() {
		return unmeasured(GateWorthwhile, c.MinWorthwhileSharpe, "the returns have no Sharpe ratio")
	}
	ok := float64(i.High) >= c.MinWorthwhileSharpe
	word := "reaches"
	if !ok {
		word = "lies below"
	}
	return result(GateWorthwhile, ok, float64(i.High), c.MinWorthwhileSharpe, Fail,
		"upper end %s of the %g %% interval of net Sharpe %s the worthwhile %g", number(i.High, 2), 100*c.Confidence, word, c.MinWorthwhileSharpe)
}

func (v *Verdict) cost(c Config, e Evidence) Reason {
	if e.NetMultiple == nil {
		return unmeasured(GateCost, 0, fmt.Sprintf("net returns at %g× cost were not supplied", c.CostMultiple))
	}
	if len(e.NetMultiple) < 2 {
		return unmeasured(GateCost, 0, fmt.Sprintf("%s of returns cannot say what survives the cost", count(len(e.NetMultiple), "day")))
	}
	mean := stat.Mean(e.NetMultiple) * e.PeriodsPerYear
	return result(GateCost, mean > 0, mean, 0, Fail, "%s %% a year at %g× cost", number(Number(100*mean), 2), c.CostMultiple)
}

// excess judges returns in excess of the same-exposure benchmark by the 2014
// form with the trials' deflation.
func (v *Verdict) excess(c Config, net, benchmark []float64, d Deflation) Reason {
	if benchmark == nil || len(net) < 2 {
		return unmeasured(GateExcess, c.MinDSR, "there is no same-exposure benchmark to compare with")
	}
	x := make([]float64, len(net))
	for i := range x {
		x[i] = net[i] - benchmark[i]
	}
	if neverTraded(x) {
		return result(GateExcess, false, 0, c.MinDSR, Fail, "the returns are exactly those of the same-exposure benchmark")
	}
	s, err := NewSample(x)
	if err != nil {
		return unmeasured(GateExcess, c.MinDSR, "the excess over the same-exposure benchmark is the same every day")
	}
	v.ExcessAnnual = sharpeInterval(x, v.PeriodsPerYear, c.Confidence)
	v.ExcessDSR = orNaN(DSR(s, d.Trials, d.Variance))
	if !v.ExcessDSR.Exists() {
		return unmeasured(GateExcess, c.MinDSR, "the excess over the same-exposure benchmark has no deflated Sharpe ratio")
	}
	return result(GateExcess, float64(v.ExcessDSR) >= c.MinDSR, float64(v.ExcessDSR), c.MinDSR, Fail,
		"DSR %s of the excess over the same-exposure benchmark, %g asked", probability(v.ExcessDSR, c.MinDSR), c.MinDSR)
}

func (v *Verdict) random(c Config, e Evidence) Reason {
	need := int(math.Ceil(1/(1-c.RandomEntryPercentile) - 1e-9))
	if len(e.RandomEntry) < need {
		return unmeasured(GateRandomEntry, math.NaN(), fmt.Sprintf("%s, %d are needed for that quantile", count(len(e.RandomEntry), "random-entry draw"), need))
	}
	q := stat.Quantile(e.RandomEntry, c.RandomEntryPercentile)
	v.RandomEntryAt = Number(q)
	if !v.SharpeAnnual.Value.Exists() {
		return unmeasured(GateRandomEntry, q, "the returns have no Sharpe ratio")
	}
	sr := float64(v.SharpeAnnual.Value)
	return result(GateRandomEntry, sr > q, sr, q, Fail, "net Sharpe %s against %s, the %g %% quantile of %d random entries",
		number(v.SharpeAnnual.Value, 2), number(v.RandomEntryAt, 2), 100*c.RandomEntryPercentile, len(e.RandomEntry))
}

func (v *Verdict) dsr(c Config) Reason {
	if !v.DSR.Exists() {
		return unmeasured(GateDSR, c.MinDSR, "the returns have no deflated Sharpe ratio")
	}
	return result(GateDSR, float64(v.DSR) >= c.MinDSR, float64(v.DSR), c.MinDSR, NotEnoughEvidence,
		"DSR %s with %s, %g asked", probability(v.DSR, c.MinDSR), count(v.Trials, "trial"), c.MinDSR)
}

func (v *Verdict) bets(c Config) Reason {
	if v.Bets < 0 {
		return unmeasured(GateBets, float64(c.MinBets), "the number of bets was not supplied")
	}
	return result(GateBets, v.Bets >= c.MinBets, float64(v.Bets), float64(c.MinBets), NotEnoughEvidence,
		"%s that do not overlap, %d asked", count(v.Bets, "bet"), c.MinBets)
}

func (v *Verdict) length(c Config) Reason {
	return result(GateDays, v.Days >= c.MinDays, float64(v.Days), float64(c.MinDays), NotEnoughEvidence,
		"%s out of sample, %d asked", count(v.Days, v.period()), c.MinDays)
}

// active asks for days with a return. The interval sees the days that there
// were: a loss that comes once in ten active days is missing from 9 of them
// with probability 0.39 and from 30 with 0.04, and what is missing is neither
// in the mean nor in the spread. See TestIntervalNeedsActiveDays.
func (v *Verdict) active(c Config) Reason {
	have := count(v.ActiveDays, "active "+v.period())
	if v.ActiveDays >= c.MinActiveDays {
		return result(GateActive, true, float64(v.ActiveDays), float64(c.MinActiveDays), NotEnoughEvidence, "%s, %d asked", have, c.MinActiveDays)
	}
	if v.Bets >= 0 {
		have = count(v.Bets, "bet") + " on " + have
	}
	if v.Sparse = v.SharpeAnnual.Value.Exists(); v.Sparse {
		v.Caveats = append(v.Caveats, fmt.Sprintf("%s: the interval is too narrow to trust (%d active %ss asked)", have, c.MinActiveDays, v.period()))
	}
	return result(GateActive, false, float64(v.ActiveDays), float64(c.MinActiveDays), NotEnoughEvidence,
		"%s, %d asked: the interval is too narrow to trust", have, c.MinActiveDays)
}

func (v *Verdict) overfitting(c Config, e Evidence) (Reason, error) {
	skip := func(text string) (Reason, error) {
		return Reason{Gate: GatePBO, OK: true, Value: Number(math.NaN()), Threshold: Number(c.PBOBlock), Text: "overfitting not computed: " + text}, nil
	}
	n := len(e.Configs)
	if n < 2 {
		return skip("no configurations competed")
	}
	for j, x := range e.Configs {
		if err := checkSeries(e.Days, x); err != nil {
			return Reason{}, fmt.Errorf("judge: configuration %d: %w", j, err)
		}
	}
	trials := make([]Trial, n)
	for j, x := range e.Configs {
		trials[j] = Trial{Days: e.Days, Returns: x}
	}
	eff := EffectiveTrials(n, MeanCorrelation(trials))
	if eff < c.PBOMinTrials {
		return skip(fmt.Sprintf("%d configurations count as %.1f, %g are needed", n, eff, c.PBOMinTrials))
	}
	if len(e.Days) < 2*c.PBOBlocks {
		return skip(fmt.Sprintf("%s are too few for %d blocks", count(len(e.Days), "day"), c.PBOBlocks))
	}
	o, err := PBO(e.Configs, c.PBOBlocks, MetricSharpe)
	if err != nil {
		return Reason{}, err
	}
	v.PBO = Number(o.PBO)
	r := result(GatePBO, o.PBO <= c.PBOBlock, o.PBO, c.PBOBlock, NotEnoughEvidence,
		"probability of overfitting %.2f among %d configurations, at most %g allowed", o.PBO, n, c.PBOBlock)
	if r.OK && o.PBO > c.PBOWarn {
		v.Caveats = append(v.Caveats, fmt.Sprintf("probability of overfitting %.2f exceeds the warning level %g", o.PBO, c.PBOWarn))
	}
	return r, nil
}

// period is what one return covers: a day, unless there are far fewer of them
// in a year than trading days.
func (v *Verdict) period() string {
	if v.PeriodsPerYear < 200 {
		return "period"
	}
	return "day"
}

// sentence says the verdict to a person.
func (v *Verdict) sentence(c Config) string {
	failed := func(g Gate) bool {
		for _, r := range v.Reasons {
			if r.Gate == g {
				return !r.OK && r.Blocks == Fail
			}
		}
		return false
	}
	if failed(GateTraded) {
		return fmt.Sprintf("no evidence of an edge: the rule never found a trade worth its cost in %s", count(v.Days, v.period()))
	}
	numbers := fmt.Sprintf("net Sharpe %s, DSR %s with %s", v.SharpeAnnual, probability(v.DSR, c.MinDSR), count(v.Trials, "trial"))
	if !v.SharpeAnnual.Value.Exists() {
		numbers = fmt.Sprintf("%s whose returns have no Sharpe ratio", count(v.Days, v.period()))
	}
	need := ""
	if v.YearsForOne.Exists() {
		need = fmt.Sprintf("; to see a Sharpe of 1 you would need %s years", number(v.YearsForOne, 1))
	}
	switch v.Status {
	case Pass:
		return "passed on development data; " + v.confirmation(c) + ": " + numbers
	case Fail:
		head := "no evidence of an edge after costs"
		switch {
		case failed(GateWorthwhile):
		case failed(GateCost) && !(float64(v.DSR) >= c.MinDSR):
		case failed(GateCost):
			head = fmt.Sprintf("no edge left at %g× cost", c.CostMultiple)
		case failed(GateExcess):
			head = "no evidence of an edge beyond its exposure to the market"
		case failed(GateRandomEntry):
			head = "no better than random entries"
		}
		return head + ": " + numbers + need
	}
	var why []string
	for _, r := range v.Reasons {
		// The deflated Sharpe ratio is in the numbers already.
		if !r.OK && r.Gate != GateDSR {
			why = append(why, r.Text)
		}
	}
	s := "not enough evidence: " + numbers
	if len(why) > 0 {
		s += "; " + strings.Join(why, "; ")
	}
	return s + need
}

// confirmation says what the lockbox did to a pass.
func (v *Verdict) confirmation(c Config) string {
	switch {
	case v.Lockbox == string(LockboxOpened) && !v.LockboxPSR.Exists():
		return "the opened lockbox holds no record to confirm it"
	case v.Lockbox == string(LockboxOpened) && float64(v.LockboxPSR) >= c.Confidence:
		return fmt.Sprintf("confirmed by the lockbox (net Sharpe %s)", v.LockboxAnnual)
	case v.Lockbox == string(LockboxOpened):
		return fmt.Sprintf("not confirmed by the opened lockbox (net Sharpe %s)", v.LockboxAnnual)
	}
	return "not confirmed"
}
