package catboost

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// TestSampling holds the weights of the bootstraps to their distributions.
// Bounds are five standard errors.
func TestSampling(t *testing.T) {
	const n = 100_000
	w := make([]float32, n)
	moments := func() (mean, second float64) {
		for _, v := range w {
			mean += float64(v) / n
			second += float64(v) * float64(v) / n
		}
		return mean, second
	}
	// (−ln u)^T has the mean Γ(1+T) and the second moment Γ(1+2T).
	for _, temperature := range []float64{0.5, 1, 2} {
		bayesianWeights(w, temperature, rng.New(1).Stream("t"))
		mean, second := moments()
		se := math.Sqrt((math.Gamma(1+2*temperature) - math.Pow(math.Gamma(1+temperature), 2)) / n)
		if want := math.Gamma(1 + temperature); math.Abs(mean-want) > 5*se {
			t.Errorf("temperature %v: mean weight %v, want %v", temperature, mean, want)
		}
		se = math.Sqrt((math.Gamma(1+4*temperature) - math.Pow(math.Gamma(1+2*temperature), 2)) / n)
		if want := math.Gamma(1 + 2*temperature); math.Abs(second-want) > 5*se {
			t.Errorf("temperature %v: second moment %v, want %v", temperature, second, want)
		}
	}
	bernoulliWeights(w, 0.3, rng.New(2).Stream("t"))
	if mean, second := moments(); mean != second || math.Abs(mean-0.3) > 5*math.Sqrt(0.21/n) {
		t.Errorf("Bernoulli: mean %v, second moment %v, want 0.3", mean, second)
	}
	bernoulliWeights(w[:10], 1e-9, rng.New(2).Stream("t"))
	sum := float32(0)
	for _, v := range w[:10] {
		sum += v
	}
	if sum != 1 {
		t.Errorf("%v of 10 rows were drawn, want 1", sum)
	}
}

// MVS draws the share of the rows that it should, gives each the weight 1/p, and
// so estimates sums over all rows without bias.
func TestMVSIsUnbiased(t *testing.T) {
	const n, share, lambda, rounds = 5000, 0.3, 0.02, 400
	size, want := make([]float64, n), 0.0
	r := rng.New(3).Rand()
	for i := range size {
		g := r.NormFloat64() * r.ExpFloat64()
		size[i] = g * g
		want += math.Abs(g)
	}
	w := make([]float32, n)
	drawn, sum, sq := 0.0, 0.0, 0.0
	for k := range rounds {
		mvsWeights(w, size, lambda, share, rng.New(4).Stream("t", k))
		s := 0.0
		for i, v := range w {
			if v > 0 {
				drawn++
				if v < 1 {
					t.Fatalf("row %d has weight %v", i, v)
				}
			}
			s += float64(v) * math.Sqrt(size[i])
		}
		sum, sq = sum+s/rounds, sq+s*s/rounds
	}
	if got := drawn / rounds / n; math.Abs(got-share) > 5*math.Sqrt(share/n/rounds) {
		t.Errorf("a share %v of the rows is drawn, want %v", got, share)
	}
	if se := math.Sqrt((sq - sum*sum) / rounds); math.Abs(sum-want) > 5*se {
		t.Errorf("Σ|g| is estimated as %v ± %v, is %v", sum, se, want)
	}
}

// The threshold solves Σ min(1, s/µ) = want.
func TestMVSThreshold(t *testing.T) {
	r := rng.New(5).Rand()
	for range 200 {
		s := make([]float64, 1+r.IntN(40))
		for i := range s {
			s[i] = r.ExpFloat64()
		}
		want := float64(len(s)) * (0.05 + 0.9*r.Float64())
		mu := mvsThreshold(append([]float64(nil), s...), want)
		got := 0.0
		for _, v := range s {
			got += min(1, v/mu)
		}
		if math.Abs(got-want) > 1e-9*want {
			t.Fatalf("%d values: the threshold %v draws %v, want %v", len(s), mu, got, want)
		}
	}
	if mu := mvsThreshold([]float64{1, 2, 3}, 3); mu > 1 {
		t.Errorf("threshold %v leaves rows out where all are wanted", mu)
	}
}
