package lightgbm

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
)

// leaf is a node that may still be split. Its rows are Idx[lo:hi].
type leaf struct {
	node
	lo, hi, depth int
	at            int   // in grower.nodes
	index         int   // LightGBM's number of the leaf: the left child keeps the parent's
	hist          int   // slot of its histogram, −1: none
	path          []int // columns that were split above, where interaction_constraints need them
	best          split
}

// growNode is a node while a tree grows.
type growNode struct {
	split       split
	left, right int // 0: leaf
	lo, hi      int
	tot         core.Sums
}

// grower grows trees on one matrix, leaf by leaf.
type grower struct {
	*core.Histograms
	srch     search
	cfg      *Config
	col      []column
	groups   [][]int    // interaction_constraints; nil: none
	found    [][2]split // best splits of each block, of two leaves
	nodes    []growNode
	queue    []*leaf // a heap, the leaf to split next first
	tree     []int   // the columns of the tree
	usable   []int   // the columns that splits can use at all
	leaves   []leaf  // all leaves of the tree, so that a tree makes few allocations
	masks    []uint8
	nodeRand *rand.Rand // feature_fraction_bynode
	tryRand  *rand.Rand // extra_trees
}

func newGrower(cfg *Config, m *core.Matrix, pl *core.Pool, col []column, mono []int8, groups [][]int, wide bool) *grower {
	g := &grower{Histograms: core.NewHistograms(m, pl), cfg: cfg, col: col, groups: groups, srch: newSearch(cfg, col, mono, wide), found: make([][2]split, m.Blocks)}
	for j := range col {
		if !col[j].unused {
			g.usable = append(g.usable, j)
		}
	}
	g.tree = g.usable
	g.Use(g.usable)
	return g
}

// share is how many of n columns a fraction keeps, at least one.
func share(n int, fraction float64) int {
	return min(n, max(min(1, n), int(float64(n)*fraction+0.5)))
}

// choose returns n of the numbers list, in order.
func choose(list []int, n int, r *rand.Rand) []int {
	out := make([]int, n)
	for i, k := range r.Perm(len(list))[:n] {
		out[i] = list[k]
	}
	slices.Sort(out)
	return out
}

// begin draws what is random about the next tree.
func (g *grower) begin(s rng.Stream, round, class int) {
	if g.cfg.FeatureFraction < 1 {
		g.tree = choose(g.usable, share(len(g.usable), g.cfg.FeatureFraction), s.Stream("feature_fraction", round, class).Rand())
		g.Use(g.tree)
	}
	if g.cfg.FeatureFractionBynode < 1 {
		g.nodeRand = s.Stream("feature_fraction_bynode", round, class).Rand()
	}
	if g.cfg.ExtraTrees {
		g.tryRand = s.Stream("extra_trees", round, class).Rand()
	}
}

// mask is room for a bit for every column.
func (g *grower) mask() []uint8 {
	n := g.M.Blocks
	if len(g.masks) < n {
		g.masks = make([]uint8, 64*n)
	}
	m := g.masks[:n:n]
	g.masks = g.masks[n:]
	return m
}

// grow grows a tree on the rows of Idx, whose sums are tot. The leaf of
// highest gain is split first (Shi 2007, "Best-first decision tree learning").
// The result is in g.nodes.
func (g *grower) grow(tot core.Sums) {
	g.nodes = append(g.nodes[:0], growNode{tot: tot, hi: len(g.Idx)})
	g.queue, g.leaves, g.masks = g.queue[:0], g.leaves[:0], nil
	if cap(g.leaves) < 2*g.cfg.NumLeaves {
		g.leaves = make([]leaf, 0, 2*g.cfg.NumLeaves)
	}
	gs, hs := g.srch.unpack(tot)
	g.leaves = append(g.leaves, leaf{hi: len(g.Idx), hist: -1, best: none})
	root := &g.leaves[0]
	root.node = node{tot: tot, rows: len(g.Idx), min: math.Inf(-1), max: math.Inf(1), scanned: g.mask()}
	flat := g.srch
	flat.smooth = 0 // the root has no parent
	root.out = flat.value(float64(gs)*flat.invG, float64(hs)*flat.invH, flat.l2, root.rows, 0)
	for b := range g.M.Blocks {
		root.scanned[b] = g.Mask(b)
	}
	if root.rows >= 2*g.cfg.MinDataInLeaf && root.rows > 1 && hs > 0 {
		root.hist = g.Slot()
		g.enter(root)
		g.seek(root, nil, root.hist, -1)
		g.settle(root, 0)
	}
	for n := 1; len(g.queue) > 0 && n < g.cfg.NumLeaves; n++ {
		lf := g.pop()
		l, r := g.divide(lf, n)
		if n+1 < g.cfg.NumLeaves {
			g.open(l, r, lf)
		} else {
			g.Release(lf.hist)
		}
	}
	for _, lf := range g.queue {
		g.Release(lf.hist)
	}
}

