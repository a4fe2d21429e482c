package judge_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/rng"
)

// noise is n standard normals with exact mean 0 and standard deviation (n−1) 1.
func noise(n int, name string, id int) []float64 {
	r := rng.New(5).Stream(name, id).Rand()
	x := make([]float64, n)
	var m, s float64
	for i := range x {
		x[i] = r.NormFloat64()
		m += x[i] / float64(n)
	}
	for i := range x {
		x[i] -= m
		s += x[i] * x[i]
	}
	for i := range x {
		x[i] /= math.Sqrt(s / float64(n-1))
	}
	return x
}

// series has that exact annual Sharpe ratio at 1 % daily volatility.
func series(n int, sharpeAnnual float64, id int) []float64 {
	x := noise(n, "series", id)
	for i := range x {
		x[i] = 0.01 * (x[i] + sharpeAnnual/math.Sqrt(252))
	}
	return x
}

func days(n int) []int32 {
	d := make([]int32, n)
	for i := range d {
		d[i] = int32(18000 + i)
	}
	return d
}

func minus(x []float64, c float64) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] -= c
	}
	return y
}

// good is evidence of a strong edge: every gate holds.
func good(n int) judge.Evidence {
	net := series(n, 4, 0)
	draws := make([]float64, 200)
	for i := range draws {
		draws[i] = float64(i)/100 - 2
	}
	return judge.Evidence{
		Candidate: "stack h20", Key: "k0", Instrument: "ES", PeriodsPerYear: 252,
		Days: days(n), Net: net, NetMultiple: minus(net, 1e-4), Gross: minus(net, -1e-4),
		SameExposure: minus(series(n, 0, 1), 0), BuyAndHold: series(n, .5, 2), RandomEntry: draws, Bets: 1000, EffectiveN: 512.5,
		BreakEvenTicks: 1.5, Lockbox: judge.Lockbox{State: judge.LockboxUnopened},
	}
}

func mustJudge(t *testing.T, e judge.Evidence) judge.Verdict {
	t.Helper()
	c := judge.Default()
	c.BootstrapDraws = 50
	v, err := judge.Judge(c, e)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(v); err != nil || strings.Contains(string(b), "NaN") {
		t.Fatalf("verdict is not plain JSON: %v\n%s", err, b)
	}
	return v
}

func reason(t *testing.T, v judge.Verdict, g judge.Gate) judge.Reason {
	t.Helper()
	for _, r := range v.Reasons {
		if r.Gate == g {
			return r
		}
	}
	t.Fatalf("no reason for gate %s", g)
	return judge.Reason{}
}

// Each row of the truth table in the package comment: from evidence that
// passes, break one gate and see the status that it forces.
func TestTruthTable(t *testing.T) {
	const n = 500
	for _, c := range []struct {
		name   string
		gate   judge.Gate
		status judge.Status
		change func(*judge.Evidence)
	}{
		{"never traded", judge.GateTraded, judge.Fail, func(e *judge.Evidence) { e.Net = make([]float64, n); e.NetMultiple = e.Net }},
		{"upper bound below worthwhile", judge.GateWorthwhile, judge.Fail, func(e *judge.Evidence) { e.Net = series(n, -2, 0) }},
		{"negative at twice cost", judge.GateCost, judge.Fail, func(e *judge.Evidence) { e.NetMultiple = series(n, -.1, 0) }},
		{"exactly zero at twice cost", judge.GateCost, judge.Fail, func(e *judge.Evidence) { e.NetMultiple = make([]float64, n) }},
		{"no better than exposure", judge.GateExcess, judge.Fail, func(e *judge.Evidence) { e.SameExposure = series(n, 4, 9) }},
		{"is its benchmark", judge.GateExcess, judge.Fail, func(e *judge.Evidence) { e.SameExposure = e.Net }},
		{"below random entries", judge.GateRandomEntry, judge.Fail, func(e *judge.Evidence) {
			for i := range e.RandomEntry {
				e.RandomEntry[i] += 6
			}
		}},
		{"net DSR too low, excess high", judge.GateDSR, judge.NotEnoughEvidence, func(e *judge.Evidence) {
			e.Net = series(n, .8, 0)
			e.RandomEntry = make([]float64, 20)
			e.SameExposure = slices.Clone(e.Net)
			for i, x := range series(n, 4, 8) {
				e.SameExposure[i] -= x
			}
		}},
		{"119 days", judge.GateDays, judge.NotEnoughEvidence, func(e *judge.Evidence) {
			net := series(119, 9, 0)
			e.Days, e.Net, e.NetMultiple, e.SameExposure = days(119), net, minus(net, 1e-4), series(119, 0, 1)
			e.Gross, e.BuyAndHold, e.RandomEntry = nil, nil, make([]float64, 20)
		}},
		{"few bets", judge.GateBets, judge.NotEnoughEvidence, func(e *judge.Evidence) { e.Bets = 199 }},
		{"bets unknown", judge.GateBets, judge.NotEnoughEvidence, func(e *judge.Evidence) { e.Bets = -1 }},
		{"no cost multiple", judge.GateCost, judge.NotEnoughEvidence, func(e *judge.Evidence) { e.NetMultiple = nil }},
		{"no benchmark", judge.GateExcess, judge.NotEnoughEvidence, func(e *judge.Evidence) { e.SameExposure = nil }},
		{"no random entries", judge.GateRandomEntry, judge.NotEnoughEvidence, func(e *judge.Evidence) { e.RandomEntry = nil }},
		{"19 random entries", judge.GateRandomEntry, judge.NotEnoughEvidence, func(e *judge.Evidence) { e.RandomEntry = e.RandomEntry[:19] }},
		{"overfitted grid", judge.GatePBO, judge.NotEnoughEvidence, func(e *judge.Evidence) {
			// Each configuration wins in one block and loses it all in the others.
			for j := range 24 {
				x := noise(n, "cfg", j)
				for i := range x {
					if i*24/n == j {
						x[i] += 3
					} else {
						x[i] -= 3. / 23
					}
				}
				e.Configs = append(e.Configs, x)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := good(n)
			c.change(&e)
			v := mustJudge(t, e)
			r := reason(t, v, c.gate)
			if r.OK || r.Blocks != c.status {
				t.Errorf("gate %s: ok %v blocks %q (%s), want a failure that forces %q", c.gate, r.OK, r.Blocks, r.Text, c.status)
			}
			if v.Status != c.status {
				t.Errorf("status %q, want %q: %s", v.Status, c.status, v.Sentence)
			}
		})
	}
}

func TestEverythingHolds(t *testing.T) {
	v := mustJudge(t, good(500))
	for _, r := range v.Reasons {
		if !r.OK || r.Blocks != "" {
			t.Errorf("gate %s does not hold: %s", r.Gate, r.Text)
		}
	}
	if v.Status != judge.Pass {
		t.Fatalf("status %q: %s", v.Status, v.Sentence)
	}
	const want = "passed on development data; not confirmed: net Sharpe 4.0 [2.5, 5.5], DSR >0.99 with 1 trial"
	if v.Sentence != want {
		t.Errorf("sentence\n%s, want\n%s", v.Sentence, want)
	}
}

// normals is n independent standard normals of the stream name/ids.
func normals(n int, name string, ids ...int) []float64 {
	r := rng.New(11).Stream(name, ids...).Rand()
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}
