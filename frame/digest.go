package frame

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"sort"
)

// digestVersion changes when the encoding below changes, so that old and new digests never meet.
const digestVersion = "mlfactory frame digest 1\n"

// Digest returns the SHA-256, in hexadecimal, of the frame's logical content: metadata sorted by key, names, kinds and values in order.
//
// NaNs are all one NaN, −0 and 0 differ, a frame without metadata equals one with an empty map. It panics when [Frame.Validate] fails,
// because such a frame has no content to speak of. The cost is one pass over the values, about 2 GB/s.
func (f *Frame) Digest() string {
	if err := f.Validate(); err != nil {
		panic(fmt.Sprintf("frame: digest of an invalid frame: %v", err))
	}
	d := digester{h: sha256.New(), buf: make([]byte, 0, 1<<16)}
	d.buf = append(d.buf, digestVersion...)
	keys := make([]string, 0, len(f.Meta))
	for k := range f.Meta {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	d.number(uint64(len(keys)))
	for _, k := range keys {
		d.text(k)
		d.text(f.Meta[k])
	}
	d.number(uint64(f.Rows()))
	d.number(uint64(len(f.Columns)))
	if f.Time != nil {
		d.text("index")
		d.column(&Column{Name: TimeName, Kind: KindTime, Int64: f.Time})
	}
	for i := range f.Columns {
		d.text("column")
		d.column(&f.Columns[i])
	}
	d.flush()
	return hex.EncodeToString(d.h.Sum(nil))
}

// digester writes little-endian numbers and length-prefixed texts to a hash through a buffer.
type digester struct {
	h   hash.Hash
	buf []byte
}

func (d *digester) flush() {
	d.h.Write(d.buf) // a hash never fails
	d.buf = d.buf[:0]
}

// room makes sure that n more bytes fit without growing the buffer.
func (d *digester) room(n int) {
	if len(d.buf)+n > cap(d.buf) {
		d.flush()
	}
}

func (d *digester) number(x uint64) {
	d.room(8)
	d.buf = binary.LittleEndian.AppendUint64(d.buf, x)
}

func (d *digester) text(s string) {
	d.number(uint64(len(s)))
	for len(s) > 0 {
		d.room(1)
		n := min(len(s), cap(d.buf)-len(d.buf))
		d.buf = append(d.buf, s[:n]...)
		s = s[n:]
	}
}

func (d *digester) column(c *Column) {
	d.text(c.Name)
	d.text(c.Kind.String())
	switch c.Kind {
	case KindFloat64:
		for _, x := range c.Float64 {
			b := math.Float64bits(x)
			if x != x {
				b = nan64
			}
			d.number(b)
		}
	case KindFloat32:
		for _, x := range c.Float32 {
			b := math.Float32bits(x)
			if x != x {
				b = nan32
			}
			d.room(4)
			d.buf = binary.LittleEndian.AppendUint32(d.buf, b)
		}
	case KindInt64, KindTime, KindLocalTime:
		for _, x := range c.Int64 {
			d.number(uint64(x))
		}
	case KindInt32:
		for _, x := range c.Int32 {
			d.room(4)
			d.buf = binary.LittleEndian.AppendUint32(d.buf, uint32(x))
		}
	case KindInt8:
		for _, x := range c.Int8 {
			d.room(1)
			d.buf = append(d.buf, byte(x))
		}
	case KindBool:
		for _, x := range c.Bool {
			b := byte(0)
			if x {
				b = 1
			}
			d.room(1)
			d.buf = append(d.buf, b)
		}
	case KindString:
		for _, s := range c.String {
			d.text(s)
		}
	}
}
