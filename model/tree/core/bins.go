package core

import (
	"fmt"
	"math"
	"sort"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/view"
)

// MissingBin is the bin of NaN; values use 1 to 255.
const MissingBin = 0

// Cuts are the bins of one feature. Of a numeric one they have edges: value x
// has bin 1 + the number of edges ≤ x, so the rows below edge i are those of
// bins 1 to i+1. Of a categorical one they list categories, each of which has a
// bin of its own; a value that is not listed has bin 0 as if it were missing.
type Cuts struct {
	Edge []float32 // ascending, at most 254
	Last float32   // above every observed value: splits values from missing on the right
	// First, if it is below all others, is below every observed value: it splits
	// values from missing on the left.
	First float32
	// Category, if not nil, is the category of bin b at b−1: at most 255 whole
	// numbers from 0 to 2²⁴−1, all different, in any order. Edge and Last are then
	// unused.
	Category []int32
}

// Bins is the number of bins in use, the missing one included.
func (c *Cuts) Bins() int {
	if c.Category != nil {
		return len(c.Category) + 1
	}
	return len(c.Edge) + 2
}

// Threshold is the value that a split after bin b compares with.
func (c *Cuts) Threshold(b uint8) float32 {
	if b == 0 {
		return c.First
	}
	if int(b) <= len(c.Edge) {
		return c.Edge[b-1]
	}
	return c.Last
}

// NewCuts chooses the edges of at most k bins over the sorted finite values s
// with weights w (nil: all 1). With at most k distinct values each has its own
// bin. Otherwise the values are cut greedily into bins of equal weight: a bin
// is closed as soon as it holds its share of what remains, and a value that
// alone exceeds the share has a bin of its own. A row of weight 2 counts as two
// rows. O(len(s)).
func NewCuts(s, w []float32, k int) Cuts {
	if len(s) == 0 {
		return Cuts{Last: math.MaxFloat32}
	}
	top := s[len(s)-1]
	c := Cuts{Last: top + (float32(math.Abs(float64(top))) + 1e-5)}
	if math.IsInf(float64(c.Last), 1) {
		c.Last = math.MaxFloat32
	}
	low := s[0]
	if c.First = low - (float32(math.Abs(float64(low))) + 1e-5); math.IsInf(float64(c.First), -1) {
		c.First = -math.MaxFloat32
	}
	distinct := 0
	for i := 0; i < len(s) && distinct <= k; i = beyond(s, i) {
		distinct++
	}
	if distinct <= k {
		for i := beyond(s, 0); i < len(s); i = beyond(s, i) {
			c.Edge = append(c.Edge, s[i])
		}
		return c
	}
	if w == nil {
		c.Edge = evenEdges(s, k)
		return c
	}
	left := 0.0 // weight outside closed bins
	for _, x := range w {
		left += float64(x)
	}
	bins, held := float64(k), 0.0 // bins to fill, weight of the open one
	for i := 0; i < len(s) && bins > 1; {
		n, j := 0.0, i // weight of this value
		for ; j < len(s) && s[j] == s[i]; j++ {
			n += float64(w[j])
		}
		if held > 0 && (held*bins >= left || n*bins >= left) {
			c.Edge = append(c.Edge, s[i])
			left, bins, held = left-held, bins-1, 0
		}
		held += n
		i = j
	}
	return c
}

// beyond is the position of the first value above that at i, len(s) if there is none.
func beyond(s []float32, i int) int {
	lo, hi := i, i+1 // s[lo] is that at i
	for step := 1; hi < len(s) && s[hi] == s[i]; step *= 2 {
		lo, hi = hi, hi+step
	}
	hi = min(hi, len(s))
	return lo + 1 + sort.Search(hi-lo-1, func(k int) bool { return s[lo+1+k] > s[i] })
}

// evenEdges is the greedy cut for weights of 1. A bin that opens at position i
// and wants t rows is closed at the first value that begins at i+t or later, or
// before it by a value of t rows or more, which then lies across i+t: it takes
// a few searches for each bin, not a walk over all rows.
func evenEdges(s []float32, k int) []float32 {
	var edges []float32
	left, bins := len(s), k
	for i := 0; bins > 1; {
		t := (left + bins - 1) / bins
		q := i + t
		if q >= len(s) {
			break
		}
		lo := i + sort.Search(t, func(x int) bool { return s[i+x] >= s[q] })
		hi := q + sort.Search(len(s)-q, func(x int) bool { return s[q+x] > s[q] })
		p := hi
		if lo == q || lo > i && hi-lo >= t {
			p = lo
		}
		if p >= len(s) {
			break
		}
		edges = append(edges, s[p])
		left, bins, i = left-(p-i), bins-1, p
	}
	return edges
}

// matrix holds binned rows twice: row-major in words of eight features for
// histograms, column-major for partitioning. It is read-only once built.
type Matrix struct {
	N, P         int
	Blocks       int      // words in use of a row
	Stride       int      // words of a row
	Words        []uint64 // n×stride
	Col          [][]uint8
	cols         []uint8 // what Col lies in: whole blocks of columns of N rows
	Cut          []Cuts
	NBin         []int  // bins of each feature
	BlockBins    []int  // most bins of the features of a block
	BlockMissing []bool // whether a feature of the block has missing values
}

