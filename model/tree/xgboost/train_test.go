package xgboost_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
)

func TestEveryParameterHasAnEffect(t *testing.T) {
	s := treetest.Synth(700, 5, 40, 0, 0, 0.1)
	train, stop := s.Part(0, 500), s.Part(500, 700)
	base := xgboost.Default()
	base.Rounds, base.EarlyStoppingRounds, base.MaxDepth = 8, 3, 5
	binary := base
	binary.Objective = core.Logistic
	two := train
	two.Class = make([]int8, 500)
	stop2 := stop
	stop2.Class = make([]int8, 200)
	for i, c := range s.Class {
		if c > 0 && i < 500 {
			two.Class[i] = 1
		} else if c > 0 {
			stop2.Class[i-500] = 1
		}
	}
	multi := treetest.File(t, fit(t, base, train, stop, 1))
	logit := treetest.File(t, fit(t, binary, two, stop2, 1))
	for name, change := range map[string]func(c *xgboost.Config){
		"rounds":                func(c *xgboost.Config) { c.Rounds = 2 },
		"early_stopping_rounds": func(c *xgboost.Config) { c.EarlyStoppingRounds = 0 },
		"eta":                   func(c *xgboost.Config) { c.Eta = 0.2 },
		"max_depth":             func(c *xgboost.Config) { c.MaxDepth = 3 },
		"min_child_weight":      func(c *xgboost.Config) { c.MinChildWeight = 6 },
		"gamma":                 func(c *xgboost.Config) { c.Gamma = 2 },
		"lambda":                func(c *xgboost.Config) { c.Lambda = 5 },
		"alpha":                 func(c *xgboost.Config) { c.Alpha = 1 },
		"max_delta_step":        func(c *xgboost.Config) { c.MaxDeltaStep = 0.3 },
		"subsample":             func(c *xgboost.Config) { c.Subsample = 0.6 },
		"colsample_bytree":      func(c *xgboost.Config) { c.ColsampleByTree = 0.5 },
		"max_bin":               func(c *xgboost.Config) { c.MaxBin = 16 },
		"max_leaves":            func(c *xgboost.Config) { c.MaxLeaves = 5 },
		"grow_policy":           func(c *xgboost.Config) { c.GrowPolicy, c.MaxLeaves = "lossguide", 5 },
		"colsample_bylevel":     func(c *xgboost.Config) { c.ColsampleByLevel = 0.5 },
		"colsample_bynode":      func(c *xgboost.Config) { c.ColsampleByNode = 0.5 },
		"monotone_constraints":  func(c *xgboost.Config) { c.MonotoneConstraints = map[string]int{"f1": 1} },
		"interactions":          func(c *xgboost.Config) { c.InteractionConstraints = [][]string{{"f0", "f1"}, {"f2", "f3"}} },
		"base_score":            func(c *xgboost.Config) { c.BaseScore = "0.4" },
	} {
		c := base
		change(&c)
		if bytes.Equal(multi, treetest.File(t, fit(t, c, train, stop, 1))) {
			t.Errorf("%s changes nothing", name)
		}
	}
	binary.ScalePosWeight = 2
	if bytes.Equal(logit, treetest.File(t, fit(t, binary, two, stop2, 1))) {
		t.Error("scale_pos_weight changes nothing")
	}
	if bytes.Equal(multi, logit) {
		t.Error("objective changes nothing")
	}
}

