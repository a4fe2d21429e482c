package hist

import (
	"fmt"
	"unsafe"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// gatherAsm copies nw words of each of n rows; see gather_amd64.s. It uses the
// instructions of every amd64 processor.
//
//go:noescape
func gatherAsm(base unsafe.Pointer, stride uintptr, idx *uint32, n, ahead int, dst unsafe.Pointer, ld uintptr, nw int)

// prefetchAhead is the distance in rows; 32 to 64 were equally good.
const prefetchAhead = 48

func gather(rows []uint64, stride, first int, idx []uint32, n, nw int, dst []uint64, ld int) {
	if simd.Current() == simd.Generic {
		gatherGeneric(rows, stride, first, idx, n, nw, dst, ld)
		return
	}
	// The assembly does not check bounds, so the largest row is checked here.
	top := uint32(0)
	for _, r := range idx[:n] {
		top = max(top, r)
	}
	if end := int(top)*stride + first + nw; end > len(rows) {
		panic(fmt.Sprintf("hist: row %d ends at word %d of a matrix of %d words", top, end, len(rows)))
	}
	base := unsafe.Pointer(&rows[first])
	// Rows with a valid look-ahead, then the rest. A prefetch never faults.
	m := max(0, min(n, len(idx)-prefetchAhead))
	if m > 0 {
		gatherAsm(base, uintptr(stride*8), &idx[0], m, prefetchAhead, unsafe.Pointer(&dst[0]), uintptr(ld*8), nw)
	}
	if m < n {
		gatherAsm(base, uintptr(stride*8), &idx[m], n-m, 0, unsafe.Pointer(&dst[m]), uintptr(ld*8), nw)
	}
}
