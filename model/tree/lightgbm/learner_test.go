package lightgbm_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/view"
)

func TestLearnsAnInteractionOutOfSample(t *testing.T) {
	s := treetest.Synth(4000, 8, 1, 0, 0, 0.05)
	train, stop, test := s.Part(0, 2500), s.Part(2500, 3000), s.Part(3000, 4000)
	c := lightgbm.Default()
	c.NumIterations = 300
	f := fit(t, c, train, stop, 1)
	prior := treetest.Prior(train, test)
	if got := treetest.LogLoss(treetest.Probs(t, f, test), test.Class); got > prior-0.15 {
		t.Errorf("log-loss %.4f on fresh rows, the prior has %.4f: want 0.15 less", got, prior)
	}
	if n := rounds(f); n < 3 || n > 150 {
		t.Errorf("early stopping kept %d rounds of 300", n)
	}
}

func rounds(m *ensemble.Model) int { return len(m.Ensemble().Trees) / m.Scores() }

// everything sets all that can change what is computed where.
func everything(c *lightgbm.Config) {
	c.BaggingFraction, c.BaggingFreq, c.FeatureFraction, c.FeatureFractionBynode = 0.7, 2, 0.6, 0.9
	c.LambdaL1, c.PathSmooth, c.ExtraTrees = 0.1, 1, true
	c.CategoricalFeature = []string{"f19"}
}

func TestSameBytesForAnyNumberOfWorkers(t *testing.T) {
	for name, change := range map[string]func(*lightgbm.Config){
		"plain": func(c *lightgbm.Config) { c.CategoricalFeature = []string{"f19"} },
		"drawn": everything,
		"goss":  func(c *lightgbm.Config) { c.DataSampleStrategy, c.LearningRate = lightgbm.GOSS, 0.5 },
		"dart":  func(c *lightgbm.Config) { c.Boosting, c.SkipDrop, c.DropRate = lightgbm.DART, 0, 0.5 },
	} {
		t.Run(name, func(t *testing.T) {
			s := treetest.Synth(12000, 20, 2, 0, 12, 0.05)
			c := small()
			c.NumIterations = 5
			change(&c)
			train, stop := s.Part(0, 11000), s.Part(11000, 12000)
			want := treetest.File(t, fit(t, c, train, stop, 1))
			for _, w := range []int{2, 4, 8} {
				if !bytes.Equal(want, treetest.File(t, fit(t, c, train, stop, w))) {
					t.Errorf("%d workers give another model", w)
				}
			}
		})
	}
}

func TestSameBytesOnEveryKernelPath(t *testing.T) {
	s := treetest.Synth(3000, 20, 13, 0, 9, 0.05)
	v := s.Part(0, 3000)
	for _, change := range []func(*lightgbm.Config){func(*lightgbm.Config) {}, everything} {
		c := small()
		c.NumIterations = 5
		change(&c)
		simd.Force(t, simd.Generic)
		want := treetest.File(t, fit(t, c, v, v, 2))
		for _, p := range simd.Supported() {
			simd.Force(t, p)
			if !bytes.Equal(want, treetest.File(t, fit(t, c, v, v, 2))) {
				t.Errorf("path %v gives another model than the generic one", p)
			}
		}
	}
}

func TestZeroWeightIsARemovedRow(t *testing.T) {
	s := treetest.Synth(900, 6, 3, 0, 5, 0.1)
	full := s.Part(0, 900)
	full.Weight = make([]float64, 900)
	var kept []int
	for i := range full.Weight {
		if i%3 != 0 {
			full.Weight[i] = 0.5 + float64(i%5)
			kept = append(kept, i)
		} else if i%2 == 0 {
			// Extremes in removed rows must not move a bin.
			full.Table.Col(0)[i] = 1e6
			full.Table.Col(1)[i] = float32(math.Inf(1))
			full.Table.Col(5)[i] = -3
		}
	}
	less := view.View{Table: full.Table.Select(kept)}
	for _, i := range kept {
		less.Class = append(less.Class, full.Class[i])
		less.Weight = append(less.Weight, full.Weight[i])
	}
	c := small()
	c.BaggingFraction, c.BaggingFreq, c.FeatureFraction, c.CategoricalFeature = 0.8, 1, 0.7, []string{"f5"}
	if !bytes.Equal(treetest.File(t, fit(t, c, full, view.View{}, 2)), treetest.File(t, fit(t, c, less, view.View{}, 1))) {
		t.Error("a model with rows of weight 0 differs from one without these rows")
	}
}

