package linear_test

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/model/modeltest"
)

func TestConformance(t *testing.T) {
	modeltest.Run(t, linear.Entry(), modeltest.Options{})
	t.Run("elastic", func(t *testing.T) {
		modeltest.Run(t, linear.Entry(), modeltest.Options{Config: func() any {
			c := linear.DefaultConfig()
			c.L1Ratio = 0.5
			c.C = 0.1
			return c
		}})
	})
	t.Run("no clip", func(t *testing.T) {
		modeltest.Run(t, linear.Entry(), modeltest.Options{Config: func() any {
			c := linear.DefaultConfig()
			c.Clip = 0
			return c
		}})
	})
}
