package catboost_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
)

func TestCrossValidationIsSeparateFits(t *testing.T) {
	s := treetest.Synth(900, 6, 60, 0, 9, 0.1)
	d := core.Data{X: s.X, Y: make([]float64, 900), Weight: make([]float64, 900), Classes: 3}
	for i, c := range s.Class {
		d.Y[i], d.Weight[i] = float64(c)+1, float64(i%5)/2
	}
	for name, change := range map[string]func(*catboost.Config){
		"plain":      func(*catboost.Config) {},
		"drawn":      func(c *catboost.Config) { c.BootstrapType, c.Subsample, c.RandomStrength = "Bernoulli", 0.7, 2 },
		"ordered":    func(c *catboost.Config) { c.BoostingType = "Ordered" },
		"categories": func(c *catboost.Config) { c.CatFeatures = []string{"f5"} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := catboost.Default()
			cfg.Loss, cfg.Iterations, cfg.Depth, cfg.EarlyStoppingRounds = "MultiClass", 8, 3, 3
			change(&cfg)
			fs := append(treetest.Folds(900, 4), treetest.Pairs(900, 4)...)
			fs[0].Stop = nil
			treetest.SeparateFits(t, d, fs, func(env model.Env) ([]core.Held, error) {
				return catboost.CrossValidate(context.Background(), env, d, fs, cfg)
			}, func(env model.Env, train, stop core.Data) (*ensemble.Ensemble, error) {
				m, err := catboost.Train(context.Background(), env, train, stop, cfg)
				if err != nil {
					return nil, err
				}
				return m.Ensemble(), nil
			})
		})
	}
}

func TestCrossValidationErrors(t *testing.T) {
	s := treetest.Synth(100, 3, 61, 0, 0, 0)
	d := core.Data{X: s.X, Y: s.Y}
	cfg := catboost.Default()
	cfg.Loss, cfg.Iterations = "RMSE", 3
	good := core.Fold{Train: []int{1, 2, 3, 4}}
	for _, tc := range []struct {
		name string
		fold core.Fold
		want string
	}{
		{"no rows", core.Fold{Test: []int{1}}, "fold 1: no training rows"},
		{"outside", core.Fold{Train: []int{1, 2, 100}}, "training row 100 at position 2"},
		{"overlap", core.Fold{Train: []int{1, 2, 3}, Test: []int{0, 3}}, "row 3 is trained on and held out"},
	} {
		_, err := catboost.CrossValidate(context.Background(), treetest.Env(2), d, []core.Fold{good, tc.fold}, cfg)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
	other, err := core.NewRanked(s.X.Select([]int{0, 1, 2}), core.NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catboost.TrainWith(context.Background(), treetest.Env(1), d, core.Data{}, cfg, catboost.Options{Ranked: other}); err == nil || !strings.Contains(err.Error(), "another table") {
		t.Errorf("a ranking of another table: %v", err)
	}
	cfg.Depth = 99
	if _, err := catboost.CrossValidate(context.Background(), treetest.Env(2), d, []core.Fold{good}, cfg); err == nil || !strings.Contains(err.Error(), "fold 0: depth") {
		t.Errorf("a wrong parameter: %v", err)
	}
}
