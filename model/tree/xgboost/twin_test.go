package xgboost_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
)

// twin grows one tree by trying every threshold on every column in float64,
// without bins or integers: what the fast grower must agree with.
type twin struct {
	d       core.Data
	g, h    []float64
	c       xgboost.Config
	out     xgbTree
	closest float64 // least relative gap between a best gain and the next one that divides the rows otherwise
}

func (w *twin) thresholded(g float64) float64 {
	return math.Copysign(max(math.Abs(g)-w.c.Alpha, 0), g)
}

func (w *twin) quality(g, h float64) float64 {
	t := w.thresholded(g)
	return t * t / (h + w.c.Lambda)
}

func (w *twin) sums(rows []int) (g, h float64) {
	for _, i := range rows {
		g, h = g+w.g[i], h+w.h[i]
	}
	return g, h
}

// grow appends the node of rows and its descendants, depth first.
func (w *twin) grow(rows []int, depth int) int {
	at := len(w.out.Left)
	g, h := w.sums(rows)
	w.out.Left = append(w.out.Left, -1)
	w.out.Right = append(w.out.Right, -1)
	w.out.Feature = append(w.out.Feature, 0)
	w.out.Default = append(w.out.Default, 0)
	w.out.Gain = append(w.out.Gain, 0)
	w.out.Cover = append(w.out.Cover, h)
	w.out.Cond = append(w.out.Cond, -w.c.Eta*w.thresholded(g)/(h+w.c.Lambda))
	if depth == w.c.MaxDepth {
		return at
	}
	type found struct {
		gain  float64
		f     int
		cond  float32
		dflt  int
		left  []int
		right []int
	}
	var best, second found
	try := func(f int, cond float32, dflt int) {
		var l, r []int
		for _, i := range rows {
			x := w.d.X.Col(f)[i]
			if x < cond || x != x && dflt == 1 {
				l = append(l, i)
			} else {
				r = append(r, i)
			}
		}
		gl, hl := w.sums(l)
		gr, hr := w.sums(r)
		if len(l) == 0 || len(r) == 0 || hl < w.c.MinChildWeight || hr < w.c.MinChildWeight {
			return
		}
		gain := w.quality(gl, hl) + w.quality(gr, hr) - w.quality(g, h)
		if slices.Equal(l, best.left) || slices.Equal(l, best.right) {
			return // the same division, the first found counts
		}
		c := found{gain, f, cond, dflt, l, r}
		if gain > best.gain {
			best, second = c, best
		} else if gain > second.gain {
			second = c
		}
	}
	for f := range w.d.X.P {
		var v []float32 // values of all rows: thresholds do not depend on the node
		missing := false
		for i, x := range w.d.X.Col(f) {
			if x == x {
				v = append(v, x)
			} else if slices.Contains(rows, i) {
				missing = true
			}
		}
		slices.Sort(v)
		v = slices.Compact(v)
		top := v[len(v)-1]
		for _, x := range v[1:] {
			try(f, x, 0)
		}
		try(f, top+(float32(math.Abs(float64(top)))+1e-5), 0)
		if missing {
			for k := len(v) - 1; k > 0; k-- {
				try(f, v[k], 1)
			}
		}
	}
	if best.gain <= 1e-6 || best.gain < w.c.Gamma {
		return at
	}
	w.closest = min(w.closest, 1-second.gain/best.gain)
	w.out.Feature[at], w.out.Cond[at], w.out.Default[at], w.out.Gain[at] = best.f, float64(best.cond), best.dflt, best.gain
	l := w.grow(best.left, depth+1)
	r := w.grow(best.right, depth+1)
	w.out.Left[at], w.out.Right[at] = l, r
	return at
}

