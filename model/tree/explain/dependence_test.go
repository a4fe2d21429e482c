package explain_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/explain"
	"github.com/mlfactory/mlfactory/view"
)

// factorial is all rows whose columns take the given values, so that every
// column is independent of the others.
func factorial(columns []string, values []float32) *view.Table {
	n := int(math.Pow(float64(len(values)), float64(len(columns))))
	t := view.NewTable(n, columns)
	step := 1
	for j := range columns {
		for i := range n {
			t.Col(j)[i] = values[i/step%len(values)]
		}
		step *= len(values)
	}
	return t
}

// count sets the counts and covers of all nodes to those of the rows.
func count(e *ensemble.Ensemble, t *view.Table) {
	for k := range e.Trees {
		tr := &e.Trees[k]
		for i := range tr.Nodes {
			tr.Nodes[i].Count = 0
		}
		for i := range t.N {
			x := row(t, i)
			for n := int32(0); ; {
				nd := &tr.Nodes[n]
				nd.Count++
				if nd.Left == 0 {
					break
				}
				if n = nd.Left; !tr.GoesLeft(nd, x[nd.Feature]) {
					n++
				}
			}
		}
	}
}

// TestDependence: the brute force, the mean of the curves, a mean by hand, and
// on independent columns the shares of the rows agree.
func TestDependence(t *testing.T) {
	ctx := context.Background()
	for i, s := range []kind{
		{name: "scores", columns: 4, trees: 5, scores: 3, depth: 2, full: true},
		{name: "vectors", columns: 3, trees: 5, scores: 2, depth: 3, vector: true, mean: true, full: true},
	} {
		r := random(uint64(60 + i))
		e := s.make(r)
		// Thresholds between the values, and no column twice on a path, so that every node has rows.
		for k := range e.Trees {
			for n := range e.Trees[k].Nodes {
				nd := &e.Trees[k].Nodes[n]
				nd.Threshold = []float32{-1, 0, 1}[r.IntN(3)] + 0.5
				level := 0
				for m := n + 1; m > 1; m /= 2 {
					level++
				}
				nd.Feature = int32((level + k) % s.columns)
			}
		}
		tab := factorial(e.Columns, []float32{-1, 0, 1, 2})
		count(e, tab)
		m, err := ensemble.NewModel(e)
		check(t, err)
		values := []float32{-3, -0.5, 0.5, 1.2, float32(math.NaN())}
		for _, g := range []explain.Grid{explain.Line(1, values), explain.Plane(2, 0, values, values[1:])} {
			got, err := explain.Dependence(ctx, m, tab, g)
			check(t, err)
			curves, err := explain.ICE(ctx, m, tab, g)
			check(t, err)
			shares, err := explain.WeightedDependence(m, explain.Count, g)
			check(t, err)
			mean, hand := make([]float64, len(got)), make([]float64, len(got))
			out := make([]float64, s.scores)
			for i := range tab.N {
				for p, point := range g.Points {
					x := row(tab, i)
					for j, c := range g.Columns {
						x[c] = point[j]
					}
					e.Score(x, out)
					for c, v := range out {
						hand[p*s.scores+c] += v / float64(tab.N)
						mean[p*s.scores+c] += curves[(i*len(g.Points)+p)*s.scores+c] / float64(tab.N)
					}
				}
			}
			near(t, s.name+" mean of the curves", got, mean, 1e-12)
			near(t, s.name+" by hand", got, hand, 1e-12)
			near(t, s.name+" by shares", shares, hand, 1e-12)
		}
	}
}

func TestGridRefusals(t *testing.T) {
	ctx := context.Background()
	s := kinds[0]
	r := random(1)
	e := s.make(r)
	m, err := ensemble.NewModel(e)
	check(t, err)
	tab := s.table(r, e, 3)
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		g    explain.Grid
		want string
	}{
		{explain.Grid{}, "want one or two"},
		{explain.Plane(1, 1, []float32{0}, []float32{0}), "want one or two"},
		{explain.Line(8, []float32{0}), "column 8 of 8"},
		{explain.Grid{Columns: []int{1}, Points: [][]float32{{1, 2}}}, "2 values for 1 columns"},
		{explain.Line(1, []float32{0, inf}), "point 1 of the grid"},
	} {
		_, err := explain.Dependence(ctx, m, tab, c.g)
		_, err2 := explain.ICE(ctx, m, tab, c.g)
		_, err3 := explain.WeightedDependence(m, explain.Cover, c.g)
		for _, err := range []error{err, err2, err3} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v lacks %q", err, c.want)
			}
		}
	}
	if _, err := explain.Dependence(ctx, m, view.NewTable(0, e.Columns), explain.Line(1, []float32{0})); err == nil {
		t.Error("the mean of no rows")
	}
}
