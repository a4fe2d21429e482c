// Package label looks ahead, and is the only package that does: for each
// decision it finds out what a position opened there would have earned, and
// when that was known.
package label

import "github.com/mlfactory/mlfactory/view"

// Exit says how a position ended.
type Exit uint8

// Ways to end a position.
const (
	None       Exit = iota // never entered
	ProfitTake             // limit filled: traded through by a tick
	StopLoss               // stop filled at the worse of stop and open, less slippage
	Expiry                 // closed after exactly h decision bars of session time
)

// Side is one side's outcome, by row. Prices are as filled; Net is the simple
// return on entry notional after all costs, NaN where there was no trade.
type Side struct {
	Exit     []Exit
	ExitTime []int64 // instant the exit was filled
	Price    []float64
	Gross    []float64
	Net      []float64
}

// Set is the labels of every decision, by row. A row whose Valid is false has
// no label: no fill within the limit, no width, or its span meets an outage or
// the end of the data; Why says which. It is absent, not a number.
type Set struct {
	Horizon    int
	Spans      []view.Span // Outcome is the later of the two sides' exits
	Valid      []bool
	Why        []string // "" where valid; a short constant reason otherwise
	Class      []int8   // +1 long made money net of cost first, −1 short did, 0 neither
	EntryPrice []float64
	Width      []float64 // barrier distance as a fraction of the entry price
	Long       Side
	Short      Side
}

// Len is the number of decisions.
func (s *Set) Len() int { return len(s.Spans) }
