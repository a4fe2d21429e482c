package cost_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/internal/floats"
	"github.com/mlfactory/mlfactory/internal/race"
	"pgregory.net/rapid"
)

const minute = int64(bar.Minute)

// ohlc makes one-minute bars without gaps from the epoch on.
func ohlc(rows ...[4]float64) *bar.Series {
	s := bar.NewSeries(bar.Minute, len(rows))
	for i, r := range rows {
		s.Append(&bar.Bar{Begin: int64(i) * minute, End: int64(i+1) * minute, Known: int64(i+1) * minute,
			Open: r[0], High: r[1], Low: r[2], Close: r[3], Volume: 1})
	}
	return s
}

func free() *cost.Model { return &cost.Model{Tick: 0.25, PointValue: 5, Multiplier: 1} }

func TestRoundTrip_TicksAndCurrencyAgree(t *testing.T) {
	// The figures of the predecessor's table (ticks per round trip: commission 0.5 or 0.3, slippage 0.5 or 0.75 per fill), in
	// price units this time: MES 0.25 × $5, MGC 0.1 × $10, SI 0.005 × $5,000.
	for _, x := range []struct {
		name                         string
		tick, point, commission, sl  float64
		ticks, currency, priceToFrac float64
	}{
		{"MES", 0.25, 5, 0.25 * 1.25, 0.5, 1.5, 1.875, 5000},
		{"MES high volatility", 0.25, 5, 0.25 * 1.25, 1, 2.5, 3.125, 5000},
		{"MGC", 0.1, 10, 0.15 * 1, 0.75, 1.8, 1.8, 2000},
		{"MGC high volatility", 0.1, 10, 0.15 * 1, 1.5, 3.3, 3.3, 2000},
		{"SI", 0.005, 5000, 0.25 * 25, 0.5, 1.5, 37.5, 25},
	} {
		m := cost.Model{Tick: x.tick, PointValue: x.point, Commission: x.commission, SlippageTicks: x.sl, Multiplier: 1}
		tol := floats.Rel(1e-12)
		if got := m.RoundTripTicks(x.priceToFrac); !floats.Close(got, x.ticks, tol) {
			t.Errorf("%s: %v ticks, want %v", x.name, got, x.ticks)
		}
		if got := m.RoundTripCurrency(x.priceToFrac); !floats.Close(got, x.currency, tol) {
			t.Errorf("%s: %v a contract, want %v", x.name, got, x.currency)
		}
		if got, want := m.RoundTrip(x.priceToFrac), x.ticks*x.tick/x.priceToFrac; !floats.Close(got, want, tol) {
			t.Errorf("%s: fraction %v, want %v", x.name, got, want)
		}
	}
}

func TestFee_LeastPerOrder(t *testing.T) {
	// 0.005 a share, at least 1 an order: orders of 50,000 are 500 shares at 100 (2.50) and 100 shares at 500 (0.50, so 1).
	m := cost.Model{PointValue: 1, Commission: 0.005, FeeMin: 1, Order: 50000, Multiplier: 1}
	for _, x := range []struct{ price, want float64 }{{100, 0.005}, {500, 0.01}} {
		if got := m.Fee(x.price); !floats.Close(got, x.want, floats.Rel(1e-15)) {
			t.Errorf("fee at %v: %v, want %v", x.price, got, x.want)
		}
	}
	if got := m.AtCost(2).Fee(500); got != 0.02 {
		t.Errorf("twice the cost: %v, want 0.02", got)
	}
	m = cost.Model{PointValue: 2, FeeBps: 10, Multiplier: 1}
	if got := m.Fee(1000); !floats.Close(got, 2, floats.Rel(1e-15)) {
		t.Errorf("10 bps of 2000: %v, want 2", got)
	}
}

