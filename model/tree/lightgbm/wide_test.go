package lightgbm_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
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

// light is a configuration that lets a leaf have one row.
func light() lightgbm.Config {
	c := lightgbm.Default()
	c.Objective, c.NumIterations, c.LearningRate, c.NumLeaves = lightgbm.Regression, 60, 0.3, 8
	c.MinDataInLeaf, c.MinDataInBin, c.FeaturePreFilter = 0, 1, false
	return c
}

// Rows that would vanish beside the heaviest are learned all the same.
func TestWideSumsKeepLightRows(t *testing.T) {
	d := heavy(3000, 1<<36)
	m := train(t, d, light(), lightgbm.Options{})
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
	for i := range d.X.N {
		d.X.Col(2)[i] = float32(math.Abs(math.Trunc(float64(d.X.Col(2)[i]) * 3)))
	}
	c := light()
	c.NumIterations, c.CategoricalFeature = 5, []string{"c"}
	var want []ensemble.Tree
	for _, workers := range []int{1, 2, 4, 8} {
		e, err := lightgbm.Train(context.Background(), env(workers), d, core.Data{}, c)
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

// Where packed sums are exact, wide ones give the same trees to the last bit:
// the targets and weights here are small whole numbers, so both sums are exact.
func TestWideEqualsPacked(t *testing.T) {
	d := heavy(4000, 3)
	for i := range d.Y {
		d.Y[i] = float64(i*i%7) + 2*d.Y[i]
	}
	c := light()
	c.NumIterations, c.NumLeaves, c.BoostFromAverage, c.LambdaL1, c.MinDataInLeaf = 1, 31, false, 0.5, 5
	packed, err := lightgbm.Train(context.Background(), env(2), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := lightgbm.TrainWide(context.Background(), env(2), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(packed.Trees[0].Nodes) < 31 {
		t.Fatalf("a tree of %d nodes says little", len(packed.Trees[0].Nodes))
	}
	for i := range packed.Trees {
		if !slices.Equal(packed.Trees[i].Nodes, wide.Trees[i].Nodes) {
			t.Errorf("tree %d differs", i)
		}
	}
}
