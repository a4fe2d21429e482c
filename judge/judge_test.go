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

// sparse leaves returns on that many days, in a record that passes but for that.
func sparse(e *judge.Evidence, active int) {
	n := len(e.Days)
	x := series(active, 20, 0)
	e.Net = make([]float64, n)
	for i, r := range x {
		e.Net[i*n/active] = r
	}
	e.NetMultiple, e.SameExposure = e.Net, series(n, 0, 1)
	for i := range e.SameExposure {
		e.SameExposure[i] *= 1e-3
	}
	e.RandomEntry = make([]float64, 20)
}

// TestFewActiveDays: a record with returns on few days does not pass and says
// why; one day more and the gate holds.
func TestFewActiveDays(t *testing.T) {
	e := good(500)
	sparse(&e, 29)
	v := mustJudge(t, e)
	text := "1000 bets on 29 active days: the interval is too narrow to trust (30 active days asked)"
	if !v.Sparse || v.ActiveDays != 29 || v.Status != judge.NotEnoughEvidence || !slices.Contains(v.Caveats, text) || !strings.Contains(v.Sentence, "29 active days, 30 asked: the interval is too narrow to trust") {
		t.Errorf("29 active days: %+v", v)
	}
	sparse(&e, 30)
	if v = mustJudge(t, e); v.Sparse || v.ActiveDays != 30 || v.Status != judge.Pass || len(v.Caveats) != 0 {
		t.Errorf("30 active days: %s, %q", v.Sentence, v.Caveats)
	}
	e.Net, e.NetMultiple = make([]float64, 500), make([]float64, 500)
	if v = mustJudge(t, e); v.Sparse || len(v.Caveats) != 0 {
		t.Errorf("no trade has an interval: %q", v.Caveats)
	}
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
		{"29 active days", judge.GateActive, judge.NotEnoughEvidence, func(e *judge.Evidence) { sparse(e, 29) }},
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

// Multiplying all returns by a power of two changes no digit of the statistics;
// the same evidence gives the same bytes.
func TestVerdictLaws(t *testing.T) {
	e := good(500)
	e.Trials.Trials = trials(series(500, 0, 21), series(500, 1, 22))
	a, b := mustJudge(t, e), mustJudge(t, e)
	aj, errA := json.Marshal(a)
	bj, errB := json.Marshal(b)
	if errA != nil || errB != nil || string(aj) != string(bj) {
		t.Error("the same evidence gives other bytes")
	}
	for _, x := range [][]float64{e.Net, e.NetMultiple, e.Gross, e.SameExposure, e.BuyAndHold} {
		for i := range x {
			x[i] *= 8
		}
	}
	c := mustJudge(t, e)
	if c.Sentence != a.Sentence || c.DSR != a.DSR || c.ExcessDSR != a.ExcessDSR || c.SharpeBootstrap != a.SharpeBootstrap || c.DSR2026 != a.DSR2026 {
		t.Errorf("the verdict depends on the unit of returns:\n%s\n%s", a.Sentence, c.Sentence)
	}
}

func TestAutocorrelationCaveat(t *testing.T) {
	e := good(500)
	for i := 1; i < len(e.Net); i++ {
		e.Net[i] += .5 * e.Net[i-1]
	}
	v := mustJudge(t, e)
	if s := strings.Join(v.Caveats, "\n"); !strings.Contains(s, "daily returns follow each other") {
		t.Errorf("autocorrelation %v brings no caveat: %q", v.Autocorrelation, s)
	}
	if v := mustJudge(t, good(500)); len(v.Caveats) != 0 {
		t.Errorf("independent returns bring caveats %q", v.Caveats)
	}
}

func TestPBOWarning(t *testing.T) {
	e := good(480)
	for j := range 12 {
		e.Configs = append(e.Configs, normals(480, "warn", j))
	}
	c := judge.Default()
	c.BootstrapDraws, c.PBOBlocks, c.PBOWarn, c.PBOBlock = 0, 8, 0, 1
	v, err := judge.Judge(c, e)
	if err != nil {
		t.Fatal(err)
	}
	if r := reason(t, v, judge.GatePBO); !r.OK || !r.Measured || !v.PBO.Exists() || v.Status != judge.Pass || !strings.Contains(strings.Join(v.Caveats, "\n"), "exceeds the warning level") {
		t.Errorf("a warning must not block: %s, %+v, %q", v.Status, r, v.Caveats)
	}
	// Copies of one strategy are no competition.
	for j := range e.Configs {
		e.Configs[j] = e.Net
	}
	if v, err = judge.Judge(c, e); err != nil {
		t.Fatal(err)
	}
	if r := reason(t, v, judge.GatePBO); !r.OK || r.Measured || !strings.Contains(r.Text, "count as 1.0") {
		t.Errorf("twelve copies: %+v", r)
	}
}
