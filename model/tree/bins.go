package tree

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/view"
)

// missingBin is the bin of NaN; values use 1 to 255.
const missingBin = 0

// cuts are the bin edges of one feature. Value x has bin 1 + the number of
// edges ≤ x, so the rows below edge i are those of bins 1 to i+1. Edges are
// observed values, as in XGBoost, the smallest value excepted.
type cuts struct {
	edge []float32 // ascending, at most 254
	last float32   // above every observed value: splits values from missing
}

// bins is the number of bins in use, the missing one included.
func (c *cuts) bins() int { return len(c.edge) + 2 }

// threshold is the value that a split after bin b compares with.
func (c *cuts) threshold(b uint8) float32 {
	if int(b) <= len(c.edge) {
		return c.edge[b-1]
	}
	return c.last
}

// newCuts chooses the edges of at most k bins over the sorted finite values s
// with weights w (nil: all 1). With at most k distinct values each has its own
// bin. Otherwise the values are cut greedily into bins of equal weight: a bin
// is closed as soon as it holds its share of what remains, and a value that
// alone exceeds the share has a bin of its own. A row of weight 2 counts as two
// rows. O(len(s)).
func newCuts(s, w []float32, k int) cuts {
	if len(s) == 0 {
		return cuts{last: math.MaxFloat32}
	}
	top := s[len(s)-1]
	c := cuts{last: top + (float32(math.Abs(float64(top))) + 1e-5)}
	if math.IsInf(float64(c.last), 1) {
		c.last = math.MaxFloat32
	}
	distinct := 1
	for i := 1; i < len(s) && distinct <= k; i++ {
		if s[i] != s[i-1] {
			distinct++
		}
	}
	if distinct <= k {
		for i := 1; i < len(s); i++ {
			if s[i] != s[i-1] {
				c.edge = append(c.edge, s[i])
			}
		}
		return c
	}
	left := float64(len(s)) // weight outside closed bins
	if w != nil {
		left = 0
		for _, x := range w {
			left += float64(x)
		}
	}
	bins, held := float64(k), 0.0 // bins to fill, weight of the open one
	for i := 0; i < len(s) && bins > 1; {
		n, j := 0.0, i // weight of this value
		for ; j < len(s) && s[j] == s[i]; j++ {
			if w == nil {
				n++
			} else {
				n += float64(w[j])
			}
		}
		if held > 0 && (held*bins >= left || n*bins >= left) {
			c.edge = append(c.edge, s[i])
			left, bins, held = left-held, bins-1, 0
		}
		held += n
		i = j
	}
	return c
}

// matrix holds binned rows twice: row-major in words of eight features for
// histograms, column-major for partitioning. It is read-only once built.
type matrix struct {
	n, p   int
	blocks int      // words in use of a row
	stride int      // words of a row
	words  []uint64 // n×stride
	col    [][]uint8
	cut    []cuts
	nbin   []int  // bins of each feature
	blkbin []int  // most bins of the features of a block
	blkna  []bool // whether a feature of the block has missing values
}

// newMatrix bins the given rows of t (nil: all); edges come from these rows
// and their weights w (nil: all 1) alone. rows are ascending.
func newMatrix(t *view.Table, rows []int, w []float32, maxBin int, pl *pool) (*matrix, error) {
	n := t.N
	if rows != nil {
		n = len(rows)
	}
	m := &matrix{n: n, p: t.P, cut: make([]cuts, t.P), nbin: make([]int, t.P)}
	m.shape()
	m.col = make([][]uint8, t.P)
	buf := make([]uint8, n*t.P)
	for j := range m.col {
		m.col[j] = buf[j*n : (j+1)*n : (j+1)*n]
	}
	err := m.fill("training", t, rows, pl, func(j int, vals []float32, so *sorter) {
		m.cut[j] = so.cuts(vals, w, maxBin-1)
		m.nbin[j] = m.cut[j].bins()
	})
	if err != nil {
		return nil, err
	}
	for j := range m.p {
		b := j / hist.Lanes
		m.blkbin[b] = max(m.blkbin[b], m.nbin[j])
	}
	return m, nil
}

// like bins the rows of t with the edges of m, row-major only.
func (m *matrix) like(t *view.Table, rows []int, pl *pool) (*matrix, error) {
	o := &matrix{n: t.N, p: m.p, cut: m.cut, nbin: m.nbin}
	if rows != nil {
		o.n = len(rows)
	}
	o.shape()
	return o, o.fill("stop", t, rows, pl, nil)
}

