package forest

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/stat"
	"github.com/mlfactory/mlfactory/view"
)

// Learner fits classifiers of −1, 0 and +1.
type Learner struct {
	kind Kind
	cfg  Config
}

// New checks a configuration and makes a learner.
func New(kind Kind, cfg Config) (*Learner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	if !cfg.classifies() {
		return nil, fmt.Errorf("forest: criterion: %s predicts a number, the classifier needs %s, %s or %s", cfg.Criterion, Gini, Entropy, LogLoss)
	}
	return &Learner{kind, cfg}, nil
}

// Fit grows a forest on the table, classes, weights and, where an option needs
// them, spans of train; stop is not looked at. The result is an
// *[ensemble.Model] over the classes that the training rows hold; a class that
// they lack has probability 0. With oob_score its ensemble has "oob_score" and
// "oob_rows" in Extra.
func (l *Learner) Fit(ctx context.Context, env model.Env, train, _ view.View) (model.Fitted, error) {
	rows, err := model.CheckFit(train, true)
	if err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	var codes []int8
	for c := int8(-1); c <= 1; c++ {
		for _, i := range rows {
			if train.Class[i] == c {
				codes = append(codes, c)
				break
			}
		}
	}
	d := core.Data{X: train.Table, Y: make([]float64, len(train.Class)), Weight: train.Weight, Classes: len(codes)}
	for _, i := range rows {
		for k, c := range codes {
			if train.Class[i] == c {
				d.Y[i] = float64(k)
			}
		}
	}
	f, err := Train(ctx, env, l.kind, d, train.Spans, l.cfg)
	if err != nil {
		var one *core.OneClassError
		if errors.As(err, &one) {
			one.Class = int(codes[one.Class])
		}
		return nil, err
	}
	f.Ensemble.Classes = codes
	m, err := ensemble.NewModel(f.Ensemble)
	if err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	return m, nil
}

// logProb is the logarithm of a probability, which counts as at least
// [model.MinProb].
func logProb(p float64) float64 { return stat.Log(math.Max(p, model.MinProb)) }

// Entry is the registry entry of "random_forest".
func Entry() model.Entry {
	return entry(Random, Default, "Random forest (Breiman 2001) with the names, defaults and rules of scikit-learn 1.9: trees grown on bootstrap "+
		"samples with a random choice of columns in every node, averaged. Missing values take the better side. Samples may follow the "+
		"uniqueness of overlapping labels (sequential bootstrap, López de Prado 2018, §4.5).")
}

// EntryExtra is the registry entry of "extra_trees".
func EntryExtra() model.Entry {
	return entry(Extra, DefaultExtra, "Extremely randomised trees (Geurts, Ernst and Wehenkel 2006) with the names, defaults and rules of scikit-learn 1.9: "+
		"all rows for every tree, and one random threshold for each column that a node tries.")
}

func entry(kind Kind, def func() Config, doc string) model.Entry {
	return model.Entry{
		Name:      kind.String(),
		Family:    "forest",
		Doc:       doc,
		Input:     model.InputTable,
		Abilities: model.Abilities{Weights: true, Missing: true},
		Default:   func() any { c := def(); return &c },
		New: func(cfg any) (model.Learner, error) {
			c, ok := cfg.(*Config)
			if !ok || c == nil {
				return nil, fmt.Errorf("forest: the configuration is a %T, want *forest.Config", cfg)
			}
			l, err := New(kind, *c)
			if err != nil {
				return nil, err
			}
			return l, nil
		},
		Decode: ensemble.DecodeFitted,
	}
}
