package catboost

import (
	"math"
	"math/bits"
	"sync/atomic"

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
	gh      [][]uint64 // packed gradient and weight of every row, one for each channel; where sums are wide, gradients
	weights []uint64   // of every row where sums are wide, else nil
	derive  bool       // the gradient of one more score is less the sum of the others
	missing []bool     // columns with missing values
	sc      core.Scales
	lambda  float64 // L2 penalty in the units of packed weights

	leaves []extent
	slots  [][]int // of each leaf, one for each channel; nil where it has no rows
	sub    [][]int // what must be taken from a leaf's histograms first
	best   []choice
	splits []split
	totals [][]core.Sums // of each leaf, one for each channel
	tally  []tally       // of each worker
	jobs   []core.Job    // buffers of build and divide
	parts  []core.Part

	ordered *ordered // nil: plain boosting
	derived *deriver // nil: no categories
}

// tally is what a worker adds up for the 8 features of a block: numerator and
// denominator of the score of the split after each bin.
type tally struct {
	num, den [hist.Bins * hist.Lanes]float64
	acc      []uint64    // scratch
	side     []core.Sums // scratch
	packed   []uint64    // scratch
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
	g.splits, g.totals = g.splits[:0], append(g.totals[:0], nil)
	g.slots, g.sub = append(g.slots[:0], g.take()), append(g.sub[:0], nil)
	g.build([]int{0})
	g.totals[0] = g.sum(0)
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
	for c := range g.gh {
		g.GH, g.jobs = g.gh[c], g.jobs[:0]
		for _, l := range leaves {
			g.jobs = append(g.jobs, core.Job{Lo: g.leaves[l].lo, Hi: g.leaves[l].hi, Slot: g.slots[l][c]})
		}
		g.BuildAll(g.jobs, func(int, int, int) {})
	}
}

// sum adds up the rows of a leaf, whose histograms are built: every row is in
// one bin of the first feature.
func (g *grower) sum(leaf int) []core.Sums {
	t := make([]core.Sums, len(g.gh))
	for c, slot := range g.slots[leaf] {
		h := g.Planes(g.At(slot), 0)
		for b := range g.M.NBin[0] {
			t[c] = t[c].Plus(h.At(b * hist.Lanes))
		}
	}
	return t
}

// total adds up rows, for each channel.
func total(gh [][]uint64, weights []uint64, rows []uint32) []core.Sums {
	t, w := make([]core.Sums, len(gh)), uint64(0)
	if weights != nil {
		for _, r := range rows {
			w += weights[r]
		}
	}
	for c, gh := range gh {
		sum := uint64(0)
		for _, r := range rows {
			sum += gh[r]
		}
		t[c] = core.Sums{A: sum, B: w}
	}
	return t
}

// divide makes the leaves of the next level and, if they will be divided again,
// the histograms of the smaller of each pair; those of the larger come from the
// parent's when they are scanned.
func (g *grower) divide(s *split, again bool) {
	rule := core.Rule{Feature: s.feature, Set: &s.left}
	n := len(g.leaves)
	leaves, totals := make([]extent, 0, 2*n), make([][]core.Sums, 2*n)
	slots, sub := make([][]int, 2*n), make([][]int, 2*n)
	var small []int
	g.parts = g.parts[:0]
	for _, x := range g.leaves {
		g.parts = append(g.parts, core.Part{Lo: x.lo, Hi: x.hi, Rule: &rule})
	}
	g.PartitionAll(g.parts)
	for i, x := range g.leaves {
		mid := x.lo + g.parts[i].Left
		leaves = append(leaves, extent{x.lo, mid}, extent{mid, x.hi})
		if !again {
			g.free(g.slots[i])
			continue
		}
		a, b := 2*i, 2*i+1 // smaller and larger
		if x.hi-mid < mid-x.lo {
			a, b = b, a
		}
		slots[b], totals[b] = g.slots[i], g.totals[i]
		if leaves[a].lo < leaves[a].hi { // else the larger one is the parent
			slots[a] = g.take()
			sub[b] = slots[a]
			small = append(small, a)
		}
	}
	g.leaves, g.slots, g.sub, g.totals = leaves, slots, sub, totals
	if !again {
		return
	}
	g.build(small)
	for _, a := range small {
		g.totals[a] = g.sum(a)
		rest := make([]core.Sums, len(g.gh))
		for c, t := range g.totals[a^1] {
			rest[c] = t.Less(g.totals[a][c])
		}
		g.totals[a^1] = rest
	}
}

