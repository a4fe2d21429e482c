package core

import "github.com/mlfactory/mlfactory/internal/simd/hist"

const (
	tile   = 1024     // rows whose words are gathered at once
	runLen = tile + 8 // keeps the runs of a tile from sharing one cache set
)

// worker owns a range of blocks: histograms and split search are divided by
// feature, so that nothing is added up across workers.
type worker struct {
	b0, b1 int
	nl     int
	gh, h  [tile]uint64
	words  []uint64 // gathered words, one run for each block
	part   []uint32 // buffer of partition
}

// Histograms builds the histograms of nodes and divides their rows. Its users
// grow trees: they set GH and Idx, build the root, search it, split it with
// [Histograms.Partition], build the smaller child and subtract it from the
// parent.
type Histograms struct {
	M    *Matrix
	Pool *Pool
	GH   []uint64 // packed gradient and hessian of every row of M
	// H, if it is not nil, makes the histograms wide: GH holds gradients and H
	// hessians, each a signed integer of 64 bits; see [Histograms.Wide].
	H   []uint64
	Idx []uint32 // rows of the tree; a node's rows are a range of it

	ws    []worker
	mask  []uint8 // features of each block that the tree may use
	slots [][]hist.Block
	free  []int
}

// NewHistograms makes room for the workers of pl; all features are in use.
func NewHistograms(m *Matrix, pl *Pool) *Histograms {
	g := &Histograms{M: m, Pool: pl, ws: make([]worker, pl.Workers), mask: make([]uint8, m.Blocks)}
	t, lines := pl.Workers, (m.Blocks+7)/8
	for w := range g.ws {
		k := &g.ws[w]
		k.b0, k.b1 = m.Blocks*w/t, m.Blocks*(w+1)/t
		if lines%t == 0 { // whole cache lines of a row for each worker
			k.b0, k.b1 = min(m.Blocks, lines*w/t*8), min(m.Blocks, lines*(w+1)/t*8)
		}
		k.words = make([]uint64, (k.b1-k.b0+3)&^3*runLen) // whole groups of four runs
		// One worker takes all rows; several take their share, left and right
		// apart, and the first takes all rows of a small node.
		room := m.N
		if t > 1 {
			room = max(ParallelRows, 2*(m.N/t+16))
		}
		k.part = make([]uint32, room)
	}
	g.UseAll()
	return g
}

// UseAll lets trees use every feature.
func (g *Histograms) UseAll() {
	for b := range g.mask {
		g.mask[b] = uint8(1<<min(hist.Lanes, g.M.P-b*hist.Lanes) - 1)
	}
}

// Use restricts trees to the given features.
func (g *Histograms) Use(features []int) {
	clear(g.mask)
	for _, f := range features {
		g.mask[f/hist.Lanes] |= 1 << (f % hist.Lanes)
	}
}

// Mask has bit j set where feature j of block b is in use.
func (g *Histograms) Mask(b int) uint8 { return g.mask[b] }

// Blocks is the range of blocks that worker w owns.
func (g *Histograms) Blocks(w int) (from, to int) { return g.ws[w].b0, g.ws[w].b1 }

// Slot takes a histogram; what it holds is undefined.
func (g *Histograms) Slot() int {
	if n := len(g.free); n > 0 {
		s := g.free[n-1]
		g.free = g.free[:n-1]
		return s
	}
	planes := 1
	if g.H != nil {
		planes = 2
	}
	g.slots = append(g.slots, make([]hist.Block, planes*g.M.Blocks))
	return len(g.slots) - 1
}

// At is the histogram of a slot.
func (g *Histograms) At(slot int) []hist.Block { return g.slots[slot] }

// Wide is the second half of a wide histogram: the sums of hessians, where the
// first half has the sums of gradients.
func (g *Histograms) Wide(h []hist.Block) []hist.Block { return h[g.M.Blocks:] }

// Release gives a slot back; a negative one is none.
func (g *Histograms) Release(slot int) {
	if slot >= 0 {
		g.free = append(g.free, slot)
	}
}

// Build fills worker w's blocks of h from the rows Idx[lo:hi].
func (g *Histograms) Build(w, lo, hi int, h []hist.Block) {
	k, m := &g.ws[w], g.M
	if k.b0 == k.b1 {
		return
	}
	for b := k.b0; b < k.b1; b++ {
		if g.mask[b] != 0 {
			clear(h[b][:m.BlockBins[b]*hist.Lanes])
			if g.H != nil {
				clear(g.Wide(h)[b][:m.BlockBins[b]*hist.Lanes])
			}
		}
	}
	for s := lo; s < hi; s += tile {
		n := min(hi-s, tile)
		hist.Pick(g.GH, g.Idx[s:hi], n, k.gh[:])
		if g.H != nil {
			hist.Pick(g.H, g.Idx[s:hi], n, k.h[:])
		}
		hist.Gather(m.Words, m.Stride, k.b0, g.Idx[s:hi], n, k.b1-k.b0, k.words, runLen)
		for b := k.b0; b < k.b1; b++ {
			if g.mask[b] != 0 {
				o := (b - k.b0) * runLen
				hist.Build(k.words[o:o+n], k.gh[:n], &h[b])
				if g.H != nil {
					hist.Build(k.words[o:o+n], k.h[:n], &g.Wide(h)[b])
				}
			}
		}
	}
}

// Partition splits the rows Idx[lo:hi] by a rule, keeping their order, and
// returns how many go left.
func (g *Histograms) Partition(lo, hi int, r *Rule) int {
	col, n, t := g.M.Col[r.Feature], hi-lo, len(g.ws)
	if t == 1 || n < ParallelRows {
		seg, right := g.Idx[lo:hi], g.ws[0].part
		nl := route(col, r, seg, seg, right)
		copy(seg[nl:], right[:n-nl])
		return nl
	}
	at := func(w int) int { return lo + n*w/t }
	half := len(g.ws[0].part) / 2
	g.Pool.Run(true, func(w int) {
		p := g.ws[w].part
		g.ws[w].nl = route(col, r, g.Idx[at(w):at(w+1)], p[:half], p[half:])
	})
	left := 0
	for w := range g.ws {
		left += g.ws[w].nl
	}
	g.Pool.Run(true, func(w int) {
		ol, or := lo, lo+left
		for k := range w {
			ol += g.ws[k].nl
			or += at(k+1) - at(k) - g.ws[k].nl
		}
		p, nl := g.ws[w].part, g.ws[w].nl
		copy(g.Idx[ol:], p[:nl])
		copy(g.Idx[or:], p[half:half+at(w+1)-at(w)-nl])
	})
	return left
}
