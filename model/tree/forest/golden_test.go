package forest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// params are those of scikit-learn in a golden file.
type params struct {
	MaxDepth    int     `json:"max_depth"`
	Split       int     `json:"min_samples_split"`
	Leaf        int     `json:"min_samples_leaf"`
	Fraction    float64 `json:"min_weight_fraction_leaf"`
	Decrease    float64 `json:"min_impurity_decrease"`
	Leaves      int     `json:"max_leaf_nodes"`
	Alpha       float64 `json:"ccp_alpha"`
	ClassWeight string  `json:"class_weight"`
	Criterion   string
	Features    any   `json:"max_features"`
	Samples     any   `json:"max_samples"`
	Bootstrap   bool  `json:"bootstrap"`
	OOB         bool  `json:"oob_score"`
	Monotone    []int `json:"monotonic_cst"`
}

func (p params) apply(c *forest.Config) {
	c.MaxDepth, c.MinWeightFractionLeaf, c.MinImpurityDecrease = p.MaxDepth, p.Fraction, p.Decrease
	c.MaxLeafNodes, c.CCPAlpha = p.Leaves, p.Alpha
	if p.Split > 0 {
		c.MinSamplesSplit = p.Split
	}
	if p.Leaf > 0 {
		c.MinSamplesLeaf = p.Leaf
	}
	if p.ClassWeight != "" {
		c.ClassWeight = p.ClassWeight
	}
	if p.Criterion != "" {
		c.Criterion = p.Criterion
	}
	text := func(v any, to *string) {
		if x, ok := v.(float64); ok {
			*to = fmt.Sprintf("%v", x) // a share keeps its point
		}
	}
	text(p.Features, &c.MaxFeatures)
	text(p.Samples, &c.MaxSamples)
	c.Bootstrap = c.Bootstrap || p.Bootstrap
	c.OOBScore = p.OOB
	for j, d := range p.Monotone {
		if c.MonotonicCst == nil {
			c.MonotonicCst = map[string]int{}
		}
		c.MonotonicCst[fmt.Sprintf("f%d", j)] = d
	}
}

// skNode is a node of scikit-learn's tree.
type skNode struct {
	N       float64
	W       float64
	V       []float64
	Imp     float64
	Feature int32    `json:"f"`
	T       *float64 // nil: +Inf
	Miss    bool
	L, R    *skNode
}

func readJSON(t *testing.T, name string, doc any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, doc); err != nil {
		t.Fatal(err)
	}
}

// grid makes a table of whole numbers in units of 1/levels; nil is missing.
func grid(cells [][]*float64, levels float64) *view.Table {
	names := make([]string, len(cells[0]))
	for j := range names {
		names[j] = fmt.Sprintf("f%d", j)
	}
	x := view.NewTable(len(cells), names)
	for i, row := range cells {
		for j, v := range row {
			x.Col(j)[i] = float32(math.NaN())
			if v != nil {
				x.Col(j)[i] = float32(*v / levels)
			}
		}
	}
	return x
}

// A tree on all rows and columns is that of scikit-learn, node by node.
func TestTreeEqualsScikitLearn(t *testing.T) {
	var doc struct {
		X, Missing [][]*float64
		Weight, Y  []float64
		Class      []float64
		Cases      []struct {
			Name, Criterion string
			Missing, Two    bool
			Params          params
			Root            *skNode
		}
	}
	readJSON(t, "tree.json", &doc)
	nodes := 0
	for _, tc := range doc.Cases {
		t.Run(tc.Name, func(t *testing.T) {
			cfg := forest.Default()
			cfg.Trees, cfg.Bootstrap, cfg.MaxFeatures = 1, false, "all"
			tc.Params.apply(&cfg)
			cfg.Criterion = tc.Criterion
			d := core.Data{X: grid(doc.X, 8), Y: doc.Class, Weight: doc.Weight, Classes: 3}
			if tc.Missing {
				d.X = grid(doc.Missing, 8)
			}
			if tc.Criterion == forest.SquaredError {
				d.Y, d.Classes = doc.Y, 0
			}
			if tc.Two {
				d.Y, d.Classes = slices.Clone(d.Y), 2
				for i, c := range d.Y {
					d.Y[i] = min(c, 1)
				}
			}
			f, err := forest.Train(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, forest.Random, d, nil, cfg)
			if err != nil {
				t.Fatal(err)
			}
			tree := &f.Ensemble.Trees[0]
			c := comparison{tree: tree, base: f.Ensemble.Base[0], total: tc.Root.W}
			if err := c.equal(0, tc.Root, "root"); err != nil {
				t.Error(err)
			}
			if c.nodes != len(tree.Nodes) {
				t.Errorf("%d nodes, want %d", len(tree.Nodes), c.nodes)
			}
			nodes += c.nodes
		})
	}
	if nodes < 400 {
		t.Errorf("only %d nodes were compared", nodes)
	}
}

type comparison struct {
	tree  *ensemble.Tree
	base  float64
	total float64
	nodes int
}

