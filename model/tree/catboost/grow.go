package catboost

import (
	"math"
	"math/bits"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
)

// split is the split of a level: rows whose bin is in left go left.
type split struct {
	feature int // of the matrix
	bin     uint8
	missing bool // missing values go left
	left    core.BinSet
}

// choice is the best split of a candidate.
type choice struct {
	score float64 // without noise
	bin   int     // −1: none
	noise float64 // of the second draw, which decides between candidates
}

// grower grows symmetric trees.
type grower struct {
	*core.Histograms
	cfg     *Config
	gh      [][]uint64 // packed gradient and weight of every row, one for each channel
	derive  bool       // the gradient of one more score is less the sum of the others
	missing []bool     // columns with missing values
	sc      core.Scales
	lambda  float64 // L2 penalty in the units of packed weights

	leaves []extent
	slots  [][]int // of each leaf, one for each channel; nil where it has no rows
	sub    [][]int // what must be taken from a leaf's histograms first
	best   []choice
	splits []split
	totals [][]uint64 // packed sums of each leaf, one for each channel
	tally  []tally    // of each worker

	ordered *ordered // nil: plain boosting
	derived *deriver // nil: no categories
}

// tally is what a worker adds up for the 8 features of a block: numerator and
// denominator of the score of the split after each bin, as steps from the bin
// before.
type tally struct {
	num, den   [hist.Bins * hist.Lanes]float64
	num0, den0 [hist.Lanes]float64
	acc        []uint64 // of the channels
}

func newGrower(m *core.Matrix, pl *core.Pool, cfg *Config, missing []bool) *grower {
	return &grower{Histograms: core.NewHistograms(m, pl), cfg: cfg, missing: missing, best: make([]choice, m.P), tally: make([]tally, pl.Workers)}
}

// bounds are the bins after which feature f may be split.
func (g *grower) bounds(f int) (from, to int) {
	from, to = 1, g.M.NBin[f]-2
	if g.missing[f] {
		if g.cfg.NanMode == nanMax {
			to++
		} else {
			from--
		}
	}
	return from, to
}

// split is the split of feature f after a bin.
func (g *grower) split(f, bin int) split {
	s := split{feature: f, bin: uint8(bin), missing: !(g.missing[f] && g.cfg.NanMode == nanMax)}
	if v := g.derived; v != nil && f >= v.plain && int(v.stats[f-v.plain].other)+1 <= bin {
		// The finished model lists the categories that go left; those it does
		// not know go right.
		for b := bin + 1; b < hist.Bins; b++ {
			s.left.Add(uint8(b))
		}
		return s
	}
	for b := range bin + 1 {
		if b > 0 || s.missing {
			s.left.Add(uint8(b))
		}
	}
	return s
}

// grow grows a tree on the rows of Idx. noise is the standard deviation of the
// noise on scores.
func (g *grower) grow(noise float64, stream rng.Stream) {
	g.leaves = append(g.leaves[:0], extent{0, len(g.Idx)})
	g.splits, g.totals = g.splits[:0], append(g.totals[:0], g.sum(g.leaves[0]))
	g.slots, g.sub = append(g.slots[:0], g.take()), append(g.sub[:0], nil)
	g.build([]int{0})
	for depth := range g.cfg.Depth {
		s, ok := g.choose(noise, stream.Stream("level", depth))
		if !ok {
			break
		}
		g.splits = append(g.splits, s)
		g.divide(&s, depth+1 < g.cfg.Depth)
		if r := redundant(g.leaves); r >= 0 {
			g.remove(r)
			break
		}
	}
	for i := range g.slots {
		g.free(g.slots[i])
	}
}

func (g *grower) take() []int {
	out := make([]int, len(g.gh))
	for c := range out {
		out[c] = g.Slot()
	}
	return out
}

func (g *grower) free(slots []int) {
	for _, s := range slots {
		g.Release(s)
	}
}

// build fills the histograms of some leaves from their rows.
func (g *grower) build(leaves []int) {
	rows := 0
	for _, l := range leaves {
		rows += g.leaves[l].hi - g.leaves[l].lo
	}
	for c := range g.gh {
		g.GH = g.gh[c]
		g.Pool.Run(rows >= core.ParallelRows/8, func(w int) {
			for _, l := range leaves {
				g.Build(w, g.leaves[l].lo, g.leaves[l].hi, g.At(g.slots[l][c]))
			}
		})
	}
}

// sum adds up the rows of a leaf.
func (g *grower) sum(x extent) []uint64 {
	t := make([]uint64, len(g.gh))
	for c, gh := range g.gh {
		for _, r := range g.Idx[x.lo:x.hi] {
			t[c] += gh[r]
		}
	}
	return t
}

