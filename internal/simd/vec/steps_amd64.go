package vec

import "github.com/mlfactory/mlfactory/internal/simd"

// first is units, or 0 where the state before the first step is zero; panel is the
// number of bytes from the weights of a block to those of the next.
//
//go:noescape
func lstmStepsAVX2(steps, units, first int, h0, w, gates, c, h *float32, panel int)

//go:noescape
func lstmStepsAVX512(steps, units, first int, h0, w, gates, c, h *float32, panel int)

func lstmSteps(units, steps int, w, gates, before, c, h []float32) {
	first, h0 := 0, &c[0]
	if before != nil {
		first, h0 = units, &before[0]
	}
	panel := 4 * 4 * LSTMUnits * (units + 1)
	if simd.Current() == simd.AVX512 {
		lstmStepsAVX512(steps, units, first, h0, &w[0], &gates[0], &c[0], &h[0], panel)
		return
	}
	lstmStepsAVX2(steps, units, first, h0, &w[0], &gates[0], &c[0], &h[0], panel)
}
