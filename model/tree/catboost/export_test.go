package catboost

import (
	"context"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Resolved is what [Config.resolve] makes of a config.
func Resolved(c Config, classes, n, p int, stops bool) (Config, error) {
	l, err := newLoss(c.Loss, classes)
	if err != nil {
		return c, err
	}
	return c.resolve(l, n, p, stops), nil
}

// TrainWide is Train with wide sums, whether they are needed or not.
func TrainWide(ctx context.Context, env model.Env, train, stop core.Data, cfg Config) (*ensemble.Model, error) {
	return TrainWith(ctx, env, train, stop, cfg, Options{wide: true})
}
