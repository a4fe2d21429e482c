//go:build !amd64

package vec

import "github.com/mlfactory/mlfactory/internal/simd"

func dotBlocks(_ simd.Path, a, b []float32, sums *[dotLanes]float32) { dotGeneric(a, b, sums) }

func axpyBlocks(simd.Path, float32, []float32, []float32) int { return 0 }
