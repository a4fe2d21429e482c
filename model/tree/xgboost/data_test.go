package xgboost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/view"
)

func small() xgboost.Config {
	c := xgboost.Default()
	c.Rounds, c.MaxDepth, c.Eta = 20, 4, 0.2
	return c
}

func fit(t testing.TB, c xgboost.Config, train, stop view.View, workers int) *ensemble.Model {
	t.Helper()
	l, err := xgboost.New(c)
	return treetest.Fit(t, l, err, treetest.Env(workers), train, stop)
}

// xgbTree is a tree of an XGBoost JSON model, or of a golden file.
type xgbTree struct {
	Left    []int     `json:"left_children"`
	Right   []int     `json:"right_children"`
	Feature []int     `json:"split_indices"`
	Cond    []float64 `json:"split_conditions"`
	Default []int     `json:"default_left"`
	Gain    []float64 `json:"loss_changes"`
	Cover   []float64 `json:"sum_hessian"`
}

// trees are those of the ensemble, through its XGBoost export.
func trees(t testing.TB, b *ensemble.Model) []xgbTree {
	t.Helper()
	var buf bytes.Buffer
	if err := format.Export(&buf, b.Ensemble(), format.XGBoostJSON); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Learner struct {
			Booster struct {
				Model struct {
					Trees []xgbTree `json:"trees"`
				} `json:"model"`
			} `json:"gradient_booster"`
		} `json:"learner"`
	}
	if err := json.Unmarshal(buf.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Learner.Booster.Model.Trees
}

// train fits an ensemble below the classifier and makes it ready to predict.
func train(env model.Env, d, stop core.Data, c xgboost.Config) (*ensemble.Model, error) {
	return trainWith(env, d, stop, c, xgboost.Options{})
}

func trainWith(env model.Env, d, stop core.Data, c xgboost.Config, o xgboost.Options) (*ensemble.Model, error) {
	e, err := xgboost.TrainWith(context.Background(), env, d, stop, c, o)
	if err != nil {
		return nil, err
	}
	return ensemble.NewModel(e)
}

// rounds is the number of rounds of an ensemble.
func rounds(m *ensemble.Model) int { return len(m.Ensemble().Trees) / m.Scores() }
