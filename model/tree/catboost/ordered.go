package catboost

import (
	"sort"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
)

// portion is a part of a permutation as the grower sees it.
type portion struct {
	body, tail int
	gh         [][]uint64 // of every row of body and tail, one for each channel
	weights    []uint64   // where sums are wide
	sc         core.Scales
	lambda     float64 // in the units of packed weights
}

// ordered scores splits by ordered boosting: the leaf values that a split would
// have come from the body of each portion and are held against the gradients of
// its tail.
type ordered struct {
	place    []uint32
	portions []portion
	cuts     [][]int // of each leaf: how many of its rows lie before each bound
	slots    [2][]int
	tally    []tally // of each block
}

// cut finds, for each leaf, how many of its rows come before the end of the
// first body and before the end of each tail; rows of a leaf keep the order of
// the permutation.
func (o *ordered) cut(idx []uint32, leaves []extent) {
	o.cuts = o.cuts[:0]
	for _, x := range leaves {
		rows, c := idx[x.lo:x.hi], make([]int, 1+len(o.portions))
		before := func(bound int) int {
			return sort.Search(len(rows), func(i int) bool { return int(o.place[rows[i]]) >= bound })
		}
		c[0] = before(o.portions[0].body)
		for p := range o.portions {
			c[p+1] = before(o.portions[p].tail)
		}
		o.cuts = append(o.cuts, c)
	}
}

// growOrdered is grow for ordered boosting. Nothing is kept from level to level.
func (g *grower) growOrdered(noise float64, stream rng.Stream) {
	o := g.ordered
	g.leaves = append(g.leaves[:0], extent{0, len(g.Idx)})
	g.splits, g.slots, g.sub = g.splits[:0], nil, nil
	for len(o.tally) < g.M.Blocks {
		o.tally = append(o.tally, tally{})
	}
	o.slots = [2][]int{g.take(), g.take()}
	defer func() {
		g.free(o.slots[0])
		g.free(o.slots[1])
	}()
	for depth := range g.cfg.Depth {
		o.cut(g.Idx, g.leaves)
		s, ok := g.chooseOrdered(noise, stream.Stream("level", depth))
		if !ok {
			break
		}
		g.splits = append(g.splits, s)
		rule := core.Rule{Feature: s.feature, Set: &s.left}
		leaves := make([]extent, 0, 2*len(g.leaves))
		g.parts = g.parts[:0]
		for _, x := range g.leaves {
			g.parts = append(g.parts, core.Part{Lo: x.lo, Hi: x.hi, Rule: &rule})
		}
		g.PartitionAll(g.parts)
		for i, x := range g.leaves {
			mid := x.lo + g.parts[i].Left
			leaves = append(leaves, extent{x.lo, mid}, extent{mid, x.hi})
		}
		g.leaves = leaves
		if r := redundant(g.leaves); r >= 0 {
			g.remove(r)
			break
		}
	}
}

// chooseOrdered scores all splits of a level and returns the best.
func (g *grower) chooseOrdered(noise float64, stream rng.Stream) (split, bool) {
	o, allowed := g.ordered, g.columns(stream)
	unit := g.sc
	g.sc = core.Scales{G: 1, H: 1} // each portion brings its own
	defer func() { g.sc = unit }()
	channels := len(g.gh)
	for p := range o.portions {
		q := &o.portions[p]
		sums := make([][2][]core.Sums, len(g.leaves))
		g.each(p, func(l int, _ extent, side int, rows []uint32) {
			sums[l][side] = total(q.gh, q.weights, rows)
		})
		if p == 0 {
			for b := range g.M.Blocks {
				o.tally[b].reset(g.M.BlockBins[b])
			}
		}
		for l := range g.leaves {
			if sums[l][0] == nil {
				continue
			}
			g.H = q.weights
			for side := range 2 {
				x := g.side(p, l, side)
				for c := range channels {
					g.GH = q.gh[c]
					g.Pool.Run(x.hi-x.lo >= core.ParallelRows/8, func(w int) {
						g.Build(w, x.lo, x.hi, g.At(o.slots[side][c]))
					})
				}
			}
			g.Pool.Run(g.M.Blocks > 4, func(w int) {
				from, to := g.Blocks(w)
				for b := from; b < to; b++ {
					g.portion(b, q, sums[l])
				}
			})
		}
	}
	g.Pool.Run(g.M.Blocks > 4, func(w int) {
		from, to := g.Blocks(w)
		for b := from; b < to; b++ {
			g.finishBlock(&o.tally[b], b, allowed, noise, stream)
		}
	})
	return g.winner()
}

