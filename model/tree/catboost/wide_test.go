package catboost_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
)

// squared is a configuration that draws nothing at random.
func squared() catboost.Config {
	c := catboost.Default()
	c.Loss, c.Iterations, c.Depth, c.LearningRate, c.L2LeafReg = catboost.RMSE, 60, 3, 0.3, 1e-12
	c.BootstrapType, c.RandomStrength = "No", 0
	return c
}

// Rows that would vanish beside the heaviest are learned all the same. The L2
// penalty is a share of the mean weight, so it is close to none here.
func TestWideSumsKeepLightRows(t *testing.T) {
	d := treetest.Heavy(3000, 1<<44)
	c := squared()
	c.ScoreFunction = "L2"
	m, err := catboost.Train(context.Background(), treetest.Env(2), d, core.Data{}, c)
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
	for _, kind := range []string{"Plain", "Ordered"} {
		c := catboost.Default()
		c.Loss, c.Iterations, c.Depth, c.LearningRate, c.BoostingType, c.BootstrapType = catboost.RMSE, 3, 4, 0.3, kind, "Bernoulli"
		var want []ensemble.Tree
		for _, workers := range treetest.Workers() {
			m, err := catboost.Train(context.Background(), treetest.Env(workers), d, core.Data{}, c)
			if err != nil {
				t.Fatal(err)
			}
			e := m.Ensemble()
			if want == nil {
				want = e.Trees
			}
			treetest.SameTrees(t, fmt.Sprintf("%s, %d workers", kind, workers), e.Trees, want)
		}
	}
}

// Where packed sums are exact, wide ones give the same trees, of one score and of
// several, plain and ordered.
func TestWideEqualsPacked(t *testing.T) {
	d := treetest.Heavy(4000, 3)
	for i := range d.Y {
		d.Y[i] = float64(i*i%7) + 2*d.Y[i]
	}
	whole := d
	whole.Y = make([]float64, len(d.Y))
	for i, y := range d.Y {
		whole.Y[i] = float64(int(y+2) % 3)
	}
	for name, change := range map[string]func(c *catboost.Config) core.Data{
		"squared": func(c *catboost.Config) core.Data { c.BoostFromAverage = "false"; return d },
		"ordered": func(c *catboost.Config) core.Data {
			c.BoostFromAverage, c.BoostingType, c.HasTime = "false", "Ordered", true
			return d
		},
		"softmax": func(c *catboost.Config) core.Data { c.Loss = catboost.MultiClass; return whole },
	} {
		c := squared()
		c.Iterations, c.Depth, c.L2LeafReg = 1, 6, 3
		train := change(&c)
		env := treetest.Env(2)
		packed, err := catboost.Train(context.Background(), env, train, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		wide, err := catboost.TrainWide(context.Background(), env, train, core.Data{}, c)
		if err != nil {
			t.Fatal(err)
		}
		if a := packed.Ensemble().Trees[0]; len(a.Nodes) < 63 {
			t.Fatalf("%s: a tree of %d nodes says little", name, len(a.Nodes))
		}
		treetest.SameTrees(t, name, wide.Ensemble().Trees, packed.Ensemble().Trees)
	}
}
