package linear_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// optimality is the largest violation of the first-order conditions of the
// documented objective, divided by the total weight, computed from the model's
// predictions and coefficients and from inputs standardised here:
//
//	b ≠ 0: Σ w (P − y) x + (1−ρ)/C·b + ρ/C·sign b = 0
//	b = 0: |Σ w (P − y) x| ≤ ρ/C
func optimality(t *testing.T, cfg linear.Config, v view.View, f *linear.Logistic) float64 {
	t.Helper()
	n := v.Len()
	w := func(i int) float64 {
		if v.Weight == nil {
			return 1
		}
		return v.Weight[i]
	}
	var p model.Prediction
	if err := f.Predict(context.Background(), v, &p); err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for i := range n {
		total += w(i)
	}
	coef, _ := f.Coefficients()
	worst := 0.0
	x := make([]float64, n)
	for j := -1; j < v.Table.P; j++ {
		if j < 0 { // the intercept
			for i := range x {
				x[i] = 1
			}
		} else {
			standardise(x, v, j, w, cfg.Clip)
		}
		for c := range coef {
			if coef[c] == nil {
				continue
			}
			g := 0.0
			for i := range n {
				r := p.Row(i)[c]
				if int(v.Class[i])+1 == c {
					r--
				}
				g += w(i) * r * x[i]
			}
			if j >= 0 {
				b := coef[c][j]
				g += (1 - cfg.L1Ratio) / cfg.C * b
				switch l1 := cfg.L1Ratio / cfg.C; {
				case b > 0:
					g += l1
				case b < 0:
					g -= l1
				default:
					g = math.Max(0, math.Abs(g)-l1)
				}
			}
			worst = math.Max(worst, math.Abs(g)/total)
		}
	}
	return worst
}

func standardise(x []float64, v view.View, j int, w func(int) float64, clip float64) {
	var sw, s, ss float64
	for i, u := range v.Table.Col(j) {
		if u == u {
			sw += w(i)
			s += w(i) * float64(u)
		}
	}
	mean := s / sw
	for i, u := range v.Table.Col(j) {
		if u == u {
			ss += w(i) * (float64(u) - mean) * (float64(u) - mean)
		}
	}
	sd := math.Sqrt(ss / sw)
	for i, u := range v.Table.Col(j) {
		x[i] = 0
		if u == u && sd > 1e-9*math.Abs(mean) {
			x[i] = (float64(u) - mean) / sd
			if clip > 0 {
				x[i] = math.Max(-clip, math.Min(clip, x[i]))
			}
		}
	}
}

// Problems that are hard for an optimiser end at the optimum nevertheless. The
// bound is three times tol plus what rounding the inputs to float32 moves.
func TestHardProblemsReachTheOptimum(t *testing.T) {
	nan := float32(math.NaN())
	cases := []struct {
		name    string
		n, p    int
		c       float64
		clip    float64
		change  func(v view.View)
		maxIter int
	}{
		{name: "plain", n: 3000, p: 20, c: 0.01, clip: 5},
		{name: "hardly a penalty", n: 3000, p: 20, c: 1e4, clip: 5},
		{name: "hardly a coefficient", n: 3000, p: 20, c: 1e-4, clip: 5},
		{name: "more columns than rows", n: 60, p: 150, c: 0.1, clip: 5},
		{name: "the same column three times", n: 1000, p: 9, c: 1, clip: 5, change: func(v view.View) {
			copy(v.Table.Col(1), v.Table.Col(0))
			copy(v.Table.Col(2), v.Table.Col(0))
		}},
		{name: "one class in a hundred", n: 4000, p: 10, c: 0.1, clip: 5, change: func(v view.View) {
			for i := range v.Class {
				if v.Class[i] == 1 && i%40 != 0 {
					v.Class[i] = 0
				}
			}
		}},
		{name: "separable", n: 600, p: 4, c: 100, clip: 5, change: func(v view.View) {
			for i := range v.Class {
				u := v.Table.Col(0)[i]
				v.Class[i] = 0
				if u > 0.4 {
					v.Class[i] = 1
				} else if u < -0.4 {
					v.Class[i] = -1
				}
			}
		}},
		{name: "outliers uncut", n: 1000, p: 5, c: 1, clip: 0, change: func(v view.View) {
			v.Table.Col(0)[3], v.Table.Col(1)[4] = 1e6, -1e9
		}},
		{name: "missing and constant", n: 1000, p: 6, c: 0.1, clip: 3, change: func(v view.View) {
			for i := range v.Class {
				v.Table.Col(2)[i] = 7
				v.Table.Col(3)[i] = nan
				if i%3 == 0 {
					v.Table.Col(1)[i] = nan
				}
			}
		}},
		{name: "two classes", n: 1000, p: 6, c: 0.1, clip: 5, change: func(v view.View) {
			for i := range v.Class {
				if v.Class[i] == 0 {
					v.Class[i] = 1
				}
			}
		}},
		{name: "weights over ten orders", n: 1000, p: 6, c: 1, clip: 5, change: func(v view.View) {
			for i := range v.Weight {
				v.Weight[i] = math.Pow(10, -float64(i%11))
			}
		}},
		{name: "tiny and huge scales", n: 1000, p: 4, c: 0.1, clip: 5, change: func(v view.View) {
			for i := range v.Class {
				v.Table.Col(0)[i] *= 1e-20
				v.Table.Col(1)[i] *= 1e20
			}
		}},
	}
	for _, c := range cases {
		for _, l1 := range []float64{0, 0.5, 1} {
			cfg := linear.Config{C: c.c, L1Ratio: l1, Clip: c.clip, MaxIter: 3000, Tol: 1e-7}
			v := market(c.n, c.p)
			if c.change != nil {
				c.change(v)
			}
			f := fit(t, cfg, v)
			ok, passes := f.Converged()
			off := optimality(t, cfg, v, f)
			t.Logf("%s, l1 %v: %d passes, off by %.1e", c.name, l1, passes, off)
			if !ok || off > 1e-6 {
				t.Errorf("%s, l1 %v: converged %v after %d passes, off the optimum by %.1e", c.name, l1, ok, passes, off)
			}
		}
	}
}

