package lightgbm_test

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/view"
)

func small() lightgbm.Config {
	c := lightgbm.Default()
	c.NumIterations, c.NumLeaves, c.LearningRate = 20, 15, 0.2
	return c
}

func fit(t testing.TB, c lightgbm.Config, train, stop view.View, workers int) *ensemble.Model {
	t.Helper()
	l, err := lightgbm.New(c)
	return treetest.Fit(t, l, err, treetest.Env(workers), train, stop)
}
