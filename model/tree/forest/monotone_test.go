package forest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
)

// steps counts the rows whose score falls and rises somewhere as column j runs
// over its values and all else stays.
func steps(t *testing.T, m *ensemble.Model, s treetest.Sample, j int) (falls, rises int) {
	t.Helper()
	const grid = 21
	k := m.Scores()
	for row := range 60 {
		x := s.X.Select(make([]int, grid))
		for c := range x.P {
			for i := range grid {
				x.Col(c)[i] = s.X.Col(c)[row]
			}
		}
		for i := range grid {
			x.Col(j)[i] = float32(i-grid/2) / 4
		}
		raw, err := m.Raw(context.Background(), x, nil)
		if err != nil {
			t.Fatal(err)
		}
		fell, rose := false, false
		for i := 1; i < grid; i++ {
			d := raw[i*k+k-1] - raw[(i-1)*k+k-1] // of the number, or of the share of the higher class
			fell, rose = fell || d < -1e-12, rose || d > 1e-12
		}
		if fell {
			falls++
		}
		if rose {
			rises++
		}
	}
	return falls, rises
}

func TestMonotoneConstraintsHold(t *testing.T) {
	s := treetest.Synth(1200, 5, 64, 0, 0, 0.1)
	number, two := core.Data{X: s.X, Y: s.Y}, s.Positive()
	two.Classes = 2
	for name, change := range map[string]func(c *forest.Config) core.Data{
		"number": func(c *forest.Config) core.Data { c.Criterion = forest.SquaredError; return number },
		"leaves": func(c *forest.Config) core.Data {
			c.Criterion, c.MaxLeafNodes = forest.SquaredError, 30
			return number
		},
		"gini":    func(*forest.Config) core.Data { return two },
		"entropy": func(c *forest.Config) core.Data { c.Criterion = forest.Entropy; return two },
	} {
		for _, kind := range []forest.Kind{forest.Random, forest.Extra} {
			c := forest.Default()
			c.Trees, c.MaxFeatures = 12, "all"
			d := change(&c)
			fit := func() *ensemble.Model {
				f := train(t, kind, d, nil, c, 2)
				m, err := ensemble.NewModel(f.Ensemble)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			if down, up := steps(t, fit(), s, 1); down == 0 || up == 0 {
				t.Fatalf("%s, %v: without a constraint %d rows fall and %d rise: nothing to constrain", name, kind, down, up)
			}
			c.MonotonicCst = map[string]int{"f1": 1, "f2": -1, "f4": 0}
			m := fit()
			if down, up := steps(t, m, s, 1); down > 0 || up == 0 {
				t.Errorf("%s, %v: %d rows fall and %d rise in a column that must not fall", name, kind, down, up)
			}
			if down, up := steps(t, m, s, 2); up > 0 {
				t.Errorf("%s, %v: %d rows rise and %d fall in a column that must not rise", name, kind, up, down)
			}
			if down, up := steps(t, m, s, 0); down == 0 || up == 0 {
				t.Errorf("%s, %v: %d rows fall and %d rise in a column that is free", name, kind, down, up)
			}
		}
	}
}

func TestMonotoneRefusals(t *testing.T) {
	s := treetest.Synth(200, 4, 65, 0, 0, 0)
	c := forest.Default()
	c.Trees = 2
	three := core.Data{X: s.X, Y: make([]float64, 200), Classes: 3}
	for i, k := range s.Class {
		three.Y[i] = float64(k) + 1
	}
	number := core.Data{X: s.X, Y: s.Y}
	run := func(d core.Data) error {
		_, err := forest.Train(context.Background(), treetest.Env(1), forest.Random, d, nil, c)
		return err
	}
	want := func(err error, text string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want one with %q", err, text)
		}
	}
	c.MonotonicCst = map[string]int{"f1": 1}
	want(run(three), "monotonic_cst.f1: needs two classes or a number, there are 3 classes")
	c.Criterion = forest.SquaredError
	if err := run(number); err != nil {
		t.Error(err)
	}
	_, err := forest.TrainQuantile(context.Background(), treetest.Env(1), forest.Random, number, nil, c)
	want(err, "monotonic_cst")
	c.MonotonicCst = map[string]int{"f9": 1}
	want(run(number), `no column "f9"`)
	c.MonotonicCst = map[string]int{"f1": 2}
	want(run(number), "monotonic_cst")
}
