// Package modeltest is the conformance suite of the learners: one set of laws
// that every entry of a [model.Registry] passes.
//
//	func TestConformance(t *testing.T) { modeltest.Run(t, linear.Entry(), modeltest.Options{}) }
//
// A law is a claim of the contract (package model) or of the entry's
// [model.Abilities], tested from outside through the entry alone: same input,
// same bytes; a file read back predicts the same bits; the number of workers
// does not matter; a row of weight 0 is a row that is not there; stop rows stop
// and never train; probabilities are probabilities; wrong input is an error
// that names the column; damaged bytes are refused; a cancelled context ends
// the fit. An ability that is not claimed must be refused when asked for, not
// silently ignored: weights, missing values.
//
// The laws are values ([Laws]), so that the suite itself is tested: a learner
// broken on purpose fails exactly the law it breaks.
//
// The rows of the laws come in the form that the entry takes: a table, or windows
// of bars ([view.Windows]). Entries that take windows are held to a few laws more:
// windows of another length or timeframe are refused, bars of another segment are
// never seen, and windows that share their bars are read as their copies are.
//
// The suite says nothing about skill beyond two bounds: a plain signal is found
// and a random label is not. Tests of architectures take their windows from
// [Motif], [Lag], [Interaction], [LongRange] and [RegimeFlip], in which a linear
// model finds nothing, and from [Shuffled], in which nobody does.
package modeltest
