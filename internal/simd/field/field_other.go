//go:build !amd64

package field

import "github.com/mlfactory/mlfactory/internal/simd"

func index(_ simd.Path, ends []uint32, text []byte, from, blocks int, sep byte) Found {
	return indexGeneric(ends, text, from, blocks, sep)
}

func decimals(_ simd.Path, dst []float64, text []byte, ends []uint32, stride, trim int) int {
	return decimalsGeneric(dst, text, ends, stride, trim)
}
