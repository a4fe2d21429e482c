package trade_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/trade"
	"github.com/mlfactory/mlfactory/view"
)

func TestSimulate_TradesAreTheirLabels(t *testing.T) {
	reasons := map[cost.Exit]int{}
	for seed := range uint64(10) {
		in := record(t, seed, 3000, paid())
		r := simulate(t, in)
		l := in.Labels
		busy, k, ignored, unfilled, signals := int64(math.MinInt64), 0, 0, 0, 0
		for i, side := range in.Side {
			d := l.Spans[i].Decision
			if side == 0 || d < in.From || d >= in.To {
				continue
			}
			signals++
			if d < busy {
				ignored++
				continue
			}
			if !l.Valid[i] {
				unfilled++
				continue
			}
			if k >= len(r.Trades) || r.Trades[k].Row != i {
				t.Fatalf("seed %d: row %d should be trade %d", seed, i, k)
			}
			x, o := r.Trades[k], l.Long
			if side < 0 {
				o = l.Short
			}
			if x.Side != side || x.EntryTime != l.Spans[i].Entry || x.EntryRef != l.EntryPrice[i] || x.Entry != o.Entry[i] || x.ExitTime != o.ExitTime[i] ||
				x.Exit != o.Price[i] || x.ExitRef != o.Ref[i] || x.Gross != o.Gross[i] || x.Net != o.Net[i] || x.Reason != o.Exit[i] {
				t.Fatalf("seed %d: trade %+v differs from label %d", seed, x, i)
			}
			reasons[x.Reason]++
			busy, k = o.ExitTime[i], k+1
		}
		if k != len(r.Trades) || ignored != r.Ignored || signals != r.Signals || unfilled != sumInt(r.Unfilled.Count) {
			t.Fatalf("seed %d: %d trades, %d ignored, %d unfilled of %d signals; want %d, %d, %d of %d", seed,
				len(r.Trades), r.Ignored, sumInt(r.Unfilled.Count), r.Signals, k, ignored, unfilled, signals)
		}
		if ignored == 0 || unfilled == 0 || k < 100 {
			t.Fatalf("seed %d: %d trades, %d ignored, %d unfilled: the case is thin", seed, k, ignored, unfilled)
		}
	}
	for _, e := range []cost.Exit{cost.ProfitTake, cost.StopLoss, cost.Expiry} {
		if reasons[e] < 50 {
			t.Errorf("only %d trades ended by %v", reasons[e], e)
		}
	}
}

func sumInt(x []int) int {
	s := 0
	for _, v := range x {
		s += v
	}
	return s
}

// A record of one trade has days that sum to its net return; a record of all has days that sum to all.
func TestSimulate_DaysSumToTrades(t *testing.T) {
	in := record(t, 1, 3000, paid())
	all := simulate(t, in)
	total, gross := 0.0, 0.0
	overnight := 0
	daily := make([]float64, len(all.Days))
	for _, x := range all.Trades {
		one := in
		one.Side = make([]int8, len(in.Side))
		one.Side[x.Row] = x.Side
		r := simulate(t, one)
		if len(r.Trades) != 1 || math.Abs(sum(r.Net())-x.Net) > 1e-12 || math.Abs(sum(r.Gross())-x.Gross) > 1e-12 {
			t.Fatalf("row %d: days sum to %v net, %v gross; the trade has %v, %v", x.Row, sum(r.Net()), sum(r.Gross()), x.Net, x.Gross)
		}
		active := 0
		for d, v := range r.Net() {
			daily[d] += v
			if v != 0 {
				active++
			}
		}
		if active > 1 {
			overnight++
		}
		total, gross = total+x.Net, gross+x.Gross
	}
	for d, v := range all.Net() {
		if math.Abs(v-daily[d]) > 1e-12 {
			t.Fatalf("day %d: %v, its trades sum to %v", d, v, daily[d])
		}
	}
	if math.Abs(sum(all.Net())-total) > 1e-12*float64(len(all.Trades)) || math.Abs(sum(all.Gross())-gross) > 1e-12*float64(len(all.Trades)) {
		t.Errorf("days sum to %v net, %v gross; trades to %v, %v", sum(all.Net()), sum(all.Gross()), total, gross)
	}
	if overnight < 10 {
		t.Errorf("only %d trades over a session break", overnight)
	}
}