// divide makes the leaves of the next level and, if they will be divided again,
// the histograms of the smaller of each pair; those of the larger come from the
// parent's when they are scanned.
func (g *grower) divide(s *split, again bool) {
	rule := core.Rule{Feature: s.feature, Set: &s.left}
	n := len(g.leaves)
	leaves, totals := make([]extent, 0, 2*n), make([][]uint64, 2*n)
	slots, sub := make([][]int, 2*n), make([][]int, 2*n)
	var small []int
	for i, x := range g.leaves {
		mid := x.lo
		if x.lo < x.hi {
			mid += g.Partition(x.lo, x.hi, &rule)
		}
		leaves = append(leaves, extent{x.lo, mid}, extent{mid, x.hi})
		a, b := 2*i, 2*i+1 // smaller and larger
		if x.hi-mid < mid-x.lo {
			a, b = b, a
		}
		totals[a], totals[b] = g.sum(leaves[a]), g.totals[i]
		for c, t := range totals[a] {
			totals[b][c] -= t
		}
		switch {
		case !again:
			g.free(g.slots[i])
		case leaves[a].lo == leaves[a].hi: // the larger one is the parent
			slots[b] = g.slots[i]
		default:
			slots[a], slots[b] = g.take(), g.slots[i]
			sub[b] = slots[a]
			small = append(small, a)
		}
	}
	g.leaves, g.slots, g.sub, g.totals = leaves, slots, sub, totals
	g.build(small)
}

// choose scores all splits of the level and returns the best.
func (g *grower) choose(noise float64, stream rng.Stream) (split, bool) {
	allowed := g.columns(stream)
	g.Pool.Run(true, func(w int) {
		from, to := g.Blocks(w)
		for b := from; b < to; b++ {
			g.score(&g.tally[w], b, allowed, noise, stream)
		}
	})
	for i := range g.sub {
		g.sub[i] = nil // taken away by now
	}
	return g.winner()
}

// winner is the best of the features.
func (g *grower) winner() (split, bool) {
	best, at := math.Inf(-1), -1
	for f := range g.best {
		c := &g.best[f]
		if c.bin < 0 {
			continue
		}
		v := c.score + c.noise
		if g.derived != nil {
			v *= g.derived.factor[f]
		}
		if v > best {
			best, at = v, f
		}
	}
	if at < 0 {
		return split{}, false
	}
	if g.derived != nil {
		g.derived.use(at)
	}
	return g.split(at, g.best[at].bin), true
}

// columns draws the columns that a level may split; nil: all.
func (g *grower) columns(stream rng.Stream) []bool {
	if g.cfg.RSM == 1 {
		return nil
	}
	r := stream.Stream("rsm").Rand()
	out := make([]bool, g.M.P)
	for f := range out {
		out[f] = r.Float64() <= g.cfg.RSM
	}
	return out
}

// score finds the best split of each feature of block b.
func (g *grower) score(t *tally, b int, allowed []bool, noise float64, stream rng.Stream) {
	f0 := b * hist.Lanes
	f1 := min(g.M.P, f0+hist.Lanes)
	t.reset(g.M.BlockBins[b])
	var hs [8]*hist.Block
	for l := range g.leaves {
		if g.slots[l] == nil {
			continue
		}
		list := hs[:0]
		for c, slot := range g.slots[l] {
			h := &g.At(slot)[b]
			if g.sub[l] != nil {
				hist.Subtract(h, &g.At(g.sub[l][c])[b], g.M.BlockBins[b])
			}
			list = append(list, h)
		}
		for f := f0; f < f1; f++ {
			if allowed != nil && !allowed[f] {
				continue
			}
			from, to := g.bounds(f)
			if len(list) == 1 && !g.derive {
				t.one(list[0], f-f0, from, to, g.totals[l][0], g.lambda)
			} else {
				t.several(list, f-f0, from, to, g.totals[l], g.lambda, g.derive)
			}
		}
	}
	g.finishBlock(t, b, allowed, noise, stream)
}

// reset empties the tally for features of at most bins bins.
func (t *tally) reset(bins int) {
	clear(t.num[:bins*hist.Lanes])
	clear(t.den[:bins*hist.Lanes])
	clear(t.num0[:])
	clear(t.den0[:])
}

// finishBlock notes the best split of each feature of block b.
func (g *grower) finishBlock(t *tally, b int, allowed []bool, noise float64, stream rng.Stream) {
	f0 := b * hist.Lanes
	for f := f0; f < min(g.M.P, f0+hist.Lanes); f++ {
		g.best[f].bin = -1
		if allowed != nil && !allowed[f] {
			continue
		}
		from, to := g.bounds(f)
		g.best[f] = g.finish(t, f-f0, from, to, noise, stream, f)
	}
}

// one adds a leaf of one score to lane k: the split after bin b puts g, w left
// and the rest right, and adds ḡ·g to the numerator and ḡ²·w to the
// denominator of either side, with ḡ = g/(w+λ).
func (t *tally) one(h *hist.Block, k, from, to int, tot uint64, lambda float64) {
	tg, tw := hist.Unpack(tot)
	G, W := float64(tg), float64(tw)
	if tw == 0 {
		return
	}
	a := G / (W + lambda)
	num, den := float64(a*G), float64(float64(a*a)*W)
	t.num0[k] += num
	t.den0[k] += den
	acc := uint64(0)
	for b := from; b <= to; b++ {
		v := h[(b*hist.Lanes+k)&(len(h)-1)]
		if v == 0 {
			continue
		}
		acc += v
		gl, wl := float64(int64(acc)>>32), float64(int64(acc&math.MaxUint32))
		gr, wr := G-gl, W-wl
		al, ar := 0.0, 0.0
		if wl > 0 {
			al = gl / (wl + lambda)
		}
		if wr > 0 {
			ar = gr / (wr + lambda)
		}
		nn := float64(al*gl) + float64(ar*gr)
		dd := float64(float64(al*al)*wl) + float64(float64(ar*ar)*wr)
		t.num[(b*hist.Lanes+k)&(len(h)-1)] += nn - num
		t.den[(b*hist.Lanes+k)&(len(h)-1)] += dd - den
		num, den = nn, dd
	}
}

