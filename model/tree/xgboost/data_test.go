package xgboost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// sample is a data set with a three-class label that depends on an interaction.
type sample struct {
	x     *view.Table
	class []int8
	y     []float64 // the noisy score behind the class
}

// synth makes n rows of p columns: normal, on a grid of levels steps a unit if
// levels > 0 (so that there are few distinct values); a share nan of the cells
// is missing.
func synth(n, p int, seed uint64, levels int, nan float64) sample {
	r := rand.New(rand.NewPCG(seed, 7))
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprintf("f%d", j)
	}
	s := sample{view.NewTable(n, names), make([]int8, n), make([]float64, n)}
	row := make([]float64, p)
	for i := range n {
		for j := range row {
			v := r.NormFloat64()
			if levels > 0 {
				v = math.Round(v*float64(levels)) / float64(levels)
			}
			row[j] = v
		}
		z := row[0]*row[1%p] + 0.7*row[2%p] + 0.8*r.NormFloat64()
		if row[3%p] > 0.5 {
			z -= row[1%p]
		}
		s.y[i] = z
		switch {
		case z < -0.5:
			s.class[i] = -1
		case z > 0.5:
			s.class[i] = 1
		}
		for j, v := range row {
			if r.Float64() < nan {
				v = math.NaN()
			}
			s.x.Col(j)[i] = float32(v)
		}
	}
	return s
}

// part is the rows lo to hi−1 as a view.
func (s sample) part(lo, hi int) view.View {
	rows := make([]int, 0, hi-lo)
	for i := lo; i < hi; i++ {
		rows = append(rows, i)
	}
	return view.View{Table: s.x.Select(rows), Class: s.class[lo:hi]}
}

func env(workers int) model.Env { return model.Env{Stream: rng.New(1), Workers: workers} }

func small() xgboost.Config {
	c := xgboost.Default()
	c.Rounds, c.MaxDepth, c.Eta = 20, 4, 0.2
	return c
}

func fit(t testing.TB, c xgboost.Config, train, stop view.View, workers int) *ensemble.Model {
	t.Helper()
	l, err := xgboost.New(c)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), env(workers), train, stop)
	if err != nil {
		t.Fatal(err)
	}
	return f.(*ensemble.Model)
}

func file(t testing.TB, f model.Fitted) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func probs(t testing.TB, f model.Fitted, v view.View) []float64 {
	t.Helper()
	var p model.Prediction
	if err := f.Predict(context.Background(), v, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p.Prob
}

func logLoss(p []float64, class []int8) float64 {
	s := 0.0
	for i, c := range class {
		s -= math.Log(p[i*model.K+model.ClassIndex(c)])
	}
	return s / float64(len(class))
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
