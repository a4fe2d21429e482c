package linear_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func fit(t testing.TB, cfg linear.Config, v view.View) *linear.Logistic {
	t.Helper()
	l, err := linear.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, v, view.View{})
	if err != nil {
		t.Fatal(err)
	}
	return f.(*linear.Logistic)
}

type golden struct {
	Tolerance float64
	Cases     []struct {
		Name    string
		C       float64
		L1Ratio float64 `json:"l1_ratio"`
		X       [][]*float64
		Class   []int8
		Weight  []float64
		Classes []int8
		Coef    [][]float64
		Proba   [][]float64
	}
}

// The tolerance is the optimisers': both stop at a gradient below 1e-9, and
// saga, the slower, is within 1e-6 of the optimum.
func TestLogisticMatchesScikitLearn(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/logistic.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) < 7 {
		t.Fatalf("%d cases, want 7", len(g.Cases))
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			tab := view.NewTable(len(c.Class), names(len(c.X)))
			for j, col := range c.X {
				for i, x := range col {
					if x == nil {
						tab.Col(j)[i] = float32(math.NaN())
					} else {
						tab.Col(j)[i] = float32(*x)
					}
				}
			}
			v := view.View{Table: tab, Class: c.Class, Weight: c.Weight}
			cfg := *linear.DefaultConfig()
			cfg.C, cfg.L1Ratio, cfg.Tol, cfg.MaxIter = c.C, c.L1Ratio, 1e-9, 5000
			f := fit(t, cfg, v)
			ok, iters := f.Converged()
			if !ok {
				t.Errorf("not converged after %d passes", iters)
			}
			t.Logf("%d passes", iters)
			var p model.Prediction
			if err := f.Predict(context.Background(), v, &p); err != nil {
				t.Fatal(err)
			}
			for i, want := range c.Proba {
				for k, class := range c.Classes {
					if got := p.Row(i)[model.ClassIndex(class)]; math.Abs(got-want[k]) > g.Tolerance {
						t.Fatalf("row %d class %d: probability %.9f, want %.9f", i, class, got, want[k])
					}
				}
			}
			coef, _ := f.Coefficients()
			zeros := 0
			for k, row := range c.Coef {
				for j, want := range row {
					got := coef[model.ClassIndex(c.Classes[k])][j]
					if math.Abs(got-want) > 5*g.Tolerance || (want == 0) != (got == 0) {
						t.Errorf("class %d column %d: coefficient %.9f, want %.9f", c.Classes[k], j, got, want)
					}
					if want == 0 {
						zeros++
					}
				}
			}
			if c.L1Ratio > 0 && zeros == 0 {
				t.Error("the case has no zero coefficient, so it does not test sparsity")
			}
		})
	}
}

func names(p int) []string {
	out := make([]string, p)
	for j := range out {
		out[j] = string(rune('a'+j/26)) + string(rune('a'+j%26))
	}
	return out
}

// market is n rows of p correlated heavy-tailed columns with a weak signal.
func market(n, p int) view.View {
	r := rng.New(5).Stream("market").Rand()
	tab := view.NewTable(n, names(p))
	z := make([]float64, n)
	for j := range p {
		prev := j - 1
		b := 0.05 * r.NormFloat64()
		for i := range n {
			x := r.NormFloat64() / math.Sqrt(0.3+r.Float64())
			if prev >= 0 && j%3 != 0 {
				x = 0.9*float64(tab.Col(prev)[i]) + 0.3*x
			}
			tab.Col(j)[i] = float32(x)
			z[i] += b * x
		}
	}
	v := view.View{Table: tab, Class: make([]int8, n), Weight: make([]float64, n)}
	for i := range n {
		u := z[i]*0.3 + r.NormFloat64()
		switch {
		case u > 0.3:
			v.Class[i] = 1
		case u < -0.4:
			v.Class[i] = -1
		}
		v.Weight[i] = 0.25 + 0.5*r.Float64()
	}
	return v
}

func BenchmarkFit(b *testing.B) {
	v := market(120_000, 150)
	for _, c := range []struct {
		name string
		l1   float64
	}{{"ridge", 0}, {"elastic", 0.5}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := *linear.DefaultConfig()
			cfg.L1Ratio = c.l1
			for b.Loop() {
				ok, n := fit(b, cfg, v).Converged()
				if !ok {
					b.Fatal("not converged")
				}
				b.ReportMetric(float64(n), "passes")
			}
		})
	}
}
