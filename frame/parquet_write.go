package frame

import (
	"fmt"
	"io"
	"sort"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// rowGroupRows is the number of rows of a row group.
const rowGroupRows = 256 * 1024

// indexKey is the metadata key by which a file says that its first column is the time index.
const indexKey = "mlfactory.index"

// WriteParquet writes the frame as one Parquet file (format 2): every column required, zstd; floats BYTE_STREAM_SPLIT, integers and
// instants DELTA_BINARY_PACKED, texts by dictionary; instants as TIMESTAMP(NANOS, UTC); row groups of 256 Ki rows; metadata as key and
// value pairs sorted by key. The time index becomes the first column, called "time".
//
// The bytes depend on nothing but the content: two frames with the same [Frame.Digest] give the same file.
func (f *Frame) WriteParquet(w io.Writer) (err error) {
	defer recovered("frame: write parquet", &err)
	if err := f.Validate(); err != nil {
		return err
	}
	columns := f.Columns
	meta := metadata.NewKeyValueMetadata()
	keys := make([]string, 0, len(f.Meta))
	for k := range f.Meta {
		if k == indexKey {
			return fmt.Errorf("frame: write parquet: the metadata key %q is reserved", k)
		}
		keys = append(keys, k)
	}
	sort.Strings(keys)
	if f.Time != nil {
		columns = append([]Column{{Name: TimeName, Kind: KindTime, Int64: f.Time}}, columns...)
		if err := meta.Append(indexKey, TimeName); err != nil {
			return fmt.Errorf("frame: write parquet: %w", err)
		}
	}
	for _, k := range keys {
		if err := meta.Append(k, f.Meta[k]); err != nil {
			return fmt.Errorf("frame: write parquet: metadata %q: %w", k, err)
		}
	}
	root, props, err := parquetSchema(columns)
	if err != nil {
		return err
	}
	pw, err := file.NewParquetWriterWithError(w, root, file.WithWriterProps(props), file.WithWriteMetadata(meta))
	if err != nil {
		return fmt.Errorf("frame: write parquet: %w", err)
	}
	for lo, rows := 0, f.Rows(); lo < rows; lo += rowGroupRows {
		if err := writeRowGroup(pw, columns, lo, min(lo+rowGroupRows, rows)); err != nil {
			return err
		}
	}
	if err := pw.Close(); err != nil {
		return fmt.Errorf("frame: write parquet: %w", err)
	}
	return nil
}

// parquetSchema returns the file schema and the encodings of the columns.
func parquetSchema(columns []Column) (*schema.GroupNode, *parquet.WriterProperties, error) {
	options := []parquet.WriterProperty{
		parquet.WithAllocator(memory.NewGoAllocator()),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithDataPageVersion(parquet.DataPageV1),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithDictionaryDefault(false),
		parquet.WithCreatedBy("mlfactory version 1.0.0"),
		parquet.WithRootName("schema"),
	}
	nodes := make(schema.FieldList, len(columns))
	for i := range columns {
		c := &columns[i]
		path := parquet.ColumnPath{c.Name}
		var physical parquet.Type
		logical := schema.LogicalType(schema.NoLogicalType{})
		encoding := parquet.Encodings.Plain
		switch c.Kind {
		case KindFloat64:
			physical, encoding = parquet.Types.Double, parquet.Encodings.ByteStreamSplit
		case KindFloat32:
			physical, encoding = parquet.Types.Float, parquet.Encodings.ByteStreamSplit
		case KindInt64:
			physical, encoding = parquet.Types.Int64, parquet.Encodings.DeltaBinaryPacked
		case KindInt32:
			physical, encoding = parquet.Types.Int32, parquet.Encodings.DeltaBinaryPacked
		case KindInt8:
			physical, encoding, logical = parquet.Types.Int32, parquet.Encodings.DeltaBinaryPacked, schema.NewIntLogicalType(8, true)
		case KindBool:
			physical = parquet.Types.Boolean
		case KindString:
			physical, logical = parquet.Types.ByteArray, schema.StringLogicalType{}
			options = append(options, parquet.WithDictionaryPath(path, true))
		case KindTime, KindLocalTime:
			physical, encoding = parquet.Types.Int64, parquet.Encodings.DeltaBinaryPacked
			logical = schema.NewTimestampLogicalType(c.Kind == KindTime, schema.TimeUnitNanos)
		}
		options = append(options, parquet.WithEncodingPath(path, encoding))
		node, err := schema.NewPrimitiveNodeLogical(c.Name, parquet.Repetitions.Required, logical, physical, -1, -1)
		if err != nil {
			return nil, nil, fmt.Errorf("frame: write parquet: column %q: %w", c.Name, err)
		}
		nodes[i] = node
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, nodes, -1)
	if err != nil {
		return nil, nil, fmt.Errorf("frame: write parquet: %w", err)
	}
	return root, parquet.NewWriterProperties(options...), nil
}

func writeRowGroup(pw *file.Writer, columns []Column, lo, hi int) error {
	fail := func(err error) error { return fmt.Errorf("frame: write parquet: rows %d to %d: %w", lo, hi, err) }
	group, err := pw.AppendRowGroupChecked()
	if err != nil {
		return fail(err)
	}
	for i := range columns {
		cw, err := group.NextColumn()
		if err != nil {
			return fail(err)
		}
		c := columns[i].slice(lo, hi)
		if err := writeChunk(cw, &c); err != nil {
			return fail(fmt.Errorf("column %q: %w", c.Name, err))
		}
		if err := cw.Close(); err != nil {
			return fail(fmt.Errorf("column %q: %w", c.Name, err))
		}
	}
	if err := group.Close(); err != nil {
		return fail(err)
	}
	return nil
}

func writeChunk(cw file.ColumnChunkWriter, c *Column) error {
	var err error
	switch w := cw.(type) {
	case *file.Float64ColumnChunkWriter:
		_, err = w.WriteBatch(canonical64(c.Float64), nil, nil)
	case *file.Float32ColumnChunkWriter:
		_, err = w.WriteBatch(canonical32(c.Float32), nil, nil)
	case *file.Int64ColumnChunkWriter:
		_, err = w.WriteBatch(c.Int64, nil, nil)
	case *file.Int32ColumnChunkWriter:
		v := c.Int32
		if c.Kind == KindInt8 {
			v = make([]int32, len(c.Int8))
			for i, x := range c.Int8 {
				v[i] = int32(x)
			}
		}
		_, err = w.WriteBatch(v, nil, nil)
	case *file.BooleanColumnChunkWriter:
		_, err = w.WriteBatch(c.Bool, nil, nil)
	case *file.ByteArrayColumnChunkWriter:
		v := make([]parquet.ByteArray, len(c.String))
		for i, s := range c.String {
			v[i] = parquet.ByteArray(s)
		}
		_, err = w.WriteBatch(v, nil, nil)
	default:
		err = fmt.Errorf("no writer for %T", cw)
	}
	return err
}

// recovered turns a panic of the Parquet or Arrow code, which damaged files can provoke, into an error.
func recovered(doing string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: damaged or unsupported file: %v", doing, p)
	}
}
