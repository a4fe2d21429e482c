package xgboost_test

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
)

func TestConformance(t *testing.T) {
	t.Run("default", func(t *testing.T) { modeltest.Run(t, xgboost.Entry(), modeltest.Options{}) })
	t.Run("sampled", func(t *testing.T) {
		laws := modeltest.Laws(xgboost.Entry(), modeltest.Options{Config: func() any {
			c := xgboost.Default()
			c.Rounds, c.Eta, c.MaxDepth, c.MaxBin = 100, 0.1, 3, 32
			c.Subsample, c.ColsampleByTree, c.Alpha = 0.7, 0.8, 0.1
			return &c
		}})
		for _, law := range laws {
			if law.Name == "weight-two" {
				continue // a row of weight 2 is drawn as one, two rows are drawn apart
			}
			t.Run(law.Name, func(t *testing.T) {
				if err := law.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}
