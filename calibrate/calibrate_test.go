package calibrate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
)

type golden struct {
	Tolerance        float64
	Prob             []float64
	Class            []int8
	Weight           []float64
	Temperature      float64
	TemperaturePrior float64 `json:"temperature_prior_sd_0.1"`
	Vector           []float64
	VectorPrior      []float64 `json:"vector_prior_sd_0.1"`
	Score            []float64
	Positive         []int
	ScoreWeight      []float64 `json:"score_weight"`
	Platt            [2]float64
	PlattWeighted    [2]float64 `json:"platt_weighted"`
}

func load(t *testing.T) *golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden/calibrate.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(raw, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *golden) prediction() *model.Prediction {
	return &model.Prediction{N: len(g.Class), K: 3, Prob: append([]float64(nil), g.Prob...)}
}

func must(t *testing.T, cfg calibrate.Config, p *model.Prediction, class []int8, weight []float64) *calibrate.Calibrator {
	t.Helper()
	c, err := calibrate.Fit(cfg, p, class, weight)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The tolerance is that of the reference's stopping rule and of the six
// digits to which its probabilities are printed.
func TestMatchesReference(t *testing.T) {
	g := load(t)
	for _, c := range []struct {
		sd   float64
		want float64
	}{{0, g.Temperature}, {0.1, g.TemperaturePrior}} {
		cal := must(t, calibrate.Config{Method: calibrate.Temperature, PriorSD: c.sd}, g.prediction(), g.Class, g.Weight)
		if got := cal.Temperature(); math.Abs(got-c.want) > g.Tolerance {
			t.Errorf("prior sd %v: temperature %v, want %v", c.sd, got, c.want)
		}
	}
	for _, c := range []struct {
		sd   float64
		want []float64
	}{{0, g.Vector}, {0.1, g.VectorPrior}} {
		p := g.prediction()
		if err := must(t, calibrate.Config{Method: calibrate.Vector, PriorSD: c.sd}, p, g.Class, g.Weight).Apply(p); err != nil {
			t.Fatal(err)
		}
		for i, want := range c.want {
			if math.Abs(p.Prob[i]-want) > g.Tolerance {
				t.Errorf("prior sd %v: vector-scaled value %d is %v, want %v", c.sd, i, p.Prob[i], want)
			}
		}
	}
	positive := make([]bool, len(g.Positive))
	for i, y := range g.Positive {
		positive[i] = y == 1
	}
	for _, c := range []struct {
		weight []float64
		want   [2]float64
	}{{nil, g.Platt}, {g.ScoreWeight, g.PlattWeighted}} {
		a, b, err := calibrate.FitSigmoid(g.Score, positive, c.weight)
		if err != nil || math.Abs(a-c.want[0]) > g.Tolerance || math.Abs(b-c.want[1]) > g.Tolerance {
			t.Errorf("sigmoid %v %v (%v), want %v", a, b, err, c.want)
		}
	}
}

// sample draws n rows whose true log-probabilities are cold times those that
// are predicted.
func sample(n int, cold float64, seed uint64) (*model.Prediction, []int8) {
	r := rng.New(seed).Stream("calibrate").Rand()
	p := &model.Prediction{}
	p.Resize(n, 3)
	class := make([]int8, n)
	for i := range n {
		var z, q [3]float64
		for c := range z {
			z[c] = r.NormFloat64()
			q[c] = cold * z[c]
		}
		model.Softmax(p.Row(i), z[:])
		model.Softmax(q[:], q[:])
		switch u := r.Float64(); {
		case u < q[0]:
			class[i] = -1
		case u > q[0]+q[1]:
			class[i] = 1
		}
	}
	return p, class
}

func scores(t *testing.T, p *model.Prediction, class []int8) (loss, brier, ece float64) {
	t.Helper()
	loss, e1 := model.LogLoss(p, class, nil)
	brier, e2 := calibrate.Brier(p, class, nil)
	ece, e3 := calibrate.ECE(p, class, nil, 10)
	if e1 != nil || e2 != nil || e3 != nil {
		t.Fatal(e1, e2, e3)
	}
	return
}

// Overconfident predictions (the truth is at a third of their logits) get
// better on rows that the fit has not seen, by all three measures.
func TestImprovesHeldOutRows(t *testing.T) {
	fit, fitClass := sample(3000, 0.33, 1)
	for _, method := range []string{calibrate.Temperature, calibrate.Vector} {
		cfg := *calibrate.DefaultConfig()
		cfg.Method = method
		cal := must(t, cfg, fit, fitClass, nil)
		p, class := sample(6000, 0.33, 2)
		l0, b0, e0 := scores(t, p, class)
		if err := cal.Apply(p); err != nil {
			t.Fatal(err)
		}
		l1, b1, e1 := scores(t, p, class)
		if !(l1 < l0-0.05 && b1 < b0-0.02 && e1 < e0/3) {
			t.Errorf("%s: log-loss %.4f → %.4f, Brier %.4f → %.4f, ECE %.4f → %.4f", method, l0, l1, b0, b1, e0, e1)
		}
	}
	// T is 1/0.33 within four of its standard errors (about 0.12 here).
	cal := must(t, calibrate.Config{Method: calibrate.Temperature}, fit, fitClass, nil)
	if got := cal.Temperature(); math.Abs(got-1/0.33) > 0.5 {
		t.Errorf("temperature %v, the truth is %v", got, 1/0.33)
	}
}

func TestTemperatureKeepsRanking(t *testing.T) {
	p, class := sample(500, 0.3, 3)
	q := &model.Prediction{N: p.N, K: 3, Prob: append([]float64(nil), p.Prob...)}
	if err := must(t, calibrate.Config{Method: calibrate.Temperature}, p, class, nil).Apply(q); err != nil {
		t.Fatal(err)
	}
	changed := false
	for i := range p.N {
		for a := range 3 {
			for b := range 3 {
				if p.Row(i)[a] > p.Row(i)[b] && q.Row(i)[a] <= q.Row(i)[b] {
					t.Fatalf("row %d: classes %d and %d change places", i, a-1, b-1)
				}
			}
			changed = changed || p.Row(i)[a] != q.Row(i)[a]
		}
	}
	if !changed {
		t.Error("nothing was calibrated")
	}
}

func TestTemperatureIsBounded(t *testing.T) {
	p, class := sample(400, 1, 4)
	// Labels that are always the likeliest class: T wants to be 0.
	sharp := append([]int8(nil), class...)
	// Labels that are always the least likely one: T wants to be infinite.
	flat := append([]int8(nil), class...)
	for i := range sharp {
		row := p.Row(i)
		for c := range row {
			if row[c] > row[sharp[i]+1] {
				sharp[i] = int8(c - 1)
			}
			if row[c] < row[flat[i]+1] {
				flat[i] = int8(c - 1)
			}
		}
	}
	for _, c := range []struct {
		class []int8
		want  float64
	}{{sharp, calibrate.MinTemperature}, {flat, calibrate.MaxTemperature}} {
		if got := must(t, calibrate.Config{Method: calibrate.Temperature}, p, c.class, nil).Temperature(); math.Abs(got/c.want-1) > 1e-9 {
			t.Errorf("temperature %v, want the bound %v", got, c.want)
		}
	}
}

func TestFewRowsFallBack(t *testing.T) {
	p, class := sample(600, 0.3, 5)
	weight := make([]float64, 600)
	for i := range weight {
		weight[i] = 0.3 // 180 effective rows
	}
	cfg := calibrate.Config{Method: calibrate.Vector, MinRows: 100, VectorMinRows: 500}
	for _, c := range []struct {
		min    float64
		weight []float64
		want   string
	}{
		{100, nil, calibrate.Vector},
		{100, weight, calibrate.Temperature},
		{200, weight, calibrate.Identity},
	} {
		cfg.MinRows = c.min
		cal := must(t, cfg, p, class, c.weight)
		got, reason := cal.Method()
		if got != c.want || (reason == "") != (got == calibrate.Vector) {
			t.Errorf("min rows %v, weights %v: method %q (%s), want %q", c.min, c.weight != nil, got, reason, c.want)
		}
		q := &model.Prediction{N: p.N, K: 3, Prob: append([]float64(nil), p.Prob...)}
		if err := cal.Apply(q); err != nil {
			t.Fatal(err)
		}
		if same := fmt.Sprint(q.Prob) == fmt.Sprint(p.Prob); same != (c.want == calibrate.Identity) {
			t.Errorf("%s: predictions unchanged: %v", c.want, same)
		}
	}
	// Large weights do not make more rows than there are.
	for i := range weight {
		weight[i] = 100
	}
	if _, n, _, _ := must(t, cfg, p, class, weight).Evidence(); n != 600 {
		t.Errorf("effective rows %v, want 600", n)
	}
}

// The prior matters where the data say little: with 120 rows of nearly flat
// predictions the free fit runs to a bound, the default stays near 1.
func TestPriorHoldsWeakSignals(t *testing.T) {
	far, near := 0, 0
	for seed := range uint64(20) {
		p, class := sample(120, 1, 100+seed)
		r := rng.New(seed).Stream("weak").Rand()
		for i := range p.N { // squeeze towards 1/3
			row := p.Row(i)
			for c := range row {
				row[c] = 1.0/3 + 0.05*(row[c]-1.0/3)
			}
			u := r.Float64()
			class[i] = 1
			if u < row[0]+row[1] {
				class[i] = 0
			}
			if u < row[0] {
				class[i] = -1
			}
		}
		free := must(t, calibrate.Config{Method: calibrate.Temperature}, p, class, nil).Temperature()
		held := must(t, *calibrate.DefaultConfig(), p, class, nil).Temperature()
		if free > 5 || free < 0.2 {
			far++
		}
		if held < 3 && held > 1.0/3 {
			near++
		}
	}
	if far < 5 || near != 20 {
		t.Errorf("free fits beyond a factor of 5: %d of 20, held fits within a factor of 3: %d of 20", far, near)
	}
}

func TestAbsentClassStaysAbsent(t *testing.T) {
	p, class := sample(300, 0.5, 6)
	for i := range p.N {
		row := p.Row(i)
		row[0] /= row[0] + row[2]
		row[1], row[2] = 0, 1-row[0]
	}
	for _, method := range []string{calibrate.Temperature, calibrate.Vector, calibrate.Platt} {
		cal := must(t, calibrate.Config{Method: method}, p, class, nil)
		q := &model.Prediction{N: p.N, K: 3, Prob: append([]float64(nil), p.Prob...)}
		if err := cal.Apply(q); err != nil {
			t.Fatal(err)
		}
		if err := q.Check(); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		for i := range q.N {
			if q.Row(i)[1] != 0 {
				t.Fatalf("%s: class 0 of row %d has probability %v", method, i, q.Row(i)[1])
			}
		}
	}
	full, _ := sample(10, 1, 7)
	if err := must(t, calibrate.Config{Method: calibrate.Platt}, p, class, nil).Apply(full); err == nil {
		t.Error("Platt's map of two classes is applied to three")
	}
	if _, err := calibrate.Fit(calibrate.Config{Method: calibrate.Platt}, full, make([]int8, 10), nil); err == nil {
		t.Error("Platt's map is fitted to three classes")
	}
}

func TestFileRoundTrip(t *testing.T) {
	p, class := sample(1000, 0.4, 8)
	two := &model.Prediction{N: p.N, K: 3, Prob: append([]float64(nil), p.Prob...)}
	for i := range two.N {
		row := two.Row(i)
		row[0] /= row[0] + row[2]
		row[1], row[2] = 0, 1-row[0]
	}
	for _, c := range []struct {
		method string
		p      *model.Prediction
	}{{calibrate.Identity, p}, {calibrate.Temperature, p}, {calibrate.Vector, p}, {calibrate.Platt, two}} {
		cal := must(t, calibrate.Config{Method: c.method}, c.p, class, nil)
		again := must(t, calibrate.Config{Method: c.method}, c.p, class, nil)
		var a, b, d bytes.Buffer
		if cal.Encode(&a) != nil || again.Encode(&b) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two fits give different bytes", c.method)
		}
		read, err := calibrate.Decode(bytes.NewReader(a.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if read.Encode(&d) != nil || !bytes.Equal(a.Bytes(), d.Bytes()) {
			t.Errorf("%s: what is read is written differently", c.method)
		}
		x := &model.Prediction{N: p.N, K: 3, Prob: append([]float64(nil), c.p.Prob...)}
		y := &model.Prediction{N: p.N, K: 3, Prob: append([]float64(nil), c.p.Prob...)}
		if err := cal.Apply(x); err != nil {
			t.Fatal(err)
		}
		if err := read.Apply(y); err != nil {
			t.Fatal(err)
		}
		for i := range x.Prob {
			if math.Float64bits(x.Prob[i]) != math.Float64bits(y.Prob[i]) {
				t.Fatalf("%s: value %d is %v before and %v after the file", c.method, i, x.Prob[i], y.Prob[i])
			}
		}
		for n := range a.Len() {
			if _, err := calibrate.Decode(bytes.NewReader(a.Bytes()[:n])); err == nil {
				t.Fatalf("%s: the first %d of %d bytes are accepted", c.method, n, a.Len())
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	p, class := sample(50, 1, 9)
	bad := &model.Prediction{N: 50, K: 3, Prob: append([]float64(nil), p.Prob...)}
	bad.Prob[7] = math.NaN()
	wrong := append([]int8(nil), class...)
	wrong[3] = 2
	cfg := *calibrate.DefaultConfig()
	for name, f := range map[string]func() error{
		"not a distribution": func() error { _, err := calibrate.Fit(cfg, bad, class, nil); return err },
		"class 2":            func() error { _, err := calibrate.Fit(cfg, p, wrong, nil); return err },
		"too few classes":    func() error { _, err := calibrate.Fit(cfg, p, class[:49], nil); return err },
		"no weight":          func() error { _, err := calibrate.Fit(cfg, p, class, make([]float64, 50)); return err },
		"negative weight": func() error {
			w := make([]float64, 50)
			w[2] = -1
			_, err := calibrate.Fit(cfg, p, class, w)
			return err
		},
		"unknown method": func() error { _, err := calibrate.Fit(calibrate.Config{Method: "isotonic"}, p, class, nil); return err },
		"negative prior": func() error {
			_, err := calibrate.Fit(calibrate.Config{Method: calibrate.Vector, PriorSD: -1}, p, class, nil)
			return err
		},
		"apply to no distribution": func() error {
			return must(t, calibrate.Config{Method: calibrate.Temperature}, p, class, nil).Apply(bad)
		},
		"no bins":        func() error { _, err := calibrate.ECE(p, class, nil, 0); return err },
		"infinite score": func() error { _, _, err := calibrate.FitSigmoid([]float64{math.Inf(1)}, []bool{true}, nil); return err },
	} {
		if f() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestBrierAndECEReferences(t *testing.T) {
	class := []int8{-1, 0, 1, 1}
	for _, c := range []struct {
		name       string
		prob       []float64
		brier, ece float64
	}{
		{"perfect", []float64{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1}, 0, 0},
		{"worst", []float64{0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0}, 2, 1},
		{"uniform", []float64{1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3, 1. / 3}, 2. / 3, (1./12 + 1./12 + 1./6) / 3},
	} {
		p := &model.Prediction{N: 4, K: 3, Prob: c.prob}
		_, brier, ece := scores(t, p, class)
		if math.Abs(brier-c.brier) > 1e-12 {
			t.Errorf("%s: Brier %v, want %v", c.name, brier, c.brier)
		}
		if c.name == "worst" {
			// Class −1 is given to one of the two rows of +1 and never rightly, and so on.
			if ece < 0.5 {
				t.Errorf("worst: ECE %v", ece)
			}
		} else if math.Abs(ece-c.ece) > 1e-12 {
			t.Errorf("%s: ECE %v, want %v", c.name, ece, c.ece)
		}
	}
}

func TestReliabilityBins(t *testing.T) {
	p := &model.Prediction{}
	p.Resize(8, 3)
	for i, x := range []float64{0.8, 0.1, 0.1, 0.3, 0.3, 0.3, 0.5, 0.9} {
		copy(p.Row(i), []float64{1 - x, 0, x})
	}
	class := []int8{1, -1, 1, -1, 1, -1, 1, 1}
	got, err := calibrate.Reliability(p, class, []float64{1, 1, 1, 1, 1, 1, 1, 0}, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	// Seven rows of weight: 0.1 ×2 | 0.3 ×3 would be cut in its middle and is
	// not | the rest.
	want := []calibrate.Bin{
		{Rows: 5, Weight: 5, Low: 0.1, High: 0.3, Predicted: 1.1 / 5, Observed: 2. / 5},
		{Rows: 2, Weight: 2, Low: 0.5, High: 0.8, Predicted: 0.65, Observed: 1},
	}
	if len(got) != len(want) {
		t.Fatalf("%d bins, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if math.Abs(got[i].Predicted-want[i].Predicted) > 1e-12 || math.Abs(got[i].Observed-want[i].Observed) > 1e-12 {
			t.Errorf("bin %d: %+v, want %+v", i, got[i], want[i])
		}
		got[i].Predicted, want[i].Predicted, got[i].Observed, want[i].Observed = 0, 0, 0, 0
		if got[i] != want[i] {
			t.Errorf("bin %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func ExampleFit() {
	// 200 rows given 0.9 for +1; three in four of them are.
	p := &model.Prediction{}
	p.Resize(200, model.K)
	class := make([]int8, 200)
	for i := range class {
		copy(p.Row(i), []float64{0.05, 0.05, 0.9})
		switch i % 8 {
		case 0:
			class[i] = -1
		case 1:
			class[i] = 0
		default:
			class[i] = 1
		}
	}
	c, err := calibrate.Fit(calibrate.Config{Method: calibrate.Temperature}, p, class, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Apply(p); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("T = %.3f, row 0: %.3f\n", c.Temperature(), p.Row(0))
	// Output: T = 1.613, row 0: [0.125 0.125 0.750]
}
