package label

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/view"
)

// Clock measures the time that the market is open by schedule; a
// [calendar.Calendar] is one.
type Clock interface {
	// AddOpenTime is the earliest instant at which open time d has passed since t.
	AddOpenTime(t int64, d time.Duration) int64
}

// Input is what labels are made from.
type Input struct {
	Base      *bar.Series   // finest bars: entries, barriers and exits are looked for here
	Clock     Clock         // not used when Timeframe is Native or Session
	Timeframe bar.Timeframe // of the decision clock: what one bar of the horizon is
	Cost      *cost.Model
	Decisions []int64   // instants, not descending
	Width     []float64 // barrier unit per decision as a fraction of price; NaN or ≤ 0: no label
	Side      []int8    // primary side per decision (+1, −1, 0 none); nil: label both sides
}

// Triple labels every decision by the triple-barrier method.
//
// Row i enters at the open of the first base bar that can fill ([cost.NoFill])
// with Begin ≥ Decisions[i] + latency, within the entry limit and in the
// segment of the last bar ended by the decision. Its levels are
// open·(1 ± multiple·width), its expiry Decisions[i] + horizon·timeframe of open
// time (for Native decisions the End of the horizon-th base bar after the
// decision, for Session decisions the end of the horizon-th session after it).
// The exit follows [cost.Model.Walk].
//
// Without primary sides the class is +1 where the long's net return is positive
// and −1 where the short's is; were both, the earlier exit wins, then the larger
// return; 0 where neither is. With primary sides it is +1 or 0.
//
// Errors: bad config or model, lengths that differ, descending decisions, an
// infinite width, unequal barriers without primary sides. Cost: O(log bars + bars
// lived) per row; rows are independent and the result is the same for any number
// of workers.
//
// Source: López de Prado (2018), Advances in Financial Machine Learning, §3.4–3.6;
// differences: fills and costs, open time instead of bar counts, no label across an outage.
func Triple(ctx context.Context, in Input, cfg Config, workers int) (*Set, error) {
	if err := checkTriple(in, cfg); err != nil {
		return nil, err
	}
	n := len(in.Decisions)
	s := newSet(n, cfg)
	if in.Side != nil {
		s.Primary = append([]int8(nil), in.Side...)
	}
	expiry, err := expiries(in, cfg.Horizon)
	if err != nil {
		return nil, err
	}
	const block = 4096
	blocks := (n + block - 1) / block
	workers = max(1, min(workers, blocks))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for b := w; b < blocks && ctx.Err() == nil; b += workers {
				for i := b * block; i < min(n, (b+1)*block); i++ {
					s.label(in, cfg, i, expiry[i])
				}
			}
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("label: labelling %d decisions: %w", n, err)
	}
	return s, nil
}

func checkTriple(in Input, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("label: config: %w", err)
	}
	if in.Base == nil || in.Cost == nil {
		return errors.New("label: base bars or cost model missing")
	}
	if in.Clock == nil && in.Timeframe != bar.Native && in.Timeframe != bar.Session {
		return errors.New("label: a calendar is needed to measure the horizon in session time")
	}
	if err := in.Cost.Validate(); err != nil {
		return fmt.Errorf("label: %w", err)
	}
	if in.Side == nil && cfg.ProfitTake != cfg.StopLoss {
		return fmt.Errorf("label: profit_take %v and stop_loss %v differ; without a primary side barriers are symmetric", cfg.ProfitTake, cfg.StopLoss)
	}
	n := len(in.Decisions)
	if len(in.Width) != n {
		return fmt.Errorf("label: %d widths for %d decisions", len(in.Width), n)
	}
	if in.Side != nil && len(in.Side) != n {
		return fmt.Errorf("label: %d primary sides for %d decisions", len(in.Side), n)
	}
	for i, d := range in.Decisions {
		if i > 0 && d < in.Decisions[i-1] {
			return fmt.Errorf("label: decision %d at %s precedes decision %d; sort them", i, stamp(d), i-1)
		}
		if math.IsInf(in.Width[i], 0) {
			return fmt.Errorf("label: decision %d at %s: infinite barrier width", i, stamp(d))
		}
		if in.Side != nil && (in.Side[i] < -1 || in.Side[i] > 1) {
			return fmt.Errorf("label: decision %d at %s: primary side %d is not -1, 0 or +1", i, stamp(d), in.Side[i])
		}
	}
	return nil
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339) }

func newSet(n int, cfg Config) *Set {
	nan := func() []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = math.NaN()
		}
		return x
	}
	side := func() Side {
		return Side{Exit: make([]Exit, n), ExitTime: make([]int64, n), Entry: nan(), Price: nan(), Ref: nan(), Gross: nan(), Net: nan()}
	}
	return &Set{
		Horizon: cfg.Horizon, Config: cfg, Spans: make([]view.Span, n), Valid: make([]bool, n), Why: make([]string, n), Class: make([]int8, n),
		EntryBar: make([]int32, n), EntryPrice: nan(), Width: nan(), Expiry: make([]int64, n), Long: side(), Short: side(),
	}
}

// noExpiry marks a decision whose horizon reaches past the data.
const noExpiry = math.MaxInt64

