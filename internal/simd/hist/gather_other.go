//go:build !amd64

package hist

func gather(rows []uint64, stride, first int, idx []uint32, n, nw int, dst []uint64, ld int) {
	gatherGeneric(rows, stride, first, idx, n, nw, dst, ld)
}
