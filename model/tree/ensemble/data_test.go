package ensemble_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
)

// shape says what a random ensemble is like.
type shape struct {
	name      string
	columns   int
	trees     int
	scores    int
	link      ensemble.Link
	vector    bool
	depth     int     // of every tree, or the most
	ragged    bool    // nodes end at any depth
	deep      bool    // a chain: one child of a node is a leaf
	symmetric bool    // all nodes of a level split alike
	levels    int     // distinct thresholds of a column; 0: any number
	sets      bool    // categorical columns, every third
	zeros     bool    // some nodes take 0 for missing
	missing   float64 // share of missing inputs
	single    bool
	mean      bool
	edges     bool // thresholds of ±0, +Inf and the largest numbers
}

// const
var shapes = []shape{
	{name: "xgboost softmax", columns: 20, trees: 60, scores: 3, link: ensemble.Softmax, depth: 6, levels: 200, missing: 0.1, single: true},
	{name: "xgboost logistic", columns: 7, trees: 31, scores: 1, link: ensemble.Logistic, depth: 6, ragged: true, missing: 0.3, single: true},
	{name: "many thresholds of few columns", columns: 2, trees: 50, scores: 1, link: ensemble.Identity, depth: 5, missing: 0.1, single: true},
	{name: "lightgbm leaf-wise", columns: 12, trees: 40, scores: 2, link: ensemble.OneVsAll, depth: 15, ragged: true, sets: true, zeros: true, missing: 0.2},
	{name: "chains", columns: 5, trees: 9, scores: 1, link: ensemble.Identity, depth: 300, deep: true, missing: 0.2},
	{name: "catboost vector", columns: 9, trees: 33, scores: 3, link: ensemble.Softmax, vector: true, depth: 6, symmetric: true, levels: 30, missing: 0.1},
	{name: "catboost logistic", columns: 9, trees: 50, scores: 1, link: ensemble.Logistic, depth: 4, symmetric: true, levels: 30, sets: true, missing: 0.1},
	{name: "forest", columns: 10, trees: 20, scores: 3, link: ensemble.Shares, vector: true, depth: 12, ragged: true, mean: true, missing: 0.1},
	{name: "forest without missing", columns: 10, trees: 20, scores: 1, link: ensemble.Identity, depth: 9, mean: true},
	{name: "stumps and single leaves", columns: 3, trees: 30, scores: 3, link: ensemble.Softmax, depth: 1, ragged: true, missing: 0.2, single: true},
	{name: "vectors in float32", columns: 4, trees: 17, scores: 5, link: ensemble.OneVsAll, vector: true, depth: 3, single: true},
	{name: "no trees", columns: 2, trees: 0, scores: 2, link: ensemble.Softmax},
	{name: "extreme thresholds", columns: 4, trees: 30, scores: 1, link: ensemble.Identity, depth: 4, edges: true, zeros: true, missing: 0.3},
	{name: "wide", columns: 400, trees: 80, scores: 1, link: ensemble.Identity, depth: 6, missing: 0.1, single: true},
}

// make makes a random ensemble of the shape.
func (s shape) make(r *rand.Rand) *ensemble.Ensemble {
	e := &ensemble.Ensemble{
		Style: "test", Objective: s.name, Link: s.link, Mean: s.mean, Single: s.single,
		Base: make([]float64, s.scores), Columns: make([]string, s.columns),
		Extra: map[string]float64{"a": r.NormFloat64(), "sigmoid": 1, "b": 0.5},
	}
	for j := range e.Columns {
		e.Columns[j] = fmt.Sprintf("column %d", j)
		if s.sets && j%3 == 0 {
			e.Categorical = append(e.Categorical, j)
		}
	}
	for k := range e.Base {
		e.Base[k] = r.NormFloat64()
	}
	switch {
	case s.link == ensemble.Logistic:
		e.Classes = []int8{-1, 1}
	case s.link != ensemble.Identity && s.scores == 3:
		e.Classes = []int8{-1, 0, 1}
	}
	for i := range s.trees {
		e.Trees = append(e.Trees, s.tree(r, i))
	}
	return e
}

