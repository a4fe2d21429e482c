package label_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/param"
	"pgregory.net/rapid"
)

const minute = int64(bar.Minute)

// always is a market that never closes.
type always struct{}

func (always) AddOpenTime(t int64, d time.Duration) int64 { return t + int64(d) }

// market makes minutes from a seed: prices on a grid of 0.25 around 100, some minutes without a trade, some late bars,
// sessions of 40 minutes with a break of 20, an outage every outage bars.
func market(seed uint64, n, outage int) *bar.Series {
	r := rand.New(rand.NewPCG(seed, 7))
	s := bar.NewSeries(bar.Minute, n)
	price, seg := 400, int32(0)
	at := int64(0)
	for i := 0; i < n; i++ {
		day := at / (60 * minute)
		if at%(60*minute) >= 40*minute {
			at = (day + 1) * 60 * minute
			day++
		}
		if r.IntN(12) == 0 {
			at += minute
			i--
			continue
		}
		var flags bar.Flag
		if outage > 0 && i > 0 && i%outage == 0 {
			seg++
			at += 90 * minute
			at -= at % (60 * minute)
			day = at / (60 * minute)
			flags |= bar.SegmentStart
		}
		open := max(40, price+r.IntN(5)-2)
		cl := max(40, open+r.IntN(13)-6)
		b := bar.Bar{Begin: at, End: at + minute, Known: at + minute, Open: float64(open) / 4, Close: float64(cl) / 4,
			High: float64(max(open, cl)+r.IntN(4)) / 4, Low: float64(min(open, cl)-r.IntN(4)) / 4, Volume: 1, Session: int32(day), Segment: seg, Flags: flags}
		if r.IntN(20) == 0 {
			b.Flags, b.Known = b.Flags|bar.Late, b.End+3*minute
		}
		s.Append(&b)
		price, at = cl, at+minute
	}
	return s
}

// sessions is the calendar of market: open in the first 40 of every 60 minutes.
type sessions struct{}

func (sessions) AddOpenTime(t int64, d time.Duration) int64 {
	hour, open := 60*minute, 40*minute
	for left := int64(d); ; {
		day := t / hour
		in := max(0, day*hour+open-t)
		if left <= in {
			return t + left
		}
		left -= in
		t = (day + 1) * hour
	}
}

func paid() *cost.Model {
	return &cost.Model{Tick: 0.25, PointValue: 5, HalfSpreadTicks: 0.5, SlippageTicks: 0.5, Commission: 0.2, Multiplier: 1}
}

func input(s *bar.Series, every int64) label.Input {
	in := label.Input{Base: s, Clock: sessions{}, Timeframe: 5 * bar.Minute, Cost: paid()}
	for t := s.Begin[0] + every; t <= s.End[s.Len()-1]; t += every {
		in.Decisions = append(in.Decisions, t)
		w := 0.01 + 0.01*float64(len(in.Decisions)%5)
		if len(in.Decisions)%17 == 0 {
			w = math.NaN()
		}
		in.Width = append(in.Width, w)
	}
	return in
}

func config() label.Config {
	c := label.Default()
	c.Horizon, c.ProfitTake, c.StopLoss = 4, 1, 1
	return c
}

