package judge_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/param"
)

// bare is evidence with nothing but returns.
func bare(net []float64) judge.Evidence {
	return judge.Evidence{Candidate: "x", Instrument: "ES", PeriodsPerYear: 252, Days: days(len(net)), Net: net, Bets: -1,
		Lockbox: judge.Lockbox{State: judge.LockboxNone}, BreakEvenTicks: math.NaN()}
}

func constantSeries(n int, c float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = c
	}
	return x
}

func TestDegenerateRecords(t *testing.T) {
	for _, c := range []struct {
		name   string
		net    []float64
		status judge.Status
		say    string
	}{
		{"no day", nil, judge.NotEnoughEvidence, "there is no out-of-sample day"},
		{"one day", []float64{.01}, judge.NotEnoughEvidence, "1 day whose returns have no Sharpe ratio"},
		{"all zero", make([]float64, 512), judge.Fail, "the rule never found a trade worth its cost in 512 days"},
		{"two zero days", make([]float64, 2), judge.Fail, "never found a trade"},
		{"constant gain", constantSeries(500, .1), judge.NotEnoughEvidence, "500 days whose returns have no Sharpe ratio"},
		{"constant loss", constantSeries(500, -.1), judge.NotEnoughEvidence, "no Sharpe ratio"},
		{"two days", []float64{.01, -.005}, judge.NotEnoughEvidence, "2 days out of sample"},
		{"three days", []float64{.01, -.005, .02}, judge.NotEnoughEvidence, "3 days out of sample"},
		{"one trade", append(make([]float64, 400), .01), judge.NotEnoughEvidence, "to see a Sharpe of 1 you would need"},
		{"tiny returns", minus(constantSeries(300, 0), 0), judge.Fail, "never"},
		{"denormal returns", append(constantSeries(299, 5e-324), 0), judge.NotEnoughEvidence, "not enough evidence"},
		{"huge returns", append(constantSeries(299, 1e300), -1e300), judge.NotEnoughEvidence, "not enough evidence"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := mustJudge(t, bare(c.net))
			if v.Status != c.status || !strings.Contains(v.Sentence, c.say) {
				t.Errorf("%s: %s; want %s saying %q", v.Status, v.Sentence, c.status, c.say)
			}
			if strings.Contains(v.Sentence, "NaN") || strings.Contains(v.Sentence, "Inf") {
				t.Errorf("sentence is not for a person: %s", v.Sentence)
			}
			for _, r := range v.Reasons {
				if r.Text == "" || strings.Contains(r.Text, "NaN") || strings.Contains(r.Text, "Inf") {
					t.Errorf("reason %s is not for a person: %q", r.Gate, r.Text)
				}
			}
		})
	}
}

// A constant loss at twice the cost is a fail, whatever its Sharpe ratio.
func TestConstantLossFails(t *testing.T) {
	e := bare(constantSeries(500, -.001))
	e.NetMultiple = constantSeries(500, -.002)
	if v := mustJudge(t, e); v.Status != judge.Fail {
		t.Errorf("%s: %s", v.Status, v.Sentence)
	}
}

func TestContradictoryEvidenceIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		say    string
		change func(*judge.Evidence)
	}{
		"NaN":              {"2019-04-19 (position 5) is NaN", func(e *judge.Evidence) { e.Net[5] = math.NaN() }},
		"infinite":         {"is +Inf", func(e *judge.Evidence) { e.NetMultiple[7] = math.Inf(1) }},
		"unequal":          {"500 days and 499 returns", func(e *judge.Evidence) { e.SameExposure = e.SameExposure[1:] }},
		"days repeat":      {"does not come after", func(e *judge.Evidence) { e.Days[9] = e.Days[8] }},
		"days fall":        {"does not come after", func(e *judge.Evidence) { e.Days[9] = e.Days[8] - 3 }},
		"periods 0":        {"periods a year", func(e *judge.Evidence) { e.PeriodsPerYear = 0 }},
		"periods NaN":      {"periods a year", func(e *judge.Evidence) { e.PeriodsPerYear = math.NaN() }},
		"random entry NaN": {"random entry 3", func(e *judge.Evidence) { e.RandomEntry[3] = math.NaN() }},
		"lockbox word":     {"lockbox state", func(e *judge.Evidence) { e.Lockbox.State = "ajar" }},
		"lockbox unequal":  {"lockbox", func(e *judge.Evidence) { e.Lockbox.Net = []float64{1} }},
		"trial":            {"trial t", func(e *judge.Evidence) { e.Trials.Trials = []judge.Trial{{Key: "t", Instrument: "ES", To: -1}} }},
		"configuration":    {"configuration 1", func(e *judge.Evidence) { e.Configs = [][]float64{e.Net, e.Net[1:]} }},
	} {
		e := good(500)
		c.change(&e)
		v, err := judge.Judge(judge.Default(), e)
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: error %v, want one saying %q", name, err, c.say)
		}
		if v.Status != "" {
			t.Errorf("%s: an error came with status %q", name, v.Status)
		}
	}
}