// several is one for several scores, whose weights are the same. With derive
// the gradients of all scores sum to zero and the last has no histogram.
func (t *tally) several(hs []*hist.Block, k, from, to int, tot []uint64, lambda float64, derive bool) {
	_, tw := hist.Unpack(tot[0])
	W := float64(tw)
	if tw == 0 {
		return
	}
	sum, sq := 0.0, 0.0 // Σ over scores of gradients, and of their squares
	for c := range hs {
		g := float64(int64(tot[c]) >> 32)
		sum += g
		sq += float64(g * g)
	}
	if derive {
		sq += float64(sum * sum)
	}
	a := sq / (W + lambda)
	num, den := a, float64(a/(W+lambda)*W)
	t.num0[k] += num
	t.den0[k] += den
	t.acc = grown(t.acc, len(hs))
	acc := t.acc
	clear(acc)
	for b := from; b <= to; b++ {
		at := (b*hist.Lanes + k) & (hist.Bins*hist.Lanes - 1)
		any := uint64(0)
		for c, h := range hs {
			v := h[at]
			any |= v
			acc[c] += v
		}
		if any == 0 {
			continue
		}
		wl := float64(int64(acc[0] & math.MaxUint32))
		wr := W - wl
		sl, sr, ql, qr := 0.0, 0.0, 0.0, 0.0
		for c := range hs {
			gl := float64(int64(acc[c]) >> 32)
			gr := float64(int64(tot[c])>>32) - gl
			sl += gl
			sr += gr
			ql += float64(gl * gl)
			qr += float64(gr * gr)
		}
		if derive {
			ql += float64(sl * sl)
			qr += float64(sr * sr)
		}
		al, ar, bl, br := 0.0, 0.0, 0.0, 0.0
		if wl > 0 {
			al = ql / (wl + lambda)
			bl = float64(al / (wl + lambda) * wl)
		}
		if wr > 0 {
			ar = qr / (wr + lambda)
			br = float64(ar / (wr + lambda) * wr)
		}
		nn, dd := al+ar, bl+br
		t.num[at] += nn - num
		t.den[at] += dd - den
		num, den = nn, dd
	}
}

// finish turns the tally of lane k into the best split of feature f.
func (g *grower) finish(t *tally, k, from, to int, noise float64, stream rng.Stream, f int) choice {
	c := choice{bin: -1, score: math.Inf(-1)}
	unit := g.sc.H / g.sc.G / g.sc.G // of numerator and denominator
	if g.cfg.ScoreFunction == cosine {
		unit = math.Sqrt(unit)
	}
	var draw func() float64
	if noise > 0 {
		r := stream.Stream("noise", f).Rand()
		draw = func() float64 { return noise * normal(r.Uint64()) }
	}
	num, den, best := t.num0[k], t.den0[k], math.Inf(-1)
	for b := from; b <= to; b++ {
		num += t.num[b*hist.Lanes+k]
		den += t.den[b*hist.Lanes+k]
		s := num
		if g.cfg.ScoreFunction == cosine {
			s = 0
			if den > 0 {
				s = num / math.Sqrt(den)
			}
		}
		s *= unit
		v := s
		if draw != nil {
			v += draw()
		}
		if v > best {
			best, c.score, c.bin = v, s, b
		}
	}
	if draw != nil {
		c.noise = draw()
	}
	return c
}

// redundant is the level whose split leaves no two sibling leaves with rows, −1
// for none.
func redundant(leaves []extent) int {
	d := bits.Len(uint(len(leaves))) - 1
	full := func(i int) bool { return leaves[i].lo < leaves[i].hi }
	for level := range d {
		bit, found := 1<<(d-1-level), false
		for i := range leaves {
			if i&bit == 0 && full(i) && full(i|bit) {
				found = true
				break
			}
		}
		if !found {
			return level
		}
	}
	return -1
}

// remove takes a redundant level out of the tree.
func (g *grower) remove(level int) {
	d := len(g.splits)
	bit := 1 << (d - 1 - level)
	var leaves []extent
	for i, x := range g.leaves {
		if i&bit != 0 {
			continue
		}
		if x.lo == x.hi {
			x = g.leaves[i|bit]
		}
		leaves = append(leaves, x)
	}
	for _, s := range g.slots {
		g.free(s)
	}
	g.slots, g.sub, g.leaves = nil, nil, leaves
	g.splits = append(g.splits[:level], g.splits[level+1:]...)
}
