package split

import (
	"errors"
	"fmt"
	"sort"

	"github.com/mlfactory/mlfactory/view"
)

// PurgedKFold divides time into K test blocks of nearly equal row counts; all
// rows that are neither purged nor embargoed train.
//
// Source: López de Prado (2018), §7.4.
type PurgedKFold struct {
	K       int `yaml:"folds" doc:"test blocks" min:"2" max:"100"`
	Purging `yaml:",inline"`
	Market  Market `yaml:"-"`
}

// Split gives K folds in order of time; every row is in exactly one Test. Cost:
// O(n log n + K·n).
func (k PurgedKFold) Split(spans []view.Span) ([]Fold, error) {
	if err := errors.Join(k.check(k, k.Market), checkSpans(spans)); err != nil {
		return nil, err
	}
	if len(spans) < k.K {
		return nil, fmt.Errorf("split: %d-fold: %d rows are fewer than folds", k.K, len(spans))
	}
	order := inOrder(spans)
	at := cuts(spans, order, k.K)
	folds := make([]Fold, k.K)
	for b := range k.K {
		d := division{scheme: fmt.Sprintf("%d-fold", k.K), fold: b + 1, folds: k.K, after: true,
			blocks: [][]int{clone(order[at[b]:at[b+1]])}, candidates: without(order, at[b], at[b+1])}
		var err error
		if folds[b], err = divide(spans, d, k.Purging, k.Market); err != nil {
			return nil, err
		}
	}
	return folds, nil
}

// WalkForward tests Steps consecutive blocks of time, each with a model trained
// on what was known well before the block begins.
type WalkForward struct {
	Steps   int     `yaml:"steps" doc:"test blocks, one after the other" min:"1" max:"1000"`
	Initial float64 `yaml:"initial" doc:"share of the rows before the first test block" min:"0.05" max:"0.95"`
	Rolling bool    `yaml:"rolling" doc:"train on a window of the initial length instead of on everything before"`
	Purging `yaml:",inline"`
	Market  Market `yaml:"-"`
	// At, if there is any, are the instants at which the test blocks begin,
	// ascending, in the place of Steps and Initial: rows that come later then do
	// not move a block.
	At []int64 `yaml:"-"`
}

// DefaultWalkForward is 3 expanding steps over the last 60 % of the rows.
func DefaultWalkForward() WalkForward {
	return WalkForward{Steps: 3, Initial: 0.4, Purging: DefaultPurging()}
}

// Split gives Steps folds in order of time. Their Test sets divide the rows after
// the initial share; every training row has Outcome before the first decision of
// its test block, by the floor of open time. A rolling window holds as many rows
// as the first training set had before the purge. There is no embargo: no
// training row follows a test block. Cost: O(n log n + Steps·n).
func (w WalkForward) Split(spans []view.Span) ([]Fold, error) {
	if err := errors.Join(w.check(w, w.Market), checkSpans(spans)); err != nil {
		return nil, err
	}
	order := inOrder(spans)
	if len(w.At) > 0 {
		return w.splitAt(spans, order)
	}
	start := together(spans, order, int(w.Initial*float64(len(order))))
	if len(order)-start < w.Steps || start == 0 {
		return nil, fmt.Errorf("split: walk-forward: %d rows leave %d for %d test blocks after an initial share of %v; give more data or fewer steps",
			len(order), len(order)-start, w.Steps, w.Initial)
	}
	return w.blocks(spans, order, start, cuts(spans, order[start:], w.Steps))
}

// splitAt puts the test blocks where At says.
func (w WalkForward) splitAt(spans []view.Span, order []int) ([]Fold, error) {
	var at []int
	for k, t := range w.At {
		if k > 0 && t <= w.At[k-1] {
			return nil, fmt.Errorf("split: walk-forward: block %d begins at %s, not after the one before it", k+1, stamp(t))
		}
		at = append(at, sort.Search(len(order), func(i int) bool { return spans[order[i]].Decision >= t }))
	}
	start := at[0]
	if start == 0 {
		return nil, fmt.Errorf("split: walk-forward: no row is decided before the first block begins at %s", stamp(w.At[0]))
	}
	for k := range at {
		at[k] -= start
	}
	return w.blocks(spans, order, start, append(at, len(order)-start))
}

