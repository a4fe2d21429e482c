package lightgbm

import (
	"math"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// leafRows are the rows Idx[lo:hi] of a leaf and its value.
type leafRows struct {
	lo, hi int
	value  float64
}

// finish turns the nodes of a grown tree into their final form, breadth first,
// and gives leaves their values from the exact gradients of their rows. It
// returns the tree and, for every leaf, its rows and value.
func (t *trainer) finish(class int, g, h []float32, rate float64) (ensemble.Tree, []leafRows) {
	gn := t.gr.nodes
	type sums struct{ g, h float64 }
	exact := make([]sums, len(gn))
	at := make([]core.Leaf, 0, len(gn)/2+1)
	for i := range gn {
		if gn[i].left == 0 {
			at = append(at, core.Leaf{Lo: gn[i].lo, Hi: gn[i].hi})
		}
	}
	t.gr.SumLeaves(at, g, h)
	for i, k := 0, 0; i < len(gn); i++ {
		if gn[i].left == 0 {
			exact[i] = sums{at[k].G, at[k].H}
			k++
		}
	}
	for i := len(gn) - 1; i >= 0; i-- { // children come after their parents
		if l, r := gn[i].left, gn[i].right; l != 0 {
			exact[i] = sums{exact[l].g + exact[r].g, exact[l].h + exact[r].h}
		}
	}
	s := &t.gr.srch
	state := make([]node, len(gn)) // values and constraints, down the tree
	flat := *s
	flat.smooth = 0
	state[0] = node{rows: len(t.gr.Idx), out: flat.value(exact[0].g, exact[0].h, s.l2, len(t.gr.Idx), 0), min: math.Inf(-1), max: math.Inf(1)}
	tree := ensemble.Tree{Class: class, Width: 1, Nodes: make([]ensemble.Node, 1, len(gn))}
	var leaves []leafRows
	order := make([]int, 1, len(gn))
	for k := 0; k < len(order); k++ {
		i := order[k]
		nd := ensemble.Node{Value: state[i].out * rate, Cover: exact[i].h, Count: int32(gn[i].hi - gn[i].lo)} // #nosec G115 -- at most MaxRows
		l, r := gn[i].left, gn[i].right
		if l == 0 {
			if t.cfg.renews() && t.loss.Custom == nil {
				nd.Value = rate * t.loss.renew(t.gr.Idx[gn[i].lo:gn[i].hi], &t.tg, t.score)
			}
			leaves = append(leaves, leafRows{gn[i].lo, gn[i].hi, nd.Value})
			tree.Nodes[k] = nd
			continue
		}
		sp := &gn[i].split
		a := node{rows: gn[l].hi - gn[l].lo, min: state[i].min, max: state[i].max}
		b := node{rows: gn[r].hi - gn[r].lo, min: state[i].min, max: state[i].max}
		a.out, b.out = s.children(sp, &state[i], exact[l].g, exact[l].h, exact[r].g, exact[r].h)
		s.constrain(sp, &a, &b)
		state[l], state[r] = a, b
		nd.Gain = sp.gain + t.cfg.MinGainToSplit
		nd.Feature, nd.Left = int32(sp.feature), int32(len(tree.Nodes)) // #nosec G115 -- small
		t.threshold(&nd, sp, &tree)
		tree.Nodes[k] = nd
		tree.Nodes = append(tree.Nodes, ensemble.Node{}, ensemble.Node{})
		order = append(order, l, r)
	}
	return tree, leaves
}

// threshold writes what a split compares with. Where a column has no missing
// values in the training rows, they count as 0 later.
func (t *trainer) threshold(nd *ensemble.Node, sp *split, tree *ensemble.Tree) {
	if sp.set != nil {
		var set ensemble.Set
		for b, c := range t.m.Cut[sp.feature].Category {
			if sp.set.Has(uint8(b + 1)) {
				set = set.With(int(c))
			}
		}
		tree.Sets = append(tree.Sets, set)
		nd.Set = int32(len(tree.Sets)) // #nosec G115 -- small
		return
	}
	nd.Threshold = t.m.Cut[sp.feature].Threshold(sp.bin)
	nd.DefaultLeft = sp.missLeft
	col := &t.bin.col[sp.feature]
	if !col.missing {
		nd.DefaultLeft = nd.Threshold > 0
	}
	nd.ZeroMissing = col.zeros
}
