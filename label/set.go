// Package label looks ahead, and is the only package that does: for each
// decision it finds out what a position opened there would have earned, and
// when that was known. From the spans of those positions it also computes how
// much the labels overlap and what each is worth as a sample.
//
// # Triple barrier
//
// [Triple] enters at the open of the first base bar that begins at or after
// decision + latency and follows the position with [cost.Model.Walk], the
// function the backtest uses too. Without a primary side both sides are
// followed and the class says which one made money net of cost; with a primary
// side only that side is, and the class says whether it did (meta-labels).
//
// # Weights
//
// [Concurrency], [Uniqueness], [Thin] and [TimeDecay] see nothing but the spans
// they are given. Give them the training rows of one fold, after the purge.
// Weights sum to the effective number of samples and are never scaled to n.
//
// # Refusals
//
// No label crosses an outage, none is made up for a row without a fill, a
// width or an end: such a row is invalid and says why. No number stands for
// "no label".
package label

import (
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/view"
)

// Exit says how a position ended.
type Exit = cost.Exit

// Ways to end a position.
const (
	None       = cost.None       // never entered
	ProfitTake = cost.ProfitTake // limit filled: traded through by a tick
	StopLoss   = cost.StopLoss   // stop filled at the worse of stop and open, less slippage
	Expiry     = cost.Expiry     // closed after exactly h decision bars of session time
)

// Reasons for a row without a label.
const (
	WhyNoEntry = "no fill within the entry limit"
	WhyNoWidth = "no barrier width"
	WhyNoSide  = "no primary side"
	WhyOutage  = "meets an outage"
	WhyEnd     = "meets the end of the data"
	WhyPrice   = "price at the entry is not positive"
	WhyExpired = "expired before the entry"
)

// Side is one side's outcome, by row. Prices are as filled; Net is the simple
// return on entry notional after all costs, NaN where there was no trade.
type Side struct {
	Exit     []Exit
	ExitTime []int64 // instant the exit was filled: Begin of its bar at an open, End inside a bar; 0 without a trade
	Entry    []float64
	Price    []float64 // of the exit
	Ref      []float64 // of the exit, before costs
	Gross    []float64
	Net      []float64
}

// Set is the labels of every decision, by row. A row whose Valid is false has
// no label: no fill within the limit, no width, or its span meets an outage or
// the end of the data; Why says which. It is absent, not a number: its span has
// only a Decision, its prices and returns are NaN.
type Set struct {
	Horizon    int
	Config     Config      // what the rows were made with
	Spans      []view.Span // Outcome is when the later of the two sides' exits is known: the End of its bar
	Valid      []bool
	Why        []string  // "" where valid; a short constant reason otherwise
	Class      []int8    // +1 long made money net of cost first, −1 short did, 0 neither; with a primary side +1 it did, 0 it did not
	EntryBar   []int32   // base bar of the entry; −1 without one
	EntryPrice []float64 // open of the entry bar, before costs
	Width      []float64 // barrier distance as a fraction of the entry price, before the multiples
	Expiry     []int64   // instant from which the position is closed at the next open
	Primary    []int8    // primary side by row; nil: both sides are labelled
	Long       Side
	Short      Side
}

// Position is the order of a valid row on a side, for [cost.Model.Walk].
func (s *Set) Position(i int, side int8) cost.Position {
	return cost.Position{Entry: int(s.EntryBar[i]), Side: side, Expiry: s.Expiry[i],
		ProfitTake: s.Config.ProfitTake * s.Width[i], StopLoss: s.Config.StopLoss * s.Width[i]}
}

// Len is the number of decisions.
func (s *Set) Len() int { return len(s.Spans) }

// Of is the outcomes of a side: Long for +1, Short for −1.
func (s *Set) Of(side int8) *Side {
	if side < 0 {
		return &s.Short
	}
	return &s.Long
}

// Rows is the indices of the valid rows, ascending.
func (s *Set) Rows() []int {
	var rows []int
	for i, ok := range s.Valid {
		if ok {
			rows = append(rows, i)
		}
	}
	return rows
}

// View is the spans, classes and net returns of the given rows, in that order:
// the target part of what a learner and [trade.FitPayoff] are given. The rows
// must be valid.
func (s *Set) View(rows []int) view.View {
	n := len(rows)
	v := view.View{Rows: append([]int(nil), rows...), Spans: make([]view.Span, n), Class: make([]int8, n), NetLong: make([]float64, n), NetShort: make([]float64, n)}
	for k, i := range rows {
		v.Spans[k], v.Class[k], v.NetLong[k], v.NetShort[k] = s.Spans[i], s.Class[i], s.Long.Net[i], s.Short.Net[i]
	}
	return v
}

// Counts is a summary of a set: valid rows by class (−1, 0, +1) and invalid
// rows by reason, reasons in order of first appearance.
type Counts struct {
	Class   [3]int
	Reasons []string
	Invalid []int
}

// Count summarises the set.
func (s *Set) Count() Counts {
	var c Counts
	for i, ok := range s.Valid {
		if ok {
			c.Class[s.Class[i]+1]++
			continue
		}
		k := 0
		for k < len(c.Reasons) && c.Reasons[k] != s.Why[i] {
			k++
		}
		if k == len(c.Reasons) {
			c.Reasons, c.Invalid = append(c.Reasons, s.Why[i]), append(c.Invalid, 0)
		}
		c.Invalid[k]++
	}
	return c
}
