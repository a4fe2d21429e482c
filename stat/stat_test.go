package stat_test

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

type golden struct {
	X, Y                                                                          []float64
	Mean, StdDev, StdDevPop, Skew, Kurtosis, LjungBox, Pearson, Spearman, LogLoss float64
	Brier                                                                         float64
	Autocorrelation, Ranks, Prob                                                  []float64
	Class                                                                         []int
	Tests, Bonferroni, Holm, BHY                                                  []float64
	MeanStdErr, SharpeStdErr, Quantiles                                           map[string]float64
}

func load(t *testing.T) golden {
	t.Helper()
	b, err := os.ReadFile("testdata/golden/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// close12 is the tolerance of the golden file: 1e-12 relative.
func close12(t *testing.T, name string, got, want float64) {
	t.Helper()
	near(t, name, got, want, 1e-12*math.Max(math.Abs(want), 1e-3))
}

func TestAgainstReferences(t *testing.T) {
	g := load(t)
	close12(t, "mean", stat.Mean(g.X), g.Mean)
	close12(t, "stddev", stat.StdDev(g.X), g.StdDev)
	close12(t, "stddevpop", stat.StdDevPop(g.X), g.StdDevPop)
	close12(t, "skew", stat.Skew(g.X), g.Skew)
	close12(t, "kurtosis", stat.Kurtosis(g.X), g.Kurtosis)
	close12(t, "excess kurtosis", stat.ExcessKurtosis(g.X), g.Kurtosis-3)
	for k, want := range g.Autocorrelation {
		close12(t, "autocorrelation", stat.Autocorrelation(g.X, k), want)
	}
	close12(t, "ljung-box", stat.LjungBox(g.X, 7), g.LjungBox)
	for key, want := range g.MeanStdErr {
		lag, err := strconv.Atoi(key)
		if err != nil {
			t.Fatal(err)
		}
		close12(t, "mean std err, lag "+key, stat.MeanStdErr(g.X, lag), want)
		close12(t, "sharpe std err, lag "+key, stat.SharpeStdErr(g.X, lag), g.SharpeStdErr[key])
	}
	close12(t, "pearson", stat.Correlation(g.X, g.Y), g.Pearson)
	close12(t, "spearman", stat.Spearman(g.X, g.Y), g.Spearman)
	for i, r := range stat.Ranks(nil, g.Y) {
		if r != g.Ranks[i] {
			t.Fatalf("rank of row %d is %g, want %g", i, r, g.Ranks[i])
		}
	}
	for key, want := range g.Quantiles {
		p, err := strconv.ParseFloat(key, 64)
		if err != nil {
			t.Fatal(err)
		}
		close12(t, "quantile "+key, stat.Quantile(g.X, p), want)
	}
	bonferroni, holm, bhy := stat.Bonferroni(nil, g.Tests), stat.Holm(nil, g.Tests), stat.BenjaminiYekutieli(nil, g.Tests)
	for i := range g.Tests {
		close12(t, "bonferroni", bonferroni[i], g.Bonferroni[i])
		close12(t, "holm", holm[i], g.Holm[i])
		close12(t, "bhy", bhy[i], g.BHY[i])
	}
	loss, err := stat.LogLosses(nil, g.Prob, 3, g.Class)
	if err != nil {
		t.Fatal(err)
	}
	close12(t, "log-loss", stat.Mean(loss), g.LogLoss)
	brier, err := stat.BrierScores(loss, g.Prob, 3, g.Class)
	if err != nil {
		t.Fatal(err)
	}
	close12(t, "brier", stat.Mean(brier), g.Brier)
}

// Harvey, Liu and Zhu (2016): with p .001 .0011 .0012 .0013 and four tests, BHY
// at 5 % rejects all, so that its cut-off is t = 3.216.
func TestBHYCutoff_HarveyLiuZhu(t *testing.T) {
	p := []float64{.001, .0011, .0012, .0013}
	cut := 0.0
	for i, q := range stat.BenjaminiYekutieli(nil, p) {
		if q <= .05 {
			cut = max(cut, p[i])
		}
	}
	near(t, "cut-off", -stat.NormalQuantile(cut/2), 3.216, 0.5e-3)
	for _, q := range stat.Holm(nil, []float64{.1, math.NaN()}) {
		if !math.IsNaN(q) {
			t.Errorf("NaN among the p-values gives %g", q)
		}
	}
}

// Lag 0 of the Sharpe error is Mertens' variance with sample moments.
func TestSharpeStdErrIsMertens(t *testing.T) {
	x := load(t).X
	m := stat.MomentsOf(x)
	sr := m.Mean / stat.StdDevPop(x)
	want := math.Sqrt((1 - m.Skew*sr + (m.Kurtosis-1)/4*sr*sr) / float64(len(x)-1))
	close12(t, "lag 0", stat.SharpeStdErr(x, 0), want)
}

func TestScaleAndShiftLaws(t *testing.T) {
	x := load(t).X
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = -1000 * v
	}
	close12(t, "skew changes sign", stat.Skew(y), -stat.Skew(x))
	close12(t, "kurtosis stays", stat.Kurtosis(y), stat.Kurtosis(x))
	close12(t, "sharpe error stays", stat.SharpeStdErr(y, -1), stat.SharpeStdErr(x, -1))
	if stat.HACLag(y) != stat.HACLag(x) {
		t.Error("the lag depends on the scale")
	}
	close12(t, "long-run variance scales", stat.LongRunVariance(y, 5), 1e6*stat.LongRunVariance(x, 5))
	// Far from zero the two passes keep the digits that are there.
	for i, v := range x {
		y[i] = v + 1000
	}
	near(t, "stddev far from zero", stat.StdDev(y), stat.StdDev(x), 1e-12)
}

func TestConstantAndEmpty(t *testing.T) {
	c := []float64{.1, .1, .1}
	for name, v := range map[string]float64{
		"mean of none": stat.Mean(nil), "stddev of one": stat.StdDev([]float64{1}), "stddevpop of none": stat.StdDevPop(nil),
		"skew constant": stat.Skew(c), "kurtosis constant": stat.Kurtosis(c), "autocorrelation constant": stat.Autocorrelation(c, 1),
		"sharpe error constant": stat.SharpeStdErr(c, -1), "correlation constant": stat.Correlation(c, []float64{1, 2, 3}),
		"correlation of one": stat.Correlation([]float64{1}, []float64{2}), "quantile of none": stat.Quantile(nil, .5),
		"quantile 2": stat.Quantile(c, 2), "quantile NaN": stat.Quantile([]float64{1, math.NaN()}, .5), "spearman NaN": stat.Spearman([]float64{1, math.NaN()}, []float64{1, 2}),
		"ljung-box lags": stat.LjungBox([]float64{1, 2}, 2), "long-run of one": stat.LongRunVariance([]float64{1}, 0), "autocovariance lag": stat.Autocovariance(c, 3),
		"weights 0": stat.WeightedMean(c, []float64{0, 0, 0}),
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s is %g, want NaN", name, v)
		}
	}
	if stat.StdDev(c) != 0 || stat.StdDevPop(c) != 0 || stat.LongRunVariance(c, 1) != 0 {
		t.Error("a constant slice must have exactly no spread")
	}
	if got := stat.WeightedMean([]float64{1, 5, 9}, []float64{1, 1, 0}); got != 3 {
		t.Errorf("weighted mean %g, want 3", got)
	}
	for name, f := range map[string]func(){
		"correlation": func() { stat.Correlation(c, c[:2]) }, "spearman": func() { stat.Spearman(c, c[:2]) },
		"weighted mean": func() { stat.WeightedMean(c, c[:2]) }, "losses": func() { _, _ = stat.LogLosses(nil, c, 2, []int{0}) },
		"span block": func() { _, _ = stat.SpanBlock([]int64{1}, nil) }, "curve": func() { _, _ = stat.CalibrationCurve(c, nil, 2) },
		"mean interval": func() { _, _ = stat.MeanInterval(c, nil, nil, 1, .9, rng.New(1)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: different lengths must panic", name)
				}
			}()
			f()
		}()
	}
}

