// Package frame holds tables in memory: named, typed columns of one length, with an optional time index, and the two file forms in which
// the project keeps them.
//
// A [Frame] is a plain value; its slices belong to whoever made them, and no function here changes them. Columns have one of the types of
// [Kind]. There are no nulls: a missing number is NaN, and the other types are never missing. Instants are int64 nanoseconds UTC.
//
// # Identity
//
// [Frame.Digest] identifies the content: schema, metadata and values. It does not depend on how the rows are cut into chunks, on the file
// form, on compression, or on which NaN a NaN is; equal frames give equal digests on every machine. −0 and 0 differ, because code that
// divides by them differs.
//
// # Files
//
// Parquet ([Frame.WriteParquet], [ReadParquet]) is what users open: zstd, byte-stream-split floats, delta-packed integers and instants,
// row groups of 256 Ki rows; the same frame gives the same bytes. Arrow IPC ([Frame.WriteIPC], [OpenIPC]) is the hot form: uncompressed,
// mapped read-only into memory, so that the columns are views of the page cache shared by all processes.
//
// # Refusals
//
// Writing refuses frames whose columns differ in length or share a name, and a time index that runs backwards. Reading refuses nested
// columns, nulls in anything but floats, decimals and other types without an exact counterpart, each with the column's name. A damaged
// or truncated file is an error and never a panic.
package frame

import (
	"errors"
	"fmt"
	"math"
)

// TimeName is the name of the time index in files.
const TimeName = "time"

// Kind is the type of a column.
type Kind uint8

// The kinds. The numbers are not stored anywhere; digests and files use the names.
const (
	KindFloat64   Kind = iota + 1
	KindFloat32        // rounded once, from float64
	KindInt64          //
	KindInt32          //
	KindInt8           //
	KindBool           //
	KindString         // UTF-8
	KindTime           // an instant, int64 nanoseconds UTC, in Int64
	KindLocalTime      // a wall-clock stamp whose zone the file does not state, as if it were UTC, in Int64
)

// kindNames is indexed by Kind.
//
// const
var kindNames = [...]string{"", "float64", "float32", "int64", "int32", "int8", "bool", "string", "time", "localtime"}

// String returns the name, as used in digests and messages.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k != 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Column is a named list of values. Exactly the slice that belongs to Kind is used, the others are nil.
type Column struct {
	Name string
	Kind Kind

	Float64 []float64
	Float32 []float32
	Int64   []int64 // KindInt64, KindTime, KindLocalTime
	Int32   []int32
	Int8    []int8
	Bool    []bool
	String  []string
}

// Float64 returns a column of 64-bit floats; a missing value is NaN.
func Float64(name string, v []float64) Column {
	return Column{Name: name, Kind: KindFloat64, Float64: v}
}

// Float32 returns a column of 32-bit floats; a missing value is NaN.
func Float32(name string, v []float32) Column {
	return Column{Name: name, Kind: KindFloat32, Float32: v}
}

// Int64 returns a column of 64-bit integers.
func Int64(name string, v []int64) Column { return Column{Name: name, Kind: KindInt64, Int64: v} }

// Int32 returns a column of 32-bit integers.
func Int32(name string, v []int32) Column { return Column{Name: name, Kind: KindInt32, Int32: v} }

// Int8 returns a column of 8-bit integers, for classes and sides.
func Int8(name string, v []int8) Column { return Column{Name: name, Kind: KindInt8, Int8: v} }

// Bool returns a column of truth values.
func Bool(name string, v []bool) Column { return Column{Name: name, Kind: KindBool, Bool: v} }

// String returns a column of texts. Few different texts repeated often cost little in a file.
func String(name string, v []string) Column { return Column{Name: name, Kind: KindString, String: v} }

// Time returns a column of instants, int64 nanoseconds UTC, which other programs show as dates.
func Time(name string, v []int64) Column { return Column{Name: name, Kind: KindTime, Int64: v} }

// Len returns the number of values.
func (c *Column) Len() int {
	switch c.Kind {
	case KindFloat64:
		return len(c.Float64)
	case KindFloat32:
		return len(c.Float32)
	case KindInt64, KindTime, KindLocalTime:
		return len(c.Int64)
	case KindInt32:
		return len(c.Int32)
	case KindInt8:
		return len(c.Int8)
	case KindBool:
		return len(c.Bool)
	case KindString:
		return len(c.String)
	}
	return 0
}

// slice returns the rows [lo, hi) as a view.
func (c *Column) slice(lo, hi int) Column {
	s := Column{Name: c.Name, Kind: c.Kind}
	switch c.Kind {
	case KindFloat64:
		s.Float64 = c.Float64[lo:hi]
	case KindFloat32:
		s.Float32 = c.Float32[lo:hi]
	case KindInt64, KindTime, KindLocalTime:
		s.Int64 = c.Int64[lo:hi]
	case KindInt32:
		s.Int32 = c.Int32[lo:hi]
	case KindInt8:
		s.Int8 = c.Int8[lo:hi]
	case KindBool:
		s.Bool = c.Bool[lo:hi]
	case KindString:
		s.String = c.String[lo:hi]
	}
	return s
}

