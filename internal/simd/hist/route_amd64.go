package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func routeAVX2(col *uint8, first, count int, idx *uint32, n int, l, r *uint32, set *[256][8]uint8) int

// route does the rows up to a multiple of eight; it returns how many, and how
// many of them went to l.
func route(col []uint8, first uint8, count int, idx, l, r []uint32) (n, nl int) {
	n = len(idx) &^ 7
	if n == 0 || simd.Current() == simd.Generic {
		return 0, 0
	}
	_ = col[largest(idx[:n])] // the assembly does not check bounds
	return n, routeAVX2(&col[0], int(first), count, &idx[0], n, &l[0], &r[0], &setBits)
}

// setBits lists, for every byte, the numbers of its bits that are set, lowest
// first; zeros follow.
//
// const
var setBits = func() (t [256][8]uint8) {
	for b := range t {
		n := 0
		for i := range uint8(8) {
			if b>>i&1 == 1 {
				t[b][n] = i
				n++
			}
		}
	}
	return t
}()
