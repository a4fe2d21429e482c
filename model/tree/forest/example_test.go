package forest_test

import (
	"context"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// square is 400 rows whose class is the sign of a·b.
func square() (*view.Table, []int8) {
	x, class := view.NewTable(400, []string{"a", "b"}), make([]int8, 400)
	for i := range class {
		a, b := float32(i%20)-9.5, float32(i/20)-9.5
		x.Col(0)[i], x.Col(1)[i] = a, b
		class[i] = 1
		if a*b < 0 {
			class[i] = -1
		}
	}
	return x, class
}

func ExampleLearner() {
	x, class := square()
	cfg := forest.Default()
	cfg.MinSamplesLeaf = 5
	l, err := forest.New(forest.Random, cfg)
	if err != nil {
		panic(err)
	}
	f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, view.View{Table: x, Class: class}, view.View{})
	if err != nil {
		panic(err)
	}
	out := make([]float64, model.K)
	for _, row := range [][]float32{{4, -3}, {4, 3}} {
		if err := f.(*ensemble.Model).PredictRow(row, out); err != nil {
			panic(err)
		}
		fmt.Printf("%v: P(−1) = %.1f, P(0) = %.1f, P(+1) = %.1f\n", row, out[0], out[1], out[2])
	}
	// Output:
	// [4 -3]: P(−1) = 1.0, P(0) = 0.0, P(+1) = 0.0
	// [4 3]: P(−1) = 0.0, P(0) = 0.0, P(+1) = 1.0
}

// Labels that live for ten decisions: samples of the mean uniqueness, drawn
// one after the other, and an honest score.
func ExampleTrain() {
	x, class := square()
	d := core.Data{X: x, Y: make([]float64, 400)}
	spans := make([]view.Span, 400)
	for i := range spans {
		spans[i] = view.Span{Decision: int64(i), Entry: int64(i), Outcome: int64(i + 10)}
		if class[i] == 1 {
			d.Y[i] = 1
		}
	}
	cfg := forest.Default()
	cfg.Sampling, cfg.MaxSamples, cfg.OOBScore, cfg.OOBPurge = "sequential", "uniqueness", true, true
	f, err := forest.Train(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, forest.Random, d, spans, cfg)
	if err != nil {
		panic(err)
	}
	fmt.Println("draws of a tree:", f.Ensemble.Trees[0].Nodes[0].Cover)
	fmt.Println("rows that a tree may judge:", f.OOB.Rows > 300, "score:", f.OOB.Score > 0.8)
	// Output:
	// draws of a tree: 40
	// rows that a tree may judge: true score: true
}

// The spread of y grows with x, and the quantiles show it.
func ExampleTrainQuantile() {
	x, y := view.NewTable(2000, []string{"x"}), make([]float64, 2000)
	for i := range y {
		x.Col(0)[i] = float32(i / 20) // 0 to 99, twenty rows each
		y[i] = float64(i/20) * (float64(i%20) - 9.5)
	}
	cfg := forest.DefaultRegression()
	cfg.MinSamplesLeaf = 20
	q, err := forest.TrainQuantile(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, forest.Random, core.Data{X: x, Y: y}, nil, cfg)
	if err != nil {
		panic(err)
	}
	at := view.NewTable(2, []string{"x"})
	at.Col(0)[0], at.Col(0)[1] = 10, 90
	out, err := q.Predict(context.Background(), at, []float64{0.1, 0.9}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("x = 10: a range of about %.0f; x = 90: about %.0f\n", math.Round((out[1]-out[0])/50)*50, math.Round((out[3]-out[2])/50)*50)
	// Output: x = 10: a range of about 150; x = 90: about 1450
}
