package forest

import (
	"container/heap"
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/stat"
)

// A row's entry has its weight in integer units above and a count of 1 below,
// so that one addition keeps both sums.
const (
	countBits = 26
	maxRows   = 1<<countBits - 1
	countMask = 1<<countBits - 1
	maxWeight = 1 << 37 // total weight of a tree in units, less what rounding adds
	maxSpan   = 1 << 36 // of weights, so that the least keeps a unit
	maxSum    = 1 << 51 // of |weight·target| in units: sums are exact in a float64
)

// sums are those of the rows of a node, in integer units.
type sums struct {
	s [maxClasses]float64 // weight by class; or Σ weight·target
	w float64             // weight
	n float64             // rows
}

func (a sums) less(b sums) sums {
	for c := range a.s {
		a.s[c] -= b.s[c]
	}
	a.w, a.n = a.w-b.w, a.n-b.n
	return a
}

// node is a node while its tree grows.
type node struct {
	lo, hi   int // rows
	depth    int
	left     int32 // 0: leaf
	right    int32
	sum      sums
	bounds   bounds
	impurity float64
	gain     float64 // of its split, times the node's share of the weight
	split    split
}

// split sends bins up to limit, or values below threshold, to the left.
type split struct {
	feature   int32
	limit     uint8
	missLeft  bool
	threshold float32
	score     float64
	left      sums
}

// grower grows one tree after another.
type grower struct {
	*problem
	rnd   *rand.Rand
	count []uint32 // draws by row
	// The rows of the tree, ordered so that those of a node are together: the
	// row and its class (scalar for a number), weight and count, weight·target.
	key            []uint32
	ent            []uint64
	wy             []int64
	key2           []uint32 // room for the rows that go right
	ent2           []uint64
	wy2            []int64
	perm           []int32   // columns in a random order
	vals           []float32 // extra trees: values of the rows of a node
	left           []uint8   // whether each row of a node goes left
	hist           [256][4]uint64
	bins           bins
	nodes          []node
	unit, unitY    float64 // of weight and weight·target
	total, minLeaf float64 // weight of the tree, least weight of a leaf
}

// scalar is the lane of weight and count where the target is a number, whose
// sums are in lane 0.
const scalar = 3

func newGrower(p *problem) *grower {
	g := &grower{problem: p, perm: make([]int32, p.x.P)}
	if p.cfg.Bootstrap {
		g.count = make([]uint32, p.n)
	}
	return g
}

// grow grows a tree from a random stream. The nodes are valid until the next.
func (g *grower) grow(r *rand.Rand) {
	g.rnd = r
	for j := range g.perm {
		g.perm[j] = int32(j) // #nosec G115 -- columns are far fewer
	}
	g.sample()
	g.nodes = g.nodes[:0]
	root := node{hi: len(g.key), sum: g.sumRows(), bounds: free()}
	g.total = root.sum.w
	g.minLeaf = g.cfg.MinWeightFractionLeaf * g.total
	root.impurity = g.impurity(&root)
	g.nodes = append(g.nodes, root)
	if g.cfg.MaxLeafNodes > 0 {
		g.bestFirst()
	} else {
		g.depthFirst()
	}
	if g.cfg.CCPAlpha > 0 {
		g.prune(0)
	}
}

