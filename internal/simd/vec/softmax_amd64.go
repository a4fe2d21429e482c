package vec

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func softmaxColumnsAVX2(x *float32, rows, stride, blocks int, scale float32)

//go:noescape
func softmaxColumnsAVX512(x *float32, rows, stride, blocks int, scale float32)

//go:noescape
func softmaxColumnsGradAVX2(p, dp *float32, rows, stride, blocks int, scale float32)

//go:noescape
func softmaxColumnsGradAVX512(p, dp *float32, rows, stride, blocks int, scale float32)

// softmaxColumnsFast reports whether path p has done the work; blocks are of 16 columns.
func softmaxColumnsFast(p simd.Path, x []float32, rows, stride, blocks int, scale float32) bool {
	switch p {
	case simd.AVX512:
		softmaxColumnsAVX512(&x[0], rows, 4*stride, blocks, scale)
	case simd.AVX2:
		softmaxColumnsAVX2(&x[0], rows, 4*stride, 2*blocks, scale)
	default:
		return false
	}
	return true
}

func softmaxColumnsGradFast(path simd.Path, p, dp []float32, rows, stride, blocks int, scale float32) bool {
	switch path {
	case simd.AVX512:
		softmaxColumnsGradAVX512(&p[0], &dp[0], rows, 4*stride, blocks, scale)
	case simd.AVX2:
		softmaxColumnsGradAVX2(&p[0], &dp[0], rows, 4*stride, 2*blocks, scale)
	default:
		return false
	}
	return true
}
