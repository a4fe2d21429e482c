// Package split divides rows into training and test sets by the time their
// labels need, never by counting rows.
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
