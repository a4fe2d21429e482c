package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Keys of the file metadata that our own Parquet files carry, so that a file
// written by this program states its own stamps and zone.
const (
	MetaStamps    = "mlfactory.stamps"
	MetaZone      = "mlfactory.zone"
	MetaTimeframe = "mlfactory.timeframe"
)

// parquetReader reads the columns of a Parquet file in batches.
type parquetReader struct {
	file   *file.Reader
	cols   layout
	stamps stamper
	meta   map[string]string
	row    int64
}

func openParquet(f *os.File, want Columns) (p *parquetReader, err error) {
	defer func() {
		// The reader panics on some damaged footers; a file must not.
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("the Parquet file is damaged or cut off: %v", r)
		}
	}()
	r, err := file.NewParquetReader(f)
	if err != nil {
		return nil, fmt.Errorf("the Parquet file is damaged or cut off: %w", err)
	}
	p = &parquetReader{file: r, meta: map[string]string{}}
	kv := r.MetaData().KeyValueMetadata()
	for i, k := range kv.Keys() {
		p.meta[k] = kv.Values()[i]
	}
	var names []string
	for i := range r.MetaData().Schema.NumColumns() {
		names = append(names, r.MetaData().Schema.Column(i).Name())
	}
	if p.cols, err = findColumns(names, want); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return p, nil
}

func (p *parquetReader) each(ctx context.Context, emit func(*row) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("after row %d: the Parquet file is damaged or cut off: %v", p.row, r)
		}
	}()
	rd, err := pqarrow.NewFileReader(p.file, pqarrow.ArrowReadProperties{BatchSize: 1 << 16}, memory.DefaultAllocator)
	if err != nil {
		return fmt.Errorf("the Parquet file is damaged: %w", err)
	}
	var want []int
	var which []role
	for r := role(0); r < roles; r++ {
		if p.cols.at[r] >= 0 {
			want = append(want, p.cols.at[r])
			which = append(which, r)
		}
	}
	rr, err := rd.GetRecordReader(ctx, want, nil)
	if err != nil {
		return fmt.Errorf("the Parquet file is damaged: %w", err)
	}
	defer rr.Release()
	for rr.Next() {
		rec := rr.RecordBatch()
		n := int(rec.NumRows())
		var cols [roles]func(i int) (float64, error)
		var stamp func(i int) (int64, error)
		for _, q := range which {
			// The reader returns columns in schema order.
			name := p.cols.names[p.cols.at[q]]
			idx := rec.Schema().FieldIndices(name)
			if len(idx) == 0 {
				return fmt.Errorf("column %q is gone from the batch after row %d", name, p.row)
			}
			c := rec.Column(idx[0])
			switch q {
			case roleTime:
				stamp, err = p.stampColumn(c, name)
			case roleClock:
				return fmt.Errorf("column %q: a separate time of day is only read from CSV", name)
			default:
				cols[q], err = numberColumn(c, name)
			}
			if err != nil {
				return err
			}
		}
		var r row
		for i := range n {
			p.row++
			r.line = p.row
			if r.stamp, err = stamp(i); err != nil {
				if errors.Is(err, errNoZone) {
					return err
				}
				return fmt.Errorf("row %d, column %q: %w", p.row, p.cols.names[p.cols.at[roleTime]], err)
			}
			for q := roleOpen; q < roles; q++ {
				v := math.NaN()
				if cols[q] != nil {
					if v, err = cols[q](i); err != nil {
						return fmt.Errorf("row %d, column %q: %w", p.row, p.cols.names[p.cols.at[q]], err)
					}
				}
				*r.value(q) = v
			}
			if err := emit(&r); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := rr.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("after row %d: the Parquet file is damaged or cut off: %w", p.row, err)
	}
	if want := p.file.NumRows(); p.row != want {
		return fmt.Errorf("the Parquet file states %d rows and holds %d", want, p.row)
	}
	return nil
}

func (p *parquetReader) close() error { return p.file.Close() }

// stampColumn reads timestamps of any unit, integers as epoch numbers, and text.
// A timestamp without a zone ("naive") is a local time.
func (p *parquetReader) stampColumn(c arrow.Array, name string) (func(int) (int64, error), error) {
	null := func(i int) error {
		if c.IsNull(i) {
			return errors.New("the time is missing")
		}
		return nil
	}
	switch a := c.(type) {
	case *array.Timestamp:
		ty := a.DataType().(*arrow.TimestampType)
		unit := int64(ty.Unit.Multiplier())
		naive := ty.TimeZone == ""
		if naive {
			p.stamps.kind = stampNaive
		} else {
			p.stamps.kind = stampZoned
		}
		v := a.TimestampValues()
		return func(i int) (int64, error) {
			if err := null(i); err != nil {
				return 0, err
			}
			ns := int64(v[i]) * unit
			if !naive {
				return ns, nil
			}
			sec := floorDiv(ns, 1e9)
			return p.stamps.local(sec, ns-sec*1e9)
		}, nil
	case *array.Int64:
		v := a.Int64Values()
		return func(i int) (int64, error) {
			if err := null(i); err != nil {
				return 0, err
			}
			return p.stamps.parse(fmt.Append(nil, v[i]))
		}, nil
	case *array.Float64:
		return func(i int) (int64, error) {
			if err := null(i); err != nil {
				return 0, err
			}
			return p.stamps.parse(fmt.Appendf(nil, "%.9f", a.Value(i)))
		}, nil
	case array.StringLike:
		return func(i int) (int64, error) {
			if err := null(i); err != nil {
				return 0, err
			}
			return p.stamps.parse([]byte(a.Value(i)))
		}, nil
	case *array.Date32:
		p.stamps.kind = stampNaive
		return func(i int) (int64, error) {
			if err := null(i); err != nil {
				return 0, err
			}
			return p.stamps.local(int64(a.Value(i))*86400, 0)
		}, nil
	}
	return nil, fmt.Errorf("column %q has the type %s; want a timestamp, an integer epoch or text", name, c.DataType())
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func numberColumn(c arrow.Array, name string) (func(int) (float64, error), error) {
	at := func(f func(int) float64) func(int) (float64, error) {
		return func(i int) (float64, error) {
			if c.IsNull(i) {
				return math.NaN(), nil
			}
			v := f(i)
			if math.IsInf(v, 0) {
				return 0, errors.New("the value is infinite")
			}
			return v, nil
		}
	}
	switch a := c.(type) {
	case *array.Float64:
		return at(a.Value), nil
	case *array.Float32:
		return at(func(i int) float64 { return float64(a.Value(i)) }), nil
	case *array.Int64:
		return at(func(i int) float64 { return float64(a.Value(i)) }), nil
	case *array.Int32:
		return at(func(i int) float64 { return float64(a.Value(i)) }), nil
	case *array.Uint64:
		return at(func(i int) float64 { return float64(a.Value(i)) }), nil
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return at(func(i int) float64 { return a.Value(i).ToFloat64(scale) }), nil
	case array.StringLike:
		return func(i int) (float64, error) {
			if c.IsNull(i) || missing([]byte(a.Value(i))) {
				return math.NaN(), nil
			}
			v, ok := parseFloat([]byte(a.Value(i)))
			if !ok {
				return 0, fmt.Errorf("%q is not a number", clip([]byte(a.Value(i))))
			}
			return v, nil
		}, nil
	}
	return nil, fmt.Errorf("column %q has the type %s; want numbers", name, c.DataType())
}

// isParquet tells a Parquet file by its first bytes.
func isParquet(head []byte) bool { return len(head) >= 4 && string(head[:4]) == "PAR1" }
