package core

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Fold is one part of a cross-validation: rows to train on, rows for early
// stopping (nil: none) and rows to predict, each ascending.
type Fold struct{ Train, Stop, Test []int }

// Check reports rows outside of a table of n rows or not ascending, a fold
// without training rows, and rows that are trained on and then stop or test.
func (f *Fold) Check(n int) error {
	if len(f.Train) == 0 {
		return fmt.Errorf("no training rows")
	}
	for _, part := range []struct {
		name string
		rows []int
	}{{"training", f.Train}, {"stop", f.Stop}, {"test", f.Test}} {
		if err := CheckRows(part.rows, n); err != nil {
			return fmt.Errorf("%s %w", part.name, err)
		}
	}
	for _, other := range [][]int{f.Stop, f.Test} {
		k := 0
		for _, i := range other {
			for k < len(f.Train) && f.Train[k] < i {
				k++
			}
			if k < len(f.Train) && f.Train[k] == i {
				return fmt.Errorf("row %d is trained on and held out", i)
			}
		}
	}
	return nil
}

// CheckRows reports rows that are not ascending or not below n.
func CheckRows(rows []int, n int) error {
	for k, i := range rows {
		if i < 0 || i >= n || k > 0 && i <= rows[k-1] {
			return fmt.Errorf("row %d at position %d of a table of %d rows; rows must ascend", i, k, n)
		}
	}
	return nil
}

// FoldJob is one fit of many on the same data: a fold, a trial of a search, a seed.
type FoldJob[C interface{ Validate() error }] struct {
	Fold   Fold
	Config C
	Stream rng.Stream
}

// EachFold is a job for every fold: fold i draws from s.Stream("fold", i).
func EachFold[C interface{ Validate() error }](folds []Fold, cfg C, s rng.Stream) []FoldJob[C] {
	jobs := make([]FoldJob[C], len(folds))
	for i, f := range folds {
		jobs[i] = FoldJob[C]{f, cfg, s.Stream("fold", i)}
	}
	return jobs
}

// Fit fits every job by fit, several side by side, and predicts its test rows.
// fit gets the job's stream and its number of workers in env, the data of the stop
// rows (none for a fold without) and, if rank is set, the ranking of d.X, which is
// made once. env.Progress is called after every job. Configurations and folds are
// checked first; with combinatorial folds, each is trained once.
func Fit[C interface{ Validate() error }](ctx context.Context, env model.Env, d Data, jobs []FoldJob[C], rank bool,
	fit func(ctx context.Context, env model.Env, j *FoldJob[C], stop Data, ranked *Ranked) (*ensemble.Ensemble, error)) ([]Held, error) {
	if _, err := d.Kept("training"); err != nil {
		return nil, err
	}
	for i := range jobs {
		if err := errors.Join(jobs[i].Config.Validate(), jobs[i].Fold.Check(d.X.N)); err != nil {
			return nil, fmt.Errorf("model/tree: fold %d: %w", i, err)
		}
	}
	var ranked *Ranked
	if rank {
		var err error
		if ranked, err = NewRanked(d.X, NewPool(env.Workers)); err != nil {
			return nil, err
		}
	}
	var done func(int)
	if env.Progress != nil {
		done = func(count int) { env.Progress(count, len(jobs), "") }
	}
	out := make([]Held, len(jobs))
	err := Jobs(ctx, env.Workers, len(jobs), done, func(i, workers int) error {
		j, stop := &jobs[i], d
		if len(j.Fold.Stop) == 0 {
			stop = Data{}
		}
		e, err := fit(ctx, model.Env{Stream: j.Stream, Workers: workers}, j, stop, ranked)
		if err != nil {
			return err
		}
		out[i], err = Hold(ctx, e, d.X, j.Fold.Test)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	return out, nil
}

// Jobs calls f for the numbers 0 to n−1 on up to workers goroutines and waits.
// A call is a whole fit, which may use the number of workers that it is given:
// one, since folds side by side use two cores better than two goroutines in one
// tree, or a share of all for the last calls, which would leave some idle. After an error or the end of ctx
// no further call begins; the error of the lowest number is returned. done, if
// not nil, is called after each success, one call at a time, with the number
// of successes so far.
func Jobs(ctx context.Context, workers, n int, done func(count int), f func(i, workers int) error) error {
	errs := make([]error, n)
	var mu sync.Mutex
	count, failed := 0, false
	NewPool(workers).Each(n, func(next func() int) {
		for i := next(); i < n; i = next() {
			mu.Lock()
			stop := failed
			mu.Unlock()
			if stop {
				return
			}
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = f(i, share(i, n, workers))
			}
			mu.Lock()
			if errs[i] != nil {
				failed = true
			} else if count++; done != nil {
				done(count)
			}
			mu.Unlock()
		}
	})
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("fold %d: %w", i, err)
		}
	}
	return nil
}

// share is the number of workers of job i of n: the last n mod workers jobs
// divide all workers among them.
func share(i, n, workers int) int {
	workers = max(1, workers)
	rest := n % workers
	k := i - (n - rest)
	if k < 0 {
		return 1
	}
	return workers*(k+1)/rest - workers*k/rest
}

// Held is what a fit says about the rows that it did not see.
type Held struct {
	Rows []int     // the test rows
	Raw  []float64 // raw scores, row-major
	Prob []float64 // probabilities by the link, row-major; nil where it has none
	// Trees is the number of trees of the ensemble.
	Trees int
}

// Hold predicts the given rows of a table.
func Hold(ctx context.Context, e *ensemble.Ensemble, x *view.Table, rows []int) (Held, error) {
	out := Held{Rows: rows, Trees: len(e.Trees)}
	m, err := ensemble.NewModel(e)
	if err != nil || len(rows) == 0 {
		return out, err
	}
	if out.Raw, err = m.RawOf(ctx, x, rows, nil); err != nil {
		return out, err
	}
	k, w := m.Scores(), m.Width()
	if w > 0 {
		out.Prob = make([]float64, len(rows)*w)
		for i := range rows {
			e.Link.Probabilities(out.Raw[i*k:(i+1)*k], out.Prob[i*w:(i+1)*w])
		}
	}
	return out, nil
}