func TestEarlyStoppingUsesTheStopRowsOnly(t *testing.T) {
	s := treetest.Synth(1100, 5, 5, 0, 0, 0)
	train, stop := s.Part(0, 800), s.Part(800, 1100)
	c := small()
	c.NumIterations, c.LearningRate, c.NumLeaves, c.EarlyStoppingRound = 200, 0.4, 7, 8
	f := fit(t, c, train, stop, 1)
	best := rounds(f)
	losses := make([]float64, 0, best+8)
	for r := 1; r <= best+8; r++ {
		d := c
		d.NumIterations = r
		losses = append(losses, treetest.LogLoss(treetest.Probs(t, fit(t, d, train, view.View{}, 1), stop), stop.Class))
	}
	for r, l := range losses {
		if l < losses[best-1]-1e-7 { // training scores are float32
			t.Errorf("%d rounds were kept at loss %.6f, but %d have %.6f", best, losses[best-1], r+1, l)
		}
	}
	d := c
	d.NumIterations = best
	if !bytes.Equal(treetest.File(t, f), treetest.File(t, fit(t, d, train, view.View{}, 1))) {
		t.Error("stop rows changed more than the number of rounds")
	}
	other := stop
	other.Class = make([]int8, len(stop.Class))
	for i, k := range stop.Class {
		other.Class[i] = -k
	}
	if n := rounds(fit(t, c, train, other, 1)); n >= best {
		t.Errorf("with turned labels %d rounds were kept, with true ones %d", n, best)
	}
	c.NumIterations, c.EarlyStoppingRound = 40, 0
	if n := rounds(fit(t, c, train, other, 1)); n != 40 {
		t.Errorf("without early stopping %d of 40 rounds were kept", n)
	}
	c.EarlyStoppingRound, c.Boosting = 1, lightgbm.DART
	if n := rounds(fit(t, c, train, other, 1)); n != 40 {
		t.Errorf("dart kept %d of 40 rounds", n)
	}
}

func TestMissingValuesTakeTheLearnedDirection(t *testing.T) {
	x := view.NewTable(300, []string{"x"})
	for _, tc := range []struct {
		name  string
		class int8
	}{{"like the large", 1}, {"like the small", -1}} {
		v := view.View{Table: x, Class: make([]int8, 300)}
		for i := range 300 {
			switch i % 3 {
			case 0:
				x.Col(0)[i], v.Class[i] = float32(i), -1
			case 1:
				x.Col(0)[i], v.Class[i] = float32(1000+i), 1
			default:
				x.Col(0)[i], v.Class[i] = float32(math.NaN()), tc.class
			}
		}
		f := fit(t, small(), v, view.View{}, 1)
		var out [3]float64
		if err := f.PredictRow([]float32{float32(math.NaN())}, out[:]); err != nil {
			t.Fatal(err)
		}
		if out[model.ClassIndex(tc.class)] < 0.9 {
			t.Errorf("%s: a missing value has probabilities %v", tc.name, out)
		}
	}
	// Missing alone tells the class; no value can be split.
	v := view.View{Table: view.NewTable(100, []string{"x"}), Class: make([]int8, 100)}
	for i := range 100 {
		v.Class[i] = 1
		v.Table.Col(0)[i] = 7
		if i%2 == 0 {
			v.Class[i] = -1
			v.Table.Col(0)[i] = float32(math.NaN())
		}
	}
	p := treetest.Probs(t, fit(t, small(), v, view.View{}, 1), v)
	if p[0] < 0.9 || p[3+2] < 0.9 {
		t.Errorf("missing against present: probabilities %v and %v", p[:3], p[3:6])
	}
	// Where the fit has seen none, a missing value counts as 0.
	s := treetest.Synth(600, 4, 6, 0, 0, 0)
	f := fit(t, small(), s.Part(0, 600), view.View{}, 1)
	one, two := make([]float64, 3), make([]float64, 3)
	if err := errors.Join(f.PredictRow([]float32{float32(math.NaN()), 0.3, -1, float32(math.NaN())}, one), f.PredictRow([]float32{0, 0.3, -1, 0}, two)); err != nil {
		t.Fatal(err)
	}
	for k := range one {
		if one[k] != two[k] {
			t.Fatalf("a missing value has probabilities %v, zero %v", one, two)
		}
	}
}

