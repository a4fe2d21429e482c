package tape

import "github.com/mlfactory/mlfactory/internal/simd/vec"

// Tall matrices with few columns are handled several rows at a time, as if they
// had that many more columns, because a call for each short row would cost more
// than its work. Sums over rows run in as many lanes, added up in order at the
// end: sizes alone decide their order.

// blockValues is the size of such a group of rows: three of them stay in the
// first-level cache.
const blockValues = 1024

// blockRows is the number of rows of a group.
func blockRows(cols int) int { return max(1, blockValues/cols) }

// spread repeats a row for each row of a group.
func (t *Tape) spread(row []float32) []float32 {
	out := t.alloc(blockRows(len(row)) * len(row))
	repeatRow(out, row)
	return out
}

// lanes is a zero group of sums.
func (t *Tape) lanes(cols int) []float32 {
	out := t.alloc(blockRows(cols) * cols)
	clear(out)
	return out
}

// fold adds the rows of a group of sums up, or to dst.
func fold(dst, lanes []float32, add bool) {
	if !add {
		clear(dst)
	}
	for i := 0; i < len(lanes); i += len(dst) {
		vec.Add(dst, lanes[i:i+len(dst)], dst)
	}
}

// sumColumns adds up the columns of x into dst.
func (t *Tape) sumColumns(dst, x []float32, add bool) {
	s := t.lanes(len(dst))
	for i := 0; i < len(x); i += len(s) {
		n := min(len(s), len(x)-i)
		vec.Add(s[:n], x[i:i+n], s[:n])
	}
	fold(dst, s, add)
}