// choose scores all splits of the level and returns the best.
func (g *grower) choose(noise float64, stream rng.Stream) (split, bool) {
	allowed := g.columns(stream)
	var at atomic.Int64
	g.Pool.Run(true, func(w int) {
		for b := int(at.Add(1)) - 1; b < g.M.Blocks; b = int(at.Add(1)) - 1 {
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
	lf := hist.Leaf{Lambda: g.lambda, Rest: g.derive, Zero: g.zero(b)}
	var few [8]core.Planes
	var room [8]*hist.Block
	for l := range g.leaves {
		if g.slots[l] == nil {
			continue
		}
		list, hs := few[:0], room[:0]
		for c, slot := range g.slots[l] {
			h := g.Planes(g.At(slot), b)
			if g.sub[l] != nil {
				h.Subtract(g.Planes(g.At(g.sub[l][c]), b), g.M.BlockBins[b])
			}
			list, hs = append(list, h), append(hs, h.G)
		}
		if g.weights != nil {
			for k := range f1 - f0 {
				t.wide(list, k, g.M.NBin[f0+k], lf.Zero>>k&1 == 1, g.totals[l], g.lambda, g.derive)
			}
			continue
		}
		t.packed = t.packed[:0]
		for _, s := range g.totals[l] {
			t.packed = append(t.packed, s.A)
		}
		lf.Total = t.packed
		hist.AddScores(hs, g.M.BlockBins[b], &lf, &t.acc, &t.num, &t.den)
	}
	g.finishBlock(t, b, allowed, noise, stream)
}

// zero has a bit for every feature of block b whose missing values go left.
func (g *grower) zero(b int) (bits uint8) {
	f0 := b * hist.Lanes
	for f := f0; f < min(g.M.P, f0+hist.Lanes); f++ {
		if from, _ := g.bounds(f); from == 0 {
			bits |= 1 << (f - f0)
		}
	}
	return bits
}

// reset empties the tally for features of at most bins bins.
func (t *tally) reset(bins int) {
	clear(t.num[:bins*hist.Lanes])
	clear(t.den[:bins*hist.Lanes])
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

// wide is [hist.AddScores] for the lane k, of nb bins, of a wide histogram; zero
// says whether bin 0 goes left.
func (t *tally) wide(hs []core.Planes, k, nb int, zero bool, tot []core.Sums, lambda float64, derive bool) {
	t.side = grown(t.side, len(hs))
	acc := t.side
	clear(acc)
	num, den := 0.0, 0.0
	for b := range nb {
		if b == 0 && !zero {
			num, den = sides(acc, tot, lambda, derive)
			continue
		}
		at, found := b*hist.Lanes+k, b == 0
		for c, h := range hs {
			v := h.At(at)
			found = found || v != core.Sums{}
			acc[c] = acc[c].Plus(v)
		}
		if found {
			num, den = sides(acc, tot, lambda, derive)
		}
		t.num[at] += num
		t.den[at] += den
	}
}

// sides are the numerator and denominator of a leaf that is split so that wide
// sums acc, one for each channel, are on the left; see [hist.AddScores].
func sides(acc, tot []core.Sums, lambda float64, derive bool) (num, den float64) {
	for _, right := range []bool{false, true} {
		sum, sq, weight := 0.0, 0.0, 0.0
		for c, s := range acc {
			if right {
				s = tot[c].Less(s)
			}
			g, w := s.Unpack(true)
			sum += float64(g)
			sq += float64(float64(g) * float64(g))
			weight = float64(w)
		}
		if derive {
			sq += float64(sum * sum)
		}
		if weight > 0 {
			a := sq / (weight + lambda)
			num += a
			den += float64(a / (weight + lambda) * weight)
		}
	}
	return num, den
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
	best := math.Inf(-1)
	for b := from; b <= to; b++ {
		num, den := t.num[b*hist.Lanes+k], t.den[b*hist.Lanes+k]
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
