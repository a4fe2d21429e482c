package trade

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
)

// Input is what a simulation needs.
type Input struct {
	Base    *bar.Series // the bars that the labels were made from
	Labels  *label.Set
	Cost    *cost.Model // the model that the labels were made with
	Side    []int8      // signal by row of Labels: +1, −1, 0 none
	From    int64       // first instant of the out-of-sample range
	To      int64       // decisions before To may trade
	PerYear float64     // days a year of the market's calendar
}

// Trade is one position. Prices are as filled; Ref is before costs.
type Trade struct {
	Row                 int
	Side                int8
	Decision            int64
	EntryTime, ExitTime int64
	EntryBar, ExitBar   int
	EntryRef, ExitRef   float64
	Entry, Exit         float64
	Gross, Net          float64
	Reason              cost.Exit
	AtOpen              bool // the exit was filled at the open of its bar, not inside it
}

// Day is one session of the record.
type Day struct {
	ID       int32   // trading date, days since 1970-01-01
	Net      float64 // mark-to-market return on entry notional, after costs
	Gross    float64 // the same before costs
	Position float64 // signed share of the session's bar time spent in a position
	Exposure float64 // the same without sign
	Market   float64 // simple return of the instrument over the session, from the close before; outages are left out
}

// Skipped counts signals that made no trade, by the label's reason, in order of
// first appearance.
type Skipped struct {
	Why   []string
	Count []int
}

// Result is the record of a simulation.
type Result struct {
	Trades   []Trade
	Days     []Day
	PerYear  float64
	Signals  int         // rows with a side in the range
	Ignored  int         // signals while a position was open
	Unfilled Skipped     // signals without a label
	Cost     *cost.Model // the model of this accounting
	Mean     float64     // mean position: signed bar time held ÷ bar time of the range

	market *marketView // what benchmarks are computed from
	marks  []dayRange  // bars of each day
	spans  *label.Set  // the labels, for the effective n
	valid  []int       // rows in the range that have a label
}

// dayRange is the bars lo..hi−1 of a session and the last of them that can fill
// (−1: none).
type dayRange struct{ lo, hi, last int }

// ErrMismatch says that a trade did not go as its row's label says.
var ErrMismatch = errors.New("the trade differs from its row's label")

// Simulate trades the signals over the base series and accounts for them by day.
//
// Rows are taken in order of decision. A signal is ignored while a position is
// open, that is, when its decision lies before the exit of the last trade; a
// signal without a label (no fill, an outage, the end of the data) makes no
// trade and is counted with its reason. The position is followed with
// [cost.Model.Walk]; entry, exit and net return must equal the label's exactly,
// else the error wraps [ErrMismatch].
//
// Days are the sessions with bars from From until To, or until the last outcome
// of a label decided before To where that is later: where the last position could
// have ended, whether there was one or not, so that all strategies on the same
// labels have the same days and benchmarks. On the days from entry to exit a trade's value per unit
// of entry notional is
//
//	side·(close/entry − 1) − Fee(entry)/(entry·pointValue)   before its last day
//	net                                                      on its last day
//
// with the close of the session's last bar that can fill; a day's return is the
// sum over trades of the change of that value, so the days of a trade sum to its
// net return. Cost: O(bars of the range + rows).
func Simulate(in Input) (*Result, error) {
	if err := checkInput(in); err != nil {
		return nil, err
	}
	r := &Result{PerYear: in.PerYear, Cost: in.Cost, spans: in.Labels}
	busy, until := int64(math.MinInt64), int64(math.MinInt64)
	var latest []int // rows with the last outcome
	for i, s := range in.Labels.Spans {
		if s.Decision < in.From || s.Decision >= in.To {
			continue
		}
		if in.Labels.Valid[i] {
			r.valid = append(r.valid, i)
			if s.Outcome > until {
				until, latest = s.Outcome, latest[:0]
			}
			if s.Outcome == until {
				latest = append(latest, i)
			}
		}
		if in.Side[i] == 0 {
			continue
		}
		r.Signals++
		switch {
		case s.Decision < busy:
			r.Ignored++
			continue
		case !in.Labels.Valid[i]:
			r.Unfilled.add(in.Labels.Why[i])
			continue
		}
		t, err := follow(in, i)
		if err != nil {
			return nil, err
		}
		r.Trades = append(r.Trades, t)
		busy = t.ExitTime
	}
	if err := r.days(in, lastBar(in, latest)); err != nil {
		return nil, err
	}
	r.account()
	return r, nil
}

