package catboost_test

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
)

func TestConformance(t *testing.T) {
	// The default has 1,000 trees and needs stop rows to stop.
	options := func(change func(c *catboost.Config)) modeltest.Options {
		return modeltest.Options{Config: func() any {
			c := catboost.Default()
			c.Iterations, c.LearningRate, c.Depth = 30, 0.2, 3
			change(&c)
			return &c
		}}
	}
	for name, change := range map[string]func(c *catboost.Config){
		"default": func(*catboost.Config) {},
		"plain":   func(c *catboost.Config) { c.BootstrapType, c.RandomStrength = "No", 0 },
		"ordered": func(c *catboost.Config) { c.BoostingType, c.BootstrapType, c.RSM = "Ordered", "Bernoulli", 0.7 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, law := range modeltest.Laws(catboost.Entry(), options(change)) {
				if law.Name == "weight-two" {
					continue // borders count rows and the penalty is scaled by the mean weight; see TestWeightTwo
				}
				t.Run(law.Name, func(t *testing.T) {
					if err := law.Check(); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}
