package judge_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/stat"
)

// near fails unless got lies within abs of want.
func near(t *testing.T, name string, got, want, abs float64) {
	t.Helper()
	if !(math.Abs(got-want) <= abs) {
		t.Errorf("%s = %.12g, want %.12g within %g", name, got, want, abs)
	}
}

// num unwraps a value whose error would be a mistake of the test.
func num(t *testing.T) func(float64, error) float64 {
	return func(v float64, err error) float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// half a unit of the last printed digit.
const (
	d3 = 0.5e-3
	d4 = 0.5e-4
	d6 = 0.5e-6
)

// Closed approximation, recomputed to six digits.
func TestFalseStrategyTheorem(t *testing.T) {
	for _, c := range []struct {
		n    int
		want float64
	}{{1, 0}, {5, 1.192594}, {7, 1.386774}, {10, 1.574598}, {45, 2.235640}, {46, 2.244171}, {100, 2.530603}, {1000, 3.255122}} {
		near(t, "E[max]", judge.ExpectedMax(c.n), c.want, d6)
	}
	if !math.IsNaN(judge.ExpectedMax(0)) {
		t.Error("no trials have no maximum")
	}
}

// Exact integrals to six digits.
func TestMaxOfNormalsExact(t *testing.T) {
	for _, c := range []struct {
		n        int
		mean, sd float64 // 0: not published
	}{{1, 0, 1}, {10, 1.538753, 0.586808}, {46, 2.216395, 0}, {100, 2.507594, 0.429424}, {1000, 3.241436, 0}} {
		m, sd := judge.MaxMoments(c.n)
		near(t, "mean", m, c.mean, d6)
		if c.sd != 0 {
			near(t, "sd", sd, c.sd, d6)
		}
	}
}

// Exhibit 4 of López de Prado, Lipton and Zoonekynd (2026), five digits.
func TestMaxOfNormalsExhibit4(t *testing.T) {
	for i, want := range []float64{1, .82565, .74798, .70122, .66898, .64492, .62603, .61065, .59779, .58681} {
		_, sd := judge.MaxMoments(i + 1)
		near(t, "sd of the maximum", sd, want, 0.5e-5)
	}
}

func TestDSR_PaperExample(t *testing.T) {
	n := num(t)
	s := judge.Sample{Sharpe: 2.5 / math.Sqrt(250), N: 1250, Skew: -3, Kurtosis: 10}
	v := 0.5 / 250
	sr0 := n(judge.SR0(100, v))
	near(t, "SR0 per day", sr0, 0.113172, d6)
	near(t, "SR0 a year", sr0*math.Sqrt(250), 1.789406, d6)
	dsr := n(judge.DSR(s, 100, v))
	near(t, "DSR as printed", dsr, 0.9004, d4)
	near(t, "DSR", dsr, 0.9003968344493903, 1e-12) // scipy 1.17.1
	near(t, "z", stat.NormalQuantile(dsr), 1.283816, d6)
	n46 := n(judge.DSR(s, 46, v))
	near(t, "DSR N=46 as printed", n46, 0.9505, d4)
	near(t, "DSR N=46", n46, 0.9505017, 0.5e-7)

	s.Skew, s.Kurtosis = 0, 3
	near(t, "DSR normal N=100", n(judge.DSR(s, 100, v)), 0.9427706, 0.5e-7)
	n88 := n(judge.DSR(s, 88, v))
	near(t, "DSR normal N=88 as printed", n88, 0.9505, d4)
	near(t, "DSR normal N=88", n88, 0.9504908, 0.5e-7)
}

func TestPSR_PaperExample(t *testing.T) {
	n := num(t)
	normal := judge.Sample{Sharpe: 1.585 / math.Sqrt(12), N: 24, Kurtosis: 3}
	skewed := judge.Sample{Sharpe: 1.585 / math.Sqrt(12), N: 24, Skew: -2.448, Kurtosis: 10.164}
	near(t, "normal as printed", n(judge.PSR(normal, 0)), 0.9816, d4)
	near(t, "normal", n(judge.PSR(normal, 0)), 0.9815912360834967, 1e-12)
	near(t, "skewed", n(judge.PSR(skewed, 0)), 0.913234, d6)
	normal.Sharpe, skewed.Sharpe = .458, .458
	near(t, "normal .458", n(judge.PSR(normal, 0)), 0.981675, d6)
	near(t, "skewed .458", n(judge.PSR(skewed, 0)), 0.913361, d6)
}

func TestSharpeStdErrAndMinTRL_PaperExample(t *testing.T) {
	n := num(t)
	a := judge.Sample{Sharpe: .7079, N: 134, Skew: -.2250, Kurtosis: 2.9570}
	b := judge.Sample{Sharpe: .8183, N: 134, Skew: -1.4455, Kurtosis: 7.0497}
	near(t, "σ(SR) a", n(judge.SharpeStdErr(a)), 0.102761, d6)
	near(t, "σ(SR) b", n(judge.SharpeStdErr(b)), 0.155007, d6)
	near(t, "MinTRL a, years", n(judge.MinTRL(a, 0, .95))/12, 0.715216, d6)
	near(t, "MinTRL b, years", n(judge.MinTRL(b, 0, .95))/12, 1.159303, d6)
}

func TestMinTRL_PaperTable(t *testing.T) {
	n := num(t)
	for _, c := range []struct {
		name                              string
		sr, bench, perYear, skew, k, want float64
	}{
		{"daily", 2, 1, 250, 0, 3, 2.731188},
		{"weekly", 2, 1, 52, 0, 3, 2.828834},
		{"monthly", 2, 1, 12, 0, 3, 3.239801},
		{"monthly skewed", 2, 1, 12, -.72, 5.78, 4.991258},
		{"monthly skewed 3 against 2.5", 3, 2.5, 12, -.72, 5.78, 27.352920},
	} {
		q := math.Sqrt(c.perYear)
		s := judge.Sample{Sharpe: c.sr / q, N: 24, Skew: c.skew, Kurtosis: c.k}
		near(t, c.name, n(judge.MinTRL(s, c.bench/q, .95))/c.perYear, c.want, d6)
	}
	s := judge.Sample{Sharpe: .1, N: 24, Kurtosis: 3}
	if v := n(judge.MinTRL(s, .1, .95)); !math.IsInf(v, 1) {
		t.Errorf("no length proves a Sharpe ratio above itself, got %g", v)
	}
}

func TestMinBTL_PaperExample(t *testing.T) {
	n := num(t)
	near(t, "N=45", n(judge.MinBTL(45, 1)), 4.998087, d6)
	near(t, "N=45 bound", n(judge.MinBTLBound(45, 1)), 7.613325, d6)
	near(t, "N=7", n(judge.MinBTL(7, 1)), 1.923143, d6)
	if _, err := judge.MinBTL(0, 1); err == nil {
		t.Error("no trials: want an error")
	}
	if _, err := judge.MinBTLBound(7, 0); err == nil {
		t.Error("Sharpe 0: want an error")
	}
}

// Every number of the 2026 paper's running example.
func TestHowToUseTheSharpeRatio(t *testing.T) {
	n := num(t)
	s := judge.Sample{Sharpe: .036 / .079, N: 24, Skew: -2.448, Kurtosis: 10.164, Rho: .2}
	near(t, "PSR(0) printed", n(judge.PSR2026(s, 0)), .966, d3)
	near(t, "PSR(0)", n(judge.PSR2026(s, 0)), .9658, d4)
	near(t, "PSR(.1)", n(judge.PSR2026(s, .1)), .900, d3)
	near(t, "MinTRL(0) printed", n(judge.MinTRL2026(s, 0, .95)), 19.543, d3)
	near(t, "MinTRL(0)", n(judge.MinTRL2026(s, 0, .95)), 19.5432, d4)
	near(t, "MinTRL(.1)", n(judge.MinTRL2026(s, .1, .95)), 39.369, d3)
	near(t, "β", n(judge.TypeII(s, 0, .5, .95)), .411, d3)
	iid := judge.Sample{Sharpe: s.Sharpe, N: 24, Kurtosis: 3}
	near(t, "β normal", n(judge.TypeII(iid, 0, .5, .95)), .224, d3)
	near(t, "SR0", n(judge.SR0(10, .1)), .49793, 0.5e-5)
	_, sd := judge.MaxMoments(10)
	near(t, "sd of the best", sd*math.Sqrt(.1), .18557, 0.5e-5)
	near(t, "DSR printed", n(judge.DSR2026(s.Sharpe, 10, .1)), .410, d3)
	near(t, "DSR", n(judge.DSR2026(s.Sharpe, 10, .1)), .40998, 0.5e-5)
}

// The paper's standard errors .379 and .214 are 2026 variances at the estimate.
func TestHowToUseTheSharpeRatio_StandardErrors(t *testing.T) {
	s := judge.Sample{Sharpe: .036 / .079, N: 24, Skew: -2.448, Kurtosis: 10.164, Rho: .2}
	near(t, "sd", judge.StdErrAR(s), .37949, 0.5e-5)
	near(t, "sd printed", judge.StdErrAR(s), .379, 0.6e-3) // .37949 is printed as .379
	near(t, "sd normal", judge.StdErrAR(judge.Sample{Sharpe: s.Sharpe, N: 24, Kurtosis: 3}), .214, d3)
}

// Numbers of the mlfinlab test suite (Hudson & Thames).
func TestPSR_HudsonThames(t *testing.T) {
	n := num(t)
	s := judge.Sample{Sharpe: 1.14, N: 250, Kurtosis: 3}
	near(t, "PSR", n(judge.PSR(s, 1)), .9572779, 0.5e-7)
	near(t, "MinTRL", n(judge.MinTRL(s, 1, .95)), 228.734979, d6)
	// Their variance of {3.5, 1.01, 1.02} divides by n.
	sd := stat.StdDevPop([]float64{3.5, 1.01, 1.02})
	near(t, "benchmark", n(judge.SR0(3, sd*sd)), .999016, d6)
	near(t, "DSR", n(judge.DSR(s, 3, sd*sd)), .9583658, 1e-6)
}

func TestAnnualSharpe_WorkedExamples(t *testing.T) {
	x := []float64{.03, .02, .01, -.01, .02, .01, 0, -.01, .01}
	for i := range x {
		x[i] -= .005
	}
	s, err := judge.NewSample(x)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "annual", s.Sharpe*math.Sqrt(12), .987483, 1e-6)
	y := []float64{.259, .198, .364, -.081, .057, .055, .188, .317, .24, .184, -.01, .526}
	for i := range y {
		y[i] -= .05
	}
	if s, err = judge.NewSample(y); err != nil {
		t.Fatal(err)
	}
	near(t, "pypbo", s.Sharpe, .834364, d6)
}