// What stands in rows that are not fitted on moves nothing: neither the scaler
// nor the coefficients know them.
func TestScalingKnowsTrainingRowsOnly(t *testing.T) {
	v := market(500, 5)
	l, err := linear.New(*linear.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	env := model.Env{Stream: rng.New(1), Workers: 1}
	stop := market(100, 5)
	a, err := l.Fit(context.Background(), env, v, stop)
	if err != nil {
		t.Fatal(err)
	}
	for i := range stop.Table.Data {
		stop.Table.Data[i] *= 1e6
	}
	b, err := l.Fit(context.Background(), env, v, stop)
	if err != nil {
		t.Fatal(err)
	}
	var p, q model.Prediction
	if a.Predict(context.Background(), v, &p) != nil || b.Predict(context.Background(), v, &q) != nil {
		t.Fatal("no prediction")
	}
	for i := range p.Prob {
		if p.Prob[i] != q.Prob[i] {
			t.Fatalf("row %d: %v and %v", i/3, p.Prob[i], q.Prob[i])
		}
	}
}

// A change of units, x → s·x + m, changes no prediction beyond the rounding of
// float32 inputs.
func TestUnitsDoNotMatter(t *testing.T) {
	v, u := market(2000, 5), market(2000, 5)
	for j := range 5 {
		for i, x := range u.Table.Col(j) {
			u.Table.Col(j)[i] = 1024*x + 16
		}
	}
	var p, q model.Prediction
	if fit(t, *linear.DefaultConfig(), v).Predict(context.Background(), v, &p) != nil ||
		fit(t, *linear.DefaultConfig(), u).Predict(context.Background(), u, &q) != nil {
		t.Fatal("no prediction")
	}
	for i := range p.Prob {
		if math.Abs(p.Prob[i]-q.Prob[i]) > 1e-5 {
			t.Fatalf("row %d: %v and %v", i/3, p.Prob[i], q.Prob[i])
		}
	}
}

// The clip bounds what one wild value can do; without it the prediction of a
// wild row is certain.
func TestClipBoundsAnOutlier(t *testing.T) {
	v := market(2000, 3)
	wild := view.NewTable(2, v.Table.Names)
	wild.Col(0)[0], wild.Col(0)[1] = 1e9, 50
	for _, clip := range []float64{5, 0} {
		cfg := *linear.DefaultConfig()
		cfg.Clip = clip
		cfg.C = 1
		for i := range v.Class {
			v.Class[i] = 1
			if v.Table.Col(0)[i]+v.Table.Col(2)[i] < 0 {
				v.Class[i] = -1
			}
		}
		var p model.Prediction
		if err := fit(t, cfg, v).Predict(context.Background(), view.View{Table: wild}, &p); err != nil {
			t.Fatal(err)
		}
		same := p.Row(0)[0] == p.Row(1)[0]
		if same != (clip > 0) {
			t.Errorf("clip %v: values 1e9 and 50 give %v and %v", clip, p.Row(0), p.Row(1))
		}
	}
}

// Missing is the mean: a missing value predicts what the training mean does.
func TestMissingIsTheMean(t *testing.T) {
	v := market(800, 3)
	for i := range 800 {
		v.Weight[i] = 1
		if i%4 == 0 {
			v.Table.Col(1)[i] = float32(math.NaN())
		}
	}
	sum, n := 0.0, 0.0
	for _, x := range v.Table.Col(1) {
		if x == x {
			sum, n = sum+float64(x), n+1
		}
	}
	f := fit(t, *linear.DefaultConfig(), v)
	if m := f.Missing(); m[0] != 0 || m[1] != 0.25 || m[2] != 0 {
		t.Errorf("missing shares %v, want 0, 0.25, 0", m)
	}
	tab := view.NewTable(2, v.Table.Names)
	tab.Col(1)[0], tab.Col(1)[1] = float32(math.NaN()), float32(sum/n)
	var p model.Prediction
	if err := f.Predict(context.Background(), view.View{Table: tab}, &p); err != nil {
		t.Fatal(err)
	}
	for c := range 3 {
		if math.Abs(p.Row(0)[c]-p.Row(1)[c]) > 1e-7 { // the mean is rounded to float32
			t.Errorf("missing gives %v, the mean %v", p.Row(0), p.Row(1))
			break
		}
	}
}

func TestUnfinishedFitSaysSo(t *testing.T) {
	cfg := *linear.DefaultConfig()
	cfg.MaxIter, cfg.C = 1, 100
	if ok, n := fit(t, cfg, market(500, 5)).Converged(); ok || n != 1 {
		t.Errorf("converged %v after %d passes with max_iter 1", ok, n)
	}
	cfg.MaxIter = 500
	if ok, _ := fit(t, cfg, market(500, 5)).Converged(); !ok {
		t.Error("not converged in 500 passes")
	}
}

// The planted column leads the list, the constant one ends it at 0.
func TestImportance(t *testing.T) {
	v := market(2000, 4)
	for i := range v.Class {
		v.Table.Col(1)[i] = 1
		v.Class[i] = 0
		if v.Table.Col(3)[i] > 0.5 {
			v.Class[i] = 1
		} else if v.Table.Col(3)[i] < -0.5 {
			v.Class[i] = -1
		}
	}
	names, value := fit(t, *linear.DefaultConfig(), v).Importance()
	if names[3] != v.Table.Names[3] || value[1] != 0 || !(value[3] > 5*value[0]) || !(value[3] > 5*value[2]) {
		t.Errorf("importance %v of %v", value, names)
	}
}

// Enough rows for several chunks and for a Gram matrix of a sample: the sums
// are merged in the order of the rows, whoever made them.
func TestWorkersDoNotMatterOnManyRows(t *testing.T) {
	v := market(20_000, 7)
	for _, l1 := range []float64{0, 0.5} {
		cfg := *linear.DefaultConfig()
		cfg.L1Ratio = l1
		l, err := linear.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for _, workers := range []int{1, 2, 4, 7} {
			f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: workers}, v, view.View{})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := f.Encode(&b); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = b.Bytes()
			} else if !bytes.Equal(first, b.Bytes()) {
				t.Errorf("l1 %v: %d workers give other bytes than 1", l1, workers)
			}
		}
		if off := optimality(t, cfg, v, fit(t, cfg, v)); off > 3*cfg.Tol {
			t.Errorf("l1 %v: off the optimum by %.1e", l1, off)
		}
	}
}

func TestWeightsBeyondReasonAreRefused(t *testing.T) {
	for _, w := range []float64{1e-260, 1e300} {
		v := market(100, 2)
		for i := range v.Weight {
			v.Weight[i] = w
		}
		l, err := linear.New(*linear.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Fit(context.Background(), model.Env{Workers: 1}, v, view.View{}); err == nil {
			t.Errorf("weights of %v are accepted", w)
		}
	}
}

func TestConfigBounds(t *testing.T) {
	for name, change := range map[string]func(c *linear.Config){
		"c":        func(c *linear.Config) { c.C = 0 },
		"l1_ratio": func(c *linear.Config) { c.L1Ratio = 1.1 },
		"clip":     func(c *linear.Config) { c.Clip = -1 },
		"max_iter": func(c *linear.Config) { c.MaxIter = 0 },
		"tol":      func(c *linear.Config) { c.Tol = math.NaN() },
	} {
		cfg := *linear.DefaultConfig()
		change(&cfg)
		if _, err := linear.New(cfg); err == nil {
			t.Errorf("a bad %s is accepted", name)
		}
	}
}
