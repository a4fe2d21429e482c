// Package feature turns bars into numbers, the same way for history and live.
//
// A feature is a [Kernel]: a state machine that is pushed with finished bars of
// one timeframe and writes its values. History is a loop over the same push, so
// training and serving cannot differ.
package feature

import "github.com/mlfactory/mlfactory/bar"

// Kernel computes one or several features of one timeframe.
//
// Kernels compute in float64; the driver rounds once to float32. A value that
// is not yet or not at all defined is NaN; ±Inf is an error that the driver
// reports with the kernel's name and the bar's time.
//
// A kernel keeps its state over a session break (the bar carries
// [bar.SessionStart]) and each states its overnight rule; the driver calls
// Reset when a new segment starts.
type Kernel interface {
	// Names of the values, in the order in which Push writes them.
	Names() []string
	// First is the number of bars until every value is finite on ordinary
	// bars (1 = from the first bar on).
	First() int
	// Memory is the number of bars after which older history changes
	// nothing beyond 1e-12 of the value; −1 says that the kernel needs its
	// whole state.
	Memory() int
	// Push takes the next finished bar and writes len(Names()) values to
	// out. It does not allocate and does not keep b.
	Push(b *bar.Bar, out []float64)
	// PushBlock pushes bars lo..hi-1 of s and writes value j of bar i to
	// out[j][i-lo]. It is a loop over the same unexported push.
	PushBlock(s *bar.Series, lo, hi int, out [][]float64)
	// Reset returns to the state of a new kernel.
	Reset()
	// State appends the state to dst. It begins with the kernel's name, its
	// parameters' hash and a state version.
	State(dst []byte) []byte
	// Restore reads what State wrote; a state of another kernel, other
	// parameters or another version is refused and changes nothing.
	Restore(src []byte) error
}
