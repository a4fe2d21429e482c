package catboost_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// goldenFile is what gen_catboost.py writes of one case.
type goldenFile struct {
	Header              struct{ Tolerance float64 }
	Loss                string
	Missing             int
	Weighted, Wide      bool
	Rows, Rounds, Every int
	Parameters          json.RawMessage
	ScaleAndBias        []json.RawMessage `json:"scale_and_bias"`
	Trees               []goldenTree
	Raw                 [][]float64
}

type goldenTree struct {
	Feature         []int32
	Border          []float32
	Leaves, Weights []float64
}

// target is the target of a loss, as in gen_catboost.py.
func target(loss string, z []float64) ([]float64, int) {
	y := make([]float64, len(z))
	for i, v := range z {
		switch loss {
		case catboost.Logloss:
			if v > 0 {
				y[i] = 1
			}
		case catboost.MultiClass:
			if v > 1 {
				y[i]++
			}
			if v > -1 {
				y[i]++
			}
		default:
			y[i] = v
		}
	}
	if loss == catboost.MultiClass {
		return y, 3
	}
	return y, 0
}

// apply sets parameters under the library's names.
func apply(t *testing.T, c *catboost.Config, raw json.RawMessage) {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	for k, v := range p {
		switch k {
		case "l2_leaf_reg":
			c.L2LeafReg = v.(float64)
		case "nan_mode":
			c.NanMode = v.(string)
		case "depth":
			c.Depth = int(v.(float64))
		case "score_function":
			c.ScoreFunction = v.(string)
		case "leaf_estimation_method":
			c.LeafMethod = v.(string)
		case "leaf_estimation_iterations":
			c.LeafIterations = int(v.(float64))
		case "leaf_estimation_backtracking":
			c.LeafBacktracking = v.(string)
		case "boost_from_average":
			c.BoostFromAverage = "false"
			if v.(bool) {
				c.BoostFromAverage = "true"
			}
		case "border_count":
			c.BorderCount = int(v.(float64))
		case "cat_features":
			for _, j := range v.([]any) {
				c.CatFeatures = append(c.CatFeatures, fmt.Sprint("x", int(j.(float64))))
			}
			c.HasTime = true
		case "one_hot_max_size":
			c.OneHotMaxSize = int(v.(float64))
		case "model_size_reg":
			c.ModelSizeReg = v.(float64)
		case "simple_ctr":
			c.SimpleCTR = nil
			for _, text := range v.([]any) {
				c.SimpleCTR = append(c.SimpleCTR, text.(string))
			}
		case "feature_border_type":
			c.FeatureBorderType = v.(string)
		default:
			t.Fatalf("parameter %q", k)
		}
	}
}

// TestGoldenTrees holds plain boosting without sampling and noise to the
// library's own trees: the same split on every level of every tree, leaf values
// and raw scores to the tolerance, relative to the largest.
func TestGoldenTrees(t *testing.T) { parity(t, catboost.Train) }

// Wide sums choose the same splits.
func TestGoldenTreesWide(t *testing.T) { parity(t, catboost.TrainWide) }

func parity(t *testing.T, fit func(ctx context.Context, env model.Env, train, stop core.Data, cfg catboost.Config) (*ensemble.Model, error)) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "catboost_*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "catboost_"), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g goldenFile
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Fatal(err)
			}
			c := catboost.Default()
			c.Loss, c.Iterations, c.LearningRate, c.Depth = g.Loss, g.Rounds, 0.2, 6
			c.BootstrapType, c.RandomStrength, c.LeafIterations = "No", 0, 1
			if g.Loss == catboost.Logloss {
				c.LeafIterations = 10
			}
			apply(t, &c, g.Parameters)
			d := numbered(formula(g.Rows, g.Missing), c.CatFeatures)
			train := core.Data{X: d.x}
			train.Y, train.Classes = target(g.Loss, d.z)
			if g.Weighted {
				train.Weight = d.w
			}
			if g.Wide {
				r := lcg(1000)
				for i := range d.w {
					d.w[i] = math.Ldexp(d.w[i], r.next()%25-10)
				}
			}
			m, err := fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 2}, train, core.Data{}, c)
			if err != nil {
				t.Fatal(err)
			}
			e := m.Ensemble()
			var bias []float64
			if err := json.Unmarshal(g.ScaleAndBias[1], &bias); err != nil {
				t.Fatal(err)
			}
			for k, b := range bias {
				if math.Abs(b-e.Base[k]) > 1e-9 {
					t.Errorf("base %d: %v, want %v", k, e.Base[k], b)
				}
			}
			compare(t, e, &g, d.x)
		})
	}
}

// numbered makes columns categories, numbered from 0.
func numbered(d rows, names []string) rows {
	for j, name := range d.x.Names {
		if slices.Contains(names, name) {
			col := d.x.Col(j)
			least := slices.Min(col)
			for i := range col {
				col[i] = (col[i] - least) * 8
			}
		}
	}
	return d
}

func compare(t *testing.T, e *ensemble.Ensemble, g *goldenFile, table *view.Table) {
	if len(e.Trees) != len(g.Trees) {
		t.Fatalf("%d trees, want %d", len(e.Trees), len(g.Trees))
	}
	for i := range g.Trees {
		tree, want := &e.Trees[i], &g.Trees[i]
		depth, at, mirrored := len(want.Feature), 0, false
		for level := range depth {
			nd := &tree.Nodes[at]
			if want.Feature[level] < 0 && nd.Set > 0 {
				mirrored = true // which side of a set is left differs
				at = int(nd.Left)
				continue
			}
			if nd.Leaf() || nd.Feature != want.Feature[level] || ensemble.Below(nd.Threshold) != want.Border[level] {
				t.Fatalf("tree %d level %d splits column %d at %v, want %d at %v", i, level, nd.Feature, ensemble.Below(nd.Threshold), want.Feature[level], want.Border[level])
			}
			at = int(nd.Left)
		}
		leaves := 1 << depth
		if len(tree.Nodes) != 2*leaves-1 {
			t.Fatalf("tree %d has %d nodes, want depth %d", i, len(tree.Nodes), depth)
		}
		if mirrored {
			continue // scores are compared below
		}
		k, most := tree.Width, 0.0
		for _, v := range want.Leaves {
			most = max(most, math.Abs(v))
		}
		for l := range leaves {
			from := 0 // the first split is the lowest bit in the library and the highest here
			for level := range depth {
				from |= (l >> (depth - 1 - level) & 1) << level
			}
			nd := leaves - 1 + l
			if got, w := tree.Nodes[nd].Cover, want.Weights[from]; math.Abs(got-w) > 1e-6+1e-8*w { // nine digits in the file
				t.Fatalf("tree %d leaf %d has weight %v, want %v", i, l, got, want.Weights[from])
			}
			for c := range k {
				got := tree.Nodes[nd].Value
				if k > 1 {
					got = tree.Values[nd*k+c]
				}
				if w := want.Leaves[from*k+c]; math.Abs(got-w) > g.Header.Tolerance*most {
					t.Fatalf("tree %d leaf %d value %d is %v, want %v", i, l, c, got, w)
				}
			}
		}
	}
	out, x := make([]float64, e.Scores()), make([]float32, len(e.Columns))
	for i, want := range g.Raw {
		for j := range x {
			x[j] = table.Col(j)[i*g.Every]
		}
		e.Score(x, out)
		for c, w := range want {
			if math.Abs(out[c]-w) > g.Header.Tolerance*10 {
				t.Fatalf("row %d score %d is %v, want %v", i*g.Every, c, out[c], w)
			}
		}
	}
}
