package xgboost

import (
	"context"
	"errors"
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
	codes := []int8{-1, 0, 1}
	if l.cfg.Objective == core.Logistic {
		var err error
		if codes, err = twoClasses(train); err != nil {
			return nil, err
		}
	}
	tr, err := classData(train, codes, "training")
	if err != nil {
		return nil, err
	}
	var st core.Data
	if stop.Len() > 0 {
		if st, err = classData(stop, codes, "stop"); err != nil {
			return nil, err
		}
	}
	e, err := Train(ctx, env, tr, st, l.cfg)
	if err != nil {
		var one *core.OneClassError
		if errors.As(err, &one) {
			one.Class = int(codes[one.Class])
		}
		return nil, err
	}
	e.Classes = codes
	m, err := ensemble.NewModel(e)
	if err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	return m, nil
}

// twoClasses lists the classes of the rows of positive weight, which must be
// two.
func twoClasses(v view.View) ([]int8, error) {
	var seen [model.K]bool
	rows := 0
	for i, c := range v.Class {
		if c < -1 || c > 1 {
			return nil, classError("training", i, c)
		}
		if i < len(v.Weight) && v.Weight[i] == 0 {
			continue
		}
		rows++
		seen[model.ClassIndex(c)] = true
	}
	var codes []int8
	for k, s := range seen {
		if s {
			codes = append(codes, int8(k)-1)
		}
	}
	switch len(codes) {
	case 1:
		return nil, &core.OneClassError{Rows: rows, Class: int(codes[0])}
	case 3:
		return nil, fmt.Errorf("model/tree: the training rows hold three classes, %s takes two; use %s", core.Logistic, core.Softprob)
	case 0:
		return nil, fmt.Errorf("model/tree: %w", model.ErrNoRows)
	}
	return codes, nil
}

func classError(what string, row int, c int8) error {
	return fmt.Errorf("model/tree: %s row %d has class %d; classes are -1, 0 and 1", what, row, c)
}

// classData turns a view into labels 0, 1, … in the order of codes.
func classData(v view.View, codes []int8, what string) (core.Data, error) {
	if v.Table == nil || v.Class == nil {
		return core.Data{}, fmt.Errorf("model/tree: %s view has no table or no classes", what)
	}
	if err := v.Check(); err != nil {
		return core.Data{}, fmt.Errorf("model/tree: %s: %w", what, err)
	}
	d := core.Data{X: v.Table, Y: make([]float64, len(v.Class)), Weight: v.Weight, Classes: len(codes)}
	for i, c := range v.Class {
		k := -1
		for j, code := range codes {
			if code == c {
				k = j
			}
		}
		if k < 0 {
			if c < -1 || c > 1 {
				return d, classError(what, i, c)
			}
			if i < len(v.Weight) && v.Weight[i] == 0 {
				continue // as good as absent
			}
			return d, fmt.Errorf("model/tree: %s row %d has class %d, which the training rows lack; %s cannot predict it", what, i, c, core.Logistic)
		}
		d.Y[i] = float64(k)
	}
	return d, nil
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