// Lean and vectorbt pass the excess kurtosis. Their numbers are asserted as
// what one gets that way, ours as different, and the mistake as refused where
// it can be seen.
func TestPSR_PeersKurtosisError(t *testing.T) {
	n := num(t)
	asTheyDo := func(skew, raw float64) float64 {
		excess := raw - 3
		return stat.NormalCDF(.458 * math.Sqrt(23) / math.Sqrt(1-skew*.458+(excess-1)/4*.458*.458))
	}
	for _, c := range []struct{ skew, kurt, right, wrong float64 }{
		{0, 3, .98167, .98798},
		{-2.448, 10.164, .91336, .91997},
	} {
		ours := n(judge.PSR(judge.Sample{Sharpe: .458, N: 24, Skew: c.skew, Kurtosis: c.kurt}, 0))
		near(t, "ours", ours, c.right, 1e-5)
		near(t, "theirs", asTheyDo(c.skew, c.kurt), c.wrong, 0.5e-5)
		if math.Abs(ours-c.wrong) < 0.005 {
			t.Errorf("our %g is the peers' wrong value %g", ours, c.wrong)
		}
	}
	_, err := judge.PSR(judge.Sample{Sharpe: .458, N: 24, Kurtosis: 0}, 0)
	if err == nil || !strings.Contains(err.Error(), "raw fourth moment") {
		t.Errorf("excess kurtosis 0 of normal returns must be refused with the reason, got %v", err)
	}
}

