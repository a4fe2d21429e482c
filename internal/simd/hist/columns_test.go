package hist

import (
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

func TestBuildColumnsAndAddAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		for _, n := range []int{0, 1, 2, 7, 1001} {
			ld := n + r.IntN(5)
			cols, words, gh := make([]uint8, Lanes*ld), make([]uint64, n), make([]uint64, n)
			for i := range n {
				gh[i] = r.Uint64()
				for k := range Lanes {
					b := uint8(r.IntN(256))
					cols[k*ld+i] = b
					words[i] |= uint64(b) << (8 * k)
				}
			}
			var got, want Block
			BuildColumns(cols, ld, gh, &got)
			naive(words, gh, &want)
			if got != want {
				t.Fatalf("%v, n=%d: BuildColumns differs from the naive sum", p, n)
			}
			before, other := want, want
			Add(&got, &other, 5)
			for i := range got {
				sum := before[i]
				if i < 5*Lanes {
					sum += other[i]
				}
				if got[i] != sum {
					t.Fatalf("Add of 5 bins: entry %d is %d, want %d", i, got[i], sum)
				}
			}
		}
	}
}

// What is fetched ahead, and how much of it, changes no sum.
func TestBuildAheadAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 1))
	matrix := make([]uint64, 64*16)
	for _, n := range []int{1, 3, 4, 5, 8, 63, 1024} {
		for _, lines := range []int{0, 1, n / 4, n} {
			words, gh, idx := make([]uint64, n), make([]uint64, n), make([]uint32, lines)
			for i := range words {
				words[i], gh[i] = r.Uint64(), r.Uint64()
			}
			for i := range idx {
				idx[i] = uint32(r.IntN(64))
			}
			var got, want Block
			BuildAhead(words, gh, &got, Ahead{Rows: matrix, Stride: 16, First: 8, Idx: idx})
			naive(words, gh, &want)
			if got != want {
				t.Fatalf("%d rows, %d lines: BuildAhead differs from the naive sum", n, lines)
			}
		}
	}
}
