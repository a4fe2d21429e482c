package catboost

import (
	"math"
	"math/bits"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// node is a split as the ensemble writes it; the sets of categories that it
// needs are added to the tree.
func (g *grower) node(s *split, t *ensemble.Tree) ensemble.Node {
	if v := g.derived; v != nil && s.feature >= v.plain {
		return v.node(s, t)
	}
	nd := ensemble.Node{Feature: int32(s.feature), DefaultLeft: s.missing}
	switch e := g.M.Cut[s.feature].Edge; {
	case s.bin == 0: // missing from all others
		nd.Threshold = ensemble.Above(-math.MaxFloat32)
	case int(s.bin) <= len(e):
		nd.Threshold = e[s.bin-1]
	default: // all others from missing
		nd.Threshold = float32(math.Inf(1))
	}
	return nd
}

// node is a split of a statistic: the categories whose statistic over all rows
// is on the left side are listed.
func (v *deriver) node(s *split, t *ensemble.Tree) ensemble.Node {
	st := v.stats[s.feature-v.plain]
	left := func(id int) bool { return s.left.Has(st.final[id] + 1) }
	var set ensemble.Set
	for id, x := range st.c.values {
		if left(id) {
			set = set.With(int(x))
		}
	}
	t.Sets = append(t.Sets, set)
	return ensemble.Node{Feature: int32(st.c.column), Set: int32(len(t.Sets)), DefaultLeft: st.c.missing && left(len(st.c.values))}
}

// leafStats are what a finished tree says of its leaves, in breadth-first
// order.
type leafStats struct {
	value  []float64 // k a leaf
	slope  []float64 // k first derivatives a leaf, summed over its rows
	weight []float64
	rows   []extent
}

// tree makes the finished tree. The gain of a node is what its split adds to
// Σ g²/(w+λ).
func (g *grower) tree(splits []split, s *leafStats, k int, lambda float64) ensemble.Tree {
	first := len(s.rows) - 1
	n := first + len(s.rows)
	out := ensemble.Tree{Nodes: make([]ensemble.Node, n), Width: k, Symmetric: true}
	if k > 1 {
		out.Values = make([]float64, n*k)
	}
	slope := make([]float64, n*k)
	copy(slope[first*k:], s.slope)
	for l := range s.rows {
		nd := &out.Nodes[first+l]
		nd.Cover, nd.Count = s.weight[l], int32(s.rows[l].hi-s.rows[l].lo)
		if k > 1 {
			copy(out.Values[(first+l)*k:], s.value[l*k:(l+1)*k])
		} else {
			nd.Value = s.value[l]
		}
	}
	quality := func(i int) float64 {
		w, sum := out.Nodes[i].Cover, 0.0
		for _, v := range slope[i*k : (i+1)*k] {
			sum += float64(v * v)
		}
		if w == 0 {
			return 0
		}
		return sum / (w + lambda)
	}
	nodes := make([]ensemble.Node, len(splits))
	for level := range splits {
		nodes[level] = g.node(&splits[level], &out)
	}
	for i := first - 1; i >= 0; i-- {
		a, b := 2*i+1, 2*i+2
		nd := nodes[bits.Len(uint(i+1))-1]
		nd.Left = int32(a)
		nd.Cover, nd.Count = out.Nodes[a].Cover+out.Nodes[b].Cover, out.Nodes[a].Count+out.Nodes[b].Count
		out.Nodes[i] = nd
		for c := range k {
			slope[i*k+c] = slope[a*k+c] + slope[b*k+c]
		}
		out.Nodes[i].Gain = max(0, quality(a)+quality(b)-quality(i))
	}
	return out
}