// enter draws what is random about a leaf that will be searched, in the order
// in which leaves are.
func (g *grower) enter(lf *leaf) {
	lf.alive = g.mask()
	if g.tryRand != nil && g.cfg.ExtraTrees {
		lf.random = make([]uint32, g.M.P)
		for j := range lf.random {
			lf.random[j] = g.tryRand.Uint32()
		}
	}
	if g.groups == nil && g.cfg.FeatureFractionBynode == 1 {
		return
	}
	list := g.tree
	n := share(len(list), g.cfg.FeatureFractionBynode)
	if g.groups != nil {
		list = g.together(list, lf.path)
		n = min(n, len(list))
	}
	if g.cfg.FeatureFractionBynode < 1 {
		list = choose(list, n, g.nodeRand)
	}
	lf.allowed = g.mask()
	clear(lf.allowed)
	for _, j := range list {
		lf.allowed[j/hist.Lanes] |= 1 << (j % hist.Lanes)
	}
}

// together lists the columns that may be split below those of a path: the same
// ones and those of every group that holds them all.
func (g *grower) together(list, path []int) []int {
	may := slices.Clone(path)
	for _, group := range g.groups {
		all := true
		for _, j := range path {
			all = all && slices.Contains(group, j)
		}
		if all {
			may = append(may, group...)
		}
	}
	var out []int
	for _, j := range list {
		if slices.Contains(may, j) {
			out = append(out, j)
		}
	}
	return out
}

// seek builds the histogram of small in a slot and finds the best splits of each
// block: those of small unless it is not to be searched (alive is nil), and those
// of large, its sibling, unless that is nil, whose histogram is what its parent's
// leaves over.
func (g *grower) seek(small, large *leaf, slot, parent int) {
	h := g.At(slot)
	var rest []hist.Block
	if large != nil {
		rest = g.At(parent)
	}
	jobs := [1]core.Job{{Lo: small.lo, Hi: small.hi, Slot: slot}}
	g.BuildAll(jobs[:], func(_, from, to int) {
		for b := from; b < to; b++ {
			if small.alive != nil {
				g.found[b][0] = g.scan(b, g.Planes(h, b), core.Planes{}, small)
			}
			if large != nil {
				g.found[b][1] = g.scan(b, g.Planes(rest, b), g.Planes(h, b), large)
			}
		}
	})
}

// scan finds the best split of a leaf in block b. less, unless it is none, is
// first taken from h, which turns the parent's histogram into the leaf's.
func (g *grower) scan(b int, h, less core.Planes, lf *leaf) split {
	best := none
	if lf.scanned[b] == 0 {
		lf.alive[b] = 0
		return best
	}
	f0 := b * hist.Lanes
	g.srch.block(b, h, less, g.M.BlockBins[b], g.M.NBin[f0:min(g.M.P, f0+hist.Lanes)], &lf.node, &best)
	return best
}

// settle takes the best split over all blocks and queues the leaf.
func (g *grower) settle(lf *leaf, k int) {
	lf.best = none
	for b := range g.found {
		if g.found[b][k].before(&lf.best) {
			lf.best = g.found[b][k]
		}
	}
	if lf.best.feature < 0 || !(lf.best.gain > 0) {
		g.Release(lf.hist)
		lf.hist = -1
		return
	}
	g.push(lf)
}

