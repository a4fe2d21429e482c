package vec

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func dotAVX2(a, b *float32, blocks int, sums *[64]float32)

//go:noescape
func dotAVX512(a, b *float32, blocks int, sums *[64]float32)

//go:noescape
func axpyAVX2(alpha float32, x, y *float32, blocks int)

//go:noescape
func axpyAVX512(alpha float32, x, y *float32, blocks int)

// dotBlocks adds the products of a and b, which have the same positive multiple of 64 elements, to the sums.
func dotBlocks(p simd.Path, a, b []float32, sums *[dotLanes]float32) {
	switch p {
	case simd.AVX512:
		dotAVX512(&a[0], &b[0], len(a)/dotLanes, sums)
	case simd.AVX2:
		dotAVX2(&a[0], &b[0], len(a)/dotLanes, sums)
	default:
		dotGeneric(a, b, sums)
	}
}

// axpyBlocks handles a prefix of the vectors and returns its length.
func axpyBlocks(p simd.Path, alpha float32, x, y []float32) int {
	switch p {
	case simd.AVX512:
		if n := len(x) / 32; n > 0 {
			axpyAVX512(alpha, &x[0], &y[0], n)
			return n * 32
		}
	case simd.AVX2:
		if n := len(x) / 16; n > 0 {
			axpyAVX2(alpha, &x[0], &y[0], n)
			return n * 16
		}
	}
	return 0
}
