package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// parquetColumn reads one column of a Parquet file.
type parquetColumn struct {
	at    int
	role  role // roles: the filter's column
	name  string
	max   int16 // definition level of a value; 0: no value can be absent
	def   []int16
	lacks bool // a value of this read is absent

	group *file.RowGroupReader
	words words                  // reads the chunk, unless
	chunk file.ColumnChunkReader // the library does
	done  int64                  // rows of the chunk that words has read

	unit   int64 // timestamps: nanoseconds per unit; 0: not a timestamp
	utc    bool  // timestamps: instants, not local times
	scale  int   // decimals: digits behind the point
	signed bool  // integers

	i32 []int32
	i64 []int64
	i96 []parquet.Int96
	f32 []float32
	f64 []float64
	txt []parquet.ByteArray
	fix []parquet.FixedLenByteArray
	buf []byte
}

func newParquetColumn(d *schema.Column, at, rows int, r role) (*parquetColumn, error) {
	c := &parquetColumn{at: at, role: r, name: d.Name(), max: d.MaxDefinitionLevel(), signed: true}
	bad := func(want string) error {
		return fmt.Errorf("column %q has the type %v %v; want %s", c.name, d.PhysicalType(), d.LogicalType(), want)
	}
	if d.MaxRepetitionLevel() > 0 {
		return nil, bad("one value a row")
	}
	if c.max > 0 {
		c.def = make([]int16, rows)
	}
	switch l := d.LogicalType().(type) {
	case schema.TimestampLogicalType:
		c.unit = map[schema.TimeUnitType]int64{schema.TimeUnitMillis: 1e6, schema.TimeUnitMicros: 1e3, schema.TimeUnitNanos: 1}[l.TimeUnit()]
		// The old type says UTC and was written for local times as well.
		c.utc = l.IsAdjustedToUTC() && !l.IsFromConvertedType()
	case schema.DateLogicalType:
		c.unit = 86400e9
	case schema.DecimalLogicalType:
		c.scale = int(l.Scale())
	case schema.IntLogicalType:
		c.signed = l.IsSigned()
	}
	if r >= roleOpen && r <= roleVolume && c.unit > 0 {
		return nil, bad("numbers")
	}
	switch d.PhysicalType() {
	case parquet.Types.Int32:
		c.i32 = make([]int32, rows)
	case parquet.Types.Int64:
		c.i64 = make([]int64, rows)
	case parquet.Types.Double:
		c.f64 = make([]float64, rows)
	case parquet.Types.Float:
		c.f32 = make([]float32, rows)
	case parquet.Types.ByteArray:
		c.txt = make([]parquet.ByteArray, rows)
	case parquet.Types.Int96:
		if r >= roleOpen && r <= roleVolume || r == roles {
			return nil, bad("numbers or text")
		}
		c.i96 = make([]parquet.Int96, rows)
	case parquet.Types.FixedLenByteArray:
		if _, ok := d.LogicalType().(schema.DecimalLogicalType); !ok || r < roleOpen || r > roleVolume {
			return nil, bad("numbers, a timestamp or text")
		}
		c.fix = make([]parquet.FixedLenByteArray, rows)
	default:
		return nil, bad("numbers, a timestamp or text")
	}
	return c, nil
}

// read reads the next n rows into the column's place in the block.
func (c *parquetColumn) read(b *block, n int, p *parquetReader) error {
	f64 := c.f64
	number := c.role >= roleOpen && c.role <= roleVolume
	if number && f64 != nil {
		f64 = b.v[c.role-roleOpen] // no copy
	}
	if err := c.raw(n, f64); err != nil {
		return p.damaged(err)
	}
	switch {
	case number:
		return c.numbers(b.v[c.role-roleOpen][:n], p)
	case c.role == roles:
		for i := range n {
			p.keep[i] = p.where.pass(string(c.appendText(c.buf[:0], i)))
		}
		return nil
	case c.role == roleTime:
		return c.stamps(b.stamp[:n], &p.stamps, p)
	}
	return c.stamps(b.instants(c.role)[:n], &p.others[c.role-roleBegin], p)
}

// begin starts the column's chunk of a row group.
func (c *parquetColumn) begin(group *file.RowGroupReader) (err error) {
	c.group, c.chunk, c.done = group, nil, 0
	if (c.i64 != nil || c.f64 != nil) && c.max <= 1 && ownPages(group, c.at) {
		pages, err := group.GetColumnPageReader(c.at)
		c.words.begin(pages, c.max == 1)
		return err
	}
	c.chunk, err = group.Column(c.at)
	return err
}