func triple(t interface {
	Helper()
	Fatal(...any)
}, in label.Input, cfg label.Config, workers int) *label.Set {
	t.Helper()
	s, err := label.Triple(context.Background(), in, cfg, workers)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// twin labels one row in the plainest words, over a list of minutes instead of indices. It knows the profit-take limit
// mode only.
func twin(in label.Input, cfg label.Config, i int) (class int8, netLong, netShort float64, outcome int64, why string) {
	s, d := in.Base, in.Decisions[i]
	if math.IsNaN(in.Width[i]) {
		return 0, 0, 0, 0, label.WhyNoWidth
	}
	seg, entry := int32(-1), -1
	for j := range s.Len() {
		if s.End[j] <= d {
			seg = s.Segment[j]
		}
		if s.Begin[j] >= d+int64(cfg.Latency) && s.Flags[j]&bar.Late == 0 {
			entry = j
			break
		}
	}
	if entry < 0 {
		return 0, 0, 0, 0, label.WhyEnd
	}
	if s.Segment[entry] != seg {
		return 0, 0, 0, 0, label.WhyOutage
	}
	if s.Begin[entry] > d+int64(cfg.EntryLimit) {
		return 0, 0, 0, 0, label.WhyNoEntry
	}
	expiry := in.Clock.AddOpenTime(d, time.Duration(cfg.Horizon)*time.Duration(in.Timeframe))
	if s.Begin[entry] >= expiry {
		return 0, 0, 0, 0, label.WhyExpired
	}
	m, o := in.Cost, s.Open[entry]
	const eps = 1e-7
	one := func(sign float64) (net float64, known int64, why string) {
		fee := func(p float64) float64 { return m.Commission / m.PointValue }
		bad := (m.HalfSpreadTicks + m.SlippageTicks) * m.Tick
		in := o + sign*bad
		result := func(out float64) float64 { return sign*(out-in)/in - (fee(in)+fee(out))/in }
		take, stop := o*(1+sign*cfg.ProfitTake*inWidth(i)), o*(1-sign*cfg.StopLoss*inWidth(i))
		for j := entry; j < s.Len(); j++ {
			if s.Segment[j] != seg {
				return 0, 0, label.WhyOutage
			}
			if s.Flags[j]&bar.Late != 0 {
				continue
			}
			if s.Begin[j] >= expiry {
				return result(s.Open[j] - sign*bad), s.End[j], ""
			}
			best, worst := s.High[j], s.Low[j]
			if sign < 0 {
				best, worst = s.Low[j], s.High[j]
			}
			if sign*(worst-stop) <= eps {
				out := stop
				if sign*(s.Open[j]-stop) < 0 {
					out = s.Open[j]
				}
				return result(out - sign*m.SlippageTicks*m.Tick), s.End[j], ""
			}
			if sign*(best-take)-m.Tick >= -eps {
				return result(take), s.End[j], ""
			}
		}
		return 0, 0, label.WhyEnd
	}
	netLong, knownLong, why := one(1)
	if why != "" {
		return 0, 0, 0, 0, why
	}
	netShort, knownShort, why := one(-1)
	if why != "" {
		return 0, 0, 0, 0, why
	}
	if netLong > 0 {
		class = 1
	}
	if netShort > 0 {
		class = -1
	}
	return class, netLong, netShort, max(knownLong, knownShort), ""
}

func inWidth(i int) float64 { return 0.01 + 0.01*float64((i+1)%5) }

func TestTriple_BruteForceTwin(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(20) {
		in := input(market(seed, 400, 150), 5*minute)
		cfg := config()
		set := triple(t, in, cfg, 1)
		for i := range in.Decisions {
			class, long, short, outcome, why := twin(in, cfg, i)
			seen[why]++
			if why != set.Why[i] || (why == "") != set.Valid[i] {
				t.Fatalf("seed %d row %d: %q, want %q", seed, i, set.Why[i], why)
			}
			if why != "" {
				if !math.IsNaN(set.Long.Net[i]) || !math.IsNaN(set.EntryPrice[i]) || set.Spans[i].Outcome != 0 || set.Class[i] != 0 {
					t.Fatalf("seed %d row %d: an invalid row carries numbers", seed, i)
				}
				continue
			}
			if set.Class[i] != class || set.Spans[i].Outcome != outcome || math.Abs(set.Long.Net[i]-long) > 1e-12 || math.Abs(set.Short.Net[i]-short) > 1e-12 {
				t.Fatalf("seed %d row %d: class %d net %v %v outcome %d, want %d %v %v %d", seed, i,
					set.Class[i], set.Long.Net[i], set.Short.Net[i], set.Spans[i].Outcome, class, long, short, outcome)
			}
		}
	}
	for _, why := range []string{"", label.WhyNoEntry, label.WhyNoWidth, label.WhyOutage, label.WhyEnd} {
		if seen[why] == 0 {
			t.Errorf("no row was %q: the comparison is empty there (%v)", why, seen)
		}
	}
}

// With a primary side the two barriers differ; the twin follows both sides and tells what the one would have earned.
func TestTriple_BruteForceTwinOfPrimarySides(t *testing.T) {
	compared := map[label.Exit]int{}
	for seed := range uint64(12) {
		in := input(market(seed, 400, 150), 5*minute)
		for i := range in.Decisions {
			in.Side = append(in.Side, int8(1-2*(i%2)))
		}
		cfg := config()
		cfg.ProfitTake, cfg.StopLoss = 1.5, 0.6
		set := triple(t, in, cfg, 1)
		for i, side := range in.Side {
			_, long, short, _, why := twin(in, cfg, i)
			if why != "" || !set.Valid[i] {
				continue // a label may end before an outage that the other side meets
			}
			want := long
			if side < 0 {
				want = short
			}
			if got := set.Of(side).Net[i]; math.Abs(got-want) > 1e-12 || (set.Class[i] == 1) != (want > 0) {
				t.Fatalf("seed %d row %d side %+d: net %v class %d, want %v", seed, i, side, got, set.Class[i], want)
			}
			compared[set.Of(side).Exit[i]]++
		}
	}
	for _, e := range []label.Exit{label.ProfitTake, label.StopLoss, label.Expiry} {
		if compared[e] < 20 {
			t.Errorf("only %d labels compared that end by %v", compared[e], e)
		}
	}
}

func TestTriple_WorkersDoNotMatter(t *testing.T) {
	in := input(market(3, 12000, 5000), minute)
	digest := func(workers int) string {
		f, err := triple(t, in, config(), workers).Frame()
		if err != nil {
			t.Fatal(err)
		}
		return f.Digest()
	}
	if len(in.Decisions) < 3*4096 {
		t.Fatalf("%d decisions are too few for several blocks of work", len(in.Decisions))
	}
	want := digest(1)
	for _, w := range []int{2, 4, 64} {
		if digest(w) != want {
			t.Fatalf("%d workers change the labels", w)
		}
	}
}

// Whatever comes after a cut may change only rows whose outcome was not known at the cut.
func TestTriple_FutureIsFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64Range(0, 1000).Draw(t, "seed")
		cut := rapid.IntRange(50, 350).Draw(t, "cut")
		a := market(seed, 400, 170)
		b := market(seed, 400, 170)
		for j := cut; j < b.Len(); j++ {
			for _, x := range []*float64{&b.Open[j], &b.High[j], &b.Low[j], &b.Close[j]} {
				*x *= 3
			}
		}
		known := a.End[cut-1]
		inA, inB := input(a, 5*minute), input(b, 5*minute)
		setA, setB := triple(t, inA, config(), 1), triple(t, inB, config(), 1)
		for i := range inA.Decisions {
			if !setA.Valid[i] || setA.Spans[i].Outcome > known {
				continue
			}
			if !setB.Valid[i] || setA.Class[i] != setB.Class[i] || setA.Long.Net[i] != setB.Long.Net[i] || setA.Short.Net[i] != setB.Short.Net[i] || setA.Spans[i] != setB.Spans[i] {
				t.Fatalf("row %d was known at the cut and changed", i)
			}
		}
	})
}

