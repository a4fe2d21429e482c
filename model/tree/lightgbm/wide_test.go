package lightgbm_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
)

// light is a configuration that lets a leaf have one row.
func light() lightgbm.Config {
	c := lightgbm.Default()
	c.Objective, c.NumIterations, c.LearningRate, c.NumLeaves = lightgbm.Regression, 60, 0.3, 8
	c.MinDataInLeaf, c.MinDataInBin, c.FeaturePreFilter = 0, 1, false
	return c
}

// Rows that would vanish beside the heaviest are learned all the same.
func TestWideSumsKeepLightRows(t *testing.T) {
	d := treetest.Heavy(3000, 1<<36)
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
	d := treetest.Heavy(9000, 1<<40)
	for i := range d.X.N {
		d.X.Col(2)[i] = float32(math.Abs(math.Trunc(float64(d.X.Col(2)[i]) * 3)))
	}
	c := light()
	c.NumIterations, c.CategoricalFeature = 5, []string{"c"}
	var want []ensemble.Tree
	for _, workers := range treetest.Workers() {
		e, err := lightgbm.Train(context.Background(), treetest.Env(workers), d, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = e.Trees
		}
		treetest.SameTrees(t, fmt.Sprintf("%d workers", workers), e.Trees, want)
	}
}

// Where packed sums are exact, wide ones give the same trees to the last bit:
// the targets and weights here are small whole numbers, so both sums are exact.
func TestWideEqualsPacked(t *testing.T) {
	d := treetest.Heavy(4000, 3)
	for i := range d.Y {
		d.Y[i] = float64(i*i%7) + 2*d.Y[i]
	}
	c := light()
	c.NumIterations, c.NumLeaves, c.BoostFromAverage, c.LambdaL1, c.MinDataInLeaf = 1, 31, false, 0.5, 5
	packed, err := lightgbm.Train(context.Background(), treetest.Env(2), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := lightgbm.TrainWide(context.Background(), treetest.Env(2), d, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(packed.Trees[0].Nodes) < 31 {
		t.Fatalf("a tree of %d nodes says little", len(packed.Trees[0].Nodes))
	}
	treetest.SameTrees(t, "wide", wide.Trees, packed.Trees)
}
