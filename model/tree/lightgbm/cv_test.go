package lightgbm_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
)

func TestCrossValidationIsSeparateFits(t *testing.T) {
	s := treetest.Synth(1200, 6, 60, 0, 9, 0.1)
	for i := range 200 {
		s.X.Col(0)[5*i] = 0
	}
	d := core.Data{X: s.X, Y: make([]float64, 1200), Weight: make([]float64, 1200), Classes: 3}
	for i, c := range s.Class {
		d.Y[i], d.Weight[i] = float64(c)+1, float64(i%5)/2
	}
	for name, change := range map[string]func(*lightgbm.Config){
		"plain": func(*lightgbm.Config) {},
		"zeros": func(c *lightgbm.Config) { c.ZeroAsMissing = true },
		"drawn": func(c *lightgbm.Config) { c.BaggingFraction, c.BaggingFreq, c.FeatureFractionBynode = 0.8, 1, 0.7 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := small()
			cfg.EarlyStoppingRound, cfg.NumIterations, cfg.CategoricalFeature = 4, 10, []string{"f5"}
			change(&cfg)
			fs := treetest.Folds(1200, 4)
			fs[0].Stop = nil
			treetest.SeparateFits(t, d, fs, func(env model.Env) ([]core.Held, error) {
				return lightgbm.CrossValidate(context.Background(), env, d, fs, cfg)
			}, func(env model.Env, train, stop core.Data) (*ensemble.Ensemble, error) {
				return lightgbm.Train(context.Background(), env, train, stop, cfg)
			})
		})
	}
}

func TestCrossValidationErrors(t *testing.T) {
	s := treetest.Synth(100, 3, 61, 0, 0, 0)
	d := core.Data{X: s.X, Y: s.Y}
	cfg := small()
	cfg.Objective = lightgbm.Regression
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
		_, err := lightgbm.CrossValidate(context.Background(), treetest.Env(2), d, []core.Fold{good, tc.fold}, cfg)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
	cfg.NumLeaves = 1
	if _, err := lightgbm.CrossValidate(context.Background(), treetest.Env(2), d, []core.Fold{good}, cfg); err == nil || !strings.Contains(err.Error(), "fold 0: num_leaves") {
		t.Errorf("a wrong parameter: %v", err)
	}
	other, err := core.NewRanked(s.X.Select([]int{0, 1, 2}), core.NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	cfg.NumLeaves = 3
	if _, err := lightgbm.TrainWith(context.Background(), treetest.Env(1), d, core.Data{}, cfg, lightgbm.Options{Ranked: other}); err == nil || !strings.Contains(err.Error(), "another table") {
		t.Errorf("a ranking of another table: %v", err)
	}
}
