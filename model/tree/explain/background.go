package explain

import "github.com/mlfactory/mlfactory/model/tree/ensemble"

// Against one background row b, a row x reaches a leaf in the coalitions that
// hold the a columns of which only x takes the path and none of the b columns
// of which only b does. Such a leaf of value v gives
//
//	v·(a−1)!·b!/(a+b)!   to each of the first,
//	−v·a!·(b−1)!/(a+b)!  to each of the second
//
// (Lundberg et al. 2020, algorithm 3, "independent TreeSHAP"), for it is the
// game of a veto.

// walk follows one tree for one pair of rows.
type walk struct {
	t     *ensemble.Tree
	x, b  []float32
	side  []int8  // of every column: 0 not met, 1 from x, −1 from b
	met   []int32 // columns that were met, in order
	n     [2]int  // from b, from x
	out   []float64
	width int // values of a score in out
}

// against adds the contributions of a tree, means over the background rows.
func (x *Explainer) against(s *scratch, t *ensemble.Tree, rows [][]float32, out []float64) {
	if len(t.Nodes) == 1 {
		return
	}
	p, k := len(x.e.Columns), len(x.e.Base)
	w := &s.walk
	w.t, w.width = t, p+1
	if len(w.side) != p {
		w.side = make([]int8, p)
	}
	sum := room(&s.part, k*(p+1))
	w.out = sum
	for i, row := range rows {
		clear(sum)
		w.x = row
		for _, b := range x.back {
			w.b = b
			w.node(0)
		}
		to := out[i*k*(p+1):][:k*(p+1)]
		for j, v := range sum {
			if v != 0 {
				to[j] += v / float64(len(x.back))
			}
		}
	}
}

func (w *walk) node(i int32) {
	nd := &w.t.Nodes[i]
	if nd.Left == 0 {
		w.leaf(int(i))
		return
	}
	f := nd.Feature
	xs, bs := nd.Left+1, nd.Left+1
	if w.t.GoesLeft(nd, w.x[f]) {
		xs--
	}
	if w.t.GoesLeft(nd, w.b[f]) {
		bs--
	}
	switch {
	case xs == bs || w.side[f] == 1:
		w.node(xs)
	case w.side[f] == -1:
		w.node(bs)
	default:
		w.met = append(w.met, f)
		w.side[f] = 1
		w.n[1]++
		w.node(xs)
		w.n[1]--
		w.side[f] = -1
		w.n[0]++
		w.node(bs)
		w.n[0]--
		w.side[f] = 0
		w.met = w.met[:len(w.met)-1]
	}
}

func (w *walk) leaf(i int) {
	a, b := w.n[1], w.n[0]
	if a+b == 0 {
		return
	}
	// 1/((a+b)·C(a+b−1, b)) and −1/((a+b)·C(a+b−1, a)).
	first, second := share(a, b), -share(b, a)
	for _, f := range w.met {
		v := first
		if w.side[f] < 0 {
			v = second
		}
		if w.t.Width <= 1 {
			w.out[w.t.Class*w.width+int(f)] += float64(v * w.t.Nodes[i].Value)
			continue
		}
		for c, y := range w.t.Values[i*w.t.Width : (i+1)*w.t.Width] {
			w.out[c*w.width+int(f)] += float64(v * y)
		}
	}
}

// share is (a−1)!·b!/(a+b)! for a > 0.
func share(a, b int) float64 {
	s := 1 / float64(max(a, 1))
	for i := 1; i <= b; i++ {
		s *= float64(i) / float64(a+i)
	}
	return s
}
