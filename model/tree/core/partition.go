package core

import (
	"sync/atomic"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
)

// Rule divides the rows of a node by one feature: bins 1 to Bin go left, larger
// ones right, missing values (bin 0) as MissingLeft says. With a set, its bins
// go left and all others right, whatever the other fields say.
type Rule struct {
	Feature     int
	Bin         uint8 // at least 1
	MissingLeft bool
	Set         *BinSet
}

// BinSet is a set of bins.
type BinSet [4]uint64

// Has reports whether bin b is in the set.
func (s *BinSet) Has(b uint8) bool { return s[b>>6]>>(b&63)&1 == 1 }

// Add puts bin b into the set.
func (s *BinSet) Add(b uint8) { s[b>>6] |= 1 << (b & 63) }

// sides is 1 for every bin that a rule sends left.
func (r *Rule) sides() (left [hist.Bins]uint8) {
	if r.Set != nil {
		for b := range left {
			left[b] = uint8(r.Set[b>>6] >> (b & 63) & 1) // #nosec G115 -- a bit
		}
		return left
	}
	for b := range int(r.Bin) {
		left[b+1] = 1
	}
	if r.MissingLeft {
		left[MissingBin] = 1
	}
	return left
}

// route sends the rows of idx, in order, to l where left is 1 for their bin, to
// r where it is 0, and returns the number of left ones. Both must have room for
// all rows; l may be idx itself. The loop has no branch that depends on data.
func route(col []uint8, left *[hist.Bins]uint8, idx, l, r []uint32) int {
	l, r = l[:len(idx)], r[:len(idx)]
	nl, nr := 0, 0
	for _, row := range idx {
		k := int(left[col[row]])
		l[nl], r[nr] = row, row
		nl += k
		nr += 1 - k
	}
	return nl
}

// routeEnds is route into one list as long as idx: left rows in order from its
// beginning, right rows in order from its end downwards.
func routeEnds(col []uint8, left *[hist.Bins]uint8, idx, out []uint32) int {
	out = out[:len(idx)]
	nl, nr := 0, len(idx)-1
	for _, row := range idx {
		k := int(left[col[row]])
		out[nl], out[nr] = row, row
		nl += k
		nr += k - 1
	}
	return nl
}

// ParallelRows is the number of rows from which dividing work pays.
const ParallelRows = 8192

// Part is a node whose rows Idx[Lo:Hi] a rule divides; Left becomes the number
// of rows that go left.
type Part struct {
	Lo, Hi int
	Rule   *Rule
	Left   int
}

// routed is a piece of a node whose rows workers share: the rows lo to hi−1, of
// which nl go left, to position left; the others go to position right.
type routed struct{ part, lo, hi, nl, left, right int }

// Partition splits the rows Idx[lo:hi] by a rule, keeping their order, and
// returns how many go left.
func (g *Histograms) Partition(lo, hi int, r *Rule) int {
	one := [1]Part{{Lo: lo, Hi: hi, Rule: r}}
	g.PartitionAll(one[:])
	return one[0].Left
}

// PartitionAll splits the rows of several nodes, which do not overlap, keeping
// their order.
func (g *Histograms) PartitionAll(parts []Part) {
	rows := 0
	for i := range parts {
		rows += parts[i].Hi - parts[i].Lo
	}
	if g.Pool.Workers == 1 || rows < ParallelRows {
		for i := range parts {
			g.divide(0, &parts[i])
		}
		return
	}
	var pieces []routed
	var whole []int
	for i := range parts {
		p := &parts[i]
		if p.Hi-p.Lo < 2*ParallelRows {
			whole = append(whole, i)
			continue
		}
		for lo := p.Lo; lo < p.Hi; lo += ParallelRows {
			pieces = append(pieces, routed{part: i, lo: lo, hi: min(p.Hi, lo+ParallelRows)})
		}
	}
	if len(pieces) > 0 && len(g.spare) < len(g.Idx) {
		g.spare = make([]uint32, len(g.Idx))
	}
	var at atomic.Int64
	g.Pool.Run(true, func(w int) {
		for t := int(at.Add(1)) - 1; t < len(pieces)+len(whole); t = int(at.Add(1)) - 1 {
			if t >= len(pieces) {
				g.divide(w, &parts[whole[t-len(pieces)]])
				continue
			}
			q := &pieces[t]
			r := parts[q.part].Rule
			left := r.sides()
			q.nl = routeEnds(g.M.Col[r.Feature], &left, g.Idx[q.lo:q.hi], g.spare[q.lo:q.hi])
		}
	})
	if len(pieces) == 0 {
		return
	}
	for i := 0; i < len(pieces); {
		p := &parts[pieces[i].part]
		j, at := i, p.Lo
		for ; j < len(pieces) && pieces[j].part == pieces[i].part; j++ {
			pieces[j].left = at
			at += pieces[j].nl
		}
		p.Left = at - p.Lo
		for ; i < j; i++ {
			pieces[i].right = at
			at += pieces[i].hi - pieces[i].lo - pieces[i].nl
		}
	}
	g.Pool.Each(len(pieces), func(next func() int) {
		for t := next(); t < len(pieces); t = next() {
			q := &pieces[t]
			from := g.spare[q.lo:q.hi]
			copy(g.Idx[q.left:], from[:q.nl])
			to := g.Idx[q.right : q.right+len(from)-q.nl]
			for i := range to {
				to[i] = from[len(from)-1-i]
			}
		}
	})
}

// divide splits the rows of one node with the buffer of worker w.
func (g *Histograms) divide(w int, p *Part) {
	k, n := &g.ws[w], p.Hi-p.Lo
	if len(k.part) < n {
		k.part = make([]uint32, max(n, min(len(g.Idx), 2*ParallelRows)))
	}
	left, seg := p.Rule.sides(), g.Idx[p.Lo:p.Hi]
	p.Left = route(g.M.Col[p.Rule.Feature], &left, seg, seg, k.part)
	copy(seg[p.Left:], k.part[:n-p.Left])
}
