package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func columnsAsm(cols *uint8, ld int, gh *uint64, n int, h *uint64)

func buildColumns(cols []uint8, ld int, gh []uint64, h *Block) {
	if simd.Current() == simd.Generic {
		buildColumnsGeneric(cols, ld, gh, h)
		return
	}
	columnsAsm(&cols[0], ld, &gh[0], len(gh), &h[0])
}