// side is the body (0) or the tail (1) of portion p in leaf l.
func (g *grower) side(p, l, side int) extent {
	x, c := g.leaves[l], g.ordered.cuts[l]
	body := c[0]
	if p > 0 {
		body = c[p] // the tail before
	}
	if side == 0 {
		return extent{x.lo, x.lo + body}
	}
	return extent{x.lo + body, x.lo + c[p+1]}
}

// each calls f for body and tail of the leaves in which both have rows: without
// a body there is no leaf value, without a tail nothing to hold it against.
func (g *grower) each(p int, f func(l int, x extent, side int, rows []uint32)) {
	for l := range g.leaves {
		body, tail := g.side(p, l, 0), g.side(p, l, 1)
		if body.lo == body.hi || tail.lo == tail.hi {
			continue
		}
		f(l, body, 0, g.Idx[body.lo:body.hi])
		f(l, tail, 1, g.Idx[tail.lo:tail.hi])
	}
}

// portion adds a leaf of a portion to the tally of block b.
func (g *grower) portion(b int, q *portion, sums [2][]core.Sums) {
	t, f0 := &g.ordered.tally[b], b*hist.Lanes
	unit := q.sc.H / q.sc.G / q.sc.G
	var few [2][8]core.Planes
	var room [2][8]*hist.Block
	list, hs := [2][]core.Planes{few[0][:0], few[1][:0]}, [2][]*hist.Block{room[0][:0], room[1][:0]}
	for side := range 2 {
		for _, slot := range g.ordered.slots[side] {
			h := g.Planes(g.At(slot), b)
			list[side], hs[side] = append(list[side], h), append(hs[side], h.G)
		}
	}
	zero := g.zero(b)
	if g.weights != nil {
		for f := f0; f < min(g.M.P, f0+hist.Lanes); f++ {
			t.against(list, f-f0, g.M.NBin[f], zero>>(f-f0)&1 == 1, sums, q.lambda, unit, g.derive)
		}
		return
	}
	t.packed = grown(t.packed, 2*len(sums[0]))
	lf := hist.HeldLeaf{Body: t.packed[:len(sums[0])], Tail: t.packed[len(sums[0]):], Lambda: q.lambda, Unit: unit, Rest: g.derive, Zero: zero}
	for c := range sums[0] {
		lf.Body[c], lf.Tail[c] = sums[0][c].A, sums[1][c].A
	}
	hist.AddHeldScores(hs[0], hs[1], g.M.BlockBins[b], &lf, &t.acc, &t.num, &t.den)
}

// against is [hist.AddHeldScores] for the lane k, of nb bins, of wide histograms
// of body and tail; zero says whether bin 0 goes left.
func (t *tally) against(hs [2][]core.Planes, k, nb int, zero bool, sums [2][]core.Sums, lambda, unit float64, derive bool) {
	channels := len(sums[0])
	t.side = grown(t.side, 2*channels)
	clear(t.side)
	body, tail := t.side[:channels], t.side[channels:]
	// score is numerator and denominator of one side, right if other.
	score := func(other bool) (num, den float64) {
		sb, st, wb, wt := 0.0, 0.0, 0.0, 0.0
		for c := range body {
			pb, pt := body[c], tail[c]
			if other {
				pb, pt = sums[0][c].Less(pb), sums[1][c].Less(pt)
			}
			gb, w := pb.Unpack(true)
			gt, u := pt.Unpack(true)
			vb, vt := float64(gb), float64(gt)
			wb, wt = float64(w), float64(u)
			sb += vb
			st += vt
			num += float64(vb * vt)
			den += float64(vb * vb)
		}
		if derive {
			num += float64(sb * st)
			den += float64(sb * sb)
		}
		if wb <= 0 {
			return 0, 0
		}
		num /= wb + lambda
		den = float64(den / (wb + lambda) / (wb + lambda) * wt)
		return num, den
	}
	num, den := score(true)
	for bin := range nb {
		if bin == 0 && !zero {
			continue
		}
		at, found := bin*hist.Lanes+k, core.Sums{}
		for c := range body {
			x, y := hs[0][c].At(at), hs[1][c].At(at)
			found.A |= x.A | y.A
			found.B |= x.B | y.B
			body[c], tail[c] = body[c].Plus(x), tail[c].Plus(y)
		}
		if found != (core.Sums{}) {
			nl, dl := score(false)
			nr, dr := score(true)
			num, den = nl+nr, dl+dr
		}
		t.num[at] += float64(num * unit)
		t.den[at] += float64(den * unit)
	}
}