func TestSimulate_EverySessionIsADay(t *testing.T) {
	in := record(t, 2, 2000, paid())
	for i := range in.Side {
		if in.Labels.Spans[i].Decision%(120*minute) != 0 {
			in.Side[i] = 0 // leaves days without a trade
		}
	}
	r := simulate(t, in)
	var want []int32
	until := in.To // or where the last position could have ended
	for i, s := range in.Labels.Spans {
		if in.Labels.Valid[i] && s.Decision >= in.From && s.Decision < in.To {
			until = max(until, s.Outcome)
		}
	}
	for j := range in.Base.End {
		if in.Base.End[j] > in.From && in.Base.Begin[j] < until && (len(want) == 0 || want[len(want)-1] != in.Base.Session[j]) {
			want = append(want, in.Base.Session[j])
		}
	}
	if d := cmp.Diff(want, r.IDs()); d != "" {
		t.Error(d)
	}
	flat := 0
	for _, d := range r.Days {
		if d.Exposure == 0 {
			flat++
			if d.Net != 0 || d.Position != 0 {
				t.Errorf("day %d without a position has %+v", d.ID, d)
			}
		}
		if d.Exposure < 0 || d.Exposure > 1+1e-12 || math.Abs(d.Position) > d.Exposure+1e-12 {
			t.Errorf("day %d has exposure %v and position %v", d.ID, d.Exposure, d.Position)
		}
	}
	if flat == 0 || flat == len(r.Days) {
		t.Errorf("%d of %d days are flat: the case is thin", flat, len(r.Days))
	}
}

// Strategies on the same labels have the same days and the same benchmark,
// whatever they trade and wherever their last trade ends: at the end of the
// range, behind it in the same session, or in the next one.
func TestSimulate_SameSpanForAll(t *testing.T) {
	longer := 0
	for seed := range uint64(8) {
		in := record(t, seed, 3000, paid())
		all := simulate(t, in)
		if all.Days[len(all.Days)-1].ID > in.Base.Session[len(in.Base.End)-1-30] {
			longer++
		}
		for name, side := range map[string]func(i int) int8{
			"nothing":    func(int) int8 { return 0 },
			"all long":   func(int) int8 { return 1 },
			"all short":  func(int) int8 { return -1 },
			"the first":  func(i int) int8 { return int8(max(0, 1-i/400)) },
			"every 50th": func(i int) int8 { return int8(max(0, 1-i%50)) },
		} {
			other := in
			other.Side = make([]int8, len(in.Side))
			for i := range other.Side {
				other.Side[i] = side(i)
			}
			r := simulate(t, other)
			if d := cmp.Diff(all.IDs(), r.IDs()); d != "" {
				t.Errorf("seed %d, %s: other days: %s", seed, name, d)
			}
			if d := cmp.Diff(all.BuyAndHold(), r.BuyAndHold()); d != "" {
				t.Errorf("seed %d, %s: another benchmark: %s", seed, name, d)
			}
		}
	}
	if longer == 0 {
		t.Error("no record goes on behind its range: the case is thin")
	}
}

// Two sessions of three minutes, no barriers in reach: bought at 100 in the second minute, closed the next day at 103.
func byHand(m *cost.Model) trade.Input {
	s := bar.NewSeries(bar.Minute, 7)
	for i, p := range []float64{99, 100, 101, 104, 103, 102} {
		at := int64(i)*minute + int64(i/3)*57*minute
		s.Append(&bar.Bar{Begin: at, End: at + minute, Known: at + minute, Open: p, High: p + .5, Low: p - .5, Close: p + .25, Session: int32(i / 3)})
	}
	in := label.Input{Base: s, Clock: threes{}, Timeframe: bar.Minute, Cost: m, Decisions: []int64{minute / 2, 10 * minute}, Width: []float64{.5, .5}}
	cfg := label.Default()
	cfg.Horizon = 3
	return trade.Input{Base: s, Labels: mustLabel(in, cfg), Cost: m, Side: []int8{1, 0}, From: 0, To: 61 * minute, PerYear: 100}
}