// divide makes the children of lf; the right one becomes leaf number n.
func (g *grower) divide(lf *leaf, n int) (l, r *leaf) {
	s := &lf.best
	mid := lf.lo + g.Partition(lf.lo, lf.hi, s.rule())
	li := len(g.nodes)
	g.nodes = append(g.nodes, growNode{tot: s.left, lo: lf.lo, hi: mid}, growNode{tot: lf.tot.Less(s.left), lo: mid, hi: lf.hi})
	nd := &g.nodes[lf.at]
	nd.split, nd.left, nd.right = *s, li, li+1
	k := len(g.leaves)
	g.leaves = g.leaves[:k+2]
	l, r = &g.leaves[k], &g.leaves[k+1]
	*l = leaf{lo: lf.lo, hi: mid, depth: lf.depth + 1, at: li, index: lf.index, hist: -1, best: none, path: lf.path}
	*r = leaf{lo: mid, hi: lf.hi, depth: lf.depth + 1, at: li + 1, index: n, hist: -1, best: none, path: lf.path}
	l.node = node{tot: s.left, rows: mid - lf.lo, min: lf.min, max: lf.max, scanned: lf.alive}
	r.node = node{tot: lf.tot.Less(s.left), rows: lf.hi - mid, min: lf.min, max: lf.max, scanned: lf.alive}
	if g.groups != nil && !slices.Contains(lf.path, s.feature) {
		path := append(slices.Clone(lf.path), s.feature)
		l.path, r.path = path, path
	}
	if g.srch.general {
		gl, hl, gr, hr := g.srch.sides(s.left, lf.tot)
		l.out, r.out = g.srch.children(s, &lf.node, gl, hl, gr, hr)
		g.srch.constrain(s, &l.node, &r.node)
	}
	return l, r
}

// children are the values of the two sides of a split of nd.
func (s *search) children(sp *split, nd *node, gl, hl, gr, hr float64) (l, r float64) {
	l2 := s.l2
	if sp.many {
		l2 += s.cfg.CatL2
	}
	l = s.value(gl, hl, l2, sp.count, nd.out)
	r = s.value(gr, hr, l2, nd.rows-sp.count, nd.out)
	if s.mono != nil {
		l, r = nd.clip(l), nd.clip(r)
		if m := s.mono[sp.feature]; sp.set == nil && (m > 0 && l > r || m < 0 && l < r) {
			// By rounding alone: the search would not have chosen it.
			l = (l + r) / 2
			r = l
		}
	}
	return l, r
}

// constrain keeps what comes below the children of a split on their sides of
// the middle (BasicLeafConstraints).
func (s *search) constrain(sp *split, l, r *node) {
	if s.mono == nil || sp.set != nil {
		return
	}
	mid := (l.out + r.out) / 2
	switch m := s.mono[sp.feature]; {
	case m > 0:
		l.max, r.min = min(l.max, mid), max(r.min, mid)
	case m < 0:
		l.min, r.max = max(l.min, mid), min(r.max, mid)
	}
}

// open finds the best splits of two siblings: it builds the histogram of the
// smaller one and subtracts it from the parent's, in the parent's slot. What
// cannot be split is left without.
func (g *grower) open(l, r, parent *leaf) {
	small, large := l, r
	if r.rows < l.rows {
		small, large = r, l
	}
	can := func(lf *leaf) bool {
		_, h := g.srch.unpack(lf.tot)
		return (g.cfg.MaxDepth <= 0 || lf.depth < g.cfg.MaxDepth) && lf.rows >= 2*g.cfg.MinDataInLeaf && lf.rows > 1 && float64(h) >= 2*g.srch.minH
	}
	doSmall, doLarge := can(small), can(large)
	if !doSmall && !doLarge {
		g.Release(parent.hist)
		return
	}
	for _, lf := range []*leaf{l, r} {
		if lf == small && doSmall || lf == large && doLarge {
			g.enter(lf)
		}
	}
	slot := g.Slot()
	if doLarge {
		g.seek(small, large, slot, parent.hist)
	} else {
		g.seek(small, nil, slot, -1)
	}
	if doSmall {
		small.hist = slot
		g.settle(small, 0)
	} else {
		g.Release(slot)
	}
	if doLarge {
		large.hist = parent.hist
		g.settle(large, 1)
	} else {
		g.Release(parent.hist)
	}
}

// sooner reports whether a is split before b: the higher gain, among equals the
// lower column, then the older leaf.
func sooner(a, b *leaf) bool {
	if a.best.gain != b.best.gain || a.best.feature != b.best.feature {
		return a.best.before(&b.best)
	}
	return a.index < b.index
}

func (g *grower) push(lf *leaf) {
	g.queue = append(g.queue, lf)
	q := g.queue
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !sooner(q[i], q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (g *grower) pop() *leaf {
	q := g.queue
	top, n := q[0], len(q)-1
	q[0] = q[n]
	q = q[:n]
	for i := 0; ; {
		k := 2*i + 1
		if k >= n {
			break
		}
		if k+1 < n && sooner(q[k+1], q[k]) {
			k++
		}
		if !sooner(q[k], q[i]) {
			break
		}
		q[i], q[k] = q[k], q[i]
		i = k
	}
	g.queue = q
	return top
}