func TestConstantAndEmptyColumnsAreHarmless(t *testing.T) {
	s := treetest.Synth(500, 4, 6, 0, 0, 0)
	for i := range 500 {
		s.X.Col(1)[i] = 3
		s.X.Col(2)[i] = float32(math.NaN())
	}
	f := fit(t, small(), s.Part(0, 500), view.View{}, 1)
	for _, tree := range f.Ensemble().Trees {
		for _, nd := range tree.Nodes {
			if !nd.Leaf() && (nd.Feature == 1 || nd.Feature == 2) {
				t.Fatalf("column %d is split", nd.Feature)
			}
		}
	}
	f = fit(t, small(), view.View{Table: s.X.Columns([]int{1, 2}), Class: s.Class}, view.View{}, 1)
	var n [3]float64
	for _, c := range s.Class {
		n[model.ClassIndex(c)]++
	}
	p := treetest.Probs(t, f, view.View{Table: s.X.Columns([]int{1, 2})})
	for k := range 3 {
		if math.Abs(p[k]-n[k]/500) > 1e-9 {
			t.Errorf("class %d has probability %v, its share is %v", k-1, p[k], n[k]/500)
		}
	}
}

func TestAbsentClass(t *testing.T) {
	s := treetest.Synth(600, 4, 7, 0, 0, 0)
	v := s.Part(0, 600)
	for i, c := range v.Class {
		if c == 1 {
			v.Class[i] = 0
		}
	}
	p := treetest.Probs(t, fit(t, small(), v, view.View{}, 1), v)
	for i := range 600 {
		if q := p[3*i+2]; !(q > 0 && q < 0.01) {
			t.Fatalf("row %d: the absent class has probability %v", i, q)
		}
	}
	c := small()
	c.Objective = lightgbm.Binary
	p = treetest.Probs(t, fit(t, c, v, view.View{}, 1), v)
	for i := range 600 {
		if p[3*i+2] != 0 {
			t.Fatalf("row %d: binary gives the third class %v", i, p[3*i+2])
		}
	}
	if l := treetest.LogLoss(p, v.Class); l > 0.55 {
		t.Errorf("binary log-loss on the training rows %.3f", l)
	}
}

