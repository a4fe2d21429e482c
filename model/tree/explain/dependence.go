package explain

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Grid is values of one column, or pairs of values of two.
type Grid struct {
	Columns []int       // one or two
	Points  [][]float32 // one value for each of Columns
}

// Line is the grid of the given values of one column.
func Line(column int, values []float32) Grid {
	g := Grid{Columns: []int{column}}
	for _, v := range values {
		g.Points = append(g.Points, []float32{v})
	}
	return g
}

// Plane is the grid of all pairs of the given values of two columns; the
// second changes fastest.
func Plane(a, b int, as, bs []float32) Grid {
	g := Grid{Columns: []int{a, b}}
	for _, u := range as {
		for _, v := range bs {
			g.Points = append(g.Points, []float32{u, v})
		}
	}
	return g
}

func (g Grid) check(e *ensemble.Ensemble) error {
	if len(g.Columns) < 1 || len(g.Columns) > 2 || len(g.Columns) == 2 && g.Columns[0] == g.Columns[1] {
		return fmt.Errorf("explain: a grid over columns %v, want one or two", g.Columns)
	}
	for _, c := range g.Columns {
		if c < 0 || c >= len(e.Columns) {
			return fmt.Errorf("explain: a grid over column %d of %d", c, len(e.Columns))
		}
	}
	for i, p := range g.Points {
		if len(p) != len(g.Columns) {
			return fmt.Errorf("explain: point %d has %d values for %d columns", i, len(p), len(g.Columns))
		}
	}
	return nil
}

// ICE is the curves of single rows ("individual conditional expectation",
// Goldstein et al. 2015): the raw scores of every row when the columns of the
// grid are set to each of its points. The result has rows × points × scores
// values, in this order. NaN is a value of a grid like any other: missing.
// Complexity: O(rows·points·trees·depth).
func ICE(ctx context.Context, m *ensemble.Model, t *view.Table, g Grid) ([]float64, error) {
	if err := g.check(m.Ensemble()); err != nil {
		return nil, err
	}
	if err := m.CheckTable(t); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	k := m.Scores()
	out := make([]float64, t.N*len(g.Points)*k)
	return out, g.each(ctx, m, t, func(point int, raw []float64) {
		for i := range t.N {
			copy(out[(i*len(g.Points)+point)*k:][:k], raw[i*k:])
		}
	})
}

// each calls f with the raw scores of all rows at every point.
func (g Grid) each(ctx context.Context, m *ensemble.Model, t *view.Table, f func(point int, raw []float64)) error {
	set := &view.Table{N: t.N, P: t.P, Names: t.Names, Data: append([]float32(nil), t.Data...)}
	var raw []float64
	for i, p := range g.Points {
		for j, c := range g.Columns {
			col := set.Col(c)
			for r := range col {
				col[r] = p[j]
			}
		}
		var err error
		if raw, err = m.Raw(ctx, set, raw); err != nil {
			return fmt.Errorf("explain: point %d of the grid: %w", i, err)
		}
		f(i, raw)
	}
	return nil
}

// Dependence is the partial dependence of the raw scores (Friedman 2001): the
// mean over the rows of [ICE]. The result has points × scores values. No rows
// are an error.
func Dependence(ctx context.Context, m *ensemble.Model, t *view.Table, g Grid) ([]float64, error) {
	if err := g.check(m.Ensemble()); err != nil {
		return nil, err
	}
	if err := m.CheckTable(t); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if t.N == 0 {
		return nil, errors.New("explain: no rows to take the mean of")
	}
	k := m.Scores()
	out := make([]float64, len(g.Points)*k)
	return out, g.each(ctx, m, t, func(point int, raw []float64) {
		to := out[point*k:][:k]
		for i := range t.N {
			for c := range k {
				to[c] += raw[i*k+c]
			}
		}
		for c := range to {
			to[c] /= float64(t.N)
		}
	})
}

// WeightedDependence is partial dependence without rows: at a split of a column
// that is not in the grid, both children count by their share of the training
// rows (Friedman 2001, §8.2; "recursion" in scikit-learn). It is [Dependence]
// over the training rows where the columns of the grid are independent of the
// others, and fast: O(points·nodes). The result has points × scores values.
func WeightedDependence(m *ensemble.Model, w Weights, g Grid) ([]float64, error) {
	e := m.Ensemble()
	if err := g.check(e); err != nil {
		return nil, err
	}
	known := make([]bool, len(e.Columns))
	x := make([]float32, len(e.Columns))
	for _, c := range g.Columns {
		known[c] = true
	}
	for i, p := range g.Points {
		for j, c := range g.Columns {
			x[c] = p[j]
		}
		if err := m.CheckRow(x); err != nil {
			return nil, fmt.Errorf("explain: point %d of the grid: %w", i, err)
		}
	}
	k := len(e.Base)
	out := make([]float64, len(g.Points)*k)
	w = w.of(e)
	var reach []float64
	for i := range e.Trees {
		t := &e.Trees[i]
		share, err := shares(t, w)
		if err != nil {
			return nil, fmt.Errorf("explain: tree %d: %w", i, err)
		}
		for point, p := range g.Points {
			for j, c := range g.Columns {
				x[c] = p[j]
			}
			reach = room(&reach, len(t.Nodes))
			reach[0] = 1
			for n := range t.Nodes {
				nd := &t.Nodes[n]
				switch l := nd.Left; {
				case l == 0:
					addValue(t, n, reach[n], out[point*k:][:k])
				case !known[nd.Feature]:
					reach[l], reach[l+1] = reach[n]*share[l], reach[n]*share[l+1]
				case t.GoesLeft(nd, x[nd.Feature]):
					reach[l], reach[l+1] = reach[n], 0
				default:
					reach[l], reach[l+1] = 0, reach[n]
				}
			}
		}
	}
	for i := range out {
		if e.Mean {
			out[i] /= float64(len(e.Trees))
		}
		out[i] += e.Base[i%k]
	}
	return out, nil
}
