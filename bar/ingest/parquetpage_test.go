package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// writeColumns writes a file with a column of integers and one of doubles.
func writeColumns(t *testing.T, ints []int64, doubles []float64, def []int16, groups int, props ...parquet.WriterProperty) []byte {
	t.Helper()
	rep := parquet.Repetitions.Required
	if def != nil {
		rep = parquet.Repetitions.Optional
	}
	root, err := schema.NewGroupNode("r", parquet.Repetitions.Required, schema.FieldList{schema.NewInt64Node("i", rep, -1), schema.NewFloat64Node("d", rep, -1)}, -1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := file.NewParquetWriter(&out, root, file.WithWriterProps(parquet.NewWriterProperties(props...)))
	rows := len(ints)
	if def != nil {
		rows = len(def)
	}
	from := 0
	for g := range groups {
		lo, hi := rows*g/groups, rows*(g+1)/groups
		values, levels := hi-lo, []int16(nil)
		if def != nil {
			levels, values = def[lo:hi], 0
			for _, l := range levels {
				values += int(l)
			}
		}
		group, err := w.AppendRowGroupChecked()
		if err != nil {
			t.Fatal(err)
		}
		for c := range 2 {
			col, err := group.NextColumn()
			if err != nil {
				t.Fatal(err)
			}
			if c == 0 {
				_, err = col.(*file.Int64ColumnChunkWriter).WriteBatch(ints[from:from+values], levels, nil)
			} else {
				_, err = col.(*file.Float64ColumnChunkWriter).WriteBatch(doubles[from:from+values], levels, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := col.Close(); err != nil {
				t.Fatal(err)
			}
		}
		from += values
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readColumns gives the values of both columns as text, read in pieces.
func readColumns(t *testing.T, b []byte, piece int, begin func(*parquetColumn, *file.RowGroupReader) error) string {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	for k := range 2 {
		c, err := newParquetColumn(r.MetaData().Schema.Column(k), k, piece, roleOpen)
		if err != nil {
			t.Fatal(err)
		}
		for g := range r.NumRowGroups() {
			group := r.RowGroup(g)
			if err := begin(c, group); err != nil {
				t.Fatal(err)
			}
			for left := int(group.NumRows()); left > 0; left -= piece {
				n := min(left, piece)
				if err := c.raw(n, c.f64); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					switch {
					case c.null(i):
						out.WriteString("-\n")
					case k == 0:
						fmt.Fprintln(&out, c.i64[i])
					default:
						fmt.Fprintf(&out, "%x\n", math.Float64bits(c.f64[i]))
					}
				}
			}
		}
	}
	return out.String()
}

// otherPage turns the pages of a column from one on into pages that words does not know.
type otherPage struct {
	file.PageReader
	left int
}

func (o *otherPage) Page() file.Page {
	if o.left--; o.left < 0 {
		return struct{ file.Page }{}
	}
	return o.PageReader.Page()
}

// TestWords reads pages of all kinds and holds them to the library's reader.
func TestWords(t *testing.T) {
	library := func(c *parquetColumn, group *file.RowGroupReader) (err error) {
		c.group, c.done = group, 0
		c.chunk, err = group.Column(c.at)
		return err
	}
	kinds := map[string][]parquet.WriterProperty{
		"dictionary":                {},
		"dictionary, second format": {parquet.WithDataPageVersion(parquet.DataPageV2)},
		"small dictionary":          {parquet.WithDictionaryPageSizeLimit(2000)}, // plain pages after the first
		"plain":                     {parquet.WithDictionaryDefault(false)},
		"plain, second format":      {parquet.WithDictionaryDefault(false), parquet.WithDataPageVersion(parquet.DataPageV2)},
		"split":                     {parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.ByteStreamSplit)},
	}
	own := map[string]int{} // pages of each kind that words has read to their end
	for seed := range uint64(12) {
		for name, props := range kinds {
			r := rand.New(rand.NewPCG(seed, uint64(len(name))))
			n := 1 + r.IntN(5000)
			var def []int16
			if seed%3 > 0 {
				def = make([]int16, n)
				for i, often := 0, []int{2, 100, 100000}[r.IntN(3)]; i < n; i++ {
					if r.IntN(often) > 0 {
						def[i] = 1
					}
				}
			}
			distinct := int64([]int{1, 2, 300, 100000}[r.IntN(4)])
			ints, doubles := make([]int64, n), make([]float64, n)
			for i := range ints {
				ints[i], doubles[i] = r.Int64N(distinct)-7, float64(r.Int64N(distinct))/8
				if i > 0 && r.IntN(3) > 0 {
					ints[i], doubles[i] = ints[i-1], doubles[i-1]
				}
			}
			props := append([]parquet.WriterProperty{parquet.WithDataPageSize(int64(100 + r.IntN(5000))), parquet.WithBatchSize(int64(10 + r.IntN(500)))}, props...)
			if seed%2 == 0 {
				props = append(props, parquet.WithCompression(compress.Codecs.Zstd))
			}
			b := writeColumns(t, ints, doubles, def, 1+r.IntN(3), props...)
			want := readColumns(t, b, n, library)
			for range 3 {
				piece := 1 + r.IntN(n)
				got := readColumns(t, b, piece, func(c *parquetColumn, group *file.RowGroupReader) error {
					err := c.begin(group)
					if c.chunk == nil {
						own[name]++
					}
					return err
				})
				if got != want {
					t.Fatalf("%s, seed %d, %d rows in pieces of %d: other values than the library reads", name, seed, n, piece)
				}
				// The library goes on in the middle of a chunk.
				pages := r.IntN(4)
				got = readColumns(t, b, piece, func(c *parquetColumn, group *file.RowGroupReader) error {
					err := c.begin(group)
					if c.chunk == nil {
						c.words.pages = &otherPage{c.words.pages, pages}
					}
					return err
				})
				if got != want {
					t.Fatalf("%s, seed %d, %d rows in pieces of %d, %d pages, then the library: other values than it reads alone", name, seed, n, piece, pages)
				}
			}
		}
	}
	for name := range kinds {
		if (own[name] > 0) != (name != "split") {
			t.Errorf("%s: %d chunks read without the library", name, own[name])
		}
	}
}

// pack writes runs in Parquet's hybrid form.
func pack(r *rand.Rand, values []uint64, width uint) (b []byte) {
	for len(values) > 0 {
		run := 1
		for run < len(values) && values[run] == values[0] {
			run++
		}
		if r.IntN(2) == 0 || run > 8 {
			b = binary.AppendUvarint(b, uint64(run)<<1)
			for k := uint(0); k < width; k += 8 {
				b = append(b, byte(values[0]>>k))
			}
			values = values[run:]
			continue
		}
		groups := 1 + r.IntN(6)
		b = binary.AppendUvarint(b, uint64(groups)<<1|1)
		at, packed := uint(0), make([]byte, groups*int(width))
		for _, v := range values[:min(len(values), 8*groups)] {
			for k := range width {
				packed[(at+k)/8] |= byte(v>>k&1) << ((at + k) % 8)
			}
			at += width
		}
		b = append(b, packed...)
		values = values[min(len(values), 8*groups):]
	}
	return b
}

// TestPacked unpacks indices of every width, as many at a time as it happens.
func TestPacked(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for width := range uint(18) {
		dict := make([]uint64, 1<<width)
		for i := range dict {
			dict[i] = r.Uint64()
		}
		for range 30 {
			values := make([]uint64, r.IntN(300))
			for i := range values {
				if values[i] = r.Uint64N(1 << width); i > 0 && r.IntN(2) == 0 {
					values[i] = values[i-1]
				}
			}
			p := packed{b: pack(r, values, width), width: width}
			for i := 0; i < len(values); {
				got := make([]uint64, 1+r.IntN(len(values)-i))
				if err := p.gather(got, dict); err != nil {
					t.Fatal(width, err)
				}
				for k, v := range got {
					if v != dict[values[i+k]] {
						t.Fatalf("width %d: value %d: %d, want %d", width, i+k, v, dict[values[i+k]])
					}
				}
				i += len(got)
			}
		}
	}
}

// FuzzPacked reads anything as levels and indices: values of the dictionary or an
// error, never a panic.
func FuzzPacked(f *testing.F) {
	f.Add([]byte{2, 1, 3, 0xff, 4, 0}, byte(1), 20)
	f.Add([]byte{0x05, 1, 2, 3, 4, 5, 6}, byte(3), 16)
	f.Fuzz(func(t *testing.T, b []byte, width byte, n int) {
		n = max(0, min(n, 5000))
		p := packed{b: b, width: uint(width % 33)}
		dst := make([]uint64, n)
		if err := p.gather(dst, []uint64{11, 12, 13}); err == nil {
			for _, v := range dst {
				if v < 11 || v > 13 {
					t.Fatal(v)
				}
			}
		}
		l, def := newLevels(b, n), make([]int16, n)
		if have, err := l.read(def); err == nil {
			for _, d := range def {
				have -= int(d)
			}
			if have != 0 {
				t.Fatal("the number of values is not the sum of the levels")
			}
		}
	})
}
