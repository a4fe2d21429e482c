package explain

import (
	"fmt"

	"gonum.org/v1/gonum/integrate/quad"

	"github.com/mlfactory/mlfactory/internal/simd/tree"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Weights says what the share of a child is measured in.
type Weights uint8

// Weights.
const (
	ByStyle Weights = iota // Count for "lightgbm", else Cover
	Cover                  // sums of hessians or weights
	Count                  // numbers of rows
)

// The path-dependent value of a coalition S at a leaf is the leaf's value times
// one factor for every column on the path: o = 1 or 0 for a column in S, as the
// row follows its splits or not, and the share z of rows that do for another.
// With d columns on the path the Shapley value of column i is
//
//	φ_i = v·(o_i − z_i)·Σ_S |S|!(d−1−|S|)!/d!·Π_{j∈S} o_j·Π_{j∉S} z_j
//	    = v·(o_i − z_i)·∫₀¹ Π_{j≠i} (t·o_j + (1−t)·z_j) dt
//
// since ∫ t^s(1−t)^{d−1−s} dt = s!(d−1−s)!/d!. The integrand is a polynomial of
// degree d−1, for which a Gauss–Legendre rule of n points is exact if d ≤ 2n.
// At a point everything is a product, so that a tree takes one pass down, in
// which every node multiplies the product P of its parent by the factor of its
// edge, and one pass up, in which leaf values times P are summed and every edge
// takes its part. A column that comes again below replaces its factor; the edge
// adds the new quotient (o−z)/factor and takes the old one back.
//
// An edge has three states: the row follows its column's splits so far (hot),
// or has left them at this edge, or before. With z the share at the edge and y
// that at the last edge of the column above (1 if there is none):
//
//	        P times                          takes Σ v·P times
//	hot     (t+(1−t)z)/(t+(1−t)y)            (1−z)/(t+(1−t)z) − (1−y)/(t+(1−t)y)
//	left    (1−t)z/(t+(1−t)y)                −1/(1−t) − (1−y)/(t+(1−t)y)
//	before  z/y                              0
//
// Points come in fours; trees with more than eight columns on a path take
// several passes of four points.

// points is a part of a quadrature rule on [0, 1].
type points struct{ t, w [4]float64 }

// rule is the Gauss–Legendre rule that is exact for d columns on a path.
func rule(d int) []points {
	n := max((d+7)/8, 1)
	x, w := make([]float64, 4*n), make([]float64, 4*n)
	quad.Legendre{}.FixedLocations(x, w, 0, 1)
	out := make([]points, n)
	for i := range x {
		out[i/4].t[i%4], out[i/4].w[i%4] = x[i], w[i]
	}
	return out
}

// split is an inner node.
type split struct {
	node, left, above, column int32
	threshold                 float32
	general                   bool // more than a threshold
}

// path is a tree ready to be explained. Node 0 stands for "no edge".
type path struct {
	t       *ensemble.Tree
	parent  []int32
	above   []int32   // the last edge of the same column above, by its lower node; 0: none
	z       []float64 // share of rows that follow the column's splits down to here
	local   []int32   // which of columns the edge splits
	columns []int32
	splits  []split
	values  [][]float64 // of all nodes, for every value of a leaf; 0 at inner nodes
	rule    []points
	mean    []float64 // of the leaves, by their shares
}

// weight is the measure of a node.
func (w Weights) weight(n *ensemble.Node) float64 {
	if w == Count {
		return float64(n.Count)
	}
	return n.Cover
}

func (w Weights) of(e *ensemble.Ensemble) Weights {
	switch {
	case w != ByStyle:
		return w
	case e.Style == "lightgbm":
		return Count
	}
	return Cover
}

// shares writes the share of the parent's rows that each node has. Below a node
// without rows, as symmetric trees have them, both children count alike.
func shares(t *ensemble.Tree, w Weights) ([]float64, error) {
	out := make([]float64, len(t.Nodes))
	out[0] = 1
	for i := range t.Nodes {
		l := t.Nodes[i].Left
		if l == 0 {
			continue
		}
		// The children's sum, for rounded covers need not add up.
		a, b := w.weight(&t.Nodes[l]), w.weight(&t.Nodes[l+1])
		if a == 0 && b == 0 && i > 0 { // no row came here
			out[l], out[l+1] = 0.5, 0.5
			continue
		}
		if !(a >= 0) || !(b >= 0) || !(a+b > 0) {
			what := "cover"
			if w == Count {
				what = "row count"
			}
			return nil, fmt.Errorf("node %d has children of %s %v and %v; without these shares use background rows", i, what, a, b)
		}
		total := w.weight(&t.Nodes[i])
		if !(total > 0) {
			total = a + b
		}
		out[l], out[l+1] = a/total, b/total
	}
	return out, nil
}

func newPath(t *ensemble.Tree, k int, w Weights) (*path, error) {
	n := len(t.Nodes)
	share, err := shares(t, w)
	if err != nil {
		return nil, err
	}
	p := &path{t: t, parent: make([]int32, n), above: make([]int32, n), z: make([]float64, n), local: make([]int32, n), mean: make([]float64, k)}
	p.z[0] = 1
	at := map[int32]int32{}
	different := make([]int, n) // columns on the path
	reach := make([]float64, n)
	reach[0] = 1
	most := 0
	for i := range t.Nodes {
		nd := &t.Nodes[i]
		if nd.Left == 0 {
			addValue(t, i, reach[i], p.mean)
			most = max(most, different[i])
			continue
		}
		f, ok := at[nd.Feature]
		if !ok {
			f = int32(len(p.columns)) // #nosec G115 -- number of columns
			at[nd.Feature] = f
			p.columns = append(p.columns, nd.Feature)
		}
		last := int32(i) // #nosec G115 -- nodes of a tree
		for last != 0 && p.local[last] != f {
			last = p.parent[last]
		}
		p.splits = append(p.splits, split{int32(i), nd.Left, last, nd.Feature, nd.Threshold, nd.Set != 0 || nd.ZeroMissing}) // #nosec G115 -- nodes of a tree
		for c := nd.Left; c <= nd.Left+1; c++ {
			p.parent[c], p.above[c], p.local[c] = int32(i), last, f // #nosec G115 -- nodes of a tree
			p.z[c] = p.z[last] * share[c]
			reach[c] = reach[i] * share[c]
			different[c] = different[i]
			if last == 0 {
				different[c]++
			}
		}
	}
	p.rule = rule(most)
	for w := range max(t.Width, 1) {
		v := make([]float64, n)
		for i := range v {
			switch {
			case t.Nodes[i].Left != 0:
			case t.Width > 1:
				v[i] = t.Values[i*t.Width+w]
			default:
				v[i] = t.Nodes[i].Value
			}
		}
		p.values = append(p.values, v)
	}
	return p, nil
}

// addValue adds the values of a leaf, times by, to the scores.
func addValue(t *ensemble.Tree, node int, by float64, out []float64) {
	if t.Width <= 1 {
		out[t.Class] += float64(by * t.Nodes[node].Value)
		return
	}
	for c, v := range t.Values[node*t.Width : (node+1)*t.Width] {
		out[c] += float64(by * v)
	}
}

// States of an edge, so that hot is 2 and what comes of it is a product.
const (
	before = iota
	left
	hot
)

// scratch is what explaining needs, for trees of any size.
type scratch struct {
	edges []tree.Edge
	prod  [][4]float64
	sum   [][4]float64
	state []uint8 // of every edge, for every row of a block
	acc   [][4]float64

	walk    walk      // against background rows
	part    []float64 // contributions of a tree
	players []player  // of a leaf
}

func room[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	return (*s)[:n]
}

// fill writes the edges at four points.
func (p *path) fill(q *points, edges []tree.Edge, inverse [][4]float64) {
	inverse[0] = [4]float64{1, 1, 1, 1}
	for c := 1; c < len(p.z); c++ {
		z, y := p.z[c], p.z[p.above[c]]
		e := edges[c*tree.EdgeStates:][:tree.EdgeStates]
		old := &inverse[p.above[c]]
		ratio := 0.0
		if y > 0 {
			ratio = z / y
		}
		for i, t := range q.t {
			factor := t + float64((1-t)*z)
			inv := 1 / factor
			inverse[c][i] = inv
			back := float64((1 - y) * old[i])
			e[hot].Times[i] = factor * old[i]
			e[hot].Takes[i] = q.w[i] * (float64((1-z)*inv) - back)
			e[left].Times[i] = (1 - t) * z * old[i]
			e[left].Takes[i] = q.w[i] * (-1/(1-t) - back)
			e[before].Times[i] = ratio
			e[before].Takes[i] = 0
		}
	}
}

// states writes the state of every edge for one row.
func (p *path) states(x []float32, state []uint8) {
	state[0] = hot
	for i := range p.splits {
		sp := &p.splits[i]
		v := x[sp.column]
		l := byte(0)
		if v < sp.threshold {
			l = 1
		}
		if v != v || sp.general {
			l = 0
			if p.t.GoesLeft(&p.t.Nodes[sp.node], v) {
				l = 1
			}
		}
		to := state[sp.left : sp.left+2 : sp.left+2]
		h := state[sp.above] >> 1
		to[0], to[1] = h*(1+l), h*(2-l)
	}
}

// explain adds the contributions of the tree for the given rows to out, where
// row i begins at i·k·(columns+1).
func (p *path) explain(s *scratch, rows [][]float32, k, columns int, out []float64) {
	n := len(p.t.Nodes)
	if n == 1 {
		return
	}
	edges, prod, sum := room(&s.edges, n*tree.EdgeStates), room(&s.prod, n), room(&s.sum, n)
	state, acc := room(&s.state, n*len(rows)), room(&s.acc, len(p.columns))
	for i, x := range rows {
		p.states(x, state[i*n:(i+1)*n])
	}
	for qi := range p.rule {
		p.fill(&p.rule[qi], edges, prod)
		for i := range rows {
			st := state[i*n : (i+1)*n]
			to := out[i*k*(columns+1) : (i+1)*k*(columns+1)]
			for w, value := range p.values {
				c := p.t.Class
				if p.t.Width > 1 {
					c = w
				}
				prod[0] = [4]float64{1, 1, 1, 1}
				clear(acc)
				tree.Contribute(p.parent, p.local, st, edges, value, prod, sum, acc)
				row := to[c*(columns+1) : (c+1)*(columns+1)]
				for j, f := range p.columns {
					a := &acc[j]
					row[f] += (a[0] + a[1]) + (a[2] + a[3])
				}
			}
		}
	}
}
