package trade_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/internal/floats"
	"github.com/mlfactory/mlfactory/trade"
	"pgregory.net/rapid"
)

// López de Prado (2018), snippet 14.4, on ten days: drawdowns 20, 30, 10; its time under water of .010951 and .008213
// years runs from one drawdown's mark to the next one's (4 and 3 days of 365.25). Ours ends with the recovery.
// The printed digits are cut off, hence bounds of one unit in the last.
func TestDrawdowns_PublishedSeries(t *testing.T) {
	d := trade.Drawdowns([]float64{100, 110, 90, 100, 120, 130, 100, 120, 140, 130})
	want := []trade.Drawdown{
		{Peak: 1, Trough: 2, Recovered: 4, Depth: 20},
		{Peak: 5, Trough: 6, Recovered: 8, Depth: 30},
		{Peak: 8, Trough: 9, Recovered: 10, Depth: 10},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Fatal(diff)
	}
	for i, years := range []float64{.010951, .008213} {
		if got := float64(d[i+1].Peak-d[i].Peak) / 365.25; !floats.Close(got, years, floats.Abs(1e-6)) {
			t.Errorf("drawdown %d: %v years to the next mark, want %v", i, got, years)
		}
	}
	depth, longest := trade.Worst([]float64{-1, 0.5, 1, -2, -1, 2.5})
	if depth != 3 || longest != 3 { // sums −1 −.5 .5 −1.5 −2.5 0: the second stretch has not ended
		t.Errorf("worst drawdown %v, longest %v; want 3 and 3", depth, longest)
	}
}

func TestDrawdowns_BruteForceTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOf(rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(-5, 5).Draw(t, "v")) })).Draw(t, "equity")
		deepest, under := 0.0, 0
		for i := range x {
			top := x[0]
			for _, v := range x[:i+1] {
				top = max(top, v)
			}
			deepest = max(deepest, top-x[i])
			if x[i] < top {
				under++
			}
		}
		got, steps := 0.0, 0
		for _, d := range trade.Drawdowns(x) {
			got = max(got, d.Depth)
			steps += d.Recovered - d.Peak - 1
			if d.Depth != x[d.Peak]-x[d.Trough] || !(d.Peak < d.Trough && d.Trough < d.Recovered) {
				t.Fatalf("%+v of %v", d, x)
			}
		}
		if got != deepest || steps != under {
			t.Fatalf("deepest %v, %d points below a mark; want %v, %d", got, steps, deepest, under)
		}
	})
}

func TestHoldingPeriod_PublishedSeries(t *testing.T) {
	if got := trade.HoldingPeriod([]float64{0, 1, 1, -1, -1, 0, 0, 2, 2, 0}); got != 2 {
		t.Errorf("holding period %v, want 2", got)
	}
	// Two bought at 1, two more at 3: half of them sold at 5, the rest at 6; average entry at 2.
	if got := trade.HoldingPeriod([]float64{0, 2, 2, 4, 4, 2, 0}); got != 3.5 {
		t.Errorf("holding period %v, want 3.5", got)
	}
	if got := trade.HoldingPeriod([]float64{0, 1, 1}); !math.IsNaN(got) {
		t.Errorf("nothing closed: %v, want NaN", got)
	}
}

func TestHHI_PublishedSeries(t *testing.T) {
	var positive []float64
	for _, r := range []float64{-1, 1, 1, 0, 0, 3, 0, 2, -2, 0} {
		if r >= 0 {
			positive = append(positive, r)
		}
	}
	for _, x := range []struct {
		x    []float64
		want float64
	}{{positive, .206997}, {[]float64{10, 0, 0, 0}, 1}, {[]float64{2, 2, 2, 2, 2}, 0}} {
		if got := trade.HHI(x.x); !floats.Close(got, x.want, floats.Abs(1e-6)) {
			t.Errorf("concentration of %v: %v, want %v", x.x, got, x.want)
		}
	}
	for _, x := range [][]float64{nil, {1, 2}, {0, 0, 0}} {
		if got := trade.HHI(x); !math.IsNaN(got) {
			t.Errorf("concentration of %v: %v, want NaN", x, got)
		}
	}
}

// Nine monthly returns over a riskless .005: an annual Sharpe ratio of .987483.
func TestSharpeAnnual_PublishedSeries(t *testing.T) {
	r := []float64{.03, .02, .01, -.01, .02, .01, 0, -.01, .01}
	for i := range r {
		r[i] -= .005
	}
	if got := trade.SharpeAnnual(r, 12); !floats.Close(got, .987483, floats.Abs(1e-6)) {
		t.Errorf("Sharpe ratio %v, want .987483", got)
	}
	for _, x := range [][]float64{nil, {1}, {0, 0, 0}, {.1, .1, .1}} {
		if got := trade.SharpeAnnual(x, 12); got != 0 {
			t.Errorf("Sharpe ratio of %v: %v, want 0", x, got)
		}
	}
}

func TestByYear(t *testing.T) {
	in := record(t, 5, 16000, paid()) // sessions of one hour count as days: 300 sessions from 1970-01-01 on
	r := simulate(t, in)
	years := r.ByYear()
	if len(years) < 2 {
		t.Fatalf("%d years of %d days", len(years), len(r.Days))
	}
	var days, trades int
	var net, gross, market float64
	for i, y := range years {
		if i > 0 && y.Year != years[i-1].Year+1 {
			t.Errorf("year %d follows %d", y.Year, years[i-1].Year)
		}
		days, trades = days+y.Days, trades+y.Trades
		net, gross, market = net+y.Net, gross+y.Gross, market+y.Market
	}
	if years[0].Year != 1970 || days != len(r.Days) || trades != len(r.Trades) || math.Abs(net-sum(r.Net())) > 1e-9 || math.Abs(gross-sum(r.Gross())) > 1e-9 || math.Abs(market-sum(r.BuyAndHold())) > 1e-9 {
		t.Errorf("years %+v do not add up to the record", years)
	}
}

// A trade over New Year counts in the year of its entry, its returns in both.
func TestByYear_TradeOverNewYear(t *testing.T) {
	in := byHand(&cost.Model{PointValue: 1, Multiplier: 1})
	for j := range in.Base.End {
		in.Base.Session[j] += 364 // 1970-12-31 and 1971-01-01
	}
	y := simulate(t, in).ByYear()
	if len(y) != 2 || y[0].Year != 1970 || y[1].Year != 1971 || y[0].Trades != 1 || y[1].Trades != 0 || y[0].HitRate != 1 || !math.IsNaN(y[1].HitRate) {
		t.Fatalf("%+v", y)
	}
	if math.Abs(y[0].Net-.0125) > 1e-15 || math.Abs(y[1].Net-(.03-.0125)) > 1e-15 {
		t.Errorf("%+v", y)
	}
}
