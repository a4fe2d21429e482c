package lightgbm

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
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
	folds := make([]core.Fold, len(jobs))
	for i := range jobs {
		if err := jobs[i].Config.Validate(); err != nil {
			return nil, fmt.Errorf("model/tree: fold %d: %w", i, err)
		}
		folds[i] = jobs[i].Fold
	}
	return core.FitFolds(ctx, env, d, folds, true, func(ctx context.Context, env model.Env, i int, stop core.Data, ranked *core.Ranked) (*ensemble.Ensemble, error) {
		env.Stream = jobs[i].Stream
		return TrainWith(ctx, env, d, stop, jobs[i].Config, Options{Rows: folds[i].Train, StopRows: folds[i].Stop, Ranked: ranked})
	})
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
