package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// An Arrow file describes itself in flatbuffers at its start and at its end, and the decoder believes them: a flipped bit there can make
// it ask for any amount of memory. So WriteIPC puts a seal between the end-of-stream mark and the footer, a place that readers of Arrow
// files skip: the text below, then the CRC-32C of everything before the values and of everything after the seal, little-endian.
const (
	sealMark = "MLFSEAL1"
	sealSize = len(sealMark) + 8
	eosSize  = 8                 // the end-of-stream mark before the seal
	tailSize = 4 + len("ARROW1") // the footer's length and the magic after it
)

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// headNeed returns how many bytes of the start of a file must be seen to go on, given the first ones: a number ≤ len(head) is the length
// of all that comes before the values (the magic, the schema message and the description of the one record batch).
func headNeed(head []byte) int {
	need := 8 // magic and padding
	for range 2 {
		if len(head) < need+8 {
			return need + 8
		}
		need += 8 + int(int32(binary.LittleEndian.Uint32(head[need+4:]))) // #nosec G115 -- int32 by the format; a negative one is refused by the reader
	}
	return need
}

// sealer passes an Arrow file on and remembers its start; from hold on it keeps the bytes back.
type sealer struct {
	w    io.Writer
	head []byte
	hold bool
	tail []byte
}

func (s *sealer) Write(p []byte) (int, error) {
	if s.hold {
		s.tail = append(s.tail, p...)
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		n := min(headNeed(s.head)-len(s.head), len(rest))
		if n <= 0 {
			break
		}
		s.head = append(s.head, rest[:n]...)
		rest = rest[n:]
	}
	return s.w.Write(p)
}

// finish writes what was kept back, with the seal in its place.
func (s *sealer) finish() error {
	if headNeed(s.head) != len(s.head) || len(s.tail) < eosSize+tailSize {
		return errors.New("the arrow file has no shape that can be sealed")
	}
	out := append([]byte(nil), s.tail[:eosSize]...)
	out = append(out, sealMark...)
	out = binary.LittleEndian.AppendUint32(out, sum(s.head))
	out = binary.LittleEndian.AppendUint32(out, sum(s.tail[eosSize:]))
	_, err := s.w.Write(append(out, s.tail[eosSize:]...))
	return err
}

// checkSeal refuses a file whose description is not what was written.
func checkSeal(data []byte) error {
	damaged := errors.New("frame: read arrow: damaged: the seal over the file's description does not match; make the file anew")
	size := int64(len(data))
	footer := size - int64(tailSize) - int64(binary.LittleEndian.Uint32(data[size-int64(tailSize):]))
	if footer-int64(sealSize) < 0 {
		return damaged
	}
	seal := data[footer-int64(sealSize) : footer]
	if string(seal[:len(sealMark)]) != sealMark {
		return fmt.Errorf("frame: read arrow: no seal before the footer: the file is damaged or was not written by this program")
	}
	need := headNeed(data)
	if need < 8 || int64(need) > footer || sum(data[:need]) != binary.LittleEndian.Uint32(seal[len(sealMark):]) ||
		sum(data[footer:]) != binary.LittleEndian.Uint32(seal[len(sealMark)+4:]) {
		return damaged
	}
	return nil
}