func (s shape) tree(r *rand.Rand, i int) ensemble.Tree {
	t := ensemble.Tree{Width: 1, Class: i % s.scores, Symmetric: s.symmetric}
	level := []int{0}
	t.Nodes = make([]ensemble.Node, 1)
	for d := 0; len(level) > 0; d++ {
		var below []int
		alike := s.split(r, &t)
		for k, i := range level {
			nd := alike
			if !s.symmetric && k > 0 {
				nd = s.split(r, &t)
			}
			leaf := d == s.depth || s.ragged && r.IntN(4) == 0 || s.deep && k > 0 || s.ragged && len(t.Nodes) > 500
			if leaf {
				nd = ensemble.Node{}
			} else {
				nd.Left = int32(len(t.Nodes))
				t.Nodes = append(t.Nodes, ensemble.Node{}, ensemble.Node{})
				below = append(below, int(nd.Left), int(nd.Left)+1)
				nd.Gain = r.ExpFloat64()
			}
			nd.Value = r.NormFloat64()
			if s.single {
				nd.Value = float64(float32(nd.Value))
			}
			nd.Count = int32(r.IntN(1000))
			t.Nodes[i] = nd
		}
		level = below
	}
	for i := len(t.Nodes) - 1; i >= 0; i-- { // covers add up
		nd := &t.Nodes[i]
		nd.Cover = 0.1 + r.ExpFloat64()
		if nd.Left != 0 {
			nd.Cover = t.Nodes[nd.Left].Cover + t.Nodes[nd.Left+1].Cover
		}
	}
	if s.vector {
		t.Width, t.Class = s.scores, 0
		for range len(t.Nodes) * t.Width {
			v := r.ExpFloat64()
			if s.single {
				v = float64(float32(v))
			}
			t.Values = append(t.Values, v)
		}
	}
	return t
}

// split is a random split.
func (s shape) split(r *rand.Rand, t *ensemble.Tree) ensemble.Node {
	nd := ensemble.Node{Feature: int32(r.IntN(s.columns)), DefaultLeft: r.IntN(2) == 0}
	if s.sets && nd.Feature%3 == 0 {
		var set ensemble.Set
		for range 1 + r.IntN(5) {
			set = set.With(r.IntN(100))
		}
		t.Sets = append(t.Sets, set)
		nd.Set = int32(len(t.Sets))
		return nd
	}
	nd.Threshold = float32(r.NormFloat64())
	if s.levels > 0 {
		nd.Threshold = float32(r.IntN(s.levels)) / float32(s.levels)
	}
	nd.ZeroMissing = s.zeros && r.IntN(3) == 0
	if s.edges {
		inf, zero := float32(math.Inf(1)), float32(0)
		edges := []float32{inf, zero, -zero, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -1e-36, 1e-36, 1}
		nd.Threshold = edges[r.IntN(len(edges))]
	}
	return nd
}

// row is a random row; one value in eight is a threshold of the ensemble.
func (s shape) row(r *rand.Rand, e *ensemble.Ensemble) []float32 {
	x := make([]float32, s.columns)
	for j := range x {
		x[j] = float32(r.NormFloat64())
		switch {
		case s.sets && j%3 == 0:
			x[j] = float32(r.IntN(130))
		case s.edges:
			x[j] = []float32{0, float32(math.Copysign(0, -1)), 1e-36, -1e-36, 2e-35, math.MaxFloat32, -math.MaxFloat32, 1, math.SmallestNonzeroFloat32}[r.IntN(9)]
		case r.IntN(8) == 0 && len(e.Trees) > 0:
			for range 20 {
				t := &e.Trees[r.IntN(len(e.Trees))]
				if nd := &t.Nodes[r.IntN(len(t.Nodes))]; nd.Left != 0 && int(nd.Feature) == j && !math.IsInf(float64(nd.Threshold), 0) {
					x[j] = nd.Threshold
					if r.IntN(2) == 0 {
						x[j] = ensemble.Below(nd.Threshold)
					}
					break
				}
			}
		}
		if r.Float64() < s.missing {
			x[j] = float32(math.NaN())
		}
	}
	return x
}

func random(seed uint64) *rand.Rand { return rng.New(seed).Stream("ensemble/test").Rand() }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
