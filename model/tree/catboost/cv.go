package catboost

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
// sorted once for all folds, unless there are target statistics; the borders of a
// fold still come from its own training rows alone. env.Progress is called after
// every fold.
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
	folds, rank := make([]core.Fold, len(jobs)), false
	for i := range jobs {
		if err := jobs[i].Config.Validate(); err != nil {
			return nil, fmt.Errorf("model/tree: fold %d: %w", i, err)
		}
		folds[i] = jobs[i].Fold
		rank = rank || len(jobs[i].Config.CatFeatures) == 0
	}
	return core.FitFolds(ctx, env, d, folds, rank, func(ctx context.Context, env model.Env, i int, stop core.Data, ranked *core.Ranked) (*ensemble.Ensemble, error) {
		env.Stream = jobs[i].Stream
		return fit(ctx, env, d, stop, jobs[i].Config, Options{Rows: folds[i].Train, StopRows: folds[i].Stop, Ranked: ranked})
	})
}
