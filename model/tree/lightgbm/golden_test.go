package lightgbm_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/view"
)

// golden is a file of testdata/golden/gen_lightgbm.py.
type golden struct {
	Reference string
	Version   string
	Seed      uint64
	Tolerance struct{ Raw float64 }
	Params    map[string]any
	Rows      int
	Permille  uint64 `json:"missing_permille"`
	Wide      bool
	Weighted  bool
	Rounds    int
	SumY      float64 `json:"sum_y"`
	Every     int
	Raw       [][]float64
	Trees     []goldenTree
}

// goldenTree is a tree as arrays, breadth first.
type goldenTree struct {
	Feature     []int
	Threshold   []float64
	DefaultLeft []int `json:"default_left"`
	Gain        []float64
	Left        []int
	Value       []float64
	Sets        [][]int
}

// data repeats the formula of the generator.
func (g *golden) data() core.Data {
	levels := [][3]uint64{{2, 0, 8}, {5, 2, 8}, {20, 10, 8}, {60, 30, 8}, {120, 60, 8}, {200, 100, 8}, {4000, 1000, 64}, {3, 0, 1}, {40, 0, 1}}
	s := g.Seed
	next := func() uint64 {
		s = s*6364136223846793005 + 1442695040888963407
		return s >> 33
	}
	d := core.Data{X: view.NewTable(g.Rows, []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}), Y: make([]float64, g.Rows), Weight: make([]float64, g.Rows)}
	for i := range g.Rows {
		var v [9]float64
		for j, l := range levels {
			u := next() % l[0]
			if j == len(levels)-1 {
				u = u * u / l[0]
			}
			v[j] = float64(int(u) - int(l[1]))
			x := v[j] / float64(l[2])
			if next()%1000 < g.Permille {
				x = math.NaN()
			}
			d.X.Col(j)[i] = float32(x)
		}
		noise := uint64(0)
		for range 4 {
			noise += next() % 1001
		}
		c := v[2] / 10
		if v[4] > 10 {
			c = -v[2] / 5
		}
		z := float64(v[5]*v[6])/80000 + v[3]/20 + c + float64(v[0]*v[1])/4 + (float64(int(v[8])*7%13)-6)/8
		if v[7] == 1 {
			z += 0.5
		}
		z += float64(noise)/1000 - 2
		d.Weight[i] = float64(float32(float64(10007+next()%60013) / 40009))
		switch g.Params["objective"] {
		case "binary":
			if z > 0.4 {
				d.Y[i] = 1
			}
		case "multiclass":
			if z > -0.6 {
				d.Y[i]++
			}
			if z > 0.9 {
				d.Y[i]++
			}
		default:
			d.Y[i] = float64(float32(z))
		}
	}
	if !g.Weighted {
		d.Weight = nil
	}
	if g.Wide {
		s = g.Seed + 1000
		for i := range d.Weight {
			d.Weight[i] = math.Ldexp(d.Weight[i], int(next()%27)-13)
		}
	}
	return d
}

// config reads the parameters by their yaml names, which are LightGBM's.
func (g *golden) config(t *testing.T) lightgbm.Config {
	t.Helper()
	c := lightgbm.Default()
	c.NumIterations = g.Rounds
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	number := map[string]*float64{"scale_pos_weight": &c.ScalePosWeight, "min_sum_hessian_in_leaf": &c.MinSumHessianInLeaf, "lambda_l1": &c.LambdaL1,
		"lambda_l2": &c.LambdaL2, "min_gain_to_split": &c.MinGainToSplit, "max_delta_step": &c.MaxDeltaStep, "path_smooth": &c.PathSmooth,
		"cat_l2": &c.CatL2, "cat_smooth": &c.CatSmooth, "alpha": &c.Alpha}
	whole := map[string]*int{"min_data_in_leaf": &c.MinDataInLeaf, "max_depth": &c.MaxDepth, "num_leaves": &c.NumLeaves, "max_bin": &c.MaxBin, "min_data_in_bin": &c.MinDataInBin,
		"min_data_per_group": &c.MinDataPerGroup, "max_cat_threshold": &c.MaxCatThreshold, "max_cat_to_onehot": &c.MaxCatToOnehot}
	truth := map[string]*bool{"is_unbalance": &c.IsUnbalance, "boost_from_average": &c.BoostFromAverage, "zero_as_missing": &c.ZeroAsMissing, "use_missing": &c.UseMissing}
	for key, v := range g.Params {
		switch {
		case key == "objective":
			c.Objective = v.(string)
		case number[key] != nil:
			*number[key] = v.(float64)
		case whole[key] != nil:
			*whole[key] = int(v.(float64))
		case truth[key] != nil:
			*truth[key] = v.(bool)
		case key == "categorical_feature":
			for _, j := range v.([]any) {
				c.CategoricalFeature = append(c.CategoricalFeature, names[int(j.(float64))])
			}
		case key == "monotone_constraints":
			c.MonotoneConstraints = map[string]int{}
			for j, m := range v.([]any) {
				c.MonotoneConstraints[names[j]] = int(m.(float64))
			}
		case key == "interaction_constraints":
			for _, group := range v.([]any) {
				var list []string
				for _, j := range group.([]any) {
					list = append(list, names[int(j.(float64))])
				}
				c.InteractionConstraints = append(c.InteractionConstraints, list)
			}
		default:
			t.Fatalf("the test does not know the parameter %q", key)
		}
	}
	return c
}

