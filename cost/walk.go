package cost

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
)

// Exit says how a position ended.
type Exit uint8

// Ways to end a position.
const (
	None       Exit = iota // never entered
	ProfitTake             // limit filled: traded through by a tick
	StopLoss               // stop filled at the worse of stop and open, less slippage
	Expiry                 // closed by a market order at the first open at or after expiry
)

// String gives the word used in files and tables.
func (e Exit) String() string {
	switch e {
	case None:
		return "none"
	case ProfitTake:
		return "profit-take"
	case StopLoss:
		return "stop-loss"
	case Expiry:
		return "expiry"
	}
	return "unknown"
}

// Position is an order to follow: entered by a market order at the open of bar
// Entry, with barriers at distances from that open.
type Position struct {
	Entry      int     // index of the bar whose open fills the entry
	Side       int8    // +1 long, −1 short
	ProfitTake float64 // distance as a fraction of the entry bar's open; 0 or less: none
	StopLoss   float64 // the same for the stop; 0 or less: none
	Expiry     int64   // from this instant on it is closed at the next open
}

// Status says whether a walk reached an end.
type Status uint8

// Ends of a walk.
const (
	Done      Status = iota
	Outage           // a new segment began while the position was open
	EndOfData        // the series ended while the position was open
)

// Outcome is how a position went.
type Outcome struct {
	Fills
	Exit      Exit
	EntryTime int64 // Begin of the entry bar
	// ExitTime is the instant of the exit: Begin of the bar for fills at an
	// open, End of the bar for fills inside it (the minute's inner order is not
	// known).
	ExitTime int64
	Known    int64   // End of the exit bar: when a reader of bars knows the outcome
	ExitBar  int     // index of the bar of the exit
	EntryRef float64 // open of the entry bar, before costs
	ExitRef  float64 // exit price before costs
}

// NoFill marks bars in which nothing can be bought or sold: those released late
// from quarantine, and prints outside of the scheduled sessions.
const NoFill = bar.Late | bar.Irregular

// tolerance keeps a level that was computed from being missed by a rounding
// error of the multiplication; it is far below any tick.
const tolerance = 1e-10

// Walk follows a position bar by bar, from the entry bar itself on, until a
// barrier is reached or the expiry has come. Per bar, in this order: a
// [NoFill] bar is skipped; a new segment ends the walk with [Outage]; a bar that begins
// at or after the expiry (or after a touch under [NextOpen]) closes at its open;
// then the stop is looked at, then the profit-take. With U the upper and D the
// lower level, a long is stopped when low ≤ D and takes profit when
// high ≥ U + tick ([Limit]) or high ≥ U ([NextOpen]); a short is the mirror
// image. Levels are entry open × (1 ± distance).
//
// It panics when Entry is out of range or Side is not ±1. Cost: one pass over
// the bars that the position lives.
func (m *Model) Walk(s *bar.Series, p Position) (Outcome, Status) {
	if p.Side != 1 && p.Side != -1 {
		panic("cost: side of a position is neither +1 nor -1")
	}
	entry := s.Open[p.Entry]
	var lift, drop float64
	up, down := p.ProfitTake, p.StopLoss
	if p.Side < 0 {
		up, down = down, up
	}
	upper, lower := math.Inf(1), math.Inf(-1)
	if up > 0 {
		upper = float64(entry * (1 + up))
	}
	if down > 0 {
		lower = float64(entry * (1 - down))
	}
	eps, through := float64(tolerance*math.Abs(entry)), 0.0
	if m.Take == Limit {
		through = m.Tick
	}
	// lift and drop are the prices from which on a level counts as reached.
	if p.Side > 0 {
		lift, drop = upper+through-eps, lower+eps
	} else {
		lift, drop = upper-eps, lower-through+eps
	}
	seg, pending := s.Segment[p.Entry], false
	for j := p.Entry; j < len(s.End); j++ {
		if s.Flags[j]&NoFill != 0 {
			continue
		}
		if s.Segment[j] != seg {
			return Outcome{}, Outage
		}
		if pending {
			return m.close(s, p, j, s.Open[j], ProfitTake, s.Begin[j]), Done
		}
		if s.Begin[j] >= p.Expiry && j > p.Entry {
			return m.close(s, p, j, s.Open[j], Expiry, s.Begin[j]), Done
		}
		hitUp, hitDown := s.High[j] >= lift, s.Low[j] <= drop
		if !hitUp && !hitDown {
			continue
		}
		if p.Side > 0 {
			if hitDown {
				return m.close(s, p, j, min(lower, s.Open[j]), StopLoss, s.End[j]), Done
			}
			if m.Take == Limit {
				return m.close(s, p, j, upper, ProfitTake, s.End[j]), Done
			}
		} else {
			if hitUp {
				return m.close(s, p, j, max(upper, s.Open[j]), StopLoss, s.End[j]), Done
			}
			if m.Take == Limit {
				return m.close(s, p, j, lower, ProfitTake, s.End[j]), Done
			}
		}
		pending = true
	}
	return Outcome{}, EndOfData
}

func (m *Model) close(s *bar.Series, p Position, j int, ref float64, exit Exit, at int64) Outcome {
	return Outcome{
		Fills: m.Account(p.Side, s.Open[p.Entry], ref, exit),
		Exit:  exit, EntryTime: s.Begin[p.Entry], ExitTime: at, Known: s.End[j],
		ExitBar: j, EntryRef: s.Open[p.Entry], ExitRef: ref,
	}
}
