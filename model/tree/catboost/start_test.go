package catboost_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/view"
)

// squares is squared error from outside; a factor scales it.
type squares struct{ factor float32 }

func (squares) Name() string        { return "squares" }
func (squares) Scores() int         { return 1 }
func (squares) Link() ensemble.Link { return ensemble.Identity }
func (squares) Check(y float64) error {
	if y > 1000 {
		return fmt.Errorf("it is too large")
	}
	return nil
}
func (squares) Base(t *core.Targets) []float64 {
	sum, w := 0.0, 0.0
	for i, y := range t.Y {
		sum += float64(y) * t.Weight(i)
		w += t.Weight(i)
	}
	return []float64{sum / w}
}
func (s squares) Gradients(rows []uint32, t *core.Targets, score []float32, g, h [][]float32) {
	for _, r := range rows {
		w := float32(t.Weight(int(r))) * s.factor
		g[0][r], h[0][r] = (score[r]-t.Y[r])*w, w
	}
}
func (squares) Mean(t *core.Targets, score []float32) float64 {
	sum, w := 0.0, 0.0
	for i, y := range t.Y {
		d := float64(y - score[i])
		sum += d * d * t.Weight(i)
		w += t.Weight(i)
	}
	return sum / w
}

// A custom objective that is the squared error gives the model of RMSE, but for
// float32, in plain and in ordered boosting.
func TestCustomObjective(t *testing.T) {
	d := formula(800, 50)
	for _, boosting := range []string{"Plain", "Ordered"} {
		c := small()
		c.Loss, c.BoostingType, c.BootstrapType, c.RandomStrength, c.LeafIterations = catboost.RMSE, boosting, "No", 0, 3
		c.BoostFromAverage = "true"
		data := core.Data{X: d.x, Y: d.z, Weight: d.w}
		a, errA := catboost.Train(background, treetest.Env(1), data, core.Data{}, c)
		b, errB := catboost.TrainWith(background, treetest.Env(2), data, core.Data{}, c, catboost.Options{Objective: squares{1}})
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		ra, _ := a.Raw(background, d.x, nil)
		rb, _ := b.Raw(background, d.x, nil)
		for i := range ra {
			if math.Abs(ra[i]-rb[i]) > 1e-5 {
				t.Fatalf("%s: row %d scores %v, by RMSE %v", boosting, i, rb[i], ra[i])
			}
		}
		if b.Ensemble().Objective != "squares" {
			t.Errorf("objective %q", b.Ensemble().Objective)
		}
		_, err := catboost.TrainWith(background, treetest.Env(1), data, core.Data{}, c, catboost.Options{Objective: squares{float32(math.NaN())}})
		if err == nil || !strings.Contains(err.Error(), `objective "squares" gives row 0`) {
			t.Errorf("gradients that are NaN: %v", err)
		}
	}
}

