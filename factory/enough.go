package factory

import (
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/stat"
)

// lacking says what a market's folds lack so that nothing can be learnt from
// them, or measured on the k-fold if that is wanted: a set of training rows with
// one class, or fewer than two blocks of rows for an interval. It is empty where
// nothing is missing. The folds are asked in a fixed order, so that the answer
// does not depend on which fit would have failed first.
func lacking(s *label.Set, fs *folds, weights label.WeightConfig, kfold bool) (string, error) {
	for w := range fs.Steps {
		st := &fs.Steps[w]
		where := fmt.Sprintf("walk-forward step %d of %d", w+1, len(fs.Steps))
		if why, err := oneClass(s, st.Train, weights, where); why != "" || err != nil {
			return why, err
		}
		for k, in := range st.Inner {
			if why, err := oneClass(s, in.Train, weights, fmt.Sprintf("%s, inner fold %d of %d", where, k+1, len(st.Inner))); why != "" || err != nil {
				return why, err
			}
		}
	}
	if !kfold {
		return "", nil
	}
	var test rows
	for k, f := range fs.KFold {
		if why, err := oneClass(s, f.Train, weights, fmt.Sprintf("%d-fold, fold %d", len(fs.KFold), k+1)); why != "" || err != nil {
			return why, err
		}
		test = append(test, f.Test...)
	}
	slices.Sort(test)
	begin, end := make([]int64, len(test)), make([]int64, len(test))
	for i, d := range test {
		begin[i], end[i] = s.Spans[d].Decision, s.Spans[d].Outcome
	}
	block, err := stat.SpanBlock(begin, end)
	if err != nil {
		return "", err
	}
	if n := len(test); n < 2 || n < 2*block {
		return fmt.Sprintf("%d-fold, all test rows: %d labelled decisions hold fewer than two blocks of %d (as many begin within the longest label), so a log-loss has no interval; give more data or a shorter label.horizon", len(fs.KFold), n, block), nil
	}
	return "", nil
}

// oneClass says that the rows that a fit would train on have one class, and
// where that is.
func oneClass(s *label.Set, train rows, cfg label.WeightConfig, where string) (string, error) {
	// Thinning keeps every so-manieth row. It can lose a class only where the
	// others are rare, and finding out costs as much as weighing the rows.
	if n := classes(s, train); 10*(len(train)-slices.Max(n[:])) >= len(train) && len(train) > 0 {
		return "", nil
	}
	kept, _, err := trainRows(s, train, cfg)
	if err != nil {
		return "", err
	}
	n := classes(s, kept)
	most := slices.Max(n[:])
	if len(kept) == 0 || most < len(kept) {
		return "", nil
	}
	c := slices.Index(n[:], most) - 1
	meaning := map[int]string{-1: "a short made money net of cost", 0: "neither side made money net of cost", 1: "a long made money net of cost"}[c]
	advice := "give more data, or use another label"
	if c == 0 {
		advice = "lower the cost, widen the barriers (label.profit_take, label.stop_loss, label.horizon) or give more data"
	}
	return fmt.Sprintf("%s: all %d training rows have class %d (%s), and nothing can be learnt from one class; %s", where, len(kept), c, meaning, advice), nil
}

// classes counts the rows of classes −1, 0 and +1.
func classes(s *label.Set, r rows) (n [3]int) {
	for _, d := range r {
		n[s.Class[d]+1]++
	}
	return n
}
