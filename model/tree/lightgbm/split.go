package lightgbm

import (
	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// epsilon is LightGBM's kEpsilon.
const epsilon = float64(float32(1e-15))

// split divides the rows of a leaf by one column: bins 1 to bin go left, larger
// ones right, missing values as missLeft says; or the bins of a set go left.
type split struct {
	gain     float64 // over leaving the leaf whole and min_gain_to_split, in real units
	feature  int     // −1: none
	bin      uint8
	missLeft bool
	set      *core.BinSet
	many     bool      // the set may hold several categories: cat_l2 counts
	left     core.Sums // of the left child
	count    int       // rows of the left child, as estimated
}

// none is the split of a leaf that cannot be divided.
//
// const
var none = split{feature: -1}

// rule is what divides the rows.
func (s *split) rule() *core.Rule {
	return &core.Rule{Feature: s.feature, Bin: s.bin, MissingLeft: s.missLeft, Set: s.set}
}

// before reports whether s is to be preferred: the higher gain, among equals
// the lower column.
func (s *split) before(o *split) bool {
	switch {
	case s.feature < 0:
		return false
	case o.feature < 0 || s.gain != o.gain:
		return o.feature < 0 || s.gain > o.gain
	}
	return s.feature < o.feature
}

// search holds the parameters of split finding, in real units and in those of
// the quantised sums.
type search struct {
	cfg  *Config
	col  []column
	mono []int8 // of each column; nil: no constraints
	sc   core.Scales

	invG, invH, gainScale  float64
	lambda, minH, minSplit float64 // quantised
	minData                int
	upwards                []uint8 // numeric columns of each block that are scanned upwards too
	categorical            []uint8 // columns of categories of each block
	l1, l2, maxDelta       float64
	smooth                 float64
	wide                   bool
	general                bool // the plain gain G²/(H+λ) does not do, or sums are wide
}

func newSearch(cfg *Config, col []column, mono []int8, wide bool) search {
	s := search{cfg: cfg, col: col, mono: mono, wide: wide, minData: cfg.MinDataInLeaf, l1: cfg.LambdaL1, l2: cfg.LambdaL2, maxDelta: cfg.MaxDeltaStep, smooth: cfg.PathSmooth}
	s.general = s.l1 > 0 || s.maxDelta > 0 || s.smooth > epsilon || mono != nil || cfg.ExtraTrees || cfg.ZeroAsMissing || wide
	blocks := (len(col) + hist.Lanes - 1) / hist.Lanes
	s.upwards, s.categorical = make([]uint8, blocks), make([]uint8, blocks)
	for j := range col {
		switch bit := uint8(1) << (j % hist.Lanes); {
		case col[j].category:
			s.categorical[j/hist.Lanes] |= bit
		case col[j].missing:
			s.upwards[j/hist.Lanes] |= bit
		}
	}
	return s
}

// scale sets the units of a tree.
func (s *search) scale(sc core.Scales) {
	s.sc = sc
	s.invG, s.invH, s.gainScale = 1/sc.G, 1/sc.H, sc.H/sc.G/sc.G
	s.lambda, s.minH = s.l2*sc.H, max(s.cfg.MinSumHessianInLeaf*sc.H, 1)
	s.minSplit = s.cfg.MinGainToSplit / s.gainScale
}

// unpack is the sum of gradients and that of hessians.
func (s *search) unpack(v core.Sums) (g, h int64) { return v.Unpack(s.wide) }

// count is the number of rows of a bin, as estimated from its hessian.
func (s *search) count(v core.Sums, perH float64) int {
	_, h := s.unpack(v)
	return int(float64(float64(h)*perH) + 0.5)
}

// node is what a search needs to know about a leaf.
type node struct {
	tot      core.Sums
	rows     int
	out      float64  // its value, or the root's
	min, max float64  // between which its children must stay
	random   []uint32 // extra_trees: what chooses the threshold of each column; nil: all are tried
	scanned  []uint8  // the columns of each block to search
	allowed  []uint8  // those that may be chosen; nil: all
	alive    []uint8  // out: the columns in which a split was found
}

// block looks for a better split than best among the columns of block b. The
// first bins of sub, unless it is none, are first taken from h. Order and ties are
// LightGBM's: columns upwards; missing values left with thresholds downwards,
// then, if the column has missing values, right with thresholds upwards; only a
// strictly higher gain replaces. bins is the largest number of bins of the
// columns, nbin that of each.
func (s *search) block(b int, h, sub core.Planes, bins int, nbin []int, nd *node, best *split) {
	var found hist.Best
	shift := 0.0
	numeric := nd.scanned[b] &^ s.categorical[b]
	if s.general || numeric == 0 {
		h.Subtract(sub, bins)
	} else {
		shift = s.numeric(b, h.G, sub.G, bins, nbin, nd, &found)
	}
	alive := uint8(0)
	for k, nb := range nbin {
		if nd.scanned[b]>>k&1 == 0 {
			continue
		}
		f := b*hist.Lanes + k
		sp := none
		switch {
		case s.col[f].category:
			sp = s.categories(h, k, nb, f, nd)
		case s.general:
			sp = s.numericGeneral(h, k, nb, f, nd)
		case found.Bin[k] != 0:
			sp = split{gain: (found.Num[k]/found.Den[k] - shift) * s.gainScale, feature: f, bin: uint8(found.Bin[k]), missLeft: found.Bin[k]&hist.MissingLeft != 0}
		}
		if sp.feature < 0 {
			continue
		}
		alive |= 1 << k
		if (nd.allowed == nil || nd.allowed[b]>>k&1 == 1) && sp.before(best) {
			if sp.left == (core.Sums{}) && sp.set == nil {
				sp.left.A = hist.LeftSum(h.G, k, sp.bin, sp.missLeft)
			}
			*best = sp
		}
	}
	nd.alive[b] = alive
}

// numeric scans the columns of a block by the gain G²/(H+λ), in quantised units,
// and returns what a gain is over.
func (s *search) numeric(b int, h, sub *hist.Block, bins int, nbin []int, nd *node, found *hist.Best) (shift float64) {
	g, sum := hist.Unpack(nd.tot.A)
	rn := hist.RowNode{Node: hist.Node{G: float64(g), H: float64(sum), Lambda: s.lambda, MinH: s.minH}, Rows: float64(nd.rows), MinRows: float64(s.minData)}
	rn.PerH = rn.Rows / rn.H
	shift = float64(rn.G*rn.G)/(rn.H+rn.Lambda) + s.minSplit
	found.Start(shift, 1)
	hist.ScanRowsDown(h, sub, bins, &rn, found)
	if up := s.upwards[b] & nd.scanned[b]; up != 0 {
		var start [hist.Lanes]float64
		for k, nb := range nbin {
			if up>>k&1 == 1 && s.col[b*hist.Lanes+k].residual {
				start[k] = hist.Residual(h, k, nb, &rn)
			}
		}
		hist.ScanRowsUp(h, bins, up, &rn, &start, found)
	}
	return shift
}

// residual is the number of rows of the first bin: what the others leave over.
func (s *search) residual(h core.Planes, k, nb, rows int, perH float64) int {
	for b := range nb {
		if b != 1 {
			rows -= s.count(h.At(b*hist.Lanes+k), perH)
		}
	}
	return rows
}

// soft is the soft threshold of the L1 penalty.
func soft(g, l1 float64) float64 {
	switch {
	case g > l1:
		return g - l1
	case g < -l1:
		return g + l1
	}
	return 0
}

// value is what a leaf would have as its value, before the learning rate
// (CalculateSplittedLeafOutput).
func (s *search) value(g, h, l2 float64, rows int, parent float64) float64 {
	w := 0.0
	if h+l2 > 0 {
		w = -soft(g, s.l1) / (h + l2)
	}
	if s.maxDelta > 0 {
		w = min(max(w, -s.maxDelta), s.maxDelta)
	}
	if s.smooth > epsilon {
		a := float64(rows) / s.smooth
		w = float64(w*a)/(a+1) + parent/(a+1)
	}
	return w
}

// given is the gain of a leaf with a given value (GetLeafGainGivenOutput).
func (s *search) given(g, h, l2, w float64) float64 {
	return -(float64(2*soft(g, s.l1)*w) + float64((h+l2)*w*w))
}

// gain is the gain of a leaf with its best value (GetLeafGain).
func (s *search) gain(g, h, l2 float64, rows int, parent float64) float64 {
	if s.maxDelta == 0 && !(s.smooth > epsilon) {
		t := soft(g, s.l1)
		return t * t / (h + l2)
	}
	return s.given(g, h, l2, s.value(g, h, l2, rows, parent))
}

// pair is the gain of two children in real units; 0 where they break the
// constraint of the column.
func (s *search) pair(gl, hl, gr, hr, l2 float64, left, right int, mono int8, nd *node) float64 {
	if s.mono == nil {
		return s.gain(gl, hl, l2, left, nd.out) + s.gain(gr, hr, l2, right, nd.out)
	}
	a := nd.clip(s.value(gl, hl, l2, left, nd.out))
	b := nd.clip(s.value(gr, hr, l2, right, nd.out))
	if mono > 0 && a > b || mono < 0 && a < b {
		return 0
	}
	return s.given(gl, hl, l2, a) + s.given(gr, hr, l2, b)
}

// pick is the random choice of column f among n numbers from 0, 0 if there are
// none.
func (nd *node) pick(f, n int) int { return int(uint64(nd.random[f]) * uint64(max(n, 1)) >> 32) }

func (nd *node) clip(w float64) float64 { return min(max(w, nd.min), nd.max) }

// numericGeneral is numeric for every parameter.
func (s *search) numericGeneral(h core.Planes, k, nb, f int, nd *node) split {
	tg, th := s.unpack(nd.tot)
	G, H := float64(tg)*s.invG, float64(th)*s.invH
	perH := float64(nd.rows) / float64(th)
	mono := int8(0)
	if s.mono != nil {
		mono = s.mono[f]
	}
	shift := s.gain(G, H, s.l2, nd.rows, nd.out) + s.cfg.MinGainToSplit
	best := split{gain: shift, feature: -1}
	only := 0 // extra_trees: the threshold
	if nd.random != nil {
		bins := nb - 1
		if s.col[f].missing && !s.col[f].zeros {
			bins++
		}
		only = 1 + nd.pick(f, bins-2)
	}
	// try judges a split of which acc and cnt are one side.
	try := func(acc core.Sums, cnt, bin int, missLeft bool) (stop bool) {
		a, b := s.unpack(acc)
		if cnt < s.minData || float64(b) < s.minH {
			return false
		}
		if nd.rows-cnt < s.minData || float64(th-b) < s.minH {
			return true
		}
		if nd.random != nil && bin != only {
			return false
		}
		g1, h1 := float64(a)*s.invG, float64(b)*s.invH
		g2, h2 := float64(tg-a)*s.invG, float64(th-b)*s.invH
		if missLeft { // acc is the right side
			if gain := s.pair(g2, h2, g1, h1, s.l2, nd.rows-cnt, cnt, mono, nd); gain > best.gain {
				best = split{gain: gain, feature: f, bin: uint8(bin), missLeft: true, left: nd.tot.Less(acc), count: nd.rows - cnt}
			}
			return false
		}
		if gain := s.pair(g1, h1, g2, h2, s.l2, cnt, nd.rows-cnt, mono, nd); gain > best.gain {
			best = split{gain: gain, feature: f, bin: uint8(bin), left: acc, count: cnt}
		}
		return false
	}
	acc, cnt := core.Sums{}, 0
	for b := nb - 1; b > 1; b-- {
		v := h.At(b*hist.Lanes + k)
		acc = acc.Plus(v)
		cnt += s.count(v, perH)
		if try(acc, cnt, b-1, true) {
			break
		}
	}
	if col := &s.col[f]; col.missing {
		acc, cnt = core.Sums{}, 0
		last := nb
		if col.zeros {
			last--
		}
		for b := 1; b < last; b++ {
			v := h.At(b*hist.Lanes + k)
			acc = acc.Plus(v)
			if b == 1 && col.residual {
				cnt = s.residual(h, k, nb, nd.rows, perH)
			} else {
				cnt += s.count(v, perH)
			}
			if try(acc, cnt, b, false) {
				break
			}
		}
	}
	if best.feature >= 0 {
		best.gain -= shift
		if mono != 0 {
			best.gain *= 1 + epsilon
		}
	}
	return best
}
