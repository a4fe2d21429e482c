package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// words reads the eight-byte values of a column chunk, which may be absent, from
// its pages: those that are written plainly or as indices of a dictionary. The
// library finds and unpacks the pages; to take the values out of them is done
// here, straight into their place, because the library builds the part of a
// dictionary that has been used so far over and over, and that is most of a
// column of prices.
type words struct {
	pages    file.PageReader
	optional bool     // values can be absent
	dict     []uint64 // of the chunk
	left     int      // rows left in the page
	present  levels   // which of them have a value
	indexed  bool     // the values are indices
	index    packed
	plain    []byte
}

// begin starts a column chunk.
func (w *words) begin(pages file.PageReader, optional bool) {
	*w = words{pages: pages, optional: optional, dict: w.dict[:0]}
}

// ownPages reports whether a chunk says that it has only pages that words reads.
func ownPages(group *file.RowGroupReader, column int) bool {
	meta, err := group.MetaData().ColumnChunk(column)
	if err != nil {
		return false
	}
	for _, e := range meta.Encodings() {
		switch e {
		case parquet.Encodings.Plain, parquet.Encodings.PlainDict, parquet.Encodings.RLEDict, parquet.Encodings.RLE, parquet.Encodings.BitPacked:
		default:
			return false
		}
	}
	return true
}

// errOtherPage says that a page is of a kind that only the library reads.
var errOtherPage = errors.New("another kind of page")

// page goes on to the next page of data; io.EOF after the last.
func (w *words) page() error {
	for w.left == 0 {
		if !w.pages.Next() {
			if err := w.pages.Err(); err != nil {
				return err
			}
			return io.EOF
		}
		switch p := w.pages.Page().(type) {
		case *file.DictionaryPage:
			b, n := p.Data(), int(p.NumValues())
			if e := parquet.Encoding(p.Encoding()); e != parquet.Encodings.Plain && e != parquet.Encodings.PlainDict {
				return errOtherPage
			}
			if n < 0 || n > len(b)/8 {
				return errors.New("a dictionary is cut short")
			}
			w.dict = slices.Grow(w.dict[:0], n)[:n]
			for i := range w.dict {
				w.dict[i] = binary.LittleEndian.Uint64(b[8*i : 8*i+8])
			}
		case *file.DataPageV1:
			b, n := p.Data(), int(p.NumValues())
			w.present = levels{all: true}
			if w.optional {
				if p.DefinitionLevelEncoding() != parquet.Encodings.RLE {
					return errOtherPage
				}
				if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
					return errors.New("the levels of a page are cut short")
				}
				k := 4 + int(binary.LittleEndian.Uint32(b))
				w.present = newLevels(b[4:k], n)
				b = b[k:]
			}
			if err := w.values(b, n, parquet.Encoding(p.Encoding())); err != nil {
				return err
			}
		case *file.DataPageV2:
			b, n, k := p.Data(), int(p.NumValues()), int(p.DefinitionLevelByteLen())
			if p.RepetitionLevelByteLen() != 0 || k < 0 || k > len(b) {
				return errOtherPage
			}
			w.present = levels{all: true}
			if w.optional {
				w.present = newLevels(b[:k], n)
			}
			if err := w.values(b[k:], n, parquet.Encoding(p.Encoding())); err != nil {
				return err
			}
		default:
			return errOtherPage
		}
	}
	return nil
}

// values begins with the n rows of a page.
func (w *words) values(b []byte, n int, e parquet.Encoding) error {
	switch e {
	case parquet.Encodings.Plain:
		w.indexed, w.plain = false, b
	case parquet.Encodings.PlainDict, parquet.Encodings.RLEDict:
		w.indexed, w.index = true, packed{}
		if len(b) > 0 {
			if b[0] > 32 {
				return fmt.Errorf("the indices of a page have %d bits", b[0])
			}
			w.index = packed{b: b[1:], width: uint(b[0])}
		}
	default:
		return errOtherPage
	}
	w.left = n
	return nil
}

// read reads rows until dst is full, the column ends or a page is of another
// kind. It gives the number of rows and of absent values among them; def becomes 1 where
// there is a value and 0 where there is none.
func (w *words) read(dst []uint64, def []int16) (n, absent int, err error) {
	for n < len(dst) {
		if err := w.page(); err == io.EOF {
			return n, absent, nil
		} else if err != nil {
			return n, absent, err
		}
		part := dst[n:min(len(dst), n+w.left)]
		have := len(part)
		if def != nil {
			if have, err = w.present.read(def[n : n+len(part)]); err != nil {
				return n, absent, err
			}
		}
		if err := w.take(part[:have]); err != nil {
			return n, absent, err
		}
		if have < len(part) {
			for i, k := len(part)-1, have-1; k >= 0 && i > k; i-- {
				if def[n+i] == 1 {
					part[i] = part[k]
					k--
				}
			}
			absent += len(part) - have
		}
		n += len(part)
		w.left -= len(part)
	}
	return n, absent, nil
}

