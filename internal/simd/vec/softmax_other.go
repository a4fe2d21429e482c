//go:build !amd64

package vec

import "github.com/mlfactory/mlfactory/internal/simd"

func softmaxColumnsFast(simd.Path, []float32, int, int, int, float32) bool { return false }

func softmaxColumnsGradFast(simd.Path, []float32, []float32, int, int, int, float32) bool {
	return false
}
