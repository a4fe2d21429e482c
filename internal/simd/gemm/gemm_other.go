//go:build !amd64

package gemm

import "github.com/mlfactory/mlfactory/internal/simd"

func fast(_ simd.Path, m, n, k int, a, b Matrix, c []float32, ldc int, add bool, _ *Buffer) {
	generic(m, n, k, a, b, c, ldc, howOf(add))
}

func fastPacked(m int, a Matrix, b *Packed, c []float32, ldc int, add bool) {
	generic(m, b.n, b.k, a, Rows(b.data, b.n), c, ldc, howOf(add))
}

func fastOn(m int, a Matrix, b *Packed, d []float32, ldd int, c []float32, ldc int, _ bool) {
	genericOn(m, a, b, d, ldd, c, ldc)
}

func packAll(*Packed, Matrix) {}

func eights(int, int, []float32, int, []float32, int) (tall, wide int) { return 0, 0 }