func TestSimulate_ByHand(t *testing.T) {
	m := &cost.Model{Tick: 0.5, PointValue: 2, HalfSpreadTicks: 1, Commission: 0.1, Multiplier: 1}
	in := byHand(m)
	r := simulate(t, in)
	if len(r.Trades) != 1 {
		t.Fatalf("%d trades, labels %v", len(r.Trades), in.Labels.Why)
	}
	x := r.Trades[0]
	if x.Entry != 100.5 || x.Exit != 102.5 || !x.AtOpen || x.ExitTime != 61*minute {
		t.Fatalf("%+v", x)
	}
	fee := 0.1 / (100.5 * 2)
	net := 102.5/100.5 - 1 - 2*fee
	first := 101.25/100.5 - 1 - fee
	for d, want := range []float64{first, net - first} {
		if math.Abs(r.Days[d].Net-want) > 1e-15 {
			t.Errorf("day %d: %v, want %v", d, r.Days[d].Net, want)
		}
	}
	// Held for the last two of three minutes of day 0 and the first of two of day 1: the range ends at minute 61 but the
	// exit is in the bar that begins there.
	if got := []float64{r.Days[0].Position, r.Days[1].Position}; math.Abs(got[0]-2.0/3) > 1e-12 || math.Abs(got[1]-1.0/2) > 1e-12 {
		t.Errorf("positions %v, want 2/3 and 1/2", got)
	}
	if math.Abs(r.Mean-3.0/5) > 1e-12 {
		t.Errorf("mean position %v, want 3 of 5 minutes", r.Mean)
	}
	market := []float64{101.25/99 - 1, 103.25/101.25 - 1}
	for d, want := range market {
		if math.Abs(r.BuyAndHold()[d]-want) > 1e-15 || math.Abs(r.SameExposure()[d]-0.6*want) > 1e-12 {
			t.Errorf("day %d: market %v, same exposure %v; want %v and three fifths of it", d, r.BuyAndHold()[d], r.SameExposure()[d], want)
		}
	}
	s := r.Summarize()
	if math.Abs(s.BreakEvenTicks-(103.0/100-1)/(2*0.5/100)) > 1e-12 {
		t.Errorf("break-even cost of %v ticks a side, want 3", s.BreakEvenTicks)
	}
	// Two half-spreads of one tick and commissions of 0.1/(2·0.5) = 0.1 tick on an entry of 100.5 instead of 100.
	if math.Abs(s.CostTicks-(.03-net)/(2*0.5/100)) > 1e-12 || s.CostTicks < 1.1 || s.CostTicks > 1.12 {
		t.Errorf("cost of %v ticks a side, want about 1.11", s.CostTicks)
	}
	if s.Bets != 1 || s.Longs != 1 || s.Days != 2 || s.ActiveDays != 2 || s.HitRate != 1 || s.TurnoverPerDay != 1 || s.HoldingMinutes != 60 || s.EffectiveN != 1 || math.Abs(s.Exposure-0.6) > 1e-12 {
		t.Errorf("summary %+v", s)
	}
}

// Stopped inside the third minute of the first day: it was held through that minute.
func TestSimulate_HeldThroughTheExitMinute(t *testing.T) {
	in := byHand(&cost.Model{PointValue: 1, Multiplier: 1})
	in.Base.Low[2] = 40
	relabel(&in)
	r := simulate(t, in)
	if x := r.Trades[0]; x.Reason != cost.StopLoss || x.AtOpen || x.ExitTime != 3*minute || x.Exit != 50 {
		t.Fatalf("%+v", x)
	}
	if math.Abs(r.Days[0].Exposure-2.0/3) > 1e-12 || math.Abs(r.Mean-1.0/2) > 1e-12 || math.Abs(r.Days[0].Net+.5) > 1e-15 {
		t.Errorf("%+v, mean position %v; want two of the day's three and of the range's four minutes", r.Days[0], r.Mean)
	}
}