// prepareOrdered takes the derivatives of all parts of a fold at their scores,
// draws the weights of the rows and packs both. It returns the mean square of
// the derivatives in the tails.
func (t *trainer) prepareOrdered(f *fold, round int) float64 {
	if t.ordered == nil {
		t.ordered = &ordered{portions: make([]portion, len(f.parts))}
		for p := range t.ordered.portions {
			q := &t.ordered.portions[p]
			q.gh = make([][]uint64, len(t.gh))
			if t.weights != nil {
				q.weights = make([]uint64, len(t.tg.Y))
			}
			for c := range q.gh {
				q.gh[c] = make([]uint64, len(t.tg.Y))
			}
		}
	}
	o := t.ordered
	f.gr.ordered = o
	o.place = f.place
	// What a row is drawn by comes from the one part in whose tail it lies, or
	// from the first body.
	for p := range f.parts {
		q := &f.parts[p]
		lo := q.body
		if p == 0 {
			lo = 0
		}
		t.derive(f, q, lo, q.tail)
	}
	size, _, root := t.size()
	total, count := 0.0, 0
	for _, r := range f.perm[f.parts[0].body:] {
		total += size[r]
		count++
	}
	sampled := t.sample(round, size, root)
	for p := range f.parts {
		q := &f.parts[p]
		t.derive(f, q, 0, q.tail)
		x := &o.portions[p]
		x.sc = t.pack(f.perm[:q.tail], q.body, sampled, x.gh, x.weights)
		x.body, x.tail, x.lambda = q.body, q.tail, q.l2(&t.cfg)*x.sc.H
	}
	if count == 0 {
		return 0
	}
	return total / float64(count)
}

// arrange sorts the rows of a permutation by leaf and returns them with the
// leaves. leaf is the leaf of every row.
func arrange(perm []uint32, leaf []uint16, leaves int) ([]uint32, []extent) {
	out, ext := make([]uint32, len(perm)), make([]extent, leaves)
	for _, r := range perm {
		ext[leaf[r]].hi++
	}
	at := 0
	for l := range ext {
		n := ext[l].hi
		ext[l] = extent{at, at}
		at += n
	}
	for _, r := range perm {
		x := &ext[leaf[r]]
		out[x.hi] = r
		x.hi++
	}
	return out, ext
}

// advance adds a tree to the scores of all parts of a fold: each gets the leaf
// values that its body gives.
func (t *trainer) advance(f *fold, rows []uint32, leaves []extent) {
	head := make([]extent, len(leaves))
	before := func(x extent, bound int) extent {
		n := sort.Search(x.hi-x.lo, func(i int) bool { return int(f.place[rows[x.lo+i]]) >= bound })
		return extent{x.lo, x.lo + n}
	}
	for p := range f.parts {
		q := &f.parts[p]
		for l, x := range leaves {
			head[l] = before(x, q.body)
		}
		t.est.load(&t.tg, rows, head, q.score, f.place)
		value, _ := t.est.values(head, q.l2(&t.cfg))
		for i := range value {
			value[i] *= t.cfg.LearningRate
		}
		for l, x := range leaves {
			head[l] = before(x, q.tail)
		}
		t.update(q, f, rows, head, value)
	}
}
