// Package feature turns bars into numbers, the same way for history and live.
//
// A feature is a [Kernel]: a state machine that is pushed with finished bars of
// one timeframe and writes its values. History is a loop over the same push, so
// training and serving cannot differ. The suite in package featuretest holds
// every kernel to that.
//
// # From bars to a table
//
// A [Registry] lists the kinds of kernels ([Register] adds all of this package),
// a [Spec] picks one with its parameters, a [Set] says which are computed on
// which timeframes ([Registry.Set] writes it from families and names). A [Driver]
// is pushed with base bars and builds the longer ones by the clock; [Compute] does
// the same for a whole history, in parallel, bit for bit. Both give a [Store]: one
// [Matrix] a timeframe, a row for each of its bars. [Gather] or a [Reader] takes from it what
// was known at each decision, [Windows] or a [WindowReader] the last bars of a
// timeframe up to there, and [Known] what the calendar says of the bars to come.
//
// # Time
//
// A row may be used from its Known on and never before. A decision sees the
// latest row known by then; it sees nothing when that bar is older than two bars
// of open-market time or lies before an outage. Kernels keep their state over a
// scheduled break, each with its stated overnight rule, and are reset by an
// outage.
//
// # Values
//
// Kernels compute in float64; the store rounds once, to float32. NaN is a value
// that is not defined (yet). No default feature changes when all prices are
// multiplied by a constant, and none tells the date; indicators in units of price
// are there too (family "level"), for charts and for users' own formulas. Where
// TA-Lib has the indicator, values and first bar are equal to its. Where nothing
// moved the value is the documented neutral one, never rounding noise in large.
//
// Rolling statistics do not subtract what leaves the window (package
// internal/roll), so nothing drifts, however long the series.
//
// # What it refuses
//
// An unknown feature or parameter, with the nearest known name; a timeframe that
// cannot be built from the base; bars that go back in time; an infinite value; a
// state that belongs to something else.
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
