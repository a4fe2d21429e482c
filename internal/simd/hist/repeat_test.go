package hist

import (
	"math/rand"
	"slices"
	"testing"
)

func TestRepeat(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for n := range 90 {
		for _, most := range []int{1, 2, 3, 60, 256} { // counts below most, and a few of any size
			value, count := make([]float32, n), make([]uint8, n)
			var want []float32
			for i := range value {
				value[i] = float32(i) + 1
				if count[i] = uint8(r.Intn(most)); most < 60 && r.Intn(40) == 0 {
					count[i] = uint8(r.Intn(256))
				}
				for range count[i] {
					want = append(want, value[i])
				}
			}
			dst := make([]float32, len(want)+Lanes)
			if got := Repeat(value, count, dst); got != len(want) || !slices.Equal(dst[:got], want) {
				t.Fatalf("%d values, counts below %d: %v, want %v", n, most, dst[:got], want)
			}
			if got := repeatGeneric(value, count, dst); got != len(want) || !slices.Equal(dst[:got], want) {
				t.Fatalf("plain: %d values, counts below %d: %v, want %v", n, most, dst[:got], want)
			}
		}
	}
}
