package explain

import (
	"fmt"

	"gonum.org/v1/gonum/integrate/quad"

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

// path is a tree ready to be explained. Node 0 stands for "no edge".
type path struct {
	t       *ensemble.Tree
	parent  []int32
	above   []int32   // the last edge of the same column above, by its lower node; 0: none
	z       []float64 // share of rows that follow the column's splits down to here
	local   []int32   // which of columns the edge splits
	columns []int32
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

// shares writes the share of the parent's rows that each node has.
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

// edge is what an edge in one of its states does at four points.
type edge struct{ times, takes [4]float64 }

// States of an edge.
const (
	left = iota
	hot
	before
	states
)

// scratch is what explaining needs, for trees of any size.
type scratch struct {
	edges []edge
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
func (p *path) fill(q *points, edges []edge, inverse [][4]float64) {
	inverse[0] = [4]float64{1, 1, 1, 1}
	for c := 1; c < len(p.z); c++ {
		z, y := p.z[c], p.z[p.above[c]]
		e := edges[c*states : (c+1)*states : (c+1)*states]
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
			e[hot].times[i] = factor * old[i]
			e[hot].takes[i] = q.w[i] * (float64((1-z)*inv) - back)
			e[left].times[i] = (1 - t) * z * old[i]
			e[left].takes[i] = q.w[i] * (-1/(1-t) - back)
			e[before].times[i] = ratio
			e[before].takes[i] = 0
		}
	}
}

// states writes the state of every edge for one row.
func (p *path) states(x []float32, state []uint8) {
	state[0] = hot
	for i := range p.t.Nodes {
		nd := &p.t.Nodes[i]
		if nd.Left == 0 {
			continue
		}
		l := nd.Left
		if state[p.above[l]] != hot {
			state[l], state[l+1] = before, before
			continue
		}
		state[l], state[l+1] = left, hot
		if p.t.GoesLeft(nd, x[nd.Feature]) {
			state[l], state[l+1] = hot, left
		}
	}
}

// explain adds the contributions of the tree for the given rows to out, where
// row i begins at i·k·(columns+1).
func (p *path) explain(s *scratch, rows [][]float32, k, columns int, out []float64) {
	n := len(p.t.Nodes)
	if n == 1 {
		return
	}
	edges, prod, sum := room(&s.edges, n*states), room(&s.prod, n), room(&s.sum, n)
	state, acc := room(&s.state, n*len(rows)), room(&s.acc, len(p.columns))
	for i, x := range rows {
		p.states(x, state[i*n:(i+1)*n])
	}
	for qi := range p.rule {
		p.fill(&p.rule[qi], edges, prod)
		for i := range rows {
			st := state[i*n : (i+1)*n]
			p.down(edges, st, prod)
			to := out[i*k*(columns+1) : (i+1)*k*(columns+1)]
			for w := range p.t.Width {
				c := p.t.Class
				if p.t.Width > 1 {
					c = w
				}
				p.up(edges, st, prod, sum, acc, w)
				row := to[c*(columns+1) : (c+1)*(columns+1)]
				for j, f := range p.columns {
					a := &acc[j]
					row[f] += (a[0] + a[1]) + (a[2] + a[3])
				}
			}
		}
	}
}

// down writes the product of factors above every node.
func (p *path) down(edges []edge, state []uint8, prod [][4]float64) {
	prod[0] = [4]float64{1, 1, 1, 1}
	parent := p.parent[:len(prod)]
	state = state[:len(prod)]
	for c := 1; c < len(prod); c++ {
		e := &edges[c*states+int(state[c])]
		a := &prod[parent[c]]
		prod[c] = [4]float64{a[0] * e.times[0], a[1] * e.times[1], a[2] * e.times[2], a[3] * e.times[3]}
	}
}

// up sums leaf values times products over the subtrees and gives the columns
// of the edges their parts; w is which value of a leaf.
func (p *path) up(edges []edge, state []uint8, prod, sum, acc [][4]float64, w int) {
	clear(sum)
	clear(acc)
	t := p.t
	for c := len(prod) - 1; c > 0; c-- {
		s := &sum[c]
		if t.Nodes[c].Left == 0 {
			v := t.Nodes[c].Value
			if t.Width > 1 {
				v = t.Values[c*t.Width+w]
			}
			q := &prod[c]
			*s = [4]float64{v * q[0], v * q[1], v * q[2], v * q[3]}
		}
		e := &edges[c*states+int(state[c])]
		u, a := &sum[p.parent[c]], &acc[p.local[c]]
		u[0] += s[0]
		u[1] += s[1]
		u[2] += s[2]
		u[3] += s[3]
		a[0] += float64(s[0] * e.takes[0])
		a[1] += float64(s[1] * e.takes[1])
		a[2] += float64(s[2] * e.takes[2])
		a[3] += float64(s[3] * e.takes[3])
	}
}
