package vec

import "github.com/mlfactory/mlfactory/internal/simd"

// The kernels compute the rows of their number over strips of the width of a register; strides are in bytes.

//go:noescape
func correlate8AVX2(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate4AVX2(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate2AVX2(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate1AVX2(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate8AVX512(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate4AVX512(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate2AVX512(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

//go:noescape
func correlate1AVX512(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)

// correlateStrips computes as many channels as fill whole registers and returns their number.
func correlateStrips(p simd.Path, m, n, channels int, w []float32, ws int, x []float32, xi, xj int, y []float32, ys int, add bool) int {
	lanes := 0
	switch p {
	case simd.AVX2:
		lanes = 8
	case simd.AVX512:
		lanes = 16
	}
	if lanes == 0 || channels < lanes {
		return 0
	}
	strips, accumulate := channels/lanes, 0
	if add {
		accumulate = 1
	}
	for i := 0; i < m; {
		rows := min(8, m-i)
		xp, yp := &x[i*xi], &y[i*ys]
		switch wide := p == simd.AVX512; {
		case rows == 8 && wide:
			correlate8AVX512(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		case rows == 8:
			correlate8AVX2(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		case rows >= 4 && wide:
			rows = 4
			correlate4AVX512(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		case rows >= 4:
			rows = 4
			correlate4AVX2(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		case rows >= 2 && wide:
			rows = 2
			correlate2AVX512(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		case rows >= 2:
			rows = 2
			correlate2AVX2(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		case wide:
			correlate1AVX512(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		default:
			correlate1AVX2(n, strips, &w[0], 4*ws, xp, 4*xi, 4*xj, yp, 4*ys, accumulate)
		}
		i += rows
	}
	return strips * lanes
}
