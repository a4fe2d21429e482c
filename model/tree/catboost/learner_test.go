package catboost_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/view"
)

var background = context.Background()

// synth makes n rows of p columns whose class depends on an interaction and a
// slope, with a share of missing cells.
func synth(n, p int, seed uint64, missing float64) view.View {
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprint("x", j)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	t := view.NewTable(n, names)
	v := view.View{Table: t, Class: make([]int8, n)}
	for i := range n {
		for j := range p {
			t.Col(j)[i] = float32(r.NormFloat64())
			if j == 3 {
				t.Col(j)[i] = float32(r.IntN(5))
			}
		}
		z := float64(t.Col(0)[i]*t.Col(1)[i]) + 0.7*float64(t.Col(2)[i]) + 0.6*r.NormFloat64()
		switch {
		case z > 0.5:
			v.Class[i] = 1
		case z < -0.5:
			v.Class[i] = -1
		}
		for j := range p {
			if r.Float64() < missing {
				t.Col(j)[i] = float32(math.NaN())
			}
		}
	}
	return v
}

func fit(t *testing.T, c catboost.Config, train, stop view.View, workers int) *ensemble.Model {
	t.Helper()
	l, err := catboost.New(c)
	return treetest.Fit(t, l, err, treetest.Env(workers), train, stop)
}

func logLoss(t *testing.T, f model.Fitted, v view.View) float64 {
	t.Helper()
	var p model.Prediction
	if err := f.Predict(background, v, &p); err != nil {
		t.Fatal(err)
	}
	l, err := model.LogLoss(&p, v.Class, v.Weight)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func small() catboost.Config {
	c := catboost.Default()
	c.Iterations, c.LearningRate, c.Depth = 6, 0.2, 4
	return c
}

func TestLearnsAnInteractionOutOfSample(t *testing.T) {
	s := synth(4000, 8, 1, 0.02)
	train, stop, test := treetest.Rows(s, 0, 2500), treetest.Rows(s, 2500, 3000), treetest.Rows(s, 3000, 4000)
	f := fit(t, catboost.Default(), train, stop, 2)
	if got := logLoss(t, f, test); got > 0.75 {
		t.Errorf("log-loss %.4f on fresh rows, want at most 0.75 (prior 1.1)", got)
	}
	if n := len(f.Ensemble().Trees); n < 10 || n >= 1000 {
		t.Errorf("early stopping kept %d trees of 1000", n)
	}
}

func TestSameBytesForAnyNumberOfWorkers(t *testing.T) {
	s := synth(12000, 21, 2, 0.05)
	for _, boosting := range []string{"Plain", "Ordered"} {
		c := small()
		c.RSM, c.BootstrapType, c.BoostingType, c.Iterations = 0.7, "MVS", boosting, 3
		train, stop := treetest.Rows(s, 0, 11000), treetest.Rows(s, 11000, 12000)
		want := treetest.File(t, fit(t, c, train, stop, 1))
		for _, w := range []int{2, 4, 8} {
			if !bytes.Equal(want, treetest.File(t, fit(t, c, train, stop, w))) {
				t.Errorf("%s: %d workers give another model", boosting, w)
			}
		}
	}
}

func TestSameBytesOnEveryKernelPath(t *testing.T) {
	v := synth(3000, 20, 13, 0.05)
	simd.Force(t, simd.Generic)
	want := treetest.File(t, fit(t, small(), v, v, 2))
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		if !bytes.Equal(want, treetest.File(t, fit(t, small(), v, v, 2))) {
			t.Errorf("path %v gives another model than the generic one", p)
		}
	}
}