func TestTriple_PrimarySide(t *testing.T) {
	in := input(market(5, 1500, 0), 5*minute)
	both := triple(t, in, config(), 1)
	for i := range in.Decisions {
		in.Side = append(in.Side, int8(i%3-1))
	}
	meta := triple(t, in, config(), 1)
	for i, side := range in.Side {
		switch {
		case side == 0:
			if meta.Valid[i] || meta.Why[i] != label.WhyNoSide {
				t.Fatalf("row %d without a side: valid %v, %q", i, meta.Valid[i], meta.Why[i])
			}
		case both.Valid[i]:
			got, want := meta.Of(side), both.Of(side)
			if !meta.Valid[i] || got.Net[i] != want.Net[i] || got.ExitTime[i] != want.ExitTime[i] {
				t.Fatalf("row %d: side %d differs from the two-sided label", i, side)
			}
			if won := meta.Class[i] == 1; won != (want.Net[i] > 0) || meta.Class[i] < 0 {
				t.Fatalf("row %d: class %d with net %v", i, meta.Class[i], want.Net[i])
			}
			if !math.IsNaN(meta.Of(-side).Net[i]) {
				t.Fatalf("row %d: the other side has a return", i)
			}
			if meta.Spans[i].Outcome > both.Spans[i].Outcome {
				t.Fatalf("row %d: known later than both sides", i)
			}
		}
	}
	cfg := config()
	cfg.StopLoss = 2
	if _, err := label.Triple(context.Background(), in, cfg, 1); err != nil {
		t.Errorf("with primary sides the barriers may differ: %v", err)
	}
	in.Side = nil
	if _, err := label.Triple(context.Background(), in, cfg, 1); err == nil || !strings.Contains(err.Error(), "symmetric") {
		t.Errorf("without primary sides: %v, want an error about symmetry", err)
	}
}

// straight is minutes that move by step from one open to the next.
func straight(n int, step float64) *bar.Series {
	s := bar.NewSeries(bar.Minute, n)
	for i := range n {
		o := 100 + step*float64(i)
		s.Append(&bar.Bar{Begin: int64(i) * minute, End: int64(i+1) * minute, Known: int64(i+1) * minute,
			Open: o, High: max(o, o+step), Low: min(o, o+step), Close: o + step})
	}
	return s
}

