package xgboost

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Learner fits classifiers of −1, 0 and +1.
type Learner struct{ cfg Config }

// New checks a configuration and makes a learner. With multi:softprob there
// are three classes; one that the training rows lack gets a small probability.
// With binary:logistic the training rows must hold exactly two of the classes;
// the third has probability 0.
func New(cfg Config) (*Learner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	if cfg.Objective != core.Softprob && cfg.Objective != core.Logistic {
		return nil, fmt.Errorf("model/tree: objective: %s predicts a number, the classifier needs %s or %s", cfg.Objective, core.Softprob, core.Logistic)
	}
	return &Learner{cfg}, nil
}

// Fit trains on the table, class and weight of train and stops early on those
// of stop; it uses nothing else of either.
func (l *Learner) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	c := core.Classes{
		Two: core.Logistic, Three: core.Softprob, IsTwo: l.cfg.Objective == core.Logistic,
		Train: func(ctx context.Context, env model.Env, train, stop core.Data) (*ensemble.Ensemble, error) {
			return Train(ctx, env, train, stop, l.cfg)
		},
	}
	return c.Fit(ctx, env, train, stop)
}

// Entry is the registry entry of "xgboost".
func Entry() model.Entry {
	return model.Entry{
		Name:   "xgboost",
		Family: "boosting",
		Doc: "Gradient-boosted trees grown level by level on histograms, with the parameters, defaults and split choices of " +
			"XGBoost's hist method (Chen and Guestrin 2016): second-order gains, L1 and L2 penalties, learned directions for " +
			"missing values, row and column sampling, early stopping on the stop rows.",
		Input:     model.InputTable,
		Abilities: model.Abilities{Weights: true, Missing: true, Stops: true},
		Default:   func() any { c := Default(); return &c },
		New: func(cfg any) (model.Learner, error) {
			c, ok := cfg.(*Config)
			if !ok || c == nil {
				return nil, fmt.Errorf("model/tree: the configuration is a %T, want *xgboost.Config", cfg)
			}
			l, err := New(*c)
			if err != nil {
				return nil, err
			}
			return l, nil
		},
		Decode: ensemble.DecodeFitted,
	}
}
