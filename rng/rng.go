// Package rng gives every random draw of a run an address.
//
// A [Stream] is a pure function of a seed and a path of names and numbers:
// rng.New(7).Stream("bagging", fold, tree). Two streams with different paths
// are independent; the same path always gives the same numbers, whatever else
// drew before, on whatever worker. Adding a model to a run therefore does not
// move another model's draws.
//
// The package refuses to offer a global source and never seeds from the clock.
package rng

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream is an address in the tree of random streams. The zero value is not
// valid; begin with [New]. A Stream is a value and may be copied and shared
// between goroutines; the *rand.Rand it makes may not.
type Stream struct {
	key [32]byte
}

// New returns the root stream of a seed.
func New(seed uint64) Stream {
	var b [16]byte
	copy(b[:8], "mlf.rng1")
	binary.LittleEndian.PutUint64(b[8:], seed)
	return Stream{key: sha256.Sum256(b[:])}
}

// Stream returns the child at name and ids. The child is the SHA-256 of the
// parent's key, the length of the name, the name, and the ids as 64-bit
// little-endian integers, so ("a", 1) and ("a1") never meet.
func (s Stream) Stream(name string, ids ...int) Stream {
	h := sha256.New()
	h.Write(s.key[:])
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(len(name)))
	h.Write(b[:])
	h.Write([]byte(name))
	for _, id := range ids {
		binary.LittleEndian.PutUint64(b[:], uint64(int64(id)))
		h.Write(b[:])
	}
	var out Stream
	h.Sum(out.key[:0])
	return out
}

// Rand returns a new PCG generator (O'Neill 2014, "PCG: A Family of Simple
// Fast Space-Efficient Statistically Good Algorithms for Random Number
// Generation") at the start of the stream. Calling it twice gives two
// generators that produce the same numbers.
func (s Stream) Rand() *rand.Rand {
	return rand.New(rand.NewPCG(
		binary.LittleEndian.Uint64(s.key[0:8]),
		binary.LittleEndian.Uint64(s.key[8:16])))
}

// Uint64 returns one number that names the stream, for code that wants a plain
// seed.
func (s Stream) Uint64() uint64 { return binary.LittleEndian.Uint64(s.key[16:24]) }
