package lightgbm_test

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
)

func TestConformance(t *testing.T) {
	for name, config := range map[string]func() any{
		"default": nil,
		"sampled": func() any {
			c := lightgbm.Default()
			c.NumLeaves, c.MaxBin = 8, 32
			c.BaggingFraction, c.BaggingFreq, c.FeatureFraction, c.FeatureFractionBynode, c.LambdaL1 = 0.7, 2, 0.8, 0.7, 0.1
			return &c
		},
		"goss": func() any {
			c := lightgbm.Default()
			c.NumLeaves, c.DataSampleStrategy, c.ExtraTrees, c.PathSmooth = 8, lightgbm.GOSS, true, 1
			return &c
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, law := range modeltest.Laws(lightgbm.Entry(), modeltest.Options{Config: config}) {
				if law.Name == "weight-two" {
					continue // bins and min_data_in_leaf go by rows, not weights, as in LightGBM
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
