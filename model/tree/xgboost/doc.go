// Package xgboost learns gradient-boosted decision trees on histograms, level
// by level.
//
// The learner registered as "xgboost" follows the hist method of XGBoost
// (Chen and Guestrin 2016, "XGBoost: A Scalable Tree Boosting System"): the same
// parameters, defaults, gradients, gains, missing-value directions and tie
// rules, so that on equal bins it chooses the same splits; a test against the
// library's own trees holds it to that. [Learner] predicts the classes −1,
// 0, +1; [Train] is the level below, for any number of classes, two classes, a
// real target or an objective of the caller ([Options]), with raw scores. Both
// give an [ensemble.Ensemble].
//
// # How it works
//
// Every feature is cut into at most 255 bins, and bin 0 means missing. Each
// round takes the gradients and hessians of the loss at the current scores,
// scales them to integers and packs the pair into one 64-bit word (all that is
// package core). A tree grows by building histograms of these words for the
// smaller child, subtracting it from the parent to get the larger (grow.go),
// searching the bins for the split of highest gain (split.go) and dividing the
// rows. Leaf values are then computed from the unrounded gradients.
//
// # Conventions
//
// A split sends x < threshold left, and missing values in a direction learned
// from the data (right where the node had none). Thresholds are observed
// values of the training rows; nothing else is ever looked at for bin edges.
// Where a column has more distinct values than bins, the bins hold equal shares
// of the weight; XGBoost's sketch cuts a little differently there, so identical
// splits are promised only for columns that fit. Rows of weight 0 are dropped before anything else, so a model with them and
// one without them have the same bytes. Scores are sums in float32 in the
// order of the trees, as in XGBoost.
//
// # Determinism
//
// Sums of integers are exact, so a model does not depend on the number of
// workers, nor on the kernel path. Random numbers (subsample, colsample_bytree,
// colsample_bylevel, colsample_bynode) come from the stream of the fit, one for
// each round, tree, level or node.
//
// # Precision
//
// The sum of |gradient| over the rows of a tree is scaled by a power of two to
// between 2³⁰ and 2³¹, the sum of hessians to between 2³¹ and 2³², so a row of
// average |gradient| keeps at least 2³⁰/n units: 1,073 at a million rows. Rows
// of little weight keep less. Where the row of least weight would keep less
// than one unit, that is where Σw/min(w) exceeds 2³⁰, where a regression target is
// so heavy-tailed that half of the rows would vanish beside the largest, and above
// ten million rows, sums are wide: 64 bits each for gradients and hessians, held
// below 2⁵², at about twice the time for a histogram. What does not fit even there
// is refused with an error that says so.
//
// # Refusals
//
// Infinite inputs, negative or non-finite weights, weights that are all zero,
// labels that are not classes, a single class, columns of the stop rows that
// differ from those of the fit, and constraints on columns that do not exist are
// errors that name the row or column.
package xgboost
