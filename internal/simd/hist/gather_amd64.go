package hist

import (
	"unsafe"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// gatherAsm copies nw words of each of n rows; see gather_amd64.s. It uses the
// instructions of every amd64 processor.
//
//go:noescape
func gatherAsm(base unsafe.Pointer, stride uintptr, idx *uint32, n, ahead int, dst unsafe.Pointer, ld uintptr, nw int)

// gather4 is gatherAsm for multiples of four rows and words; see gather4_amd64.s.
//
//go:noescape
func gather4(base unsafe.Pointer, stride uintptr, idx *uint32, n, ahead int, dst unsafe.Pointer, ld uintptr, groups int)

// prefetchAhead is the distance in rows; 32 to 64 were equally good.
const prefetchAhead = 48

// largestAVX2 is the largest of n rows, a multiple of eight; see pick_amd64.s.
//
//go:noescape
func largestAVX2(idx *uint32, n int) uint32

func largest(idx []uint32) uint32 {
	n := 0
	top := uint32(0)
	if simd.Current() != simd.Generic {
		if n = len(idx) &^ 7; n > 0 {
			top = largestAVX2(&idx[0], n)
		}
	}
	return max(top, largestGeneric(idx[n:]))
}

// gather checks no bounds.
func gather(rows []uint64, stride, first int, c Chosen, nw int, dst []uint64, ld int) {
	idx, n := c.idx, c.n
	if simd.Current() == simd.Generic {
		gatherGeneric(rows, stride, first, idx[:n], nw, dst, ld)
		return
	}
	at := 0 // rows that are done
	// A row and the buffer may have room for up to three words more than are
	// wanted, which then are copied too.
	up := (nw + 3) &^ 3
	if first+up > stride || int(c.top)*stride+first+up > len(rows) || len(dst) < (up-1)*ld+n {
		up = nw &^ 3
	}
	if up > 0 && n >= 4 {
		at = n &^ 3
		four(rows, stride, first, idx, at, up/4, dst, ld)
		if words := nw - up; words > 0 {
			plain(rows, stride, first+up, idx, 0, at, words, dst[up*ld:], ld)
		}
	}
	if at < n {
		plain(rows, stride, first, idx, at, n, nw, dst, ld)
	}
}

// four gathers the rows idx[:n] by gather4: first those with a valid look-ahead,
// then the rest. A prefetch never faults.
func four(rows []uint64, stride, first int, idx []uint32, n, groups int, dst []uint64, ld int) {
	base := unsafe.Pointer(&rows[first])
	m := max(0, min(n, (len(idx)-prefetchAhead)&^3))
	if m > 0 {
		gather4(base, uintptr(stride*8), &idx[0], m, prefetchAhead, unsafe.Pointer(&dst[0]), uintptr(ld*8), groups)
	}
	if m < n {
		gather4(base, uintptr(stride*8), &idx[m], n-m, 0, unsafe.Pointer(&dst[m]), uintptr(ld*8), groups)
	}
}

// plain gathers nw words of the rows idx[lo:hi] one by one, likewise.
func plain(rows []uint64, stride, first int, idx []uint32, lo, hi, nw int, dst []uint64, ld int) {
	base := unsafe.Pointer(&rows[first])
	m := max(lo, min(hi, len(idx)-prefetchAhead))
	if m > lo {
		gatherAsm(base, uintptr(stride*8), &idx[lo], m-lo, prefetchAhead, unsafe.Pointer(&dst[lo]), uintptr(ld*8), nw)
	}
	if m < hi {
		gatherAsm(base, uintptr(stride*8), &idx[m], hi-m, 0, unsafe.Pointer(&dst[m]), uintptr(ld*8), nw)
	}
}

// pickAsm copies the values of n rows; see pick_amd64.s.
//
//go:noescape
func pickAsm(src *uint64, idx *uint32, n, ahead int, dst *uint64)

// pick does the rows up to a multiple of four and returns how many.
func pick(src []uint64, c Chosen, dst []uint64) int {
	idx, n := c.idx, c.n
	if n < 4 || simd.Current() == simd.Generic {
		return 0
	}
	_ = src[c.top]
	end := n &^ 3
	m := max(0, min(end, (len(idx)-prefetchAhead)&^3))
	if m > 0 {
		pickAsm(&src[0], &idx[0], m, prefetchAhead, &dst[0])
	}
	if m < end {
		pickAsm(&src[0], &idx[m], end-m, 0, &dst[m])
	}
	return end
}
