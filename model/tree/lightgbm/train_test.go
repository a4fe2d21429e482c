package lightgbm_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/view"
)

func train(t testing.TB, d core.Data, c lightgbm.Config, o lightgbm.Options) *ensemble.Model {
	t.Helper()
	e, err := lightgbm.TrainWith(context.Background(), treetest.Env(1), d, core.Data{}, c, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ensemble.NewModel(e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func raw(t testing.TB, m *ensemble.Model, x *view.Table) []float64 {
	t.Helper()
	r, err := m.Raw(context.Background(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryParameterHasAnEffect(t *testing.T) {
	s := treetest.Synth(1200, 6, 20, 0, 12, 0.05)
	for i := range 300 {
		s.X.Col(0)[i*4] = 0
		s.X.Col(4)[i] = 1
	}
	for i := range s.X.Col(4) { // a column that no split with 20 rows on each side can use, and a flag
		s.X.Col(4)[i] = 0
		if i < 15 {
			s.X.Col(4)[i] = 1
		}
	}
	type cfg = lightgbm.Config
	binary := func(c *cfg) { c.Objective = lightgbm.Binary }
	bagged := func(c *cfg) { binary(c); c.BaggingFreq, c.BaggingFraction = 1, 0.7 }
	goss := func(c *cfg) { c.DataSampleStrategy, c.LearningRate = lightgbm.GOSS, 0.5 }
	dart := func(c *cfg) { c.Boosting, c.SkipDrop, c.DropRate, c.LearningRate = lightgbm.DART, 0.2, 0.6, 0.3 }
	cats := func(c *cfg) { c.CategoricalFeature, c.MinDataPerGroup = []string{"f5"}, 30 }
	for _, tc := range []struct {
		name         string
		base, change func(c *cfg)
	}{
		{"objective", binary, func(c *cfg) { c.Objective = lightgbm.Regression }},
		{"boosting", binary, dart},
		{"num_iterations", binary, func(c *cfg) { c.NumIterations++ }},
		{"learning_rate", binary, func(c *cfg) { c.LearningRate = 0.1 }},
		{"num_leaves", binary, func(c *cfg) { c.NumLeaves = 9 }},
		{"max_depth", binary, func(c *cfg) { c.MaxDepth = 3 }},
		{"min_data_in_leaf", binary, func(c *cfg) { c.MinDataInLeaf = 60 }},
		{"min_sum_hessian_in_leaf", binary, func(c *cfg) { c.MinSumHessianInLeaf = 20 }},
		{"lambda_l1", binary, func(c *cfg) { c.LambdaL1 = 0.5 }},
		{"lambda_l2", binary, func(c *cfg) { c.LambdaL2 = 0.5 }},
		{"min_gain_to_split", binary, func(c *cfg) { c.MinGainToSplit = 4 }},
		{"max_delta_step", binary, func(c *cfg) { c.MaxDeltaStep = 0.3 }},
		{"path_smooth", binary, func(c *cfg) { c.PathSmooth = 5 }},
		{"extra_trees", binary, func(c *cfg) { c.ExtraTrees = true }},
		{"bagging_fraction", bagged, func(c *cfg) { c.BaggingFraction = 0.5 }},
		{"pos_bagging_fraction", bagged, func(c *cfg) { c.PosBaggingFraction = 0.5 }},
		{"neg_bagging_fraction", bagged, func(c *cfg) { c.NegBaggingFraction = 0.5 }},
		{"bagging_freq", bagged, func(c *cfg) { c.BaggingFreq = 3 }},
		{"feature_fraction", binary, func(c *cfg) { c.FeatureFraction = 0.5 }},
		{"feature_fraction_bynode", binary, func(c *cfg) { c.FeatureFractionBynode = 0.5 }},
		{"data_sample_strategy", func(c *cfg) { c.LearningRate = 0.5 }, goss},
		{"top_rate", goss, func(c *cfg) { c.TopRate = 0.3 }},
		{"other_rate", goss, func(c *cfg) { c.OtherRate = 0.3 }},
		{"drop_rate", dart, func(c *cfg) { c.DropRate = 0.3 }},
		{"max_drop", dart, func(c *cfg) { c.MaxDrop = 1 }},
		{"skip_drop", dart, func(c *cfg) { c.SkipDrop = 0.8 }},
		{"uniform_drop", dart, func(c *cfg) { c.UniformDrop = true }},
		{"xgboost_dart_mode", dart, func(c *cfg) { c.XGBoostDartMode = true }},
		{"max_bin", binary, func(c *cfg) { c.MaxBin = 40 }},
		{"min_data_in_bin", binary, func(c *cfg) { c.MinDataInBin = 40 }},
		{"bin_construct_sample_cnt", binary, func(c *cfg) { c.BinConstructSampleCnt = 300 }},
		{"feature_pre_filter", func(c *cfg) { binary(c); c.ExtraTrees = true; c.FeatureFraction = 0.5 }, func(c *cfg) { c.FeaturePreFilter = false }},
		{"use_missing", binary, func(c *cfg) { c.UseMissing = false }},
		{"zero_as_missing", binary, func(c *cfg) { c.ZeroAsMissing = true }},
		{"categorical_feature", binary, cats},
		{"cat_l2", cats, func(c *cfg) { c.CatL2 = 100 }},
		{"cat_smooth", cats, func(c *cfg) { c.CatSmooth = 60 }},
		{"max_cat_threshold", cats, func(c *cfg) { c.MaxCatThreshold = 2 }},
		{"max_cat_to_onehot", cats, func(c *cfg) { c.MaxCatToOnehot = 20 }},
		{"min_data_per_group", cats, func(c *cfg) { c.MinDataPerGroup = 200 }},
		{"monotone_constraints", binary, func(c *cfg) { c.MonotoneConstraints = map[string]int{"f1": 1} }},
		{"interaction_constraints", binary, func(c *cfg) { c.InteractionConstraints = [][]string{{"f0", "f1"}, {"f2", "f3", "f5"}} }},
		{"boost_from_average", binary, func(c *cfg) { c.BoostFromAverage = false }},
		{"scale_pos_weight", binary, func(c *cfg) { c.ScalePosWeight = 2 }},
		{"is_unbalance", binary, func(c *cfg) { c.IsUnbalance = true }},
		{"alpha", func(c *cfg) { c.Objective = lightgbm.Quantile }, func(c *cfg) { c.Alpha = 0.3 }},
		{"alpha of huber", func(c *cfg) { c.Objective = lightgbm.Huber }, func(c *cfg) { c.Alpha = 0.3 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := lightgbm.Default()
			a.NumIterations, a.LearningRate, a.NumLeaves = 8, 0.2, 12
			a.Objective = lightgbm.Regression
			tc.base(&a)
			b := a
			tc.change(&b)
			d := s.Positive()
			p, q := raw(t, train(t, d, a, lightgbm.Options{}), s.X), raw(t, train(t, d, b, lightgbm.Options{}), s.X)
			most := 0.0
			for i := range p {
				most = max(most, math.Abs(p[i]-q[i]))
			}
			if most < 1e-4 {
				t.Errorf("no score changes by more than %g", most)
			}
		})
	}
}

// The leaves of every tree are those that the parameters allow.
func TestParametersKeepTheirPromises(t *testing.T) {
	s := treetest.Synth(3000, 6, 21, 0, 0, 0.05)
	c := lightgbm.Default()
	c.Objective, c.NumIterations, c.NumLeaves, c.MaxDepth, c.MinDataInLeaf, c.MinGainToSplit, c.MaxDeltaStep = lightgbm.Regression, 10, 13, 4, 40, 2, 0.5
	c.InteractionConstraints = [][]string{{"f0", "f1"}, {"f1", "f2", "f3"}}
	m := train(t, core.Data{X: s.X, Y: s.Y}, c, lightgbm.Options{})
	deep, full := 0, 0
	for _, tree := range m.Ensemble().Trees {
		depth, leaves := make([]int, len(tree.Nodes)), 0
		path := make([]map[int32]bool, len(tree.Nodes))
		path[0] = map[int32]bool{}
		for i, nd := range tree.Nodes {
			if nd.Leaf() {
				leaves++
				deep = max(deep, depth[i])
				if math.Abs(nd.Value) > 0.1*0.5+1e-12 {
					t.Errorf("a leaf has the value %v", nd.Value)
				}
				if nd.Count < 40 || nd.Cover != float64(nd.Count) {
					t.Errorf("a leaf has %d rows and cover %v", nd.Count, nd.Cover)
				}
				if (path[i][0] && (path[i][2] || path[i][3])) || path[i][4] || path[i][5] {
					t.Errorf("columns %v meet on a path", path[i])
				}
				continue
			}
			if nd.Gain < 2 {
				t.Errorf("a split has gain %v", nd.Gain)
			}
			for _, k := range []int32{nd.Left, nd.Left + 1} {
				depth[k] = depth[i] + 1
				path[k] = map[int32]bool{nd.Feature: true}
				for f := range path[i] {
					path[k][f] = true
				}
			}
			if nd.Count != tree.Nodes[nd.Left].Count+tree.Nodes[nd.Left+1].Count {
				t.Error("rows are lost")
			}
		}
		full = max(full, leaves)
		if leaves > 13 {
			t.Errorf("%d leaves", leaves)
		}
	}
	if deep != 4 || full < 8 {
		t.Errorf("the deepest leaf has depth %d, the largest tree %d leaves: the test tests nothing", deep, full)
	}
}

// Scores never rise or fall where a constraint forbids it, whatever the other
// columns.
func TestMonotoneConstraintsHold(t *testing.T) {
	s := treetest.Synth(2500, 5, 22, 0, 0, 0.05)
	for _, change := range []func(c *lightgbm.Config){
		func(*lightgbm.Config) {},
		func(c *lightgbm.Config) { c.PathSmooth, c.LambdaL1 = 3, 0.2 },
		func(c *lightgbm.Config) { c.ExtraTrees, c.BaggingFraction, c.BaggingFreq = true, 0.7, 1 },
	} {
		c := lightgbm.Default()
		c.Objective, c.NumIterations, c.MinDataInLeaf = lightgbm.Binary, 30, 5
		change(&c)
		broken := func(m *ensemble.Model) (up, down int) {
			x := s.X.Select(treetest.UpTo(0, 300))
			last := [2][]float64{}
			for step := range 40 {
				v := float32(step)/8 - 2.5
				for k, j := range []int{1, 2} {
					moved := x.Columns([]int{0, 1, 2, 3, 4})
					for i := range moved.N {
						moved.Col(j)[i] = v
					}
					now := raw(t, m, moved)
					for i, s := range last[k] {
						if j == 1 && now[i] > s+1e-12 {
							up++
						}
						if j == 2 && now[i] < s-1e-12 {
							down++
						}
					}
					last[k] = now
				}
			}
			return up, down
		}
		if up, down := broken(train(t, s.Positive(), c, lightgbm.Options{})); up == 0 || down == 0 {
			t.Fatalf("without constraints %d and %d steps break them: the test tests nothing", up, down)
		}
		c.MonotoneConstraints = map[string]int{"f1": -1, "f2": 1}
		m := train(t, s.Positive(), c, lightgbm.Options{})
		if up, down := broken(m); up+down > 0 {
			t.Errorf("%d steps rise in f1, %d fall in f2", up, down)
		}
		used := false
		for _, tree := range m.Ensemble().Trees {
			for _, nd := range tree.Nodes {
				used = used || !nd.Leaf() && (nd.Feature == 1 || nd.Feature == 2)
			}
		}
		if !used {
			t.Error("the constrained columns are not used")
		}
	}
}

// A quantile model has its share of rows below it, on fresh rows.
func TestQuantileCovers(t *testing.T) {
	s := treetest.Synth(6000, 5, 23, 0, 0, 0)
	d := core.Data{X: s.X.Select(treetest.UpTo(0, 4000)), Y: s.Y[:4000]}
	for _, alpha := range []float64{0.1, 0.5, 0.9} {
		c := lightgbm.Default()
		c.Objective, c.Alpha, c.NumIterations, c.NumLeaves, c.MinDataInLeaf = lightgbm.Quantile, alpha, 40, 6, 100
		r := raw(t, train(t, d, c, lightgbm.Options{}), s.X)
		below := 0.0
		for i := 4000; i < 6000; i++ {
			if s.Y[i] < r[i] {
				below += 1.0 / 2000
			}
		}
		if math.Abs(below-alpha) > 0.05 { // four standard errors and some overfit
			t.Errorf("%.3f of fresh rows are below the %.1f quantile", below, alpha)
		}
	}
}

// expectile is a caller's objective: squared error, weighted by its side.
type expectile struct{ name string }

func (e expectile) Name() string                 { return e.name }
func (expectile) Scores() int                    { return 1 }
func (expectile) Link() ensemble.Link            { return ensemble.Identity }
func (expectile) Check(y float64) error          { return nil }
func (expectile) Base(t *core.Targets) []float64 { return []float64{0} }
func (expectile) Gradients(rows []uint32, t *core.Targets, score []float32, g, h [][]float32) {
	for _, i := range rows {
		w := float32(1)
		if t.Y[i] > score[i] {
			w = 3
		}
		g[0][i], h[0][i] = w*(score[i]-t.Y[i]), w
	}
}
func (expectile) Mean(t *core.Targets, score []float32) float64 {
	sum := 0.0
	for i, y := range t.Y {
		d := float64(y - score[i])
		if d > 0 {
			d *= math.Sqrt(3)
		}
		sum += d * d
	}
	return sum
}

func TestCustomObjective(t *testing.T) {
	s := treetest.Synth(3000, 5, 24, 0, 0, 0)
	d := core.Data{X: s.X.Select(treetest.UpTo(0, 2000)), Y: s.Y[:2000]}
	stop := core.Data{X: s.X.Select([]int{2000, 2001, 2002, 2003, 2004, 2005}), Y: s.Y[2000:2006]}
	c := lightgbm.Default()
	c.NumIterations, c.EarlyStoppingRound = 60, 0
	m := train(t, d, c, lightgbm.Options{Objective: expectile{"expectile"}})
	if o := m.Ensemble().Objective; o != "expectile" {
		t.Errorf("the objective is called %q", o)
	}
	up, down := 0.0, 0.0
	for i, r := range raw(t, m, d.X) {
		if e := d.Y[i] - r; e > 0 {
			up += e
		} else {
			down -= e
		}
	}
	if q := down / up; math.Abs(q-3) > 0.3 { // the first-order condition of the expectile
		t.Errorf("the residuals above and below balance as 1 to %.2f, want 3", q)
	}
	c.EarlyStoppingRound = 5
	if _, err := lightgbm.TrainWith(context.Background(), treetest.Env(2), d, stop, c, lightgbm.Options{Objective: expectile{"expectile"}}); err != nil {
		t.Error(err)
	}
	if _, err := lightgbm.TrainWith(context.Background(), treetest.Env(1), d, stop, c, lightgbm.Options{Objective: expectile{""}}); err == nil {
		t.Error("an objective without a name was taken")
	}
}

// Twenty rounds are ten and ten more, but for the rounding of scores.
func TestWarmStartContinues(t *testing.T) {
	s := treetest.Synth(1500, 5, 25, 0, 7, 0.05)
	for _, objective := range []string{lightgbm.Binary, lightgbm.Regression, lightgbm.Multiclass} {
		c := lightgbm.Default()
		c.Objective, c.NumIterations, c.NumLeaves, c.CategoricalFeature = objective, 20, 8, []string{"f4"}
		d := s.Positive()
		if objective == lightgbm.Multiclass {
			for i, k := range s.Class {
				d.Y[i] = float64(k + 1)
			}
		}
		whole := train(t, d, c, lightgbm.Options{})
		c.NumIterations = 10
		half := train(t, d, c, lightgbm.Options{})
		both := train(t, d, c, lightgbm.Options{Init: half.Ensemble()})
		if a, b := len(whole.Ensemble().Trees), len(both.Ensemble().Trees); a != b {
			t.Fatalf("%s: %d trees, want %d", objective, b, a)
		}
		p, q := raw(t, whole, s.X), raw(t, both, s.X)
		for i := range p {
			if math.Abs(p[i]-q[i]) > 1e-5 {
				t.Fatalf("%s: score %d is %v, want %v", objective, i, q[i], p[i])
			}
		}
		// Stop rows of no use end the training with what was there before.
		turned := core.Data{X: d.X, Y: make([]float64, len(d.Y)), Classes: 3}
		for i, y := range d.Y {
			turned.Y[i] = 1 - min(y, 1)
		}
		c.EarlyStoppingRound, c.NumIterations = 3, 30
		m, err := lightgbm.TrainWith(context.Background(), treetest.Env(1), d, turned, c, lightgbm.Options{Init: half.Ensemble()})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(m.Trees); n != len(half.Ensemble().Trees)/10*11 {
			t.Errorf("%s: %d trees were kept, want one round more than %d", objective, n, len(half.Ensemble().Trees))
		}
	}
	c := small()
	c.Objective = lightgbm.Binary
	good := train(t, s.Positive(), c, lightgbm.Options{}).Ensemble()
	for _, tc := range []struct {
		want   string
		change func(e *ensemble.Ensemble)
	}{
		{"single precision", func(e *ensemble.Ensemble) { e.Single = true }},
		{"no sum of 1 scores", func(e *ensemble.Ensemble) { e.Link = ensemble.Identity }},
		{"categorical", func(e *ensemble.Ensemble) { e.Categorical = []int{1} }},
		{"column", func(e *ensemble.Ensemble) { e.Columns = []string{"f0", "f1", "f2", "f3", "x"} }},
	} {
		e := *good
		tc.change(&e)
		_, err := lightgbm.TrainWith(context.Background(), treetest.Env(1), s.Positive(), core.Data{}, c, lightgbm.Options{Init: &e})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want one with %q", err, tc.want)
		}
	}
}

// drawn counts the rows that reach the leaves of each tree.
func drawn(m *ensemble.Model) []float64 {
	var out []float64
	for _, tree := range m.Ensemble().Trees {
		out = append(out, float64(tree.Nodes[0].Count))
	}
	return out
}

func TestBaggingDrawsItsShare(t *testing.T) {
	s := treetest.Synth(4000, 4, 26, 0, 0, 0)
	d := s.Positive()
	pos := 0.0
	for _, y := range d.Y {
		pos += y
	}
	c := lightgbm.Default()
	c.Objective, c.NumIterations, c.BaggingFraction, c.BaggingFreq = lightgbm.Binary, 30, 0.4, 3
	counts := drawn(train(t, d, c, lightgbm.Options{}))
	near := func(what string, got, want, se float64) {
		t.Helper()
		if math.Abs(got-want) > 4*se {
			t.Errorf("%s: %v rows, want %v", what, got, want)
		}
	}
	changes := 0
	for r, n := range counts {
		near("a bag", n, 1600, math.Sqrt(4000*0.4*0.6))
		if r > 0 && n != counts[r-1] {
			changes++
			if r%3 != 0 {
				t.Errorf("round %d has %v rows, the one before %v: bags change every third round", r, n, counts[r-1])
			}
		}
	}
	if changes < 5 {
		t.Errorf("the number of rows changed %d times in 10 bags", changes)
	}
	c.PosBaggingFraction, c.NegBaggingFraction = 0.9, 0.2
	for _, n := range drawn(train(t, d, c, lightgbm.Options{})) {
		near("a balanced bag", n, 0.9*pos+0.2*(4000-pos), math.Sqrt(pos*0.09+(4000-pos)*0.16))
	}
}

// GOSS keeps top_rate and other_rate of the rows after the first rounds, and
// what it keeps stands for all: the sum of hessians stays that of all rows.
func TestGOSSKeepsItsShares(t *testing.T) {
	s := treetest.Synth(4000, 4, 27, 0, 0, 0)
	c := lightgbm.Default()
	c.Objective, c.NumIterations, c.LearningRate, c.DataSampleStrategy = lightgbm.Binary, 12, 0.2, lightgbm.GOSS
	m := train(t, s.Positive(), c, lightgbm.Options{})
	c.DataSampleStrategy = lightgbm.Bagging
	all := train(t, s.Positive(), c, lightgbm.Options{})
	for r, n := range drawn(m) {
		got, want := m.Ensemble().Trees[r].Nodes[0].Cover, all.Ensemble().Trees[r].Nodes[0].Cover
		if r < 5 {
			if n != 4000 || got != want {
				t.Errorf("round %d has %v rows", r, n)
			}
			continue
		}
		if n < 1200 || n > 1210 { // equal gradients at the limit are all kept
			t.Errorf("round %d has %v rows, want 800 + 400", r, n)
		}
		if math.Abs(got/want-1) > 0.1 {
			t.Errorf("round %d: hessians sum to %v, those of all rows to %v", r, got, want)
		}
	}
}

// With every earlier round left out, the weights of the rounds follow from
// their number; scores stay the sum of the trees.
func TestDARTNormalises(t *testing.T) {
	s := treetest.Synth(800, 4, 28, 0, 0, 0)
	base := func() lightgbm.Config {
		c := lightgbm.Default()
		c.Objective, c.Boosting, c.NumIterations, c.NumLeaves = lightgbm.Regression, lightgbm.DART, 3, 4
		c.DropRate, c.SkipDrop, c.UniformDrop, c.LearningRate = 1, 0, true, 0.5
		return c
	}
	d := core.Data{X: s.X, Y: s.Y}
	for _, xgb := range []bool{false, true} {
		c := base()
		c.XGBoostDartMode = xgb
		m := train(t, d, c, lightgbm.Options{})
		// Every tree is fitted to the base alone, so all are the same tree at
		// different weights.
		w := []float64{0.5, 0, 0}
		for r := 1; r < 3; r++ {
			k := float64(r)
			rate, keep := 0.5/(1+k), k/(1+k)
			if xgb {
				rate, keep = 0.5/(0.5+k), k/(0.5+k)
			}
			for i := range r {
				w[i] *= keep
			}
			w[r] = rate
		}
		first := m.Ensemble().Trees[0].Nodes
		for r, tree := range m.Ensemble().Trees {
			for i, nd := range tree.Nodes {
				if nd.Feature != first[i].Feature || nd.Threshold != first[i].Threshold {
					t.Fatalf("tree %d differs from the first at node %d", r, i)
				}
				if want := first[i].Value / w[0] * w[r]; math.Abs(nd.Value-want) > 1e-6*math.Abs(want)+1e-9 {
					t.Errorf("xgboost %v: tree %d node %d has the value %v, want %v", xgb, r, i, nd.Value, want)
				}
			}
		}
	}
	// Nothing dropped is gbdt.
	c := base()
	c.SkipDrop = 1
	a := treetest.File(t, train(t, d, c, lightgbm.Options{}))
	c.Boosting = lightgbm.GBDT
	if !bytes.Equal(a, treetest.File(t, train(t, d, c, lightgbm.Options{}))) {
		t.Error("dart without drops is not gbdt")
	}
}

// Categories that the fit has not seen go where missing values go.
func TestUnseenCategoriesAreMissing(t *testing.T) {
	s := treetest.Synth(1000, 3, 29, 0, 10, 0)
	c := small()
	c.CategoricalFeature, c.MinDataPerGroup = []string{"f2"}, 10
	f := fit(t, c, s.Part(0, 1000), view.View{}, 1)
	var want, got [3]float64
	if err := f.PredictRow([]float32{0.2, 0.3, float32(math.NaN())}, want[:]); err != nil {
		t.Fatal(err)
	}
	for _, v := range []float32{10, 77, 1e6} {
		if err := f.PredictRow([]float32{0.2, 0.3, v}, got[:]); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("category %v has probabilities %v, a missing one %v", v, got, want)
		}
	}
	splits := 0
	for _, tree := range f.Ensemble().Trees {
		splits += len(tree.Sets)
	}
	if splits == 0 {
		t.Error("no split uses categories")
	}
}

func TestManyClasses(t *testing.T) {
	s := treetest.Synth(1500, 4, 30, 0, 0, 0)
	d := core.Data{X: s.X, Y: make([]float64, 1500), Classes: 6}
	for i, y := range s.Y {
		d.Y[i] = math.Floor(min(max(y+2.5, 0), 4)) // 0 to 4; 5 never
	}
	m := train(t, d, small(), lightgbm.Options{})
	p, err := m.Probabilities(context.Background(), s.X, nil)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range d.Y {
		best := 0
		for k := range 6 {
			if p[6*i+k] > p[6*i+best] {
				best = k
			}
		}
		if best == int(d.Y[i]) {
			right++
		}
		if q := p[6*i+5]; !(q > 0 && q < 0.01) {
			t.Fatalf("the absent class has probability %v", q)
		}
	}
	if right < 900 {
		t.Errorf("%d of 1500 training rows are right", right)
	}
	_, err = lightgbm.Train(context.Background(), treetest.Env(1), core.Data{X: s.X, Y: s.Y}, core.Data{}, small())
	if err == nil || !strings.Contains(err.Error(), "label of row") {
		t.Errorf("labels that are no classes: %v", err)
	}
}