// The quantile of a constant model is that of the targets, and a share alpha of
// the targets lies below the predictions of a deeper one.
func TestQuantileErrorEstimatesQuantiles(t *testing.T) {
	s := treetest.Synth(2000, 5, 46, 0, 0, 0)
	for _, alpha := range []float64{0.1, 0.5, 0.9} {
		c := xgboost.Default()
		c.Objective, c.QuantileAlpha, c.Rounds, c.MaxDepth, c.MinChildWeight = core.Quantile, alpha, 40, 3, 50
		b, err := train(treetest.Env(2), core.Data{X: s.X, Y: s.Y}, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := b.Raw(context.Background(), s.X, nil)
		if err != nil {
			t.Fatal(err)
		}
		below := 0
		for i, y := range s.Y {
			if y <= float64(raw[i]) {
				below++
			}
		}
		if share := float64(below) / 2000; math.Abs(share-alpha) > 0.03 {
			t.Errorf("alpha %v: a share %v of the targets lies below", alpha, share)
		}
	}
}

// With a steep slope the pseudo-Huber loss is the squared error, with a small
// one a far target hardly moves the model.
func TestPseudoHuberTurnsAtItsSlope(t *testing.T) {
	s := treetest.Synth(500, 4, 47, 0, 0, 0)
	predict := func(change func(c *xgboost.Config)) []float64 {
		c := xgboost.Default()
		c.Rounds, c.MaxDepth, c.BaseScore, c.MinChildWeight = 10, 3, "0", 9.5
		change(&c)
		b, err := train(treetest.Env(1), core.Data{X: s.X, Y: s.Y}, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := b.Raw(context.Background(), s.X, nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	far := func(a, b []float64) (d float64) {
		for i := range a {
			d = max(d, math.Abs(float64(a[i]-b[i])))
		}
		return d
	}
	huber := func(slope float64) func(c *xgboost.Config) {
		return func(c *xgboost.Config) { c.Objective, c.HuberSlope = core.PseudoHuber, slope }
	}
	squared := predict(func(c *xgboost.Config) { c.Objective = core.SquaredError })
	if d := far(squared, predict(huber(1e4))); d > 1e-3 { // z²/δ² is below 1e-7
		t.Errorf("a steep slope differs from the squared error by %v", d)
	}
	calm := predict(huber(1))
	s.Y[7] = 1e6
	if d := far(calm, predict(huber(1))); d > 1 {
		t.Errorf("one far target moves a prediction by %v", d)
	}
}

func TestParametersKeepTheirPromises(t *testing.T) {
	s := treetest.Synth(600, 5, 41, 0, 0, 0.1)
	d := core.Data{X: s.X, Y: s.Y}
	c := xgboost.Default()
	c.Objective, c.Rounds, c.Eta = core.SquaredError, 10, 0.5
	c.MaxDepth, c.MinChildWeight, c.Gamma, c.MaxDeltaStep, c.ColsampleByTree = 4, 20, 3, 0.2, 0.2
	b, err := train(treetest.Env(1), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	deepest := 0
	for _, tr := range trees(t, b) {
		used := map[int]bool{}
		var walk func(i, depth int)
		walk = func(i, depth int) {
			deepest = max(deepest, depth)
			if tr.Cover[i] < 20 {
				t.Errorf("a node of weight %v", tr.Cover[i])
			}
			if tr.Left[i] < 0 {
				if math.Abs(tr.Cond[i]) > 0.1+1e-6 {
					t.Errorf("a leaf of %v with a largest step of 0.2 and eta 0.5", tr.Cond[i])
				}
				return
			}
			if tr.Gain[i] < 3-1e-5 {
				t.Errorf("a split of gain %v", tr.Gain[i])
			}
			used[tr.Feature[i]] = true
			walk(tr.Left[i], depth+1)
			walk(tr.Right[i], depth+1)
		}
		walk(0, 0)
		if len(used) > 1 {
			t.Errorf("a tree uses %d columns, a fifth of 5 is 1", len(used))
		}
	}
	if deepest == 0 || deepest > 4 {
		t.Errorf("the deepest tree has %d levels", deepest)
	}
}

// A constant leaf minimises the penalised loss: its value is −G/(H+λ).
func TestSingleLeafIsTheNewtonStep(t *testing.T) {
	s := treetest.Synth(50, 1, 42, 0, 0, 0)
	c := xgboost.Default()
	c.Objective, c.Rounds, c.Eta, c.BaseScore, c.Gamma, c.Lambda = core.SquaredError, 1, 1, "2", 1e9, 5
	b, err := train(treetest.Env(1), core.Data{X: s.X, Y: s.Y}, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	g := 0.0
	for _, y := range s.Y {
		g += 2 - y
	}
	var out [1]float64
	if err := b.RawRow([]float32{0}, out[:]); err != nil {
		t.Fatal(err)
	}
	// float32 carries 7 digits.
	if want := 2 - g/(50+5); math.Abs(float64(out[0])-want) > 1e-6 {
		t.Errorf("score %v, want %v", out[0], want)
	}
}

// Rows left out by subsample still receive each tree, and so do their scores:
// boosting with half of the rows keeps lowering the loss on all of them.
func TestSampledRowsAndOthersShareTheModel(t *testing.T) {
	s := treetest.Synth(2000, 5, 43, 0, 0, 0.1)
	v := s.Part(0, 2000)
	last := math.Inf(1)
	for _, rounds := range []int{1, 5, 20, 60} {
		c := small()
		c.Rounds, c.Subsample = rounds, 0.5
		l := treetest.LogLoss(treetest.Probs(t, fit(t, c, v, v, 1), v), v.Class)
		if l >= last {
			t.Errorf("%d rounds: loss %v on the training rows, fewer rounds had %v", rounds, l, last)
		}
		last = l
	}
	// The least sample is one row.
	c := small()
	c.Subsample = 1e-3
	few := s.Part(0, 20)
	if n := rounds(fit(t, c, few, few, 1)); n == 0 {
		t.Error("no rounds")
	}
}

func TestTrainErrors(t *testing.T) {
	for _, tc := range []struct {
		name, objective string
		change          func(d *core.Data)
		want            string
	}{
		{"NaN target", core.SquaredError, func(d *core.Data) { d.Y[3] = math.NaN() }, "training target of row 3 is NaN"},
		{"infinite target", core.SquaredError, func(d *core.Data) { d.Y[4] = math.Inf(1) }, "training target of row 4 is +Inf"},
		{"NaN label", core.Logistic, func(d *core.Data) { d.Y[5] = math.NaN() }, "training label of row 5 is NaN"},
		{"half a label", core.Softprob, func(d *core.Data) { d.Y[6] = 0.5 }, "training label of row 6 is 0.5; multi:softprob wants 0 to 2"},
		{"label 2 of two", core.Logistic, func(d *core.Data) { d.Y[7] = 2 }, "binary:logistic wants 0 to 1"},
		{"targets missing", core.SquaredError, func(d *core.Data) { d.Y = d.Y[:9] }, "9 targets for 100 rows"},
		{"heavy tail", core.SquaredError, func(d *core.Data) { d.Y[0] = 1e17 }, "vanish beside the largest"},
		{"no table", core.SquaredError, func(d *core.Data) { d.X = nil }, "no table"},
		{"weights too small", core.SquaredError, func(d *core.Data) {
			d.Weight = make([]float64, 100)
			for i := range d.Weight {
				d.Weight[i] = 1e-35
			}
		}, "scale them"},
		{"too many classes", core.Softprob, func(d *core.Data) { d.Classes = 5000 }, "5000 classes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := treetest.Synth(100, 3, 44, 0, 0, 0)
			d := core.Data{X: s.X, Y: append([]float64(nil), s.Y...)}
			if tc.objective != core.SquaredError {
				for i, c := range s.Class {
					d.Y[i] = max(float64(c), 0)
				}
			}
			if tc.objective == core.Softprob {
				d.Classes = 3
			}
			tc.change(&d)
			c := xgboost.Default()
			c.Objective = tc.objective
			_, err := train(treetest.Env(1), d, core.Data{}, c)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	s := treetest.Synth(30, 2, 45, 0, 0, 0)
	d := core.Data{X: s.X, Y: make([]float64, 30)}
	c := xgboost.Default()
	if _, err := train(treetest.Env(1), d, core.Data{}, c); !errors.Is(err, model.ErrOneClass) {
		t.Errorf("one class: %v", err)
	}
	d.Weight = make([]float64, 30)
	if _, err := train(treetest.Env(1), d, core.Data{}, c); !errors.Is(err, model.ErrNoRows) {
		t.Errorf("no weight: %v", err)
	}
	d.Weight = nil
	c.Objective = core.SquaredError
	b, err := train(treetest.Env(1), d, core.Data{}, c)
	if err != nil {
		t.Fatalf("a constant target: %v", err)
	}
	if _, err := b.Probabilities(context.Background(), s.X, nil); err == nil {
		t.Error("a regression gave probabilities")
	}
	raw, err := b.Raw(context.Background(), s.X, nil)
	if err != nil || raw[0] != 0 {
		t.Errorf("a constant target of 0 is predicted as %v, %v", raw[0], err)
	}
}

func TestManyClasses(t *testing.T) {
	s := treetest.Synth(1500, 4, 46, 0, 0, 0)
	d := core.Data{X: s.X, Y: make([]float64, 1500)}
	for i := range d.Y {
		d.Y[i] = math.Floor(min(max(float64(s.X.Col(0)[i])*2+3, 0), 5.9))
	}
	c := small()
	b, err := train(treetest.Env(2), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	if b.Scores() != 6 || rounds(b) != c.Rounds {
		t.Fatalf("%d scores, %d rounds", b.Scores(), rounds(b))
	}
	p, err := b.Probabilities(context.Background(), s.X, nil)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, y := range d.Y {
		best := 0
		for k := range 6 {
			if p[i*6+k] > p[i*6+best] {
				best = k
			}
		}
		if best == int(y) {
			right++
		}
	}
	if right < 1480 {
		t.Errorf("%d of 1500 training rows are right; the class is a step function of one column", right)
	}
}
