package vec

import "github.com/mlfactory/mlfactory/internal/simd"

// lstmRow does whole vectors of cells and reports whether that is all of them.
func lstmRow(p simd.Path, gates, c, t, h []float32) bool {
	n := len(c)
	switch {
	case p == simd.AVX2 && n%8 == 0:
		lSTMRowsAVX2(&gates[0], &gates[n], &gates[2*n], &gates[3*n], &c[0], &c[0], &t[0], &h[0], n/8, 1, 0, 0, 0, 0, 0, 0, 0, 0)
		return true
	case p == simd.AVX512 && n%16 == 0:
		lSTMRowsAVX512(&gates[0], &gates[n], &gates[2*n], &gates[3*n], &c[0], &c[0], &t[0], &h[0], n/16, 1, 0, 0, 0, 0, 0, 0, 0, 0)
		return true
	}
	return false
}