func TestSentences(t *testing.T) {
	four := func(e *judge.Evidence) {
		for i := range 3 {
			e.Trials.Trials = append(e.Trials.Trials, judge.Trial{Key: string(rune('a' + i)), Instrument: "ES", Days: e.Days, Returns: series(len(e.Days), 0, 20+i)})
		}
	}
	for _, c := range []struct {
		name, want string
		change     func(*judge.Evidence)
	}{
		{"null", "no evidence of an edge after costs: net Sharpe −0.4 [−1.9, 1.1], DSR 0.05 with 4 trials; to see a Sharpe of 1 you would need 14.1 years", func(e *judge.Evidence) {
			e.Net, e.NetMultiple = series(500, -.4, 0), series(500, -.9, 0)
			four(e)
		}},
		{"cost", "no edge left at 2× cost: net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial; to see a Sharpe of 1 you would need 7.3 years", func(e *judge.Evidence) {
			e.NetMultiple = series(500, -1, 0)
		}},
		{"exposure", "no evidence of an edge beyond its exposure to the market: net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial; to see a Sharpe of 1 you would need 7.3 years", func(e *judge.Evidence) {
			e.SameExposure = series(500, 4, 9)
		}},
		{"exposure, after trials", "no evidence of an edge beyond its exposure to the market: net Sharpe 1.2 [−0.3, 2.7], DSR 0.74 with 4 trials; to see a Sharpe of 1 you would need 14.1 years", func(e *judge.Evidence) {
			e.Net, e.NetMultiple, e.SameExposure = series(500, 1.2, 0), series(500, .8, 0), series(500, 1.2, 9)
			four(e)
		}},
		{"random", "no better than random entries: net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial; to see a Sharpe of 1 you would need 7.3 years", func(e *judge.Evidence) {
			e.RandomEntry = constantSeries(100, 9)
		}},
		{"bets", "not enough evidence: net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial; 57 bets that do not overlap, 200 asked; to see a Sharpe of 1 you would need 7.3 years", func(e *judge.Evidence) { e.Bets = 57 }},
		{"confirmed", "passed on development data; confirmed by the lockbox (net Sharpe 5.0 [0.3, 9.7]): net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial", func(e *judge.Evidence) {
			e.Lockbox = judge.Lockbox{State: judge.LockboxOpened, Days: days(60), Net: series(60, 5, 3)}
		}},
		{"refuted", "passed on development data; not confirmed by the opened lockbox (net Sharpe −1.0 [−5.5, 3.5]): net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial", func(e *judge.Evidence) {
			e.Lockbox = judge.Lockbox{State: judge.LockboxOpened, Days: days(60), Net: series(60, -1, 3)}
		}},
		{"empty lockbox", "passed on development data; the opened lockbox holds no record to confirm it: net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial", func(e *judge.Evidence) {
			e.Lockbox = judge.Lockbox{State: judge.LockboxOpened}
		}},
	} {
		e := good(500)
		c.change(&e)
		if v := mustJudge(t, e); v.Sentence != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, v.Sentence, c.want)
		}
	}
}

func TestVerdictJSONRoundTrip(t *testing.T) {
	for _, e := range []judge.Evidence{good(500), bare(nil)} {
		v := mustJudge(t, e)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back judge.Verdict
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(back)
		if err != nil || string(again) != string(b) {
			t.Errorf("verdict changes in a round trip (%v):\n%s\n%s", err, b, again)
		}
	}
}

func TestRefuse(t *testing.T) {
	v := judge.Refuse("stack", "FESX", "embargo and purge take 14 % of a fold, 10 % allowed")
	if v.Status != judge.NotEnoughEvidence || v.Sentence != "not enough evidence: embargo and purge take 14 % of a fold, 10 % allowed" {
		t.Errorf("%s: %s", v.Status, v.Sentence)
	}
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	c := judge.Default()
	if err := param.Validate(&c); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	if _, err := param.Fields(&c); err != nil {
		t.Errorf("tags: %v", err)
	}
	c.MinDSR, c.MinBets, c.PBOBlocks, c.PBOWarn, c.CostMultiple = 1, 0, 7, .9, math.NaN()
	_, err := judge.Judge(c, good(500))
	_, err2 := judge.FromReturns(c, ownRecord(500, 1), judge.Declared{Trials: 1})
	for _, path := range []string{"min_dsr", "min_bets", "pbo_blocks", "pbo_warn", "cost_multiple"} {
		for _, e := range []error{err, err2} {
			if e == nil || !strings.Contains(e.Error(), path) {
				t.Errorf("error %v does not name %s", e, path)
			}
		}
	}
}
