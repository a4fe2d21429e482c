// Package split divides rows into training and test sets by the time their
// labels need, never by counting rows.
//
// A row lives on [Decision, Outcome]. A training row is purged from a test block
// when the two share an instant, or when less than a floor of open-market time
// lies between them on either side. After a test block, training rows are also
// embargoed for a span of calendar time (not in a walk-forward, where no
// training row follows). Inside each training set two blocks of time are set
// apart, one for early stopping and one for calibration, and purged from the
// rest and from each other in the same way.
//
//   - [WalkForward] gives everything that is traded and judged.
//   - [PurgedKFold] and [CPCV] give diagnostics, comparison and final refits.
//   - [Lockbox] sets the last part of time aside before anything else happens.
//
// The package refuses to divide what is too short: [TooShort] says with its
// arithmetic that purge and embargo would take more of a fold than allowed, an
// ordinary error that a set would have too few rows.
package split

import "github.com/mlfactory/mlfactory/view"

// Fold is one division of the rows. The four sets are disjoint, ascending row
// indices; Stop (early stopping) and Calib (calibration, thresholds) are
// contiguous blocks of time of their own; every pair of sets is purged.
type Fold struct {
	Train, Stop, Calib, Test []int
}

// Splitter divides rows given their spans. Rows without a label are not passed
// in: indices are positions in spans.
type Splitter interface {
	Split(spans []view.Span) ([]Fold, error)
}
