package xgboost_test

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// The class is the sign of a product, which no linear model can see.
func ExampleLearner() {
	x := view.NewTable(400, []string{"a", "b"})
	class := make([]int8, 400)
	for i := range class {
		a, b := float32(i%20)-6.5, float32(i/20)-8.5
		x.Col(0)[i], x.Col(1)[i] = a, b
		class[i] = 1
		if a*b < 0 {
			class[i] = -1
		}
	}
	cfg := xgboost.Default()
	cfg.Objective, cfg.Rounds, cfg.MaxDepth = core.Logistic, 20, 2
	l, err := xgboost.New(cfg)
	if err != nil {
		panic(err)
	}
	f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, view.View{Table: x, Class: class}, view.View{})
	if err != nil {
		panic(err)
	}
	row, out := []float32{4, -3}, make([]float64, model.K)
	if err := f.(*ensemble.Model).PredictRow(row, out); err != nil {
		panic(err)
	}
	fmt.Printf("P(−1) = %.2f, P(0) = %.2f, P(+1) = %.2f\n", out[0], out[1], out[2])
	// Output: P(−1) = 0.99, P(0) = 0.00, P(+1) = 0.01
}

// Train is the level below the classifier: a real target and raw scores.
func ExampleTrain() {
	x := view.NewTable(200, []string{"x"})
	y := make([]float64, 200)
	for i := range y {
		x.Col(0)[i] = float32(i)
		if i >= 100 {
			y[i] = 10
		}
	}
	cfg := xgboost.Default()
	cfg.Objective, cfg.Rounds = core.SquaredError, 50
	b, err := xgboost.Train(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, core.Data{X: x, Y: y}, core.Data{}, cfg)
	if err != nil {
		panic(err)
	}
	m, err := ensemble.NewModel(b)
	if err != nil {
		panic(err)
	}
	raw, err := m.Raw(context.Background(), x, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f %.3f\n", raw[99], raw[100])
	fmt.Println("splits on x:", b.Importance()[0].Splits > 0)
	// Output:
	// 0.000 10.000
	// splits on x: true
}