// Frame is a table. Row i of every column belongs to Time[i], if there is a time index.
type Frame struct {
	Time    []int64 // int64 ns UTC, not decreasing; nil without an index
	Columns []Column
	Meta    map[string]string // facts about the whole table, kept in files and part of the digest; may be nil
}

// New returns a frame after checking it like [Frame.Validate].
func New(time []int64, columns ...Column) (*Frame, error) {
	f := &Frame{Time: time, Columns: columns}
	return f, f.Validate()
}

// Rows returns the number of rows.
func (f *Frame) Rows() int {
	if f.Time != nil || len(f.Columns) == 0 {
		return len(f.Time)
	}
	return f.Columns[0].Len()
}

// Column returns the column of that name, or nil when there is none. The time index is not a column.
func (f *Frame) Column(name string) *Column {
	for i := range f.Columns {
		if f.Columns[i].Name == name {
			return &f.Columns[i]
		}
	}
	return nil
}

// Slice returns the rows [lo, hi) as a view: the values are shared. It panics when the range is not within the rows.
func (f *Frame) Slice(lo, hi int) *Frame {
	if lo < 0 || hi < lo || hi > f.Rows() {
		panic(fmt.Sprintf("frame: slice [%d, %d) of %d rows", lo, hi, f.Rows()))
	}
	s := &Frame{Meta: f.Meta, Columns: make([]Column, len(f.Columns))}
	if f.Time != nil {
		s.Time = f.Time[lo:hi]
	}
	for i := range f.Columns {
		s.Columns[i] = f.Columns[i].slice(lo, hi)
	}
	return s
}

// Validate reports every structural problem: no columns at all, an unknown kind, values in a slice that does not belong to the kind,
// an empty or repeated name, lengths that differ, a time index that decreases.
func (f *Frame) Validate() error {
	var problems []error
	fail := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("frame: "+format, args...))
	}
	if f.Time == nil && len(f.Columns) == 0 {
		fail("no time index and no columns")
	}
	for i := 1; i < len(f.Time); i++ {
		if f.Time[i] < f.Time[i-1] {
			fail("time index runs backwards at row %d: %d after %d", i, f.Time[i], f.Time[i-1])
			break
		}
	}
	rows := f.Rows()
	seen := map[string]bool{}
	if f.Time != nil {
		seen[TimeName] = true
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		switch {
		case c.Name == "":
			fail("column %d has no name", i)
		case seen[c.Name]:
			fail("two columns are called %q", c.Name)
		}
		seen[c.Name] = true
		if c.Kind == 0 || int(c.Kind) >= len(kindNames) {
			fail("column %q: unknown %v", c.Name, c.Kind)
			continue
		}
		own := c.slice(0, 0)
		for _, extra := range []bool{
			c.Float64 != nil && own.Float64 == nil, c.Float32 != nil && own.Float32 == nil, c.Int64 != nil && own.Int64 == nil,
			c.Int32 != nil && own.Int32 == nil, c.Int8 != nil && own.Int8 == nil, c.Bool != nil && own.Bool == nil, c.String != nil && own.String == nil,
		} {
			if extra {
				fail("column %q of kind %v holds values of another kind", c.Name, c.Kind)
				break
			}
		}
		if c.Len() != rows {
			fail("column %q has %d values, the frame has %d rows", c.Name, c.Len(), rows)
		}
	}
	return errors.Join(problems...)
}

// The one NaN that digests and files contain: the quiet NaN without payload.
const (
	nan64 = uint64(0x7ff8000000000000)
	nan32 = uint32(0x7fc00000)
)

// canonical64 returns v with every NaN replaced by the one NaN; v itself when nothing has to be replaced.
func canonical64(v []float64) []float64 {
	for i, x := range v {
		if x != x && math.Float64bits(x) != nan64 {
			out := append([]float64(nil), v...)
			for j := i; j < len(out); j++ {
				if out[j] != out[j] {
					out[j] = math.Float64frombits(nan64)
				}
			}
			return out
		}
	}
	return v
}

// canonical32 is canonical64 for 32 bits.
func canonical32(v []float32) []float32 {
	for i, x := range v {
		if x != x && math.Float32bits(x) != nan32 {
			out := append([]float32(nil), v...)
			for j := i; j < len(out); j++ {
				if out[j] != out[j] {
					out[j] = math.Float32frombits(nan32)
				}
			}
			return out
		}
	}
	return v
}
