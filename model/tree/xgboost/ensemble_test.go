package xgboost_test

import (
	"context"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// The ensemble of a booster has its scores, bit for bit.
func TestEnsembleIsTheBooster(t *testing.T) {
	const n = 200
	r := rng.New(3).Stream("ensemble").Rand()
	d := core.Data{X: view.NewTable(n, []string{"a", "b"}), Y: make([]float64, n)}
	for i := range n {
		d.X.Col(0)[i], d.X.Col(1)[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		d.Y[i] = float64(r.IntN(2))
	}
	for _, objective := range []string{core.Softprob, core.Logistic, core.SquaredError, core.Quantile, core.PseudoHuber} {
		cfg := xgboost.Default()
		cfg.Objective, cfg.Rounds = objective, 5
		b, err := xgboost.Train(context.Background(), model.Env{Workers: 1}, d, core.Data{}, cfg)
		if err != nil {
			t.Fatal(objective, err)
		}
		e := b.Ensemble()
		if err := e.Check(); err != nil {
			t.Fatal(objective, err)
		}
		want, got := make([]float32, b.Scores()), make([]float64, e.Scores())
		for i := range n {
			x := []float32{d.X.Col(0)[i], d.X.Col(1)[i]}
			if err := b.RawRow(x, want); err != nil {
				t.Fatal(err)
			}
			e.Score(x, got)
			for c := range want {
				if float64(want[c]) != got[c] {
					t.Fatalf("%s row %d: %v, want %v", objective, i, got, want)
				}
			}
		}
	}
}
