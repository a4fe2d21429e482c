package synth_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/cost"
)

const perSession = 390 // minutes of a SYNTH session

func instrument(t testing.TB, name string) bar.Instrument {
	t.Helper()
	inst, err := bar.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

func generate(t testing.TB, cfg synth.Config) *synth.Market {
	t.Helper()
	m, err := synth.Generate(t.Context(), cfg, instrument(t, "SYNTH"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// moments collects a mean and its standard error.
type moments struct{ n, sum, square float64 }

func (m *moments) add(x float64) { m.n++; m.sum += x; m.square += x * x }

func (m *moments) mean() float64 { return m.sum / m.n }
func (m *moments) variance() float64 {
	return (m.square - m.sum*m.sum/m.n) / (m.n - 1)
}
func (m *moments) err() float64 { return math.Sqrt(m.variance() / m.n) }

// clock is +1 in the first half of a session and −1 in the second.
func clock(minute int) int8 {
	if 2*(minute%perSession) >= perSession {
		return -1
	}
	return 1
}

// TestNullIsMartingale: the standardised simple return of the mid has mean zero
// given regime, half of the session, volume chain and the sign of the last move.
// 16 cells, each within 4 standard errors: a fair market fails with a chance of
// 16 × 6e-5 = 0.1 %; the planted one must be caught by the same test.
func TestNullIsMartingale(t *testing.T) {
	cfg := synth.Default()
	cfg.Seed, cfg.Sessions = 11, 1500
	worst := func(c synth.Config) float64 {
		tr := generate(t, c).Truth
		cells := map[[4]int8]*moments{}
		last := int8(1)
		for i := range tr.Time {
			r := tr.Mid[i]/tr.Open[i] - 1
			regime := int8(0)
			if tr.Turbulent[i] {
				regime = 1
			}
			key := [4]int8{regime, clock(i), tr.State[i] * clock(i), last}
			if cells[key] == nil {
				cells[key] = &moments{}
			}
			cells[key].add(r / tr.Sigma[i])
			last = 1
			if r < 0 {
				last = -1
			}
		}
		if len(cells) != 16 {
			t.Fatalf("%d cells, want 16", len(cells))
		}
		w := 0.0
		for _, m := range cells {
			if m.n < 5000 {
				t.Fatalf("a cell has %v minutes", m.n)
			}
			if v := m.variance(); math.Abs(v-1) > 6*math.Sqrt(2/m.n)+0.001 { // a normal's variance has error √(2/n)
				t.Errorf("variance of standardised moves %v, want 1", v)
			}
			w = max(w, math.Abs(m.mean())/m.err())
		}
		return w
	}
	if w := worst(cfg.Null()); w > 4 {
		t.Errorf("null: the mean move of a cell is %.1f standard errors from 0", w)
	}
	if w := worst(cfg); w < 8 {
		t.Errorf("planted: no cell deviates by more than %.1f standard errors; this test could not see a drift", w)
	}
}

// TestOvernightGapIsFair: the overnight jump has mean 0 and the stated deviation.
func TestOvernightGapIsFair(t *testing.T) {
	cfg := synth.Default().Null()
	cfg.Seed, cfg.Sessions = 5, 3000
	tr := generate(t, cfg).Truth
	var m moments
	for i := perSession; i < len(tr.Time); i += perSession {
		m.add(tr.Open[i]/tr.Mid[i-1] - 1)
	}
	want := cfg.Gap * cfg.Sigma * math.Sqrt(perSession)
	if math.Abs(m.mean()) > 4*m.err() {
		t.Errorf("mean gap %g ± %g, want 0", m.mean(), m.err())
	}
	if got := math.Sqrt(m.variance()); math.Abs(got/want-1) > 4*math.Sqrt(0.5/m.n) {
		t.Errorf("deviation of gaps %g, want %g", got, want)
	}
}

// TestUnconditionalVariance: seasons, regimes and GARCH leave the mean variance
// of a minute at σ̄². The regime dominates the error: its autocorrelation time of
// 1200 minutes leaves √(¼·1200/n) = 1.4 % over 4000 sessions.
func TestUnconditionalVariance(t *testing.T) {
	cfg := synth.Default().Null()
	cfg.Seed, cfg.Sessions = 3, 4000
	tr := generate(t, cfg).Truth
	var model, realised moments
	for i, s := range tr.Sigma {
		model.add(s * s)
		r := math.Log(tr.Mid[i] / tr.Open[i])
		realised.add(r * r)
	}
	want := cfg.Sigma * cfg.Sigma
	for name, m := range map[string]*moments{"σ_t²": &model, "squared moves": &realised} {
		if got := m.mean() / want; math.Abs(got-1) > 4*0.015 {
			t.Errorf("mean of %s is %.4f σ̄², want 1", name, got)
		}
	}
}

// TestPlantedAndNullShareEveryDraw: the two differ by κσ̄·Σ a·c in the log of
// the mid and in nothing else.
func TestPlantedAndNullShareEveryDraw(t *testing.T) {
	cfg := synth.Default()
	cfg.Seed, cfg.Sessions = 7, 60
	p, n := generate(t, cfg), generate(t, cfg.Null())
	if !slices.Equal(p.Truth.Time, n.Truth.Time) || !slices.Equal(p.Truth.State, n.Truth.State) ||
		!slices.Equal(p.Truth.Sigma, n.Truth.Sigma) || !slices.Equal(p.Truth.Turbulent, n.Truth.Turbulent) {
		t.Error("times, states, deviations or regimes differ")
	}
	a, b := p.Base, n.Base
	if !slices.Equal(a.Begin, b.Begin) || !slices.Equal(a.End, b.End) || !slices.Equal(a.Known, b.Known) ||
		!slices.Equal(a.Volume, b.Volume) || !slices.Equal(a.Session, b.Session) || !slices.Equal(a.Segment, b.Segment) || !slices.Equal(a.Flags, b.Flags) {
		t.Error("bars differ in more than prices")
	}
	sum := 0.0
	for i := range p.Truth.Mid {
		sum += float64(p.Truth.State[i])
		want := n.Truth.Mid[i] * math.Exp(cfg.Coupling*cfg.Sigma*sum)
		if math.Abs(p.Truth.Mid[i]/want-1) > 1e-10 { // 4 roundings a minute: 1e5·1e-16
			t.Fatalf("minute %d: planted mid %v, null mid with the drift %v", i, p.Truth.Mid[i], want)
		}
	}
	if slices.Equal(a.Close, b.Close) {
		t.Error("the planted market has the null's prices")
	}
}

// TestPrints: prices lie on the grid and open within half-spread and rounding of
// the mid, high and low bound open and close.
func TestPrints(t *testing.T) {
	for _, name := range []string{"SYNTH", "BTCUSD"} { // half-spread in ticks; in basis points
		inst := instrument(t, name)
		cfg := synth.Default()
		cfg.Sessions, cfg.Price, cfg.Sigma = 12, 20000, 2e-3
		m, err := synth.Generate(t.Context(), cfg, inst)
		if err != nil {
			t.Fatal(err)
		}
		at := map[int64]int{}
		for i, x := range m.Truth.Time {
			at[x] = i
		}
		b := m.Base
		bounce := map[bool]int{}
		for j := range b.Len() {
			for _, x := range []float64{b.Open[j], b.High[j], b.Low[j], b.Close[j]} {
				if k := x / inst.TickSize; math.Abs(k-math.Round(k)) > 1e-5 {
					t.Fatalf("%s: bar %d: price %v is off the grid of %v", name, j, x, inst.TickSize)
				}
			}
			if b.High[j] < max(b.Open[j], b.Close[j]) || b.Low[j] > min(b.Open[j], b.Close[j]) || b.Low[j] <= 0 {
				t.Fatalf("%s: bar %d is inconsistent", name, j)
			}
			mid := m.Truth.Open[at[b.Begin[j]]]
			half := inst.HalfSpread(mid)
			if d := math.Abs(b.Open[j] - mid); d > half+inst.TickSize/2+1e-6 || d < half-inst.TickSize/2-1e-6 {
				t.Fatalf("%s: bar %d opens %v from the mid, half-spread %v, tick %v", name, j, d, half, inst.TickSize)
			}
			bounce[b.Open[j] > mid]++
			if b.Volume[j] < 1 || b.Volume[j] != math.Trunc(b.Volume[j]) {
				t.Fatalf("%s: bar %d has volume %v", name, j, b.Volume[j])
			}
		}
		n := float64(b.Len())
		if d := math.Abs(float64(bounce[true]) - n/2); d > 4*math.Sqrt(n)/2 {
			t.Errorf("%s: %v opens above the mid, %v below", name, bounce[true], bounce[false])
		}
	}
}

func TestNoTradeShare(t *testing.T) {
	for _, p := range []float64{0, 0.004, 0.3} {
		cfg := synth.Default()
		cfg.Sessions, cfg.NoTrade = 200, p
		m := generate(t, cfg)
		n := float64(len(m.Truth.Time))
		missing := n - float64(m.Base.Len())
		if math.Abs(missing-n*p) > 4*math.Sqrt(n*p*(1-p)) {
			t.Errorf("no-trade probability %v: %v of %v minutes have no bar", p, missing, n)
		}
	}
}

// TestSessionsByCalendar: minutes are the calendar's sessions, whole.
func TestSessionsByCalendar(t *testing.T) {
	for _, name := range []string{"SYNTH", "MES", "SPY", "BTCUSD"} {
		inst := instrument(t, name)
		cal, err := inst.NewCalendar()
		if err != nil {
			t.Fatal(err)
		}
		cfg := synth.Default()
		cfg.Sessions, cfg.NoTrade, cfg.Start = 12, 0, "2018-03-05" // over a change to summer time
		m, err := synth.Generate(t.Context(), cfg, inst)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Date(2018, 3, 5, 0, 0, 0, 0, time.UTC).UnixNano()
		i, ids := 0, map[int32]bool{}
		for s := cal.Next(start); len(ids) < cfg.Sessions; s = cal.Next(s.Close) {
			ids[s.ID] = true
			for at := s.Open; at < s.Close; at += int64(bar.Minute) {
				if i >= len(m.Truth.Time) || m.Truth.Time[i] != at {
					t.Fatalf("%s: minute %d is not the calendar's %v", name, i, time.Unix(0, at).UTC())
				}
				if m.Base.Session[i] != s.ID {
					t.Fatalf("%s: bar %d is of session %d, want %d", name, i, m.Base.Session[i], s.ID)
				}
				i++
			}
		}
		if i != m.Base.Len() || m.Truth.Sessions != cfg.Sessions {
			t.Errorf("%s: %d bars in %d sessions, the calendar has %d minutes", name, m.Base.Len(), m.Truth.Sessions, i)
		}
	}
}

// TestDeterministic: equal seeds give equal bars, another seed others, and a
// longer market begins with the shorter.
func TestDeterministic(t *testing.T) {
	cfg := synth.Default()
	cfg.Sessions = 20
	a, b := generate(t, cfg), generate(t, cfg)
	if !slices.Equal(a.Base.Close, b.Base.Close) || !slices.Equal(a.Truth.Mid, b.Truth.Mid) {
		t.Error("two markets of one seed differ")
	}
	cfg.Sessions = 30
	long := generate(t, cfg)
	n := a.Base.Len()
	if !slices.Equal(a.Base.Close, long.Base.Close[:n]) || !slices.Equal(a.Base.Volume, long.Base.Volume[:n]) || !slices.Equal(a.Base.Session, long.Base.Session[:n]) {
		t.Error("a longer market does not begin with the shorter one's bars")
	}
	cfg.Seed++
	if slices.Equal(long.Base.Close, generate(t, cfg).Base.Close) {
		t.Error("another seed gives the same market")
	}
}

// TestOracleSharpe compares the closed form with the oracle trader played out on
// the truth.
func TestOracleSharpe(t *testing.T) {
	fast := synth.Default()
	fast.State, fast.Coupling, fast.Turbulent = 40, 0.15, 1.5
	for name, cfg := range map[string]synth.Config{"default": synth.Default(), "fast": fast} {
		cfg.Seed, cfg.Sessions = 23, 3000
		const perUnit, year = 5e-5, 261.0
		tr := generate(t, cfg).Truth
		var net, flips, scaled moments
		sigma2 := 0.0
		for lo := 0; lo < len(tr.Time); lo += perSession {
			r, f, v := 0.0, 0.0, 0.0
			for i := lo; i < lo+perSession; i++ {
				r += float64(tr.State[i]) * (tr.Mid[i]/tr.Open[i] - 1)
				v += tr.Sigma[i] * tr.Sigma[i]
				if i > lo && tr.State[i] != tr.State[i-1] {
					f++
				}
			}
			flips.add(f)
			net.add(r - perUnit*(2+2*f))
			gross := perSession * cfg.Coupling * cfg.Sigma
			scaled.add((r - gross) * (r - gross) / v)
			sigma2 += v
		}
		q := 1 / cfg.State
		F := (perSession-2)*q + 1 - q
		V := (perSession - 1) * q * (1 - q)
		if math.Abs(flips.mean()-F) > 4*flips.err() {
			t.Errorf("%s: %.4f ± %.4f changes of sign a session, want %.4f", name, flips.mean(), flips.err(), F)
		}
		if v := flips.variance(); math.Abs(v/V-1) > 0.15 { // error √(2/3000) and an excess kurtosis of 1/V
			t.Errorf("%s: changes of sign have variance %.3f, want %.3f", name, v, V)
		}
		mean := perSession*cfg.Coupling*cfg.Sigma - perUnit*(2+2*F)
		if math.Abs(net.mean()-mean) > 4*net.err() {
			t.Errorf("%s: oracle's mean %g ± %g, closed form %g", name, net.mean(), net.err(), mean)
		}
		if math.Abs(scaled.mean()-1) > 4*scaled.err() {
			t.Errorf("%s: variance of the oracle's gross return given σ is %.3f ± %.3f of Σσ²", name, scaled.mean(), scaled.err())
		}
		got := math.Sqrt(year) * net.mean() / math.Sqrt(net.variance())
		want := cfg.OracleSharpe(perSession, perUnit, year)
		// The deviation's error: 1/√(2n) = 1.3 % for normal returns, about 2 %
		// with regimes that last three sessions; the mean's: √year/√n = 0.3.
		if tol := 4 * math.Hypot(0.02*want, math.Sqrt(year/3000)); math.Abs(got-want) > tol {
			t.Errorf("%s: the oracle earns a Sharpe ratio of %.2f, closed form %.2f ± %.2f", name, got, want, tol)
		}
		if s2 := sigma2 / float64(len(tr.Time)) / cfg.Sigma / cfg.Sigma; math.Abs(s2-1) > 4*0.017 {
			t.Errorf("%s: Σσ² is %.3f of its mean", name, s2)
		}
	}
}

// TestOracleIsWorthFinding: at SYNTH's own costs, which cover half-spread and
// slippage of a generated price, the oracle of the default market has a net
// Sharpe ratio of at least 8, and none on the null.
func TestOracleIsWorthFinding(t *testing.T) {
	inst := instrument(t, "SYNTH")
	m, err := cost.New(inst, cost.Default())
	if err != nil {
		t.Fatal(err)
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	for _, price := range []float64{100, 400, 1600} {
		f := m.Account(1, price, price, cost.Expiry)
		loss := -f.Net * price // of a round trip at unchanged prices
		if least := 2 * (inst.HalfSpread(price) + inst.Slippage(price)); loss < least*(1-1e-9) {
			t.Errorf("a round trip at %v costs %v, half-spread and slippage twice are %v", price, loss, least)
		}
	}
	cfg := synth.Default()
	perUnit := -m.Account(1, cfg.Price, cfg.Price, cost.Expiry).Net / 2
	if s := cfg.OracleSharpe(perSession, perUnit, cal.DaysPerYear()); s < 8 {
		t.Errorf("the oracle's net Sharpe ratio is %.2f, want at least 8", s)
	}
	if s := cfg.Null().OracleSharpe(perSession, perUnit, cal.DaysPerYear()); s >= 0 {
		t.Errorf("the oracle earns %.2f on the null", s)
	}
}

// TestLinearModelSeesNothing: neither the volume chain nor the clock says
// anything about the sign of the drift. Sessions are nearly independent.
func TestLinearModelSeesNothing(t *testing.T) {
	cfg := synth.Default()
	cfg.Seed, cfg.Sessions = 31, 3000
	tr := generate(t, cfg).Truth
	var up, down, first, second, product moments
	for lo := 0; lo < len(tr.Time); lo += perSession {
		var a, c [2]float64
		for i := lo; i < lo+perSession; i++ {
			s := float64(tr.State[i])
			if tr.State[i]*clock(i) > 0 {
				a[0] += s
			} else {
				a[1] += s
			}
			if clock(i) > 0 {
				c[0] += s
			} else {
				c[1] += s
			}
			product.add(s * float64(clock(i)) * float64(tr.State[i]*clock(i)))
		}
		up.add(a[0] / perSession)
		down.add(a[1] / perSession)
		first.add(c[0] / perSession)
		second.add(c[1] / perSession)
	}
	for name, m := range map[string]*moments{"a = +1": &up, "a = −1": &down, "the first half": &first, "the second half": &second} {
		if math.Abs(m.mean()) > 4*m.err() {
			t.Errorf("mean drift sign where %s: %.4f ± %.4f, want 0", name, m.mean(), m.err())
		}
	}
	if product.mean() != 1 {
		t.Errorf("the product of chain and clock gives the sign with correlation %v, want 1", product.mean())
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*synth.Config)
	}{
		{"no sessions", "sessions", func(c *synth.Config) { c.Sessions = 0 }},
		{"infinite variance", "alpha + beta is 1", func(c *synth.Config) { c.Alpha, c.Beta = 0.1, 0.9 }},
		{"bad date", "is not a date", func(c *synth.Config) { c.Start = "yesterday" }},
		{"hazard without end", "state_minutes", func(c *synth.Config) { c.State = 0 }},
		{"no price", "price", func(c *synth.Config) { c.Price = 0 }},
		{"not a number", "sigma", func(c *synth.Config) { c.Sigma = math.NaN() }},
		{"past what an instant holds", "1900 to 2200", func(c *synth.Config) { c.Start = "9000-01-01" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := synth.Default()
			cfg.Sessions = 2
			c.change(&cfg)
			_, err := synth.Generate(t.Context(), cfg, instrument(t, "SYNTH"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
	cfg := synth.Default()
	cfg.Alpha, cfg.Beta, cfg.Start = 0.1, 0.9, "soon"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "soon") || !strings.Contains(err.Error(), "alpha") {
		t.Errorf("not all problems at once: %v", err)
	}
	inst := instrument(t, "SYNTH")
	inst.TickSize = 0
	if _, err := synth.Generate(t.Context(), synth.Default(), inst); err == nil || !strings.Contains(err.Error(), "tick") {
		t.Errorf("a tick of 0: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := synth.Generate(ctx, synth.Default(), instrument(t, "SYNTH")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func Example() {
	inst, err := bar.Find("SYNTH")
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := synth.Default()
	cfg.Sessions = 5
	for _, c := range []synth.Config{cfg, cfg.Null()} {
		m, err := synth.Generate(context.Background(), c, inst)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("κ = %.2f: %d bars of %d minutes, oracle's net Sharpe ratio %.1f\n",
			c.Coupling, m.Base.Len(), len(m.Truth.Time), c.OracleSharpe(390, 5e-5, 261))
	}
	// Output:
	// κ = 0.08: 1939 bars of 1950 minutes, oracle's net Sharpe ratio 24.7
	// κ = 0.00: 1939 bars of 1950 minutes, oracle's net Sharpe ratio -0.8
}
