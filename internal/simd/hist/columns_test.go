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
