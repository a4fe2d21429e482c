package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mlfactory/mlfactory/model/tree/core"
)

const (
	groups  = 6
	horizon = 60 // rows that a label looks ahead
)

// cvResult is what a cross-validation prints.
type cvResult struct {
	Total  float64 `json:"total_s"` // binning, training and prediction of all splits
	Loss   float64 `json:"loss"`    // mean over the splits of the log-loss of the test rows
	Memory float64 `json:"memory_mb"`
	Splits int     `json:"splits"`
}

// splits lists the test groups of every split: each of six groups (kfold6), or
// each pair of them (cpcv15).
func splits(name string) ([][]int, error) {
	var out [][]int
	for a := range groups {
		if name == "kfold6" {
			out = append(out, []int{a})
			continue
		}
		for b := a + 1; b < groups; b++ {
			out = append(out, []int{a, b})
		}
	}
	if name != "kfold6" && name != "cpcv15" {
		return nil, fmt.Errorf("unknown splits %q", name)
	}
	return out, nil
}

// divide says for each of n rows in order of time whether it trains (1), tests
// (2) or is purged (0): its label overlaps a test row's.
func divide(n int, test []int) []uint8 {
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

func crossValidate(ctx context.Context, o options) (*cvResult, error) {
	d, err := load(o.dir, o.objective)
	if err != nil {
		return nil, err
	}
	tests, err := splits(o.splits)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	loss, err := foldLosses(ctx, o, d, tests)
	if err != nil {
		return nil, err
	}
	r := &cvResult{Total: time.Since(start).Seconds(), Memory: peakMemory(), Splits: len(tests)}
	for _, l := range loss {
		r.Loss += l / float64(len(tests))
	}
	return r, nil
}

// foldLosses trains every split on its own rows, one split a goroutine.
func foldLosses(ctx context.Context, o options, d core.Data, tests [][]int) ([]float64, error) {
	loss, errs := make([]float64, len(tests)), make([]error, len(tests))
	var at atomic.Int64
	var wg sync.WaitGroup
	for range o.threads {
		wg.Go(func() {
			for s := int(at.Add(1)) - 1; s < len(tests); s = int(at.Add(1)) - 1 {
				loss[s], errs[s] = oneSplit(ctx, o, d, divide(d.X.N, tests[s]))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return loss, nil
}

func oneSplit(ctx context.Context, o options, d core.Data, use []uint8) (float64, error) {
	d.Weight = make([]float64, len(use)) // 0: no row
	var rows []int
	var y []float64
	for i, u := range use {
		switch u {
		case 1:
			d.Weight[i] = 1
		case 2:
			rows, y = append(rows, i), append(y, d.Y[i])
		}
	}
	m, err := fit(ctx, o, d, 1, nil)
	if err != nil {
		return 0, err
	}
	p, err := m.Probabilities(ctx, d.X.Select(rows), nil)
	if err != nil {
		return 0, err
	}
	return logLoss(p, y), nil
}