// expiries is the instant of expiry of every decision.
func expiries(in Input, h int) ([]int64, error) {
	out := make([]int64, len(in.Decisions))
	switch in.Timeframe {
	case bar.Native:
		for i, d := range in.Decisions {
			j := lastEnded(in.Base, d) + h
			out[i] = noExpiry
			if j < in.Base.Len() {
				out[i] = in.Base.End[j]
			}
		}
	case bar.Session:
		var ends []int64 // end of each session's last bar
		for j := range in.Base.End {
			if j+1 == in.Base.Len() || in.Base.Session[j+1] != in.Base.Session[j] {
				ends = append(ends, in.Base.End[j])
			}
		}
		for i, d := range in.Decisions {
			// sessions ended by the decision, then h more
			k := sort.Search(len(ends), func(k int) bool { return ends[k] > d }) - 1 + h
			out[i] = noExpiry
			if k < len(ends) {
				out[i] = ends[k]
			}
		}
	default:
		if in.Timeframe < 0 {
			return nil, fmt.Errorf("label: negative timeframe %d", in.Timeframe)
		}
		span := time.Duration(in.Timeframe) * time.Duration(h)
		for i, d := range in.Decisions {
			if i > 0 && d == in.Decisions[i-1] {
				out[i] = out[i-1]
				continue
			}
			out[i] = in.Clock.AddOpenTime(d, span)
		}
	}
	return out, nil
}

// lastEnded is the index of the last bar with End ≤ t, −1 without one.
func lastEnded(s *bar.Series, t int64) int {
	return sort.Search(len(s.End), func(j int) bool { return s.End[j] > t }) - 1
}

// entryBar finds the bar whose open fills a market order sent at decision d, or
// says why there is none.
func entryBar(s *bar.Series, cfg Config, d int64) (int, string) {
	last := lastEnded(s, d)
	first := d + int64(cfg.Latency)
	limit := d + int64(cfg.EntryLimit)
	begun := 0 // bars begun at or after the decision
	for j := last + 1; j < s.Len(); j++ {
		if s.Begin[j] >= d {
			begun++
		}
		if s.Begin[j] < first || s.Flags[j]&cost.NoFill != 0 {
			continue
		}
		readyMade := s.Timeframe != bar.Minute && begun <= 2 && last >= 0 && s.Session[j] == s.Session[last]
		if last >= 0 && s.Segment[j] != s.Segment[last] {
			return -1, WhyOutage
		}
		if s.Begin[j] > limit && !readyMade {
			return -1, WhyNoEntry
		}
		return j, ""
	}
	return -1, WhyEnd
}

// label fills row i.
func (s *Set) label(in Input, cfg Config, i int, expiry int64) {
	d := in.Decisions[i]
	s.Spans[i] = view.Span{Decision: d}
	s.EntryBar[i] = -1
	j, why := entryBar(in.Base, cfg, d)
	width := in.Width[i]
	switch {
	case in.Side != nil && in.Side[i] == 0:
		why = WhyNoSide
	case !(width > 0):
		why = WhyNoWidth
	case why != "":
	case !(in.Base.Open[j] > 0):
		why = WhyPrice
	case expiry == noExpiry:
		why = WhyEnd
	case in.Base.Begin[j] >= expiry:
		why = WhyExpired
	}
	if why != "" {
		s.Why[i] = why
		return
	}
	open := in.Base.Open[j]
	if floor := cfg.MinCosts * in.Cost.RoundTrip(open); width < floor {
		width = floor
	}
	p := cost.Position{Entry: j, ProfitTake: cfg.ProfitTake * width, StopLoss: cfg.StopLoss * width, Expiry: expiry}
	var out [2]cost.Outcome
	var known int64
	for k, side := range [2]int8{1, -1} {
		if in.Side != nil && in.Side[i] != side {
			continue
		}
		p.Side = side
		o, status := in.Cost.Walk(in.Base, p)
		switch status {
		case cost.Outage:
			s.Why[i] = WhyOutage
			return
		case cost.EndOfData:
			s.Why[i] = WhyEnd
			return
		}
		out[k], known = o, max(known, o.Known)
	}
	s.Valid[i] = true
	s.EntryBar[i], s.EntryPrice[i], s.Width[i], s.Expiry[i] = int32(j), open, width, expiry
	s.Spans[i] = view.Span{Decision: d, Entry: in.Base.Begin[j], Outcome: known}
	for k, side := range [2]int8{1, -1} {
		if o := out[k]; o.Exit != None {
			x := s.Of(side)
			x.Exit[i], x.ExitTime[i], x.Entry[i], x.Price[i], x.Ref[i], x.Gross[i], x.Net[i] =
				o.Exit, o.ExitTime, o.Fills.Entry, o.Fills.Exit, o.ExitRef, o.Gross, o.Net
		}
	}
	s.Class[i] = class(out, in.Side != nil)
}

// class names the side that made money net of cost first.
func class(out [2]cost.Outcome, primary bool) int8 {
	long, short := out[0], out[1]
	longWon := long.Exit != None && long.Net > 0
	shortWon := short.Exit != None && short.Net > 0
	switch {
	case primary && (longWon || shortWon):
		return 1
	case primary, !longWon && !shortWon:
		return 0
	case longWon && !shortWon:
		return 1
	case shortWon && !longWon:
		return -1
	case long.ExitTime != short.ExitTime:
		if long.ExitTime < short.ExitTime {
			return 1
		}
		return -1
	case long.Net > short.Net:
		return 1
	case short.Net > long.Net:
		return -1
	}
	return 0
}
