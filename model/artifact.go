package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrDamaged is wrapped by [ReadArtifact] when the bytes are not what was
// written: cut short, altered, or something else altogether.
var ErrDamaged = errors.New("damaged or foreign bytes")

const artifactMagic = "mlf.artifact\n"

// maxArtifact bounds the payload that ReadArtifact is willing to read.
const maxArtifact = 1 << 32

// WriteArtifact writes a fitted thing so that damage is always noticed: magic,
// kind ("logistic", "calibrator", …), version of the kind's own format, length
// and payload, then the SHA-256 of all that. Equal payloads give equal bytes.
func WriteArtifact(w io.Writer, kind string, version uint32, payload []byte) error {
	b := make([]byte, 0, len(artifactMagic)+len(kind)+len(payload)+64)
	b = append(b, artifactMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(kind)))
	b = append(b, kind...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(payload)))
	b = append(b, payload...)
	sum := sha256.Sum256(b)
	b = append(b, sum[:]...)
	_, err := w.Write(b)
	return err
}

// ReadArtifact reads what [WriteArtifact] wrote and returns the payload. It
// refuses another kind or version, a wrong digest, missing bytes and bytes
// after the end.
func ReadArtifact(r io.Reader, kind string, version uint32) ([]byte, error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("model: reading a %s: %s: %w", kind, fmt.Sprintf(format, args...), ErrDamaged)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxArtifact))
	if err != nil {
		return nil, fmt.Errorf("model: reading a %s: %w", kind, err)
	}
	rest, ok := bytes.CutPrefix(raw, []byte(artifactMagic))
	if !ok || len(rest) < 4 {
		return nil, fail("no artifact header in %d bytes", len(raw))
	}
	n := uint64(binary.LittleEndian.Uint32(rest))
	rest = rest[4:]
	if uint64(len(rest)) < n+12 {
		return nil, fail("cut short at %d bytes", len(raw))
	}
	gotKind, gotVersion := string(rest[:n]), binary.LittleEndian.Uint32(rest[n:])
	size := binary.LittleEndian.Uint64(rest[n+4:])
	rest = rest[n+12:]
	if uint64(len(rest)) < sha256.Size || size != uint64(len(rest)-sha256.Size) {
		return nil, fail("%d bytes after the header, expected %d and a digest", len(rest), size)
	}
	sum := sha256.Sum256(raw[:len(raw)-sha256.Size])
	if !bytes.Equal(sum[:], raw[len(raw)-sha256.Size:]) {
		return nil, fail("digest mismatch")
	}
	if gotKind != kind {
		return nil, fmt.Errorf("model: reading a %s: the file holds a %q", kind, gotKind)
	}
	if gotVersion != version {
		return nil, fmt.Errorf("model: reading a %s: format version %d, this build reads %d", kind, gotVersion, version)
	}
	return rest[:size], nil
}
