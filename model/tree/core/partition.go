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

// sides is 1 for every bin that a rule with a set sends left.
func (r *Rule) sides() (left [hist.Bins]uint8) {
	for b := range left {
		left[b] = uint8(r.Set[b>>6] >> (b & 63) & 1) // #nosec G115 -- a bit
	}
	return left
}

// run is the bins that go left as count bins from first on, if they are one run.
func (r *Rule) run() (first uint8, count int, ok bool) {
	switch {
	case r.Set != nil:
		return MissingBin, 1, *r.Set == BinSet{1 << MissingBin}
	case r.MissingLeft:
		return MissingBin, int(r.Bin) + 1, true
	}
	return 1, int(r.Bin), true
}

// route sends the rows of idx, in order, to l where the rule says left for
// their bin, to r where it does not, and returns the number of left ones. Both
// must have room for all rows; l may be idx itself.
func route(col []uint8, rule *Rule, idx, l, r []uint32) int {
	if first, count, ok := rule.run(); ok {
		return hist.Route(col, first, count, idx, l, r)
	}
	left := rule.sides()
	l, r = l[:len(idx)], r[:len(idx)]
	nl, nr := 0, 0
	for _, row := range idx { // no branch depends on data
		k := int(left[col[row]])
		l[nl], r[nr] = row, row
		nl += k
		nr += 1 - k
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
			r, to, rest := parts[q.part].Rule, g.spare[q.lo:q.hi], g.room(w, q.hi-q.lo)
			q.nl = route(g.M.Col[r.Feature], r, g.Idx[q.lo:q.hi], to, rest)
			copy(to[q.nl:], rest)
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
			copy(g.Idx[q.right:], from[q.nl:])
		}
	})
}

// room is a buffer of worker w for n rows.
func (g *Histograms) room(w, n int) []uint32 {
	k := &g.ws[w]
	if len(k.part) < n {
		k.part = make([]uint32, max(n, min(len(g.Idx), 2*ParallelRows)))
	}
	return k.part[:n]
}

// divide splits the rows of one node with the buffer of worker w.
func (g *Histograms) divide(w int, p *Part) {
	seg := g.Idx[p.Lo:p.Hi]
	right := g.room(w, len(seg))
	p.Left = route(g.M.Col[p.Rule.Feature], p.Rule, seg, seg, right)
	copy(seg[p.Left:], right)
}
