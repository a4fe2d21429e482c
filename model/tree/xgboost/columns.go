package xgboost

import (
	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/rng"
)

// columns draws the columns of a tree: a share for the tree, of these a share
// for each level, of these a share for each node, always at least one and
// without replacement.
type columns struct {
	stream              rng.Stream
	round, tree         int
	byTree, level, node float64
	all                 []int   // of the tree
	levels              [][]int // of each level, drawn when first reached
	p                   int
}

// draw takes a share of a list, in the order of the draw.
func draw(s rng.Stream, list []int, share float64) []int {
	if share == 1 {
		return list
	}
	n := max(1, int(share*float64(len(list))))
	out := make([]int, n)
	for i, k := range s.Rand().Perm(len(list))[:n] {
		out[i] = list[k]
	}
	return out
}

// start draws the columns of a tree.
func (c *columns) start(round, tree int) []int {
	c.round, c.tree, c.levels = round, tree, c.levels[:0]
	if c.all == nil || c.byTree < 1 {
		list := make([]int, c.p)
		for j := range list {
			list[j] = j
		}
		c.all = draw(c.stream.Stream("colsample_bytree", round, tree), list, c.byTree)
	}
	return c.all
}

// mask is the columns of a node, nil if they are those of the tree.
func (c *columns) mask(depth, node int) []uint8 {
	if c.level == 1 && c.node == 1 {
		return nil
	}
	for len(c.levels) <= depth {
		s := c.stream.Stream("colsample_bylevel", c.round, c.tree, len(c.levels))
		c.levels = append(c.levels, draw(s, c.all, c.level))
	}
	m := make([]uint8, (c.p+hist.Lanes-1)/hist.Lanes)
	for _, j := range draw(c.stream.Stream("colsample_bynode", c.round, c.tree, node), c.levels[depth], c.node) {
		m[j/hist.Lanes] |= 1 << (j % hist.Lanes)
	}
	return m
}