func TestCancelledContextStops(t *testing.T) {
	s := treetest.Synth(500, 4, 8, 0, 0, 0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := lightgbm.New(small())
	if err != nil {
		t.Fatal(err)
	}
	e, rounds := treetest.Env(2), 0
	e.Progress = func(done, total int, _ string) {
		rounds++
		if done != rounds || total != 20 {
			t.Errorf("progress %d of %d in call %d", done, total, rounds)
		}
		if done == 3 {
			cancel()
		}
	}
	if _, err = l.Fit(ctx, e, s.Part(0, 500), view.View{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit ended with %v", err)
	}
	if rounds != 3 {
		t.Errorf("%d rounds were made after the cancellation in round 3", rounds-3)
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	type cfg = lightgbm.Config
	for _, tc := range []struct {
		name string
		make func(train, stop *view.View, c *cfg)
		want string
	}{
		{"one class", func(v, _ *view.View, _ *cfg) { clear(v.Class) }, "all 80 training rows have class 0;"},
		{"one class of two", func(v, _ *view.View, c *cfg) {
			for i := range v.Class {
				v.Class[i] = 1
			}
			c.Objective = lightgbm.Binary
		}, "all 80 training rows have class 1;"},
		{"three classes for binary", func(_, _ *view.View, c *cfg) { c.Objective = lightgbm.Binary }, "three classes"},
		{"infinite", func(v, _ *view.View, _ *cfg) { v.Table.Col(1)[17] = float32(math.Inf(-1)) }, `training column "f1" row 17 is -Inf`},
		{"infinite stop", func(_, v *view.View, _ *cfg) { v.Table.Col(2)[3] = float32(math.Inf(1)) }, `stop column "f2" row 3 is +Inf`},
		{"negative weight", func(v, _ *view.View, _ *cfg) { v.Weight = make([]float64, 80); v.Weight[5] = -1 }, "training weight of row 5 is -1"},
		{"no weight", func(v, _ *view.View, _ *cfg) { v.Weight = make([]float64, 80) }, "all 80 training weights are zero"},
		{"no stop weight", func(_, v *view.View, _ *cfg) { v.Weight = make([]float64, 20) }, "all 20 stop weights are zero"},
		{"wild weights", func(v, _ *view.View, _ *cfg) {
			v.Weight = make([]float64, 80)
			for i := range v.Weight {
				v.Weight[i] = 1
			}
			v.Weight[0] = 1e-16
		}, "span too wide a range"},
		{"class 3", func(v, _ *view.View, _ *cfg) { v.Class[4] = 3 }, "training row 4 has class 3"},
		{"no class", func(v, _ *view.View, _ *cfg) { v.Class = nil }, "no classes"},
		{"no table", func(v, _ *view.View, _ *cfg) { v.Table = nil }, "no table"},
		{"stop columns", func(_, v *view.View, _ *cfg) { v.Table.Names = []string{"f0", "g", "f2"} }, `stop rows: model: column "f1" is missing`},
		{"no such category", func(_, _ *view.View, c *cfg) { c.CategoricalFeature = []string{"f7"} }, `categorical_feature: the training table has no column "f7"`},
		{"no such constraint", func(_, _ *view.View, c *cfg) { c.MonotoneConstraints = map[string]int{"f7": 1} }, `monotone_constraints: the training table has no column "f7"`},
		{"no such group", func(_, _ *view.View, c *cfg) { c.InteractionConstraints = [][]string{{"f0", "f7"}} }, `interaction_constraints: the training table has no column "f7"`},
		{"fraction of a category", func(v, _ *view.View, c *cfg) {
			clear(v.Table.Col(2))
			v.Table.Col(2)[9] = 1.5
			c.CategoricalFeature = []string{"f2"}
		}, `training column "f2" row 9 is 1.5; a category is a whole number`},
		{"negative stop category", func(v, w *view.View, c *cfg) {
			clear(v.Table.Col(2))
			clear(w.Table.Col(2))
			w.Table.Col(2)[4] = -1
			c.CategoricalFeature = []string{"f2"}
		}, `stop column "f2" row 4 is -1; a category is a whole number`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := treetest.Synth(100, 3, 9, 0, 0, 0)
			train, stop := s.Part(0, 80), s.Part(80, 100)
			c := small()
			tc.make(&train, &stop, &c)
			l, err := lightgbm.New(c)
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.Fit(context.Background(), treetest.Env(2), train, stop)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestRegistryEntry(t *testing.T) {
	e := lightgbm.Entry()
	c := e.Default().(*lightgbm.Config)
	c.NumIterations, c.CategoricalFeature = 3, []string{"f2"}
	l, err := e.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := treetest.Synth(200, 3, 12, 0, 6, 0.1)
	f, err := l.Fit(context.Background(), treetest.Env(1), s.Part(0, 200), view.View{})
	if err != nil {
		t.Fatal(err)
	}
	data := treetest.File(t, f)
	g, err := e.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, treetest.File(t, g)) {
		t.Error("encoding the decoded model gives other bytes")
	}
	p, q := treetest.Probs(t, f, s.Part(0, 200)), treetest.Probs(t, g, s.Part(0, 200))
	for i := range p {
		if p[i] != q[i] {
			t.Fatalf("value %d: %v before, %v after the file", i, p[i], q[i])
		}
	}
	c.Objective = lightgbm.Regression
	if _, err := e.New(c); err == nil {
		t.Error("regression was accepted as a classifier")
	}
	if _, err := e.New(7); err == nil {
		t.Error("a number was accepted as a configuration")
	}
}
