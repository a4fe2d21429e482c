package xgboost

import (
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// finish turns the nodes of a grown tree into their final form, breadth first
// as XGBoost numbers them, and gives leaves their values from the exact
// gradients of their rows. It returns the tree, its leaves, and the node of each.
func (t *trainer) finish(g, h []float32) (tree []ensemble.Node, leaves []core.Leaf, node []int) {
	gn := t.gr.nodes
	type sums struct {
		g, h float64
		n    int
	}
	exact := make([]sums, len(gn))
	leaves = make([]core.Leaf, 0, len(gn)/2+1)
	for i := range gn {
		if gn[i].left == 0 {
			leaves = append(leaves, core.Leaf{Lo: gn[i].lo, Hi: gn[i].hi})
		}
	}
	t.gr.SumLeaves(leaves, g, h)
	node = make([]int, len(leaves))
	place := make([]int, len(gn)) // of a leaf in leaves
	k := 0
	for i := range gn {
		if gn[i].left == 0 {
			lf := &leaves[k]
			exact[i], place[i] = sums{lf.G, lf.H, lf.Hi - lf.Lo}, k
			k++
		}
	}
	for i := len(gn) - 1; i >= 0; i-- { // children come after their parents
		if l, r := gn[i].left, gn[i].right; l != 0 {
			exact[i] = sums{exact[l].g + exact[r].g, exact[l].h + exact[r].h, exact[l].n + exact[r].n}
		}
	}
	out := make([]ensemble.Node, 0, len(gn))
	order := make([]int, 1, len(gn))
	out = append(out, ensemble.Node{})
	for k := 0; k < len(order); k++ {
		i := order[k]
		w := 0.0
		// A root below min_child_weight has no value, as in XGBoost. Children
		// were held to it when they were made.
		if i != 0 || exact[i].h >= t.cfg.MinChildWeight {
			w = gn[i].bounds.clip(t.gr.srch.weight(exact[i].g, exact[i].h))
		}
		value := float32(t.cfg.Eta * w)
		nd := ensemble.Node{Value: float64(value), Cover: float64(float32(exact[i].h)), Count: int32(exact[i].n)} // #nosec G115 -- at most MaxRows
		if s := &gn[i].split; gn[i].left != 0 {
			nd.Feature = int32(s.feature) // #nosec G115 -- a column
			nd.Threshold = t.m.Cut[s.feature].Threshold(s.bin)
			nd.DefaultLeft = s.missLeft
			nd.Gain = float64(float32(gn[i].gain))
			nd.Left = int32(len(out)) // #nosec G115 -- a node
			out = append(out, ensemble.Node{}, ensemble.Node{})
			order = append(order, gn[i].left, gn[i].right)
		} else {
			node[place[i]] = k
		}
		out[k] = nd
	}
	return out, leaves, node
}

// quantiles sets every leaf to the quantile of the residuals of its rows, eta
// included, as XGBoost does where the gradient says too little of the loss.
func (t *trainer) quantiles(tree []ensemble.Node, leaves []core.Leaf, node []int) {
	t.pl.Each(len(leaves), func(next func() int) {
		var v, w []float32
		for i := next(); i < len(leaves); i = next() {
			lf := &leaves[i]
			if lf.Lo == lf.Hi {
				continue
			}
			v, w = v[:0], w[:0]
			for _, r := range t.gr.Idx[lf.Lo:lf.Hi] {
				v = append(v, t.tg.Y[r]-t.score[r])
				if t.tg.W != nil {
					w = append(w, t.tg.W[r])
				}
			}
			if t.tg.W == nil {
				w = nil
			}
			tree[node[i]].Value = float64(float32(t.cfg.Eta) * core.QuantileOf(v, w, t.loss.Alpha))
		}
	})
}
