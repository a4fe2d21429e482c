package judge_test

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/stat"
)

func trials(returns ...[]float64) []judge.Trial {
	out := make([]judge.Trial, len(returns))
	for i, r := range returns {
		out[i] = judge.Trial{Key: string(rune('a' + i)), Instrument: "ES", Days: days(len(r)), Returns: r}
	}
	return out
}

func TestDeflateOneTrialIsPSR(t *testing.T) {
	e := good(500)
	v := mustJudge(t, e)
	if v.Trials != 1 || v.DSR != v.PSR || v.SR0Annual != 0 || v.Variance != 0 {
		t.Errorf("one trial: %d trials, DSR %v, PSR %v, SR0 %v", v.Trials, v.DSR, v.PSR, v.SR0Annual)
	}
	s, err := judge.NewSample(e.Net)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "DSR 2026 of one trial is PSR 2026", float64(v.DSR2026), num(t)(judge.PSR2026(s, 0)), 1e-12)
}

func TestDeflateRule(t *testing.T) {
	const n = 500
	x := series(n, 0, 0)
	// Identical trials: nothing to deflate however many there are.
	d := judge.Deflate(trials(x, x, x), n)
	near(t, "ρ̄ of identical trials", d.MeanCorrelation, 1, 1e-12)
	near(t, "V of identical trials", d.Variance, 0, 1e-12)
	near(t, "effective identical trials", d.Effective, 1, 1e-9)
	// Three trials: ρ̄ is the mean of three pairs and V = (1−ρ̄)/T even when
	// their Sharpe ratios differ widely.
	y := make([]float64, n)
	for i, e := range series(n, 20, 1) {
		y[i] = x[i] + e
	}
	z := series(n, -20, 2)
	want := (stat.Correlation(x, y) + stat.Correlation(x, z) + stat.Correlation(y, z)) / 3
	d = judge.Deflate(trials(x, y, z), n)
	near(t, "ρ̄", d.MeanCorrelation, want, 1e-12)
	near(t, "V", d.Variance, (1-want)/n, 1e-15)
	near(t, "effective", d.Effective, want+3*(1-want), 1e-12)
	if d.Sample != 0 {
		t.Errorf("3 trials have a sample variance %g", d.Sample)
	}
	// Ten: the larger of formula and sample variance.
	var spread, close10 [][]float64
	for i := range 10 {
		spread = append(spread, series(n, float64(i), 30+i))
		close10 = append(close10, series(n, 1, 30+i))
	}
	d = judge.Deflate(trials(spread...), n)
	// Sharpe ratios 0…9 a year: variance (n−1) of 0…9 is 55/6.
	near(t, "sample variance", d.Variance*252, 55.0/6, 1e-9)
	d = judge.Deflate(trials(close10...), n)
	near(t, "equal Sharpe ratios fall back to the formula", d.Variance, (1-d.MeanCorrelation)/n, 1e-15)
	near(t, "equal Sharpe ratios", d.Sample, 0, 1e-12)
	// Nine: never the sample variance.
	d = judge.Deflate(trials(spread[:9]...), n)
	near(t, "nine trials", d.Variance, (1-d.MeanCorrelation)/n, 1e-15)
}

func TestMeanCorrelationUsesCommonDays(t *testing.T) {
	x := series(100, 0, 0)
	a := judge.Trial{Days: days(100), Returns: x}
	// b is a, on a's last 60 days and 40 later ones.
	b := judge.Trial{}
	for i := 40; i < 140; i++ {
		b.Days = append(b.Days, int32(18000+i))
		if i < 100 {
			b.Returns = append(b.Returns, x[i])
		} else {
			b.Returns = append(b.Returns, float64(i))
		}
	}
	near(t, "common days", judge.MeanCorrelation([]judge.Trial{a, b}), 1, 1e-12)
	short := judge.Trial{Days: b.Days[60-judge.MinCommonDays+1:], Returns: b.Returns[60-judge.MinCommonDays+1:]}
	near(t, "too few common days", judge.MeanCorrelation([]judge.Trial{a, short}), 0, 0)
	flat := judge.Trial{Days: days(100), Returns: make([]float64, 100)}
	near(t, "a side that never moves", judge.MeanCorrelation([]judge.Trial{a, flat}), 0, 0)
	near(t, "one trial", judge.MeanCorrelation([]judge.Trial{a}), 0, 0)
}

