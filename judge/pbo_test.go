package judge_test

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/stat"
)

// C(16,8) is 12,870; the paper prints 12,780.
func TestPBOCombinations(t *testing.T) {
	for _, c := range []struct{ blocks, want int }{{2, 2}, {4, 6}, {8, 70}, {16, 12870}} {
		o, err := judge.PBO([][]float64{noise(64, "pbo", 0), noise(64, "pbo", 1)}, c.blocks, judge.MetricSharpe)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Logits) != c.want {
			t.Errorf("%d blocks: %d splits, want %d", c.blocks, len(o.Logits), c.want)
		}
	}
}

// Columns in a fixed order: every logit ln 3 with three columns, PBO 0.
func TestPBOFixedOrder(t *testing.T) {
	x := noise(40, "pbo", 2)
	o, err := judge.PBO([][]float64{minus(x, 1), minus(x, -1), x}, 4, judge.MetricMean)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "PBO", o.PBO, 0, 0)
	for _, l := range o.Logits {
		near(t, "logit", l, 1.098612, d6)
	}
}

// A: +3 then −3, B: 1, C: 0; mean; T 8, S 2: logits {−1.098612, 0}, PBO 1.
func TestPBOToy(t *testing.T) {
	o, err := judge.PBO([][]float64{{3, 3, 3, 3, -3, -3, -3, -3}, {1, 1, 1, 1, 1, 1, 1, 1}, make([]float64, 8)}, 2, judge.MetricMean)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Logits) != 2 {
		t.Fatalf("%d splits, want 2", len(o.Logits))
	}
	near(t, "first half in sample", o.Logits[0], -1.098612, d6)
	near(t, "second half in sample", o.Logits[1], 0, 0)
	near(t, "PBO", o.PBO, 1, 0)
	near(t, "probability of loss", o.ProbabilityLoss, .5, 0)
}

// Noise 240×20, S 8: mean .503, sd .205 over 200 seeds; an edge of .35 in one
// column: .027. Ours are other seeds: bounds are three standard errors.
func TestPBONoiseAndEdge(t *testing.T) {
	const seeds = 200
	run := func(edge float64) []float64 {
		out := make([]float64, seeds)
		for s := range out {
			configs := make([][]float64, 20)
			for j := range configs {
				configs[j] = normals(240, "pbo noise", s, j)
			}
			configs[7] = minus(configs[7], -edge)
			o, err := judge.PBO(configs, 8, judge.MetricSharpe)
			if err != nil {
				t.Fatal(err)
			}
			out[s] = o.PBO
		}
		return out
	}
	null := run(0)
	// Two samples of 200 with sd .205: standard error of their difference .0205.
	near(t, "mean under noise", stat.Mean(null), .503, 3*.0205)
	near(t, "sd under noise", stat.StdDev(null), .205, 3*.205/math.Sqrt(seeds))
	edge := run(.35)
	near(t, "mean under an edge", stat.Mean(edge), .027, 3*stat.StdDev(edge)*math.Sqrt(2.0/seeds))
}

func TestPBORefuses(t *testing.T) {
	x, y := noise(64, "pbo", 0), noise(64, "pbo", 1)
	bad := append([]float64{math.NaN()}, y[1:]...)
	for name, c := range map[string]struct {
		configs [][]float64
		blocks  int
	}{
		"one configuration": {[][]float64{x}, 4}, "odd": {[][]float64{x, y}, 5}, "too many": {[][]float64{x, y}, 22}, "none": {[][]float64{x, y}, 0},
		"unequal": {[][]float64{x, y[:60]}, 4}, "short": {[][]float64{x[:7], y[:7]}, 4}, "NaN": {[][]float64{x, bad}, 4},
	} {
		if _, err := judge.PBO(c.configs, c.blocks, judge.MetricSharpe); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	// Configurations that never move have Sharpe 0 and no NaN.
	o, err := judge.PBO([][]float64{make([]float64, 64), make([]float64, 64)}, 4, judge.MetricSharpe)
	if err != nil || math.IsNaN(o.PBO) || o.Logits[0] != 0 {
		t.Errorf("flat configurations: %+v, %v", o, err)
	}
}

// A plain twin: cut the series, join the halves, compute the metric, rank.
func TestPBOAgainstBruteForce(t *testing.T) {
	const n, days, blocks = 5, 53, 6 // blocks of 8 and 9 days
	configs := make([][]float64, n)
	for j := range configs {
		configs[j] = minus(normals(days, "brute", j), -.1*float64(j))
	}
	sharpe := func(x []float64) float64 { return stat.Mean(x) / stat.StdDev(x) }
	var want []float64
	losses := 0
	for a := range blocks {
		for b := a + 1; b < blocks; b++ {
			for c := b + 1; c < blocks; c++ {
				best, bestIn := 0, math.Inf(-1)
				out := make([]float64, n)
				for j, x := range configs {
					var in, rest []float64
					for k := range blocks {
						part := x[k*days/blocks : (k+1)*days/blocks]
						if k == a || k == b || k == c {
							in = append(in, part...)
						} else {
							rest = append(rest, part...)
						}
					}
					if s := sharpe(in); s > bestIn {
						best, bestIn = j, s
					}
					out[j] = sharpe(rest)
				}
				w := stat.Ranks(nil, out)[best] / (n + 1)
				want = append(want, math.Log(w/(1-w)))
				if out[best] < 0 {
					losses++
				}
			}
		}
	}
	o, err := judge.PBO(configs, blocks, judge.MetricSharpe)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Logits) != len(want) {
		t.Fatalf("%d logits, want %d", len(o.Logits), len(want))
	}
	below := 0.0
	for i := range want {
		near(t, "logit", o.Logits[i], want[i], 1e-14)
		if want[i] <= 0 {
			below++
		}
	}
	near(t, "PBO", o.PBO, below/float64(len(want)), 0)
	near(t, "probability of loss", o.ProbabilityLoss, float64(losses)/float64(len(want)), 0)
}
