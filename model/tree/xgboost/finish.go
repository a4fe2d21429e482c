package xgboost

import (
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// leafRows are the rows idx[lo:hi] of a leaf, its node and its value.
type leafRows struct {
	lo, hi, node int
	value        float32
}

// finish turns the nodes of a grown tree into their final form, breadth first
// as XGBoost numbers them, and gives leaves their values from the exact
// gradients of their rows. It returns the tree and its leaves.
func (t *trainer) finish(g, h []float32) ([]ensemble.Node, []leafRows) {
	gn := t.gr.nodes
	type sums struct {
		g, h float64
		n    int
	}
	exact := make([]sums, len(gn))
	t.pl.Each(len(gn), func(next func() int) {
		for i := next(); i < len(gn); i = next() {
			if gn[i].left != 0 {
				continue
			}
			s := &exact[i]
			s.n = gn[i].hi - gn[i].lo
			for _, r := range t.gr.Idx[gn[i].lo:gn[i].hi] {
				s.g += float64(g[r])
				s.h += float64(h[r])
			}
		}
	})
	for i := len(gn) - 1; i >= 0; i-- { // children come after their parents
		if l, r := gn[i].left, gn[i].right; l != 0 {
			exact[i] = sums{exact[l].g + exact[r].g, exact[l].h + exact[r].h, exact[l].n + exact[r].n}
		}
	}
	out := make([]ensemble.Node, 0, len(gn))
	leaves := make([]leafRows, 0, len(gn)/2+1)
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
			leaves = append(leaves, leafRows{gn[i].lo, gn[i].hi, k, value})
		}
		out[k] = nd
	}
	return out, leaves
}

// quantiles sets every leaf to the quantile of the residuals of its rows, eta
// included, as XGBoost does where the gradient says too little of the loss.
func (t *trainer) quantiles(tree []ensemble.Node, leaves []leafRows) {
	t.pl.Each(len(leaves), func(next func() int) {
		var v, w []float32
		for i := next(); i < len(leaves); i = next() {
			lf := &leaves[i]
			if lf.lo == lf.hi {
				continue
			}
			v, w = v[:0], w[:0]
			for _, r := range t.gr.Idx[lf.lo:lf.hi] {
				v = append(v, t.tg.Y[r]-t.score[r])
				if t.tg.W != nil {
					w = append(w, t.tg.W[r])
				}
			}
			if t.tg.W == nil {
				w = nil
			}
			lf.value = float32(t.cfg.Eta) * core.QuantileOf(v, w, t.loss.Alpha)
			tree[lf.node].Value = float64(lf.value)
		}
	})
}