func checkInput(in Input) error {
	switch {
	case in.Base == nil || in.Labels == nil || in.Cost == nil:
		return errors.New("trade: bars, labels or cost model missing")
	case len(in.Side) != in.Labels.Len():
		return fmt.Errorf("trade: %d signals for %d rows", len(in.Side), in.Labels.Len())
	case in.From >= in.To:
		return fmt.Errorf("trade: the range from %s to %s is empty", stamp(in.From), stamp(in.To))
	case !(in.PerYear > 0) || math.IsInf(in.PerYear, 0):
		return fmt.Errorf("trade: %v days a year, want a positive number", in.PerYear)
	}
	if err := in.Cost.Validate(); err != nil {
		return fmt.Errorf("trade: %w", err)
	}
	for i, s := range in.Side {
		if s < -1 || s > 1 {
			return fmt.Errorf("trade: row %d has signal %d, want -1, 0 or +1", i, s)
		}
		if p := in.Labels.Primary; p != nil && s != 0 && in.Labels.Valid[i] && s != p[i] {
			return fmt.Errorf("trade: row %d has signal %d against its primary side %d, for which alone it is labelled", i, s, p[i])
		}
		if i > 0 && in.Labels.Spans[i].Decision < in.Labels.Spans[i-1].Decision {
			return fmt.Errorf("trade: row %d is decided before row %d; labels come in order of decision", i, i-1)
		}
	}
	return nil
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339) }

func (u *Skipped) add(why string) {
	for k, x := range u.Why {
		if x == why {
			u.Count[k]++
			return
		}
	}
	u.Why, u.Count = append(u.Why, why), append(u.Count, 1)
}

// follow walks the trade of row i and compares it with its label.
func follow(in Input, i int) (Trade, error) {
	side, l := in.Side[i], in.Labels
	bad := func(what string, got, want any) (Trade, error) {
		return Trade{}, fmt.Errorf("trade: row %d decided at %s: %s is %v, the label says %v: %w; were the labels made from these bars and costs?",
			i, stamp(l.Spans[i].Decision), what, got, want, ErrMismatch)
	}
	if e := int(l.EntryBar[i]); e < 0 || e >= in.Base.Len() {
		return bad("number of bars", in.Base.Len(), fmt.Sprintf("entry in bar %d", e))
	}
	o, status := in.Cost.Walk(in.Base, l.Position(i, side))
	want := l.Of(side)
	switch {
	case status != cost.Done:
		return bad("exit", "missing", want.Exit[i])
	case o.Exit != want.Exit[i]:
		return bad("exit", o.Exit, want.Exit[i])
	case o.ExitTime != want.ExitTime[i]:
		return bad("exit time", stamp(o.ExitTime), stamp(want.ExitTime[i]))
	case o.EntryTime != l.Spans[i].Entry:
		return bad("entry time", stamp(o.EntryTime), stamp(l.Spans[i].Entry))
	case o.Fills.Entry != want.Entry[i]:
		return bad("entry price", o.Fills.Entry, want.Entry[i])
	case o.Fills.Exit != want.Price[i]:
		return bad("exit price", o.Fills.Exit, want.Price[i])
	case o.Net != want.Net[i]:
		return bad("net return", o.Net, want.Net[i])
	}
	return Trade{Row: i, Side: side, Decision: l.Spans[i].Decision, EntryTime: o.EntryTime, ExitTime: o.ExitTime,
		EntryBar: int(l.EntryBar[i]), ExitBar: o.ExitBar, EntryRef: o.EntryRef, ExitRef: o.ExitRef,
		Entry: o.Fills.Entry, Exit: o.Fills.Exit, Gross: o.Gross, Net: o.Net, Reason: o.Exit,
		AtOpen: o.ExitTime == in.Base.Begin[o.ExitBar]}, nil
}

// lastBar is the last bar in which a position of these rows ends, on either
// side; −1 without rows.
func lastBar(in Input, rows []int) int {
	last := -1
	for _, i := range rows {
		for _, side := range []int8{-1, 1} {
			e := int(in.Labels.EntryBar[i])
			if p := in.Labels.Primary; p != nil && p[i] != side || e < 0 || e >= in.Base.Len() {
				continue // a trade of the row will say that the bars are not the label's
			}
			if o, status := in.Cost.Walk(in.Base, in.Labels.Position(i, side)); status == cost.Done {
				last = max(last, o.ExitBar)
			}
		}
	}
	return last
}