// raw reads n values into the buffer of the column's type.
func (c *parquetColumn) raw(n int, f64 []float64) error {
	c.lacks = false
	from := 0
	if c.chunk == nil {
		var err error
		if from, err = c.own(n, f64); err != errOtherPage {
			return err
		}
		if c.chunk, err = c.group.Column(c.at); err != nil {
			return err
		}
	}
	switch r := c.chunk.(type) {
	case *file.Int32ColumnChunkReader:
		return spread(c, from, c.i32[:n], r.ReadBatch)
	case *file.Int64ColumnChunkReader:
		if err := c.skip(r.Skip); err != nil {
			return err
		}
		return spread(c, from, c.i64[:n], r.ReadBatch)
	case *file.Int96ColumnChunkReader:
		return spread(c, from, c.i96[:n], r.ReadBatch)
	case *file.Float32ColumnChunkReader:
		return spread(c, from, c.f32[:n], r.ReadBatch)
	case *file.Float64ColumnChunkReader:
		if err := c.skip(r.Skip); err != nil {
			return err
		}
		return spread(c, from, f64[:n], r.ReadBatch)
	case *file.ByteArrayColumnChunkReader:
		return spread(c, from, c.txt[:n], func(n int64, dst []parquet.ByteArray, def, rep []int16) (int64, int, error) {
			return copyText(r, r.ReadBatchInPage, n, dst, def)
		})
	case *file.FixedLenByteArrayColumnChunkReader:
		return spread(c, from, c.fix[:n], func(n int64, dst []parquet.FixedLenByteArray, def, rep []int16) (int64, int, error) {
			return copyText(r, r.ReadBatchInPage, n, dst, def)
		})
	}
	return fmt.Errorf("column %q has another type in this row group", c.name)
}

// own reads n values without the library and gives the number of rows before a
// page of another kind, with errOtherPage.
func (c *parquetColumn) own(n int, f64 []float64) (int, error) {
	// The same memory: a word is the value's bits.
	var dst []uint64
	if c.i64 != nil {
		dst = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(c.i64))), n)
	} else {
		dst = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(f64))), n)
	}
	var def []int16
	if c.max > 0 {
		def = c.def[:n]
	}
	k, absent, err := c.words.read(dst, def)
	c.lacks = absent > 0
	c.done += int64(k)
	if err == nil && k < n {
		err = c.short(k, n)
	}
	return k, err
}

// skip passes over the rows that were read without the library.
func (c *parquetColumn) skip(by func(int64) (int64, error)) error {
	n := c.done
	c.done = 0
	if n == 0 {
		return nil
	}
	k, err := by(n)
	if err == nil && k != n {
		err = c.short(int(k), int(n))
	}
	return err
}

func (c *parquetColumn) short(have, want int) error {
	return fmt.Errorf("column %q ends after %d of %d values", c.name, have, want)
}

// copyText reads up to n texts. Those of a page share the page's memory, which is
// used again for the next one.
func copyText[T ~[]byte](r file.ColumnChunkReader, read func(int64, []T, []int16, []int16) (int64, int, error), n int64, dst []T, def []int16) (total int64, values int, err error) {
	for total < n && r.HasNext() {
		var d []int16
		if def != nil {
			d = def[total:]
		}
		t, v, err := read(n-total, dst[values:], d, nil)
		if err != nil || t == 0 {
			return total, values, err
		}
		for i := range dst[values : values+v] {
			dst[values+i] = bytes.Clone(dst[values+i])
		}
		total, values = total+t, values+v
	}
	return total, values, r.Err()
}

// spread reads rows into dst, from row from on, and moves the values, which come
// without the absent ones, to their rows.
func spread[T any](c *parquetColumn, from int, dst []T, read func(int64, []T, []int16, []int16) (int64, int, error)) error {
	var def []int16
	if c.max > 0 {
		def = c.def[from:len(dst)]
	}
	dst = dst[from:]
	n := len(dst)
	total, values, err := read(int64(n), dst, def, nil)
	switch {
	case err != nil:
		return err
	case total != int64(n):
		return c.short(from+int(total), from+n)
	case values == n:
		return nil
	}
	c.lacks = true
	for i := n - 1; i >= 0 && values <= i; i-- {
		if def[i] == c.max {
			values--
			dst[i] = dst[values]
		}
	}
	return nil
}

// null reports whether row i has no value.
func (c *parquetColumn) null(i int) bool { return c.lacks && c.def[i] < c.max }

