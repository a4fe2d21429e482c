package lightgbm_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// sample is a data set with a three-class label that depends on an interaction.
type sample struct {
	x     *view.Table
	class []int8
	y     []float64 // the noisy score behind the class
}

// synth makes n rows of p columns: normal, on a grid of levels steps a unit if
// levels > 0 (so that there are few distinct values); a share nan of the cells
// is missing. Column p−1, if cats > 0, holds so many categories.
func synth(n, p int, seed uint64, levels, cats int, nan float64) sample {
	r := rand.New(rand.NewPCG(seed, 7))
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprintf("f%d", j)
	}
	s := sample{view.NewTable(n, names), make([]int8, n), make([]float64, n)}
	row := make([]float64, p)
	for i := range n {
		for j := range row {
			v := r.NormFloat64()
			if levels > 0 {
				v = math.Round(v*float64(levels)) / float64(levels)
			}
			row[j] = v
		}
		z := row[0]*row[1%p] + 0.7*row[2%p] + 0.8*r.NormFloat64()
		if row[3%p] > 0.5 {
			z -= row[1%p]
		}
		if cats > 0 {
			c := r.IntN(cats)
			row[p-1] = float64(c)
			z += float64(c*7%11-5) / 5
		}
		s.y[i] = z
		switch {
		case z < -0.5:
			s.class[i] = -1
		case z > 0.5:
			s.class[i] = 1
		}
		for j, v := range row {
			if r.Float64() < nan {
				v = math.NaN()
			}
			s.x.Col(j)[i] = float32(v)
		}
	}
	return s
}

// part is the rows lo to hi−1 as a view.
func (s sample) part(lo, hi int) view.View {
	rows := make([]int, 0, hi-lo)
	for i := lo; i < hi; i++ {
		rows = append(rows, i)
	}
	return view.View{Table: s.x.Select(rows), Class: s.class[lo:hi]}
}

func env(workers int) model.Env { return model.Env{Stream: rng.New(1), Workers: workers} }

func small() lightgbm.Config {
	c := lightgbm.Default()
	c.NumIterations, c.NumLeaves, c.LearningRate = 20, 15, 0.2
	return c
}

func fit(t testing.TB, c lightgbm.Config, train, stop view.View, workers int) *ensemble.Model {
	t.Helper()
	l, err := lightgbm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), env(workers), train, stop)
	if err != nil {
		t.Fatal(err)
	}
	return f.(*ensemble.Model)
}

func file(t testing.TB, f model.Fitted) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func probs(t testing.TB, f model.Fitted, v view.View) []float64 {
	t.Helper()
	var p model.Prediction
	if err := f.Predict(context.Background(), v, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p.Prob
}

func logLoss(p []float64, class []int8) float64 {
	s := 0.0
	for i, c := range class {
		s -= math.Log(p[i*model.K+model.ClassIndex(c)])
	}
	return s / float64(len(class))
}
