package ensemble

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/mlfactory/mlfactory/internal/simd/tree"
)

// A row is coded once: every value becomes its rank among the thresholds of its
// column, and nodes then compare bytes. The codes of a row are slots:
//
//   - A scale is a column, and whether 0 is missing there, with all thresholds
//     of the ensemble. The rank of x is the number of thresholds ≤ x, so that
//     x < threshold k is rank ≤ k.
//   - A slot holds min(max(rank − 255·part, 0), 255), which decides the
//     thresholds 255·part to 255·part + 254; and a missing value as 0 or 255,
//     which is left or right at every one of them. So a scale has a slot for
//     every part and direction of missing values in use.
//   - A categorical split is a slot of its own, 0 for left and 255 for right.
type scale struct {
	column      int
	zeroMissing bool
	list        []float32 // thresholds, ascending
	first, n    int       // slots
}

// slot is one slot of a scale.
type slot struct {
	part    int
	missing byte
}

// setSlot is the slot of a categorical split.
type setSlot struct {
	column  int
	set     Set
	missing byte
}

// How a tree is walked.
const (
	walked  = iota // complete, after filling up with nodes that do not matter
	leveled        // symmetric
	deep           // node by node
)

// treeRef is a tree of the ensemble, in its order.
type treeRef struct {
	place    uint32 // of its leaf among those that walking one row writes
	from     int32  // value of leaf number l: from + l·width
	class    int32
	width    int32
	kind     uint8
	depth    uint8
	nodes    int32 // where its nodes for blocks of rows begin
	n        int32 // inner nodes of a deep tree for blocks of rows; 0 if it is too large
	leafBase int32 // what walking one row adds to the leaf number
}

// treeGroup is trees of equal kind and depth, which one row walks together.
type treeGroup struct {
	kind, depth int
	first, n    int // places; n is a multiple of tree.Together
	nodes       int // where their nodes begin
}

// predictor scores rows.
type predictor struct {
	e       *Ensemble
	p       int
	cat     []bool // columns of categories
	scales  []scale
	search  []tree.Scale
	cuts    []float32 // of search
	slots   []slot
	sets    []setSlot // their slots follow those of the scales
	n       int       // slots in all
	refs    []treeRef
	from    []uint32 // value of leaf number l of tree i: from[i] + l·width, modulo 2³²
	place   []uint32 // of the leaf of tree i; nil if it is i
	groups  []treeGroup
	places  int
	cycle   int // k, if every leaf has one value and tree i adds to score i mod k; else 0
	walk16  []uint16
	walk32  []uint32 // instead of walk16 if there are more than 256 slots
	deep    []tree.Node
	below   []tree.BlockNode // inner nodes of the deep trees that are not too large, from below
	deepest []int32          // depth of the deep trees, in the order of their places
	roots   []uint32
	slotAt  []uint32 // for blocks
	cutAt   []byte
	v32     []float32 // leaf values if the sums are in float32
	v64     []float64 // else
	plain   bool      // too many slots: rows walk the nodes of the ensemble
	bufs    sync.Pool
}

// maxSlots is where coding a row costs more than it saves. Only an ensemble
// with a great many categorical splits gets there.
const maxSlots = 1 << 16

func newPredictor(e *Ensemble, limit int) *predictor {
	pr := &predictor{e: e, p: len(e.Columns), cat: make([]bool, len(e.Columns))}
	for _, c := range e.Categorical {
		pr.cat[c] = true
	}
	c := newCoder(pr)
	if pr.n = len(pr.slots) + len(pr.sets); pr.n > limit {
		pr.plain, pr.n = true, 0
	} else {
		pr.n = max(pr.n, 1)
		pr.lay(c)
	}
	pr.bufs.New = func() any { return pr.newBuffer() }
	return pr
}

// coder knows the code of every split.
type coder struct {
	pr      *predictor
	scaleOf []int32   // by column and whether 0 is missing, see scaleAt; −1 if there is none
	slotOf  [][]int32 // of a scale: by part and direction
	setOf   map[setKey]int
}

// scaleAt is where the scale of a numeric split stands.
func scaleAt(nd *Node) int { return 2*int(nd.Feature) + bit(nd.ZeroMissing) }