func TestLossEdges(t *testing.T) {
	loss, err := stat.LogLosses(nil, []float64{0, 1, 1, 0}, 2, []int{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "impossible event", loss[0], 34.538776394910684, 1e-12)
	near(t, "certain event", loss[1], 0, 0)
	if loss, err = stat.LogLosses(loss, []float64{math.NaN(), 1}, 2, []int{0}); err != nil || !math.IsNaN(loss[0]) {
		t.Errorf("NaN probability: %v, %v", loss, err)
	}
	for _, class := range []int{-1, 2} {
		if _, err := stat.LogLosses(nil, []float64{.5, .5}, 2, []int{class}); err == nil {
			t.Errorf("class %d: want an error", class)
		}
		if _, err := stat.BrierScores(nil, []float64{.5, .5}, 2, []int{class}); err == nil {
			t.Errorf("class %d: want an error", class)
		}
	}
}

func TestCalibrationError(t *testing.T) {
	p := []float64{.9, .1, .2, .8, .6, .5}
	happened := []bool{true, false, true, true, false, true}
	// Sorted: .1 F, .2 T | .5 T, .6 F | .8 T, .9 T; gaps .35, .05, .15.
	e, err := stat.CalibrationError(p, happened, 3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "by hand", e, (.35+.05+.15)/3, 1e-15)
	curve, err := stat.CalibrationCurve(p, happened, 4)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, b := range curve {
		rows += b.N
		if b.N < 1 || b.N > 2 {
			t.Errorf("bin of %d rows, want 1 or 2", b.N)
		}
	}
	if rows != 6 {
		t.Errorf("bins hold %d rows, want 6", rows)
	}
	if _, err := stat.CalibrationError([]float64{math.NaN()}, []bool{true}, 2); err == nil {
		t.Error("NaN forecast: want an error")
	}
	if e, err := stat.CalibrationError(nil, nil, 2); err != nil || !math.IsNaN(e) {
		t.Errorf("no rows: %g, %v", e, err)
	}
	// A calibrated forecast shows only the bias that the comment states.
	r := rng.New(2).Stream("calibrated").Rand()
	const n, bins = 20000, 20
	q, h := make([]float64, n), make([]bool, n)
	for i := range q {
		q[i] = r.Float64()
		h[i] = r.Float64() < q[i]
	}
	if e, err = stat.CalibrationError(q, h, bins); err != nil {
		t.Fatal(err)
	}
	// Mean of √(2p(1−p)·bins/(πn)) over p in (0, 1) is π/8·√(2·bins/(πn)) = .0099.
	near(t, "calibrated", e, .0099, .005)
}