func TestAccount_ByHand(t *testing.T) {
	// Half-spread one tick, slippage two ticks, commission 1.25 a side: an aggressive fill is 0.75 worse.
	m := &cost.Model{Tick: 0.25, PointValue: 5, HalfSpreadTicks: 1, SlippageTicks: 2, Commission: 1.25, Multiplier: 1}
	fee := func(entry float64) float64 { return 2.5 / (entry * 5) }
	for _, x := range []struct {
		name        string
		side        int8
		exit        cost.Exit
		take        cost.TakeMode
		entry, out  float64
		gross, gain float64
	}{
		{"long to expiry", 1, cost.Expiry, cost.Limit, 100.75, 109.25, .1, 109.25/100.75 - 1},
		{"long to limit", 1, cost.ProfitTake, cost.Limit, 100.75, 110, .1, 110/100.75 - 1},
		{"long to market take", 1, cost.ProfitTake, cost.NextOpen, 100.75, 109.25, .1, 109.25/100.75 - 1},
		{"long to stop", 1, cost.StopLoss, cost.Limit, 100.75, 109.5, .1, 109.5/100.75 - 1},
		{"short to expiry", -1, cost.Expiry, cost.Limit, 99.25, 110.75, -.1, 1 - 110.75/99.25},
		{"short to limit", -1, cost.ProfitTake, cost.Limit, 99.25, 110, -.1, 1 - 110/99.25},
		{"short to stop", -1, cost.StopLoss, cost.Limit, 99.25, 110.5, -.1, 1 - 110.5/99.25},
	} {
		m.Take = x.take
		f := m.Account(x.side, 100, 110, x.exit)
		tol := floats.Abs(1e-15)
		if f.Entry != x.entry || f.Exit != x.out || !floats.Close(f.Gross, x.gross, tol) || !floats.Close(f.Net, x.gain-fee(x.entry), tol) {
			t.Errorf("%s: %+v, want entry %v exit %v gross %v net %v", x.name, f, x.entry, x.out, x.gross, x.gain-fee(x.entry))
		}
	}
}

// Each side pays its fee on its own price: 10 bps of 100 in and of 110 out.
func TestAccount_FeesOnTheirOwnPrices(t *testing.T) {
	m := &cost.Model{PointValue: 1, FeeBps: 10, Multiplier: 1}
	if got, want := m.Account(1, 100, 110, cost.Expiry).Net, 0.1-(0.1+0.11)/100; !floats.Close(got, want, floats.Abs(1e-15)) {
		t.Errorf("net %v, want %v", got, want)
	}
}

