package xgboost

import (
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// node is a node of a finished tree. Children of i are left and left+1, both
// after i; left is 0 for a leaf.
type node struct {
	feature     int32
	left        int32
	threshold   float32 // x < threshold goes left
	value       float32 // leaf value, eta included; of an inner node: what it would be as a leaf
	gain        float32
	cover       float32 // sum of hessians
	defaultLeft bool
}

// Booster is a trained ensemble. It is immutable and safe for concurrent use.
type Booster struct {
	loss    core.Loss
	base    []float32 // initial scores
	names   []string  // columns of the fit
	classes []int8    // what the probabilities stand for; nil below the classifier
	trees   [][]node  // round-major: tree r*k+c adds to score c
	pred    predictor
}

// Scores is the number of raw scores of a row: the number of classes for
// multi:softprob, else 1.
func (b *Booster) Scores() int { return b.loss.K }

// Rounds is the number of boosting rounds that predict: after early stopping,
// those up to the best.
func (b *Booster) Rounds() int { return len(b.trees) / b.loss.K }

// Objective is the loss of the fit, as in [Config].
func (b *Booster) Objective() string { return b.loss.Name }

// Names are the columns of the fit.
func (b *Booster) Names() []string { return append([]string(nil), b.names...) }

// Importance is the use of one column over all trees.
type Importance struct {
	Name   string
	Splits int     // number of splits
	Gain   float64 // sum of gains over the splits
	Cover  float64 // sum of hessians over the rows that reached the splits
}

// Importance sums over all splits of all trees, for every column in the order
// of the fit. XGBoost's importance types follow: "weight" is Splits,
// "total_gain" Gain, "gain" Gain/Splits, and so on for cover.
func (b *Booster) Importance() []Importance {
	out := make([]Importance, len(b.names))
	for j, n := range b.names {
		out[j].Name = n
	}
	for _, t := range b.trees {
		for i := range t {
			if nd := &t[i]; nd.left != 0 {
				im := &out[nd.feature]
				im.Splits++
				im.Gain += float64(nd.gain)
				im.Cover += float64(nd.cover)
			}
		}
	}
	return out
}

// finish turns the nodes of a grown tree into their final form, breadth first
// as XGBoost numbers them, and gives leaves their values from the exact
// gradients of their rows. It returns the tree and, for every leaf, its node
// and its rows.
func (t *trainer) finish(g, h []float32) ([]node, []leafRows) {
	gn := t.gr.nodes
	type sums struct{ g, h float64 }
	exact := make([]sums, len(gn))
	t.pl.Each(len(gn), func(next func() int) {
		for i := next(); i < len(gn); i = next() {
			if gn[i].left != 0 {
				continue
			}
			for _, r := range t.gr.Idx[gn[i].lo:gn[i].hi] {
				exact[i].g += float64(g[r])
				exact[i].h += float64(h[r])
			}
		}
	})
	for i := len(gn) - 1; i >= 0; i-- { // children come after their parents
		if l, r := gn[i].left, gn[i].right; l != 0 {
			exact[i].g = exact[l].g + exact[r].g
			exact[i].h = exact[l].h + exact[r].h
		}
	}
	out := make([]node, 0, len(gn))
	leaves := make([]leafRows, 0, len(gn)/2+1)
	order := make([]int, 1, len(gn))
	out = append(out, node{})
	for k := 0; k < len(order); k++ {
		i := order[k]
		w := 0.0
		// A root below min_child_weight has no value, as in XGBoost. Children
		// were held to it when they were made.
		if i != 0 || exact[i].h >= t.cfg.MinChildWeight {
			w = t.gr.srch.weight(exact[i].g, exact[i].h)
		}
		nd := node{value: float32(t.cfg.Eta * w), cover: float32(exact[i].h)}
		if s := &gn[i].split; gn[i].left != 0 {
			nd.feature = int32(s.feature)
			nd.threshold = t.m.Cut[s.feature].Threshold(s.bin)
			nd.defaultLeft = s.missLeft
			nd.gain = float32(gn[i].gain)
			nd.left = int32(len(out))
			out = append(out, node{}, node{})
			order = append(order, gn[i].left, gn[i].right)
		} else {
			leaves = append(leaves, leafRows{gn[i].lo, gn[i].hi, k, nd.value})
		}
		out[k] = nd
	}
	return out, leaves
}

// nodes is a tree in the style-neutral form.
func nodes(tree []node) []ensemble.Node {
	out := make([]ensemble.Node, len(tree))
	for i, nd := range tree {
		out[i] = ensemble.Node{Feature: nd.feature, Left: nd.left, Threshold: nd.threshold, DefaultLeft: nd.defaultLeft,
			Value: float64(nd.value), Gain: float64(nd.gain), Cover: float64(nd.cover)}
	}
	return out
}

// leafRows are the rows idx[lo:hi] of a leaf, its node and its value.
type leafRows struct {
	lo, hi, node int
	value        float32
}

// quantiles sets every leaf to the quantile of the residuals of its rows, eta
// included, as XGBoost does where the gradient says too little of the loss.
func (t *trainer) quantiles(tree []node, leaves []leafRows) {
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
			tree[lf.node].value = lf.value
		}
	})
}