// Continuing from half of the trees gives the model of all of them.
func TestContinue(t *testing.T) {
	s := synth(600, 5, 12, 0.1)
	y := make([]float64, 600)
	for i, c := range s.Class {
		y[i] = float64(c) + 1
	}
	data := core.Data{X: s.Table, Y: y, Classes: 3}
	c := small()
	c.BootstrapType, c.RandomStrength, c.Iterations, c.LearningRate = "No", 0, 8, 0.3
	whole, err := catboost.Train(background, treetest.Env(1), data, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Iterations = 5
	first, err := catboost.Train(background, treetest.Env(1), data, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Iterations = 3
	second, err := catboost.TrainWith(background, treetest.Env(1), data, data, c, catboost.Options{Init: first.Ensemble()})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(treetest.File(t, whole), treetest.File(t, second)) {
		t.Error("five and three trees are not eight")
	}
	other := *first.Ensemble()
	other.Columns = append([]string{"other"}, other.Columns[1:]...)
	if _, err := catboost.TrainWith(background, treetest.Env(1), data, core.Data{}, c, catboost.Options{Init: &other}); err == nil || !strings.Contains(err.Error(), "other columns") {
		t.Errorf("other columns: %v", err)
	}
	c.Loss = catboost.RMSE
	if _, err := catboost.TrainWith(background, treetest.Env(1), data, core.Data{}, c, catboost.Options{Init: first.Ensemble()}); err == nil || !strings.Contains(err.Error(), "3 scores") {
		t.Errorf("other scores: %v", err)
	}
}

// categorical makes rows whose class follows from a category of many values.
func categorical(n int) view.View {
	v := synth(n, 5, 14, 0)
	for i := range n {
		c := (i*i + 7*i) % 37
		v.Table.Col(4)[i] = float32(c)
		if i%10 == 3 {
			v.Table.Col(4)[i] = float32(math.NaN())
		}
		if (i*31)%5 != 0 {
			v.Class[i] = int8(c%3 - 1)
		}
	}
	return v
}

func TestCategoricalColumns(t *testing.T) {
	v := categorical(3000)
	train, test := treetest.Rows(v, 0, 2400), treetest.Rows(v, 2400, 3000)
	c := small()
	c.Iterations = 25
	numeric := logLoss(t, fit(t, c, train, view.View{}, 1), test)
	c.CatFeatures = []string{"x4"}
	f := fit(t, c, train, test, 1)
	if got := logLoss(t, f, test); got > numeric-0.05 {
		t.Errorf("log-loss %.4f with categories, %.4f with numbers: want 0.05 less", got, numeric)
	}
	if e := f.Ensemble(); fmt.Sprint(e.Categorical) != "[4]" {
		t.Errorf("categorical columns %v", e.Categorical)
	}
	want := treetest.File(t, f)
	again, err := catboost.Entry().Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if logLoss(t, again, test) != logLoss(t, f, test) {
		t.Error("the model read back predicts otherwise")
	}
	for _, w := range []int{2, 4, 8} {
		if !bytes.Equal(want, treetest.File(t, fit(t, c, train, test, w))) {
			t.Errorf("%d workers give another model", w)
		}
	}
	for name, change := range map[string]func(c *catboost.Config){
		"one_hot_max_size":  func(c *catboost.Config) { c.OneHotMaxSize = 100 },
		"simple_ctr":        func(c *catboost.Config) { c.SimpleCTR = []string{"Buckets"} },
		"model_size_reg":    func(c *catboost.Config) { c.ModelSizeReg = 50 },
		"has_time":          func(c *catboost.Config) { c.HasTime = true },
		"permutation_count": func(c *catboost.Config) { c.PermutationCount = 2 },
		"ordered":           func(c *catboost.Config) { c.BoostingType = "Ordered" },
	} {
		o := c
		change(&o)
		if bytes.Equal(want, treetest.File(t, fit(t, o, train, test, 1))) {
			t.Errorf("%s changes nothing", name)
		}
	}
	// A category that training did not have, and a missing one, are predicted.
	row, out := []float32{0, 0, 0, 1, 1000}, make([]float64, 3)
	for _, x := range []float32{1000, 36, float32(math.NaN())} {
		row[4] = x
		if err := f.PredictRow(row, out); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		want   string
		config func(c *catboost.Config)
	}{
		"fraction": {`column "x0" row 0`, func(c *catboost.Config) { c.CatFeatures = []string{"x0"} }},
		"unknown":  {`no column "x9"`, func(c *catboost.Config) { c.CatFeatures = []string{"x9"} }},
	} {
		o := small()
		c.config(&o)
		l, err := catboost.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Fit(background, treetest.Env(1), train, view.View{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	o := small()
	o.CatFeatures, o.SimpleCTR = []string{"a", "a"}, []string{"Borders", "x"}
	if _, err := catboost.New(o); err == nil || !strings.Contains(err.Error(), `names "a" again`) || !strings.Contains(err.Error(), "simple_ctr.1") {
		t.Errorf("error %v", err)
	}
}

// A value that is missing at prediction only is below every border, as in the
// library.
func TestMissingAtPredictionGoesLeft(t *testing.T) {
	v := synth(500, 3, 15, 0)
	for _, mode := range []string{"Min", "Max"} {
		c := small()
		c.NanMode = mode
		for _, tree := range fit(t, c, v, view.View{}, 1).Ensemble().Trees {
			for _, nd := range tree.Nodes {
				if !nd.Leaf() && !nd.DefaultLeft {
					t.Fatalf("nan_mode %s: a column without missing values sends them right", mode)
				}
			}
		}
	}
}
