package tree

import (
	"github.com/mlfactory/mlfactory/internal/simd/hist"
)

const (
	tile   = 1024     // rows whose words are gathered at once
	runLen = tile + 8 // keeps the runs of a tile from sharing one cache set
)

// leaf is a node that may still be split. Its rows are idx[lo:hi].
type leaf struct {
	lo, hi, depth int
	node          int
	tot           uint64 // packed sums
	hist          int    // slot of its histogram, −1: none
	best          split
}

// worker owns a range of blocks: histograms and split search are divided by
// feature, so that nothing is added up across workers.
type worker struct {
	b0, b1 int
	nl     int
	bests  [2]split
	gh     [tile]uint64
	words  []uint64 // gathered words, one run for each block
	part   []uint32 // buffer of partition
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
	m     *matrix
	pl    *pool
	ws    []worker
	depth int

	gh    []uint64 // packed gradient and hessian of every row
	idx   []uint32 // rows of the tree, reordered by partition
	mask  []uint8  // features of each block that the tree may use
	srch  search
	slots [][]hist.Block
	free  []int
	nodes []growNode
}

func newGrower(m *matrix, pl *pool, depth int) *grower {
	g := &grower{m: m, pl: pl, depth: depth, ws: make([]worker, pl.workers), mask: make([]uint8, m.blocks)}
	t, lines := pl.workers, (m.blocks+7)/8
	for w := range g.ws {
		k := &g.ws[w]
		k.b0, k.b1 = m.blocks*w/t, m.blocks*(w+1)/t
		if lines%t == 0 { // whole cache lines of a row for each worker
			k.b0, k.b1 = min(m.blocks, lines*w/t*8), min(m.blocks, lines*(w+1)/t*8)
		}
		k.words = make([]uint64, (k.b1-k.b0)*runLen)
		// One worker takes all rows; several take their share, left and right
		// apart, and the first takes all rows of a small node.
		room := m.n
		if t > 1 {
			room = max(parallelRows, 2*(m.n/t+16))
		}
		k.part = make([]uint32, room)
	}
	return g
}

// useAll lets trees use every feature; use restricts them to the given ones.
func (g *grower) useAll() {
	for b := range g.mask {
		g.mask[b] = uint8(1<<min(hist.Lanes, g.m.p-b*hist.Lanes) - 1)
	}
}

func (g *grower) use(features []int) {
	clear(g.mask)
	for _, f := range features {
		g.mask[f/hist.Lanes] |= 1 << (f % hist.Lanes)
	}
}

func (g *grower) slot() int {
	if n := len(g.free); n > 0 {
		s := g.free[n-1]
		g.free = g.free[:n-1]
		return s
	}
	g.slots = append(g.slots, make([]hist.Block, g.m.blocks))
	return len(g.slots) - 1
}

func (g *grower) release(slot int) {
	if slot >= 0 {
		g.free = append(g.free, slot)
	}
}

// build fills worker w's blocks of h from the rows idx[lo:hi].
func (g *grower) build(w, lo, hi int, h []hist.Block) {
	k, m := &g.ws[w], g.m
	if k.b0 == k.b1 {
		return
	}
	for b := k.b0; b < k.b1; b++ {
		if g.mask[b] != 0 {
			clear(h[b][:m.blkbin[b]*hist.Lanes])
		}
	}
	for s := lo; s < hi; s += tile {
		n := min(hi-s, tile)
		for i, r := range g.idx[s : s+n] {
			k.gh[i] = g.gh[r]
		}
		hist.Gather(m.words, m.stride, k.b0, g.idx[s:hi], n, k.b1-k.b0, k.words, runLen)
		for b := k.b0; b < k.b1; b++ {
			if g.mask[b] != 0 {
				o := (b - k.b0) * runLen
				hist.Build(k.words[o:o+n], k.gh[:n], &h[b])
			}
		}
	}
}

// scan finds worker w's best split of a node. If sub is not nil, h is first
// turned from the parent's histogram into the node's by taking sub away.
func (g *grower) scan(w int, h, sub []hist.Block, tot uint64) split {
	best := g.srch.none(tot)
	m := g.m
	for b := g.ws[w].b0; b < g.ws[w].b1; b++ {
		if g.mask[b] == 0 {
			continue
		}
		if sub != nil {
			hist.Subtract(&h[b], &sub[b], m.blkbin[b])
		}
		f0 := b * hist.Lanes
		g.srch.block(&h[b], m.nbin[f0:min(m.p, f0+hist.Lanes)], tot, m.blkna[b], f0, g.mask[b], &best)
	}
	return best
}

// choose returns the best split over all workers, which own ascending
// features, so that the lowest wins a tie. Its gain must exceed XGBoost's 1e-6
// and reach gamma.
func (g *grower) choose(k int, tot uint64) split {
	best := g.srch.none(tot)
	for w := range g.ws {
		if s := g.ws[w].bests[k]; s.feature >= 0 && best.better(s.num, s.den) {
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
	root := leaf{lo: 0, hi: len(g.idx), tot: tot, hist: -1, best: split{feature: -1}}
	if g.srch.splittable(tot, len(g.idx)) {
		root.hist = g.slot()
		h := g.slots[root.hist]
		g.pl.run(len(g.idx) >= parallelRows/8, func(w int) {
			g.build(w, 0, len(g.idx), h)
			g.ws[w].bests[0] = g.scan(w, h, nil, tot)
		})
		root.best = g.choose(0, tot)
	}
	stack := []leaf{root}
	for len(stack) > 0 {
		lf := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		nd := &g.nodes[lf.node]
		if lf.best.feature < 0 {
			g.release(lf.hist)
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
	mid := lf.lo + g.partition(lf)
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
		g.release(parent)
		return
	}
	slot := g.slot()
	hs, hl := g.slots[slot], g.slots[parent]
	g.pl.run(r.hi-l.lo >= parallelRows/8, func(w int) {
		g.build(w, small.lo, small.hi, hs)
		if doSmall {
			g.ws[w].bests[0] = g.scan(w, hs, nil, small.tot)
		}
		if doLarge {
			g.ws[w].bests[1] = g.scan(w, hl, hs, large.tot)
		}
	})
	if doSmall {
		small.hist, small.best = slot, g.choose(0, small.tot)
	} else {
		g.release(slot)
	}
	if doLarge {
		large.hist, large.best = parent, g.choose(1, large.tot)
	} else {
		g.release(parent)
	}
}
