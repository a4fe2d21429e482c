// Package core is what all growers of trees share: rows and targets, bins,
// gradients, packed histograms and partitions.
//
// A fit goes through it in this order. [Data] holds rows, targets and weights
// and checks them. [NewMatrix] cuts every feature into at most 255 bins, and
// bin 0 means missing; the [Matrix] holds the bins row-major in words of eight
// features, for histograms, and column-major, for partitions. Each round a
// [Loss] takes gradients and hessians at the current scores, [Scales] turn them
// into integers and pack each pair into one 64-bit word, and [Histograms] adds
// them up for the nodes of a tree and divides rows by a [Rule]. The search for
// the best split, the order of growth and the leaf values belong to the styles:
// packages xgboost, lightgbm, catboost and forest.
//
// # Determinism
//
// Sums of integers are exact, so no result depends on the number of workers,
// on the order of rows or on the kernel path; sums of floats are over chunks of
// fixed size. Work is divided by feature or by index ([Pool]).
//
// # Refusals
//
// Infinite inputs, negative or non-finite weights, weights that are all zero,
// labels that are not classes and a single class are errors that name the row
// and the column.
package core
