package feature

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
)

// Matrix is the features of one timeframe: one row a bar, in the order in which
// the bars became known, row-major (row i is Data[i*p : (i+1)*p], p =
// len(Names)). NaN is a value that is not defined; ±Inf never occurs.
//
// Known is the instant from which the row may be used and never falls from row
// to row. End is the bar's end; it can step back at a bar that was held in
// quarantine.
type Matrix struct {
	Timeframe        bar.Timeframe
	Names            []string // without the timeframe
	End, Known       []int64
	Session, Segment []int32
	Data             []float32
}

// Rows is the number of rows.
func (m *Matrix) Rows() int { return len(m.End) }

// Row is row i; it shares memory with the matrix.
func (m *Matrix) Row(i int) []float32 {
	p := len(m.Names)
	return m.Data[i*p : (i+1)*p : (i+1)*p]
}

// Mark says when a segment of the base bars was first known.
type Mark struct {
	Known   int64
	Segment int32
}

// Store is the features of one instrument at their native timeframes.
type Store struct {
	Matrices []*Matrix
	Marks    []Mark // in order of Known; a decision belongs to the last mark known by then
}

// Columns names every column: "rsi_14@5m".
func (s *Store) Columns() []string {
	var out []string
	for _, m := range s.Matrices {
		for _, n := range m.Names {
			out = append(out, ColumnName(n, m.Timeframe))
		}
	}
	return out
}

// Matrix finds the matrix of a timeframe, nil if there is none.
func (s *Store) Matrix(tf bar.Timeframe) *Matrix {
	for _, m := range s.Matrices {
		if m.Timeframe == tf {
			return m
		}
	}
	return nil
}

// find locates a column by its full name: matrix and position in the row.
func (s *Store) find(column string) (matrix, position int, err error) {
	at := strings.LastIndexByte(column, '@')
	if at < 0 {
		return 0, 0, fmt.Errorf("feature: column %q has no timeframe; write it as name@5m", column)
	}
	for i, m := range s.Matrices {
		if m.Timeframe.String() == column[at+1:] {
			if j := slices.Index(m.Names, column[:at]); j >= 0 {
				return i, j, nil
			}
			return 0, 0, fmt.Errorf("feature: the store has no column %q on %s", column[:at], column[at+1:])
		}
	}
	return 0, 0, fmt.Errorf("feature: the store has no timeframe %q (column %q)", column[at+1:], column)
}
