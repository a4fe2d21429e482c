package catboost

import (
	"context"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Job is one fit of many on the same data: a fold, a trial of a search, a seed.
type Job = core.FoldJob[Config]

// CrossValidate fits every fold and predicts its test rows. Fold i draws from
// env.Stream.Stream("fold", i), and is what [TrainWith] with Options.Rows and
// Options.StopRows gives, bit for bit, whatever env.Workers. The columns are
// sorted once for all folds, unless there are target statistics; the borders of a
// fold still come from its own training rows alone. env.Progress is called after
// every fold.
func CrossValidate(ctx context.Context, env model.Env, d core.Data, folds []core.Fold, cfg Config) ([]core.Held, error) {
	return Run(ctx, env, d, core.EachFold(folds, cfg, env.Stream))
}

// Run fits many jobs on the same data, side by side, and predicts their test
// rows. The rules of [CrossValidate] hold.
func Run(ctx context.Context, env model.Env, d core.Data, jobs []Job) ([]core.Held, error) {
	ranked := slices.ContainsFunc(jobs, func(j Job) bool { return len(j.Config.CatFeatures) == 0 })
	return core.Fit(ctx, env, d, jobs, ranked, func(ctx context.Context, env model.Env, j *Job, stop core.Data, ranked *core.Ranked) (*ensemble.Ensemble, error) {
		return fit(ctx, env, d, stop, j.Config, Options{Rows: j.Fold.Train, StopRows: j.Fold.Stop, Ranked: ranked})
	})
}