// Cutter chooses the edges of a column from its values in ascending order, NaN
// left out, and their weights (nil: all 1). It keeps neither slice. Each style
// has its own; [NewCuts] is that of XGBoost.
type Cutter func(sorted, weights []float32) Cuts

// EqualWeight is the [Cutter] that calls [NewCuts] for at most bins bins.
func EqualWeight(bins int) Cutter {
	return func(sorted, weights []float32) Cuts { return NewCuts(sorted, weights, bins) }
}

// NewMatrix bins the given rows of t (nil: all); edges come from these rows
// and their weights w (nil: all 1) alone. rows are ascending.
func NewMatrix(t *view.Table, rows []int, w []float32, cut Cutter, pl *Pool) (*Matrix, error) {
	return NewMatrixEach(t, rows, w, func(int) Cutter { return cut }, pl)
}

// NewMatrixEach is [NewMatrix] with a cutter for every column, which is asked
// for once, on any goroutine.
func NewMatrixEach(t *view.Table, rows []int, w []float32, cut func(column int) Cutter, pl *Pool) (*Matrix, error) {
	m := newMatrix(t.N, t.P, rows)
	m.words()
	m.columns()
	err := m.fill(pl, func() binner {
		vals, so := make([]float32, m.N), sorter{}
		return func(j int, dst []uint8) (bool, error) {
			if err := column("training", t, j, rows, vals); err != nil {
				return false, err
			}
			m.Cut[j] = so.cuts(vals, w, cut(j))
			m.NBin[j] = m.Cut[j].Bins()
			return m.Cut[j].assign(vals, dst), nil
		}
	})
	if err != nil {
		return nil, err
	}
	m.finish()
	return m, nil
}

// Like bins the rows of t with the edges of m, row-major only.
func (m *Matrix) Like(t *view.Table, rows []int, pl *Pool) (*Matrix, error) {
	o := newMatrix(t.N, m.P, rows)
	o.words()
	o.Cut, o.NBin = m.Cut, m.NBin
	return o, o.fill(pl, func() binner {
		vals := make([]float32, o.N)
		return func(j int, dst []uint8) (bool, error) {
			if err := column("stop", t, j, rows, vals); err != nil {
				return false, err
			}
			return o.Cut[j].assign(vals, dst), nil
		}
	})
}

// newMatrix is a matrix of the given of n rows (nil: all), without room for bins.
func newMatrix(n, p int, rows []int) *Matrix {
	if rows != nil {
		n = len(rows)
	}
	m := &Matrix{N: n, P: p, Cut: make([]Cuts, p), NBin: make([]int, p)}
	m.shape()
	return m
}

// columns makes room for the column-major copy.
func (m *Matrix) columns() {
	m.Col = make([][]uint8, m.P)
	if m.cols == nil {
		m.cols = make([]uint8, m.N*m.Blocks*hist.Lanes)
	}
	for j := range m.Col {
		m.Col[j] = m.cols[j*m.N : (j+1)*m.N : (j+1)*m.N]
	}
}

// finish notes what is known once all columns have their edges.
func (m *Matrix) finish() {
	for j := range m.P {
		b := j / hist.Lanes
		m.BlockBins[b] = max(m.BlockBins[b], m.NBin[j])
	}
}

// shape lays out the words: a row of up to 8 words divides a cache line, a
// longer one fills whole lines, so no row straddles more lines than it must.
func (m *Matrix) shape() {
	m.Blocks = (m.P + hist.Lanes - 1) / hist.Lanes
	m.Stride = m.Blocks
	if m.Stride > 8 {
		m.Stride = (m.Stride + 7) &^ 7
	} else {
		for m.Stride&(m.Stride-1) != 0 {
			m.Stride++
		}
	}
	m.BlockBins, m.BlockMissing = make([]int, m.Blocks), make([]bool, m.Blocks)
}

// words makes room for the rows.
func (m *Matrix) words() {
	m.Words = make([]uint64, m.N*m.Stride)
	adviseHuge(m.Words)
}

// binner writes the bins of column j to dst and reports whether a value is
// missing. It belongs to one goroutine and keeps buffers between columns.
type binner func(j int, dst []uint8) (missing bool, err error)

// fill bins all columns, block by block, and packs them.
func (m *Matrix) fill(pl *Pool, start func() binner) error {
	errs := make([]error, m.Blocks)
	pl.Each(m.Blocks, func(next func() int) {
		var bin binner
		var lane [hist.Lanes][]uint8
		for b := next(); b < m.Blocks; b = next() {
			if bin == nil {
				bin = start()
			}
			f0 := b * hist.Lanes
			nf := min(hist.Lanes, m.P-f0)
			for k := range nf {
				if m.Col != nil {
					lane[k] = m.Col[f0+k]
				} else if lane[k] == nil {
					lane[k] = make([]uint8, m.N)
				}
				missing, err := bin(f0+k, lane[k])
				if err != nil {
					errs[b] = err
					return
				}
				m.BlockMissing[b] = m.BlockMissing[b] || missing
			}
			if m.Col == nil {
				m.pack(b, nf, 0, m.N, &lane)
			}
		}
	})
	for _, err := range errs { // the lowest block's error, whatever the workers
		if err != nil {
			return err
		}
	}
	if m.Col != nil {
		m.packAll(pl)
	}
	return nil
}