// sample fills key, ent and wy with the rows of a tree.
func (g *grower) sample() {
	g.key, g.ent, g.wy = g.key[:0], g.ent[:0], g.wy[:0]
	if g.cfg.Bootstrap {
		clear(g.count)
		g.bag.draw(g.rnd, g.draws, g.count)
	}
	by := [maxClasses]float64{1, 1, 1}
	if g.cfg.ClassWeight == balancedSubsample {
		var of [maxClasses]float64
		for i, c := range g.count {
			of[g.cls[i]] += float64(c)
		}
		by = balance(of)
	}
	// weight of row i in this tree
	weight := func(i int) float64 {
		switch {
		case g.cfg.Bootstrap && g.cls != nil:
			return float64(g.count[i]) * by[g.cls[i]]
		case g.cfg.Bootstrap:
			return float64(g.count[i])
		case g.w != nil:
			return g.w[i]
		}
		return 1
	}
	total, totalY := 0.0, 0.0
	for i := range g.n {
		w := weight(i)
		total += w
		if g.y != nil {
			totalY += math.Abs(w * g.y[i])
		}
	}
	g.unit, g.unitY = powerOfTwo(maxWeight/total), 1
	if totalY > 0 {
		g.unitY = powerOfTwo(maxSum / totalY)
	}
	for i := range g.n {
		w := weight(i)
		if w == 0 {
			continue
		}
		lane := uint32(scalar)
		if g.cls != nil {
			lane = uint32(g.cls[i])
		} else {
			g.wy = append(g.wy, int64(math.RoundToEven(w*g.y[i]*g.unitY)))
		}
		g.key = append(g.key, uint32(i)<<2|lane) // #nosec G115 -- i < 2²⁶
		g.ent = append(g.ent, uint64(max(1, math.RoundToEven(w*g.unit)))<<countBits|1)
	}
	if cap(g.key2) < len(g.key) {
		g.key2, g.ent2, g.left = make([]uint32, g.n), make([]uint64, g.n), make([]uint8, g.n)
		if g.y != nil {
			g.wy2 = make([]int64, g.n)
		}
		if g.kind == Extra {
			g.vals = make([]float32, g.n)
		}
	}
}

// powerOfTwo is the largest power of two that is at most x.
func powerOfTwo(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, min(max(e-1, -1000), 1000))
}

// sumRows adds up all rows.
func (g *grower) sumRows() (t sums) {
	var lane [4]uint64
	for i, k := range g.key {
		lane[k&3] += g.ent[i]
	}
	wy := int64(0)
	for _, v := range g.wy {
		wy += v
	}
	all := lane[0] + lane[1] + lane[2] + lane[3]
	t.w, t.n = float64(all>>countBits), float64(all&countMask)
	if g.y != nil {
		t.s[0] = float64(wy)
		return t
	}
	for c := range t.s {
		t.s[c] = float64(lane[c] >> countBits)
	}
	return t
}

// impurity is that of a node in the units of the criterion: Gini, bits, or
// variance.
func (g *grower) impurity(nd *node) float64 {
	t := &nd.sum
	switch {
	case g.y != nil:
		sq := 0.0
		for i := nd.lo; i < nd.hi; i++ {
			v := float64(g.wy[i])
			sq += v * v / float64(g.ent[i]>>countBits)
		}
		// wy is in units of unitY, weights in units of unit.
		m, f := t.s[0]/t.w, g.unit/g.unitY
		return max(0, sq/t.w-float64(m*m)) * f * f
	case g.cfg.Criterion == Gini:
		out := 1.0
		for _, s := range t.s {
			q := s / t.w
			out -= float64(q * q)
		}
		return out
	}
	out := 0.0
	for _, s := range t.s {
		if s > 0 {
			q := s / t.w
			out -= float64(q * stat.Log(q))
		}
	}
	return out / math.Ln2
}

// pure reports whether all rows of a node have the same target.
func (g *grower) pure(nd *node) bool {
	if g.y == nil {
		return max(nd.sum.s[0], nd.sum.s[1], nd.sum.s[2]) == nd.sum.w
	}
	first := g.y[g.key[nd.lo]>>2]
	for _, k := range g.key[nd.lo:nd.hi] {
		if g.y[k>>2] != first {
			return false
		}
	}
	return true
}

// find looks for a split of a node; where it finds one, it sets the node's
// split and gain.
func (g *grower) find(nd *node) bool {
	c, n := &g.cfg, nd.hi-nd.lo
	if c.MaxDepth > 0 && nd.depth >= c.MaxDepth || n < c.MinSamplesSplit || n < 2*c.MinSamplesLeaf ||
		nd.sum.w < 2*g.minLeaf || g.pure(nd) {
		return false
	}
	nd.split = split{feature: -1, score: math.Inf(-1)}
	if g.kind == Extra {
		g.searchExtra(nd)
	} else {
		g.search(nd)
	}
	return nd.split.feature >= 0
}

