package split

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/view"
)

// Clock measures the time that the market is open by schedule; a
// [calendar.Calendar] is one.
type Clock interface {
	// AddOpenTime is the earliest instant at which open time d has passed since
	// t, for a negative d the latest from which −d passes until t.
	AddOpenTime(t int64, d time.Duration) int64
}

// Market is what a splitter needs to know about the clock of the decisions.
type Market struct {
	Clock Clock         // may be nil when the purge has no floor
	Bar   time.Duration // length of a bar of the decision clock, in open time
}

// Purging is what all splitters share.
type Purging struct {
	Embargo   param.Duration `yaml:"embargo" doc:"calendar time after each test block in which no training row may be decided (k-fold and CPCV)" min:"0s" max:"365d"`
	FloorBars int            `yaml:"floor_bars" doc:"least open-market time between a test block and a training row's span, in bars of the decision clock" min:"0" max:"100000"`
	Stop      float64        `yaml:"stop" doc:"share of the training rows set apart for early stopping" min:"0" max:"0.5"`
	Calib     float64        `yaml:"calib" doc:"share of the training rows set apart for calibration" min:"0" max:"0.5"`
	MaxLost   float64        `yaml:"max_lost" doc:"largest part of a test block's rows that purge and embargo around it may cost; more and the data are too short" min:"0" max:"100"`
	MinRows   int            `yaml:"min_rows" doc:"fewest rows in any set of a fold" min:"1" max:"1000000"`
}

// DefaultPurging is embargo 5 days, floor 60 bars, 10 % each for stop and calib,
// at most 10 % of a fold lost, at least 30 rows in each set.
func DefaultPurging() Purging {
	return Purging{Embargo: 5 * param.Day, FloorBars: 60, Stop: 0.1, Calib: 0.1, MaxLost: 0.1, MinRows: 30}
}

// Validate checks every field.
func (p Purging) Validate() error { return errors.Join(param.Check(p), p.shares()) }

// shares checks the two blocks together.
func (p Purging) shares() error {
	if p.Stop+p.Calib > 0.5 {
		return &param.Error{Path: "calib", Problem: fmt.Sprintf("stop and calib take %v of the training rows, want at most half", p.Stop+p.Calib)}
	}
	return nil
}

// check validates a scheme, the purging inside it and what the floor needs.
func (p Purging) check(scheme any, m Market) error {
	if err := errors.Join(param.Check(scheme), p.shares()); err != nil {
		return fmt.Errorf("split: %w", err)
	}
	if p.FloorBars > 0 && (m.Clock == nil || m.Bar <= 0) {
		return errors.New("split: the purge has a floor of bars; give the calendar and the bar length of the decision clock")
	}
	return nil
}

// TooShort says that purge and embargo would take more of a fold than allowed:
// the data are too short for this many folds, and the run has not enough
// evidence.
type TooShort struct {
	Scheme            string
	Fold, Folds       int // which fold, from 1, of how many
	Rows              int // rows of its test block
	Purged, Embargoed int // rows that could train but for purge, and but for the embargo alone
	MaxLost           float64
	Embargo, Floor    time.Duration // calendar time; open-market time
}

// Error is the arithmetic.
func (e *TooShort) Error() string {
	lost := e.Purged + e.Embargoed
	return fmt.Sprintf("split: %s fold %d of %d: purge (%d rows, floor %s of open time) and embargo (%d rows, %s) take %d rows = %.1f %% of the fold's %d test rows, more than %.0f %%; give more data or fewer folds",
		e.Scheme, e.Fold, e.Folds, e.Purged, param.Duration(e.Floor), e.Embargoed, param.Duration(e.Embargo), lost, 100*float64(lost)/float64(e.Rows), e.Rows, 100*e.MaxLost)
}

// zone is the stretch of time around a block in which other rows are not
// allowed: a row conflicts with the block when Outcome > before and
// Decision < after, unless it is embargoed (Decision ≤ embargo).
type zone struct {
	before, after int64 // last allowed Outcome on the left, first allowed Decision on the right
	embargo       int64 // last embargoed Decision on the right; before the block's end: none
}

func (z zone) purges(s view.Span) bool    { return s.Outcome > z.before && s.Decision < z.after }
func (z zone) embargoes(s view.Span) bool { return s.Decision >= z.after && s.Decision <= z.embargo }

// zoneAround is the zone of a block that lives on [from, to]. Without a floor a
// row conflicts when it shares an instant with [from, to]; with a floor f also
// when less than f of open time lies between Outcome and from, or to and Decision.
func zoneAround(from, to int64, clock Clock, floor time.Duration, embargo int64) zone {
	z := zone{before: from - 1, after: to + 1, embargo: math.MinInt64}
	if floor > 0 {
		z.before = min(z.before, clock.AddOpenTime(from, -floor))
		z.after = max(z.after, clock.AddOpenTime(to, floor))
	}
	if embargo > 0 {
		z.embargo = to + embargo
	}
	return z
}

// Purge is the indices of the spans that share no instant with the closed
// interval [from, to], ascending: what may train when a test block lives there,
// without floor or embargo. Cost: O(n).
//
// Source: López de Prado (2018), §7.4.1; the interval ends with the last outcome
// of the block, not with the outcome of its first row.
func Purge(spans []view.Span, from, to int64) []int {
	z := zoneAround(from, to, nil, 0, 0)
	var keep []int
	for i, s := range spans {
		if !z.purges(s) {
			keep = append(keep, i)
		}
	}
	return keep
}

// checkSpans refuses spans that run backwards.
func checkSpans(spans []view.Span) error {
	for i, s := range spans {
		if s.Outcome < s.Decision {
			return fmt.Errorf("split: row %d decided at %s has its outcome earlier, at %s; rows without a label are not passed in",
				i, stamp(s.Decision), stamp(s.Outcome))
		}
	}
	return nil
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339) }

// inOrder is the indices of spans by decision, then outcome, then index.
func inOrder(spans []view.Span) []int {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		x, y := spans[order[a]], spans[order[b]]
		if x.Decision != y.Decision {
			return x.Decision < y.Decision
		}
		return x.Outcome < y.Outcome
	})
	return order
}

// cuts divides n ordered rows into k blocks of nearly equal size and moves each
// border forward so that rows of one decision stay together. It returns k+1
// positions; the first remainder blocks hold one row more.
func cuts(spans []view.Span, order []int, k int) []int {
	n := len(order)
	at := make([]int, k+1)
	for b := 1; b < k; b++ {
		at[b] = together(spans, order, b*(n/k)+min(b, n%k))
	}
	at[k] = n
	for b := 1; b <= k; b++ {
		at[b] = max(at[b], at[b-1])
	}
	return at
}

// together moves position p forward past rows of the same decision as the row
// before it.
func together(spans []view.Span, order []int, p int) int {
	for p > 0 && p < len(order) && spans[order[p]].Decision == spans[order[p-1]].Decision {
		p++
	}
	return p
}

// hull is the time that a set of rows lives on.
func hull(spans []view.Span, rows []int) (from, to int64) {
	from, to = int64(math.MaxInt64), int64(math.MinInt64)
	for _, i := range rows {
		from, to = min(from, spans[i].Decision), max(to, spans[i].Outcome)
	}
	return from, to
}
