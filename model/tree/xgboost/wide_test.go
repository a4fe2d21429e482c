package xgboost_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/view"
)

// heavy has rows of weight 1 that follow the sign of the first column, and one
// row that outweighs a packed sum, in a corner of its own.
func heavy(n int, weight float64) core.Data {
	r := rand.New(rand.NewPCG(6, 6))
	d := core.Data{X: view.NewTable(n, []string{"a", "b", "c"}), Y: make([]float64, n), Weight: make([]float64, n)}
	for i := range n {
		for j := range 3 {
			d.X.Col(j)[i] = float32(math.Round(r.NormFloat64()*10) / 10) // so that every value has a bin
		}
		d.Y[i], d.Weight[i] = -1, 1
		if d.X.Col(0)[i] > 0 {
			d.Y[i] = 1
		}
	}
	d.X.Col(1)[0], d.Y[0], d.Weight[0] = 9, 0.25, weight
	return d
}

// Rows that would vanish beside the heaviest are learned all the same.
func TestWideSumsKeepLightRows(t *testing.T) {
	d := heavy(3000, 1<<44)
	c := xgboost.Default()
	c.Objective, c.Rounds, c.MaxDepth, c.Lambda = core.SquaredError, 60, 3, 0.01
	m, err := train(env(2), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Raw(context.Background(), d.X, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, y := range d.Y {
		if math.Abs(s[i]-y) > 0.1 {
			t.Fatalf("row %d of weight %g has score %v, want %v", i, d.Weight[i], s[i], y)
		}
	}
}

func TestWideSumsDoNotDependOnWorkers(t *testing.T) {
	d := heavy(9000, 1<<40)
	c := xgboost.Default()
	c.Objective, c.Rounds, c.MaxDepth = core.SquaredError, 5, 4
	var want []ensemble.Tree
	for _, workers := range []int{1, 2, 4, 8} {
		e, err := xgboost.Train(context.Background(), env(workers), d, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = e.Trees
		}
		for i := range want {
			if !slices.Equal(e.Trees[i].Nodes, want[i].Nodes) {
				t.Fatalf("%d workers: tree %d differs", workers, i)
			}
		}
	}
}
