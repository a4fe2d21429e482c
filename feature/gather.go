package feature

import (
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/view"
)

// staleBars is the age, in bars of open-market time, after which a value is
// missing.
const staleBars = 2

// Gather fills dst with the columns as they were known at each decision: row i
// is decisions[i], column j is columns[j] (full names such as "rsi_14@5m"). See
// [AsOf] for what is known; the rest is NaN.
//
// dst is resized, its buffer reused; nothing is allocated per row. Calls with
// different dst may run at the same time. Decisions may be in any order; sorted
// ones are fastest. Cost: O(n) per timeframe for sorted decisions, O(n·p) for
// the copy. An unknown column is an error. Use a [Reader] to gather the same
// columns again and again.
func Gather(s *Store, decisions []int64, columns []string, cal *calendar.Calendar, dst *view.Table) error {
	r, err := NewReader(s, columns, cal)
	if err != nil {
		return err
	}
	return r.Read(s, decisions, dst)
}

// Reader gathers the same columns from a growing store; it looks them up once.
// It is not safe for concurrent use.
type Reader struct {
	columns []string
	cal     *calendar.Calendar
	places  [][]place // of each matrix
	layout  []layout
	rows    []int32
}

// place says where a column of the table comes from.
type place struct{ column, position int }

// layout is what a matrix must look like.
type layout struct {
	timeframe bar.Timeframe
	width     int
}

// NewReader looks the columns up in s.
func NewReader(s *Store, columns []string, cal *calendar.Calendar) (*Reader, error) {
	r := &Reader{columns: columns, cal: cal, places: make([][]place, len(s.Matrices))}
	if cal == nil {
		return nil, errors.New("feature: a reader needs a calendar")
	}
	for j, name := range columns {
		m, position, err := s.find(name)
		if err != nil {
			return nil, err
		}
		r.places[m] = append(r.places[m], place{j, position})
	}
	for _, m := range s.Matrices {
		r.layout = append(r.layout, layout{m.Timeframe, len(m.Names)})
	}
	return r, nil
}

// Read does what [Gather] does. s is the store of NewReader, or a later or
// earlier state of it, or one of the same set; another layout is an error.
func (r *Reader) Read(s *Store, decisions []int64, dst *view.Table) error {
	if len(s.Matrices) != len(r.layout) {
		return fmt.Errorf("feature: the store has %d timeframes, the reader was made for %d", len(s.Matrices), len(r.layout))
	}
	for i, m := range s.Matrices {
		if l := r.layout[i]; m.Timeframe != l.timeframe || len(m.Names) != l.width {
			return fmt.Errorf("feature: the store has %d columns of %v, the reader was made for %d of %v", len(m.Names), m.Timeframe, l.width, l.timeframe)
		}
	}
	n, p := len(decisions), len(r.columns)
	dst.N, dst.P, dst.Names = n, p, r.columns
	if cap(dst.Data) < n*p {
		dst.Data = make([]float32, n*p)
	}
	dst.Data = dst.Data[:n*p]
	missing := float32(math.NaN())
	const block = 256 // rows whose source stays in cache while the columns are copied
	for i, list := range r.places {
		if len(list) == 0 {
			continue
		}
		m := s.Matrices[i]
		r.rows = AsOf(s, m, decisions, r.cal, r.rows[:0])
		width := len(m.Names)
		for lo := 0; lo < n; lo += block {
			hi := min(lo+block, n)
			for _, pl := range list {
				col := dst.Data[pl.column*n+lo : pl.column*n+hi]
				for k, row := range r.rows[lo:hi] {
					if row < 0 {
						col[k] = missing
					} else {
						col[k] = m.Data[int(row)*width+pl.position]
					}
				}
			}
		}
	}
	return nil
}

// AsOf appends, for each decision, the row of m that a model sees: the latest
// one known by then (Known ≤ decision). It is −1, nothing to see, when that
// bar belongs to another segment than the decision, or ended more than two bars
// of open-market time before it (two typical sessions for session bars; bars of
// no fixed length do not age).
//
// m is one of s.Matrices. Complexity O(n + rows) for sorted decisions, else
// O(n·log rows).
func AsOf(s *Store, m *Matrix, decisions []int64, cal *calendar.Calendar, dst []int32) []int32 {
	limit := int64(staleBars) * int64(m.Timeframe)
	if m.Timeframe == bar.Session {
		limit = staleBars * int64(cal.Typical())
	}
	row, mark := cursor{}, cursor{}
	for _, t := range decisions {
		r := row.last(len(m.Known), t, func(i int) int64 { return m.Known[i] })
		k := mark.last(len(s.Marks), t, func(i int) int64 { return s.Marks[i].Known })
		if r >= 0 && (k < 0 || m.Segment[r] != s.Marks[k].Segment) {
			r = -1
		}
		if r >= 0 && limit > 0 && t-m.End[r] > limit && int64(cal.OpenTime(m.End[r], t)) > limit {
			r = -1
		}
		dst = append(dst, int32(r))
	}
	return dst
}

// cursor walks a sorted list forward, and searches when the question steps back
// or far ahead.
type cursor struct{ next int }

// last is the index of the last of n sorted instants that is ≤ t, −1 if none.
func (c *cursor) last(n int, t int64, at func(int) int64) int {
	if c.next > 0 && at(c.next-1) > t {
		c.next = 0
	}
	for step := 0; c.next < n && at(c.next) <= t; step++ {
		if step == 64 {
			lo := c.next
			c.next = lo + sort.Search(n-lo, func(i int) bool { return at(lo+i) > t })
			break
		}
		c.next++
	}
	return c.next - 1
}
