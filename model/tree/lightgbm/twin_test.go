package lightgbm_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
)

// twin grows one tree by trying every threshold on every column in float64,
// without bins or integers, and splitting the leaf of highest gain: what the
// fast grower must agree with.
type twin struct {
	d       core.Data
	g       []float64
	c       lightgbm.Config
	closest float64 // least relative gap between a gain that counted and the next one
}

type twinLeaf struct {
	rows  []int
	out   float64
	depth int
	alive []bool // columns that had a split in the parent
	gain  float64
	left  []int
	right []int
}

func (w *twin) sums(rows []int) (g, h float64) {
	for _, i := range rows {
		g, h = g+w.g[i], h+1
	}
	return g, h
}

func (w *twin) l1(g float64) float64 { return math.Copysign(max(math.Abs(g)-w.c.LambdaL1, 0), g) }

func (w *twin) value(rows []int, parent float64, root bool) float64 {
	g, h := w.sums(rows)
	v := -w.l1(g) / (h + w.c.LambdaL2)
	if w.c.MaxDeltaStep > 0 {
		v = min(max(v, -w.c.MaxDeltaStep), w.c.MaxDeltaStep)
	}
	if w.c.PathSmooth > 0 && !root {
		n := float64(len(rows))
		v = v*(n/w.c.PathSmooth)/(n/w.c.PathSmooth+1) + parent/(n/w.c.PathSmooth+1)
	}
	return v
}

func (w *twin) quality(rows []int, parent float64) float64 {
	g, h := w.sums(rows)
	v := w.value(rows, parent, false)
	return -(2*w.l1(g)*v + (h+w.c.LambdaL2)*v*v)
}

// search finds the best split of a leaf and notes the columns that have one.
func (w *twin) search(lf *twinLeaf) {
	alive := make([]bool, w.d.X.P)
	lf.gain = 0
	if w.c.MaxDepth > 0 && lf.depth >= w.c.MaxDepth {
		return
	}
	shift := w.quality(lf.rows, lf.out) + w.c.MinGainToSplit
	second := 0.0
	for f := range w.d.X.P {
		if lf.alive != nil && !lf.alive[f] {
			continue
		}
		col := w.d.X.Col(f)
		var v []float32
		for _, x := range col {
			if x == x {
				v = append(v, x)
			}
		}
		slices.Sort(v)
		v = slices.Compact(v)
		for _, missLeft := range []bool{true, false} {
			for k := len(v) - 1; k >= 0; k-- {
				var l, r []int
				for _, i := range lf.rows {
					if x := col[i]; x <= v[k] || x != x && missLeft {
						l = append(l, i)
					} else {
						r = append(r, i)
					}
				}
				if len(l) < max(1, w.c.MinDataInLeaf) || len(r) < max(1, w.c.MinDataInLeaf) {
					continue
				}
				gain := w.quality(l, lf.out) + w.quality(r, lf.out) - shift
				if gain <= 0 {
					continue
				}
				alive[f] = true
				switch {
				case slices.Equal(l, lf.left) || slices.Equal(l, lf.right): // the same division
				case gain > lf.gain:
					second = lf.gain
					lf.gain, lf.left, lf.right = gain, l, r
				case gain > second:
					second = gain
				}
			}
		}
	}
	if lf.gain > 0 {
		w.closest = min(w.closest, 1-second/lf.gain)
	}
	lf.alive = alive
}

// grow returns the value of every row and the gains of the splits in order.
func (w *twin) grow() (values, gains []float64) {
	all := make([]int, w.d.X.N)
	for i := range all {
		all[i] = i
	}
	root := &twinLeaf{rows: all, out: w.value(all, 0, true)}
	w.search(root)
	leaves := []*twinLeaf{root}
	for len(leaves) < w.c.NumLeaves {
		best := slices.MaxFunc(leaves, func(a, b *twinLeaf) int {
			switch {
			case a.gain < b.gain:
				return -1
			case a.gain > b.gain:
				return 1
			}
			return 0
		})
		if best.gain <= 0 {
			break
		}
		for _, lf := range leaves {
			if lf != best {
				w.closest = min(w.closest, math.Abs(1-lf.gain/best.gain))
			}
		}
		gains = append(gains, best.gain+w.c.MinGainToSplit)
		at := slices.Index(leaves, best)
		l := &twinLeaf{rows: best.left, depth: best.depth + 1, alive: best.alive, out: w.value(best.left, best.out, false)}
		r := &twinLeaf{rows: best.right, depth: best.depth + 1, alive: best.alive, out: w.value(best.right, best.out, false)}
		w.search(l)
		w.search(r)
		leaves[at] = l
		leaves = append(leaves, r)
	}
	values = make([]float64, w.d.X.N)
	for _, lf := range leaves {
		for _, i := range lf.rows {
			values[i] = w.c.LearningRate * lf.out
		}
	}
	return values, gains
}

