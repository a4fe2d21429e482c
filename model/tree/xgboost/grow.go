package xgboost

import (
	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// leaf is a node that may still be split. Its rows are Idx[lo:hi].
type leaf struct {
	lo, hi, depth int
	node          int
	tot           uint64 // packed sums
	hist          int    // slot of its histogram, −1: none
	best          split
}

// growNode is a node while a tree grows.
type growNode struct {
	split       split
	gain        float64
	left, right int // 0: leaf
	lo, hi      int // rows of a leaf
	tot         uint64
}

// grower grows trees on one matrix.
type grower struct {
	*core.Histograms
	depth int
	bests [][2]split // of each worker
	srch  search
	nodes []growNode
}

func newGrower(m *core.Matrix, pl *core.Pool, depth int) *grower {
	return &grower{Histograms: core.NewHistograms(m, pl), depth: depth, bests: make([][2]split, pl.Workers)}
}

// scan finds worker w's best split of a node. If sub is not nil, h is first
// turned from the parent's histogram into the node's by taking sub away.
func (g *grower) scan(w int, h, sub []hist.Block, tot uint64) split {
	best := g.srch.none(tot)
	m := g.M
	from, to := g.Blocks(w)
	for b := from; b < to; b++ {
		if g.Mask(b) == 0 {
			continue
		}
		f0 := b * hist.Lanes
		var less *hist.Block
		if sub != nil {
			less = &sub[b]
		}
		if g.srch.general {
			if less != nil {
				hist.Subtract(&h[b], less, m.BlockBins[b])
			}
			g.srch.blockGeneral(&h[b], m.NBin[f0:min(m.P, f0+hist.Lanes)], tot, m.BlockMissing[b], f0, g.Mask(b), &best)
			continue
		}
		g.srch.block(&h[b], less, m.BlockBins[b], tot, m.BlockMissing[b], f0, g.Mask(b), &best)
	}
	if best.feature >= 0 {
		best.left = hist.LeftSum(&h[best.feature/hist.Lanes], best.feature%hist.Lanes, best.bin, best.missLeft)
	}
	return best
}

// choose returns the best split over all workers, which own ascending
// features, so that the lowest wins a tie. Its gain must exceed XGBoost's 1e-6
// and reach gamma.
func (g *grower) choose(k int, tot uint64) split {
	best := g.srch.none(tot)
	for w := range g.bests {
		if s := g.bests[w][k]; s.feature >= 0 && best.better(s.num, s.den) {
			best = s
		}
	}
	if best.feature >= 0 {
		if d := g.srch.gain(&best, tot); !(d > 1e-6 && d >= g.srch.minGain) {
			best.feature = -1
		}
	}
	return best
}

// grow grows a tree depth first on the rows of idx, whose packed sums are tot.
// The order in which nodes are split does not matter without a limit on
// leaves; depth first keeps few histograms alive. The result is in g.nodes.
func (g *grower) grow(tot uint64) {
	g.nodes = append(g.nodes[:0], growNode{tot: tot})
	root := leaf{lo: 0, hi: len(g.Idx), tot: tot, hist: -1, best: split{feature: -1}}
	if g.srch.splittable(tot, len(g.Idx)) {
		root.hist = g.Slot()
		h := g.At(root.hist)
		g.Pool.Run(len(g.Idx) >= core.ParallelRows/8, func(w int) {
			g.Build(w, 0, len(g.Idx), h)
			g.bests[w][0] = g.scan(w, h, nil, tot)
		})
		root.best = g.choose(0, tot)
	}
	stack := []leaf{root}
	for len(stack) > 0 {
		lf := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		nd := &g.nodes[lf.node]
		if lf.best.feature < 0 {
			g.Release(lf.hist)
			nd.lo, nd.hi = lf.lo, lf.hi
			continue
		}
		l, r := g.divide(&lf)
		g.open(&l, &r, lf.hist)
		stack = append(stack, r, l)
	}
}

// divide makes the children of lf.
func (g *grower) divide(lf *leaf) (l, r leaf) {
	mid := lf.lo + g.Partition(lf.lo, lf.hi, lf.best.rule())
	li := len(g.nodes)
	lt := lf.best.left
	rt := lf.tot - lt
	g.nodes = append(g.nodes, growNode{tot: lt}, growNode{tot: rt})
	nd := &g.nodes[lf.node]
	nd.split, nd.gain, nd.left, nd.right = lf.best, g.srch.gain(&lf.best, lf.tot), li, li+1
	l = leaf{lf.lo, mid, lf.depth + 1, li, lt, -1, split{feature: -1}}
	r = leaf{mid, lf.hi, lf.depth + 1, li + 1, rt, -1, split{feature: -1}}
	return l, r
}

// open finds the best splits of two siblings: it builds the histogram of the
// smaller one and subtracts it from the parent's, in the parent's slot. What
// cannot be split is left without.
func (g *grower) open(l, r *leaf, parent int) {
	small, large := l, r
	if r.hi-r.lo < l.hi-l.lo {
		small, large = r, l
	}
	can := func(lf *leaf) bool {
		return lf.depth < g.depth && g.srch.splittable(lf.tot, lf.hi-lf.lo)
	}
	doSmall, doLarge := can(small), can(large)
	if !doSmall && !doLarge {
		g.Release(parent)
		return
	}
	slot := g.Slot()
	hs, hl := g.At(slot), g.At(parent)
	g.Pool.Run(r.hi-l.lo >= core.ParallelRows/8, func(w int) {
		g.Build(w, small.lo, small.hi, hs)
		if doSmall {
			g.bests[w][0] = g.scan(w, hs, nil, small.tot)
		}
		if doLarge {
			g.bests[w][1] = g.scan(w, hl, hs, large.tot)
		}
	})
	if doSmall {
		small.hist, small.best = slot, g.choose(0, small.tot)
	} else {
		g.Release(slot)
	}
	if doLarge {
		large.hist, large.best = parent, g.choose(1, large.tot)
	} else {
		g.Release(parent)
	}
}
