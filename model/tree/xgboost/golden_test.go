package xgboost_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/view"
)

// golden is a file of testdata/golden/gen_xgboost.py.
type golden struct {
	Reference string
	Version   string
	Seed      uint64
	Tolerance struct{ Raw float64 }
	Params    struct {
		Objective      string
		Eta            float64
		MaxDepth       int      `json:"max_depth"`
		BaseScore      string   `json:"base_score"`
		ScalePosWeight *float64 `json:"scale_pos_weight"`
		MinChildWeight *float64 `json:"min_child_weight"`
		QuantileAlpha  *float64 `json:"quantile_alpha"`
		HuberSlope     *float64 `json:"huber_slope"`
		MaxDeltaStep   float64  `json:"max_delta_step"`
		Lambda         *float64
		Alpha, Gamma   float64
		MaxLeaves      int            `json:"max_leaves"`
		GrowPolicy     string         `json:"grow_policy"`
		Monotone       map[string]int `json:"monotone_constraints"`
		Interaction    [][]string     `json:"interaction_constraints"`
	}
	Rows     int
	Permille uint64 `json:"missing_permille"`
	Weighted bool
	Rounds   int
	SumY     float64 `json:"sum_y"`
	Every    int
	Raw      [][]float64
	Trees    []xgbTree
}

// data repeats the formula of the generator.
func (g *golden) data() core.Data {
	levels := []uint64{2, 5, 20, 60, 120, 200, 200}
	s := g.Seed
	next := func() uint64 {
		s = s*6364136223846793005 + 1442695040888963407
		return s >> 33
	}
	d := core.Data{X: view.NewTable(g.Rows, []string{"a", "b", "c", "d", "e", "f", "g"}), Y: make([]float64, g.Rows), Weight: make([]float64, g.Rows)}
	for i := range g.Rows {
		var v [7]float64
		for j, l := range levels {
			v[j] = float64(int(next()%l) - int(l/2))
			x := v[j] / 8
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
		z := v[5]*v[6]/4000 + v[3]/20 + c + v[0]*v[1]/4 + (float64(noise)/1000 - 2)
		d.Weight[i] = float64(1+next()%16) / 8
		switch g.Params.Objective {
		case core.SquaredError, core.Quantile, core.PseudoHuber:
			d.Y[i] = float64(float32(z))
		case core.Logistic:
			if z > 0 {
				d.Y[i] = 1
			}
		default:
			if z > -0.6 {
				d.Y[i]++
			}
			if z > 0.6 {
				d.Y[i]++
			}
		}
	}
	if !g.Weighted {
		d.Weight = nil
	}
	return d
}

func (g *golden) config() xgboost.Config {
	c := xgboost.Default()
	p := g.Params
	c.Objective, c.Eta, c.MaxDepth, c.BaseScore, c.Rounds = p.Objective, p.Eta, p.MaxDepth, p.BaseScore, g.Rounds
	c.Alpha, c.Gamma, c.MaxDeltaStep = p.Alpha, p.Gamma, p.MaxDeltaStep
	c.MaxLeaves, c.MonotoneConstraints, c.InteractionConstraints = p.MaxLeaves, p.Monotone, p.Interaction
	if p.GrowPolicy != "" {
		c.GrowPolicy = p.GrowPolicy
	}
	for _, o := range []struct {
		dst *float64
		src *float64
	}{{&c.ScalePosWeight, p.ScalePosWeight}, {&c.MinChildWeight, p.MinChildWeight}, {&c.Lambda, p.Lambda}, {&c.QuantileAlpha, p.QuantileAlpha}, {&c.HuberSlope, p.HuberSlope}} {
		if o.src != nil {
			*o.dst = *o.src
		}
	}
	return c
}

// compare walks two trees from nodes i and j and counts splits that are the
// same and that differ.
func compare(t *testing.T, a, b *xgbTree, i, j int) (same, differ int) {
	if (a.Left[i] < 0) != (b.Left[j] < 0) {
		t.Logf("node %d: a leaf on one side only (gains %g and %g)", i, a.Gain[i], b.Gain[j])
		return 0, 1
	}
	if a.Left[i] < 0 {
		return 0, 0
	}
	if a.Feature[i] != b.Feature[j] || float32(a.Cond[i]) != float32(b.Cond[j]) || a.Default[i] != b.Default[j] {
		t.Logf("node %d: ours column %d < %v, missing left %d, gain %g; theirs column %d < %v, missing left %d, gain %g", i,
			a.Feature[i], a.Cond[i], a.Default[i], a.Gain[i], b.Feature[j], b.Cond[j], b.Default[j], b.Gain[j])
		return 0, 1
	}
	same = 1
	for _, c := range [][2]int{{a.Left[i], b.Left[j]}, {a.Right[i], b.Right[j]}} {
		s, d := compare(t, a, b, c[0], c[1])
		same, differ = same+s, differ+d
	}
	return same, differ
}

func TestXGBoostParity(t *testing.T) { parity(t, xgboost.Train) }

// Wide sums choose the same splits.
func TestXGBoostParityWide(t *testing.T) { parity(t, xgboost.TrainWide) }

func parity(t *testing.T, fit func(ctx context.Context, env model.Env, train, stop core.Data, cfg xgboost.Config) (*ensemble.Ensemble, error)) {
	files, err := filepath.Glob("testdata/golden/xgboost_*.json")
	if err != nil || len(files) < 10 {
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
			e, err := fit(context.Background(), treetest.Env(1), d, core.Data{}, g.config())
			if err != nil {
				t.Fatal(err)
			}
			b, err := ensemble.NewModel(e)
			if err != nil {
				t.Fatal(err)
			}
			ours := trees(t, b)
			if len(ours) != len(g.Trees) {
				t.Fatalf("%d trees, want %d", len(ours), len(g.Trees))
			}
			same, differ := 0, 0
			for i := range ours {
				s, d := compare(t, &ours[i], &g.Trees[i], 0, 0)
				if d > 0 {
					t.Logf("tree %d: %d differ", i, d)
				}
				same, differ = same+s, differ+d
			}
			scores, err := b.Raw(context.Background(), d.X, nil)
			if err != nil {
				t.Fatal(err)
			}
			k, worst := b.Scores(), 0.0
			for r, want := range g.Raw {
				for c, w := range want {
					worst = max(worst, math.Abs(float64(scores[r*g.Every*k+c])-w))
				}
			}
			t.Logf("%d splits the same, %d differ, raw scores within %.2g", same, differ, worst)
			if differ > 0 || worst > g.Tolerance.Raw {
				t.Errorf("%d splits differ, raw scores within %.2g, tolerance %g", differ, worst, g.Tolerance.Raw)
			}
		})
	}
}
