package xgboost

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
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
		e, err := TrainWith(ctx, model.Env{Stream: j.Stream, Workers: workers}, d, stopOf(d, &j.Fold), j.Config,
			Options{Rows: j.Fold.Train, StopRows: j.Fold.Stop, Ranked: ranked})
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

// stopOf is the data of the stop rows, none if the fold has none.
func stopOf(d core.Data, f *core.Fold) core.Data {
	if len(f.Stop) == 0 {
		return core.Data{}
	}
	return d
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
