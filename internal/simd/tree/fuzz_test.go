package tree

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// FuzzKernels compares the assembly with the plain twins on trees, codes,
// cuts and values made of any bytes.
func FuzzKernels(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255, 0, 128, 127, 64}, uint8(3))
	f.Add([]byte{0x7f, 0x80, 0, 0, 0, 0, 0xff, 0x7f, 0xc0, 9}, uint8(6))
	f.Add([]byte("any bytes will do, as long as there are some of them"), uint8(8))
	f.Fuzz(func(t *testing.T, data []byte, d uint8) {
		if len(data) == 0 {
			return
		}
		simd.Force(t, simd.Best())
		depth := int(d)%Depth + 1
		at := 0
		next := func() int {
			at++
			return int(data[at%len(data)]) + at/len(data)
		}
		const slots = 40
		block, row := make([]byte, slots*Rows), make([]byte, slots)
		for i := range block {
			block[i] = byte(next())
		}
		for i := range row {
			row[i] = byte(next())
		}
		n16, n32 := make([]uint16, Together<<depth), make([]uint32, Together<<depth)
		slot, cut := make([]uint32, 1<<depth-1), make([]byte, 1<<depth-1)
		for i := range n16 {
			s, c := next()%slots, next()&255
			n16[i], n32[i] = Node16(s, c), Node32(s, c)
			if i < len(slot) {
				slot[i], cut[i] = uint32(s*Rows), byte(c)
			}
		}
		got, want := make([]uint32, Together), make([]uint32, Together)
		same := func(what string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
		Walk16(n16, row, depth, got)
		walkGeneric(n16, row, depth, want)
		same("walk, 16 bits")
		Walk32(n32, row, depth, got)
		same("walk, 32 bits")
		Levels16(n16[:depth*Together], row, depth, got)
		levelsGeneric(n16[:depth*Together], row, depth, want)
		same("levels, 16 bits")
		Levels32(n32[:depth*Together], row, depth, got)
		same("levels, 32 bits")
		var a, b [Rows]byte
		Block(slot, cut, depth, block, &a)
		blockGeneric(slot, cut, depth, block, &b)
		if a != b {
			t.Fatalf("block: %v, want %v", a, b)
		}
		BlockLevels(slot[:depth], cut[:depth], depth, block, &a)
		blockLevelsGeneric(slot[:depth], cut[:depth], depth, block, &b)
		if a != b {
			t.Fatalf("block of levels: %v, want %v", a, b)
		}
		finite := func() float32 {
			for range 10 {
				v := math.Float32frombits(binary.LittleEndian.Uint32([]byte{byte(next()), byte(next()), byte(next()), byte(next())}))
				if v-v == 0 {
					return v
				}
			}
			return 0
		}
		cuts := make([]float32, len(data)%300)
		for i := range cuts {
			cuts[i] = finite()
		}
		slices.Sort(cuts)
		scale, all := Append(nil, 0, cuts)
		for range 20 {
			x := []float32{finite()}
			RankRow(x, []Scale{scale}, all, got[:1])
			rankRowGeneric(x, []Scale{scale}, all, want[:1])
			n := uint32(0)
			for _, c := range cuts {
				if c <= x[0] {
					n++
				}
			}
			if got[0] != n || want[0] != n {
				t.Fatalf("rank of %v: %d and %d, want %d", x[0], got[0], want[0], n)
			}
		}
	})
}