// blocks makes the folds of the test blocks order[start+at[b]:start+at[b+1]].
func (w WalkForward) blocks(spans []view.Span, order []int, start int, at []int) ([]Fold, error) {
	tested := order[start:]
	folds := make([]Fold, len(at)-1)
	for b := range folds {
		from := 0
		if w.Rolling {
			from = at[b]
		}
		d := division{scheme: "walk-forward", fold: b + 1, folds: len(folds),
			blocks: [][]int{clone(tested[at[b]:at[b+1]])}, candidates: order[from : start+at[b]]}
		var err error
		if folds[b], err = divide(spans, d, w.Purging, w.Market); err != nil {
			return nil, err
		}
	}
	return folds, nil
}

// CPCV is combinatorial purged cross-validation: time is divided into Groups
// blocks, and every choice of Tests of them is the test set of one fold.
//
// Source: López de Prado (2018), §12.3–12.4.
type CPCV struct {
	Groups  int `yaml:"groups" doc:"blocks of time" min:"2" max:"30"`
	Tests   int `yaml:"tests" doc:"blocks tested in each fold" min:"1" max:"29"`
	Purging `yaml:",inline"`
	Market  Market `yaml:"-"`
}

// maxCombinations bounds the folds of a CPCV.
const maxCombinations = 20000

// Combinations is the tested groups of each fold, in lexicographic order.
func (c CPCV) Combinations() [][]int {
	var out [][]int
	pick := make([]int, c.Tests)
	var choose func(k, from int)
	choose = func(k, from int) {
		if k == c.Tests {
			out = append(out, clone(pick))
			return
		}
		for g := from; g <= c.Groups-(c.Tests-k); g++ {
			pick[k] = g
			choose(k+1, g+1)
		}
	}
	choose(0, 0)
	return out
}

// Paths says how the folds recombine into complete histories: Paths()[g][j] is
// the fold whose predictions of group g belong to path j. There are
// Tests/Groups·C(Groups, Tests) paths, and each covers every group once.
func (c CPCV) Paths() [][]int {
	out := make([][]int, c.Groups)
	for f, groups := range c.Combinations() {
		for _, g := range groups {
			out[g] = append(out[g], f)
		}
	}
	return out
}

// Rows is the row indices of each group, ascending.
func (c CPCV) Rows(spans []view.Span) [][]int {
	order := inOrder(spans)
	at := cuts(spans, order, c.Groups)
	out := make([][]int, c.Groups)
	for g := range out {
		out[g] = ascending(order[at[g]:at[g+1]])
	}
	return out
}

// Split gives one fold for each of [CPCV.Combinations]. Cost: O(n log n +
// C(Groups, Tests)·n·Tests).
func (c CPCV) Split(spans []view.Span) ([]Fold, error) {
	if err := errors.Join(c.check(c, c.Market), checkSpans(spans)); err != nil {
		return nil, err
	}
	if c.Tests >= c.Groups {
		return nil, fmt.Errorf("split: cpcv: %d of %d groups tested leave none to train on", c.Tests, c.Groups)
	}
	if n := choose(c.Groups, c.Tests); n > maxCombinations {
		return nil, fmt.Errorf("split: cpcv: %d of %d groups make %d folds, more than %d", c.Tests, c.Groups, n, maxCombinations)
	}
	if len(spans) < c.Groups {
		return nil, fmt.Errorf("split: cpcv: %d rows are fewer than %d groups", len(spans), c.Groups)
	}
	order := inOrder(spans)
	at := cuts(spans, order, c.Groups)
	combos := c.Combinations()
	folds := make([]Fold, len(combos))
	for f, groups := range combos {
		d := division{scheme: "cpcv", fold: f + 1, folds: len(combos), after: true}
		tested := make([]bool, c.Groups)
		for _, g := range groups {
			tested[g] = true
			d.blocks = append(d.blocks, clone(order[at[g]:at[g+1]]))
		}
		for g := range c.Groups {
			if !tested[g] {
				d.candidates = append(d.candidates, order[at[g]:at[g+1]]...)
			}
		}
		var err error
		if folds[f], err = divide(spans, d, c.Purging, c.Market); err != nil {
			return nil, err
		}
	}
	return folds, nil
}

// choose is the binomial coefficient.
func choose(n, k int) int {
	c := 1
	for i := 1; i <= k; i++ {
		c = c * (n - k + i) / i
	}
	return c
}

func clone(x []int) []int { return append([]int(nil), x...) }

// without is order less positions lo..hi−1.
func without(order []int, lo, hi int) []int {
	out := make([]int, 0, len(order)-(hi-lo))
	return append(append(out, order[:lo]...), order[hi:]...)
}
