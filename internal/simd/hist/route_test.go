package hist

import (
	"math/rand"
	"slices"
	"testing"
)

func TestRoute(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	col := make([]uint8, 300)
	for i := range col {
		col[i] = uint8(i)
	}
	r.Shuffle(len(col), func(a, b int) { col[a], col[b] = col[b], col[a] })
	for n := range 70 {
		for range 40 {
			idx := make([]uint32, n)
			for i := range idx {
				idx[i] = uint32(r.Intn(len(col)))
			}
			first, count := uint8(r.Intn(256)), r.Intn(257)
			count = min(count, Bins-int(first))
			var left, right []uint32
			for _, row := range idx {
				if b := int(col[row]); b >= int(first) && b < int(first)+count {
					left = append(left, row)
				} else {
					right = append(right, row)
				}
			}
			for _, inPlace := range []bool{false, true} {
				from := slices.Clone(idx)
				l, out := make([]uint32, n), make([]uint32, n)
				if inPlace {
					l = from
				}
				nl := Route(col, first, count, from, l, out)
				if nl != len(left) || !slices.Equal(l[:nl], left) || !slices.Equal(out[:n-nl], right) {
					t.Fatalf("%d rows, bins from %d, %d of them, in place %v: %v and %v, want %v and %v", n, first, count, inPlace, l[:nl], out[:n-nl], left, right)
				}
				nl = routeGeneric(col, first, count, idx, make([]uint32, n), out)
				if nl != len(left) || !slices.Equal(out[:n-nl], right) {
					t.Fatalf("plain: %d rows, bins from %d, %d of them: %d go left, want %d", n, first, count, nl, len(left))
				}
			}
		}
	}
}

func TestRoute_RowOutside(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a row outside of the column went unnoticed")
		}
	}()
	idx := []uint32{0, 1, 2, 3, 4, 5, 6, 9}
	Route(make([]uint8, 9), 1, 1, idx, make([]uint32, 8), make([]uint32, 8))
}
