package forest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func BenchmarkTrain(b *testing.B) {
	const n, p = 100000, 60
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprint("f", j)
	}
	r := rand.New(rand.NewPCG(1, 2))
	d := core.Data{X: view.NewTable(n, names), Y: make([]float64, n), Classes: 3}
	for i := range n {
		for j := range p {
			d.X.Col(j)[i] = float32(r.NormFloat64())
		}
		z := 0.3*float64(d.X.Col(0)[i]*d.X.Col(1)[i]+d.X.Col(2)[i]) + r.NormFloat64()
		switch {
		case z > 0.5:
			d.Y[i] = 2
		case z > -0.5:
			d.Y[i] = 1
		}
	}
	for _, kind := range []forest.Kind{forest.Random, forest.Extra} {
		for _, leaf := range []int{1, 100} {
			b.Run(fmt.Sprint(kind, "/leaf=", leaf), func(b *testing.B) {
				cfg := forest.Default()
				if kind == forest.Extra {
					cfg = forest.DefaultExtra()
				}
				cfg.Trees, cfg.MinSamplesLeaf = 10, leaf
				for range b.N {
					if _, err := forest.Train(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, kind, d, nil, cfg); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*cfg.Trees)*1e3, "ms/tree")
			})
		}
	}
}
