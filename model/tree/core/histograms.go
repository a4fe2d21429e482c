package core

import (
	"sync"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
)

const (
	tile   = 1024     // rows whose words are gathered at once
	runLen = tile + 8 // keeps the runs of a tile from sharing one cache set
	group  = 8        // most blocks that are gathered at once: a cache line of a row
)

// worker has the buffers of one worker, and the range of blocks that it owns
// where work is divided by feature.
type worker struct {
	b0, b1 int
	gh, h  [tile]uint64
	words  []uint64 // gathered words, one run for each block of a group
	part   []uint32 // buffer of partition
}

// Histograms builds the histograms of nodes and divides their rows. Its users
// grow trees: they set GH and Idx, build the root, search it, split nodes,
// build the smaller child of each and subtract it from the parent. Several
// nodes at a time ([Histograms.BuildAll], [Histograms.PartitionAll]) keep all
// workers busy with few meetings.
type Histograms struct {
	M    *Matrix
	Pool *Pool
	GH   []uint64 // packed gradient and hessian of every row of M
	// H, if it is not nil, makes the histograms wide: GH holds gradients and H
	// hessians, each a signed integer of 64 bits; see [Histograms.Wide].
	H   []uint64
	Idx []uint32 // rows of the tree; a node's rows are a range of it
	// Ascending says that the rows of Idx ascend without repetition at the root,
	// and so in every node: rows without a gap need no gathering.
	Ascending bool

	ws    []worker
	mask  []uint8 // features of each block that the tree may use
	mu    sync.Mutex
	slots [][]hist.Block
	free  []int
	lists lists
	spare []uint32 // of PartitionAll

	marked bool     // whether leafOf holds the leaves of the last SumLeaves
	leafOf []uint16 // of every row
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
	g.mu.Lock()
	defer g.mu.Unlock()
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
func (g *Histograms) At(slot int) []hist.Block {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slots[slot]
}

// Wide is the second half of a wide histogram: the sums of hessians, where the
// first half has the sums of gradients.
func (g *Histograms) Wide(h []hist.Block) []hist.Block { return h[g.M.Blocks:] }

// Release gives a slot back; a negative one is none.
func (g *Histograms) Release(slot int) {
	if slot >= 0 {
		g.mu.Lock()
		g.free = append(g.free, slot)
		g.mu.Unlock()
	}
}

// Build fills worker w's blocks of h from the rows Idx[lo:hi].
func (g *Histograms) Build(w, lo, hi int, h []hist.Block) {
	k := &g.ws[w]
	g.fill(w, lo, hi, h, k.b0, k.b1)
}

// clear empties block b of h, if it is in use.
func (g *Histograms) clear(h []hist.Block, b int) {
	if g.mask[b] != 0 {
		clear(h[b][:g.M.BlockBins[b]*hist.Lanes])
		if g.H != nil {
			clear(g.Wide(h)[b][:g.M.BlockBins[b]*hist.Lanes])
		}
	}
}

// fill sets the blocks b0 to b1−1 of h to the sums of the rows Idx[lo:hi], with
// the buffers of worker w.
func (g *Histograms) fill(w, lo, hi int, h []hist.Block, b0, b1 int) {
	if lo == hi {
		for b := b0; b < b1; b++ {
			g.clear(h, b)
		}
		return
	}
	g.add(w, lo, hi, h, b0, b1, true)
}

// add adds the rows Idx[lo:hi] to the blocks b0 to b1−1 of h, which are emptied
// before if they are fresh: each just before its first rows, so that it is in the
// first cache then.
func (g *Histograms) add(w, lo, hi int, h []hist.Block, b0, b1 int, fresh bool) {
	k, m := &g.ws[w], g.M
	if k.words == nil {
		k.words = make([]uint64, (min(group, m.Blocks)+3)&^3*runLen) // whole groups of four runs
	}
	for s := lo; s < hi; s += tile {
		n := min(hi-s, tile)
		rows := hist.Choose(g.Idx[s:hi], n)
		hist.Pick(g.GH, rows, k.gh[:])
		if g.H != nil {
			hist.Pick(g.H, rows, k.h[:])
		}
		for from := b0; from < b1; from += group {
			to := min(b1, from+group)
			hist.Gather(m.Words, m.Stride, from, rows, to-from, k.words, runLen)
			next := ahead{rows: g.Idx[s : s+n], word: to &^ 7, end: min(b1, to+group)}
			if to == b1 {
				next = ahead{rows: g.Idx[s+n : min(hi, s+n+tile)], word: b0 &^ 7, end: min(b1, b0+group)}
			}
			for b := from; b < to; b++ {
				if fresh && s == lo {
					g.clear(h, b)
				}
				if g.mask[b] != 0 {
					o := (b - from) * runLen
					hist.BuildAhead(k.words[o:o+n], k.gh[:n], &h[b], next.take(m, n/4))
					if g.H != nil {
						hist.Build(k.words[o:o+n], k.h[:n], &g.Wide(h)[b])
					}
				}
			}
		}
	}
}

// ahead is what will be gathered next: the lines of some rows that hold the
// words from word to end−1. at is the first row whose line at word has not been
// asked for.
type ahead struct {
	rows          []uint32
	at, word, end int
}

// take is up to n lines.
func (a *ahead) take(m *Matrix, n int) hist.Ahead {
	if a.word >= a.end || len(a.rows) == 0 {
		return hist.Ahead{}
	}
	out := hist.Ahead{Rows: m.Words, Stride: m.Stride, First: a.word, Idx: a.rows[a.at:min(len(a.rows), a.at+n)]}
	if a.at += n; a.at >= len(a.rows) {
		a.at, a.word = 0, a.word+8
	}
	return out
}
