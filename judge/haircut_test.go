package judge_test

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/rng"
)

// Harvey and Liu (2015): Sharpe 1 over 120 months with autocorrelation .1, 100
// tests, correlation .4. Bonferroni is exact; the others are medians of
// simulations, printed to about ±.01.
func TestHaircut_HarveyLiuExample(t *testing.T) {
	for seed := range 3 {
		h, err := judge.Haircut(1, 120, 100, .4, .1, rng.New(uint64(seed)))
		if err != nil {
			t.Fatal(err)
		}
		near(t, "Bonferroni", h.Bonferroni.P, .465, d3)
		near(t, "Holm", h.Holm.P, .409, .01)
		near(t, "BHY", h.BHY.P, .174, .01)
		near(t, "mean", h.Mean.P, .348, .01)
	}
}

func TestHaircutLaws(t *testing.T) {
	h, err := judge.Haircut(1, 120, 1, 0, 0, rng.New(1))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "one test leaves the p-value", h.Bonferroni.P, h.P, 0)
	near(t, "and the Sharpe ratio", h.Bonferroni.SharpeAnnual, 1, 1e-9)
	for _, c := range []judge.Cut{h.Holm, h.BHY, h.Mean} {
		if c.P < h.P || c.SharpeAnnual > 1 {
			t.Errorf("an adjustment raises the Sharpe ratio: %+v", h)
		}
	}
	many, err := judge.Haircut(.5, 60, 400, .5, 0, rng.New(1))
	if err != nil || many.Bonferroni != (judge.Cut{P: 1}) {
		t.Errorf("a weak record among 400: %+v, %v; want p 1 and Sharpe 0", many, err)
	}
	for _, c := range []struct {
		sr     float64
		months int
		tests  int
		rho    float64
		ac     float64
	}{{0, 120, 10, .2, 0}, {math.NaN(), 120, 10, .2, 0}, {1, 2, 10, .2, 0}, {1, 120, 0, .2, 0}, {1, 120, 10, .9, 0}, {1, 120, 10, -.1, 0}, {1, 120, 10, .2, 1}} {
		if _, err := judge.Haircut(c.sr, c.months, c.tests, c.rho, c.ac, rng.New(1)); err == nil {
			t.Errorf("%+v: want an error", c)
		}
	}
}