func TestTriple_NamedCases(t *testing.T) {
	run := func(step, width float64, h int, m *cost.Model) *label.Set {
		in := label.Input{Base: straight(200, step), Clock: always{}, Timeframe: 5 * bar.Minute, Cost: m}
		for d := 5 * minute; d <= 200*minute; d += 5 * minute {
			in.Decisions, in.Width = append(in.Decisions, d), append(in.Width, width)
		}
		cfg := config()
		cfg.Horizon = h
		return triple(t, in, cfg, 1)
	}
	free := &cost.Model{Tick: 0.01, PointValue: 1, Multiplier: 1}
	all := func(name string, s *label.Set, class int8, long, short label.Exit) {
		t.Helper()
		rows := s.Rows()
		if len(rows) < 5 {
			t.Fatalf("%s: only %d valid rows", name, len(rows))
		}
		for _, i := range rows {
			if s.Class[i] != class || s.Long.Exit[i] != long || s.Short.Exit[i] != short {
				t.Fatalf("%s row %d: class %d, long %v, short %v", name, i, s.Class[i], s.Long.Exit[i], s.Short.Exit[i])
			}
		}
	}
	all("up", run(.1, .01, 20, free), 1, label.ProfitTake, label.StopLoss)
	all("down", run(-.1, .01, 20, free), -1, label.StopLoss, label.ProfitTake)
	all("constant", run(0, .01, 5, free), 0, label.Expiry, label.Expiry)
	all("wide barriers expire, and the drift decides", run(.01, .5, 5, free), 1, label.Expiry, label.Expiry)
	all("a drift below the cost is nobody's", run(.0001, .5, 5, paid()), 0, label.Expiry, label.Expiry)

	s := run(0, .01, 5, free)
	last := s.Len() - 1
	for i := range s.Len() {
		// The last decision whose expiry (25 minutes on) has an open within 200 minutes is the one at 170.
		if want := s.Spans[i].Decision <= 170*minute; s.Valid[i] != want {
			t.Errorf("decision at minute %d: valid %v", s.Spans[i].Decision/minute, s.Valid[i])
		}
	}
	if s.Why[last] != label.WhyEnd {
		t.Errorf("last row: %q", s.Why[last])
	}
	for _, w := range []float64{0, -1, math.NaN()} {
		s := run(0, w, 5, free)
		for i := range s.Len() - 1 {
			if s.Valid[i] || s.Why[i] != label.WhyNoWidth {
				t.Fatalf("width %v: row %d is %q", w, i, s.Why[i])
			}
		}
	}
	// The expiry is exactly h decision bars after the decision: 25 minutes.
	for _, i := range s.Rows() {
		if got := s.Long.ExitTime[i] - s.Spans[i].Decision; got != 25*minute {
			t.Fatalf("row %d expires after %v", i, time.Duration(got))
		}
		// Latency of a second: the entry is one minute later.
		if got := s.Spans[i].Entry - s.Spans[i].Decision; got != minute {
			t.Fatalf("row %d enters after %v", i, time.Duration(got))
		}
	}
}

