package field

import "github.com/mlfactory/mlfactory/internal/simd"

// The kernels check no bounds but those of the text.

//go:noescape
func indexAVX2(ends *uint32, room int, text *byte, from, blocks int, sep byte, found *Found)

//go:noescape
func decimalsAVX2(dst *float64, n int, text *byte, size int, ends *uint32, stride, trim int) int

// index looks at blocks of 64 bytes.
func index(p simd.Path, ends []uint32, text []byte, from, blocks int, sep byte) (f Found) {
	if p == simd.Generic {
		return indexGeneric(ends, text, from, blocks, sep)
	}
	indexAVX2(&ends[0], len(ends), &text[0], from, blocks, sep, &f)
	return f
}

func decimals(p simd.Path, dst []float64, text []byte, ends []uint32, stride, trim int) int {
	if p == simd.Generic {
		return decimalsGeneric(dst, text, ends, stride, trim)
	}
	return decimalsAVX2(&dst[0], len(dst), &text[0], len(text), &ends[0], stride, trim)
}
