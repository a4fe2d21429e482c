package vec

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// LSTMUnits is how many units of a layer [LSTMSteps] takes together.
const LSTMUnits = 16

// LSTMSteps runs the steps of an LSTM layer for one sample: c becomes the cells after
// the last, and row t of h the state after step t. The sums that enter a step's gates
// are those in its row of gates, which are overwritten, plus W·h of the state before,
// plus the bias. before is the state before the first step; nil: zeros.
//
// Units are in blocks of [LSTMUnits], and a row of gates has for each block the gates
// input, forget, cell and output of its units, one after the other. w has for each
// block a row of as many values for the bias, then one for each unit of the state: the
// weights with which it enters. Products are fused into the sums, in the order of
// units, as package gemm does; gates, cells and states have the bits of [LSTM].
//
// It panics where [LSTMStepsFit] says that there is no kernel.
func LSTMSteps(units, steps int, w, gates, before, c, h []float32) {
	if len(w) != 4*units*(units+1) || len(gates) != 4*units*steps || len(h) != units*steps || len(c) != units || before != nil && len(before) != units {
		panic(fmt.Sprintf("vec: LSTMSteps of %d units and %d steps has %d weights, %d sums, %d states, %d cells and %d units before", units, steps, len(w), len(gates), len(h), len(c), len(before)))
	}
	if !LSTMStepsFit(units) {
		panic(fmt.Sprintf("vec: LSTMSteps has no kernel for %d units on the path %v", units, simd.Current()))
	}
	if steps > 0 {
		lstmSteps(units, steps, w, gates, before, c, h)
	}
}

// LSTMStepsFit reports whether the path in use has a kernel for so many units.
func LSTMStepsFit(units int) bool {
	return units > 0 && units%LSTMUnits == 0 && simd.Current() != simd.Generic
}
