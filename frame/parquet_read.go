package frame

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// ReadParquetFile reads a Parquet file by path; see [ReadParquet].
func ReadParquetFile(path string, columns ...string) (*Frame, error) {
	r, err := os.Open(path) // #nosec G304 -- the caller's file
	if err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	defer func() { _ = r.Close() }() // only read
	info, err := r.Stat()
	if err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	f, err := ReadParquet(r, info.Size(), columns...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// ReadParquet reads a Parquet file of size bytes, written by [Frame.WriteParquet] or by any other program, into memory.
//
// With names given, only those columns are read, in that order; the time index is always read. Flat columns of the types BOOLEAN, INT32
// and INT64 (signed, unsigned, DATE, TIMESTAMP in ms, µs or ns), FLOAT, DOUBLE and UTF-8 BYTE_ARRAY are understood: 16-bit and small
// unsigned integers become int32 or int64; every timestamp becomes nanoseconds, of [KindLocalTime] when the file does not call it UTC. A
// null becomes NaN in a float column and is an error elsewhere. Key-value metadata is kept, except the Arrow schema.
//
// Truncated and damaged files are errors.
func ReadParquet(r io.ReaderAt, size int64, columns ...string) (f *Frame, err error) {
	defer recovered("frame: read parquet", &err)
	if err := checkMagic(r, size); err != nil {
		return nil, err
	}
	pr, err := file.NewParquetReader(io.NewSectionReader(r, 0, size), file.WithReadProps(parquet.NewReaderProperties(memory.NewGoAllocator())))
	if err != nil {
		return nil, fmt.Errorf("frame: read parquet: %w", err)
	}
	f = &Frame{}
	index := ""
	if kv := pr.MetaData().KeyValueMetadata(); kv != nil {
		values := kv.Values()
		for i, k := range kv.Keys() {
			switch k {
			case "ARROW:schema":
			case indexKey:
				index = values[i]
			default:
				if f.Meta == nil {
					f.Meta = map[string]string{}
				}
				f.Meta[k] = values[i]
			}
		}
	}
	at := map[string]int{}
	var all []string
	sc := pr.MetaData().Schema
	for i := range sc.NumColumns() {
		path := sc.Column(i).Path()
		at[path] = i
		all = append(all, path)
	}
	if len(columns) == 0 {
		columns = all
	}
	for _, name := range columns {
		if name == index {
			continue
		}
		i, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("frame: read parquet: no column %q; the file has %q", name, all)
		}
		c, err := readColumn(pr, i)
		if err != nil {
			return nil, fmt.Errorf("frame: read parquet: column %q: %w", name, err)
		}
		f.Columns = append(f.Columns, *c)
	}
	if index != "" {
		i, ok := at[index]
		if !ok {
			return nil, fmt.Errorf("frame: read parquet: the time index %q is missing", index)
		}
		c, err := readColumn(pr, i)
		if err != nil {
			return nil, fmt.Errorf("frame: read parquet: time index: %w", err)
		}
		if c.Kind != KindTime {
			return nil, fmt.Errorf("frame: read parquet: the time index %q is of kind %v", index, c.Kind)
		}
		f.Time = c.Int64
		if f.Time == nil {
			f.Time = []int64{}
		}
	}
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("frame: read parquet: %w", err)
	}
	return f, nil
}

// checkMagic tells a truncated file from something that never was a Parquet file.
func checkMagic(r io.ReaderAt, size int64) error {
	const magic = "PAR1"
	var head, tail [4]byte
	if size < 12 {
		return fmt.Errorf("frame: read parquet: %d bytes are too few for a parquet file", size)
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("frame: read parquet: %w", err)
	}
	if _, err := r.ReadAt(tail[:], size-4); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("frame: read parquet: %w", err)
	}
	switch {
	case string(head[:]) != magic:
		return errors.New("frame: read parquet: not a parquet file (no PAR1 at its start)")
	case string(tail[:]) != magic:
		return fmt.Errorf("frame: read parquet: truncated after %d bytes (no PAR1 at its end)", size)
	}
	return nil
}

// source describes how the stored values of a column become values of a frame.
type source struct {
	kind  Kind
	scale int64 // stored unit in nanoseconds, for instants
}

