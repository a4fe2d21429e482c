package format

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// plan is a tree whose nodes stand in any order. While a file is written, nodes may
// have several parents: what a format cannot say in one node becomes several
// that lead to the same place.
type plan struct {
	nodes  []step
	width  int       // values of a leaf
	values []float64 // width for every node if width > 1
}

// step is a node of a plan; Left and Set of the embedded node are unused.
type step struct {
	ensemble.Node
	left, right int // -1: leaf
	set         ensemble.Set
	categorical bool
}

func (s *step) leaf() bool { return s.left < 0 }

// order brings the nodes below the root into breadth-first order. It refuses
// children that do not exist and nodes that are reached twice; nodes that are
// never reached are left out (XGBoost's pruner leaves such nodes behind).
func (p *plan) order() (ensemble.Tree, error) {
	t := ensemble.Tree{Width: p.width}
	queue, seen := []int{0}, make([]bool, len(p.nodes))
	sets := map[string]int32{} // equal sets are one
	for at := 0; at < len(queue); at++ {
		i := queue[at]
		if i >= len(p.nodes) || i < 0 {
			return t, fmt.Errorf("node %d of %d does not exist", i, len(p.nodes))
		}
		if seen[i] {
			return t, fmt.Errorf("node %d has two parents", i)
		}
		seen[i] = true
		s := &p.nodes[i]
		nd := s.Node
		nd.Left, nd.Set = 0, 0
		if s.leaf() {
			nd.Feature, nd.Threshold, nd.DefaultLeft, nd.ZeroMissing, nd.Gain = 0, 0, false, false, 0
		} else {
			nd.Left = int32(len(queue))
			queue = append(queue, s.left, s.right)
			if s.categorical {
				key := fmt.Sprint(s.set)
				if sets[key] == 0 {
					t.Sets = append(t.Sets, s.set)
					sets[key] = int32(len(t.Sets))
				}
				nd.Set, nd.Threshold = sets[key], 0
			}
		}
		if p.width > 1 {
			t.Values = append(t.Values, p.values[i*p.width:(i+1)*p.width]...)
			nd.Value = 0
		}
		t.Nodes = append(t.Nodes, nd)
	}
	return t, nil
}

// planOf is the plan of a tree.
func planOf(t *ensemble.Tree) *plan {
	p := &plan{nodes: make([]step, len(t.Nodes)), width: t.Width, values: t.Values}
	for i := range t.Nodes {
		nd := &t.Nodes[i]
		s := step{Node: *nd, left: -1, right: -1}
		if !nd.Leaf() {
			s.left, s.right = int(nd.Left), int(nd.Left)+1
		}
		if nd.Set > 0 {
			s.categorical, s.set = true, t.Sets[nd.Set-1]
		}
		p.nodes[i] = s
	}
	return p
}

// swap exchanges the sides of a node. For a categorical node the set still
// names the categories of what is the right side then.
func (s *step) swap() {
	s.left, s.right, s.DefaultLeft = s.right, s.left, !s.DefaultLeft
}

// maxCategory bounds the categories of a file, and maxSetWords all sets of a
// file together.
const (
	maxCategory = 1<<24 - 2 // float32 counts that far
	maxSetWords = 1 << 24
)

// setMaker makes sets within the bounds.
type setMaker struct{ words int }

func (m *setMaker) of(cats []int) (ensemble.Set, error) {
	top := -1
	for _, c := range cats {
		if c < 0 || c > maxCategory {
			return nil, fmt.Errorf("category %d, want 0 to %d", c, maxCategory)
		}
		top = max(top, c)
	}
	m.words += top>>6 + 1
	if m.words > maxSetWords {
		return nil, fmt.Errorf("category sets of more than %d words in all", maxSetWords)
	}
	s := make(ensemble.Set, top>>6+1)
	for _, c := range cats {
		s = s.With(c)
	}
	return s, nil
}

// categories lists the categories of a set, ascending.
func categories(s ensemble.Set) []int {
	var out []int
	for c := range len(s) * 64 {
		if s.Has(c) {
			out = append(out, c)
		}
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// single is the nearest float32, or an error that names what overflows.
func single(x float64, what string) (float32, error) {
	v := float32(x)
	if math.IsInf(float64(v), 0) {
		return 0, fmt.Errorf("%s %v is beyond float32", what, x)
	}
	return v, nil
}
