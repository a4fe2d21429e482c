package lightgbm_test

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// The class is +1 in some sectors and −1 in the others: a column of categories,
// whose numbers have no order.
func ExampleLearner() {
	x := view.NewTable(600, []string{"sector"})
	class := make([]int8, 600)
	for i := range class {
		sector := i % 6
		x.Col(0)[i], class[i] = float32(sector), -1
		if sector == 0 || sector == 3 || sector == 4 {
			class[i] = 1
		}
	}
	cfg := lightgbm.Default()
	cfg.Objective, cfg.NumIterations, cfg.CategoricalFeature = lightgbm.Binary, 40, []string{"sector"}
	l, err := lightgbm.New(cfg)
	if err != nil {
		panic(err)
	}
	f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, view.View{Table: x, Class: class}, view.View{})
	if err != nil {
		panic(err)
	}
	row, out := []float32{3}, make([]float64, model.K)
	if err := f.(*ensemble.Model).PredictRow(row, out); err != nil {
		panic(err)
	}
	fmt.Printf("P(−1) = %.2f, P(0) = %.2f, P(+1) = %.2f\n", out[0], out[1], out[2])
	fmt.Println("splits of the first tree:", len(f.(*ensemble.Model).Ensemble().Trees[0].Sets))
	// Output:
	// P(−1) = 0.03, P(0) = 0.00, P(+1) = 0.97
	// splits of the first tree: 1
}

// Train is the level below the classifier: here the 0.9 quantile of a target
// whose spread depends on x.
func ExampleTrain() {
	x := view.NewTable(2000, []string{"x"})
	y := make([]float64, 2000)
	for i := range y {
		half := i / 1000
		x.Col(0)[i] = float32(half)
		y[i] = float64(i%1000) / 1000 * float64(1+4*half)
	}
	cfg := lightgbm.Default()
	cfg.Objective, cfg.Alpha = lightgbm.Quantile, 0.9
	e, err := lightgbm.Train(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, core.Data{X: x, Y: y}, core.Data{}, cfg)
	if err != nil {
		panic(err)
	}
	m, err := ensemble.NewModel(e)
	if err != nil {
		panic(err)
	}
	raw, err := m.Raw(context.Background(), x, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f %.2f\n", raw[0], raw[1999])
	// Output: 0.90 4.50
}