func TestWalk_Paths(t *testing.T) {
	far := 1000 * minute
	flat := [4]float64{100, 100, 100, 100}
	late := func(s *bar.Series, j int) *bar.Series { s.Flags[j] |= bar.Late; return s }
	cut := func(s *bar.Series, j int) *bar.Series {
		for ; j < s.Len(); j++ {
			s.Segment[j] = 1
		}
		return s
	}
	cases := []struct {
		name   string
		bars   *bar.Series
		side   int8
		pt, sl float64
		expiry int64
		take   cost.TakeMode
		status cost.Status
		exit   cost.Exit
		bar    int
		ref    float64
		at     int64
	}{
		{"profit on a tick through", ohlc(flat, [4]float64{100, 101.25, 100, 101}), 1, .01, .01, far, cost.Limit, cost.Done, cost.ProfitTake, 1, 101, 2 * minute},
		{"a touch is no fill", ohlc(flat, [4]float64{100, 101, 100, 101}, [4]float64{101, 101.25, 101, 101}), 1, .01, .01, far, cost.Limit, cost.Done, cost.ProfitTake, 2, 101, 3 * minute},
		{"a gap through fills at the limit", ohlc(flat, [4]float64{105, 106, 105, 105}), 1, .01, .01, far, cost.Limit, cost.Done, cost.ProfitTake, 1, 101, 2 * minute},
		{"market after a touch", ohlc(flat, [4]float64{100, 101, 100, 101}, [4]float64{100.5, 103, 100, 103}), 1, .01, .01, far, cost.NextOpen, cost.Done, cost.ProfitTake, 2, 100.5, 2 * minute},
		{"market after a touch waits for a bar that can fill", late(ohlc(flat, [4]float64{100, 101, 100, 101}, flat, [4]float64{100.5, 103, 100, 103}), 2), 1, .01, .01, far, cost.NextOpen, cost.Done, cost.ProfitTake, 3, 100.5, 3 * minute},
		{"stop on a touch", ohlc(flat, [4]float64{100, 100, 99, 99.5}), 1, .01, .01, far, cost.Limit, cost.Done, cost.StopLoss, 1, 99, 2 * minute},
		{"stop below a gap", ohlc(flat, [4]float64{97, 98, 96, 97}), 1, .01, .01, far, cost.Limit, cost.Done, cost.StopLoss, 1, 97, 2 * minute},
		{"both in one minute is the stop", ohlc(flat, [4]float64{100, 102, 98, 100}), 1, .01, .01, far, cost.Limit, cost.Done, cost.StopLoss, 1, 99, 2 * minute},
		{"in the entry minute", ohlc([4]float64{100, 102, 100, 102}), 1, .01, .01, far, cost.Limit, cost.Done, cost.ProfitTake, 0, 101, minute},
		{"expiry at the next open", ohlc(flat, flat, [4]float64{100.5, 109, 90, 100}), 1, .01, .01, 2 * minute, cost.Limit, cost.Done, cost.Expiry, 2, 100.5, 2 * minute},
		{"expiry inside a bar still looks at it", ohlc(flat, [4]float64{100, 102, 100, 102}, flat), 1, .01, .01, minute + 1, cost.Limit, cost.Done, cost.ProfitTake, 1, 101, 2 * minute},
		{"late bar fills nothing", late(ohlc(flat, [4]float64{100, 150, 50, 100}, flat, flat), 1), 1, .01, .01, 2 * minute, cost.Limit, cost.Done, cost.Expiry, 2, 100, 2 * minute},
		{"late bar delays the expiry", late(ohlc(flat, flat, flat, [4]float64{101, 101, 101, 101}), 2), 1, .05, .05, 2 * minute, cost.Limit, cost.Done, cost.Expiry, 3, 101, 3 * minute},
		{"outage", cut(ohlc(flat, flat, flat), 2), 1, .01, .01, 2 * minute, cost.Limit, cost.Outage, cost.None, 0, 0, 0},
		{"end of data", ohlc(flat, flat), 1, .01, .01, 2 * minute, cost.Limit, cost.EndOfData, cost.None, 0, 0, 0},
		{"no barriers", ohlc(flat, [4]float64{100, 200, 50, 100}, flat), 1, 0, 0, 2 * minute, cost.Limit, cost.Done, cost.Expiry, 2, 100, 2 * minute},
		{"short profit", ohlc(flat, [4]float64{100, 100, 98.75, 99}), -1, .01, .01, far, cost.Limit, cost.Done, cost.ProfitTake, 1, 99, 2 * minute},
		{"short touch is no fill", ohlc(flat, [4]float64{100, 100, 99, 99}, [4]float64{99, 101, 99, 100}), -1, .01, .01, far, cost.Limit, cost.Done, cost.StopLoss, 2, 101, 3 * minute},
		{"short stop above a gap", ohlc(flat, [4]float64{103, 104, 102, 103}), -1, .01, .01, far, cost.Limit, cost.Done, cost.StopLoss, 1, 103, 2 * minute},
		{"short with wider profit", ohlc(flat, [4]float64{100, 100, 98, 98}, [4]float64{98, 98, 97, 97.5}), -1, .02, .01, far, cost.Limit, cost.Done, cost.ProfitTake, 2, 98, 3 * minute},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			m := free()
			m.Take = x.take
			o, status := m.Walk(x.bars, cost.Position{Side: x.side, ProfitTake: x.pt, StopLoss: x.sl, Expiry: x.expiry})
			if status != x.status || o.Exit != x.exit || o.ExitBar != x.bar || !floats.Close(o.ExitRef, x.ref, floats.Rel(1e-14)) || o.ExitTime != x.at {
				t.Fatalf("status %v, %+v", status, o)
			}
			if status == cost.Done && o.Known != x.bars.End[x.bar] {
				t.Errorf("known at %d, want the end of bar %d", o.Known, x.bar)
			}
		})
	}
}

func drawBars(t *rapid.T, n int) *bar.Series {
	s := ohlc()
	last := 400
	q := func(x int) float64 { return float64(x) * 0.25 }
	for i := range n {
		open := last + rapid.IntRange(-3, 3).Draw(t, "gap")
		cl := open + rapid.IntRange(-6, 6).Draw(t, "move")
		high := max(open, cl) + rapid.IntRange(0, 4).Draw(t, "up")
		low := min(open, cl) - rapid.IntRange(0, 4).Draw(t, "down")
		b := bar.Bar{Begin: int64(i) * minute, End: int64(i+1) * minute, Open: q(open), High: q(high), Low: q(low), Close: q(cl)}
		if rapid.IntRange(0, 9).Draw(t, "late") == 0 {
			b.Flags = bar.Late
		}
		s.Append(&b)
		last = cl
	}
	return s
}