// divide carries out the split of node i: it moves rows, and adds two children
// unless the split improves too little.
func (g *grower) divide(i int) bool {
	nd := g.nodes[i]
	mid := nd.lo + g.partition(&nd)
	l := node{lo: nd.lo, hi: mid, depth: nd.depth + 1, sum: nd.split.left}
	r := node{lo: mid, hi: nd.hi, depth: nd.depth + 1, sum: nd.sum.less(nd.split.left)}
	l.bounds, r.bounds = nd.bounds, nd.bounds
	if g.mono != nil {
		l.bounds, r.bounds = nd.bounds.split(g.mono[nd.split.feature], &l.sum, &r.sum)
	}
	l.impurity, r.impurity = g.impurity(&l), g.impurity(&r)
	nd.gain = nd.sum.w / g.total * (nd.impurity - l.sum.w/nd.sum.w*l.impurity - r.sum.w/nd.sum.w*r.impurity)
	const eps = 0x1p-52
	if nd.gain+eps < g.cfg.MinImpurityDecrease {
		return false
	}
	nd.gain = max(nd.gain, 0)
	nd.left = int32(len(g.nodes)) // #nosec G115 -- fewer than 2²⁷ nodes
	nd.right = nd.left + 1
	g.nodes[i] = nd
	g.nodes = append(g.nodes, l, r)
	return true
}

func (g *grower) depthFirst() {
	stack := []int{0}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if g.find(&g.nodes[i]) && g.divide(i) {
			stack = append(stack, int(g.nodes[i].right), int(g.nodes[i].left))
		}
	}
}

// bestFirst divides the node of largest gain until there are enough leaves.
// The gain is known once the rows are divided, which does not disturb others.
func (g *grower) bestFirst() {
	var open frontier
	try := func(i int) {
		if g.find(&g.nodes[i]) && g.divide(i) {
			heap.Push(&open, candidate{g.nodes[i].gain, i})
		}
	}
	try(0)
	kept := map[int]bool{}
	for leaves := 1; leaves < g.cfg.MaxLeafNodes && len(open) > 0; leaves++ {
		i := heap.Pop(&open).(candidate).node
		kept[i] = true
		try(int(g.nodes[i].left))
		try(int(g.nodes[i].right))
	}
	for i := range g.nodes {
		if !kept[i] {
			g.nodes[i].left = 0
		}
	}
}

// candidate is a node that may be divided.
type candidate struct {
	gain float64
	node int
}

// frontier is a heap: the largest gain first, of equal ones the older node.
type frontier []candidate

func (f frontier) Len() int { return len(f) }
func (f frontier) Less(a, b int) bool {
	return f[a].gain > f[b].gain || f[a].gain == f[b].gain && f[a].node < f[b].node
}
func (f frontier) Swap(a, b int) { f[a], f[b] = f[b], f[a] }
func (f *frontier) Push(x any)   { *f = append(*f, x.(candidate)) }
func (f *frontier) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

// prune turns nodes into leaves where that costs at most ccp_alpha of impurity
// for every leaf saved, and returns the impurity and leaves below node i: the
// smallest subtree of least R + α·leaves (Breiman et al. 1984, §3.3).
func (g *grower) prune(i int) (risk float64, leaves int) {
	nd := &g.nodes[i]
	own := nd.impurity * nd.sum.w / g.total
	if nd.left == 0 {
		return own, 1
	}
	rl, nl := g.prune(int(nd.left))
	rr, nr := g.prune(int(nd.right))
	if nl+nr > 1 && own-(rl+rr) <= g.cfg.CCPAlpha*float64(nl+nr-1) {
		nd.left = 0
		return own, 1
	}
	return rl + rr, nl + nr
}

// partition moves the rows of a node that go left before the others, keeping
// their order, and returns how many there are.
func (g *grower) partition(nd *node) int {
	s, lo, hi := &nd.split, nd.lo, nd.hi
	key, ent := g.key[lo:hi], g.ent[lo:hi]
	rk, re := g.key2[:hi-lo], g.ent2[:hi-lo]
	left := g.decide(s, key)
	nl, nr := 0, 0
	if g.y != nil {
		wy, rw := g.wy[lo:hi], g.wy2[:hi-lo]
		for i, v := range wy {
			wy[nl], rw[nr] = v, v
			nl += int(left[i])
			nr += 1 - int(left[i])
		}
		copy(wy[nl:], rw[:nr])
		nl, nr = 0, 0
	}
	for i, k := range key {
		e, l := ent[i], int(left[i])
		key[nl], rk[nr] = k, k
		ent[nl], re[nr] = e, e
		nl += l
		nr += 1 - l
	}
	copy(key[nl:], rk[:nr])
	copy(ent[nl:], re[:nr])
	return nl
}
