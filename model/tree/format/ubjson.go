package format

import (
	"encoding/binary"
	"fmt"
	"math"
)

// UBJSON (ubjson.org, draft 12): a marker byte, then the value, big-endian.
// Containers may state their count ('#') and one type for all elements ('$').

type ubjReader struct {
	d  []byte
	at int
}

func (r *ubjReader) fail(format string, a ...any) error {
	return fmt.Errorf("byte %d: %s", r.at, fmt.Sprintf(format, a...))
}

func parseUBJ(d []byte) (value, error) {
	r := &ubjReader{d: d}
	m, err := r.marker()
	if err != nil {
		return value{}, err
	}
	v, err := r.value(m, 0)
	if err != nil {
		return value{}, err
	}
	if r.at != len(d) {
		return value{}, r.fail("%d bytes after the end of the document", len(d)-r.at)
	}
	return v, nil
}

// marker is the next byte that is not the filler 'N'.
func (r *ubjReader) marker() (byte, error) {
	for r.at < len(r.d) {
		m := r.d[r.at]
		if r.at++; m != 'N' {
			return m, nil
		}
	}
	return 0, r.fail("cut short")
}

// peek reports whether the next byte is m, and takes it if so.
func (r *ubjReader) peek(m byte) bool {
	if r.at < len(r.d) && r.d[r.at] == m {
		r.at++
		return true
	}
	return false
}

func (r *ubjReader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.d)-r.at {
		return nil, r.fail("%d bytes wanted, %d left", n, len(r.d)-r.at)
	}
	r.at += n
	return r.d[r.at-n : r.at], nil
}

// width is the number of bytes of a numeric type, 0 for any other.
func width(m byte) int {
	switch m {
	case 'i', 'U', 'C':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// scalar is the number of b, which has the type's width.
func scalar(m byte, b []byte) float64 {
	switch m {
	case 'i':
		return float64(int8(b[0]))
	case 'U', 'C':
		return float64(b[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b)))
	case 'l':
		return float64(int32(binary.BigEndian.Uint32(b)))
	case 'd':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 'L':
		return float64(int64(binary.BigEndian.Uint64(b)))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

// count reads a length: an integer of any type that is no more than the bytes
// left, since every element takes one at least.
func (r *ubjReader) count() (int, error) {
	m, err := r.marker()
	if err != nil {
		return 0, err
	}
	if w := width(m); w == 0 || m == 'd' || m == 'D' || m == 'C' {
		return 0, r.fail("a length of type %q", m)
	}
	b, err := r.take(width(m))
	if err != nil {
		return 0, err
	}
	n := scalar(m, b)
	if n < 0 || n > float64(len(r.d)-r.at) {
		return 0, r.fail("a length of %.0f with %d bytes left", n, len(r.d)-r.at)
	}
	return int(n), nil
}

func (r *ubjReader) text() (string, error) {
	n, err := r.count()
	if err != nil {
		return "", err
	}
	b, err := r.take(n)
	return string(b), err
}

func (r *ubjReader) value(m byte, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, r.fail("nested more than %d deep", maxDepth)
	}
	switch m {
	case 'Z':
		return value{}, nil
	case 'T':
		return value{kind: boolean, num: 1}, nil
	case 'F':
		return value{kind: boolean}, nil
	case 'S':
		s, err := r.text()
		return value{kind: text, str: s}, err
	case '[':
		return r.array(depth)
	case '{':
		return r.object(depth)
	}
	w := width(m)
	if w == 0 {
		return value{}, r.fail("unknown type %q", m)
	}
	b, err := r.take(w)
	if err != nil {
		return value{}, err
	}
	return value{kind: number, num: scalar(m, b)}, nil
}

// head reads the optional type and count of a container; n is -1 and typ 0
// where they are not given.
func (r *ubjReader) head() (typ byte, n int, err error) {
	n = -1
	if r.peek('$') {
		if typ, err = r.marker(); err != nil {
			return 0, 0, err
		}
		if typ == 'Z' || typ == 'T' || typ == 'F' { // elements of no bytes: a count without a bound
			return 0, 0, r.fail("a container of type %q", typ)
		}
		if r.at >= len(r.d) || r.d[r.at] != '#' {
			return 0, 0, r.fail("a container with a type but no count")
		}
	}
	if r.peek('#') {
		n, err = r.count()
	}
	return typ, n, err
}

func (r *ubjReader) array(depth int) (value, error) {
	typ, n, err := r.head()
	if err != nil {
		return value{}, err
	}
	v := value{kind: numbers}
	if w := width(typ); w > 0 {
		b, err := r.take(n * w)
		if err != nil {
			return value{}, err
		}
		v.nums = make([]float64, n)
		for i := range v.nums {
			v.nums[i] = scalar(typ, b[i*w:(i+1)*w])
		}
		return v, nil
	}
	for i := 0; n < 0 || i < n; i++ {
		if n < 0 && r.peek(']') {
			break
		}
		e, err := r.element(typ, depth)
		if err != nil {
			return value{}, err
		}
		v.append(e)
	}
	return v, nil
}

func (r *ubjReader) element(typ byte, depth int) (v value, err error) {
	if typ == 0 {
		if typ, err = r.marker(); err != nil {
			return value{}, err
		}
	}
	return r.value(typ, depth+1)
}

func (r *ubjReader) object(depth int) (value, error) {
	typ, n, err := r.head()
	if err != nil {
		return value{}, err
	}
	v := value{kind: object}
	for i := 0; n < 0 || i < n; i++ {
		if n < 0 && r.peek('}') {
			break
		}
		k, err := r.text()
		if err != nil {
			return value{}, err
		}
		e, err := r.element(typ, depth)
		if err != nil {
			return value{}, err
		}
		v.keys, v.list = append(v.keys, k), append(v.list, e)
	}
	return v, nil
}
