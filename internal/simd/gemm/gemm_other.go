//go:build !amd64

package gemm

import "github.com/mlfactory/mlfactory/internal/simd"

func fast(_ simd.Path, m, n, k int, a, b Matrix, c []float32, ldc int, add bool, _ *Buffer) {
	generic(m, n, k, a, b, c, ldc, howOf(add))
}

func fastPacked(m int, a Matrix, b *Packed, c []float32, ldc int, add bool) {
	generic(m, b.n, b.k, a, Rows(b.data, b.n), c, ldc, howOf(add))
}

func fastOn(m int, a Matrix, b *Packed, c []float32, ldc int, _ bool) {
	generic(m, b.n, b.k, a, Rows(b.data, b.n), c, ldc, continues)
}

func packAll(*Packed, Matrix) {}
