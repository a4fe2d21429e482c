package xgboost

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
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
// sorted once for all folds; the bin edges of a fold still come from its own
// training rows alone. With combinatorial folds, each is trained once.
// env.Progress is called after every fold.
func CrossValidate(ctx context.Context, env model.Env, d core.Data, folds []core.Fold, cfg Config) ([]core.Held, error) {
	jobs := make([]Job, len(folds))
	for i, f := range folds {
		jobs[i] = Job{f, cfg, env.Stream.Stream("fold", i)}
	}
	return Run(ctx, env, d, jobs)
}

// Run fits many jobs on the same data, side by side, and predicts their test
// rows. The rules of [CrossValidate] hold.
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