// packAll writes all words, some rows at a time, so that memory is written in
// order.
func (m *Matrix) packAll(pl *Pool) {
	const rows = 1024
	pl.Each((m.N+rows-1)/rows, func(next func() int) {
		var lane [hist.Lanes][]uint8
		for t := next(); t*rows < m.N; t = next() {
			for b := range m.Blocks {
				nf := copy(lane[:], m.Col[b*hist.Lanes:])
				m.pack(b, nf, t*rows, min(m.N, (t+1)*rows), &lane)
			}
		}
	})
}

// column copies the values of the given rows (nil: all) to vals; an infinite
// one is an error. what names the rows.
func column(what string, t *view.Table, j int, rows []int, vals []float32) error {
	src := t.Col(j)
	if rows == nil {
		copy(vals, src)
	} else {
		for i, r := range rows {
			vals[i] = src[r]
		}
	}
	i := infinite(vals)
	if i < 0 {
		return nil
	}
	if rows != nil {
		i = rows[i]
	}
	return infiniteError(what, t, j, i)
}

// infinite is the first infinite value, −1 if there is none.
func infinite(vals []float32) int {
	for i, v := range vals {
		if v > math.MaxFloat32 || v < -math.MaxFloat32 {
			return i
		}
	}
	return -1
}

func infiniteError(what string, t *view.Table, j, row int) error {
	return fmt.Errorf("model/tree: %s column %q row %d is %v; give NaN for a missing value", what, t.Names[j], row, t.Col(j)[row])
}

// pack writes the words of block b of the rows lo to hi−1 from its nf columns.
func (m *Matrix) pack(b, nf, lo, hi int, lane *[hist.Lanes][]uint8) {
	words := m.Words[lo*m.Stride:]
	if nf < hist.Lanes { // the last block: unused bytes are 0
		for i := range hi - lo {
			words[i*m.Stride+b] = 0
		}
		for k := range nf {
			for i, v := range lane[k][lo:hi] {
				words[i*m.Stride+b] |= uint64(v) << (8 * k)
			}
		}
		return
	}
	l0, l1, l2, l3 := lane[0][lo:hi], lane[1][lo:hi], lane[2][lo:hi], lane[3][lo:hi]
	l4, l5, l6, l7 := lane[4][lo:hi], lane[5][lo:hi], lane[6][lo:hi], lane[7][lo:hi]
	for i := range l0 {
		words[i*m.Stride+b] = uint64(l0[i]) | uint64(l1[i])<<8 | uint64(l2[i])<<16 | uint64(l3[i])<<24 |
			uint64(l4[i])<<32 | uint64(l5[i])<<40 | uint64(l6[i])<<48 | uint64(l7[i])<<56
	}
}

// OrderedKey maps floats that are not NaN to integers in the same order, −0
// and 0 to the same.
func OrderedKey(v float32) uint32 {
	u := math.Float32bits(v + 0) // −0 + 0 = 0
	return u ^ (uint32(int32(u)>>31) | 1<<31)
}

// FromKey is the inverse of OrderedKey.
func FromKey(u uint32) float32 {
	return math.Float32frombits(u ^ (uint32(int32(^u)>>31) | 1<<31))
}

// assign writes the bin of every value and reports whether one is missing. The
// number of edges ≤ v is found by a binary search without branches, which a
// processor could not predict.
func (c *Cuts) assign(vals []float32, dst []uint8) (missing bool) {
	if c.Category != nil {
		return c.assignCategories(vals, dst)
	}
	var tab [256]int64
	for k := range tab {
		tab[k] = math.MaxUint32
	}
	for k, e := range c.Edge {
		tab[k] = int64(OrderedKey(e))
	}
	first := int64(128) // the first step of the search; fewer edges need fewer
	for first > 1 && int(first/2) > len(c.Edge) {
		first /= 2
	}
	dst = dst[:len(vals)]
	for i, v := range vals {
		if v != v {
			missing = true
			dst[i] = MissingBin
			continue
		}
		key, p := int64(OrderedKey(v)), int64(0)
		for s := first; s > 0; s >>= 1 {
			p += s & ((tab[(p+s-1)&255] - key - 1) >> 63)
		}
		dst[i] = uint8(p + 1)
	}
	return missing
}

// assignCategories is assign for a categorical feature.
func (c *Cuts) assignCategories(vals []float32, dst []uint8) (missing bool) {
	bin := make(map[int32]uint8, len(c.Category))
	for i, v := range c.Category {
		bin[v] = uint8(i + 1)
	}
	for i, v := range vals {
		b := uint8(MissingBin)
		if v >= 0 && v < 1<<24 {
			b = bin[int32(v)]
		}
		missing = missing || b == MissingBin
		dst[i] = b
	}
	return missing
}