func sourceOf(d *schema.Column) (source, error) {
	if d.MaxRepetitionLevel() > 0 || d.MaxDefinitionLevel() > 1 || len(d.ColumnPath()) > 1 {
		return source{}, errors.New("nested columns are not supported; flatten them first")
	}
	unsupported := fmt.Errorf("%v %v is not supported; convert it to a float, an integer, a timestamp or a string", d.PhysicalType(), d.LogicalType())
	switch l := d.LogicalType().(type) {
	case schema.TimestampLogicalType:
		kind := KindLocalTime
		if l.IsAdjustedToUTC() {
			kind = KindTime
		}
		switch l.TimeUnit() {
		case schema.TimeUnitMillis:
			return source{kind, 1e6}, nil
		case schema.TimeUnitMicros:
			return source{kind, 1e3}, nil
		case schema.TimeUnitNanos:
			return source{kind, 1}, nil
		}
		return source{}, unsupported
	case schema.DateLogicalType:
		return source{KindLocalTime, 86400e9}, nil
	case schema.IntLogicalType:
		switch {
		case l.BitWidth() == 8 && l.IsSigned():
			return source{kind: KindInt8}, nil
		case l.BitWidth() <= 16, l.BitWidth() == 32 && l.IsSigned():
			return source{kind: KindInt32}, nil
		}
		return source{kind: KindInt64}, nil
	case schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType:
		return source{kind: KindString}, nil
	case schema.NoLogicalType, schema.UnknownLogicalType:
	default:
		return source{}, unsupported
	}
	switch d.PhysicalType() {
	case parquet.Types.Double:
		return source{kind: KindFloat64}, nil
	case parquet.Types.Float:
		return source{kind: KindFloat32}, nil
	case parquet.Types.Int64:
		return source{kind: KindInt64}, nil
	case parquet.Types.Int32:
		return source{kind: KindInt32}, nil
	case parquet.Types.Boolean:
		return source{kind: KindBool}, nil
	}
	return source{}, unsupported
}

// firstRows bounds the memory taken on the word of a footer alone: a damaged count ends in a read error, not in an allocation.
const firstRows = 4 << 20

func readColumn(pr *file.Reader, i int) (*Column, error) {
	d := pr.MetaData().Schema.Column(i)
	src, err := sourceOf(d)
	if err != nil {
		return nil, err
	}
	total := pr.NumRows()
	if total < 0 {
		return nil, fmt.Errorf("the file claims %d rows", total)
	}
	hint := int(min(total, firstRows))
	c := &Column{Name: d.Name(), Kind: src.kind}
	texts := map[string]string{}
	row := 0
	for g := range pr.NumRowGroups() {
		group := pr.RowGroup(g)
		cr, err := group.Column(i)
		if err != nil {
			return nil, err
		}
		rows := group.NumRows()
		switch r := cr.(type) {
		case *file.Float64ColumnChunkReader:
			c.Float64, err = appendChunk(c.Float64, hint, r.ReadBatch, rows, d, row, math.NaN(), true)
		case *file.Float32ColumnChunkReader:
			c.Float32, err = appendChunk(c.Float32, hint, r.ReadBatch, rows, d, row, float32(math.NaN()), true)
		case *file.Int64ColumnChunkReader:
			c.Int64, err = appendChunk(c.Int64, hint, r.ReadBatch, rows, d, row, 0, false)
		case *file.Int32ColumnChunkReader:
			c.Int32, err = appendChunk(c.Int32, hint, r.ReadBatch, rows, d, row, 0, false)
		case *file.BooleanColumnChunkReader:
			c.Bool, err = appendChunk(c.Bool, hint, r.ReadBatch, rows, d, row, false, false)
		case *file.ByteArrayColumnChunkReader:
			// The bytes belong to the page, so they are copied before the next page is asked for; equal texts share one copy.
			var chunk []string
			chunk, err = appendTexts(r, rows, d, row, texts)
			c.String = append(c.String, chunk...)
		default:
			err = fmt.Errorf("no reader for %T", cr)
		}
		if err != nil {
			return nil, err
		}
		row += int(rows)
	}
	if int64(row) != total {
		return nil, fmt.Errorf("row groups hold %d rows, the footer says %d", row, total)
	}
	return c, convert(c, src, d)
}

