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
	left     core.Sums // of the left child
	gain     float64   // what the split adds to the score of the node; set by gain
}

// rule is what divides the rows.
func (s *split) rule() *core.Rule {
	if s.bin == 0 { // nothing but missing values goes left
		return &core.Rule{Feature: s.feature, Set: &core.BinSet{1}}
	}
	return &core.Rule{Feature: s.feature, Bin: s.bin, MissingLeft: s.missLeft}
}

func (s *split) better(num, den float64) bool {
	return float64(num*s.den) > float64(s.num*den)
}

// search holds the regularisation in the units of the quantised sums.
type search struct {
	sc           core.Scales
	lambda, minH float64
	wide         bool
	// general: alpha, max_delta_step or a direction is set, or sums are wide, and scoreGeneral counts.
	general                        bool
	mono                           []int8 // direction of each column; nil: none has one
	realLambda, alpha, maxDelta    float64
	invG, invH, gainScale, minGain float64
}

func newSearch(c *Config, mono []int8, sc core.Scales, wide bool) search {
	return search{
		mono:       mono,
		wide:       wide,
		sc:         sc,
		lambda:     c.Lambda * sc.H,
		minH:       max(c.MinChildWeight*sc.H, 1),
		general:    c.Alpha != 0 || c.MaxDeltaStep != 0 || mono != nil || wide,
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

// scoreGeneral is the quality of a node in real units and its weight: T(G)²/(H+λ)
// or, for a weight w that may be clipped, −2Gw − (H+λ)w². It is rounded, and in
// the second case computed, in float32 as in XGBoost: clipped weights make exact
// ties common, and only the same rounding breaks them the same way.
func (s *search) scoreGeneral(g, h float64, b bounds) (score, w float32) {
	g, h = g*s.invG, h*s.invH
	if s.maxDelta == 0 && s.mono == nil {
		t := soft(g, s.alpha)
		return float32(t * t / (h + s.realLambda)), 0
	}
	w = float32(b.clip(float64(float32(s.weight(g, h)))))
	x := 2 * float32(g) * w
	y := (float32(h) + float32(s.realLambda)) * (w * w)
	return -(float32(x) + float32(y)), w
}

// unpack is the sum of gradients and that of hessians.
func (s *search) unpack(v core.Sums) (g, h float64) {
	a, b := v.Unpack(s.wide)
	return float64(a), float64(b)
}

// leafWeight is the weight that a node with these sums has as a leaf.
func (s *search) leafWeight(tot core.Sums, b bounds) float32 {
	g, h := s.unpack(tot)
	return float32(b.clip(float64(float32(s.weight(g*s.invG, h*s.invH)))))
}

// state is a node as the search sees it.
type state struct {
	hist.Node
	bounds bounds
	whole  float32 // scoreGeneral of the node
}

func (s *search) node(tot core.Sums, b bounds) state {
	g, h := s.unpack(tot)
	nd := state{Node: hist.Node{G: g, H: h, Lambda: s.lambda, MinH: s.minH}, bounds: b}
	if s.general {
		nd.whole, _ = s.scoreGeneral(nd.G, nd.H, b)
	}
	return nd
}

// gain notes and returns what a split adds to the score of its node, in real
// units.
func (s *search) gain(sp *split, nd *state) float64 {
	sp.gain = sp.num
	if !s.general {
		num, den := s.score(nd.G, nd.H)
		sp.gain = (sp.num/sp.den - num/den) * s.gainScale
	}
	return sp.gain
}

// splittable reports whether a node could be divided into two legal children.
func (s *search) splittable(tot core.Sums, rows int) bool {
	_, h := s.unpack(tot)
	return rows > 1 && h >= 2*s.minH
}

// none is the split that any useful split must beat: leaving the node whole.
func (s *search) none(nd *state) split {
	if s.general {
		return split{num: 0, den: 1, feature: -1}
	}
	num, den := s.score(nd.G, nd.H)
	return split{num: num, den: den, feature: -1}
}

// block looks for a better split than best among the features of a block whose
// first feature is f0 and of which mask selects some. If sub is not nil, it is
// first taken from h. n is the most bins of a feature, na whether the data have
// missing values. Order and ties are XGBoost's: features upwards; missing values
// right with thresholds upwards, then, if the node has missing values, left with
// thresholds downwards; only a strictly higher score replaces.
func (s *search) block(h, sub *hist.Block, n int, nd *state, na bool, f0 int, mask uint8, best *split) {
	var found hist.Best
	found.Start(best.num, best.den)
	hist.ScanUp(h, sub, n, &nd.Node, &found)
	if na {
		hist.ScanDown(h, n, hist.Missing(h)&mask, &nd.Node, &found)
	}
	for k, b := range found.Bin {
		if b != 0 && mask>>k&1 == 1 && best.better(found.Num[k], found.Den[k]) {
			missLeft := b&hist.MissingLeft != 0
			*best = split{num: found.Num[k], den: found.Den[k], feature: f0 + k, bin: uint8(b), missLeft: missLeft} // #nosec G115 -- the low byte
		}
	}
}

// blockGeneral is block for alpha, max_delta_step, monotone columns and wide
// sums, of which hw holds the hessians; it is nil otherwise.
func (s *search) blockGeneral(h, hw *hist.Block, nbin []int, nd *state, na bool, f0 int, mask uint8, best *split) {
	at := core.Planes{G: h, H: hw}.At
	try := func(acc core.Sums, f int, bin uint8, missLeft bool) (stop bool) {
		g1, h1 := s.unpack(acc)
		if h1 < s.minH {
			return false
		}
		if nd.H-h1 < s.minH {
			return true
		}
		x, wx := s.scoreGeneral(g1, h1, nd.bounds)
		y, wy := s.scoreGeneral(nd.G-g1, nd.H-h1, nd.bounds)
		if s.mono != nil {
			d := float32(s.mono[f])
			if missLeft { // the summed side is the right one
				d = -d
			}
			if d*wx > d*wy {
				return false
			}
		}
		if gain := float64(x + y - nd.whole); best.better(gain, 1) {
			*best = split{num: gain, den: 1, feature: f, bin: bin, missLeft: missLeft}
		}
		return false
	}
	for k, nb := range nbin {
		if mask>>k&1 == 0 {
			continue
		}
		var acc core.Sums
		for b := 1; b < nb; b++ {
			if v := at(b*hist.Lanes + k); v != (core.Sums{}) {
				acc = acc.Plus(v)
				if try(acc, f0+k, uint8(b), false) { // #nosec G115 -- at most 255
					break
				}
			}
		}
		if !na || at(k) == (core.Sums{}) {
			continue
		}
		last := 1 // all values right is the split of all values left
		if s.mono != nil {
			last = 0 // but in the direction
		}
		acc = core.Sums{}
		for b := nb - 1; b > last; b-- {
			if v := at(b*hist.Lanes + k); v != (core.Sums{}) {
				acc = acc.Plus(v)
				if try(acc, f0+k, uint8(b-1), true) { // #nosec G115 -- at most 255
					break
				}
			}
		}
	}
}
