package xgboost_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
)

func TestCrossValidationIsSeparateFits(t *testing.T) {
	s := treetest.Synth(900, 6, 60, 0, 0, 0.1)
	d := core.Data{X: s.X, Y: make([]float64, 900), Weight: make([]float64, 900), Classes: 3}
	for i, c := range s.Class {
		d.Y[i], d.Weight[i] = float64(c)+1, float64(i%5)/2
	}
	cfg := small()
	cfg.EarlyStoppingRounds, cfg.Subsample, cfg.ColsampleByNode = 4, 0.8, 0.7
	fs := append(treetest.Folds(900, 4), treetest.Pairs(900, 4)...)
	treetest.SeparateFits(t, d, fs, func(env model.Env) ([]core.Held, error) {
		return xgboost.CrossValidate(context.Background(), env, d, fs, cfg)
	}, func(env model.Env, train, stop core.Data) (*ensemble.Ensemble, error) {
		return xgboost.Train(context.Background(), env, train, stop, cfg)
	})
}

func TestCrossValidationErrors(t *testing.T) {
	s := treetest.Synth(100, 3, 61, 0, 0, 0)
	d := core.Data{X: s.X, Y: s.Y}
	cfg := small()
	cfg.Objective = core.SquaredError
	for _, tc := range []struct {
		name string
		fold core.Fold
		want string
	}{
		{"no rows", core.Fold{Test: []int{1}}, "fold 1: no training rows"},
		{"outside", core.Fold{Train: []int{1, 2, 100}}, "training row 100 at position 2"},
		{"not ascending", core.Fold{Train: []int{1, 2}, Stop: []int{5, 4}}, "stop row 4"},
		{"overlap", core.Fold{Train: []int{1, 2, 3}, Test: []int{0, 3}}, "row 3 is trained on and held out"},
	} {
		_, err := xgboost.CrossValidate(context.Background(), treetest.Env(2), d, []core.Fold{{Train: []int{1, 2, 3, 4}}, tc.fold}, cfg)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, err, tc.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := xgboost.CrossValidate(ctx, treetest.Env(2), d, []core.Fold{{Train: []int{1, 2, 3, 4}}}, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Continuing after some rounds is the fit of all rounds at once.
func TestContinuedFitIsOneFit(t *testing.T) {
	s := treetest.Synth(600, 5, 62, 0, 0, 0.1)
	d := core.Data{X: s.X, Y: make([]float64, 600), Classes: 3}
	for i, c := range s.Class {
		d.Y[i] = float64(c) + 1
	}
	cfg := small()
	cfg.Subsample, cfg.ColsampleByTree, cfg.ColsampleByLevel = 0.7, 0.8, 0.8
	whole, err := xgboost.Train(context.Background(), treetest.Env(1), d, core.Data{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Rounds = 8
	start, err := xgboost.Train(context.Background(), treetest.Env(1), d, core.Data{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	before := treetest.File(t, start)
	cfg.Rounds = 12
	more, err := xgboost.TrainWith(context.Background(), treetest.Env(3), d, core.Data{}, cfg, xgboost.Options{Init: start})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(treetest.File(t, whole), treetest.File(t, more)) {
		t.Error("8 rounds and 12 more are not 20 rounds")
	}
	if !bytes.Equal(before, treetest.File(t, start)) {
		t.Error("the ensemble that was continued has changed")
	}
	cfg.Objective = core.SquaredError
	if _, err := xgboost.TrainWith(context.Background(), treetest.Env(1), d, core.Data{}, cfg, xgboost.Options{Init: start}); err == nil || !strings.Contains(err.Error(), "cannot continue") {
		t.Errorf("another objective: %v", err)
	}
}

// squared is the squared error as an objective from outside.
type squared struct{ base, h float64 }

func (squared) Name() string          { return "custom:squared" }
func (squared) Scores() int           { return 1 }
func (squared) Link() ensemble.Link   { return ensemble.Identity }
func (squared) Check(y float64) error { return nil }
func (s squared) Base(t *core.Targets) []float64 {
	return []float64{s.base}
}
func (s squared) Gradients(rows []uint32, t *core.Targets, score []float32, g, h [][]float32) {
	for _, i := range rows {
		w := float32(t.Weight(int(i)))
		g[0][i], h[0][i] = (score[i]-t.Y[i])*w, float32(s.h)*w
	}
}
func (squared) Mean(t *core.Targets, score []float32) float64 {
	sum, weight := 0.0, 0.0
	for i, y := range t.Y {
		d := float64(score[i] - y)
		sum, weight = sum+t.Weight(i)*d*d/2, weight+t.Weight(i)
	}
	return sum / weight
}

func TestCustomObjectiveIsTheBuiltIn(t *testing.T) {
	s := treetest.Synth(700, 5, 63, 0, 0, 0.1)
	d, stop := core.Data{X: s.X.Select(treetest.UpTo(0, 500)), Y: s.Y[:500]}, core.Data{X: s.X.Select(treetest.UpTo(500, 700)), Y: s.Y[500:]}
	cfg := small()
	cfg.Objective, cfg.BaseScore, cfg.EarlyStoppingRounds = core.SquaredError, "0.25", 3
	want, err := train(treetest.Env(1), d, stop, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseScore = "auto" // which is what the objective says
	got, err := trainWith(treetest.Env(2), d, stop, cfg, xgboost.Options{Objective: squared{0.25, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Ensemble().Objective != "custom:squared" {
		t.Errorf("objective %q", got.Ensemble().Objective)
	}
	a, b := got.Ensemble().Trees, want.Ensemble().Trees
	if len(a) != len(b) {
		t.Fatalf("%d trees, want %d", len(a), len(b))
	}
	for i := range a {
		if !slices.Equal(a[i].Nodes, b[i].Nodes) {
			t.Fatalf("tree %d differs", i)
		}
	}
	for name, o := range map[string]squared{"negative hessian": {0, -1}, "infinite hessian": {0, math.Inf(1)}, "NaN": {0, math.NaN()}, "base": {math.NaN(), 1}} {
		if _, err := trainWith(treetest.Env(1), d, core.Data{}, cfg, xgboost.Options{Objective: o}); err == nil || !strings.Contains(err.Error(), "custom:squared") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Along a column with a direction the score moves in it, all else equal.
func TestMonotoneConstraintsHold(t *testing.T) {
	s := treetest.Synth(1500, 5, 64, 0, 0, 0.1)
	cfg := small()
	cfg.Objective, cfg.MaxDepth = core.SquaredError, 6
	cfg.MonotoneConstraints = map[string]int{"f1": 1, "f2": -1}
	free := cfg
	free.MonotoneConstraints = nil
	broken := func(c xgboost.Config) (n int) {
		m, err := train(treetest.Env(1), core.Data{X: s.X, Y: s.Y}, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		var a, b [1]float64
		for i := range 300 {
			x := make([]float32, 5)
			for j := range x {
				x[j] = s.X.Col(j)[i]
			}
			for _, step := range []struct {
				j int
				d float64
			}{{1, 1}, {2, -1}} {
				for v := float32(-3); v < 3; v += 0.1 {
					x[step.j] = v
					if err := m.RawRow(x, a[:]); err != nil {
						t.Fatal(err)
					}
					x[step.j] = v + 0.1
					if err := m.RawRow(x, b[:]); err != nil {
						t.Fatal(err)
					}
					if (b[0]-a[0])*step.d < -1e-6 {
						n++
					}
				}
			}
		}
		return n
	}
	if n := broken(cfg); n > 0 {
		t.Errorf("%d steps go the other way", n)
	}
	if broken(free) == 0 {
		t.Error("without constraints no step goes the other way: the data test nothing")
	}
}

// Columns meet on a path only as the groups allow; trees keep to their limits.
func TestInteractionsLeavesAndColumns(t *testing.T) {
	s := treetest.Synth(1500, 6, 65, 0, 0, 0)
	d := core.Data{X: s.X, Y: s.Y}
	cfg := small()
	cfg.Objective = core.SquaredError
	paths := func(m *ensemble.Model, visit func(used map[int32]bool)) {
		for _, tr := range m.Ensemble().Trees {
			var walk func(i int32, used []int32)
			walk = func(i int32, used []int32) {
				nd := tr.Nodes[i]
				if nd.Left == 0 {
					set := map[int32]bool{}
					for _, f := range used {
						set[f] = true
					}
					visit(set)
					return
				}
				used = append(used[:len(used):len(used)], nd.Feature)
				walk(nd.Left, used)
				walk(nd.Left+1, used)
			}
			walk(0, nil)
		}
	}
	c := cfg
	c.InteractionConstraints = [][]string{{"f0", "f1"}, {"f1", "f2", "f3"}}
	m, err := train(treetest.Env(1), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	paths(m, func(used map[int32]bool) {
		most = max(most, len(used))
		if used[0] && (used[2] || used[3]) || (used[4] || used[5]) && len(used) > 1 {
			t.Errorf("the columns %v meet", used)
		}
	})
	if most < 2 {
		t.Error("no path uses two columns")
	}
	for _, policy := range []string{"depthwise", "lossguide"} {
		c = cfg
		c.GrowPolicy, c.MaxLeaves, c.MaxDepth = policy, 9, 0
		if m, err = train(treetest.Env(1), d, core.Data{}, c); err != nil {
			t.Fatal(err)
		}
		for i, tr := range m.Ensemble().Trees {
			if n := (len(tr.Nodes) + 1) / 2; n != 9 {
				t.Errorf("%s: tree %d has %d leaves", policy, i, n)
			}
		}
	}
	// With one column of six a node and all of the tree's, a tree still uses
	// several columns; with one a level, the nodes of a level share theirs.
	c = cfg
	c.ColsampleByNode = 0.17
	if m, err = train(treetest.Env(1), d, core.Data{}, c); err != nil {
		t.Fatal(err)
	}
	most = 0
	paths(m, func(used map[int32]bool) { most = max(most, len(used)) })
	if most < 2 {
		t.Error("colsample_bynode gives all nodes of a path the same column")
	}
	c.ColsampleByNode, c.ColsampleByLevel = 1, 0.17
	if m, err = train(treetest.Env(1), d, core.Data{}, c); err != nil {
		t.Fatal(err)
	}
	levels := 0
	for _, tr := range m.Ensemble().Trees {
		depth := make([]int, len(tr.Nodes))
		at := map[int]int32{}
		for i, nd := range tr.Nodes {
			if nd.Left == 0 {
				continue
			}
			depth[nd.Left], depth[nd.Left+1] = depth[i]+1, depth[i]+1
			if f, ok := at[depth[i]]; ok && f != nd.Feature {
				t.Errorf("level %d uses the columns %d and %d", depth[i], f, nd.Feature)
			}
			at[depth[i]] = nd.Feature
		}
		for l := 1; l < len(at); l++ {
			if at[l] != at[0] {
				levels++
			}
		}
	}
	if levels == 0 {
		t.Error("all levels use the same column")
	}
	for what, change := range map[string]func(c *xgboost.Config){
		`no column "zz"`: func(c *xgboost.Config) { c.MonotoneConstraints = map[string]int{"zz": 1} },
		`no column "yy"`: func(c *xgboost.Config) { c.InteractionConstraints = [][]string{{"f0", "yy"}} },
		"max_depth: 0":   func(c *xgboost.Config) { c.MaxDepth = 0 },
		"max_leaves":     func(c *xgboost.Config) { c.MaxLeaves = 1 },
	} {
		c := cfg
		change(&c)
		if _, err := train(treetest.Env(1), d, core.Data{}, c); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want an error with %q", err, what)
		}
	}
}

// One model, whatever the number of workers and the kernels.
func TestWorkersAndKernelsDoNotMatter(t *testing.T) {
	s := treetest.Synth(3000, 19, 66, 0, 0, 0.1)
	d := core.Data{X: s.X, Y: make([]float64, 3000), Weight: make([]float64, 3000)}
	for i, y := range s.Y {
		d.Weight[i] = 0.1 + float64(i%7)
		if y > 0 {
			d.Y[i] = 1
		}
	}
	for name, change := range map[string]func(c *xgboost.Config){
		"binary":    func(c *xgboost.Config) { c.Objective = core.Logistic },
		"softmax":   func(c *xgboost.Config) { c.Objective = core.Softprob },
		"squared":   func(c *xgboost.Config) { c.Objective = core.SquaredError },
		"sampled":   func(c *xgboost.Config) { c.Objective, c.Subsample, c.ColsampleByNode = core.Logistic, 0.6, 0.5 },
		"lossguide": func(c *xgboost.Config) { c.Objective, c.GrowPolicy, c.MaxLeaves = core.Logistic, "lossguide", 20 },
		"general":   func(c *xgboost.Config) { c.Objective, c.Alpha = core.Logistic, 0.5 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := small()
			cfg.Rounds = 6
			change(&cfg)
			var want []byte
			for _, p := range simd.Supported() {
				simd.Force(t, p)
				for _, workers := range []int{1, 2, 4, 8} {
					e, err := xgboost.Train(context.Background(), treetest.Env(workers), d, core.Data{}, cfg)
					if err != nil {
						t.Fatal(err)
					}
					got := treetest.File(t, e)
					if want == nil {
						want = got
					}
					if !bytes.Equal(got, want) {
						t.Errorf("%v, %d workers: other bytes", p, workers)
					}
				}
			}
		})
	}
}

var _ model.Learner = (*xgboost.Learner)(nil)