// days lists the sessions of the range and of what follows it until lastBar.
func (r *Result) days(in Input, lastBar int) error {
	s := in.Base
	lo := sort.Search(s.Len(), func(j int) bool { return s.End[j] > in.From })
	hi := sort.Search(s.Len(), func(j int) bool { return s.Begin[j] >= in.To })
	hi = max(hi, lastBar+1)
	if lo >= hi {
		return fmt.Errorf("trade: no bars between %s and %s", stamp(in.From), stamp(in.To))
	}
	for j := lo; j < hi; j++ {
		n := len(r.Days)
		if n == 0 || r.Days[n-1].ID != s.Session[j] {
			if n > 0 && s.Session[j] < r.Days[n-1].ID {
				return fmt.Errorf("trade: bar %d at %s belongs to an earlier session than the bar before it", j, stamp(s.Begin[j]))
			}
			r.Days = append(r.Days, Day{ID: s.Session[j]})
			r.marks = append(r.marks, dayRange{lo: j, hi: j, last: -1})
			n++
		}
		d := &r.marks[n-1]
		d.hi = j + 1
		if s.Flags[j]&cost.NoFill == 0 {
			d.last = j
		}
	}
	r.market = newMarketView(s, lo, hi)
	for d, m := range r.marks {
		r.Days[d].Market = r.market.dayReturn(m)
	}
	return nil
}

// dayOf is the position of the day that holds bar j.
func (r *Result) dayOf(j int) int {
	return sort.Search(len(r.marks), func(d int) bool { return r.marks[d].hi > j })
}

// account fills the daily columns and the mean position from the trades.
func (r *Result) account() {
	for d := range r.Days {
		x := &r.Days[d]
		x.Net, x.Gross, x.Position, x.Exposure = 0, 0, 0, 0
	}
	s, held := r.market.s, 0.0
	for _, t := range r.Trades {
		side := float64(t.Side)
		first, last := r.dayOf(t.EntryBar), r.dayOf(t.ExitBar)
		net, gross := 0.0, 0.0
		for d := first; d <= last; d++ {
			m := r.marks[d]
			share := r.market.time(max(m.lo, t.EntryBar), min(m.hi, t.heldUntil())) / r.market.time(m.lo, m.hi)
			r.Days[d].Position += float64(side * share)
			r.Days[d].Exposure += share
			nowNet, nowGross := t.Net, t.Gross
			if d < last {
				if m.last < t.EntryBar {
					continue // no bar that can fill: the mark stays
				}
				price := s.Close[m.last]
				nowNet = float64(side*(price/t.Entry-1)) - r.Cost.Fee(t.Entry)/(t.Entry*r.Cost.PointValue)
				nowGross = float64(side * (price/t.EntryRef - 1))
			}
			r.Days[d].Net += nowNet - net
			r.Days[d].Gross += nowGross - gross
			net, gross = nowNet, nowGross
		}
		held += float64(side * r.market.time(t.EntryBar, t.heldUntil()))
	}
	r.Mean = held / r.market.time(r.market.lo, r.market.hi)
}

// heldUntil is the first bar through which the position was not held: the exit
// bar when it was left at that bar's open, the next one otherwise.
func (t Trade) heldUntil() int {
	if t.AtOpen {
		return t.ExitBar
	}
	return t.ExitBar + 1
}

// AtCost is the same trades at another multiple of the cost: prices before
// costs, times and reasons stay, fills and returns are accounted anew with
// [cost.Model.Account].
func (r *Result) AtCost(mult float64) *Result {
	c := *r
	c.Cost = r.Cost.AtCost(mult)
	c.Trades = append([]Trade(nil), r.Trades...)
	c.Days = append([]Day(nil), r.Days...)
	for i := range c.Trades {
		t := &c.Trades[i]
		f := c.Cost.Account(t.Side, t.EntryRef, t.ExitRef, t.Reason)
		t.Entry, t.Exit, t.Gross, t.Net = f.Entry, f.Exit, f.Gross, f.Net
	}
	c.account()
	return &c
}

// Net is the daily net returns, in order.
func (r *Result) Net() []float64 { return r.column(func(d Day) float64 { return d.Net }) }

// Gross is the daily returns before costs, in order.
func (r *Result) Gross() []float64 { return r.column(func(d Day) float64 { return d.Gross }) }

// IDs is the trading dates, days since 1970-01-01, in order.
func (r *Result) IDs() []int32 {
	out := make([]int32, len(r.Days))
	for i, d := range r.Days {
		out[i] = d.ID
	}
	return out
}

func (r *Result) column(f func(Day) float64) []float64 {
	out := make([]float64, len(r.Days))
	for i, d := range r.Days {
		out[i] = f(d)
	}
	return out
}
