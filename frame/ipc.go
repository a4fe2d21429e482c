package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ipcMagic stands at both ends of an Arrow IPC file.
const ipcMagic = "ARROW1"

// WriteIPC writes the frame as one Arrow IPC file: one record batch, uncompressed, no nulls, so that a reader can map it and use the
// columns in place. Instants are timestamp[ns, UTC], the time index is the first column and called "time". The same content gives the
// same bytes. The texts of one column may take 2 GiB.
func (f *Frame) WriteIPC(w io.Writer) (err error) {
	defer recovered("frame: write arrow", &err)
	if err := f.Validate(); err != nil {
		return err
	}
	columns := f.Columns
	var keys, values []string
	if f.Time != nil {
		columns = append([]Column{{Name: TimeName, Kind: KindTime, Int64: f.Time}}, columns...)
		keys, values = append(keys, indexKey), append(values, TimeName)
	}
	own := make([]string, 0, len(f.Meta))
	for k := range f.Meta {
		if k == indexKey {
			return fmt.Errorf("frame: write arrow: the metadata key %q is reserved", k)
		}
		own = append(own, k)
	}
	sort.Strings(own)
	for _, k := range own {
		keys, values = append(keys, k), append(values, f.Meta[k])
	}
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	for i := range columns {
		data, err := arrowData(&columns[i])
		if err != nil {
			return fmt.Errorf("frame: write arrow: column %q: %w", columns[i].Name, err)
		}
		fields[i] = arrow.Field{Name: columns[i].Name, Type: data.DataType()}
		arrays[i] = array.MakeFromData(data)
	}
	meta := arrow.NewMetadata(keys, values)
	sc := arrow.NewSchema(fields, &meta)
	seal := &sealer{w: w}
	iw, err := ipc.NewFileWriter(seal, ipc.WithSchema(sc), ipc.WithAllocator(memory.NewGoAllocator()))
	if err != nil {
		return fmt.Errorf("frame: write arrow: %w", err)
	}
	if err := iw.Write(array.NewRecordBatch(sc, arrays, int64(f.Rows()))); err != nil {
		return fmt.Errorf("frame: write arrow: %w", err)
	}
	seal.hold = true
	if err := iw.Close(); err != nil {
		return fmt.Errorf("frame: write arrow: %w", err)
	}
	if err := seal.finish(); err != nil {
		return fmt.Errorf("frame: write arrow: %w", err)
	}
	return nil
}

// arrowType returns the Arrow type of a kind.
func arrowType(k Kind) arrow.DataType {
	switch k {
	case KindFloat64:
		return arrow.PrimitiveTypes.Float64
	case KindFloat32:
		return arrow.PrimitiveTypes.Float32
	case KindInt64:
		return arrow.PrimitiveTypes.Int64
	case KindInt32:
		return arrow.PrimitiveTypes.Int32
	case KindInt8:
		return arrow.PrimitiveTypes.Int8
	case KindBool:
		return arrow.FixedWidthTypes.Boolean
	case KindTime:
		return &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}
	case KindLocalTime:
		return &arrow.TimestampType{Unit: arrow.Nanosecond}
	}
	return arrow.BinaryTypes.String
}

// arrowData wraps the values of c without copying them, except truth values and texts.
func arrowData(c *Column) (arrow.ArrayData, error) {
	var buffers []*memory.Buffer
	switch c.Kind {
	case KindFloat64:
		buffers = wrap(canonical64(c.Float64))
	case KindFloat32:
		buffers = wrap(canonical32(c.Float32))
	case KindInt64, KindTime, KindLocalTime:
		buffers = wrap(c.Int64)
	case KindInt32:
		buffers = wrap(c.Int32)
	case KindInt8:
		buffers = wrap(c.Int8)
	case KindBool:
		bitmap := make([]byte, (len(c.Bool)+7)/8)
		for i, x := range c.Bool {
			if x {
				bitmap[i/8] |= 1 << (i % 8)
			}
		}
		buffers = []*memory.Buffer{nil, memory.NewBufferBytes(bitmap)}
	case KindString:
		offsets := make([]int32, 1, len(c.String)+1)
		var text []byte
		for i, s := range c.String {
			if len(text)+len(s) > math.MaxInt32 {
				return nil, fmt.Errorf("row %d: the texts take more than 2 GiB", i)
			}
			text = append(text, s...)
			offsets = append(offsets, int32(len(text))) // #nosec G115 -- checked above
		}
		buffers = append(wrap(offsets), memory.NewBufferBytes(text))
	}
	return array.NewData(arrowType(c.Kind), c.Len(), buffers, nil, 0, 0), nil
}

