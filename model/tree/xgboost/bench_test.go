package xgboost_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/view"
)

// market makes data like those of a factor model: correlated, partly skewed
// and discrete columns and a noisy nonlinear target, cut into classes of equal
// size.
func market(n, p, classes int) core.Data {
	r := rand.New(rand.NewPCG(1, 2))
	const factors = 12
	names, load := make([]string, p), make([]float64, factors*p)
	for j := range names {
		names[j] = fmt.Sprint("f", j)
	}
	for i := range load {
		if r.Float64() < 0.3 {
			load[i] = r.NormFloat64()
		}
	}
	var terms [15][3]int
	for i := range terms {
		terms[i] = [3]int{r.IntN(p), r.IntN(p), r.IntN(p)}
	}
	d := core.Data{X: view.NewTable(n, names), Y: make([]float64, n), Classes: classes}
	row, fac := make([]float64, p), make([]float64, factors)
	for i := range n {
		for k := range fac {
			fac[k] = r.NormFloat64()
		}
		for j := range row {
			row[j] = r.NormFloat64() * 0.7
			for k, f := range fac {
				row[j] += f * load[k*p+j]
			}
		}
		s := 0.0
		for _, q := range terms {
			a, b, c := row[q[0]], row[q[1]], row[q[2]]
			s += 0.35 * a
			if b > 0.2 {
				s += 0.5 * a
			}
			if b < 0 {
				s -= 0.4 * math.Abs(c)
			}
		}
		d.Y[i] = s/6 + 1.2*r.NormFloat64()
		for j, v := range row {
			switch j % 10 {
			case 3:
				v = math.Exp(v / 2)
			case 6:
				v = math.Round(v*2) / 2
			}
			d.X.Col(j)[i] = float32(v)
		}
	}
	sorted := append([]float64(nil), d.Y...)
	slices.Sort(sorted)
	for i, y := range d.Y {
		d.Y[i] = 0
		for k := 1; k < classes; k++ {
			if y > sorted[n*k/classes] {
				d.Y[i]++
			}
		}
	}
	return d
}

// BenchmarkRound reports the time of one boosting round on one worker, binning
// apart.
func BenchmarkRound(b *testing.B) {
	for _, c := range []struct{ n, p, classes, depth, rounds int }{
		{10_000, 100, 3, 4, 30},
		{20_000, 120, 2, 6, 30},
		{200_000, 120, 2, 6, 10},
		{100_000, 120, 3, 6, 10},
	} {
		b.Run(fmt.Sprintf("%dx%d/classes=%d/depth=%d", c.n, c.p, c.classes, c.depth), func(b *testing.B) {
			d := market(c.n, c.p, c.classes)
			cfg := xgboost.Default()
			cfg.Rounds, cfg.MaxDepth, cfg.Eta = c.rounds, c.depth, 0.1
			if c.classes == 2 {
				cfg.Objective = core.Logistic
			}
			var first, last, start time.Time
			e := treetest.Env(1)
			e.Progress = func(done, total int, _ string) {
				last = time.Now()
				if done == 1 {
					first = last
				}
			}
			b.ResetTimer()
			start = time.Now()
			for b.Loop() {
				start = time.Now()
				if _, err := train(e, d, core.Data{}, cfg); err != nil {
					b.Fatal(err)
				}
			}
			round := last.Sub(first).Seconds() * 1e3 / float64(c.rounds-1)
			b.ReportMetric(round, "ms/round")
			b.ReportMetric(first.Sub(start).Seconds()*1e3-round, "ms-to-start")
		})
	}
}

// BenchmarkPredict reports the time of a row of 300 trees of depth 6.
func BenchmarkPredict(b *testing.B) {
	d := market(20_000, 120, 3)
	cfg := xgboost.Default()
	cfg.Rounds, cfg.Eta = 100, 0.1
	m, err := train(treetest.Env(1), d, core.Data{}, cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("batch", func(b *testing.B) {
		var out []float64
		for b.Loop() {
			if out, err = m.Raw(context.Background(), d.X, out); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/20_000, "µs/row")
	})
	b.Run("row", func(b *testing.B) {
		x, out := make([]float32, 120), make([]float64, 3)
		i := 0
		for b.Loop() {
			for j := range x {
				x[j] = d.X.Data[j*20_000+i%20_000]
			}
			i += 7
			if err := m.RawRow(x, out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
