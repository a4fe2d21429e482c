package catboost

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

// New checks a configuration and makes a learner. With MultiClass there are
// three classes; one that the training rows lack gets a small probability. With
// Logloss the training rows must hold exactly two of the classes; the third has
// probability 0.
func New(cfg Config) (*Learner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	if name, _, _ := parseLoss(cfg.Loss); name != MultiClass && name != Logloss {
		return nil, fmt.Errorf("model/tree: loss_function: %s predicts a number, the classifier needs %s or %s", name, MultiClass, Logloss)
	}
	return &Learner{cfg}, nil
}

// Fit trains on the table, class and weight of train and stops early on those
// of stop; it uses nothing else of either. The result is an [*ensemble.Model].
func (l *Learner) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	c := core.Classes{
		Two: Logloss, Three: MultiClass, IsTwo: l.cfg.Loss == Logloss,
		Train: func(ctx context.Context, env model.Env, train, stop core.Data) (*ensemble.Ensemble, error) {
			return fit(ctx, env, train, stop, l.cfg, Options{})
		},
	}
	return c.Fit(ctx, env, train, stop)
}

// Entry is the registry entry of "catboost".
func Entry() model.Entry {
	return model.Entry{
		Name:   "catboost",
		Family: "boosting",
		Doc: "Gradient-boosted symmetric trees, all nodes of a level sharing one split, with the parameters, defaults and split choices of " +
			"CatBoost on the CPU (Prokhorenkova et al. 2018): scores by cosine, Newton leaves with backtracking, one tree with vector " +
			"leaves for all classes, Bayesian and minimal variance sampling, ordered boosting, early stopping on the stop rows.",
		Input:     model.InputTable,
		Abilities: model.Abilities{Weights: true, Missing: true, Stops: true},
		Default:   func() any { c := Default(); return &c },
		New: func(cfg any) (model.Learner, error) {
			c, ok := cfg.(*Config)
			if !ok || c == nil {
				return nil, fmt.Errorf("model/tree: the configuration is a %T, want *catboost.Config", cfg)
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