// shape lays out the words: a row of up to 8 words divides a cache line, a
// longer one fills whole lines, so no row straddles more lines than it must.
func (m *matrix) shape() {
	m.blocks = (m.p + hist.Lanes - 1) / hist.Lanes
	m.stride = m.blocks
	if m.stride > 8 {
		m.stride = (m.stride + 7) &^ 7
	} else {
		for m.stride&(m.stride-1) != 0 {
			m.stride++
		}
	}
	m.words = make([]uint64, m.n*m.stride)
	adviseHuge(m.words)
	m.blkbin, m.blkna = make([]int, m.blocks), make([]bool, m.blocks)
}

// fill bins all columns, block by block. cut, if not nil, is called with the
// values of each column first. what names the rows in errors.
func (m *matrix) fill(what string, t *view.Table, rows []int, pl *pool, cut func(j int, vals []float32, so *sorter)) error {
	errs := make([]error, m.blocks)
	pl.each(m.blocks, func(next func() int) {
		vals := make([]float32, m.n)
		var so sorter
		var lane [hist.Lanes][]uint8 // columns of the block; the first stands in for absent ones
		for b := next(); b < m.blocks; b = next() {
			f0 := b * hist.Lanes
			nf := min(hist.Lanes, m.p-f0)
			for k := range nf {
				j := f0 + k
				if m.col != nil {
					lane[k] = m.col[j]
				} else if lane[k] == nil {
					lane[k] = make([]uint8, m.n)
				}
				if row, ok := column(t.Col(j), rows, vals); !ok {
					errs[b] = fmt.Errorf("model/tree: %s column %q row %d is %v; give NaN for a missing value", what, t.Names[j], row, t.Col(j)[row])
					return
				}
				if cut != nil {
					cut(j, vals, &so)
				}
				if m.cut[j].assign(vals, lane[k]) {
					m.blkna[b] = true
				}
			}
			m.pack(b, nf, &lane)
		}
	})
	for _, err := range errs { // the lowest block's error, whatever the workers
		if err != nil {
			return err
		}
	}
	return nil
}

// column copies the values of the given rows (nil: all) to vals; it fails with
// the row of the first infinite value.
func column(src []float32, rows []int, vals []float32) (row int, ok bool) {
	if rows == nil {
		copy(vals, src)
	} else {
		for i, r := range rows {
			vals[i] = src[r]
		}
	}
	for i, v := range vals {
		if math.IsInf(float64(v), 0) {
			if rows != nil {
				i = rows[i]
			}
			return i, false
		}
	}
	return 0, true
}

// pack writes the words of block b from its nf columns.
func (m *matrix) pack(b, nf int, lane *[hist.Lanes][]uint8) {
	if nf < hist.Lanes { // the last block: unused bytes stay 0
		for k := range nf {
			for i, v := range lane[k][:m.n] {
				m.words[i*m.stride+b] |= uint64(v) << (8 * k)
			}
		}
		return
	}
	l0, l1, l2, l3 := lane[0][:m.n], lane[1][:m.n], lane[2][:m.n], lane[3][:m.n]
	l4, l5, l6, l7 := lane[4][:m.n], lane[5][:m.n], lane[6][:m.n], lane[7][:m.n]
	for i := range l0 {
		m.words[i*m.stride+b] = uint64(l0[i]) | uint64(l1[i])<<8 | uint64(l2[i])<<16 | uint64(l3[i])<<24 |
			uint64(l4[i])<<32 | uint64(l5[i])<<40 | uint64(l6[i])<<48 | uint64(l7[i])<<56
	}
}

// orderedKey maps floats that are not NaN to integers in the same order, −0
// and 0 to the same.
func orderedKey(v float32) uint32 {
	u := math.Float32bits(v + 0) // −0 + 0 = 0
	return u ^ (uint32(int32(u)>>31) | 1<<31)
}

// fromKey is the inverse of orderedKey.
func fromKey(u uint32) float32 {
	return math.Float32frombits(u ^ (uint32(int32(^u)>>31) | 1<<31))
}

// assign writes the bin of every value and reports whether one is missing. The
// number of edges ≤ v is found by a binary search without branches, which a
// processor could not predict.
func (c *cuts) assign(vals []float32, dst []uint8) (missing bool) {
	var tab [256]int64
	for k := range tab {
		tab[k] = math.MaxUint32
	}
	for k, e := range c.edge {
		tab[k] = int64(orderedKey(e))
	}
	first := int64(128) // the first step of the search; fewer edges need fewer
	for first > 1 && int(first/2) > len(c.edge) {
		first /= 2
	}
	dst = dst[:len(vals)]
	for i, v := range vals {
		if v != v {
			missing = true
			dst[i] = missingBin
			continue
		}
		key, p := int64(orderedKey(v)), int64(0)
		for s := first; s > 0; s >>= 1 {
			p += s & ((tab[(p+s-1)&255] - key - 1) >> 63)
		}
		dst[i] = uint8(p + 1)
	}
	return missing
}