func TestSampleRefusesTheImpossible(t *testing.T) {
	ok := judge.Sample{Sharpe: .1, N: 100, Kurtosis: 3}
	for name, change := range map[string]func(*judge.Sample){
		"kurtosis below 1":       func(s *judge.Sample) { s.Kurtosis = .99 },
		"kurtosis under 1+skew²": func(s *judge.Sample) { s.Skew, s.Kurtosis = 2, 4.9 },
		"one return":             func(s *judge.Sample) { s.N = 1 },
		"NaN Sharpe":             func(s *judge.Sample) { s.Sharpe = math.NaN() },
		"infinite skew":          func(s *judge.Sample) { s.Skew = math.Inf(1) },
		"rho 1":                  func(s *judge.Sample) { s.Rho = 1 },
	} {
		s := ok
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s: want an error", name)
		}
		for _, f := range []func() (float64, error){
			func() (float64, error) { return judge.PSR(s, 0) },
			func() (float64, error) { return judge.PSR2026(s, 0) },
			func() (float64, error) { return judge.SharpeStdErr(s) },
			func() (float64, error) { return judge.MinTRL(s, 0, .95) },
			func() (float64, error) { return judge.MinTRL2026(s, 0, .95) },
			func() (float64, error) { return judge.DSR(s, 4, .01) },
			func() (float64, error) { return judge.TypeII(s, 0, .1, .95) },
		} {
			if v, err := f(); err == nil || !math.IsNaN(v) {
				t.Errorf("%s: got %g, %v; want NaN and an error", name, v, err)
			}
		}
	}
	if err := ok.Check(); err != nil {
		t.Errorf("a possible sample is refused: %v", err)
	}
	// At the border of possibility (the paper's own example) it is accepted.
	if err := (judge.Sample{Sharpe: .1, N: 9, Skew: -3, Kurtosis: 10}).Check(); err != nil {
		t.Errorf("skew −3 with kurtosis 10 is possible: %v", err)
	}
	for _, x := range [][]float64{nil, {1}, {1, 1, 1}, {1, math.NaN()}, {1, math.Inf(1)}} {
		if _, err := judge.NewSample(x); err == nil {
			t.Errorf("returns %v: want an error", x)
		}
	}
	if _, err := judge.MinTRL(ok, 0, 1); err == nil {
		t.Error("confidence 1: want an error")
	}
	if _, err := judge.SR0(3, math.NaN()); err == nil {
		t.Error("variance NaN: want an error")
	}
}

