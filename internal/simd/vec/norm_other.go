//go:build !amd64

package vec

import "github.com/mlfactory/mlfactory/internal/simd"

func normRowsFast(simd.Path, []float32, []float32, []float32, []float32, []float32, []float32, float32, float32, float32) bool {
	return false
}

func normRowsGradFast(simd.Path, []float32, []float32, []float32, []float32, []float32, []float32, []float32, float32, float32, bool) bool {
	return false
}
