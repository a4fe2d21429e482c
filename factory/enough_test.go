package factory

import (
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

// TestLacking has one case for each thing that a fold may lack.
func TestLacking(t *testing.T) {
	// 400 labels, each alive for ten decisions; class as a function of the row.
	set := func(life int, class func(i int) int8) *label.Set {
		s := &label.Set{}
		for i := range 400 {
			s.Spans = append(s.Spans, view.Span{Decision: int64(i), Entry: int64(i), Outcome: int64(i + life)})
			s.Valid, s.Class = append(s.Valid, true), append(s.Class, class(i))
		}
		return s
	}
	some := func(lo, hi int) (r rows) {
		for i := lo; i < hi; i++ {
			r = append(r, i)
		}
		return r
	}
	three := func(i int) int8 { return int8(i%3) - 1 }
	fs := func() *folds {
		st := step{fold: fold{Train: some(0, 100), Test: some(200, 300)}, Inner: []fold{{Train: some(0, 50)}, {Train: some(50, 100)}}, Lo: 200, Hi: 300}
		return &folds{Steps: []step{st, st}, KFold: []fold{{Train: some(200, 400), Test: some(0, 200)}, {Train: some(0, 200), Test: some(200, 400)}}}
	}
	loose := label.WeightConfig{MaxConcurrency: 1000, Decay: 1}
	for _, c := range []struct {
		name    string
		set     *label.Set
		weights label.WeightConfig
		change  func(*folds)
		kfold   bool
		want    string
	}{
		{"nothing", set(10, three), loose, nil, true, ""},
		{"a step", set(10, func(i int) int8 {
			if i < 100 {
				return 1
			}
			return three(i)
		}), loose, nil, true, "walk-forward step 1 of 2: all 100 training rows have class 1 (a long made money"},
		{"an inner fold", set(10, func(i int) int8 {
			if i >= 50 && i < 100 {
				return -1
			}
			return three(i)
		}), loose, nil, true, "walk-forward step 1 of 2, inner fold 2 of 2: all 50 training rows have class -1"},
		{"a later step", set(10, three), loose, func(f *folds) { f.Steps[1].Train = rows{0, 3, 6, 9} }, true, "walk-forward step 2 of 2: all 4 training rows have class -1"},
		{"the k-fold", set(10, three), loose, func(f *folds) { f.KFold[1].Train = rows{1, 4} }, true, "2-fold, fold 2: all 2 training rows have class 0"},
		{"the k-fold, not wanted", set(10, three), loose, func(f *folds) { f.KFold[1].Train = rows{1, 4} }, false, ""},
		// One row in twenty has another class, and thinning to every tenth or eleventh
		// row of the first hundred loses it.
		{"a class lost by thinning", set(10, func(i int) int8 {
			if i < 100 && i%20 != 7 {
				return 0
			}
			return 1
		}), label.WeightConfig{MaxConcurrency: 1, Decay: 1}, func(f *folds) { f.Steps[0].Inner, f.Steps[1].Inner = nil, nil }, false, "training rows have class 0"},
		{"blocks", set(205, three), loose, nil, true, "2-fold, all test rows: 400 labelled decisions hold fewer than two blocks of 206"},
		{"two blocks", set(199, three), loose, nil, true, ""},
	} {
		f := fs()
		if c.change != nil {
			c.change(f)
		}
		got, err := lacking(c.set, f, c.weights, c.kfold)
		if err != nil || c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
		if c.want == "" {
			continue
		}
		if !strings.Contains(got, "give more data") {
			t.Errorf("%s: %q does not say what to do", c.name, got)
		}
	}
}