// In prices mirrored around the entry, a long becomes a short: same bar, same exit, opposite prices.
func TestWalk_MirrorLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawBars(t, 30)
		mirror := drawBarsMirror(s)
		p := cost.Position{Side: 1, ProfitTake: float64(rapid.IntRange(0, 12).Draw(t, "pt")) / 400, StopLoss: float64(rapid.IntRange(0, 12).Draw(t, "sl")) / 400,
			Expiry: int64(rapid.IntRange(1, 40).Draw(t, "expiry")) * minute}
		m := free()
		m.Take = cost.TakeMode(rapid.IntRange(0, 1).Draw(t, "take"))
		a, sa := m.Walk(s, p)
		p.Side = -1
		b, sb := m.Walk(mirror, p)
		if sa != sb || a.Exit != b.Exit || a.ExitBar != b.ExitBar || a.ExitTime != b.ExitTime {
			t.Fatalf("long %v %+v, mirrored short %v %+v", sa, a, sb, b)
		}
		if sa == cost.Done && (math.Abs(a.ExitRef-s.Open[0]+b.ExitRef-s.Open[0]) > 1e-9 || math.Abs(a.Gross-b.Gross) > 1e-12) {
			t.Fatalf("long %+v, mirrored short %+v", a, b)
		}
	})
}

func drawBarsMirror(s *bar.Series) *bar.Series {
	out, c := bar.NewSeries(bar.Minute, s.Len()), 2*s.Open[0]
	var b bar.Bar
	for i := range s.Len() {
		s.At(i, &b)
		b.Open, b.High, b.Low, b.Close = c-b.Open, c-b.Low, c-b.High, c-b.Close
		out.Append(&b)
	}
	return out
}

// No cost, then more cost: net equals gross, then falls, on both sides alike; exits do not move.
func TestAccount_CostsShrinkBothSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawBars(t, 30)
		m := &cost.Model{Tick: 0.25, PointValue: 5, HalfSpreadTicks: .5, SlippageBps: 1, FeeBps: 1, Commission: 0.1}
		for _, side := range []int8{1, -1} {
			p := cost.Position{Side: side, ProfitTake: .02, StopLoss: .02, Expiry: 20 * minute}
			free, status := m.Walk(s, p)
			if status != cost.Done {
				return
			}
			if math.Abs(free.Net-free.Gross) > 1e-12 {
				t.Fatalf("at no cost net %v, gross %v", free.Net, free.Gross)
			}
			last := free.Net
			for _, mult := range []float64{1, 2} {
				o, _ := m.AtCost(mult).Walk(s, p)
				if o.Exit != free.Exit || o.ExitBar != free.ExitBar || o.ExitRef != free.ExitRef || o.Gross != free.Gross {
					t.Fatalf("the cost moved the exit: %+v, free %+v", o, free)
				}
				if !(o.Net < last) {
					t.Fatalf("side %d at %v times the cost: net %v, not below %v", side, mult, o.Net, last)
				}
				last = o.Net
			}
		}
	})
}

func TestValidate(t *testing.T) {
	for want, m := range map[string]cost.Model{
		"point value":   {Tick: 1},
		"commission":    {PointValue: 1, Commission: -1},
		"tick size":     {PointValue: 1, SlippageTicks: 1},
		"order":         {PointValue: 1, FeeMin: 1},
		"multiplier is": {PointValue: 1, Multiplier: math.NaN()},
	} {
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error about %q", m, err, want)
		}
	}
	if err := free().Validate(); err != nil {
		t.Error(err)
	}
}

func TestWalk_DoesNotAllocate(t *testing.T) {
	flat := [4]float64{100, 100, 100, 100}
	s, m := ohlc(flat, flat, flat), free()
	if n := testing.AllocsPerRun(100, func() { m.Walk(s, cost.Position{Side: 1, ProfitTake: .01, StopLoss: .01, Expiry: 2 * minute}) }); n != 0 && !race.Enabled {
		t.Errorf("%v allocations a walk", n)
	}
}
