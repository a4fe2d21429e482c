package format

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// zeroBound is the largest number that LightGBM takes for zero.
const zeroBound = float32(1e-35)

// zeros says in plain comparisons where zero counts as missing. A node becomes
// up to four, which share their children.
func (p *plan) zeros() {
	for i := range len(p.nodes) {
		s := &p.nodes[i]
		if s.leaf() || !s.ZeroMissing || s.categorical {
			continue
		}
		s.ZeroMissing = false
		above := ensemble.Above(float64(zeroBound))
		if s.Threshold >= above == s.DefaultLeft && (s.Threshold >= above || s.Threshold <= -zeroBound) {
			continue // zero goes there anyway
		}
		missing := s.right
		if s.DefaultLeft {
			missing = s.left
		}
		// x < −bound: compare; else x ≤ bound: missing; else compare. A missing
		// value is asked on, and goes where zero goes.
		inner, middle := *s, *s
		n := len(p.nodes)
		*s = step{Node: s.Node, left: n, right: n + 1}
		s.Threshold, s.DefaultLeft = -zeroBound, false
		middle.left, middle.right = missing, n
		middle.Threshold, middle.DefaultLeft, middle.Gain = above, true, 0
		switch {
		case inner.Threshold >= above: // below −bound all go left
			s.left = inner.left
		case inner.Threshold <= -zeroBound: // above bound all go right
			middle.right = inner.right
		}
		p.nodes = append(p.nodes, inner, middle)
		p.room()
	}
}

// copies gives every node one parent: what several lead to is written several
// times, up to a limit of nodes.
func (p *plan) copies(limit int) (*plan, error) {
	out := &plan{width: p.width}
	from := []int{0}
	for at := 0; at < len(from); at++ {
		s := p.nodes[from[at]]
		if p.width > 1 {
			out.values = append(out.values, p.values[from[at]*p.width:(from[at]+1)*p.width]...)
		}
		if !s.leaf() {
			from = append(from, s.left, s.right)
			s.left, s.right = len(from)-2, len(from)-1
		}
		if len(from) > limit {
			return nil, fmt.Errorf("it would need more than %d nodes, because the format has fewer ways to treat missing values", limit)
		}
		out.nodes = append(out.nodes, s)
	}
	return out, nil
}

// maxGrowth bounds the nodes that a tree may become where a format needs
// several for one.
func maxGrowth(n int) int { return 64*n + 1024 }

// before puts a test before node i that only a missing value passes to the
// right, where it finds the child that the node has for it.
func (p *plan) before(i int) {
	s := &p.nodes[i]
	missing := s.right
	if s.DefaultLeft {
		missing = s.left
	}
	inner := *s
	*s = step{Node: s.Node, left: len(p.nodes), right: missing}
	s.Threshold, s.DefaultLeft, s.Gain = float32(math.Inf(1)), false, 0
	inner.DefaultLeft = false
	p.nodes = append(p.nodes, inner)
	p.room()
}

// room gives new inner nodes their place among the values.
func (p *plan) room() {
	if p.width > 1 {
		p.values = append(p.values, make([]float64, len(p.nodes)*p.width-len(p.values))...)
	}
}

// summed are the trees of an ensemble whose scores are sums: the leaves of a
// mean are divided by the number of trees.
func summed(e *ensemble.Ensemble) []ensemble.Tree {
	if !e.Mean {
		return e.Trees
	}
	n := float64(len(e.Trees))
	out := make([]ensemble.Tree, len(e.Trees))
	for i, t := range e.Trees {
		t.Nodes = append([]ensemble.Node(nil), t.Nodes...)
		for j := range t.Nodes {
			t.Nodes[j].Value /= n
		}
		t.Values = append([]float64(nil), t.Values...)
		for j := range t.Values {
			t.Values[j] /= n
		}
		out[i] = t
	}
	return out
}

// scalars splits the trees with vector leaves into one tree for every score,
// for formats that sum single values. The scores stay the same, up to the
// rounding of the division of a mean.
func scalars(e *ensemble.Ensemble) []ensemble.Tree {
	var out []ensemble.Tree
	for _, t := range summed(e) {
		if t.Width == 1 {
			out = append(out, t)
			continue
		}
		for c := range t.Width {
			u := t
			u.Width, u.Class, u.Values = 1, c, nil
			u.Nodes = append([]ensemble.Node(nil), t.Nodes...)
			for j := range u.Nodes {
				u.Nodes[j].Value = t.Values[j*t.Width+c]
			}
			out = append(out, u)
		}
	}
	return out
}

// cycle brings scalar trees into the order 0, 1, …, k-1, 0, 1, … of their
// scores, the order within a score unchanged, with trees of nothing where one
// score has fewer.
func cycle(trees []ensemble.Tree, k int) []ensemble.Tree {
	lists := make([][]ensemble.Tree, k)
	rounds := 0
	for _, t := range trees {
		lists[t.Class] = append(lists[t.Class], t)
		rounds = max(rounds, len(lists[t.Class]))
	}
	out := make([]ensemble.Tree, 0, rounds*k)
	for r := range rounds {
		for c := range k {
			if r < len(lists[c]) {
				out = append(out, lists[c][r])
			} else {
				out = append(out, ensemble.Tree{Nodes: []ensemble.Node{{}}, Width: 1, Class: c})
			}
		}
	}
	return out
}

// unequal reports whether the scores of an ensemble begin with different bases.
func unequal(e *ensemble.Ensemble) bool {
	for _, b := range e.Base {
		if b != e.Base[0] {
			return true
		}
	}
	return false
}

// grounded adds the bases of the scores to the leaves of the first tree of each, and
// reports whether every score has one.
func grounded(trees []ensemble.Tree, base []float64) ([]ensemble.Tree, bool) {
	out := append([]ensemble.Tree(nil), trees...)
	done := make([]bool, len(base))
	for i := range out {
		t := &out[i]
		if t.Width > 1 { // for all scores
			t.Values = append([]float64(nil), t.Values...)
			for j := range t.Values {
				if t.Nodes[j/t.Width].Leaf() {
					t.Values[j] += base[j%t.Width]
				}
			}
			return out, true
		}
		if !done[t.Class] {
			done[t.Class] = true
			t.Nodes = append([]ensemble.Node(nil), t.Nodes...)
			for j := range t.Nodes {
				if t.Nodes[j].Leaf() {
					t.Nodes[j].Value += base[t.Class]
				}
			}
		}
	}
	for _, d := range done {
		if !d {
			return trees, false
		}
	}
	return out, true
}
