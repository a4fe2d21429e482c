package vec

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// Correlate is a correlation along rows, channel by channel:
//
//	y[i·ys + c] = Σ_j w[j·ws + c]·x[i·xi + j·xj + c]   for i < m, j < n, c < channels
//
// or adds the sum to y if add is set. With xi and xj one row apart it is a convolution whose channels do not mix; with w the gradient of
// such a convolution's result it is the gradient of its weights. Each sum runs over j in order from 0, every product rounded before it is
// added, so all kernel paths give the same bits. NaN and infinities propagate. y must not overlap w or x. O(m·n·channels), no allocation.
// It panics when a slice is too short or a stride negative.
func Correlate(m, n, channels int, w []float32, ws int, x []float32, xi, xj int, y []float32, ys int, add bool) {
	if m <= 0 || channels <= 0 {
		return
	}
	if n < 0 || ws < 0 || xi < 0 || xj < 0 || ys < channels || (m-1)*ys+channels > len(y) ||
		n > 0 && ((n-1)*ws+channels > len(w) || (m-1)*xi+(n-1)*xj+channels > len(x)) {
		panic(fmt.Sprintf("vec: correlate %d×%d of %d channels, strides %d, %d, %d, %d, of %d, %d and %d elements", m, n, channels, ws, xi, xj, ys, len(w), len(x), len(y)))
	}
	done := 0
	if n > 0 {
		done = correlateStrips(simd.Current(), m, n, channels, w, ws, x, xi, xj, y, ys, add)
	}
	correlateGeneric(m, n, done, channels, w, ws, x, xi, xj, y, ys, add)
}

// correlateGeneric is the plain twin, for the channels from lo on.
func correlateGeneric(m, n, lo, channels int, w []float32, ws int, x []float32, xi, xj int, y []float32, ys int, add bool) {
	var sums [64]float32
	for ; lo < channels; lo += len(sums) {
		width := min(len(sums), channels-lo)
		for i := range m {
			s := sums[:width]
			clear(s)
			for j := range n {
				a, b := w[j*ws+lo:j*ws+lo+width], x[i*xi+j*xj+lo:i*xi+j*xj+lo+width]
				for c := range s {
					s[c] += float32(a[c] * b[c])
				}
			}
			o := y[i*ys+lo : i*ys+lo+width]
			if !add {
				copy(o, s)
				continue
			}
			for c, v := range s {
				o[c] += v
			}
		}
	}
}
