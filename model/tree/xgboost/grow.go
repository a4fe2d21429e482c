package xgboost

import (
	"slices"
	"unsafe"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// leaf is a node that may still be split. Its rows are Idx[lo:hi].
type leaf struct {
	lo, hi, depth int
	node          int
	tot           core.Sums
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
	batch     int // most nodes that are split at once
	lossguide bool
	cols      columns
	groups    [][]uint8 // that may meet on one path; nil: all columns
	srch      search
	nodes     []growNode

	open  []leaf
	parts []core.Part
	pairs []pair
	jobs  []core.Job
	found []split // of each pair and block: the best split of the smaller child and of the larger
}

// pair is two siblings, or the root alone, whose splits are sought: the
// histogram of the smaller is built, that of the larger is the parent's less
// this.
type pair struct {
	small, large   leaf
	parent, slot   int // slots of the parent and of the smaller child, −1: none
	doSmall        bool
	doLarge        bool
	swapped        bool    // the smaller child is the right one
	maskS, maskL   []uint8 // columns of each; nil: those of the tree
	nodeS, nodeL   state
	startS, startL split
}

// batchBytes bounds the histograms that a batch of nodes adds, so that a deep
// tree of many columns keeps few alive.
const batchBytes = 32 << 20

func newGrower(m *core.Matrix, pl *core.Pool) *grower {
	size := m.Blocks * int(unsafe.Sizeof(hist.Block{}))
	return &grower{Histograms: core.NewHistograms(m, pl), batch: min(max(batchBytes/size, 1), 32)}
}

// scan finds the best split of a node among the features of block b that count:
// those of the tree, of mask and of lf.meet (nil: all). If sub is not nil, h is
// first turned from the parent's histogram into the node's by taking sub away.
// Every block is searched on its own, so that rounding cannot tell how blocks
// were divided among workers.
func (g *grower) scan(b int, h, sub []hist.Block, lf *leaf, nd *state, mask []uint8, best split) split {
	m := g.M
	on := g.Mask(b)
	if on == 0 {
		return best
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
	if on != 0 && !g.srch.general {
		g.srch.block(&h[b], less, m.BlockBins[b], nd, m.BlockMissing[b], f0, on, &best)
		return best
	}
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
		g.srch.blockGeneral(&h[b], wide, m.NBin[f0:min(m.P, f0+hist.Lanes)], nd, m.BlockMissing[b], f0, on, &best)
	}
	return best
}

// choose returns the best split over the blocks, at every other place of found,
// from the lowest feature up, so that it wins a tie. Its gain must exceed
// XGBoost's 1e-6 and reach gamma.
func (g *grower) choose(found []split, best split, nd *state, h []hist.Block) split {
	for i := 0; i < len(found); i += 2 {
		if s := &found[i]; s.feature >= 0 && best.better(s.num, s.den) {
			best = *s
		}
	}
	if best.feature < 0 {
		return best
	}
	if best.left == (core.Sums{}) {
		g.sumLeft(&best, h)
	}
	if d := g.srch.gain(&best, nd); !(d > 1e-6 && d >= g.srch.minGain) {
		best.feature = -1
	}
	return best
}

// sumLeft notes the sums of what a split sends left.
func (g *grower) sumLeft(s *split, h []hist.Block) {
	b, k := s.feature/hist.Lanes, s.feature%hist.Lanes
	s.left.A = hist.LeftSum(&h[b], k, s.bin, s.missLeft)
	if g.srch.wide {
		s.left.B = hist.LeftSum(&g.Wide(h)[b], k, s.bin, s.missLeft)
	}
}

// grow grows a tree on the rows of idx, whose sums are tot, and leaves it
// in g.nodes. With grow_policy lossguide the leaf of highest gain is split
// first, the older one on a tie; otherwise level by level as far as a limit on
// leaves makes the order matter, or as many nodes at once as histograms may be
// alive.
func (g *grower) grow(tot core.Sums) {
	root := leaf{lo: 0, hi: len(g.Idx), tot: tot, hist: -1, best: split{feature: -1}}
	g.nodes = append(g.nodes[:0], growNode{})
	if g.srch.mono != nil {
		g.nodes[0].bounds = free()
	}
	if g.srch.splittable(tot, len(g.Idx)) {
		p := pair{small: root, parent: -1, slot: g.Slot(), doSmall: true, maskS: g.cols.mask(0, 0)}
		g.pairs = append(g.pairs[:0], p)
		g.seek()
		root = g.pairs[0].small
	}
	g.open = append(g.open[:0], root)
	for leaves := 1; len(g.open) > 0; {
		leaves += g.split(leaves)
		g.seek()
		for i := range g.pairs {
			p := &g.pairs[i]
			l, r := p.small, p.large
			if p.swapped {
				l, r = r, l
			}
			g.open = append(g.open, l, r)
		}
	}
}

// split splits the next leaves, makes pairs of their children, takes both out
// of the open ones, and returns how many there were. Leaves that come up and
// have no split are final.
func (g *grower) split(leaves int) int {
	g.parts, g.pairs = g.parts[:0], g.pairs[:0]
	var ready []leaf
	for len(g.open) > 0 && len(ready) < g.batch {
		k := g.next()
		lf := g.open[k]
		if len(ready) > 0 && (g.lossguide || g.leaves > 0 && lf.depth != ready[0].depth) {
			break
		}
		g.open = slices.Delete(g.open, k, k+1)
		if lf.best.feature < 0 || g.leaves > 0 && leaves+len(ready) >= g.leaves {
			g.Release(lf.hist)
			g.nodes[lf.node].lo, g.nodes[lf.node].hi = lf.lo, lf.hi
			continue
		}
		ready = append(ready, lf)
		g.parts = append(g.parts, core.Part{Lo: lf.lo, Hi: lf.hi, Rule: lf.best.rule()})
	}
	g.PartitionAll(g.parts)
	for i := range ready {
		lf := &ready[i]
		l, r := g.divide(lf, lf.lo+g.parts[i].Left)
		if leaves++; g.leaves > 0 && leaves >= g.leaves {
			g.Release(lf.hist) // no split will follow
			g.pairs = append(g.pairs, pair{small: l, large: r, parent: -1, slot: -1})
			continue
		}
		g.pairs = append(g.pairs, g.pair(&l, &r, lf.hist))
	}
	return len(ready)
}

// next is the leaf to be split next.
func (g *grower) next() int {
	if !g.lossguide {
		if g.leaves > 0 {
			return 0
		}
		return len(g.open) - 1
	}
	best, top := 0, float32(-1)
	for k := range g.open {
		gain := float32(-1)
		if lf := &g.open[k]; lf.best.feature >= 0 {
			gain = float32(lf.best.gain)
		}
		if gain > top || gain == top && g.open[k].node < g.open[best].node {
			best, top = k, gain
		}
	}
	return best
}

// divide makes the children of lf, of which the right one begins at mid.
func (g *grower) divide(lf *leaf, mid int) (l, r leaf) {
	li := len(g.nodes)
	lt := lf.best.left
	rt := lf.tot.Less(lt)
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

// pair prepares the search for the splits of two siblings: what cannot be split
// is left without a histogram.
func (g *grower) pair(l, r *leaf, parent int) pair {
	p := pair{small: *l, large: *r, parent: parent, slot: -1}
	if r.hi-r.lo < l.hi-l.lo {
		p.small, p.large, p.swapped = *r, *l, true
	}
	can := func(lf *leaf) bool {
		return (g.depth == 0 || lf.depth < g.depth) && g.srch.splittable(lf.tot, lf.hi-lf.lo)
	}
	p.doSmall, p.doLarge = can(&p.small), can(&p.large)
	if !p.doSmall && !p.doLarge {
		g.Release(parent)
		p.parent = -1
		return p
	}
	p.slot = g.Slot()
	if p.doSmall {
		p.maskS = g.cols.mask(p.small.depth, p.small.node)
	}
	if p.doLarge {
		p.maskL = g.cols.mask(p.large.depth, p.large.node)
	}
	return p
}

// seek finds the best splits of all pairs that have a slot.
func (g *grower) seek() {
	g.jobs = g.jobs[:0]
	var of []int // pair of each job
	for i := range g.pairs {
		p := &g.pairs[i]
		if p.slot < 0 {
			continue
		}
		p.nodeS = g.srch.node(p.small.tot, g.nodes[p.small.node].bounds)
		p.startS = g.srch.none(&p.nodeS)
		if p.doLarge {
			p.nodeL = g.srch.node(p.large.tot, g.nodes[p.large.node].bounds)
			p.startL = g.srch.none(&p.nodeL)
		}
		of = append(of, i)
		g.jobs = append(g.jobs, core.Job{Lo: p.small.lo, Hi: p.small.hi, Slot: p.slot})
	}
	if len(of) == 0 {
		return
	}
	each := 2 * g.M.Blocks
	if n := len(of) * each; len(g.found) < n {
		g.found = make([]split, n)
	}
	g.BuildAll(g.jobs, func(job, from, to int) {
		p := &g.pairs[of[job]]
		found := g.found[job*each : (job+1)*each]
		h := g.At(p.slot)
		var parent []hist.Block
		if p.doLarge {
			parent = g.At(p.parent)
		}
		bestS, bestL := p.startS, p.startL
		for b := from; b < to; b++ {
			if p.doSmall {
				s := g.scan(b, h, nil, &p.small, &p.nodeS, p.maskS, p.startS)
				if bestS.better(s.num, s.den) { // sums are read while they are in cache, where they may be wanted
					g.sumLeft(&s, h)
					bestS = s
				}
				found[2*b] = s
			}
			if p.doLarge {
				s := g.scan(b, parent, h, &p.large, &p.nodeL, p.maskL, p.startL)
				if bestL.better(s.num, s.den) {
					g.sumLeft(&s, parent)
					bestL = s
				}
				found[2*b+1] = s
			}
		}
	})
	for job, i := range of {
		p := &g.pairs[i]
		found := g.found[job*each : (job+1)*each]
		if p.doSmall {
			p.small.hist, p.small.best = p.slot, g.choose(found, p.startS, &p.nodeS, g.At(p.slot))
		} else {
			g.Release(p.slot)
		}
		if p.doLarge {
			p.large.hist, p.large.best = p.parent, g.choose(found[1:], p.startL, &p.nodeL, g.At(p.parent))
		} else {
			g.Release(p.parent)
		}
	}
}
