//go:build !amd64

package vec

import "github.com/mlfactory/mlfactory/internal/simd"

func lstmRow(simd.Path, []float32, []float32, []float32, []float32) bool { return false }