// With one trial, normal shape and no autocorrelation the needed length is the
// textbook ((z_.95+z_.80)/SR)² up to the small SR² terms.
func TestPowerTextbook(t *testing.T) {
	n := num(t)
	p := judge.Plan{Sample: judge.Sample{N: 500, Kurtosis: 3}, Trials: 1, Level: .95, Power: .8}
	sr := 1 / math.Sqrt(252)
	need := n(p.Needed(sr))
	near(t, "years for Sharpe 1", need/252, math.Pow(1.6448536+.8416212, 2), .01)
	p.Sample.N = int(math.Round(need))
	near(t, "inverse", n(p.MinDetectable()), sr, 1e-4)
	near(t, "power there", n(judge.TypeII(p.Sample, 0, sr, .95)), .2, 1e-3)
	// More trials need a longer record; autocorrelation too.
	q := p
	q.Trials, q.TrialScale = 10, 1
	if n(q.Needed(sr)) <= need {
		t.Error("trials cost nothing")
	}
	q = p
	q.Sample.Rho = .3
	near(t, "ρ .3 costs (1+ρ)/(1−ρ)", n(q.Needed(sr))/need, 1.3/.7, .01)
	if v := n(p.Needed(0)); !math.IsInf(v, 1) {
		t.Errorf("no record shows a Sharpe ratio of 0, got %g", v)
	}
}