func TestTriple_SessionsAndReadyMadeBars(t *testing.T) {
	// Two hours of sessions 0–40, 60–100: a decision at minute 35 with 10 minutes of horizon expires at minute 65.
	s := bar.NewSeries(bar.Minute, 80)
	for _, b := range []int64{0, 60} {
		for m := range int64(40) {
			at := (b + m) * minute
			s.Append(&bar.Bar{Begin: at, End: at + minute, Open: 100, High: 100, Low: 100, Close: 100, Session: int32(b / 60)})
		}
	}
	in := label.Input{Base: s, Clock: sessions{}, Timeframe: 5 * bar.Minute, Cost: paid(), Decisions: []int64{35 * minute, 40 * minute}, Width: []float64{.01, .01}}
	cfg := config()
	cfg.Horizon = 2
	set := triple(t, in, cfg, 1)
	if got := set.Long.ExitTime[0]; got != 65*minute {
		t.Errorf("left at minute %d, want 65", got/minute)
	}
	if set.Why[1] != label.WhyNoEntry {
		t.Errorf("decision at the close: %q, want %q", set.Why[1], label.WhyNoEntry)
	}

	// Session horizon: 1 session after the decision ends with the next session; no bar begins after it.
	in.Timeframe = bar.Session
	in.Decisions, in.Width = []int64{20 * minute}, []float64{.01}
	cfg.Horizon = 1
	if set = triple(t, in, cfg, 1); set.Why[0] != "" || set.Long.ExitTime[0] != 60*minute {
		t.Errorf("one session: %q, left at minute %d; want the open after the close of session 0", set.Why[0], set.Long.ExitTime[0]/minute)
	}

	// Decided at the very close of session 0, one session on is the close of session 1.
	in.Decisions = []int64{40 * minute}
	cfg.EntryLimit = param.Duration(time.Hour)
	third := *s
	third.Append(&bar.Bar{Begin: 120 * minute, End: 121 * minute, Open: 100, High: 100, Low: 100, Close: 100, Session: 2})
	in.Base = &third
	if set = triple(t, in, cfg, 1); set.Why[0] != "" || set.Long.ExitTime[0] != 120*minute {
		t.Errorf("one session from a close: %q, left at minute %d; want the open after session 1", set.Why[0], set.Long.ExitTime[0]/minute)
	}
	cfg.EntryLimit = label.Default().EntryLimit

	// Hourly bars: the order of 01:00:01 fills at 02:00 although the limit is five minutes; native horizon in bars.
	h := bar.NewSeries(bar.Hour, 10)
	for i := range int64(10) {
		h.Append(&bar.Bar{Begin: i * 60 * minute, End: (i + 1) * 60 * minute, Open: 100 + float64(i), High: 101 + float64(i), Low: 100 + float64(i), Close: 101 + float64(i)})
	}
	in = label.Input{Base: h, Timeframe: bar.Native, Cost: paid(), Decisions: []int64{60 * minute}, Width: []float64{.5}}
	cfg.Horizon = 4
	set = triple(t, in, cfg, 1)
	if set.Spans[0].Entry != 120*minute || set.Long.ExitTime[0] != 300*minute {
		t.Errorf("hourly: entered at %d, left at %d minutes; want 120 and 300", set.Spans[0].Entry/minute, set.Long.ExitTime[0]/minute)
	}
	h.Flags[2] = bar.Late // the second bar after the decision cannot fill, and the third is too late
	if set = triple(t, in, cfg, 1); set.Why[0] != label.WhyNoEntry {
		t.Errorf("hourly with a late bar: %q", set.Why[0])
	}
	h.Flags[2] = 0
	cfg.Horizon = 1
	if set = triple(t, in, cfg, 1); set.Why[0] != label.WhyExpired {
		t.Errorf("a horizon that ends before the entry: %q", set.Why[0])
	}
}

func TestTriple_WidthFloor(t *testing.T) {
	in := label.Input{Base: straight(100, 0.1), Clock: always{}, Timeframe: 5 * bar.Minute, Cost: paid(), Decisions: []int64{5 * minute}, Width: []float64{.0001}}
	cfg := config()
	cfg.MinCosts = 3
	s := triple(t, in, cfg, 1)
	if want := 3 * paid().RoundTrip(100.6); math.Abs(s.Width[0]-want) > 1e-15 {
		t.Errorf("width %v, want three round trips = %v", s.Width[0], want)
	}
}

func TestTriple_Refusals(t *testing.T) {
	base := func() label.Input {
		return label.Input{Base: straight(50, 0), Clock: always{}, Timeframe: 5 * bar.Minute, Cost: paid(), Decisions: []int64{minute, 2 * minute}, Width: []float64{.1, .1}}
	}
	cases := map[string]func(*label.Input, *label.Config){
		"decision 1":     func(in *label.Input, _ *label.Config) { in.Decisions[1] = 0 },
		"1 widths for 2": func(in *label.Input, _ *label.Config) { in.Width = in.Width[:1] },
		"infinite":       func(in *label.Input, _ *label.Config) { in.Width[0] = math.Inf(1) },
		"calendar":       func(in *label.Input, _ *label.Config) { in.Clock = nil },
		"primary side 2": func(in *label.Input, _ *label.Config) { in.Side = []int8{0, 2} },
		"horizon":        func(_ *label.Input, c *label.Config) { c.Horizon = 0 },
		"latency":        func(_ *label.Input, c *label.Config) { c.Latency, c.EntryLimit = 60*param.Duration(1e9), 1e9 },
		"point value":    func(in *label.Input, _ *label.Config) { in.Cost.PointValue = 0 },
		"width":          func(_ *label.Input, c *label.Config) { c.Width = "range" },
	}
	for want, change := range cases {
		in, cfg := base(), config()
		change(&in, &cfg)
		if _, err := label.Triple(context.Background(), in, cfg, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error about %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := label.Triple(ctx, base(), config(), 1); err == nil {
		t.Error("a cancelled context was ignored")
	}
	if err := label.Default().Validate(); err != nil {
		t.Error(err)
	}
	if fields, err := param.Fields(label.Default()); err != nil || len(fields) != 8 {
		t.Errorf("%d fields, %v", len(fields), err)
	}
}
