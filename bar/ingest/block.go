package ingest

import "math"

// block is a run of rows by column, before any judgement: stamps and five
// numbers, NaN where the file has none.
type block struct {
	n     int
	line  []int64 // line (CSV) or row (Parquet), from 1
	stamp []int64
	begin []int64 // begin and known only where the file gives all three instants
	known []int64
	v     [5][]float64 // open, high, low, close, volume
}

// rowsPerBlock is small enough for a block to stay in the second-level cache.
const rowsPerBlock = 1024

func newBlock(rows int, paired bool) *block {
	b := &block{line: make([]int64, rows), stamp: make([]int64, rows)}
	if paired {
		b.begin, b.known = make([]int64, rows), make([]int64, rows)
	}
	for i := range b.v {
		b.v[i] = make([]float64, rows)
	}
	return b
}

// add appends the rows of x, which has the same columns.
func (b *block) add(x *block) {
	b.line = append(b.line[:b.n], x.line[:x.n]...)
	b.stamp = append(b.stamp[:b.n], x.stamp[:x.n]...)
	if x.begin != nil {
		b.begin = append(b.begin[:b.n], x.begin[:x.n]...)
		b.known = append(b.known[:b.n], x.known[:x.n]...)
	}
	for i := range b.v {
		b.v[i] = append(b.v[i][:b.n], x.v[i][:x.n]...)
	}
	b.n += x.n
}

// move copies row i to row k.
func (b *block) move(k, i int) {
	b.line[k], b.stamp[k] = b.line[i], b.stamp[i]
	if b.begin != nil {
		b.begin[k], b.known[k] = b.begin[i], b.known[i]
	}
	for c := range b.v {
		b.v[c][k] = b.v[c][i]
	}
}

// order rearranges the rows.
func (b *block) order(perm []int) {
	ints := func(src []int64) []int64 {
		if src == nil {
			return nil
		}
		out := make([]int64, len(perm))
		for k, i := range perm {
			out[k] = src[i]
		}
		return out
	}
	b.line, b.stamp, b.begin, b.known = ints(b.line), ints(b.stamp), ints(b.begin), ints(b.known)
	for c := range b.v {
		out := make([]float64, len(perm))
		for k, i := range perm {
			out[k] = b.v[c][i]
		}
		b.v[c] = out
	}
}

// blank sets numbers to missing.
func blank(v []float64) {
	for i := range v {
		v[i] = math.NaN()
	}
}

// instants is the column of a role that is a stamp.
func (b *block) instants(r role) []int64 {
	switch r {
	case roleBegin:
		return b.begin
	case roleKnown:
		return b.known
	}
	return b.stamp
}
