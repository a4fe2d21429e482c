package xgboost_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
)

// Rows that would vanish beside the heaviest are learned all the same.
func TestWideSumsKeepLightRows(t *testing.T) {
	d := treetest.Heavy(3000, 1<<44)
	c := xgboost.Default()
	c.Objective, c.Rounds, c.MaxDepth, c.Lambda = core.SquaredError, 60, 3, 0.01
	m, err := train(treetest.Env(2), d, core.Data{}, c)
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
	d := treetest.Heavy(9000, 1<<40)
	c := xgboost.Default()
	c.Objective, c.Rounds, c.MaxDepth = core.SquaredError, 5, 4
	var want []ensemble.Tree
	for _, workers := range treetest.Workers() {
		e, err := xgboost.Train(context.Background(), treetest.Env(workers), d, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = e.Trees
		}
		treetest.SameTrees(t, fmt.Sprintf("%d workers", workers), e.Trees, want)
	}
}