func TestEveryParameterHasAnEffect(t *testing.T) {
	s := synth(900, 6, 40, 0.1)
	train, stop := treetest.Rows(s, 0, 600), treetest.Rows(s, 600, 900)
	base := small()
	base.EarlyStoppingRounds, base.BootstrapType, base.Loss = 2, "Bayesian", catboost.Logloss
	base.LearningRate = 0.5
	base.Iterations = 30
	for _, v := range []view.View{train, stop} {
		for i, c := range v.Class {
			v.Class[i] = max(c, 0)
		}
	}
	type change func(c *catboost.Config)
	check := func(from catboost.Config, changes map[string]change) {
		t.Helper()
		want := treetest.File(t, fit(t, from, train, stop, 1))
		for name, change := range changes {
			c := from
			change(&c)
			if bytes.Equal(want, treetest.File(t, fit(t, c, train, stop, 1))) {
				t.Errorf("%s changes nothing", name)
			}
		}
	}
	check(base, map[string]change{
		"loss_function":              func(c *catboost.Config) { c.Loss = catboost.MultiClass },
		"iterations":                 func(c *catboost.Config) { c.Iterations = 2 },
		"learning_rate":              func(c *catboost.Config) { c.LearningRate = 0 },
		"use_best_model":             func(c *catboost.Config) { c.UseBestModel = false },
		"depth":                      func(c *catboost.Config) { c.Depth = 3 },
		"l2_leaf_reg":                func(c *catboost.Config) { c.L2LeafReg = 9 },
		"random_strength":            func(c *catboost.Config) { c.RandomStrength = 0 },
		"bootstrap_type":             func(c *catboost.Config) { c.BootstrapType = "No" },
		"bagging_temperature":        func(c *catboost.Config) { c.BaggingTemperature = 0.3 },
		"rsm":                        func(c *catboost.Config) { c.RSM = 0.5 },
		"border_count":               func(c *catboost.Config) { c.BorderCount = 20 },
		"feature_border_type":        func(c *catboost.Config) { c.FeatureBorderType = "Median" },
		"nan_mode":                   func(c *catboost.Config) { c.NanMode = "Max" },
		"score_function":             func(c *catboost.Config) { c.ScoreFunction = "L2" },
		"boosting_type":              func(c *catboost.Config) { c.BoostingType = "Ordered" },
		"leaf_estimation_method":     func(c *catboost.Config) { c.LeafMethod = "Gradient" },
		"leaf_estimation_iterations": func(c *catboost.Config) { c.LeafIterations = 3 },
		"boost_from_average":         func(c *catboost.Config) { c.BoostFromAverage = "true" },
	})
	long := base
	long.UseBestModel = false
	check(long, map[string]change{"early_stopping_rounds": func(c *catboost.Config) { c.EarlyStoppingRounds = 0 }})
	drawn := base
	drawn.BootstrapType = "MVS"
	check(drawn, map[string]change{
		"subsample": func(c *catboost.Config) { c.Subsample = 0.5 },
		"mvs_reg":   func(c *catboost.Config) { c.MVSReg = 3 },
	})
	order := base
	order.BoostingType = "Ordered"
	check(order, map[string]change{
		"has_time":            func(c *catboost.Config) { c.HasTime = true },
		"permutation_count":   func(c *catboost.Config) { c.PermutationCount = 2 },
		"fold_len_multiplier": func(c *catboost.Config) { c.FoldLenMultiplier = 3 },
	})
	steps := base // Newton's steps from far odds are too long
	steps.LeafIterations, steps.L2LeafReg, steps.BoostFromAverage, steps.Iterations = 9, 0, "true", 3
	for i := range train.Class {
		if train.Table.Col(0)[i] < 1.5 {
			train.Class[i] = 0
		}
	}
	check(steps, map[string]change{"leaf_estimation_backtracking": func(c *catboost.Config) { c.LeafBacktracking = "No" }})
}

// TestLearningRate: what the library's get_all_params says after a fit.
func TestLearningRate(t *testing.T) {
	for _, c := range []struct {
		loss       string
		n, it      int
		stops      bool
		average    string
		want       float64
		iterations int // leaf_estimation_iterations
	}{
		{"Logloss", 500, 1000, false, "auto", 0.007663, 10},
		{"Logloss", 5000, 1000, false, "auto", 0.020483, 10},
		{"Logloss", 60000, 300, true, "auto", 0.147084, 10},
		{"Logloss", 5000, 100, false, "auto", 0.169198, 1},
		{"MultiClass", 500, 1000, false, "auto", 0.076378, 1},
		{"MultiClass", 5000, 1000, false, "auto", 0.085896, 1},
		{"MultiClass", 60000, 300, true, "auto", 0.185622, 1},
		{"MultiClass", 5000, 100, false, "auto", 0.5, 1},
		{"RMSE", 500, 1000, false, "auto", 0.036696, 1},
		{"RMSE", 5000, 1000, false, "auto", 0.052798, 1},
		{"RMSE", 60000, 300, true, "auto", 0.201847, 1},
		{"RMSE", 5000, 100, false, "auto", 0.343255, 1},
		{"MAE", 5000, 1000, false, "auto", 0.03, 1},
	} {
		cfg := catboost.Default()
		cfg.Loss, cfg.Iterations, cfg.BoostFromAverage = c.loss, c.it, c.average
		got, err := catboost.Resolved(cfg, 3, c.n, 5, c.stops)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.LearningRate-c.want) > 1e-7*c.want || got.LeafIterations != c.iterations {
			t.Errorf("%s, %d rows, %d iterations: learning rate %v and %d leaf iterations, want %v and %d", c.loss, c.n, c.it, got.LearningRate, got.LeafIterations, c.want, c.iterations)
		}
	}
	cfg := catboost.Default()
	cfg.L2LeafReg = 5
	if got, _ := catboost.Resolved(cfg, 3, 5000, 5, false); math.Abs(got.LearningRate-0.03) > 1e-8 {
		t.Errorf("learning rate %v with an own penalty, want 0.03", got.LearningRate)
	}
	for n, want := range map[int]float64{99: 1, 100: 0.8} {
		cfg := catboost.Default()
		cfg.Loss = catboost.Logloss
		if got, _ := catboost.Resolved(cfg, 2, n, 5, false); got.Subsample != want || got.BootstrapType != "MVS" {
			t.Errorf("%d rows: %s with subsample %v, want MVS with %v", n, got.BootstrapType, got.Subsample, want)
		}
	}
}

