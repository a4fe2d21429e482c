package xgboost

import (
	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// split divides the rows of a node by one feature: bins 1 to bin go left,
// larger ones right, missing values as missLeft says. num/den is what splits
// are compared by: the sum of the two children's scores, kept as a fraction so
// that a comparison needs no division and equal splits compare equal exactly;
// in the general case the gain over the whole node.
type split struct {
	num, den float64
	feature  int // −1: none
	bin      uint8
	missLeft bool
	left     uint64 // packed sums of the left child
}

// rule is what divides the rows.
func (s *split) rule() *core.Rule {
	return &core.Rule{Feature: s.feature, Bin: s.bin, MissingLeft: s.missLeft}
}

func (s *split) better(num, den float64) bool {
	return float64(num*s.den) > float64(s.num*den)
}

// search holds the regularisation in the units of the quantised sums.
type search struct {
	sc           core.Scales
	lambda, minH float64
	// general: alpha or max_delta_step is set, and scoreGeneral counts.
	general                        bool
	realLambda, alpha, maxDelta    float64
	invG, invH, gainScale, minGain float64
}

func newSearch(c *Config, sc core.Scales) search {
	return search{
		sc:         sc,
		lambda:     c.Lambda * sc.H,
		minH:       max(c.MinChildWeight*sc.H, 1),
		general:    c.Alpha != 0 || c.MaxDeltaStep != 0,
		realLambda: c.Lambda, alpha: c.Alpha, maxDelta: c.MaxDeltaStep,
		invG: 1 / sc.G, invH: 1 / sc.H,
		gainScale: sc.H / sc.G / sc.G,
		minGain:   c.Gamma,
	}
}

// soft is the soft threshold T of the L1 penalty.
func soft(g, alpha float64) float64 {
	switch {
	case g > alpha:
		return g - alpha
	case g < -alpha:
		return g + alpha
	}
	return 0
}

// weight is the optimal leaf value −T(G)/(H+λ), clipped to max_delta_step
// (Chen and Guestrin 2016, eq. 5).
func (s *search) weight(g, h float64) float64 {
	if h+s.realLambda <= 0 {
		return 0
	}
	w := -soft(g, s.alpha) / (h + s.realLambda)
	if s.maxDelta != 0 {
		w = min(max(w, -s.maxDelta), s.maxDelta)
	}
	return w
}

// score is the quality of a node with the quantised sums g and h as a
// fraction G²/(H+λ), in quantised units.
func (s *search) score(g, h float64) (num, den float64) { return g * g, h + s.lambda }

// scoreGeneral is the quality of a node in real units: T(G)²/(H+λ) or, for a
// weight w that may be clipped, −2Gw − (H+λ)w². It is rounded, and in the second
// case computed, in float32 as in XGBoost: clipped weights make exact ties
// common, and only the same rounding breaks them the same way.
func (s *search) scoreGeneral(g, h float64) float32 {
	g, h = g*s.invG, h*s.invH
	if s.maxDelta == 0 {
		t := soft(g, s.alpha)
		return float32(t * t / (h + s.realLambda))
	}
	w := float32(s.weight(g, h))
	a := 2 * float32(g) * w
	b := (float32(h) + float32(s.realLambda)) * (w * w)
	return -(float32(a) + float32(b))
}

// gain is what a split adds to the score of its node, in real units.
func (s *search) gain(sp *split, tot uint64) float64 {
	if s.general {
		return sp.num
	}
	g, h := hist.Unpack(tot)
	num, den := s.score(float64(g), float64(h))
	return (sp.num/sp.den - num/den) * s.gainScale
}

// splittable reports whether a node could be divided into two legal children.
func (s *search) splittable(tot uint64, rows int) bool {
	_, h := hist.Unpack(tot)
	return rows > 1 && float64(h) >= 2*s.minH
}

// none is the split that any useful split must beat: leaving the node whole.
func (s *search) none(tot uint64) split {
	if s.general {
		return split{num: 0, den: 1, feature: -1}
	}
	g, h := hist.Unpack(tot)
	num, den := s.score(float64(g), float64(h))
	return split{num: num, den: den, feature: -1}
}

// block looks for a better split than best among the features of a block whose
// first feature is f0 and of which mask selects some. If sub is not nil, it is
// first taken from h. n is the most bins of a feature, na whether the data have
// missing values. Order and ties are XGBoost's: features upwards; missing values
// right with thresholds upwards, then, if the node has missing values, left with
// thresholds downwards; only a strictly higher score replaces.
func (s *search) block(h, sub *hist.Block, n int, tot uint64, na bool, f0 int, mask uint8, best *split) {
	tg, th := hist.Unpack(tot)
	nd := hist.Node{G: float64(tg), H: float64(th), Lambda: s.lambda, MinH: s.minH}
	var found hist.Best
	found.Start(best.num, best.den)
	hist.ScanUp(h, sub, n, &nd, &found)
	if na {
		hist.ScanDown(h, n, hist.Missing(h)&mask, &nd, &found)
	}
	for k, b := range found.Bin {
		if b != 0 && mask>>k&1 == 1 && best.better(found.Num[k], found.Den[k]) {
			missLeft := b&hist.MissingLeft != 0
			*best = split{num: found.Num[k], den: found.Den[k], feature: f0 + k, bin: uint8(b), missLeft: missLeft}
		}
	}
}

// blockGeneral is block for alpha and max_delta_step.
func (s *search) blockGeneral(h *hist.Block, nbin []int, tot uint64, na bool, f0 int, mask uint8, best *split) {
	tg, th := hist.Unpack(tot)
	G, H := float64(tg), float64(th)
	whole := s.scoreGeneral(G, H)
	try := func(acc uint64, f int, bin uint8, missLeft bool) (stop bool) {
		a, b := hist.Unpack(acc)
		g1, h1 := float64(a), float64(b)
		if h1 < s.minH {
			return false
		}
		if H-h1 < s.minH {
			return true
		}
		x := s.scoreGeneral(g1, h1)
		y := s.scoreGeneral(G-g1, H-h1)
		if gain := float64(x + y - whole); best.better(gain, 1) {
			left := acc
			if missLeft {
				left = tot - acc
			}
			*best = split{gain, 1, f, bin, missLeft, left}
		}
		return false
	}
	for k, nb := range nbin {
		if mask>>k&1 == 0 {
			continue
		}
		acc := uint64(0)
		for b := 1; b < nb; b++ {
			if v := h[b*hist.Lanes+k]; v != 0 {
				acc += v
				if try(acc, f0+k, uint8(b), false) {
					break
				}
			}
		}
		if !na || h[k] == 0 {
			continue
		}
		acc = 0
		for b := nb - 1; b > 1; b-- {
			if v := h[b*hist.Lanes+k]; v != 0 {
				acc += v
				if try(acc, f0+k, uint8(b-1), true) {
					break
				}
			}
		}
	}
}