// wrap returns the buffers of an array without nulls over the memory of v.
func wrap[T any](v []T) []*memory.Buffer {
	var zero T
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero))) // #nosec G103 -- a view of plain numbers
	return []*memory.Buffer{nil, memory.NewBufferBytes(b)}
}

// Opened is a frame whose columns may lie in a mapped file.
type Opened struct {
	frame  *Frame
	data   []byte
	mapped bool
}

// Frame returns the frame. Its slices must not be written to, and after [Opened.Close] they must not be touched at all.
func (o *Opened) Frame() *Frame { return o.frame }

// Mapped reports whether the columns lie in the mapped file rather than on the heap.
func (o *Opened) Mapped() bool { return o.mapped }

// Close releases the mapping. The frame of a mapped file is emptied; views of it that were kept become invalid memory. A second call does
// nothing.
func (o *Opened) Close() error {
	if !o.mapped {
		return nil
	}
	o.mapped = false
	o.frame.Time, o.frame.Columns = nil, nil
	data := o.data
	o.data = nil
	if err := unmap(data); err != nil {
		return fmt.Errorf("frame: unmap: %w", err)
	}
	return nil
}

// OpenIPC opens an Arrow IPC file written by [Frame.WriteIPC], mapped read-only where the system can, else read into memory. Opening takes
// microseconds for any number of rows; truth values and texts are copied. A checksum over the file's description tells damage there; the
// values are not checked, which is the work of whoever keeps the file. The file must not change while it is open.
func OpenIPC(path string) (*Opened, error) {
	o, err := openIPC(path, mapFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

// errNoMap says that a file cannot be mapped here and has to be read.
var errNoMap = errors.New("files cannot be mapped here")

func openIPC(path string, mapper func(*os.File, int64) ([]byte, error)) (*Opened, error) {
	r, err := os.Open(path) // #nosec G304 -- the caller's file
	if err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	defer func() { _ = r.Close() }() // a mapping outlives its file handle
	info, err := r.Stat()
	if err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	if err := checkIPCMagic(r, info.Size()); err != nil {
		return nil, err
	}
	data, err := mapper(r, info.Size())
	if err != nil {
		f, err := ReadIPC(r, info.Size())
		return &Opened{frame: f}, err
	}
	f, err := decodeIPC(data)
	if err != nil {
		return nil, errors.Join(err, unmap(data))
	}
	return &Opened{frame: f, data: data, mapped: true}, nil
}

// ReadIPC reads a file written by [Frame.WriteIPC], of size bytes, into memory.
func ReadIPC(r io.ReaderAt, size int64) (*Frame, error) {
	if err := checkIPCMagic(r, size); err != nil {
		return nil, err
	}
	// The values are used in place, so the bytes must be aligned as in a file that is mapped at a page.
	words := make([]uint64, (size+7)/8)
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)[:size] // #nosec G103 -- aligned bytes
	if n, err := r.ReadAt(data, 0); err != nil && (!errors.Is(err, io.EOF) || int64(n) < size) {
		return nil, fmt.Errorf("frame: read arrow: %w", err)
	}
	return decodeIPC(data)
}

func checkIPCMagic(r io.ReaderAt, size int64) error {
	head, tail := make([]byte, len(ipcMagic)), make([]byte, len(ipcMagic))
	if size < int64(2*len(ipcMagic)+8) {
		return fmt.Errorf("frame: read arrow: %d bytes are too few for an arrow file", size)
	}
	if _, err := r.ReadAt(head, 0); err != nil {
		return fmt.Errorf("frame: read arrow: %w", err)
	}
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("frame: read arrow: %w", err)
	}
	switch {
	case !bytes.Equal(head, []byte(ipcMagic)):
		return errors.New("frame: read arrow: not an arrow file (no ARROW1 at its start)")
	case !bytes.Equal(tail, []byte(ipcMagic)):
		return fmt.Errorf("frame: read arrow: truncated after %d bytes (no ARROW1 at its end)", size)
	}
	return nil
}