// comparison walks a tree of ours and one of theirs with the rows that reach
// each node, and counts splits that are the same, that differ but divide the
// rows in the same way, and that differ.
type comparison struct {
	t                   *testing.T
	x                   *view.Table
	same, alike, differ int
}

func (c *comparison) walk(a *ensemble.Tree, b *goldenTree, i, j int, rows []int) {
	nd := &a.Nodes[i]
	if nd.Leaf() != (b.Left[j] == 0) {
		c.t.Logf("node %d of %d rows: a leaf on one side only (gains %g and %g)", i, len(rows), nd.Gain, b.Gain[j])
		c.differ++
		return
	}
	if nd.Leaf() {
		return
	}
	theirs := ensemble.Node{Feature: int32(b.Feature[j]), Left: 1, Threshold: ensemble.Above(b.Threshold[j]), DefaultLeft: b.DefaultLeft[j] == 1, ZeroMissing: nd.ZeroMissing}
	their := ensemble.Tree{}
	if len(b.Sets[j]) > 0 {
		var set ensemble.Set
		for _, k := range b.Sets[j] {
			set = set.With(k)
		}
		their.Sets, theirs.Set, theirs.DefaultLeft = []ensemble.Set{set}, 1, false
	}
	var left, right []int
	divided := true
	for _, r := range rows {
		l := a.GoesLeft(nd, c.x.Col(int(nd.Feature))[r])
		divided = divided && l == their.GoesLeft(&theirs, c.x.Col(int(theirs.Feature))[r])
		if l {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	equal := nd.Feature == theirs.Feature && (nd.Set != 0) == (theirs.Set != 0)
	if nd.Set != 0 {
		equal = equal && theirs.Set != 0 && slices.Equal(a.Sets[nd.Set-1], their.Sets[0])
	} else {
		equal = equal && nd.Threshold == theirs.Threshold && nd.DefaultLeft == theirs.DefaultLeft
	}
	switch {
	case equal && divided:
		c.same++
	case divided:
		c.alike++
	default:
		c.t.Logf("node %d of %d rows: ours column %d < %v, missing left %v, set %d, gain %g; theirs column %d < %v, missing left %v, set %v, gain %g", i, len(rows),
			nd.Feature, nd.Threshold, nd.DefaultLeft, nd.Set, nd.Gain, theirs.Feature, theirs.Threshold, theirs.DefaultLeft, b.Sets[j], b.Gain[j])
		c.differ++
		return
	}
	c.walk(a, b, int(nd.Left), b.Left[j], left)
	c.walk(a, b, int(nd.Left)+1, b.Left[j]+1, right)
}

func TestLightGBMParity(t *testing.T) { parity(t, lightgbm.Train) }

// Wide sums choose the same splits.
func TestLightGBMParityWide(t *testing.T) { parity(t, lightgbm.TrainWide) }

func parity(t *testing.T, fit func(ctx context.Context, env model.Env, train, stop core.Data, cfg lightgbm.Config) (*ensemble.Ensemble, error)) {
	files, err := filepath.Glob("testdata/golden/lightgbm_*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Fatal(err)
			}
			d := g.data()
			sum := 0.0
			for _, y := range d.Y {
				sum += y
			}
			if math.Abs(sum-g.SumY) > 1e-9*math.Abs(g.SumY) {
				t.Fatalf("the data differ from the generator's: labels sum to %v, want %v", sum, g.SumY)
			}
			e, err := fit(context.Background(), treetest.Env(1), d, core.Data{}, g.config(t))
			if err != nil {
				t.Fatal(err)
			}
			m, err := ensemble.NewModel(e)
			if err != nil {
				t.Fatal(err)
			}
			ours := m.Ensemble().Trees
			if len(ours) != len(g.Trees) {
				t.Fatalf("%d trees, want %d", len(ours), len(g.Trees))
			}
			all := make([]int, d.X.N)
			for i := range all {
				all[i] = i
			}
			c := comparison{t: t, x: d.X}
			for i := range ours {
				before := c.differ
				c.walk(&ours[i], &g.Trees[i], 0, 0, all)
				if c.differ > before {
					t.Logf("tree %d: %d differ", i, c.differ-before)
				}
			}
			scores, err := m.Raw(context.Background(), d.X, nil)
			if err != nil {
				t.Fatal(err)
			}
			k, worst := m.Scores(), 0.0
			for r, want := range g.Raw {
				for c, w := range want {
					worst = max(worst, math.Abs(scores[r*g.Every*k+c]-w))
				}
			}
			t.Logf("%d splits the same, %d of the same rows, %d differ, raw scores within %.2g", c.same, c.alike, c.differ, worst)
			if 5*c.alike > c.same {
				t.Errorf("%d splits divide the rows in the same way by other thresholds, %d are the same", c.alike, c.same)
			}
			if c.differ > 0 || worst > g.Tolerance.Raw {
				t.Errorf("%d splits differ, raw scores within %.2g, tolerance %g", c.differ, worst, g.Tolerance.Raw)
			}
		})
	}
}
