package core

import (
	"slices"
	"sync/atomic"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
)

// Job asks for the histogram of the rows Idx[Lo:Hi] in a slot.
type Job struct{ Lo, Hi, Slot int }

const (
	// splitRows is the number of rows from which several workers share a node.
	splitRows = 8192
	// pieceRows are the rows of a shared node that a worker takes at a time.
	pieceRows = 2 * tile
	// rootRows are the least rows of a column that a worker takes at a time.
	rootRows = 4096
)

// lists are the buffers of a call of BuildAll.
type lists struct {
	order  []int // jobs, the largest first
	pieces []pieces
}

// pieces is a node that workers share: each that joins adds its rows to a
// histogram of its own.
type pieces struct {
	job   int
	next  atomic.Int64 // the first row that nobody has taken
	slots []int        // of each worker, −1: none
}

// BuildAll builds the histograms of jobs, dividing the work among the workers
// as it comes: nodes of many rows by rows, the others by features. Once the
// blocks from to to−1 of a job are complete, done is called for them, on
// any goroutine; every block belongs to one call. All sums are
// exact, so they are the same for every division.
func (g *Histograms) BuildAll(jobs []Job, done func(job, from, to int)) {
	l := &g.lists
	if len(jobs) == 1 && g.whole(&jobs[0]) {
		g.buildRoot(&jobs[0], done)
		return
	}
	blocks := g.M.Blocks
	if g.Pool.Workers == 1 {
		for i := range jobs {
			j := &jobs[i]
			h := g.At(j.Slot)
			g.fill(0, j.Lo, j.Hi, h, 0, blocks)
			done(i, 0, blocks)
		}
		return
	}
	l.order = l.order[:0]
	rows := 0
	for i := range jobs {
		l.order = append(l.order, i)
		rows += jobs[i].Hi - jobs[i].Lo
	}
	size := func(i int) int { return jobs[i].Hi - jobs[i].Lo }
	slices.SortStableFunc(l.order, func(a, b int) int { return size(b) - size(a) })
	shared := 0 // jobs that are shared
	for _, i := range l.order {
		if size(i) < splitRows {
			break
		}
		if shared == len(l.pieces) {
			l.pieces = append(l.pieces, pieces{})
		}
		p := &l.pieces[shared]
		p.job = i
		p.next.Store(int64(jobs[i].Lo))
		p.slots = append(p.slots[:0], make([]int, g.Pool.Workers)...)
		for w := range p.slots {
			p.slots[w] = -1
		}
		shared++
	}
	small := l.order[shared:]
	const lane = 8 // blocks of a task: a cache line of a row
	lanes := (blocks + lane - 1) / lane
	var at atomic.Int64
	g.Pool.Run(rows >= ParallelRows/8 || len(jobs)*blocks >= 32, func(w int) {
		for k := range shared {
			g.share(w, &l.pieces[(k+w)%shared], jobs)
		}
		for t := int(at.Add(1)) - 1; t < len(small)*lanes; t = int(at.Add(1)) - 1 {
			i := small[t/lanes]
			b0 := t % lanes * lane
			b1 := min(blocks, b0+lane)
			h := g.At(jobs[i].Slot)
			g.fill(w, jobs[i].Lo, jobs[i].Hi, h, b0, b1)
			done(i, b0, b1)
		}
	})
	if shared == 0 {
		return
	}
	at.Store(0)
	g.Pool.Run(true, func(w int) {
		for t := int(at.Add(1)) - 1; t < shared*blocks; t = int(at.Add(1)) - 1 {
			p, b := &l.pieces[t/blocks], t%blocks
			h := g.At(jobs[p.job].Slot)
			for _, s := range p.slots {
				if s >= 0 && s != jobs[p.job].Slot {
					g.merge(h, g.At(s), b)
				}
			}
			done(p.job, b, b+1)
		}
	})
	for k := range shared {
		p := &l.pieces[k]
		for _, s := range p.slots {
			if s != jobs[p.job].Slot {
				g.Release(s)
			}
		}
	}
}

// share adds rows of a node that workers share until none are left. The first
// to join has the slot of the job, the others take one each.
func (g *Histograms) share(w int, p *pieces, jobs []Job) {
	j := &jobs[p.job]
	var h []hist.Block
	for {
		lo := int(p.next.Add(pieceRows)) - pieceRows
		if lo >= j.Hi {
			return
		}
		fresh := h == nil
		if fresh {
			s := j.Slot
			if lo > j.Lo {
				s = g.Slot()
			}
			p.slots[w], h = s, g.At(s)
		}
		g.add(w, lo, min(j.Hi, lo+pieceRows), h, 0, g.M.Blocks, fresh)
	}
}

// merge adds block b of another histogram.
func (g *Histograms) merge(h, other []hist.Block, b int) {
	if g.mask[b] == 0 {
		return
	}
	n := g.M.BlockBins[b]
	hist.Add(&h[b], &other[b], n)
	if g.H != nil {
		hist.Add(&g.Wide(h)[b], &g.Wide(other)[b], n)
	}
}

// whole reports whether the rows of a job are all rows of the matrix in order,
// and their columns can be read as they lie.
func (g *Histograms) whole(j *Job) bool {
	return g.Ascending && g.M.cols != nil && j.Hi-j.Lo == g.M.N
}

// buildRoot is BuildAll for all rows of the matrix: blocks are read from their
// columns, in pieces of rows where there are few blocks.
func (g *Histograms) buildRoot(j *Job, done func(job, from, to int)) {
	m := g.M
	parts := 1
	if g.Pool.Workers > 1 {
		parts = max(1, min((8*g.Pool.Workers+m.Blocks-1)/m.Blocks, m.N/rootRows))
	}
	slots := make([][]hist.Block, parts)
	taken := make([]int, parts)
	for k := range slots {
		taken[k] = j.Slot
		if k > 0 {
			taken[k] = g.Slot()
		}
		slots[k] = g.At(taken[k])
	}
	left := make([]atomic.Int32, m.Blocks)
	g.Pool.Each(m.Blocks*parts, func(next func() int) {
		for t := next(); t < m.Blocks*parts; t = next() {
			b, k := t/parts, t%parts
			if g.mask[b] != 0 {
				g.clear(slots[k], b)
				g.column(b, m.N*k/parts, m.N*(k+1)/parts, slots[k])
			}
			if int(left[b].Add(1)) < parts {
				continue
			}
			for k := 1; k < parts; k++ {
				g.merge(slots[0], slots[k], b)
			}
			done(0, b, b+1)
		}
	})
	for k := 1; k < parts; k++ {
		g.Release(taken[k])
	}
}

// column adds the rows lo to hi−1 to block b of h.
func (g *Histograms) column(b, lo, hi int, h []hist.Block) {
	m := g.M
	cols := m.cols[b*hist.Lanes*m.N+lo:]
	hist.BuildColumns(cols, m.N, g.GH[lo:hi], &h[b])
	if g.H != nil {
		hist.BuildColumns(cols, m.N, g.H[lo:hi], &g.Wide(h)[b])
	}
}
