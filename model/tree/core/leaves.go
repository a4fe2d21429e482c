package core

import "math"

// Leaf is a leaf of a grown tree: the rows Idx[Lo:Hi], and the sums of their
// gradients and hessians.
type Leaf struct {
	Lo, Hi int
	G, H   float64
}

// SumLeaves sets the sums of every leaf, added up in the order of its rows. The
// leaves hold every row of Idx once.
//
// Rows of a leaf lie apart, and are read one cache line each. Where few workers
// could share that, and the leaves hold all rows of the matrix, each row is told
// its leaf first, and then rows are read as they lie: the order within a leaf,
// and so every sum, is the same.
func (g *Histograms) SumLeaves(leaves []Leaf, grad, hess []float32) {
	if !g.mark(leaves) {
		g.Pool.Each(len(leaves), func(next func() int) {
			for i := next(); i < len(leaves); i = next() {
				var a, b float64
				for _, r := range g.Idx[leaves[i].Lo:leaves[i].Hi] {
					a += float64(grad[r])
					b += float64(hess[r])
				}
				leaves[i].G, leaves[i].H = a, b
			}
		})
		return
	}
	sums := make([][2]float64, len(leaves))
	grad, hess = grad[:len(g.leafOf)], hess[:len(g.leafOf)]
	for r, i := range g.leafOf {
		s := &sums[i]
		s[0] += float64(grad[r])
		s[1] += float64(hess[r])
	}
	for i := range leaves {
		leaves[i].G, leaves[i].H = sums[i][0], sums[i][1]
	}
}

// AddLeaves adds the value of its leaf to score[r*k+c] of every row r of Idx.
// The leaves are those of the last call of SumLeaves.
func (g *Histograms) AddLeaves(leaves []Leaf, value, score []float32, k, c int) {
	if !g.marked {
		g.Pool.Each(len(leaves), func(next func() int) {
			for i := next(); i < len(leaves); i = next() {
				for _, r := range g.Idx[leaves[i].Lo:leaves[i].Hi] {
					score[int(r)*k+c] += value[i]
				}
			}
		})
		return
	}
	const piece = 1 << 14
	n := len(g.leafOf)
	g.Pool.Each((n+piece-1)/piece, func(next func() int) {
		for t := next(); t*piece < n; t = next() {
			of := g.leafOf[t*piece : min(n, (t+1)*piece)]
			to := score[t*piece*k:]
			if k == 1 {
				to = to[:len(of)]
				for r, i := range of {
					to[r] += value[i]
				}
				continue
			}
			for r, i := range of {
				to[r*k+c] += value[i]
			}
		}
	})
}

// mark notes the leaf of every row, if that pays and can be done.
func (g *Histograms) mark(leaves []Leaf) bool {
	g.marked = g.Ascending && len(g.Idx) == g.M.N && g.Pool.Workers <= 2 && len(leaves) <= math.MaxUint16
	if !g.marked {
		return false
	}
	if g.leafOf == nil {
		g.leafOf = make([]uint16, g.M.N)
	}
	g.Pool.Each(len(leaves), func(next func() int) {
		for i := next(); i < len(leaves); i = next() {
			for _, r := range g.Idx[leaves[i].Lo:leaves[i].Hi] {
				g.leafOf[r] = uint16(i) // #nosec G115 -- fewer leaves
			}
		}
	})
	return true
}
