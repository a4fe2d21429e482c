package lightgbm

import (
	"context"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// TrainWide is Train with wide sums, whether they are needed or not.
func TrainWide(ctx context.Context, env model.Env, train, stop core.Data, cfg Config) (*ensemble.Ensemble, error) {
	return TrainWith(ctx, env, train, stop, cfg, Options{wide: true})
}
