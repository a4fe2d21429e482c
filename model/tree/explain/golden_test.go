package explain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/explain"
	"github.com/mlfactory/mlfactory/view"
)

// goldenCase is a case of testdata/golden/shap.json; generate.py says what
// stands where.
type goldenCase struct {
	Name, Style string
	Categorical []int
	Base        []float64
	Tolerance   float64
	Trees       []struct {
		Class int
		Sets  [][]int
		Nodes [][8]any
	}
	Rows, Background     [][]*float32
	Raw                  [][]float64
	Path, Interventional [][][]float64
	Interactions         [][][][]float64
}

func (g *goldenCase) ensemble(columns int) *ensemble.Ensemble {
	e := &ensemble.Ensemble{Style: g.Style, Base: g.Base, Categorical: g.Categorical, Single: g.Style == "xgboost"}
	for j := range columns {
		e.Columns = append(e.Columns, fmt.Sprintf("f%d", j))
	}
	for _, gt := range g.Trees {
		t := ensemble.Tree{Width: 1, Class: gt.Class}
		for _, s := range gt.Sets {
			var set ensemble.Set
			for _, c := range s {
				set = set.With(c)
			}
			t.Sets = append(t.Sets, set)
		}
		for _, v := range gt.Nodes {
			f := func(i int) float64 { return v[i].(float64) }
			nd := ensemble.Node{
				Feature: int32(f(0)), Threshold: float32(f(1)), DefaultLeft: v[2].(bool), Left: int32(f(3)), Value: f(4),
				Cover: f(5), Count: int32(f(6)), Set: int32(f(7)),
			}
			if g.Style == "lightgbm" && nd.Left != 0 && nd.Set == 0 {
				nd.Threshold = ensemble.Above(f(1)) // x ≤ t
			}
			t.Nodes = append(t.Nodes, nd)
		}
		e.Trees = append(e.Trees, t)
	}
	return e
}

func goldenTable(names []string, rows [][]*float32) *view.Table {
	t := view.NewTable(len(rows), names)
	for i, r := range rows {
		for j, v := range r {
			t.Col(j)[i] = float32(math.NaN())
			if v != nil {
				t.Col(j)[i] = *v
			}
		}
	}
	return t
}

// TestGolden compares with pred_contribs and pred_interactions of XGBoost,
// pred_contrib of LightGBM, and the interventional explainer of the shap
// package.
func TestGolden(t *testing.T) {
	ctx := context.Background()
	raw, err := os.ReadFile("testdata/golden/shap.json")
	check(t, err)
	var file struct{ Cases []goldenCase }
	check(t, json.Unmarshal(raw, &file))
	if len(file.Cases) != 5 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for i := range file.Cases {
		g := &file.Cases[i]
		t.Run(g.Name, func(t *testing.T) {
			m, err := ensemble.NewModel(g.ensemble(6))
			check(t, err)
			tab := goldenTable(m.Ensemble().Columns, g.Rows)
			scores, err := m.Raw(ctx, tab, nil)
			check(t, err)
			x, err := explain.NewPath(m, explain.ByStyle)
			check(t, err)
			path, err := x.Rows(ctx, tab, 1)
			check(t, err)
			inter, err := x.Interactions(ctx, tab, 1)
			check(t, err)
			k := len(g.Base)
			for i := range tab.N {
				near(t, "raw", scores[i*k:(i+1)*k], g.Raw[i], g.Tolerance)
				for c := range k {
					near(t, fmt.Sprintf("row %d score %d", i, c), path.Of(i, c), g.Path[i][c], g.Tolerance)
					if g.Interactions == nil {
						continue
					}
					for j, want := range g.Interactions[i][c] {
						near(t, fmt.Sprintf("row %d score %d interactions of %d", i, c, j), inter.Of(i, c)[j*7:(j+1)*7], want, g.Tolerance)
					}
				}
			}
			if g.Background == nil {
				return
			}
			x, err = explain.NewInterventional(m, goldenTable(m.Ensemble().Columns, g.Background))
			check(t, err)
			got, err := x.Rows(ctx, tab, 1)
			check(t, err)
			for i := range tab.N {
				for c := range k {
					near(t, fmt.Sprintf("interventional row %d score %d", i, c), got.Of(i, c)[:6], g.Interventional[i][c], 3e-6)
				}
			}
		})
	}
}
