package core

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/view"
)

// Ranked is a table whose columns have been sorted once. Every training set
// that is a part of its rows gets its own bin edges, from these rows alone, for
// the price of a count instead of a sort: a fold of a cross-validation, a
// window of a walk forward, a trial of a search. It is read-only once built and
// may be shared. It holds 4 bytes a cell and up to 5 for each distinct value.
type Ranked struct {
	X     *view.Table
	rank  [][]uint32  // of each column: the rank of each row, NaN last
	value [][]float32 // of each column: the distinct values that are not NaN, ascending
	// count is, of each column of many values, how many rows have each of them,
	// and one place more for NaN; nil where a value has more than 255.
	count [][]uint8
	none  []bool // whether a column has NaN

	mu    sync.Mutex
	spare []*Matrix // whose memory the next ones take
}

// NewRanked sorts the columns of t. Equal values share a rank; −0 and 0 are
// equal. An infinite value is an error that names column and row. O(n·p).
func NewRanked(t *view.Table, pl *Pool) (*Ranked, error) {
	if t.N > MaxRows {
		return nil, fmt.Errorf("model/tree: %d rows, at most %d are possible", t.N, MaxRows)
	}
	r := &Ranked{X: t, rank: make([][]uint32, t.P), value: make([][]float32, t.P), count: make([][]uint8, t.P), none: make([]bool, t.P)}
	errs := make([]error, t.P)
	pl.Each(t.P, func(next func() int) {
		var w *rankBuffers
		for j := next(); j < t.P; j = next() {
			if w == nil {
				w = &rankBuffers{a: make([]uint64, t.N), b: make([]uint64, t.N), value: make([]float32, t.N), end: make([]uint32, t.N)}
			}
			errs[j] = r.sort(j, w)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// rankBuffers are the buffers of one worker.
type rankBuffers struct {
	a, b  []uint64
	value []float32
	end   []uint32 // of each distinct value: how many rows have it or a smaller one
}

// sort ranks one column.
func (r *Ranked) sort(j int, w *rankBuffers) error {
	col := r.X.Col(j)
	if i := infinite(col); i >= 0 {
		return infiniteError("training", r.X, j, i)
	}
	a := w.a[:0]
	for i, v := range col {
		if v == v {
			a = append(a, uint64(OrderedKey(v))<<32|uint64(uint32(i))) // #nosec G115 -- at most MaxRows
		}
	}
	a = radixSort(a, w.b, 32)
	rank, value, end := make([]uint32, len(col)), w.value[:len(a)], w.end[:len(a)]
	d, last := -1, ^uint64(0)
	for i, u := range a { // no branch depends on data: what is written last stays
		key := u >> 32
		if key != last {
			d++
		}
		last = key
		value[d], end[d] = FromKey(uint32(key)), uint32(i)+1 // #nosec G115 -- at most MaxRows
		rank[uint32(u)] = uint32(d)                          // #nosec G115 -- as above
	}
	distinct := d + 1
	if r.none[j] = len(a) < len(col); r.none[j] {
		for i, v := range col {
			if v != v {
				rank[i] = uint32(distinct) // #nosec G115 -- at most MaxRows
			}
		}
	}
	r.rank[j], r.value[j] = rank, slices.Clone(value[:distinct])
	if distinct > manyValues {
		if count := make([]uint8, distinct+1); lengths(end[:distinct], count) {
			r.count[j] = count
		}
	}
	return nil
}

// lengths writes the lengths of runs that end before the given rows to dst, and
// reports whether none has more than 255 rows.
func lengths(end []uint32, dst []uint8) bool {
	dst = dst[:len(end)]
	from, most := uint32(0), uint32(0)
	for d, to := range end {
		n := to - from
		from, most = to, max(most, n)
		dst[d] = uint8(n) // #nosec G115 -- most says whether it is
	}
	return most <= math.MaxUint8
}

// manyValues is the number of distinct values of a column from which tables of
// a byte for each of them leave the first cache.
const manyValues = 1 << 12

// tally counts the rows of every rank, NaN last, in count.
func tally(rank []uint32, rows []int, count []uint32) {
	clear(count)
	if rows == nil {
		for _, k := range rank {
			count[k]++
		}
		return
	}
	for _, i := range rows {
		count[rank[i]]++
	}
}

// lay writes every value as often as it was counted, in order, and returns how
// many there are. dst has room for one more.
func lay(value []float32, count []uint32, dst []float32) int {
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
	r.room(m)
	err := m.fill(pl, func() binner {
		s := newRanker(r, rows)
		return func(j int, dst []uint8) (bool, error) {
			m.Cut[j] = s.cuts(j, w, cut(j))
			m.NBin[j] = m.Cut[j].Bins()
			if s.steps(j, &m.Cut[j]) {
				return s.assignSteps(j, dst), nil
			}
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

// Release says that nobody will use a matrix of r any more, so that the next may
// have its memory: new memory has to be cleared, and costs more than to fill it.
func (r *Ranked) Release(m *Matrix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = append(r.spare, m)
}

// room gives a matrix its memory, that of a released one if there is one that is
// large enough.
func (r *Ranked) room(m *Matrix) {
	words, cols := m.N*m.Stride, m.N*m.Blocks*hist.Lanes
	r.mu.Lock()
	for i, o := range r.spare {
		if cap(o.Words) >= words && cap(o.cols) >= cols {
			m.Words, m.cols = o.Words[:words], o.cols[:cols]
			r.spare = slices.Delete(r.spare, i, i+1)
			break
		}
	}
	r.mu.Unlock()
	if m.Words != nil {
		clear(m.cols[m.N*m.P:]) // columns that fill the last block
		m.columns()
		return
	}
	most := min(m.N+m.N/64, r.X.N) // folds are not all of one size
	m.Words = make([]uint64, words, most*m.Stride)
	m.cols = make([]uint8, cols, most*m.Blocks*hist.Lanes)
	adviseHuge(m.Words)
	m.columns()
}

// Like bins rows of the table (nil: all) with the edges of m, row-major only,
// as [Matrix.Like] does.
func (r *Ranked) Like(m *Matrix, rows []int, pl *Pool) (*Matrix, error) {
	o := newMatrix(r.X.N, r.X.P, rows)
	o.words()
	o.Cut, o.NBin = m.Cut, m.NBin
	return o, o.fill(pl, func() binner {
		s := newRanker(r, rows)
		return func(j int, dst []uint8) (bool, error) {
			if s.steps(j, &m.Cut[j]) {
				return s.assignSteps(j, dst), nil
			}
			s.table(j, &m.Cut[j])
			return s.assign(j, dst), nil
		}
	})
}

// ranker bins one column after another and keeps its buffers.
type ranker struct {
	r            *Ranked
	rows         []int
	runs         [][2]int // the rows as ranges
	out          []int    // rows of the table that are left out, if they are the fewer
	small        []uint8
	count, at    []uint32
	sorted, wgts []float32
	bin          []uint8 // of every rank

	step []uint8           // bin of the first rank of every step
	next [hist.Bins]uint32 // first rank beyond each bin
}

func newRanker(r *Ranked, rows []int) *ranker {
	s := &ranker{r: r, rows: rows}
	s.runs, s.out = ranges(rows, r.X.N)
	return s
}

// ranges lists rows of a table of n as ranges, and, if that are fewer, the rows
// that are not among them.
func ranges(rows []int, n int) (runs [][2]int, out []int) {
	if rows == nil {
		return [][2]int{{0, n}}, nil
	}
	for i := 0; i < len(rows); {
		lo := i
		for i++; i < len(rows) && rows[i] == rows[i-1]+1; i++ {
		}
		runs = append(runs, [2]int{rows[lo], rows[i-1] + 1})
	}
	if 2*len(rows) <= n {
		return runs, nil
	}
	out = make([]int, 0, n-len(rows))
	at := 0
	for _, run := range runs {
		for ; at < run[0]; at++ {
			out = append(out, at)
		}
		at = run[1]
	}
	for ; at < n; at++ {
		out = append(out, at)
	}
	return runs, out
}

// few counts the rows of every rank in a byte: of all rows, less those that are
// left out, or of the rows alone.
func (s *ranker) few(j int) []uint8 {
	rank, all := s.r.rank[j], s.r.count[j]
	if s.small == nil {
		s.small = make([]uint8, len(rank)+1)
	}
	count := s.small[:len(all)]
	if s.rows != nil && 2*len(s.rows) <= len(rank) {
		clear(count)
		for _, i := range s.rows {
			count[rank[i]]++
		}
		return count
	}
	copy(count, all)
	for _, i := range s.out {
		count[rank[i]]--
	}
	return count
}

// cuts lays out the values of the rows in order, by counting, and cuts them.
func (s *ranker) cuts(j int, w []float32, cut Cutter) Cuts {
	rank, value := s.r.rank[j], s.r.value[j]
	n := len(s.rows)
	if s.rows == nil {
		n = len(rank)
	}
	if s.sorted == nil {
		s.sorted = make([]float32, n+hist.Lanes)
	}
	if w == nil && s.r.count[j] != nil {
		return cut(s.sorted[:hist.Repeat(value, s.few(j)[:len(value)], s.sorted)], nil)
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

// stepBits is the binary logarithm of the number of ranks of a step.
const stepBits = 6

// steps prepares assignSteps: of columns of many values it notes the bin of the
// first rank of each step, and the ranks where bins end. It reports false for
// others, and where bins are so narrow that two end in one step.
func (s *ranker) steps(j int, c *Cuts) bool {
	value := s.r.value[j]
	if c.Category != nil || len(value) <= manyValues || len(s.runs) > s.r.X.N/16 {
		return false
	}
	if s.step == nil {
		s.step = make([]uint8, s.r.X.N>>stepBits+1)
	}
	d, last := 0, len(c.Edge)+1
	for b := 1; b <= last; b++ {
		end := len(value)
		if b < last {
			rest, e := value[d:], c.Edge[b-1]
			end = d + sort.Search(len(rest), func(i int) bool { return rest[i] >= e })
		}
		if end-d < 1<<stepBits {
			return false
		}
		s.next[b] = uint32(end) // #nosec G115 -- at most MaxRows
		for k := (d + 1<<stepBits - 1) >> stepBits; k<<stepBits < end; k++ {
			s.step[k] = uint8(b) // #nosec G115 -- at most 255
		}
		d = end
	}
	return true
}

// assignSteps is assign by what steps noted: all that it looks up stays in the
// first cache.
func (s *ranker) assignSteps(j int, dst []uint8) bool {
	all, none := dst, uint32(len(s.r.value[j])) // #nosec G115 -- at most MaxRows
	for _, run := range s.runs {
		rank := s.r.rank[j][run[0]:run[1]]
		binsOf(rank, s.step, &s.next, dst)
		if s.r.none[j] {
			for i, k := range rank {
				if k == none {
					dst[i] = MissingBin
				}
			}
		}
		dst = dst[len(rank):]
	}
	return bytes.IndexByte(all, MissingBin) >= 0
}

// binsOf writes the bins of ranks: that of the step, or the next. Inlined, it
// would have too few registers.
//
//go:noinline
func binsOf(rank []uint32, step []uint8, next *[hist.Bins]uint32, dst []uint8) {
	dst = dst[:len(rank)]
	for i, k := range rank {
		b := uint32(step[k>>stepBits])
		dst[i] = uint8(b - uint32(int32(next[b&(hist.Bins-1)]-1-k)>>31)) // #nosec G115 -- the difference is below 2³¹; at most 255
	}
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
