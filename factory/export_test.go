package factory

import (
	"context"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

// RecordLockboxForTest records the lockbox of an instrument whose labels run
// from first to last.
func RecordLockboxForTest(ctx context.Context, s *store.Store, inst string, first, last int64) (start int64, notes []string) {
	l := &line{inst: bar.Instrument{Name: inst}, market: recipe.Market{Name: "m"}}
	set := &label.Set{Valid: []bool{true, true}, Spans: []view.Span{{Decision: first, Entry: first, Outcome: first}, {Decision: last, Entry: last, Outcome: last}}}
	box, err := l.recordLockbox(ctx, s, &Outcome{Labels: set}, 0.15)
	if err != nil {
		return -1, []string{err.Error()}
	}
	return box.Start, l.notes
}
