package xgboost

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Job is one fit of many on the same data: a fold, a trial of a search, a seed.
type Job = core.FoldJob[Config]

// CrossValidate fits every fold and predicts its test rows. Fold i draws from
// env.Stream.Stream("fold", i), and is what [TrainWith] with Options.Rows and
// Options.StopRows gives, bit for bit, whatever env.Workers. The columns are
// sorted once for all folds; the bin edges of a fold still come from its own
// training rows alone. With combinatorial folds, each is trained once.
// env.Progress is called after every fold.
func CrossValidate(ctx context.Context, env model.Env, d core.Data, folds []core.Fold, cfg Config) ([]core.Held, error) {
	return Run(ctx, env, d, core.EachFold(folds, cfg, env.Stream))
}

// Run fits many jobs on the same data, side by side, and predicts their test
// rows. The rules of [CrossValidate] hold.
func Run(ctx context.Context, env model.Env, d core.Data, jobs []Job) ([]core.Held, error) {
	return core.Fit(ctx, env, d, jobs, true, func(ctx context.Context, env model.Env, j *Job, stop core.Data, ranked *core.Ranked) (*ensemble.Ensemble, error) {
		return TrainWith(ctx, env, d, stop, j.Config, Options{Rows: j.Fold.Train, StopRows: j.Fold.Stop, Ranked: ranked})
	})
}

// matrix bins the training rows.
func (o *Options) matrix(d *core.Data, rows []int, w []float32, cfg *Config, pl *core.Pool) (*core.Matrix, error) {
	if o.Ranked != nil {
		if o.Ranked.X != d.X {
			return nil, fmt.Errorf("model/tree: the ranking is of another table")
		}
		return o.Ranked.Matrix(rows, w, cfg.Cutter(), pl)
	}
	return core.NewMatrix(d.X, rows, w, cfg.Cutter(), pl)
}

// stopMatrix bins the stop rows with the edges of m.
func (o *Options) stopMatrix(m *core.Matrix, d *core.Data, rows []int, pl *core.Pool) (*core.Matrix, error) {
	if o.Ranked != nil && o.Ranked.X == d.X {
		return o.Ranked.Like(m, rows, pl)
	}
	return m.Like(d.X, rows, pl)
}
