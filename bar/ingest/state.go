package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/bar"
)

const checkerState = "ingest.Checker/1\n"

// fingerprint is what a state is only good for: the rules that bear on single
// bars. The three shares are limits of whole files.
func (c *Checker) fingerprint(dst []byte) []byte {
	dst = append(dst, checkerState...)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(c.cfg.Jump))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.cfg.Confirm))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.cfg.Hold))
	dst = append(dst, flags(c.signed))
	dst = append(dst, c.cfg.ZeroVolume...)
	return append(dst, '\n')
}

func flags(set ...bool) byte {
	var b byte
	for i, s := range set {
		if s {
			b |= 1 << i
		}
	}
	return b
}

const heldSize = 8*9 + 9 // a held bar: nine words, session, segment, flags

// State appends the checker's memory to dst: the level, the last stamp and the
// bars in quarantine. The report is not part of it. A checker that restores it
// goes on exactly as this one would.
func (c *Checker) State(dst []byte) []byte {
	dst = c.fingerprint(dst)
	dst = append(dst, flags(c.begun, c.seen, c.dark))
	word := func(v uint64) { dst = binary.LittleEndian.AppendUint64(dst, v) }
	word(math.Float64bits(c.last))
	word(math.Float64bits(c.scale))
	word(uint64(c.end))
	word(uint64(len(c.held)))
	for i := range c.held {
		h := &c.held[i]
		for _, v := range [...]int64{h.Begin, h.End, h.Known, c.lines[i]} {
			word(uint64(v))
		}
		for _, v := range [...]float64{h.Open, h.High, h.Low, h.Close, h.Volume} {
			word(math.Float64bits(v))
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Session))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Segment))
		dst = append(dst, byte(h.Flags))
	}
	return dst
}

// Restore reads what State wrote. A state of other limits, of an instrument with
// another rule for signed prices, or of another version is refused and changes
// nothing.
func (c *Checker) Restore(src []byte) error {
	want := c.fingerprint(nil)
	if len(src) < len(want) || string(src[:len(want)]) != string(want) {
		return errors.New("ingest: restore checks: the state was written by another version or with other limits")
	}
	src = src[len(want):]
	const fixed = 1 + 4*8
	if len(src) < fixed {
		return errors.New("ingest: restore checks: the state is cut short")
	}
	b := src[0]
	word := func() uint64 {
		v := binary.LittleEndian.Uint64(src)
		src = src[8:]
		return v
	}
	src = src[1:]
	n := Checker{cfg: c.cfg, signed: c.signed, rep: c.rep, emit: c.emit, factor: c.factor,
		begun: b&1 > 0, seen: b&2 > 0, dark: b&4 > 0}
	n.last = math.Float64frombits(word())
	n.scale = math.Float64frombits(word())
	n.end = int64(word())
	held := word()
	if b > 7 || held > uint64(c.cfg.Hold) || uint64(len(src)) != held*heldSize {
		return fmt.Errorf("ingest: restore checks: the state is damaged: %d bytes for %d held bars", len(src), held)
	}
	for range held {
		var h bar.Bar
		h.Begin, h.End, h.Known = int64(word()), int64(word()), int64(word())
		n.lines = append(n.lines, int64(word()))
		for _, p := range [...]*float64{&h.Open, &h.High, &h.Low, &h.Close, &h.Volume} {
			*p = math.Float64frombits(word())
		}
		h.Session = int32(binary.LittleEndian.Uint32(src))
		h.Segment = int32(binary.LittleEndian.Uint32(src[4:]))
		h.Flags = bar.Flag(src[8])
		src = src[9:]
		n.held = append(n.held, h)
	}
	*c = n
	return nil
}