type setKey struct {
	column  int
	missing byte
	set     string
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// right is the code of a missing value.
func right(defaultLeft bool) byte { return byte(255 * (1 - bit(defaultLeft))) } // #nosec G115 -- 0 or 255

func newCoder(pr *predictor) *coder {
	e := pr.e
	c := &coder{pr, make([]int32, 2*pr.p), nil, map[setKey]int{}}
	cuts := make([][]float32, 2*pr.p)
	each := func(f func(t *Tree, nd *Node)) {
		for i := range e.Trees {
			for j := range e.Trees[i].Nodes {
				if nd := &e.Trees[i].Nodes[j]; nd.Left != 0 {
					f(&e.Trees[i], nd)
				}
			}
		}
	}
	each(func(_ *Tree, nd *Node) {
		if nd.Set == 0 {
			k := scaleAt(nd)
			cuts[k] = append(cuts[k], nd.Threshold)
		}
	})
	var keys []int
	for k := range cuts {
		c.scaleOf[k] = -1
		if cuts[k] = distinct(cuts[k]); len(cuts[k]) > 0 {
			keys = append(keys, k)
		}
	}
	// By the length of the search, so that the processor guesses it well.
	slices.SortStableFunc(keys, func(a, b int) int { return len(cuts[a])/128 - len(cuts[b])/128 })
	for i, k := range keys {
		pr.scales = append(pr.scales, scale{column: k / 2, zeroMissing: k%2 == 1, list: cuts[k]})
		var ts tree.Scale
		ts, pr.cuts = tree.Append(pr.cuts, k/2, cuts[k])
		pr.search = append(pr.search, ts)
		c.scaleOf[k] = int32(i) // #nosec G115 -- number of columns
		c.slotOf = append(c.slotOf, make([]int32, 2*(len(cuts[k])/255+1)))
	}
	each(func(_ *Tree, nd *Node) {
		if nd.Set == 0 {
			s, rank := c.rank(nd)
			c.slotOf[s][rank/255*2+bit(nd.DefaultLeft)] = 1
		}
	})
	for s, used := range c.slotOf {
		sc := &pr.scales[s]
		sc.first = len(pr.slots)
		for i := range used {
			if used[i] == 1 {
				used[i] = int32(len(pr.slots)) // #nosec G115 -- number of slots
				pr.slots = append(pr.slots, slot{i / 2, right(i%2 == 1)})
			}
		}
		sc.n = len(pr.slots) - sc.first
	}
	each(func(t *Tree, nd *Node) {
		if nd.Set != 0 {
			k := keyOf(t, nd)
			if _, ok := c.setOf[k]; !ok {
				c.setOf[k] = len(pr.slots) + len(pr.sets)
				pr.sets = append(pr.sets, setSlot{k.column, t.Sets[nd.Set-1], k.missing})
			}
		}
	})
	return c
}

// distinct sorts x and drops what is equal; −0 and 0 are.
func distinct(x []float32) []float32 {
	slices.Sort(x)
	return slices.Clip(slices.Compact(x))
}

func keyOf(t *Tree, nd *Node) setKey {
	var b []byte
	for _, w := range t.Sets[nd.Set-1] {
		for i := range 8 {
			b = append(b, byte(w>>(8*i))) // #nosec G115 -- one byte of it
		}
	}
	return setKey{int(nd.Feature), right(nd.DefaultLeft), string(b)}
}

// rank is the scale of a numeric split and the rank of its threshold.
func (c *coder) rank(nd *Node) (int, int) {
	s := int(c.scaleOf[scaleAt(nd)])
	k, _ := slices.BinarySearch(c.pr.scales[s].list, nd.Threshold)
	return s, k
}

// code is the slot and the cut of a split.
func (c *coder) code(t *Tree, nd *Node) (int, int) {
	if nd.Set != 0 {
		return c.setOf[keyOf(t, nd)], 0
	}
	s, k := c.rank(nd)
	return int(c.slotOf[s][k/255*2+bit(nd.DefaultLeft)]), k % 255
}

// depth is the number of splits above the deepest leaf.
func (t *Tree) depth() int {
	d := make([]int, len(t.Nodes))
	most := 0
	for i := range t.Nodes {
		if l := t.Nodes[i].Left; l != 0 {
			d[l], d[l+1] = d[i]+1, d[i]+1
			most = max(most, d[i]+1)
		}
	}
	return most
}

// lay lays out the trees for one row and for blocks of rows.
func (pr *predictor) lay(c *coder) {
	e := pr.e
	pr.refs = make([]treeRef, len(e.Trees))
	pr.cycle = len(e.Base)
	order := make([]int, len(e.Trees))
	for i := range e.Trees {
		t, r := &e.Trees[i], &pr.refs[i]
		d := max(t.depth(), 1)
		switch {
		case d <= tree.Depth && t.symmetric():
			r.kind = leveled
		case d <= tree.Depth && (d <= 6 || 1<<d <= 2*len(t.Nodes)):
			r.kind = walked
		default:
			r.kind = deep
			d = min(d, math.MaxUint8)
		}
		if r.kind == leveled && len(t.Nodes) == 1 {
			r.kind = walked // a single leaf
		}
		r.depth, r.class, r.width = uint8(d), int32(t.Class), int32(max(t.Width, 1)) // #nosec G115 -- by Check and the cases above
		if t.Width > 1 || t.Class != i%len(e.Base) {
			pr.cycle = 0
		}
		order[i] = i
	}
	pr.align()
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &pr.refs[a], &pr.refs[b]
		da, db := int(x.depth), int(y.depth)
		if x.kind == deep && y.kind == deep {
			da, db = e.Trees[a].depth(), e.Trees[b].depth()
		}
		return cmp.Or(int(x.kind)-int(y.kind), da-db)
	})
	defer pr.index()
	for len(order) > 0 {
		n := 1
		first := &pr.refs[order[0]]
		for n < len(order) && pr.refs[order[n]].kind == first.kind && (first.kind == deep || pr.refs[order[n]].depth == first.depth) {
			n++
		}
		pr.group(c, order[:n])
		order = order[n:]
	}
}

