package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
)

func TestConformance(t *testing.T) {
	for _, e := range Entries() {
		if e.Input != model.InputTable {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			laws := modeltest.Laws(e, modeltest.Options{Config: func() any {
				c := DefaultMLP()
				c.Epochs, c.Patience, c.Hidden, c.Batch, c.LearningRate = 20, 4, 32, 64, 5e-3
				return &c
			}})
			for _, law := range laws {
				if law.Name == "weight-two" {
					continue // a row of weight 2 is in one mini-batch, two rows may be in two
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
