package ensemble_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Two trees by hand: the log-odds of a rise.
func Example() {
	e := &ensemble.Ensemble{
		Style: "xgboost", Objective: "binary:logistic", Link: ensemble.Logistic,
		Columns: []string{"momentum", "range"}, Classes: []int8{-1, 1}, Base: []float64{0}, Single: true,
		Trees: []ensemble.Tree{
			{Width: 1, Nodes: []ensemble.Node{{Feature: 0, Threshold: 0.5, Left: 1, Gain: 8}, {Value: -1}, {Value: 1}}},
			{Width: 1, Nodes: []ensemble.Node{{Feature: 1, Threshold: 2, Left: 1, Gain: 2, DefaultLeft: true}, {Value: 0.5}, {Value: -0.5}}},
		},
	}
	m, err := ensemble.NewModel(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	out := make([]float64, 3)
	if err := m.PredictRow([]float32{0.7, 1}, out); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("P(-1) %.4f, P(0) %.4f, P(+1) %.4f\n", out[0], out[1], out[2])
	for _, im := range m.Importance() {
		fmt.Println(im.Name, im.Splits, im.Gain)
	}
	// Output:
	// P(-1) 0.1824, P(0) 0.0000, P(+1) 0.8176
	// momentum 1 8
	// range 1 2
}
