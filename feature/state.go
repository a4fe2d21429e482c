package feature

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/mlfactory/mlfactory/bar"
)

// stateVersion is the version of the layout of every kernel's state. It rises
// when any kernel's fields change.
const stateVersion = 1

// codec walks over the fields of a state: it counts, writes or reads them,
// always in the order in which the kernel lists them. Sizes depend on the
// kernel's parameters only, never on what it has seen.
type codec struct {
	buf  []byte
	pos  int
	mode codecMode
}

type codecMode uint8

const (
	counting codecMode = iota
	writing
	reading
)

func (c *codec) word(v uint64) uint64 {
	switch c.mode {
	case writing:
		c.buf = binary.LittleEndian.AppendUint64(c.buf, v)
	case reading:
		v = binary.LittleEndian.Uint64(c.buf[c.pos:])
	}
	c.pos += 8
	return v
}

func (c *codec) Float(p *float64) {
	*p = math.Float64frombits(c.word(math.Float64bits(*p)))
}

func (c *codec) Floats(s []float64) {
	for i := range s {
		c.Float(&s[i])
	}
}

func (c *codec) Int(p *int) { *p = int(int64(c.word(uint64(int64(*p))))) }

func (c *codec) Bool(p *bool) {
	v := uint64(0)
	if *p {
		v = 1
	}
	*p = c.word(v) == 1
}

// machine is what differs between kernels: a push, the loop over it, and the
// list of what it remembers.
type machine interface {
	push(b *bar.Bar, out []float64)
	block(s *bar.Series, lo, hi int, out [][]float64)
	fields(c *codec)
}

// kernel gives a machine everything that all kernels share.
type kernel struct {
	m        machine
	entry    string
	names    []string
	first    int
	memory   int
	digest   [8]byte // of entry, parameters, timeframe and calendar
	pristine []byte  // payload of a new machine's state
}

func (k *kernel) Names() []string { return k.names }

func (k *kernel) First() int { return k.first }

func (k *kernel) Memory() int { return k.memory }

func (k *kernel) Push(b *bar.Bar, out []float64) { k.m.push(b, out) }

func (k *kernel) PushBlock(s *bar.Series, lo, hi int, out [][]float64) { k.m.block(s, lo, hi, out) }

func (k *kernel) Reset() { k.m.fields(&codec{buf: k.pristine, mode: reading}) }

// seal remembers the state of the new machine.
func (k *kernel) seal() {
	c := codec{mode: writing}
	k.m.fields(&c)
	k.pristine = c.buf
}

// State layout: length and bytes of the entry's name, 8 bytes of digest, uint16
// version, uint32 length of the payload, payload, CRC-32 of all before it.
func (k *kernel) State(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(len(k.entry)))
	dst = append(dst, k.entry...)
	dst = append(dst, k.digest[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, stateVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(k.pristine)))
	c := codec{buf: dst, mode: writing}
	k.m.fields(&c)
	return binary.LittleEndian.AppendUint32(c.buf, crc32.ChecksumIEEE(c.buf[start:]))
}

func (k *kernel) Restore(src []byte) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("feature: state for %s: %s", k.names[0], fmt.Sprintf(format, args...))
	}
	if len(src) < 1 || len(src) < 1+int(src[0])+8+2+4 {
		return fail("truncated to %d bytes", len(src))
	}
	n := 1 + int(src[0])
	if name := string(src[1:n]); name != k.entry {
		return fail("it belongs to kernel %q, not %q", name, k.entry)
	}
	if [8]byte(src[n:n+8]) != k.digest {
		return fail("it was written with other parameters, timeframe or calendar")
	}
	if v := binary.LittleEndian.Uint16(src[n+8:]); v != stateVersion {
		return fail("its version is %d, this program writes %d", v, stateVersion)
	}
	size := int(binary.LittleEndian.Uint32(src[n+10:]))
	body := n + 14
	if size != len(k.pristine) || len(src) != body+size+4 {
		return fail("it has %d bytes, want %d", len(src), body+len(k.pristine)+4)
	}
	if sum := binary.LittleEndian.Uint32(src[body+size:]); sum != crc32.ChecksumIEEE(src[:body+size]) {
		return fail("its checksum does not match")
	}
	k.m.fields(&codec{buf: src[body : body+size], mode: reading})
	return nil
}