// The second of three days has no bar that can fill: the mark stays, the trade lives on.
func TestSimulate_DayWithoutAFill(t *testing.T) {
	m := &cost.Model{PointValue: 1, Multiplier: 1}
	in := byHand(m)
	for j := 3; j < 6; j++ {
		in.Base.Flags[j] = bar.Late
	}
	at := 120 * minute
	in.Base.Append(&bar.Bar{Begin: at, End: at + minute, Known: at + minute, Open: 110, High: 110, Low: 110, Close: 110, Session: 2})
	in.To = 121 * minute
	relabel(&in)
	r := simulate(t, in)
	want := []float64{.0125, 0, .1 - .0125}
	if len(r.Days) != 3 || len(r.Trades) != 1 {
		t.Fatalf("%d days, %d trades", len(r.Days), len(r.Trades))
	}
	for d, x := range want {
		if math.Abs(r.Days[d].Net-x) > 1e-15 {
			t.Errorf("day %d: %v, want %v", d, r.Days[d].Net, x)
		}
	}
	if r.Days[1].Market != 0 || r.Days[1].Exposure != 1 {
		t.Errorf("day without a fill: %+v", r.Days[1])
	}
}

// A trade that gains nothing is no hit.
func TestSummarize_ZeroIsNoHit(t *testing.T) {
	in := byHand(&cost.Model{PointValue: 1, Multiplier: 1})
	for j := range in.Base.End {
		in.Base.Open[j], in.Base.High[j], in.Base.Low[j], in.Base.Close[j] = 100, 100, 100, 100
	}
	relabel(&in)
	if s := simulate(t, in).Summarize(); s.Bets != 1 || s.HitRate != 0 || s.Net != 0 || s.SharpeAnnual != 0 {
		t.Errorf("%+v", s)
	}
}

// relabel makes the labels anew from changed bars.
func relabel(in *trade.Input) {
	x := label.Input{Base: in.Base, Clock: threes{}, Timeframe: bar.Minute, Cost: in.Cost}
	for _, s := range in.Labels.Spans {
		x.Decisions, x.Width = append(x.Decisions, s.Decision), append(x.Width, .2)
	}
	in.Labels = mustLabel(x, in.Labels.Config)
}

func TestAtCost(t *testing.T) {
	in := record(t, 3, 3000, paid())
	r := simulate(t, in)
	if d := cmp.Diff(r.Days, r.AtCost(1).Days); d != "" {
		t.Errorf("at its own cost: %s", d)
	}
	free, twice := r.AtCost(0), r.AtCost(2)
	for i, x := range r.Trades {
		f, w := free.Trades[i], twice.Trades[i]
		if math.Abs(f.Net-x.Gross) > 1e-12 || !(w.Net < x.Net) || f.ExitTime != x.ExitTime || w.ExitRef != x.ExitRef || w.Gross != x.Gross {
			t.Fatalf("trade %d: free %+v, once %+v, twice %+v", i, f, x, w)
		}
		if x.Net > x.Gross {
			t.Fatalf("trade %d: net %v above gross %v", i, x.Net, x.Gross)
		}
	}
	for d := range r.Days {
		if math.Abs(free.Days[d].Net-r.Days[d].Gross) > 1e-12 || twice.Days[d].Gross != r.Days[d].Gross || twice.Days[d].Position != r.Days[d].Position {
			t.Fatalf("day %d: free %+v, once %+v, twice %+v", d, free.Days[d], r.Days[d], twice.Days[d])
		}
	}
	// The labels of another model give the same record wherever its exits are the same, as they are.
	in.Cost = paid().AtCost(2)
	if _, err := trade.Simulate(in); !errors.Is(err, trade.ErrMismatch) {
		t.Errorf("a simulation at a cost that the labels do not have: %v", err)
	}
}