func TestFirstTreeAgreesWithBruteForce(t *testing.T) {
	for seed := range uint64(12) {
		for _, tc := range []struct {
			name   string
			change func(c *xgboost.Config)
		}{
			{"default", func(*xgboost.Config) {}},
			{"l1", func(c *xgboost.Config) { c.Alpha, c.Lambda = 0.7, 0.3 }},
			{"pruned", func(c *xgboost.Config) { c.Gamma, c.MinChildWeight = 1.5, 4 }},
		} {
			t.Run(fmt.Sprintf("%s/%d", tc.name, seed), func(t *testing.T) {
				n := 60 + int(seed)*5
				s := treetest.Synth(n, 5, 100+seed, []int{0, 3}[seed%2], 0, float64(seed%3)*0.1)
				w := &twin{c: xgboost.Default(), closest: 1, g: make([]float64, n), h: make([]float64, n)}
				w.c.Objective, w.c.MaxDepth, w.c.BaseScore, w.c.Rounds = core.SquaredError, 3, "0", 1
				tc.change(&w.c)
				w.d = core.Data{X: s.X, Y: s.Y, Weight: make([]float64, n)}
				rows := make([]int, n)
				for i := range rows {
					rows[i] = i
					w.d.Weight[i] = float64(1+i%4) / 2
					w.g[i], w.h[i] = -float64(float32(s.Y[i]))*w.d.Weight[i], w.d.Weight[i]
				}
				w.grow(rows, 0)
				if w.closest < 1e-5 {
					t.Fatalf("two different divisions have gains within %.1g of each other: the seed tests nothing", w.closest)
				}
				b, err := train(treetest.Env(1), w.d, core.Data{}, w.c)
				if err != nil {
					t.Fatal(err)
				}
				ours := trees(t, b)[0]
				same, differ := compare(t, &ours, &w.out, 0, 0)
				if differ > 0 || same == 0 {
					t.Errorf("%d splits differ, %d are the same", differ, same)
				}
				values(t, &ours, &w.out, 0, 0)
			})
		}
	}
}

// values compares leaf values, gains and covers to float32 precision.
func values(t *testing.T, a, b *xgbTree, i, j int) {
	near := func(what string, x, y float64) {
		t.Helper()
		if math.Abs(x-y) > 2e-6*(1+math.Abs(y)) {
			t.Errorf("node %d: %s is %v, want %v", i, what, x, y)
		}
	}
	near("cover", a.Cover[i], b.Cover[j])
	if a.Left[i] < 0 || b.Left[j] < 0 {
		near("leaf value", a.Cond[i], b.Cond[j])
		return
	}
	near("gain", a.Gain[i], b.Gain[j])
	values(t, a, b, a.Left[i], b.Left[j])
	values(t, a, b, a.Right[i], b.Right[j])
}

// Moving the columns about moves the model with them, where no two columns tie.
func TestColumnOrderDoesNotMatter(t *testing.T) {
	s := treetest.Synth(800, 7, 30, 0, 0, 0.1)
	order := []int{4, 2, 6, 0, 1, 5, 3}
	v := s.Part(0, 800)
	moved := v
	moved.Table = v.Table.Columns(order)
	c := small()
	c.Rounds = 10
	p, q := treetest.Probs(t, fit(t, c, v, v, 1), v), treetest.Probs(t, fit(t, c, moved, moved, 1), moved)
	for i := range p {
		if p[i] != q[i] {
			t.Fatalf("value %d: %v, with columns in another order %v", i, p[i], q[i])
		}
	}
}

// A strictly increasing transformation of a column changes thresholds and
// nothing else.
func TestIncreasingTransformationsDoNotMatter(t *testing.T) {
	s := treetest.Synth(800, 5, 31, 0, 0, 0.1)
	v := s.Part(0, 800)
	moved := v
	moved.Table = v.Table.Columns([]int{0, 1, 2, 3, 4})
	for j := range 5 {
		col := moved.Table.Col(j)
		for i, x := range col {
			col[i] = 1000 + 3*x // exact enough to keep the values of normals apart or equal together
		}
	}
	// Rounding may merge values, so both sides get what is left of them.
	for j := range 5 {
		a, b := v.Table.Col(j), moved.Table.Col(j)
		for i, x := range b {
			a[i] = (x - 1000) / 8
		}
	}
	p, q := treetest.Probs(t, fit(t, small(), v, v, 1), v), treetest.Probs(t, fit(t, small(), moved, moved, 1), moved)
	for i := range p {
		if p[i] != q[i] {
			t.Fatalf("value %d: %v, after the transformation %v", i, p[i], q[i])
		}
	}
}
