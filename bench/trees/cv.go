package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
)

const horizon = 60 // rows that a label looks ahead

// cvResult is what a cross-validation prints.
type cvResult struct {
	Total  float64 `json:"total_s"` // binning, training and prediction of all splits
	Loss   float64 `json:"loss"`    // mean over the splits of the log-loss of the test rows
	Memory float64 `json:"memory_mb"`
	Splits int     `json:"splits"`
}

// splits lists the test groups of every split, and the number of groups: each of
// six (kfold6), each pair of six (cpcv15) or of ten (cpcv45).
func splits(name string) (tests [][]int, groups int, err error) {
	groups, ok := map[string]int{"kfold6": 6, "cpcv15": 6, "cpcv45": 10}[name]
	if !ok {
		return nil, 0, fmt.Errorf("unknown splits %q", name)
	}
	for a := range groups {
		if name == "kfold6" {
			tests = append(tests, []int{a})
			continue
		}
		for b := a + 1; b < groups; b++ {
			tests = append(tests, []int{a, b})
		}
	}
	return tests, groups, nil
}

// divide says for each of n rows in order of time whether it trains (1), tests
// (2) or is purged (0): its label overlaps a test row's.
func divide(n, groups int, test []int) []uint8 {
	use := make([]uint8, n)
	for i := range use {
		use[i] = 1
	}
	for _, g := range test {
		lo, hi := n*g/groups, n*(g+1)/groups
		for i := max(0, lo-horizon); i < min(n, hi+horizon); i++ {
			if use[i] == 1 {
				use[i] = 0
			}
		}
		for i := lo; i < hi; i++ {
			use[i] = 2
		}
	}
	return use
}

// crossValidate fits all splits in one call: the columns are sorted once, bin
// edges come from each split's training rows, one split a goroutine.
func crossValidate(ctx context.Context, o options) (*cvResult, error) {
	d, err := load(o.dir, o.objective)
	if err != nil {
		return nil, err
	}
	tests, groups, err := splits(o.splits)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	folds := make([]core.Fold, len(tests))
	for i, test := range tests {
		folds[i] = fold(divide(d.X.N, groups, test))
	}
	env := model.Env{Stream: rng.New(1), Workers: o.threads}
	var held []core.Held
	switch o.style {
	case "xgboost":
		held, err = xgboost.CrossValidate(ctx, env, d, folds, xgboostConfig(o))
	case "lightgbm":
		held, err = lightgbm.CrossValidate(ctx, env, d, folds, lightgbmConfig(o))
	case "catboost":
		held, err = catboost.CrossValidate(ctx, env, d, folds, catboostConfig(o))
	default:
		err = fmt.Errorf("style %q has no cross-validation in one call", o.style)
	}
	if err != nil {
		return nil, err
	}
	r := &cvResult{Splits: len(tests)}
	for _, h := range held {
		y := make([]float64, len(h.Rows))
		for i, row := range h.Rows {
			y[i] = d.Y[row]
		}
		r.Loss += logLoss(h.Prob, y) / float64(len(tests))
	}
	r.Total, r.Memory = time.Since(start).Seconds(), peakMemory()
	return r, nil
}

// fold lists the rows that train and those that test.
func fold(use []uint8) (f core.Fold) {
	for i, u := range use {
		switch u {
		case 1:
			f.Train = append(f.Train, i)
		case 2:
			f.Test = append(f.Test, i)
		}
	}
	return f
}