func TestSimulate_Refusals(t *testing.T) {
	for want, change := range map[string]func(*trade.Input){
		"signals for":    func(in *trade.Input) { in.Side = in.Side[1:] },
		"is empty":       func(in *trade.Input) { in.From = in.To },
		"days a year":    func(in *trade.Input) { in.PerYear = 0 },
		"row 0 has sign": func(in *trade.Input) { in.Side[0] = 3 },
		"missing":        func(in *trade.Input) { in.Cost = nil },
		"point value":    func(in *trade.Input) { in.Cost = &cost.Model{} },
		"no bars":        func(in *trade.Input) { in.From, in.To = 1<<60, 1<<60+1 },
		"order of dec":   func(in *trade.Input) { in.Labels.Spans[1].Decision = 0 },
		"primary side": func(in *trade.Input) {
			in.Labels.Primary = make([]int8, in.Labels.Len())
		},
		"label says": func(in *trade.Input) {
			for i := range in.Labels.Long.Net {
				in.Labels.Long.Net[i] += 1e-9
				in.Labels.Short.Net[i] += 1e-9
			}
		},
	} {
		in := record(t, 4, 600, paid())
		change(&in)
		if _, err := trade.Simulate(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestFitPayoff_AndRule(t *testing.T) {
	v := view.View{
		Rows: make([]int, 6), Class: []int8{-1, -1, 0, 1, 1, 1}, Weight: []float64{1, 3, 1, 1, 1, 0},
		NetLong: []float64{-.02, -.01, -.001, .01, .03, 9}, NetShort: []float64{.01, .02, -.003, -.01, -.02, 9},
	}
	p, err := trade.FitPayoff(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ got, want float64 }{
		{p.Long[0], -.0125}, {p.Long[1], -.001}, {p.Long[2], .02}, {p.Short[0], .0175}, {p.Short[1], -.003}, {p.Short[2], -.015},
	} {
		if math.Abs(x.got-x.want) > 1e-15 {
			t.Errorf("payoff %+v: got %v, want %v", p, x.got, x.want)
		}
	}
	// A class without rows takes the mean of all.
	lone, err := trade.FitPayoff(view.View{Class: []int8{1, -1}, NetLong: []float64{.02, -.04}, NetShort: []float64{-.03, .03}})
	if err != nil || lone.Long[1] != -.01 || lone.Short[1] != 0 || lone.Rows != [3]int{1, 0, 1} {
		t.Errorf("%+v, %v", lone, err)
	}
	pred := prediction([]float64{1, 0, 0}, []float64{0, 1, 0}, []float64{0, 0, 1}, []float64{.25, .5, .25})
	rule := trade.DefaultRule()
	for _, x := range []struct {
		side      string
		threshold float64
		want      []int8
	}{
		// Expected long of the last row: −.0125/4 − .001/2 + .02/4 = .001375; short .0175/4 − .003/2 − .015/4 = −.000875.
		{trade.Both, 0, []int8{-1, 0, 1, 1}},
		{trade.Both, .001375 + 1e-9, []int8{-1, 0, 1, 0}},
		{trade.Both, .02, []int8{0, 0, 0, 0}}, // exceeds, not reaches
		{trade.Long, 0, []int8{0, 0, 1, 1}},
		{trade.Short, 0, []int8{-1, 0, 0, 0}},
		{trade.Both, -1, []int8{-1, 1, 1, 1}},
	} {
		rule.Side, rule.Threshold = x.side, x.threshold
		got, expected, err := rule.Sides(p, pred)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("%+v: %s", rule, d)
		}
		if x.side == trade.Both && math.Abs(expected[3]-.001375) > 1e-15 {
			t.Errorf("expected return %v, want .001375", expected[3])
		}
	}
	for want, change := range map[string]func(*view.View){
		"row 1 has net":    func(v *view.View) { v.NetLong[1] = math.NaN() },
		"row 2 has class":  func(v *view.View) { v.Class[2] = 4 },
		"as many":          func(v *view.View) { v.NetShort = v.NetShort[1:] },
		"sum to 0":         func(v *view.View) { v.Weight = make([]float64, 6) },
		"row 0 has weight": func(v *view.View) { v.Weight[0] = -1 },
	} {
		w := v
		w.Class, w.Weight = append([]int8(nil), v.Class...), append([]float64(nil), v.Weight...)
		w.NetLong, w.NetShort = append([]float64(nil), v.NetLong...), append([]float64(nil), v.NetShort...)
		change(&w)
		if _, err := trade.FitPayoff(w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	rule.Side = "sideways"
	if _, _, err := rule.Sides(p, pred); err == nil || !strings.Contains(err.Error(), "side") {
		t.Errorf("unknown side: %v", err)
	}
	pred.Prob[0] = 2
	if _, _, err := trade.DefaultRule().Sides(p, pred); err == nil {
		t.Error("a probability of 2 was accepted")
	}
}
