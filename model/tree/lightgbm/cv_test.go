package lightgbm_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
)

// folds are k folds of n rows with a gap on both sides of the test rows; the
// last tenth of the training rows stops.
func folds(n, k int) []core.Fold {
	const purge = 7
	var out []core.Fold
	for i := range k {
		var f core.Fold
		for r := range n {
			switch {
			case r >= n*i/k && r < n*(i+1)/k:
				f.Test = append(f.Test, r)
			case r < n*i/k-purge || r >= n*(i+1)/k+purge:
				f.Train = append(f.Train, r)
			}
		}
		m := len(f.Train) * 9 / 10
		f.Train, f.Stop = f.Train[:m:m], f.Train[m+purge:]
		out = append(out, f)
	}
	return out
}

func TestCrossValidationIsSeparateFits(t *testing.T) {
	s := synth(1200, 6, 60, 0, 9, 0.1)
	for i := range 200 {
		s.x.Col(0)[5*i] = 0
	}
	d := core.Data{X: s.x, Y: make([]float64, 1200), Weight: make([]float64, 1200), Classes: 3}
	for i, c := range s.class {
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
			fs := folds(1200, 4)
			fs[0].Stop = nil
			var first []core.Held
			for _, workers := range []int{1, 3} {
				held, err := lightgbm.CrossValidate(context.Background(), env(workers), d, fs, cfg)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = held
				}
				for i, f := range fs {
					if !slices.Equal(held[i].Raw, first[i].Raw) || !slices.Equal(held[i].Prob, first[i].Prob) || held[i].Trees != first[i].Trees {
						t.Fatalf("fold %d depends on the number of workers", i)
					}
					if len(held[i].Raw) != 3*len(f.Test) || len(held[i].Prob) != len(held[i].Raw) {
						t.Fatalf("fold %d: %d scores and %d probabilities for %d rows", i, len(held[i].Raw), len(held[i].Prob), len(f.Test))
					}
				}
			}
			for i, f := range fs {
				// A table of the fold's rows and nothing else, binned on its own.
				part := func(rows []int) core.Data {
					o := core.Data{X: s.x.Select(rows), Classes: 3}
					for _, r := range rows {
						o.Y, o.Weight = append(o.Y, d.Y[r]), append(o.Weight, d.Weight[r])
					}
					return o
				}
				e := env(2)
				e.Stream = e.Stream.Stream("fold", i)
				var stop core.Data
				if len(f.Stop) > 0 {
					stop = part(f.Stop)
				}
				m, err := lightgbm.Train(context.Background(), e, part(f.Train), stop, cfg)
				if err != nil {
					t.Fatal(err)
				}
				held, err := core.Hold(context.Background(), m, s.x, f.Test)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(held.Raw, first[i].Raw) {
					t.Errorf("fold %d: a fit of its rows alone predicts otherwise", i)
				}
			}
		})
	}
}

func TestCrossValidationErrors(t *testing.T) {
	s := synth(100, 3, 61, 0, 0, 0)
	d := core.Data{X: s.x, Y: s.y}
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
		_, err := lightgbm.CrossValidate(context.Background(), env(2), d, []core.Fold{good, tc.fold}, cfg)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
	cfg.NumLeaves = 1
	if _, err := lightgbm.CrossValidate(context.Background(), env(2), d, []core.Fold{good}, cfg); err == nil || !strings.Contains(err.Error(), "fold 0: num_leaves") {
		t.Errorf("a wrong parameter: %v", err)
	}
	other, err := core.NewRanked(s.x.Select([]int{0, 1, 2}), core.NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	cfg.NumLeaves = 3
	if _, err := lightgbm.TrainWith(context.Background(), env(1), d, core.Data{}, cfg, lightgbm.Options{Ranked: other}); err == nil || !strings.Contains(err.Error(), "another table") {
		t.Errorf("a ranking of another table: %v", err)
	}
}