// decodeIPC builds a frame over data.
func decodeIPC(data []byte) (f *Frame, err error) {
	defer recovered("frame: read arrow", &err)
	if err := checkSeal(data); err != nil {
		return nil, err
	}
	// The body is the mapped file itself, whose length bounds it: a table of a
	// long history is larger than the reader takes by default.
	r, err := ipc.NewMappedFileReader(data, ipc.WithAllocator(memory.NewGoAllocator()), ipc.WithBodySizeLimit(0))
	if err != nil {
		return nil, fmt.Errorf("frame: read arrow: %w", err)
	}
	if r.NumRecords() != 1 {
		return nil, fmt.Errorf("frame: read arrow: %d record batches; only files with one can be used in place: write it anew", r.NumRecords())
	}
	batch, err := r.RecordBatchAt(0)
	if err != nil {
		return nil, fmt.Errorf("frame: read arrow: %w", err)
	}
	f = &Frame{}
	index := ""
	meta := r.Schema().Metadata()
	for i, k := range meta.Keys() {
		if k == indexKey {
			index = meta.Values()[i]
			continue
		}
		if f.Meta == nil {
			f.Meta = map[string]string{}
		}
		f.Meta[k] = meta.Values()[i]
	}
	for i := range int(batch.NumCols()) {
		name := batch.ColumnName(i)
		c, err := arrowColumn(name, batch.Column(i))
		if err != nil {
			return nil, fmt.Errorf("frame: read arrow: column %q: %w", name, err)
		}
		if index != "" && name == index && f.Time == nil && c.Kind == KindTime {
			if f.Time = c.Int64; f.Time == nil {
				f.Time = []int64{}
			}
			continue
		}
		f.Columns = append(f.Columns, c)
	}
	if index != "" && f.Time == nil {
		return nil, fmt.Errorf("frame: read arrow: the time index %q is missing", index)
	}
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("frame: read arrow: %w", err)
	}
	return f, nil
}

// arrowColumn returns the values of an array in place where the types allow it.
func arrowColumn(name string, a arrow.Array) (Column, error) {
	if a.NullN() > 0 {
		return Column{}, fmt.Errorf("%d nulls; only files without nulls can be used in place", a.NullN())
	}
	// The footer's word for the length is not enough: the buffers must hold as much.
	if width, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		buffers := a.Data().Buffers()
		if need := (int64(a.Len())*int64(width.BitWidth()) + 7) / 8; a.Len() > 0 && (len(buffers) < 2 || buffers[1] == nil || int64(buffers[1].Len()) < need) {
			return Column{}, fmt.Errorf("truncated: %d rows do not fit the stored bytes", a.Len())
		}
	}
	switch v := a.(type) {
	case *array.Float64:
		return Float64(name, v.Float64Values()), nil
	case *array.Float32:
		return Float32(name, v.Float32Values()), nil
	case *array.Int64:
		return Int64(name, v.Int64Values()), nil
	case *array.Int32:
		return Int32(name, v.Int32Values()), nil
	case *array.Int8:
		return Int8(name, v.Int8Values()), nil
	case *array.Boolean:
		out := make([]bool, v.Len())
		for i := range out {
			out[i] = v.Value(i)
		}
		return Bool(name, out), nil
	case *array.String:
		out := make([]string, v.Len())
		for i := range out {
			out[i] = string(append([]byte(nil), v.Value(i)...)) // a copy: the view dies with the mapping
		}
		return String(name, out), nil
	case *array.Timestamp:
		t, ok := v.DataType().(*arrow.TimestampType)
		if !ok || t.Unit != arrow.Nanosecond {
			return Column{}, fmt.Errorf("%v is not supported; instants are in nanoseconds", v.DataType())
		}
		values := v.TimestampValues()
		c := Time(name, unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(values))), len(values))) // #nosec G103 -- same layout
		if t.TimeZone == "" {
			c.Kind = KindLocalTime
		}
		return c, nil
	}
	return Column{}, fmt.Errorf("%v is not supported", a.DataType())
}
