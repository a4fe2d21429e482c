package vec

import "github.com/mlfactory/mlfactory/internal/simd"

// first is units, or 0 where the state before the first step is zero; panel is the
// number of bytes from the weights of a block to those of the next. From a row of h to the
// next are next bytes, of which the bits of turn change with each step.
//
//go:noescape
func lstmStepsAVX2(steps, units, first int, before, w, gates, c, h *float32, panel, next, turn int)

//go:noescape
func lstmStepsAVX512(steps, units, first int, before, w, gates, c, h *float32, panel, next, turn int)

// before is nil where the state before the first step is zero.
//
//go:noescape
func lstmSteps64AVX512(steps int, before, w, gates, c, h *float32, next, turn int)

func lstmSteps(w *StepWeights, steps int, gates, before, c, h []float32, next, turn int) {
	units, first := w.units, 0
	var h0 *float32
	if before != nil {
		first, h0 = units, &before[0]
	}
	panel := 4 * 4 * LSTMUnits * units
	switch {
	case coloured(units):
		lstmSteps64AVX512(steps, h0, &w.w[0], &gates[0], &c[0], &h[0], next, turn)
	case simd.Current() == simd.AVX512:
		lstmStepsAVX512(steps, units, first, h0, &w.w[0], &gates[0], &c[0], &h[0], panel, next, turn)
	default:
		lstmStepsAVX2(steps, units, first, h0, &w.w[0], &gates[0], &c[0], &h[0], panel, next, turn)
	}
}
