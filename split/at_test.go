package split_test

import (
	"reflect"
	"testing"

	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// TestWalkForwardAt puts blocks by time: where the shares put them it gives the
// same folds, and rows that come later move nothing.
func TestWalkForwardAt(t *testing.T) {
	var spans []view.Span
	for i := range int64(1000) {
		spans = append(spans, view.Span{Decision: 10 * i, Entry: 10*i + 1, Outcome: 10*i + 35})
	}
	for _, rolling := range []bool{false, true} {
		w := split.WalkForward{Steps: 3, Initial: 0.4, Rolling: rolling, Purging: split.Purging{Stop: 0.1, Calib: 0.1, MaxLost: 1, MinRows: 10}}
		want, err := w.Split(spans)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range want {
			w.At = append(w.At, spans[f.Test[0]].Decision)
		}
		got, err := w.Split(spans)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rolling %v: the same blocks by time give other folds", rolling)
		}
		got, err = w.Split(spans[:900])
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			if !reflect.DeepEqual(got[k].Train, want[k].Train) || !reflect.DeepEqual(got[k].Stop, want[k].Stop) || !reflect.DeepEqual(got[k].Calib, want[k].Calib) {
				t.Errorf("rolling %v: rows that are missing at the end move fold %d", rolling, k+1)
			}
		}
		for _, at := range [][]int64{{0, 5000}, {5000, 5000}, {5000, 4000}, {5000, 99999}} {
			w.At = at
			if _, err := w.Split(spans); err == nil {
				t.Errorf("blocks at %v were made", at)
			}
		}
	}
}
