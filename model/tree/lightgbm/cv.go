package lightgbm

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Job is one fit of many on the same data: a fold, a trial of a search, a seed.
type Job = core.FoldJob[Config]

// CrossValidate fits every fold and predicts its test rows. Fold i draws from
// env.Stream.Stream("fold", i), and is what [TrainWith] with Options.Rows and
// Options.StopRows gives, bit for bit, whatever env.Workers. The columns are
// sorted once for all folds; the bins of a fold still come from its own training
// rows alone. With combinatorial folds, each is trained once. env.Progress is
// called after every fold.
func CrossValidate(ctx context.Context, env model.Env, d core.Data, folds []core.Fold, cfg Config) ([]core.Held, error) {
	return Run(ctx, env, d, core.EachFold(folds, cfg, env.Stream))
}

// Run fits many jobs on the same data, one on each goroutine, and predicts
// their test rows. The rules of [CrossValidate] hold.
func Run(ctx context.Context, env model.Env, d core.Data, jobs []Job) ([]core.Held, error) {
	return core.Fit(ctx, env, d, jobs, true, func(ctx context.Context, env model.Env, j *Job, stop core.Data, ranked *core.Ranked) (*ensemble.Ensemble, error) {
		return TrainWith(ctx, env, d, stop, j.Config, Options{Rows: j.Fold.Train, StopRows: j.Fold.Stop, Ranked: ranked})
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