func (c *comparison) equal(i int, want *skNode, path string) error {
	c.nodes++
	n := &c.tree.Nodes[i]
	if float64(n.Count) != want.N || math.Abs(n.Cover-want.W) > 1e-6*want.W {
		return fmt.Errorf("%s: %d rows of weight %v, want %v of %v", path, n.Count, n.Cover, want.N, want.W)
	}
	got := []float64{n.Value + c.base}
	if c.tree.Width > 1 {
		got = c.tree.Values[i*c.tree.Width : (i+1)*c.tree.Width]
	}
	for k, v := range want.V {
		if math.Abs(got[k]-v) > 1e-7*max(1, math.Abs(v)) { // weights are rounded to 2⁻³⁷ of their sum
			return fmt.Errorf("%s: value %v, want %v", path, got, want.V)
		}
	}
	if n.Leaf() && want.L != nil && want.Imp < 1e-14 {
		return nil // rounding lets scikit-learn split a pure node
	}
	if want.L == nil || n.Leaf() {
		if (want.L == nil) != n.Leaf() {
			return fmt.Errorf("%s: leaf %v, want %v", path, n.Leaf(), want.L == nil)
		}
		return nil
	}
	threshold := float32(math.Inf(1))
	if want.T != nil {
		threshold = ensemble.Above(*want.T)
	}
	if n.Feature != want.Feature || n.Threshold != threshold || n.DefaultLeft != want.Miss {
		return fmt.Errorf("%s: column %d < %v, missing left %v, gain %v; want %d < %v, %v, gain %v", path, n.Feature, n.Threshold, n.DefaultLeft, n.Gain, want.Feature, threshold, want.Miss,
			want.W/c.total*(want.Imp-want.L.W/want.W*want.L.Imp-want.R.W/want.W*want.R.Imp))
	}
	gain := want.W / c.total * (want.Imp - want.L.W/want.W*want.L.Imp - want.R.W/want.W*want.R.Imp)
	if math.Abs(n.Gain-gain) > 1e-7 {
		return fmt.Errorf("%s: gain %v, want %v", path, n.Gain, gain)
	}
	if err := c.equal(int(n.Left), want.L, path+"/left"); err != nil {
		return err
	}
	return c.equal(int(n.Left)+1, want.R, path+"/right")
}

// Forests draw other numbers than scikit-learn's, so they agree in law: scores
// and sizes over seeds, within four standard errors of the difference.
func TestForestsAgreeWithScikitLearn(t *testing.T) {
	type stats struct{ Mean, SD float64 }
	var doc struct {
		Train, Levels    int
		X                [][]*float64
		Class, Y, Weight []float64
		Cases            []struct {
			Name                        string
			Extra, Regression, Weighted bool
			Params                      params
			Seeds                       int
			Test, OOB, Leaves, Depth    *stats
		}
	}
	readJSON(t, "forest.json", &doc)
	x := grid(doc.X, float64(doc.Levels))
	rows := make([]int, x.N)
	for i := range rows {
		rows[i] = i
	}
	train, test := x.Select(rows[:doc.Train]), x.Select(rows[doc.Train:])
	for _, tc := range doc.Cases {
		t.Run(tc.Name, func(t *testing.T) {
			kind, cfg := forest.Random, forest.Default()
			if tc.Extra {
				kind, cfg = forest.Extra, forest.DefaultExtra()
			}
			if tc.Regression {
				cfg.Criterion, cfg.MaxFeatures = forest.SquaredError, "all"
			}
			cfg.Trees = 60
			tc.Params.apply(&cfg)
			y, k := doc.Class, 3
			if tc.Regression {
				y, k = doc.Y, 0
			}
			d := core.Data{X: train, Y: y[:doc.Train], Classes: k}
			if tc.Weighted {
				d.Weight = doc.Weight
			}
			const seeds = 4
			var loss, oob, leaves, depth float64
			for s := range seeds {
				f, err := forest.Train(context.Background(), model.Env{Stream: rng.New(uint64(s)), Workers: 2}, kind, d, nil, cfg)
				if err != nil {
					t.Fatal(err)
				}
				loss += testLoss(f.Ensemble, test, y[doc.Train:]) / seeds
				if f.OOB != nil {
					oob += f.OOB.Score / seeds
				}
				for i := range f.Ensemble.Trees {
					n, dp := shape(&f.Ensemble.Trees[i])
					leaves, depth = leaves+float64(n)/60/seeds, depth+float64(dp)/60/seeds
				}
			}
			check := func(what string, got float64, want *stats) {
				if want == nil {
					return
				}
				se := want.SD * math.Sqrt(1.0/seeds+1/float64(tc.Seeds))
				if d := math.Abs(got - want.Mean); d > 4*se+1e-9 {
					t.Errorf("%s is %.5f, scikit-learn's %.5f; the difference is %.1f standard errors", what, got, want.Mean, d/se)
				}
			}
			check("the test loss", loss, tc.Test)
			check("the out-of-bag score", oob, tc.OOB)
			check("the number of leaves", leaves, tc.Leaves)
			check("the depth", depth, tc.Depth)
		})
	}
}

// testLoss is the log-loss as the generator takes it, or the squared error.
func testLoss(e *ensemble.Ensemble, x *view.Table, y []float64) float64 {
	sum, row, out := 0.0, make([]float32, x.P), make([]float64, e.Scores())
	for i := range x.N {
		for j := range row {
			row[j] = x.Col(j)[i]
		}
		e.Score(row, out)
		if len(out) == 1 {
			sum += (out[0] - y[i]) * (out[0] - y[i])
		} else {
			sum -= math.Log(max(out[int(y[i])], 1e-15))
		}
	}
	return sum / float64(x.N)
}

// shape is the number of leaves and levels of a tree.
func shape(t *ensemble.Tree) (leaves, depth int) {
	level := make([]int, len(t.Nodes))
	for i := range t.Nodes {
		if l := int(t.Nodes[i].Left); l != 0 {
			level[l], level[l+1] = level[i]+1, level[i]+1
		} else {
			leaves++
			depth = max(depth, level[i])
		}
	}
	return leaves, depth
}
