package feature

import (
	"encoding/binary"
	"fmt"
)

// writer and reader are the plain little-endian form of a driver's state.
type writer struct{ buf []byte }

func (w *writer) int(v int64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(v)) }

func (w *writer) bool(v bool) {
	x := byte(0)
	if v {
		x = 1
	}
	w.buf = append(w.buf, x)
}

func (w *writer) bytes(b []byte) {
	w.int(int64(len(b)))
	w.buf = append(w.buf, b...)
}

type reader struct {
	buf []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.buf = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.buf) < n {
		r.fail("the state is cut short")
		return make([]byte, min(max(n, 0), 8))
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) int() int64 { return int64(binary.LittleEndian.Uint64(r.take(8))) }

func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

func (r *reader) bool() bool { return r.take(1)[0] == 1 }

func (r *reader) bytes() []byte {
	n := r.int()
	if n < 0 || n > int64(len(r.buf)) {
		r.fail("the state is cut short")
		return nil
	}
	return r.take(int(n))
}

// count reads a number of items that take size bytes each.
func (r *reader) count(size int) int {
	n := r.int()
	if n < 0 || n > int64(len(r.buf)/size) {
		r.fail("the state is cut short")
		return 0
	}
	return int(n)
}

func (r *reader) expect(want, what string) {
	if got := string(r.bytes()); r.err == nil && got != want {
		r.fail("the %s is %q, want %q", what, got, want)
	}
}

func (r *reader) expectInt(want int64, what string) {
	if got := r.int(); r.err == nil && got != want {
		r.fail("the %s is %d, want %d", what, got, want)
	}
}
