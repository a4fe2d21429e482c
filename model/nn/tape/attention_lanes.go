package tape

import "github.com/mlfactory/mlfactory/internal/simd/vec"

// Attention between few steps, as between the patches of a window, is many products
// of a few numbers each, of which a matrix product spends most time on its edges.
// Here the heads of all samples lie side by side instead, each a lane: every number of
// a head is an array over lanes, and whatever a head does is done to all of them. A
// lane does not depend on how many there are, so rows may be cut anywhere; products
// are rounded before they are added, on every path.

// laneSteps is the largest number of queries and keys, and laneDim of the channels of
// a head, for which lanes are used; matrix products are as fast from twice as many on.
const (
	laneSteps = 8
	laneDim   = 4
	laneBlock = 256 // lanes at a time, so that their numbers stay in the second-level cache
)

// inLanes reports whether heads run side by side.
func (a *Attention) inLanes(train bool) bool {
	return a.QuerySteps <= laneSteps && a.KeySteps <= laneSteps && a.Q.Dim <= laneDim && a.V.Dim <= laneDim &&
		a.Q.Stride != 0 && a.K.Stride != 0 && a.V.Stride != 0 && a.Bias == nil && !a.Causal && !a.Mean && !(train && a.Dropout > 0)
}

// lanes is how the heads of all samples are divided: count of them, block by block of
// ld, a multiple of 16. An odd multiple keeps arrays from the same lines of the cache.
type lanes struct{ count, blocks, ld int }

func newLanes(count int) lanes {
	n := lanes{count: count, blocks: (count + laneBlock - 1) / laneBlock}
	if count > 0 {
		n.ld = ((count+n.blocks-1)/n.blocks+15)&^15 | 16
	}
	return n
}

// span is the lanes of a block. Those of the last may be none.
func (n lanes) span(block int) (lo, hi int) {
	return min(n.count, block*n.ld), min(n.count, (block+1)*n.ld)
}

// laneAt is the place of a head in an operand.
type laneAt struct {
	at          int
	head, heads int
	next, skip  int // how far the next head is, and how much further that of the next sample
}

// first is the place of step s of a block's first head.
func (n lanes) first(a Heads, steps, heads, block, s int) laneAt {
	lo, _ := n.span(block)
	return laneAt{at: (lo/heads*steps+s)*a.X.Cols + a.From + lo%heads*a.Stride, head: lo % heads, heads: heads,
		next: a.Stride, skip: steps*a.X.Cols - heads*a.Stride}
}

// forth goes to the next head.
func (p *laneAt) forth() {
	p.at += p.next
	if p.head++; p.head == p.heads {
		p.head = 0
		p.at += p.skip
	}
}

// gather sets array s·Dim + e of dst to number e of step s of a block's heads, and
// what is left of it to zero.
func (n lanes) gather(dst []float32, a Heads, v []float32, steps, heads, block int) {
	lo, hi := n.span(block)
	if hi-lo < n.ld {
		clear(dst)
	}
	for s := range steps {
		p := n.first(a, steps, heads, block, s)
		to := dst[s*a.Dim*n.ld:]
		if a.Dim != 4 {
			for l := range hi - lo {
				for e := range a.Dim {
					to[e*n.ld+l] = v[p.at+e]
				}
				p.forth()
			}
			continue
		}
		t0, t1, t2, t3 := to[:hi-lo], to[n.ld:][:hi-lo], to[2*n.ld:][:hi-lo], to[3*n.ld:][:hi-lo]
		for l := range t0 {
			x := (*[4]float32)(v[p.at:])
			t0[l], t1[l], t2[l], t3[l] = x[0], x[1], x[2], x[3]
			p.forth()
		}
	}
}

// scatter is the reverse of gather; it adds if so told.
func (n lanes) scatter(src []float32, a Heads, v []float32, steps, heads, block int, add bool) {
	lo, hi := n.span(block)
	for s := range steps {
		p := n.first(a, steps, heads, block, s)
		from := src[s*a.Dim*n.ld:]
		if a.Dim != 4 {
			for l := range hi - lo {
				for e := range a.Dim {
					x := from[e*n.ld+l]
					if add {
						x += v[p.at+e]
					}
					v[p.at+e] = x
				}
				p.forth()
			}
			continue
		}
		f0, f1, f2, f3 := from[:hi-lo], from[n.ld:][:hi-lo], from[2*n.ld:][:hi-lo], from[3*n.ld:][:hi-lo]
		for l := range f0 {
			x := (*[4]float32)(v[p.at:])
			if add {
				x[0], x[1], x[2], x[3] = x[0]+f0[l], x[1]+f1[l], x[2]+f2[l], x[3]+f3[l]
			} else {
				x[0], x[1], x[2], x[3] = f0[l], f1[l], f2[l], f3[l]
			}
			p.forth()
		}
	}
}

