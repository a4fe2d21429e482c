// Package view holds what passes between data and models: the span of time a
// row occupies, the rows a fold uses, and the input shapes a model sees.
//
// Row i of a dataset is decision i of the decision clock. Every model, whatever
// timeframe it looks at, predicts the same rows; that is what lets them stack
// without alignment code.
//
// # Conventions
//
// Instants are int64 nanoseconds UTC. A [Span] is closed: a row that becomes
// known at the instant at which another is decided shares that instant with it
// ([Span.Overlaps]), and purging takes it away. Tables are column-major float32
// with NaN for a missing value. A [View] joins inputs and targets of the same
// rows; parts that nobody needs are nil.
//
// # Refusals
//
// [View.Check] names the first part whose length differs from the number of
// rows. Indices out of range panic, as they do for any slice. There is no logic
// here beyond that, so that those who make rows and those who use them need not
// know each other.
package view

import "fmt"

// Span is the life of one row: when it is decided, when the position is
// entered, and when its outcome is known. A row that was never entered (no
// trade within the entry limit) has no label and no span.
type Span struct{ Decision, Entry, Outcome int64 }

// Overlaps reports whether the closed intervals [Decision, Outcome] of s and o
// share an instant.
func (s Span) Overlaps(o Span) bool { return s.Decision <= o.Outcome && o.Decision <= s.Outcome }

// Table is the 2D shape: n rows × p named columns, column-major float32
// (column j is Data[j*N:(j+1)*N]). NaN is a missing value; ±Inf never occurs.
type Table struct {
	N, P  int
	Names []string
	Data  []float32
}

// NewTable makes a table of zeros.
func NewTable(n int, names []string) *Table {
	return &Table{N: n, P: len(names), Names: names, Data: make([]float32, n*len(names))}
}

// Col is column j; it shares memory with the table.
func (t *Table) Col(j int) []float32 { return t.Data[j*t.N : (j+1)*t.N : (j+1)*t.N] }

// Select copies the given rows, in the given order, into a new table.
func (t *Table) Select(rows []int) *Table {
	out := NewTable(len(rows), t.Names)
	for j := range t.P {
		src, dst := t.Col(j), out.Col(j)
		for i, r := range rows {
			dst[i] = src[r]
		}
	}
	return out
}

// Columns copies the given columns, in the given order, into a new table.
func (t *Table) Columns(cols []int) *Table {
	names := make([]string, len(cols))
	for k, j := range cols {
		names[k] = t.Names[j]
	}
	out := NewTable(t.N, names)
	for k, j := range cols {
		copy(out.Col(k), t.Col(j))
	}
	return out
}

// View is what a learner is given: inputs and, for fitting, targets. Row i of
// every part is the same decision. Parts that a learner does not need may be
// nil; parts that are present have N rows.
type View struct {
	Table *Table // 2D input
	// Streams is the 4D input, windows of one timeframe each; the 3D input is
	// one of them.
	Streams []*Windows
	// Known is what is known of the future at the decision, such as the clock:
	// window i holds the bars that follow decision i, next one first.
	Known *Windows

	Rows    []int     // index of each row among the dataset's decisions
	Spans   []Span    // life of each row
	Class   []int8    // −1, 0 or +1
	Target  []float64 // what a regression predicts; nil where there is none
	Weight  []float64 // ≥ 0; nil means all 1
	NetLong []float64 // simple return of a long entered at the row, net of cost
	// NetShort is the same for a short position.
	NetShort []float64
}

// Len is the number of rows.
func (v View) Len() int {
	if v.Table != nil {
		return v.Table.N
	}
	if len(v.Streams) > 0 {
		return v.Streams[0].Len()
	}
	return len(v.Rows)
}

// Check reports the first part whose length differs from the number of rows.
func (v View) Check() error {
	n := v.Len()
	bad := func(what string, got int) error {
		return fmt.Errorf("view: %s has %d rows, the input has %d", what, got, n)
	}
	for _, w := range v.Streams {
		if err := w.check("stream", n); err != nil {
			return err
		}
	}
	if v.Known != nil {
		if err := v.Known.check("known future", n); err != nil {
			return err
		}
	}
	switch {
	case v.Table != nil && len(v.Table.Names) != v.Table.P:
		return fmt.Errorf("view: table has %d names for %d columns", len(v.Table.Names), v.Table.P)
	case v.Table != nil && len(v.Table.Data) != v.Table.N*v.Table.P:
		return fmt.Errorf("view: table has %d values, want %d×%d", len(v.Table.Data), v.Table.N, v.Table.P)
	case v.Rows != nil && len(v.Rows) != n:
		return bad("row index", len(v.Rows))
	case v.Spans != nil && len(v.Spans) != n:
		return bad("spans", len(v.Spans))
	case v.Class != nil && len(v.Class) != n:
		return bad("class", len(v.Class))
	case v.Target != nil && len(v.Target) != n:
		return bad("target", len(v.Target))
	case v.Weight != nil && len(v.Weight) != n:
		return bad("weight", len(v.Weight))
	case v.NetLong != nil && len(v.NetLong) != n:
		return bad("long return", len(v.NetLong))
	case v.NetShort != nil && len(v.NetShort) != n:
		return bad("short return", len(v.NetShort))
	}
	return nil
}