// take reads values that are there.
func (w *words) take(dst []uint64) error {
	if w.indexed {
		return w.index.gather(dst, w.dict)
	}
	if len(w.plain) < 8*len(dst) {
		return errors.New("the values of a page are cut short")
	}
	b := w.plain[:8*len(dst)]
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint64(b[8*i : 8*i+8])
	}
	w.plain = w.plain[len(b):]
	return nil
}

// levels reads whether values are there, one bit each.
type levels struct {
	all bool
	packed
}

// newLevels sees at once when all of n values are there.
func newLevels(b []byte, n int) levels {
	l := levels{packed: packed{b: b, width: 1}}
	if l.next() == nil && l.left >= n && !l.mixed && l.value == 1 {
		return levels{all: true}
	}
	l.packed = packed{b: b, width: 1}
	return l
}

// read gives the number of values that are there.
func (l *levels) read(def []int16) (have int, err error) {
	if l.all {
		for i := range def {
			def[i] = 1
		}
		return len(def), nil
	}
	for i := range def {
		if l.left == 0 {
			if err := l.next(); err != nil {
				return 0, err
			}
		}
		v := l.value
		if l.mixed {
			v = uint64(l.b[l.bit>>3]>>(l.bit&7)) & 1
			l.bit++
		}
		if v > 1 {
			return 0, errPacked
		}
		l.step(1)
		def[i] = int16(v)
		have += int(v)
	}
	return have, nil
}

// packed reads the numbers of Parquet's hybrid of run lengths and bit packing:
// runs of one value, and groups of eight values of the same number of bits.
type packed struct {
	b     []byte
	width uint // bits of a value
	left  int  // values left in the run
	mixed bool // its values are packed, and end before byte end
	value uint64
	bit   int // where the next packed value begins
	end   int
}

var errPacked = errors.New("a page is cut short")

// next begins the next run.
func (p *packed) next() error {
	for p.left == 0 {
		head, n := binary.Uvarint(p.b)
		if n <= 0 || head > 1<<32 {
			return errPacked
		}
		p.b = p.b[n:]
		if p.mixed = head&1 == 1; p.mixed {
			groups, size := int(head>>1), int(p.width)
			// The last run may lack what it does not need.
			p.end = min(groups*size, len(p.b))
			p.left, p.bit = groups*8, 0
			if size > 0 {
				p.left = min(p.left, p.end*8/size)
			}
			if p.left == 0 && groups > 0 {
				return errPacked
			}
			continue
		}
		size := int(p.width+7) / 8
		if size > len(p.b) {
			return errPacked
		}
		p.value = 0
		for i, c := range p.b[:size] {
			p.value |= uint64(c) << (8 * i)
		}
		p.b = p.b[size:]
		p.left = int(head >> 1)
	}
	return nil
}

// step takes n values of the run as read.
func (p *packed) step(n int) {
	if p.left -= n; p.left == 0 && p.mixed {
		p.b = p.b[p.end:]
	}
}

var errIndex = errors.New("a value is not in the dictionary")

// gather reads indices and puts their values into dst.
func (p *packed) gather(dst, dict []uint64) error {
	for len(dst) > 0 {
		if p.left == 0 {
			if err := p.next(); err != nil {
				return err
			}
		}
		n := min(p.left, len(dst))
		if !p.mixed {
			if p.value >= uint64(len(dict)) {
				return errIndex
			}
			for i := range dst[:n] {
				dst[i] = dict[p.value]
			}
		} else if !p.unpack(dst[:n], dict) {
			return errIndex
		}
		p.step(n)
		dst = dst[n:]
	}
	return nil
}

// unpack looks packed indices up.
func (p *packed) unpack(dst, dict []uint64) bool {
	bit, width, mask := uint(p.bit), p.width, uint64(1)<<p.width-1
	i := 0
	for b := p.b; i < len(dst); i++ {
		at := bit >> 3
		if at+8 > uint(len(b)) {
			break
		}
		k := binary.LittleEndian.Uint64(b[at:at+8]) >> (bit & 7) & mask
		if k >= uint64(len(dict)) {
			return false
		}
		dst[i] = dict[k]
		bit += width
	}
	for ; i < len(dst); i++ { // near the end
		var last [8]byte
		copy(last[:], p.b[bit>>3:])
		k := binary.LittleEndian.Uint64(last[:]) >> (bit & 7) & mask
		if k >= uint64(len(dict)) {
			return false
		}
		dst[i] = dict[k]
		bit += width
	}
	p.bit = int(bit)
	return true
}