// numbers turns what was read into numbers; absent values become NaN.
func (c *parquetColumn) numbers(dst []float64, p *parquetReader) error {
	var bad error
	where := 0
	fail := func(i int, format string, a ...any) float64 {
		if bad == nil && (p.keep == nil || p.keep[i]) {
			bad, where = fmt.Errorf(format, a...), i
		}
		return math.NaN()
	}
	switch {
	case c.i32 != nil:
		for i := range dst {
			dst[i] = c.decimal(int64(c.i32[i]))
			if !c.signed {
				dst[i] = float64(uint32(c.i32[i]))
			}
		}
	case c.i64 != nil:
		for i := range dst {
			dst[i] = c.decimal(c.i64[i])
			if !c.signed {
				dst[i] = float64(uint64(c.i64[i]))
			}
		}
	case c.f32 != nil:
		for i := range dst {
			dst[i] = float64(c.f32[i])
		}
	case c.fix != nil:
		for i := range dst {
			if !c.null(i) {
				dst[i] = c.wide(c.fix[i])
			}
		}
	case c.txt != nil:
		for i := range dst {
			if c.null(i) {
				continue
			}
			f, ok := bare(c.txt[i]), false
			if dst[i], ok = parseFloat(f); !ok {
				dst[i] = math.NaN()
				if !missing(f) {
					fail(i, "%q is not a number", clip(f))
				}
			}
		}
	}
	if c.lacks {
		for i := range dst {
			if c.null(i) {
				dst[i] = math.NaN()
			}
		}
	}
	for i, x := range dst {
		if math.Abs(x) > math.MaxFloat64 {
			fail(i, "the value is infinite")
		}
	}
	if bad != nil {
		return p.at(where, c.name, bad)
	}
	return nil
}

// decimal is v/10^scale, correctly rounded.
func (c *parquetColumn) decimal(v int64) float64 {
	switch {
	case c.scale == 0:
		return float64(v)
	case v <= 1<<53 && v >= -1<<53 && c.scale < len(pow10):
		return float64(v) / pow10[c.scale]
	}
	return c.ratio(big.NewInt(v))
}

// wide is the value of a decimal in big-endian two's complement.
func (c *parquetColumn) wide(s []byte) float64 {
	v := new(big.Int).SetBytes(s)
	if len(s) > 0 && s[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(s))))
	}
	return c.ratio(v)
}

func (c *parquetColumn) ratio(v *big.Int) float64 {
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.scale)), nil)
	f, _ := new(big.Rat).SetFrac(v, ten).Float64()
	return f
}

// stamps turns what was read into instants: timestamps of any unit (a timestamp
// that is not of UTC is a local time), dates, epoch numbers, and text.
func (c *parquetColumn) stamps(dst []int64, st *stamper, p *parquetReader) error {
	first := 0
	if c.utc && c.i64 != nil && p.keep == nil && !c.lacks {
		st.kind = stampZoned
		first = c.utcInstants(dst)
	}
	for i := first; i < len(dst); i++ {
		if p.keep != nil && !p.keep[i] {
			continue
		}
		if c.null(i) {
			return p.at(i, c.name, errors.New("the time is missing"))
		}
		t, err := c.instant(i, st)
		if err != nil {
			if errors.Is(err, errNoZone) {
				return err
			}
			return p.at(i, c.name, err)
		}
		dst[i] = t
	}
	return nil
}

// utcInstants turns timestamps into instants, as instant does, up to the first
// that is out of range.
func (c *parquetColumn) utcInstants(dst []int64) int {
	unit, limit := c.unit, maxInstant/c.unit
	for i, v := range c.i64[:len(dst)] {
		if v > limit || v < -limit {
			return i
		}
		dst[i] = v * unit
	}
	return len(dst)
}

func (c *parquetColumn) instant(i int, st *stamper) (int64, error) {
	var ns int64
	switch {
	case c.i96 != nil:
		ns = c.i96[i].ToTime().UnixNano()
	case c.unit > 0:
		v := int64(0)
		if c.i64 != nil {
			v = c.i64[i]
		} else {
			v = int64(c.i32[i])
		}
		var ok bool
		if ns, ok = scaled(v, c.unit); !ok {
			return 0, fmt.Errorf("the time %d lies outside of the years 1678 to 2262", v)
		}
	case c.i64 != nil && st.kind == stampEpoch:
		ns, ok := scaled(c.i64[i], st.unit)
		if !ok {
			return 0, fmt.Errorf("%d is not an epoch number like the rows before", c.i64[i])
		}
		return ns, nil
	default:
		c.buf = c.appendText(c.buf[:0], i)
		return st.parse(c.buf)
	}
	if c.utc {
		st.kind = stampZoned
		return ns, nil
	}
	st.kind = stampNaive
	sec := ns / 1e9
	if ns%1e9 < 0 {
		sec--
	}
	return st.local(sec, ns-sec*1e9)
}

// appendText writes the value of row i as text.
func (c *parquetColumn) appendText(dst []byte, i int) []byte {
	switch {
	case c.null(i):
		return dst
	case c.i32 != nil:
		return strconv.AppendInt(dst, int64(c.i32[i]), 10)
	case c.i64 != nil:
		return strconv.AppendInt(dst, c.i64[i], 10)
	case c.f64 != nil:
		return strconv.AppendFloat(dst, c.f64[i], 'f', -1, 64)
	case c.f32 != nil:
		return strconv.AppendFloat(dst, float64(c.f32[i]), 'f', -1, 32)
	}
	return append(dst, bare(c.txt[i])...)
}