// align fills a few shallower trees up to the depth of the others, so that all
// stay in their order.
func (pr *predictor) align() {
	var count [tree.Depth + 1]int
	all, most := 0, 0
	for i := range pr.refs {
		if r := &pr.refs[i]; r.kind == walked {
			count[r.depth]++
			all++
			most = max(most, int(r.depth))
		}
	}
	if 4*count[most] < 3*all {
		return
	}
	for i := range pr.refs {
		if r := &pr.refs[i]; r.kind == walked {
			r.depth = uint8(most) // #nosec G115 -- at most tree.Depth
		}
	}
}

// index prepares the sums for one row.
func (pr *predictor) index() {
	same := true
	for i := range pr.refs {
		r := &pr.refs[i]
		pr.from, pr.place = append(pr.from, uint32(r.from)), append(pr.place, r.place) // #nosec G115 -- modulo 2³²
		same = same && int(r.place) == i
	}
	if same {
		pr.place = nil
	}
}

// group lays out trees of one kind and depth.
func (pr *predictor) group(c *coder, list []int) {
	r0 := &pr.refs[list[0]]
	g := treeGroup{kind: int(r0.kind), depth: int(r0.depth), first: pr.places, n: len(list), nodes: max(len(pr.walk16), len(pr.walk32))}
	for k, i := range list {
		r, t := &pr.refs[i], &pr.e.Trees[i]
		r.place = uint32(g.first + k) // #nosec G115 -- number of trees
		if r.kind == deep {
			pr.layDeep(c, t, r)
			continue
		}
		pr.layShallow(c, t, r)
	}
	g.n = (len(list) + tree.Together - 1) / tree.Together * tree.Together
	size := (max(len(pr.walk16), len(pr.walk32)) - g.nodes) / len(list)
	for range g.n - len(list) { // trees that nobody asks for
		for range size {
			pr.put(0, 0)
		}
		if r0.kind == deep {
			pr.roots, pr.deepest = append(pr.roots, pr.roots[len(pr.roots)-1]), append(pr.deepest, pr.deepest[len(pr.deepest)-1])
		}
	}
	pr.places += g.n
	pr.groups = append(pr.groups, g)
}

// put appends a node for one row.
func (pr *predictor) put(slot, cut int) {
	if pr.n <= 256 {
		pr.walk16 = append(pr.walk16, tree.Node16(slot, cut))
	} else {
		pr.walk32 = append(pr.walk32, tree.Node32(slot, cut))
	}
}

