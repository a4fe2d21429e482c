package core

import (
	"fmt"
	"sort"

	"github.com/mlfactory/mlfactory/view"
)

// Ranked is a table whose columns have been sorted once. Every training set
// that is a part of its rows gets its own bin edges, from these rows alone, for
// the price of a count instead of a sort: a fold of a cross-validation, a
// window of a walk forward, a trial of a search. It is read-only once built and
// may be shared. It holds 4 bytes a cell and 4 for each distinct value.
type Ranked struct {
	X     *view.Table
	rank  [][]uint32  // of each column: the rank of each row, NaN last
	value [][]float32 // of each column: the distinct values that are not NaN, ascending
}

// NewRanked sorts the columns of t. Equal values share a rank; −0 and 0 are
// equal. An infinite value is an error that names column and row. O(n·p).
func NewRanked(t *view.Table, pl *Pool) (*Ranked, error) {
	if t.N > MaxRows {
		return nil, fmt.Errorf("model/tree: %d rows, at most %d are possible", t.N, MaxRows)
	}
	r := &Ranked{X: t, rank: make([][]uint32, t.P), value: make([][]float32, t.P)}
	errs := make([]error, t.P)
	pl.Each(t.P, func(next func() int) {
		var a, b []uint64
		for j := next(); j < t.P; j = next() {
			if a == nil {
				a, b = make([]uint64, t.N), make([]uint64, t.N)
			}
			errs[j] = r.sort(j, a, b)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// sort ranks one column; a and b are buffers.
func (r *Ranked) sort(j int, a, b []uint64) error {
	col := r.X.Col(j)
	if i := infinite(col); i >= 0 {
		return infiniteError("training", r.X, j, i)
	}
	a = a[:0]
	for i, v := range col {
		if v == v {
			a = append(a, uint64(OrderedKey(v))<<32|uint64(uint32(i))) // #nosec G115 -- at most MaxRows
		}
	}
	a = radixSort(a, b, 32)
	distinct, last := 0, ^uint64(0)
	for _, u := range a {
		if u>>32 != last {
			distinct, last = distinct+1, u>>32
		}
	}
	rank, value := make([]uint32, len(col)), make([]float32, 0, distinct)
	for i := range rank {
		rank[i] = uint32(distinct) // #nosec G115 -- at most MaxRows
	}
	last = ^uint64(0)
	for _, u := range a {
		if u>>32 != last {
			last = u >> 32
			value = append(value, FromKey(uint32(last)))
		}
		rank[uint32(u)] = uint32(len(value) - 1) // #nosec G115
	}
	r.rank[j], r.value[j] = rank, value
	return nil
}

// manyValues is the number of distinct values from which counts of one byte,
// which stay in cache, are tried first.
const manyValues = 1 << 12

// tally counts the rows of every rank, NaN last, in count. It reports whether
// all counts are right: one of more rows than T holds begins anew.
func tally[T uint8 | uint32](rank []uint32, rows []int, count []T) (ok bool) {
	clear(count)
	ok = true
	if rows == nil {
		for _, k := range rank {
			c := count[k] + 1
			if count[k] = c; c == 0 {
				ok = false
			}
		}
		return ok
	}
	for _, i := range rows {
		k := rank[i]
		c := count[k] + 1
		if count[k] = c; c == 0 {
			ok = false
		}
	}
	return ok
}

// lay writes every value as often as it was counted, in order, and returns how
// many there are. dst has room for one more.
func lay[T uint8 | uint32](value []float32, count []T, dst []float32) int {
	k := 0
	for d, v := range value {
		c := int(count[d])
		dst[k] = v
		for i := 1; i < c; i++ {
			dst[k+i] = v
		}
		k += c
	}
	return k
}

// Matrix is what [NewMatrix] makes of these rows (nil: all) and their weights,
// byte for byte, in a fraction of the time. rows are ascending; w has one
// weight for each of them (nil: all 1).
func (r *Ranked) Matrix(rows []int, w []float32, cut Cutter, pl *Pool) (*Matrix, error) {
	return r.MatrixEach(rows, w, func(int) Cutter { return cut }, pl)
}

// MatrixEach is to [Ranked.Matrix] what [NewMatrixEach] is to [NewMatrix].
func (r *Ranked) MatrixEach(rows []int, w []float32, cut func(column int) Cutter, pl *Pool) (*Matrix, error) {
	m := newMatrix(r.X.N, r.X.P, rows)
	m.columns()
	err := m.fill(pl, func() binner {
		s := ranker{r: r, rows: rows}
		return func(j int, dst []uint8) (bool, error) {
			m.Cut[j] = s.cuts(j, w, cut(j))
			m.NBin[j] = m.Cut[j].Bins()
			s.table(j, &m.Cut[j])
			return s.assign(j, dst), nil
		}
	})
	if err != nil {
		return nil, err
	}
	m.finish()
	return m, nil
}

// Like bins rows of the table (nil: all) with the edges of m, row-major only,
// as [Matrix.Like] does.
func (r *Ranked) Like(m *Matrix, rows []int, pl *Pool) (*Matrix, error) {
	o := newMatrix(r.X.N, r.X.P, rows)
	o.Cut, o.NBin = m.Cut, m.NBin
	return o, o.fill(pl, func() binner {
		s := ranker{r: r, rows: rows}
		return func(j int, dst []uint8) (bool, error) {
			s.table(j, &m.Cut[j])
			return s.assign(j, dst), nil
		}
	})
}

// ranker bins one column after another and keeps its buffers.
type ranker struct {
	r            *Ranked
	rows         []int
	small        []uint8 // counts: of columns of many values, few rows share one
	count, at    []uint32
	sorted, wgts []float32
	bin          []uint8 // of every rank
}

// cuts lays out the values of the rows in order, by counting, and cuts them.
func (s *ranker) cuts(j int, w []float32, cut Cutter) Cuts {
	rank, value := s.r.rank[j], s.r.value[j]
	n := len(s.rows)
	if s.rows == nil {
		n = len(rank)
	}
	if s.sorted == nil {
		s.sorted = make([]float32, n+1)
	}
	if w == nil && len(value) > manyValues {
		if s.small == nil {
			s.small = make([]uint8, len(rank)+1)
		}
		small := s.small[:len(value)+1]
		if tally(rank, s.rows, small) {
			return cut(s.sorted[:lay(value, small, s.sorted)], nil)
		}
	}
	if s.count == nil {
		s.count, s.at = make([]uint32, len(rank)+1), make([]uint32, len(rank)+1)
	}
	count := s.count[:len(value)+1]
	tally(rank, s.rows, count)
	k := lay(value, count, s.sorted)
	if w == nil {
		return cut(s.sorted[:k], nil)
	}
	if s.wgts == nil {
		s.wgts = make([]float32, n)
	}
	at, sum := s.at[:len(value)+1], uint32(0)
	for d, c := range count {
		at[d] = sum
		sum += c
	}
	for i := range n { // equal values keep the order of their rows
		d := rank[s.row(i)]
		s.wgts[at[d]] = w[i]
		at[d]++
	}
	return cut(s.sorted[:k], s.wgts[:k])
}

func (s *ranker) row(i int) int {
	if s.rows == nil {
		return i
	}
	return s.rows[i]
}

// table notes the bin of every rank.
func (s *ranker) table(j int, c *Cuts) {
	value := s.r.value[j]
	if cap(s.bin) <= len(value) {
		s.bin = make([]uint8, s.r.X.N+1)
	}
	s.bin = s.bin[:len(value)+1]
	if c.Category != nil {
		c.assignCategories(value, s.bin)
		s.bin[len(value)] = MissingBin
		return
	}
	d := 0
	fill := func(to int, bin int) {
		run := s.bin[d:to]
		for i := range run {
			run[i] = uint8(bin) // #nosec G115 -- at most 255
		}
		d = to
	}
	for b, e := range c.Edge { // values below edge b have bin b+1 at most
		rest := value[d:]
		fill(d+sort.Search(len(rest), func(i int) bool { return rest[i] >= e }), b+1)
	}
	fill(len(value), len(c.Edge)+1)
	s.bin[d] = MissingBin
}

// assign writes the bin of every row and reports whether one is missing.
func (s *ranker) assign(j int, dst []uint8) bool {
	rank, bin, none := s.r.rank[j], s.bin, uint8(255)
	if s.rows == nil {
		for i, k := range rank[:len(dst)] {
			b := bin[k]
			dst[i], none = b, min(none, b)
		}
		return none == MissingBin && len(dst) > 0
	}
	for i, row := range s.rows[:len(dst)] {
		b := bin[rank[row]]
		dst[i], none = b, min(none, b)
	}
	return none == MissingBin && len(dst) > 0
}
