package vec

import (
	"fmt"
	"unsafe"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/internal/simd/colour"
)

// LSTMUnits is how many units of a layer [LSTMSteps] takes together.
const LSTMUnits = 16

// StepWeights are the weights with which the state of an LSTM layer enters its next
// step, laid out for [LSTMSteps] by [PackSteps].
type StepWeights struct {
	units int
	path  simd.Path
	w     []float32
}

// StepsRoom is how many values [PackSteps] needs for so many units on the path in use.
func StepsRoom(units int) int {
	if coloured(units) {
		return colour.Values*(colour.Room+colour.Page) - 1 // from where a page begins
	}
	return 4 * units * units
}

// PackSteps lays out weights of a layer, a row of them for each of its sums: for each
// unit's input gate, then for its forget gate, its cell and its output gate. They are
// kept in room, of [StepsRoom] values.
//
// It panics where [LSTMStepsFit] says that there is no kernel.
func PackSteps(units int, w, room []float32) StepWeights {
	if !LSTMStepsFit(units) {
		panic(fmt.Sprintf("vec: LSTMSteps has no kernel for %d units on the path %v", units, simd.Current()))
	}
	if len(w) != 4*units*units || len(room) != StepsRoom(units) {
		panic(fmt.Sprintf("vec: PackSteps of %d units has %d weights and room for %d", units, len(w), len(room)))
	}
	p := StepWeights{units, simd.Current(), room}
	line := func(n int) int { return n }
	if coloured(units) {
		p.w, line = room[toPage(room):], colour.Line
	}
	for s := range 4 * units {
		gate, block, unit := s/units, s%units/LSTMUnits, s%LSTMUnits
		for k, v := range w[s*units : (s+1)*units] {
			p.w[LSTMUnits*line(4*(block*units+k)+gate)+unit] = v
		}
	}
	return p
}

// toPage is how many values of room are before the first that begins a page.
func toPage(room []float32) int {
	const page = 4 * colour.Values * colour.Page
	return int(-uintptr(unsafe.Pointer(unsafe.SliceData(room)))%page) / 4 // #nosec G103 -- only the address is looked at: it decides how fast it is
}

// LSTMSteps runs the steps of an LSTM layer for one sample: c becomes the cells after
// the last, and row t of h the state after step t; where h has two rows, steps take
// turns with them. The sums that enter a step's gates are those in its row of gates,
// whose values are lost, plus W·h of the state before. before is the state before the
// first step; nil: zeros.
//
// Units are in blocks of [LSTMUnits], and a row of gates has for each block the gates
// input, forget, cell and output of its units, one after the other. Products are fused
// into the sums, in the order of units, as package gemm does; cells and states have the
// bits of [LSTM].
//
// It panics if the weights were laid out for another path than that in use.
func LSTMSteps(w *StepWeights, steps int, gates, before, c, h []float32) {
	units := w.units
	if len(gates) != 4*units*steps || len(h) != units*steps && len(h) != 2*units || len(c) != units || before != nil && len(before) != units {
		panic(fmt.Sprintf("vec: LSTMSteps of %d units and %d steps has %d sums, %d states, %d cells and %d units before", units, steps, len(gates), len(h), len(c), len(before)))
	}
	if w.path != simd.Current() {
		panic(fmt.Sprintf("vec: LSTMSteps on the path %v has weights laid out for %v", simd.Current(), w.path))
	}
	if steps == 0 {
		return
	}
	next, turn := 4*units, 0 // bytes from a row of states to that of the next step, and what changes in that number then
	if len(h) == 2*units {
		turn = next ^ -next
	}
	lstmSteps(w, steps, gates, before, c, h, next, turn)
}

// LSTMStepsFit reports whether the path in use has a kernel for so many units.
func LSTMStepsFit(units int) bool {
	return units > 0 && units%LSTMUnits == 0 && simd.Current() != simd.Generic
}

// coloured reports whether weights lie as package colour says.
func coloured(units int) bool { return units == 64 && simd.Current() == simd.AVX512 }