// value appends the values of a leaf.
func (pr *predictor) value(t *Tree, node int) {
	v := t.Values
	if t.Width > 1 {
		v = v[node*t.Width : (node+1)*t.Width]
	} else {
		v = []float64{t.Nodes[node].Value}
	}
	for _, x := range v {
		if pr.e.Single {
			pr.v32 = append(pr.v32, float32(x))
		} else {
			pr.v64 = append(pr.v64, x)
		}
	}
}

func (pr *predictor) layDeep(c *coder, t *Tree, r *treeRef) {
	root := len(pr.deep)
	r.nodes = int32(root)                         // #nosec G115 -- nodes in memory
	r.from = int32(max(len(pr.v32), len(pr.v64))) // #nosec G115 -- values in memory
	pr.roots = append(pr.roots, uint32(root))     // #nosec G115 -- nodes in memory
	pr.deepest = append(pr.deepest, int32(t.depth()))
	for i := range t.Nodes {
		nd, left := tree.Node32(0, 255), i
		if t.Nodes[i].Left != 0 {
			nd, left = tree.Node32(c.code(t, &t.Nodes[i])), int(t.Nodes[i].Left)
		}
		pr.deep = append(pr.deep, tree.Node{Code: nd, Left: uint32(root + left)}) // #nosec G115 -- nodes in memory
		pr.value(t, i)
	}
	if len(t.Nodes) <= tree.Leaves {
		place := func(i int32) uint32 {
			if t.Nodes[i].Left != 0 {
				return tree.NodePlace(int(i))
			}
			return tree.LeafPlace(int(i))
		}
		r.nodes = int32(len(pr.below)) // #nosec G115 -- nodes in memory
		for i := len(t.Nodes) - 1; i >= 0; i-- {
			if nd := &t.Nodes[i]; nd.Left != 0 {
				s, k := c.code(t, nd)
				pr.below = append(pr.below, tree.BlockNode{
					Slot: uint32(s * tree.Rows), Left: place(nd.Left), Right: place(nd.Left + 1), To: tree.NodePlace(i), Cut: tree.Cut(k), // #nosec G115 -- slots are limited
				})
			}
		}
		r.n = int32(len(pr.below)) - r.nodes // #nosec G115 -- nodes in memory
	}
	r.leafBase = int32(root) // #nosec G115 -- nodes in memory
	r.from -= r.leafBase * r.width
}

// layShallow fills a tree up to a complete one: below a leaf, nodes that do not
// matter and leaves of the same values.
func (pr *predictor) layShallow(c *coder, t *Tree, r *treeRef) {
	d := int(r.depth)
	heap := make([]int, 2<<d) // node of the tree at each place, the leaf above it below a leaf
	slotAt, cutAt := make([]uint32, 1<<d), make([]byte, 1<<d)
	r.nodes = int32(len(pr.slotAt)) // #nosec G115 -- nodes in memory
	if r.kind == walked {
		pr.put(0, 0)
	}
	for i := 1; i < 1<<d; i++ {
		nd := &t.Nodes[heap[i]]
		s, k := 0, 0
		heap[2*i], heap[2*i+1] = heap[i], heap[i]
		if nd.Left != 0 {
			s, k = c.code(t, nd)
			heap[2*i], heap[2*i+1] = int(nd.Left), int(nd.Left)+1
		}
		slotAt[i], cutAt[i] = uint32(s*tree.Rows), tree.Cut(k) // #nosec G115 -- slots are limited
		if r.kind == walked {
			pr.put(s, k)
		} else if i&(i-1) == 0 {
			pr.put(s, k)
			pr.slotAt, pr.cutAt = append(pr.slotAt, slotAt[i]), append(pr.cutAt, cutAt[i])
		}
	}
	if r.kind == walked {
		var postOrder func(i int)
		postOrder = func(i int) {
			if i < 1<<d {
				postOrder(2 * i)
				postOrder(2*i + 1)
				pr.slotAt, pr.cutAt = append(pr.slotAt, slotAt[i]), append(pr.cutAt, cutAt[i])
			}
		}
		postOrder(1)
	}
	r.from = int32(max(len(pr.v32), len(pr.v64))) // #nosec G115 -- values in memory
	for i := 1 << d; i < 2<<d; i++ {
		pr.value(t, heap[i])
	}
	r.leafBase = 1 << d
	r.from -= r.leafBase * r.width
}
