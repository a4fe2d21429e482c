package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func logisticAVX2(score, y, w, grad, hess *float32, n int, sums *[16]float64)

//go:noescape
func quantiseAVX2(grad, hess *float32, n int, fg, fh float32, gh *uint64) uint64

// logistic does the rows up to a multiple of eight and returns how many.
func logistic(score, y, w, g, h []float32, sums *[16]float64) int {
	n := len(score) &^ 7
	if n == 0 || simd.Current() == simd.Generic {
		return 0
	}
	var wp *float32
	if w != nil {
		wp = &w[0]
	}
	logisticAVX2(&score[0], &y[0], wp, &g[0], &h[0], n, sums)
	return n
}

// quantise does the rows up to a multiple of four and returns how many.
func quantise(g, h []float32, fg, fh float32, gh []uint64) (int, uint64) {
	n := len(g) &^ 3
	if n == 0 || simd.Current() == simd.Generic {
		return 0, 0
	}
	return n, quantiseAVX2(&g[0], &h[0], n, fg, fh, &gh[0])
}

//go:noescape
func softExpAVX2(e, top, sum *float32, n int)

//go:noescape
func softGradAVX2(e, inv, y, w, grad, hess *float32, n int, class float32, sums *[16]float64)

// softExp does the rows up to a multiple of eight and returns how many.
func softExp(e, top, sum []float32) int {
	n := len(e) &^ 7
	if n == 0 || simd.Current() == simd.Generic {
		return 0
	}
	softExpAVX2(&e[0], &top[0], &sum[0], n)
	return n
}

// softGrad does the rows up to a multiple of eight and returns how many.
func softGrad(e, inv, y, w []float32, class float32, g, h []float32, sums *[16]float64) int {
	n := len(e) &^ 7
	if n == 0 || simd.Current() == simd.Generic {
		return 0
	}
	var wp *float32
	if w != nil {
		wp = &w[0]
	}
	softGradAVX2(&e[0], &inv[0], &y[0], wp, &g[0], &h[0], n, class, sums)
	return n
}
