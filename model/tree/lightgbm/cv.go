package lightgbm

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Job is one fit of many on the same data: a fold, a trial of a search, a seed.
type Job struct {
	Fold   core.Fold
	Config Config
	Stream rng.Stream
}

// CrossValidate fits every fold and predicts its test rows. Fold i draws from
// env.Stream.Stream("fold", i), and is what [TrainWith] with Options.Rows and
// Options.StopRows gives, bit for bit, whatever env.Workers. The columns are
// sorted once for all folds; the bins of a fold still come from its own training
// rows alone. With combinatorial folds, each is trained once. env.Progress is
// called after every fold.
func CrossValidate(ctx context.Context, env model.Env, d core.Data, folds []core.Fold, cfg Config) ([]core.Held, error) {
	jobs := make([]Job, len(folds))
	for i, f := range folds {
		jobs[i] = Job{f, cfg, env.Stream.Stream("fold", i)}
	}
	return Run(ctx, env, d, jobs)
}

// Run fits many jobs on the same data, one on each goroutine, and predicts
// their test rows. The rules of [CrossValidate] hold.
func Run(ctx context.Context, env model.Env, d core.Data, jobs []Job) ([]core.Held, error) {
	if _, err := d.Kept("training"); err != nil {
		return nil, err
	}
	for i := range jobs {
		if err := jobs[i].Config.Validate(); err != nil {
			return nil, fmt.Errorf("model/tree: fold %d: %w", i, err)
		}
		if err := jobs[i].Fold.Check(d.X.N); err != nil {
			return nil, fmt.Errorf("model/tree: fold %d: %w", i, err)
		}
	}
	ranked, err := core.NewRanked(d.X, core.NewPool(env.Workers))
	if err != nil {
		return nil, err
	}
	var done func(int)
	if env.Progress != nil {
		done = func(count int) { env.Progress(count, len(jobs), "") }
	}
	out := make([]core.Held, len(jobs))
	err = core.Jobs(ctx, env.Workers, len(jobs), done, func(i, workers int) error {
		j := &jobs[i]
		stop := d
		if len(j.Fold.Stop) == 0 {
			stop = core.Data{}
		}
		e, err := TrainWith(ctx, model.Env{Stream: j.Stream, Workers: workers}, d, stop, j.Config, Options{Rows: j.Fold.Train, StopRows: j.Fold.Stop, Ranked: ranked})
		if err != nil {
			return err
		}
		out[i], err = core.Hold(ctx, e, d.X, j.Fold.Test)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	return out, nil
}

// matrix bins rows of x, which is d.X or what [trainer.table] made of it.
func (t *trainer) matrix(o *Options, d *core.Data, x *view.Table, rows []int) (*core.Matrix, error) {
	if o.Ranked != nil && o.Ranked.X != d.X {
		return nil, fmt.Errorf("model/tree: the ranking is of another table")
	}
	if o.Ranked != nil && x == d.X {
		t.from = o.Ranked
		return o.Ranked.MatrixEach(rows, nil, t.bin.cutter(t.cat), t.pl)
	}
	return core.NewMatrixEach(x, rows, nil, t.bin.cutter(t.cat), t.pl)
}

// stopMatrix bins the stop rows of x with the bins of the training rows.
func (t *trainer) stopMatrix(o *Options, x *view.Table, rows []int) (*core.Matrix, error) {
	if o.Ranked != nil && o.Ranked.X == x {
		return o.Ranked.Like(t.m, rows, t.pl)
	}
	return t.m.Like(x, rows, t.pl)
}