func TestZeroWeightIsARemovedRow(t *testing.T) {
	full := synth(600, 5, 3, 0.1)
	full.Weight = make([]float64, 600)
	var kept []int
	for i := range full.Weight {
		if i%3 != 0 {
			full.Weight[i] = 0.5 + float64(i%5)
			kept = append(kept, i)
		} else {
			full.Table.Col(0)[i] = float32(math.Inf(1))
		}
	}
	part := view.View{Table: full.Table.Select(kept)}
	for _, i := range kept {
		part.Class = append(part.Class, full.Class[i])
		part.Weight = append(part.Weight, full.Weight[i])
	}
	if !bytes.Equal(treetest.File(t, fit(t, small(), full, view.View{}, 1)), treetest.File(t, fit(t, small(), part, view.View{}, 1))) {
		t.Error("rows of weight zero change the model")
	}
}

// A row of weight 2 is the row twice where every value has a bin of its own and
// there is next to no penalty, which the mean weight scales.
func TestWeightTwo(t *testing.T) {
	d := formula(500, 50)
	x := d.x.Columns([]int{0, 1, 2, 3, 4, 5})
	for _, loss := range []string{catboost.Logloss, catboost.MultiClass, catboost.RMSE} {
		c := small()
		c.Loss, c.BootstrapType, c.RandomStrength, c.L2LeafReg, c.LeafIterations = loss, "No", 0, 1e-6, 2
		c.Depth = 2
		heavy := core.Data{X: x, Weight: make([]float64, 500)}
		heavy.Y, heavy.Classes = target(loss, d.z)
		twice := core.Data{Classes: heavy.Classes}
		var rows []int
		for i, y := range heavy.Y {
			heavy.Weight[i] = float64(1 + i%2)
			for range 1 + i%2 {
				rows = append(rows, i)
				twice.Y = append(twice.Y, y)
			}
		}
		twice.X = x.Select(rows)
		a, errA := catboost.Train(background, treetest.Env(1), heavy, core.Data{}, c)
		b, errB := catboost.Train(background, treetest.Env(1), twice, core.Data{}, c)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		ta, tb := a.Ensemble().Trees, b.Ensemble().Trees
		for i := range ta {
			for j := range ta[i].Nodes {
				p, q := &ta[i].Nodes[j], &tb[i].Nodes[j]
				if p.Feature != q.Feature || p.Threshold != q.Threshold || math.Abs(p.Value-q.Value) > 1e-5 {
					t.Fatalf("%s tree %d node %d: %+v and %+v", loss, i, j, *p, *q)
				}
			}
			for j, v := range ta[i].Values {
				if math.Abs(v-tb[i].Values[j]) > 1e-5 {
					t.Fatalf("%s tree %d value %d: %v and %v", loss, i, j, v, tb[i].Values[j])
				}
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	good := synth(200, 3, 5, 0)
	for name, c := range map[string]struct {
		want   string
		config func(c *catboost.Config)
		data   func(v *view.View)
	}{
		"infinite":      {`column "x1" row 7`, nil, func(v *view.View) { v.Table.Col(1)[7] = float32(math.Inf(-1)) }},
		"weight":        {"weight of row 3 is -1", nil, func(v *view.View) { v.Weight = make([]float64, 200); v.Weight[3] = -1 }},
		"no weight":     {"all 200 training weights are zero", nil, func(v *view.View) { v.Weight = make([]float64, 200) }},
		"one class":     {"class", nil, func(v *view.View) { v.Class = make([]int8, 200) }},
		"class 2":       {"row 9 has class 2", nil, func(v *view.View) { v.Class[9] = 2 }},
		"three classes": {"three classes", func(c *catboost.Config) { c.Loss = "Logloss" }, nil},
		"forbidden":     {`column "x2" row 4 is missing`, func(c *catboost.Config) { c.NanMode = "Forbidden" }, func(v *view.View) { v.Table.Col(2)[4] = float32(math.NaN()) }},
		"weights apart": {"too wide a range", nil, func(v *view.View) {
			v.Weight = make([]float64, 200)
			for i := range v.Weight {
				v.Weight[i] = 1
			}
			v.Weight[0] = 1e20
		}},
	} {
		cfg, v := small(), view.View{Table: good.Table.Columns([]int{0, 1, 2}), Class: append([]int8(nil), good.Class...)}
		if c.config != nil {
			c.config(&cfg)
		}
		if c.data != nil {
			c.data(&v)
		}
		l, err := catboost.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Fit(background, treetest.Env(1), v, view.View{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		want   string
		config func(c *catboost.Config)
	}{
		"loss":     {"none of MultiClass", func(c *catboost.Config) { c.Loss = "Poisson" }},
		"alpha":    {"alpha strictly between", func(c *catboost.Config) { c.Loss = "Quantile:alpha=2" }},
		"number":   {"predicts a number", func(c *catboost.Config) { c.Loss = "RMSE" }},
		"exact":    {"Exact is for", func(c *catboost.Config) { c.LeafMethod = "Exact" }},
		"average":  {"not possible with MultiClass", func(c *catboost.Config) { c.BoostFromAverage = "true" }},
		"mvs":      {"mvs_reg", func(c *catboost.Config) { c.MVSReg = -0.5 }},
		"several":  {"depth", func(c *catboost.Config) { c.Depth, c.RSM = 0, 0 }},
		"several2": {"rsm", func(c *catboost.Config) { c.Depth, c.RSM = 0, 0 }},
	} {
		cfg := catboost.Default()
		c.config(&cfg)
		if _, err := catboost.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// Columns without information are no obstacle: a model of constants is the
// prior.
func TestConstantColumns(t *testing.T) {
	v := synth(300, 3, 6, 0)
	for i := range 300 {
		v.Table.Col(0)[i], v.Table.Col(1)[i], v.Table.Col(2)[i] = float32(math.NaN()), 4, 0
	}
	c := catboost.Default()
	c.Iterations, c.LearningRate = 200, 0.2
	f := fit(t, c, v, view.View{}, 1)
	var p model.Prediction
	if err := f.Predict(background, v, &p); err != nil {
		t.Fatal(err)
	}
	for k, want := range model.ClassPrior(v.Class, nil) {
		if got := p.Row(0)[k]; math.Abs(got-want) > 1e-3 {
			t.Errorf("class %d has probability %v, its share is %v", k-1, got, want)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	e := treetest.Env(1)
	e.Progress = func(done, _ int, _ string) {
		if done == 3 {
			cancel()
		}
	}
	l, err := catboost.New(catboost.Default())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Fit(ctx, e, synth(300, 3, 8, 0), view.View{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "tree 3") {
		t.Errorf("error %v", err)
	}
}

// Regressions predict their target; quantiles lie where they should.
func TestRegressions(t *testing.T) {
	d := formula(2000, 0)
	for loss, share := range map[string]float64{"RMSE": 0, "MAE": 0.5, "Quantile:alpha=0.9": 0.9} {
		c := catboost.Default()
		c.Loss, c.Iterations, c.LearningRate, c.Depth = loss, 60, 0.2, 4
		m, err := catboost.Train(background, treetest.Env(2), core.Data{X: d.x, Y: d.z}, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		e := m.Ensemble()
		x, out, below, sq, all := make([]float32, 7), []float64{0}, 0.0, 0.0, 0.0
		for i, z := range d.z {
			for j := range x {
				x[j] = d.x.Col(j)[i]
			}
			e.Score(x, out)
			if z <= out[0] {
				below++
			}
			sq += (z - out[0]) * (z - out[0])
			all += z * z
		}
		if share > 0 && math.Abs(below/2000-share) > 0.04 {
			t.Errorf("%s: a share %v of the targets lies below the predictions", loss, below/2000)
		}
		if loss == "RMSE" && sq > 0.25*all {
			t.Errorf("%s: %v of %v is left unexplained", loss, sq, all)
		}
	}
}
