package xgboost

import (
	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// leaf is a node that may still be split. Its rows are Idx[lo:hi].
type leaf struct {
	lo, hi, depth int
	node          int
	tot           sums
	hist          int     // slot of its histogram, −1: none
	used, meet    []uint8 // columns used above, and those that may follow; nil: all
	best          split
}

// growNode is a node while a tree grows.
type growNode struct {
	split       split
	gain        float64
	left, right int // 0: leaf
	lo, hi      int // rows of a leaf
	bounds      bounds
}

// grower grows trees on one matrix.
type grower struct {
	*core.Histograms
	depth     int // most levels, 0: no limit
	leaves    int // most leaves, 0: no limit
	lossguide bool
	cols      columns
	groups    [][]uint8 // that may meet on one path; nil: all columns
	bests     [][2]split
	srch      search
	nodes     []growNode
}

func newGrower(m *core.Matrix, pl *core.Pool) *grower {
	return &grower{Histograms: core.NewHistograms(m, pl), bests: make([][2]split, pl.Workers)}
}

// scan finds worker w's best split of a node among the columns of mask (nil:
// those of the tree). If sub is not nil, h is first turned from the parent's
// histogram into the node's by taking sub away.
func (g *grower) scan(w int, h, sub []hist.Block, lf *leaf, mask []uint8) split {
	nd := g.srch.node(lf.tot, g.nodes[lf.node].bounds)
	best := g.srch.none(&nd)
	m := g.M
	from, to := g.Blocks(w)
	for b := from; b < to; b++ {
		on := g.Mask(b)
		if on == 0 {
			continue
		}
		var less *hist.Block
		if sub != nil {
			less = &sub[b]
		}
		if mask != nil {
			on &= mask[b]
		}
		if lf.meet != nil {
			on &= lf.meet[b]
		}
		f0 := b * hist.Lanes
		if on == 0 || g.srch.general {
			var wide *hist.Block
			if less != nil {
				hist.Subtract(&h[b], less, m.BlockBins[b])
			}
			if g.srch.wide {
				wide = &g.Wide(h)[b]
				if less != nil {
					hist.Subtract(wide, &g.Wide(sub)[b], m.BlockBins[b])
				}
			}
			if on != 0 {
				g.srch.blockGeneral(&h[b], wide, m.NBin[f0:min(m.P, f0+hist.Lanes)], &nd, m.BlockMissing[b], f0, on, &best)
			}
			continue
		}
		g.srch.block(&h[b], less, m.BlockBins[b], &nd, m.BlockMissing[b], f0, on, &best)
	}
	if best.feature >= 0 {
		b, k := best.feature/hist.Lanes, best.feature%hist.Lanes
		best.left.a = hist.LeftSum(&h[b], k, best.bin, best.missLeft)
		if g.srch.wide {
			best.left.b = hist.LeftSum(&g.Wide(h)[b], k, best.bin, best.missLeft)
		}
	}
	return best
}

// choose returns the best split over all workers, which own ascending
// features, so that the lowest wins a tie. Its gain must exceed XGBoost's 1e-6
// and reach gamma.
func (g *grower) choose(k int, lf *leaf) split {
	nd := g.srch.node(lf.tot, g.nodes[lf.node].bounds)
	best := g.srch.none(&nd)
	for w := range g.bests {
		if s := g.bests[w][k]; s.feature >= 0 && best.better(s.num, s.den) {
			best = s
		}
	}
	if best.feature >= 0 {
		if d := g.srch.gain(&best, &nd); !(d > 1e-6 && d >= g.srch.minGain) {
			best.feature = -1
		}
	}
	return best
}

// grow grows a tree on the rows of idx, whose sums are tot, and leaves it
// in g.nodes. With grow_policy lossguide the leaf of highest gain is split
// first, the older one on a tie; otherwise level by level, or depth first
// where no limit on leaves makes the order matter: that keeps few histograms
// alive.
func (g *grower) grow(tot sums) {
	root := leaf{lo: 0, hi: len(g.Idx), tot: tot, hist: -1, best: split{feature: -1}}
	g.nodes = append(g.nodes[:0], growNode{})
	if g.srch.mono != nil {
		g.nodes[0].bounds = free()
	}
	if g.srch.splittable(tot, len(g.Idx)) {
		root.hist = g.Slot()
		h, mask := g.At(root.hist), g.cols.mask(0, 0)
		g.Pool.Run(len(g.Idx) >= core.ParallelRows/8, func(w int) {
			g.Build(w, 0, len(g.Idx), h)
			g.bests[w][0] = g.scan(w, h, nil, &root, mask)
		})
		root.best = g.choose(0, &root)
	}
	open, leaves := []leaf{root}, 1
	for len(open) > 0 {
		k := g.next(open)
		lf := open[k]
		open = append(open[:k], open[k+1:]...)
		if lf.best.feature < 0 || g.leaves > 0 && leaves >= g.leaves {
			g.Release(lf.hist)
			g.nodes[lf.node].lo, g.nodes[lf.node].hi = lf.lo, lf.hi
			continue
		}
		leaves++
		l, r := g.divide(&lf)
		if g.leaves > 0 && leaves >= g.leaves {
			g.Release(lf.hist) // no split will follow
		} else {
			g.open(&l, &r, lf.hist)
		}
		if g.leaves > 0 {
			open = append(open, l, r)
		} else {
			open = append(open, r, l)
		}
	}
}

// next is the leaf to be split next.
func (g *grower) next(open []leaf) int {
	if !g.lossguide {
		if g.leaves > 0 {
			return 0
		}
		return len(open) - 1
	}
	best, top := 0, float32(-1)
	for k := range open {
		gain := float32(-1)
		if lf := &open[k]; lf.best.feature >= 0 {
			gain = float32(lf.best.gain)
		}
		if gain > top || gain == top && open[k].node < open[best].node {
			best, top = k, gain
		}
	}
	return best
}

// divide makes the children of lf.
func (g *grower) divide(lf *leaf) (l, r leaf) {
	mid := lf.lo + g.Partition(lf.lo, lf.hi, lf.best.rule())
	li := len(g.nodes)
	lt := lf.best.left
	rt := lf.tot.less(lt)
	nd := &g.nodes[lf.node]
	nd.split, nd.gain, nd.left, nd.right = lf.best, lf.best.gain, li, li+1
	var lb, rb bounds
	if g.srch.mono != nil {
		lb, rb = nd.bounds.split(g.srch.mono[lf.best.feature], g.srch.leafWeight(lt, nd.bounds), g.srch.leafWeight(rt, nd.bounds))
	}
	g.nodes = append(g.nodes, growNode{bounds: lb}, growNode{bounds: rb})
	l = leaf{lo: lf.lo, hi: mid, depth: lf.depth + 1, node: li, tot: lt, hist: -1, best: split{feature: -1}}
	r = leaf{lo: mid, hi: lf.hi, depth: lf.depth + 1, node: li + 1, tot: rt, hist: -1, best: split{feature: -1}}
	if g.groups != nil {
		l.used = make([]uint8, g.M.Blocks)
		copy(l.used, lf.used)
		l.used[lf.best.feature/hist.Lanes] |= 1 << (lf.best.feature % hist.Lanes)
		l.meet = meet(g.groups, l.used)
		r.used, r.meet = l.used, l.meet
	}
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
		return (g.depth == 0 || lf.depth < g.depth) && g.srch.splittable(lf.tot, lf.hi-lf.lo)
	}
	doSmall, doLarge := can(small), can(large)
	if !doSmall && !doLarge {
		g.Release(parent)
		return
	}
	slot := g.Slot()
	hs, hl := g.At(slot), g.At(parent)
	maskS, maskL := g.cols.mask(small.depth, small.node), g.cols.mask(large.depth, large.node)
	g.Pool.Run(r.hi-l.lo >= core.ParallelRows/8, func(w int) {
		g.Build(w, small.lo, small.hi, hs)
		if doSmall {
			g.bests[w][0] = g.scan(w, hs, nil, small, maskS)
		}
		if doLarge {
			g.bests[w][1] = g.scan(w, hl, hs, large, maskL)
		}
	})
	if doSmall {
		small.hist, small.best = slot, g.choose(0, small)
	} else {
		g.Release(slot)
	}
	if doLarge {
		large.hist, large.best = parent, g.choose(1, large)
	} else {
		g.Release(parent)
	}
}
