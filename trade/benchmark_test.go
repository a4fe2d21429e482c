package trade_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/trade"
)

// The market doubles over an outage; nobody could hold it then.
func TestBuyAndHold_LeavesOutagesOut(t *testing.T) {
	s := bar.NewSeries(bar.Minute, 8)
	for i, p := range []float64{100, 101, 202, 204, 206, 1000, 208} {
		b := bar.Bar{Begin: int64(i) * minute, End: int64(i+1) * minute, Known: int64(i+1) * minute, Open: p, High: p + 3, Low: p - 1, Close: p + 1, Session: int32(i / 2)}
		if i >= 2 {
			b.Segment = 1
		}
		if i == 5 {
			b.Flags = bar.Late
		}
		s.Append(&b)
	}
	m := &cost.Model{PointValue: 1, Multiplier: 1}
	set := mustLabel(label.Input{Base: s, Clock: threes{}, Timeframe: bar.Minute, Cost: m, Decisions: []int64{minute}, Width: []float64{.1}}, label.Default())
	r := simulate(t, trade.Input{Base: s, Labels: set, Cost: m, Side: []int8{0}, From: 0, To: 7 * minute, PerYear: 250})
	want := []float64{102.0/100 - 1, 205.0/202 - 1, 207.0/205 - 1, 209.0/207 - 1}
	for d, x := range r.BuyAndHold() {
		if math.Abs(x-want[d]) > 1e-12 {
			t.Errorf("day %d: %v, want %v", d, x, want[d])
		}
	}
	if len(r.Days) != len(want) {
		t.Errorf("%d days", len(r.Days))
	}
	if _, err := r.Random(context.Background(), 5, rng.New(1), 1); err == nil {
		t.Error("random entries for a record without trades")
	}
	y := r.Summarize()
	if !math.IsNaN(y.HitRate) || !math.IsNaN(y.BreakEvenTicks) || y.Net != 0 || y.Exposure != 0 {
		t.Errorf("summary of no trades: %+v", y)
	}
}

// A price that never moves: every draw loses exactly the costs.
func TestRandom_PaysTheCostsOfTheTrades(t *testing.T) {
	in := record(t, 6, 2000, paid())
	for j := range in.Base.End {
		in.Base.Open[j], in.Base.High[j], in.Base.Low[j], in.Base.Close[j] = 100, 100, 100, 100
	}
	cfg := in.Labels.Config
	var decisions []int64
	width := make([]float64, in.Labels.Len())
	for i, s := range in.Labels.Spans {
		decisions, width[i] = append(decisions, s.Decision), .01
	}
	in.Labels = mustLabel(label.Input{Base: in.Base, Clock: sessions{}, Timeframe: 2 * bar.Minute, Cost: in.Cost, Decisions: decisions, Width: width}, cfg)
	r := simulate(t, in)
	d, err := r.Random(context.Background(), 20, rng.New(1), 2)
	if err != nil {
		t.Fatal(err)
	}
	paid := 0.0
	for _, x := range r.Trades {
		paid += x.Gross - x.Net
	}
	for i, net := range d.Net {
		if math.Abs(net+paid) > 1e-12 {
			t.Fatalf("draw %d: net %v, the trades cost %v", i, net, paid)
		}
	}
}