// The candidate counts once: by its key when the ledger has it, as one more
// when not; inner trials never.
func TestCandidateCountsOnce(t *testing.T) {
	e := good(500)
	others := trials(series(500, 0, 21), series(500, 0, 22))
	own := judge.Trial{Key: e.Key, Instrument: "ES", Days: e.Days, Returns: e.Net}
	inner := own
	inner.Key, inner.Inner = "inner", true
	for name, c := range map[string]struct {
		list []judge.Trial
		want int
	}{
		"absent":  {others, 3},
		"present": {append([]judge.Trial{own}, others...), 3},
		"inner":   {append([]judge.Trial{inner}, others...), 3},
	} {
		e.Trials.Trials = c.list
		e.Trials.Digest = "d"
		v := mustJudge(t, e)
		if v.Trials != c.want || v.Ledger != "d" {
			t.Errorf("%s: %d trials from ledger %q, want %d", name, v.Trials, v.Ledger, c.want)
		}
		if !(v.DSR < v.PSR) || !(v.SR0Annual > 0) {
			t.Errorf("%s: three trials do not deflate: DSR %v, PSR %v", name, v.DSR, v.PSR)
		}
	}
}

// A key that names the candidate brings the judged returns, whatever was
// recorded under it.
func TestDSROfVerdictFromItsParts(t *testing.T) {
	e := good(500)
	e.Net = series(500, 1.5, 0)
	others := trials(series(500, 0, 21), series(500, 0.3, 22), series(500, -1, 23))
	e.Trials.Trials = others
	v := mustJudge(t, e)
	d := judge.Deflate(append(others, judge.Trial{Key: "k0", Instrument: "ES", Days: e.Days, Returns: e.Net}), 500)
	s, err := judge.NewSample(e.Net)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "DSR", float64(v.DSR), num(t)(judge.DSR(s, 4, d.Variance)), 0)
	near(t, "SR0", float64(v.SR0Annual), num(t)(judge.SR0(4, d.Variance))*math.Sqrt(252), 1e-15)
	excess := make([]float64, 500)
	for i := range excess {
		excess[i] = e.Net[i] - e.SameExposure[i]
	}
	if s, err = judge.NewSample(excess); err != nil {
		t.Fatal(err)
	}
	near(t, "excess DSR", float64(v.ExcessDSR), num(t)(judge.DSR(s, 4, d.Variance)), 0)
}

// Equal days take a shortcut; it agrees with the plain sum over pairs.
func TestMeanCorrelationShortcut(t *testing.T) {
	var list []judge.Trial
	sum, pairs := 0.0, 0.0
	for j := range 7 {
		x := noise(90, "short", j)
		for i := range x {
			x[i] = .01 * (x[i] + float64(j)*float64(i%5))
		}
		if j == 3 {
			x = make([]float64, 90) // never trades
		}
		for _, o := range list {
			if c := stat.Correlation(o.Returns, x); !math.IsNaN(c) {
				sum += c
			}
			pairs++
		}
		list = append(list, judge.Trial{Days: days(90), Returns: x})
	}
	near(t, "shortcut", judge.MeanCorrelation(list), sum/pairs, 1e-13)
	// One day fewer in one trial takes the long way and hardly moves the mean.
	list[6].Days, list[6].Returns = list[6].Days[1:], list[6].Returns[1:]
	near(t, "pairs", judge.MeanCorrelation(list), sum/pairs, .02)
	few := []judge.Trial{{Days: days(19), Returns: noise(19, "few", 0)}, {Days: days(19), Returns: noise(19, "few", 0)}}
	near(t, "too few days", judge.MeanCorrelation(few), 0, 0)
}