func TestFirstTreeIsTheBestOfAll(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(c *lightgbm.Config)
	}{
		{"default", func(*lightgbm.Config) {}},
		{"l1", func(c *lightgbm.Config) { c.LambdaL1, c.LambdaL2 = 0.7, 0.3 }},
		{"pruned", func(c *lightgbm.Config) { c.MinGainToSplit, c.MinDataInLeaf = 1.5, 9 }},
		{"step", func(c *lightgbm.Config) { c.MaxDeltaStep, c.LambdaL2 = 1.1, 2 }},
		{"smooth", func(c *lightgbm.Config) { c.PathSmooth, c.MinDataInLeaf = 4, 2 }},
		{"shallow", func(c *lightgbm.Config) { c.MaxDepth = 2 }},
	} {
		tested := 0
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s/%d", tc.name, seed), func(t *testing.T) {
				n := 70 + int(seed)*7
				s := treetest.Synth(n, 5, 200+seed, 3, 0, float64(seed%3)*0.1)
				w := &twin{c: lightgbm.Default(), closest: 1, g: make([]float64, n)}
				w.c.Objective, w.c.NumLeaves, w.c.NumIterations, w.c.BoostFromAverage = lightgbm.Regression, 6, 1, false
				w.c.MinDataInLeaf, w.c.MinDataInBin, w.c.FeaturePreFilter = 4, 1, false
				tc.change(&w.c)
				w.d = core.Data{X: s.X, Y: s.Y}
				for i, y := range s.Y {
					w.g[i] = -float64(float32(y))
				}
				values, gains := w.grow()
				if w.closest < 1e-5 {
					return // two different divisions are too near each other to tell
				}
				tested++
				m := train(t, w.d, w.c, lightgbm.Options{})
				var ours []float64
				for _, nd := range m.Ensemble().Trees[0].Nodes {
					if !nd.Leaf() {
						ours = append(ours, nd.Gain)
					}
				}
				slices.Sort(ours)
				slices.Sort(gains)
				if len(ours) != len(gains) || len(gains) == 0 {
					t.Fatalf("%d splits, want %d", len(ours), len(gains))
				}
				for i := range ours {
					if math.Abs(ours[i]-gains[i]) > 1e-5*(1+gains[i]) {
						t.Errorf("a split has gain %v, want %v", ours[i], gains[i])
					}
				}
				raw, err := m.Raw(context.Background(), s.X, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range raw {
					if math.Abs(v-values[i]) > 1e-6*(1+math.Abs(v)) {
						t.Fatalf("row %d has the score %v, want %v", i, v, values[i])
					}
				}
			})
		}
		if tested < 4 {
			t.Errorf("%s: only %d of 6 seeds tell divisions apart", tc.name, tested)
		}
	}
}

// The children of a split of categories hold those that the brute force over
// all subsets of two categories against the rest would choose one-hot.
func TestOneHotSplitIsTheBest(t *testing.T) {
	s := treetest.Synth(300, 3, 17, 0, 3, 0)
	c := lightgbm.Default()
	c.Objective, c.NumLeaves, c.NumIterations, c.BoostFromAverage = lightgbm.Regression, 2, 1, false
	c.CategoricalFeature = []string{"f2"}
	c.InteractionConstraints = [][]string{{"f2"}} // nothing else may be split
	m := train(t, core.Data{X: s.X, Y: s.Y}, c, lightgbm.Options{})
	best, which := 0.0, -1
	for k := range 3 {
		var sum, n [2]float64
		for i, y := range s.Y {
			side := 0
			if int(s.X.Col(2)[i]) == k {
				side = 1
			}
			sum[side] += y
			n[side]++
		}
		if gain := sum[0]*sum[0]/n[0] + sum[1]*sum[1]/n[1]; gain > best {
			best, which = gain, k
		}
	}
	tree := &m.Ensemble().Trees[0]
	if tree.Nodes[0].Set == 0 || tree.Sets[0].Len() != 1 || !tree.Sets[0].Has(which) {
		t.Errorf("the split is %+v with the sets %v, want category %d alone", tree.Nodes[0], tree.Sets, which)
	}
}