func TestRandom_WorkersDoNotMatter(t *testing.T) {
	r := simulate(t, record(t, 7, 3000, paid()))
	want, err := r.Random(context.Background(), 37, rng.New(5).Stream("entries"), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []int{2, 4} {
		got, err := r.Random(context.Background(), 37, rng.New(5).Stream("entries"), w)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%d workers: %s", w, d)
		}
	}
	if want.Sharpe[0] == want.Sharpe[1] {
		t.Error("two draws are the same")
	}
	if _, err := r.Random(context.Background(), 0, rng.New(1), 1); err == nil {
		t.Error("no draws were accepted")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Random(ctx, 5, rng.New(1), 1); err == nil {
		t.Error("a cancelled context was ignored")
	}
}

// steps is a market of n minutes in one session whose opens move by move(j) after minute j, with the record of a long
// that lives for the first minute and, if two, a short that lives for the third.
func steps(t *testing.T, n int, move func(j int) float64, two bool) *trade.Result {
	t.Helper()
	s := bar.NewSeries(bar.Minute, n)
	price := 100.0
	for j := range n {
		next := price * (1 + move(j))
		s.Append(&bar.Bar{Begin: int64(j) * minute, End: int64(j+1) * minute, Known: int64(j+1) * minute, Open: price, High: max(price, next), Low: min(price, next), Close: next})
		price = next
	}
	m := &cost.Model{PointValue: 1, Multiplier: 1}
	in := label.Input{Base: s, Clock: always{}, Timeframe: bar.Minute, Cost: m, Decisions: []int64{-1, 2*minute - 1}, Width: []float64{.9, .9}}
	cfg := label.Default()
	cfg.Horizon, cfg.ProfitTake, cfg.StopLoss, cfg.Latency = 1, 1, 1, 1
	set := mustLabel(in, cfg)
	side := []int8{1, -1}
	if !two {
		side[1] = 0
	}
	r := simulate(t, trade.Input{Base: s, Labels: set, Cost: m, Side: side, From: -1, To: int64(n) * minute, PerYear: 250})
	for _, x := range r.Trades {
		if x.ExitBar != x.EntryBar+1 || !x.AtOpen {
			t.Fatalf("%+v, want to live for one minute", x)
		}
	}
	return r
}

// Every minute moves by its own amount, which tells where a draw entered: all twenty minutes come up alike. Chi-squared
// with 19 degrees of freedom exceeds 43.8 once in a thousand times.
func TestRandom_EntriesAreUniform(t *testing.T) {
	const n, draws = 20, 4000
	r := steps(t, n, func(j int) float64 { return 0.001 * float64(j+1) }, false)
	d, err := r.Random(context.Background(), draws, rng.New(3), 2)
	if err != nil {
		t.Fatal(err)
	}
	var count [n]float64
	for _, net := range d.Net {
		count[int(math.Round(net*1000))-1]++
	}
	chi := 0.0
	for _, c := range count {
		chi += (c - draws/n) * (c - draws/n) / (draws / n)
	}
	if chi > 43.8 {
		t.Errorf("chi-squared %v: %v", chi, count)
	}
}

// Only the first minute moves. Either trade can be the one that holds it, whatever their order was.
func TestRandom_OrderIsRandom(t *testing.T) {
	r := steps(t, 10, func(j int) float64 {
		if j == 0 {
			return .1
		}
		return 0
	}, true)
	d, err := r.Random(context.Background(), 2000, rng.New(4), 1)
	if err != nil {
		t.Fatal(err)
	}
	long, short := 0, 0
	for _, net := range d.Net {
		switch {
		case net > .05:
			long++
		case net < -.05:
			short++
		}
	}
	// Nine and a bit: two of ten minutes are held, so each side holds the first in about 200 of 2000 draws.
	if long < 120 || short < 120 || long+short > 600 {
		t.Errorf("the long holds the first minute in %d draws, the short in %d", long, short)
	}
}

// always is a market that never closes.
type always struct{}

func (always) AddOpenTime(t int64, d time.Duration) int64 { return t + int64(d) }

// A record that enters at random itself lies in the middle of its random entries: over 40 markets the ranks of its net
// return are uniform (mean .5 ± 3.3 standard errors of 1/√(12·40)), and one that knows the future lies at the top.
func TestRandom_RanksOfChanceAreUniform(t *testing.T) {
	mean, top := 0.0, 0
	const markets = 40
	for seed := range uint64(markets) {
		in := record(t, 100+seed, 1500, paid())
		rank := func(in trade.Input) float64 {
			r := simulate(t, in)
			d, err := r.Random(context.Background(), 60, rng.New(seed), 1)
			if err != nil {
				t.Fatal(err)
			}
			below := 0
			net := sum(r.Net())
			for _, x := range d.Net {
				if x < net {
					below++
				}
			}
			return float64(below) / 60
		}
		mean += rank(in) / markets
		for i := range in.Side {
			in.Side[i] = in.Labels.Class[i]
		}
		if rank(in) == 1 {
			top++
		}
	}
	if math.Abs(mean-.5) > 3.3/math.Sqrt(12*markets) {
		t.Errorf("mean rank %v", mean)
	}
	if top != markets {
		t.Errorf("a record that knows the future is best in %d of %d markets only", top, markets)
	}
}

// Always long at no cost, the record is what the market did while it was in.
func TestSameExposure_OfAnAlwaysLongRecord(t *testing.T) {
	in := record(t, 8, 3000, &cost.Model{PointValue: 1, Multiplier: 1})
	for i := range in.Side {
		in.Side[i] = 1
	}
	r := simulate(t, in)
	if !(r.Mean > .5 && r.Mean < 1) {
		t.Fatalf("mean position %v", r.Mean)
	}
	s := r.Summarize()
	if math.Abs(s.Exposure-r.Mean) > 1e-12 || s.MeanPosition != r.Mean || s.Shorts != 0 {
		t.Errorf("exposure %v, mean position %v", s.Exposure, r.Mean)
	}
	for d, x := range r.SameExposure() {
		if x != r.Mean*r.Days[d].Market {
			t.Fatalf("day %d: %v", d, x)
		}
	}
}
