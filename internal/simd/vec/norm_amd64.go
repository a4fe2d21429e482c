package vec

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func normRowsAVX2(x, gain, bias, hat, y, inv *float32, rows, bytes int, one, share, centre, eps float32)

//go:noescape
func normRowsAVX512(x, gain, bias, hat, y, inv *float32, rows, bytes int, one, share, centre, eps float32)

//go:noescape
func normRowsGradAVX2(dy, hat, gain, inv, dx, dgain, dbias *float32, rows, bytes, add int, share, centre float32)

//go:noescape
func normRowsGradAVX512(dy, hat, gain, inv, dx, dgain, dbias *float32, rows, bytes, add int, share, centre float32)

// normRowsFast reports whether path p has done the work, which it does for rows of whole lanes.
func normRowsFast(p simd.Path, x, gain, bias, hat, y, inv []float32, share, centre, eps float32) bool {
	if len(gain)%normLanes != 0 {
		return false
	}
	switch p {
	case simd.AVX512:
		normRowsAVX512(&x[0], &gain[0], &bias[0], &hat[0], &y[0], &inv[0], len(inv), 4*len(gain), 1, share, centre, eps)
	case simd.AVX2:
		normRowsAVX2(&x[0], &gain[0], &bias[0], &hat[0], &y[0], &inv[0], len(inv), 4*len(gain), 1, share, centre, eps)
	default:
		return false
	}
	return true
}

func normRowsGradFast(p simd.Path, dy, hat, gain, inv, dx, dgain, dbias []float32, share, centre float32, add bool) bool {
	if len(gain)%normLanes != 0 {
		return false
	}
	more := 0
	if add {
		more = 1
	}
	switch p {
	case simd.AVX512:
		normRowsGradAVX512(&dy[0], &hat[0], &gain[0], &inv[0], &dx[0], &dgain[0], &dbias[0], len(inv), 4*len(gain), more, share, centre)
	case simd.AVX2:
		normRowsGradAVX2(&dy[0], &hat[0], &gain[0], &inv[0], &dx[0], &dgain[0], &dbias[0], len(inv), 4*len(gain), more, share, centre)
	default:
		return false
	}
	return true
}