// appendChunk appends the rows of one column chunk. A null becomes null, or is an error where nulls are not allowed.
func appendChunk[T any](dst []T, hint int, read func(int64, []T, []int16, []int16) (int64, int, error), rows int64, d *schema.Column, row int, null T, nullable bool) ([]T, error) {
	if dst == nil {
		dst = make([]T, 0, hint)
	}
	const batch = 1 << 16
	var levels []int16
	if d.MaxDefinitionLevel() > 0 {
		levels = make([]int16, batch)
	}
	for left := rows; left > 0; {
		n := min(left, batch)
		start := len(dst)
		if cap(dst)-start < int(n) {
			grown := make([]T, start, max(start+int(n), 2*cap(dst)))
			copy(grown, dst)
			dst = grown
		}
		buf := dst[start : start+int(n)]
		got, values, err := read(n, buf, levels, nil)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
		if got <= 0 || got > n {
			return nil, fmt.Errorf("the data end at row %d", row)
		}
		if values < int(got) {
			if levels == nil {
				return nil, fmt.Errorf("the data end at row %d", row+values)
			}
			// Values are packed at the front; spread them from the back.
			for i, v := int(got)-1, values-1; i >= 0; i-- {
				if levels[i] == 0 {
					if !nullable {
						return nil, nullError(levels, row)
					}
					buf[i] = null
					continue
				}
				buf[i] = buf[v]
				v--
			}
		}
		dst = dst[:start+int(got)]
		row += int(got)
		left -= got
	}
	return dst, nil
}

func nullError(levels []int16, row int) error {
	for i, l := range levels {
		if l == 0 {
			row += i
			break
		}
	}
	return fmt.Errorf("row %d is null; only floats can be missing: fill or drop it, or store the column as a float", row)
}

func appendTexts(r *file.ByteArrayColumnChunkReader, rows int64, d *schema.Column, row int, known map[string]string) ([]string, error) {
	const batch = 4096
	var dst []string
	buf := make([]parquet.ByteArray, batch)
	var levels []int16
	if d.MaxDefinitionLevel() > 0 {
		levels = make([]int16, batch)
	}
	for left := rows; left > 0; {
		got, values, err := r.ReadBatchInPage(min(left, batch), buf, levels, nil)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
		if got <= 0 || got > left {
			return nil, fmt.Errorf("the data end at row %d", row)
		}
		if values < int(got) {
			return nil, nullError(levels[:min(int(got), len(levels))], row)
		}
		for _, b := range buf[:values] {
			s, ok := known[string(b)]
			if !ok {
				s = string(b)
				if len(known) < 1<<16 {
					known[s] = s
				}
			}
			dst = append(dst, s)
		}
		row += int(got)
		left -= got
	}
	return dst, nil
}

// convert turns the stored integers of c into the values that its kind promises.
func convert(c *Column, src source, d *schema.Column) error {
	l, isInt := d.LogicalType().(schema.IntLogicalType)
	switch {
	case src.kind == KindInt8:
		c.Int8 = make([]int8, len(c.Int32))
		for i, x := range c.Int32 {
			if x < math.MinInt8 || x > math.MaxInt8 {
				return fmt.Errorf("row %d: %d does not fit 8 bits", i, x)
			}
			c.Int8[i] = int8(x)
		}
		c.Int32 = nil
	case src.scale > 0:
		if c.Int32 != nil { // DATE
			c.Int64 = make([]int64, len(c.Int32))
			for i, x := range c.Int32 {
				c.Int64[i] = int64(x)
			}
			c.Int32 = nil
		}
		for i, x := range c.Int64 {
			if x > math.MaxInt64/src.scale || x < math.MinInt64/src.scale {
				return fmt.Errorf("row %d: the instant %d lies outside the years 1678 to 2261", i, x)
			}
			c.Int64[i] = x * src.scale
		}
	case isInt && !l.IsSigned() && l.BitWidth() == 32:
		c.Int64 = make([]int64, len(c.Int32))
		for i, x := range c.Int32 {
			c.Int64[i] = int64(uint32(x)) // #nosec G115 -- the stored bits are unsigned
		}
		c.Int32 = nil
	case isInt && !l.IsSigned() && l.BitWidth() == 64:
		for i, x := range c.Int64 {
			if x < 0 {
				return fmt.Errorf("row %d: %d does not fit a signed integer", i, uint64(x)) // #nosec G115 -- shown as stored
			}
		}
	}
	return nil
}