// products sets array u·m + w of c, for u below l and w below m, to the sum over k of
// arrays u·ua + k·ka of a and w·wb + k·kb of b.
func (n lanes) products(c, a, b []float32, l, m, depth, ua, ka, wb, kb int) {
	for u := range l {
		for w := range m {
			dst := c[(u*m+w)*n.ld:][:n.ld]
			vec.Mul(a[u*ua*n.ld:][:n.ld], b[w*wb*n.ld:][:n.ld], dst)
			for k := 1; k < depth; k++ {
				vec.MulAdd(a[(u*ua+k*ka)*n.ld:][:n.ld], b[(w*wb+k*kb)*n.ld:][:n.ld], dst, dst)
			}
		}
	}
}

// attendLanes is [Tape.Attend] with the heads side by side, p their weights: array
// j·queries + i of a block is that of key j and query i.
func (t *Tape) attendLanes(a *Attention, scale float32) (*Tensor, Weights) {
	nq, nk, d, dv := a.QuerySteps, a.KeySteps, a.Q.Dim, a.V.Dim
	n := newLanes(a.Q.X.Rows / nq * a.Heads)
	y := t.fresh(a.Q.X.Rows, a.Heads*dv)
	out := Heads{X: y, Stride: dv, Dim: dv}
	size, sizeQ, sizeK, sizeV, sizeY := nk*nq*n.ld, nq*d*n.ld, nk*d*n.ld, nk*dv*n.ld, nq*dv*n.ld
	kept := 1 // blocks whose operands are kept for the gradient
	if t.train {
		kept = n.blocks
	}
	p, q, k, v := t.alloc(n.blocks*size), t.alloc(kept*sizeQ), t.alloc(kept*sizeK), t.alloc(kept*sizeV)
	of := func(x []float32, size, block int) []float32 { return x[block%kept*size:][:size] }
	o := t.alloc(sizeY)
	for b := range n.blocks {
		q, k, v, p := of(q, sizeQ, b), of(k, sizeK, b), of(v, sizeV, b), p[b*size:][:size]
		n.gather(q, a.Q, a.Q.X.Value, nq, a.Heads, b)
		n.gather(k, a.K, a.K.X.Value, nk, a.Heads, b)
		n.gather(v, a.V, a.V.X.Value, nk, a.Heads, b)
		n.products(p, k, q, nk, nq, d, d, 1, d, 1)
		vec.SoftmaxColumns(p, nk, nq*n.ld, nq*n.ld, scale)
		n.products(o, p, v, nq, dv, nk, 1, nq, 1, dv)
		n.scatter(o, out, y.Value, nq, a.Heads, b, false)
	}
	w := Weights{p: p, heads: a.Heads, queries: nq, keys: nk, ld: n.ld, lanes: true}
	if !t.train {
		return y, w
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		gq, gk, gv := t.gradOfHeads(a)
		ds, dy, g := t.alloc(size), t.alloc(sizeY), t.alloc(max(sizeQ, sizeK, sizeV))
		for b := range n.blocks {
			q, k, v, p := of(q, sizeQ, b), of(k, sizeK, b), of(v, sizeV, b), p[b*size:][:size]
			n.gather(dy, out, y.grad, nq, a.Heads, b)
			if gv.grad != nil {
				n.products(g, p, dy, nk, dv, nq, nq, 1, 1, dv)
				n.scatter(g, a.V, gv.grad, nk, a.Heads, b, gv.add)
			}
			if gq.grad == nil && gk.grad == nil {
				continue
			}
			n.products(ds, v, dy, nk, nq, dv, dv, 1, dv, 1)
			vec.SoftmaxColumnsGrad(p, ds, nk, nq*n.ld, nq*n.ld, scale)
			if gq.grad != nil {
				n.products(g, ds, k, nq, d, nk, 1, nq, 1, d)
				n.scatter(g, a.Q, gq.grad, nq, a.Heads, b, gq.add)
			}
			if gk.grad != nil {
				n.products(g, ds, q, nk, d, nq, nq, 1, 1, d)
				n.scatter(g, a.K, gk.grad, nk, a.Heads, b, gk.add)
			}
		}
	})
	return y, w
}
