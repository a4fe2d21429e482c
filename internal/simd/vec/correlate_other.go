//go:build !amd64

package vec

import "github.com/mlfactory/mlfactory/internal/simd"

func correlateStrips(simd.Path, int, int, int, []float32, int, []float32, int, int, []float32, int, bool) int {
	return 0
}
