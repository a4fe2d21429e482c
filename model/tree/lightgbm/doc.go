// Package lightgbm learns gradient-boosted decision trees on histograms, leaf
// by leaf.
//
// The learner registered as "lightgbm" follows LightGBM (Ke and others 2017,
// "LightGBM: A Highly Efficient Gradient Boosting Decision Tree"): the same
// parameters, defaults, bins, gradients, gains, missing-value directions,
// splits by sets of categories and tie rules, so that it chooses the same
// splits; a test against the library's own trees holds it to that. [New] makes
// a learner of the classes −1, 0, +1; [Train] is the level below, for any
// number of classes, two classes, a real target or an objective of the caller,
// with raw scores.
//
// # How it works
//
// Every column is cut into at most 255 bins (bins.go): equal counts, zero apart,
// bounds in the middle between two values; categories by frequency. Each round
// takes the gradients of the loss at the current scores (loss.go), draws rows
// (sample.go) and, with boosting dart, earlier trees to leave out (dart.go), and
// scales gradients to integers that are packed into one 64-bit word (package
// core). A tree grows by splitting the leaf of highest gain until it has
// num_leaves (grow.go); the histogram of the smaller child is built, that of the
// larger is the difference to the parent's. A split is searched downwards with
// missing values on the left, then upwards with missing values on the right
// (split.go, categorical.go). Leaf values come from the unrounded gradients
// (finish.go).
//
// # Conventions
//
// A split sends x ≤ t left; it is stored as x below the next float32 above t.
// Missing values have a learned direction where the training rows had any in the
// column; elsewhere they count as 0, as in LightGBM. Scores are sums in
// float64; LightGBM folds the initial score into the first tree, here it is the
// Base of the ensemble. Rows of weight 0 are dropped before anything else.
// Otherwise weights do not count as rows, as in LightGBM: bins and
// min_data_in_leaf go by rows, the latter estimated from the hessians of a bin,
// so a row of weight 2 is not the same as two rows.
//
// # Differences to LightGBM
//
// Random draws come from the streams of the fit, so that with bagging, goss,
// dart, extra_trees and column sampling only the probabilities are the same.
// Above bin_construct_sample_cnt rows, bins come from evenly spaced order
// statistics instead of random rows. A column has at most 255 bins of values or
// categories. goss looks at all rows at once, not at blocks of them. A class
// without training rows starts from half a row instead of 1e-15. Between splits
// that divide the rows alike, LightGBM may choose by rounding error: the
// direction of missing values in a leaf that has none, for example, is always
// left here. Gains within about 1e-7 of each other can be ordered differently.
//
// Not offered: boosting rf (see package forest), linear_tree, forced splits and
// bins, ranking, and use_quantized_grad, which makes LightGBM's histograms
// smaller: here an entry is one word whatever the number of levels, so coarser
// gradients would cost precision and gain nothing.
//
// # Determinism
//
// Sums of integers are exact, so a model does not depend on the number of
// workers, nor on the kernel path. The precision is that of package core: a row
// of average |gradient| keeps at least 2³⁰/n units. Where Σw/min(w) exceeds 2³⁰
// or a target is as heavy-tailed, and above ten million rows, sums are wide, 64
// bits each for gradients and hessians, at about twice the time for a histogram;
// weights that span more than 2⁵⁰ are refused.
//
// # Refusals
//
// Infinite inputs, categories that are no whole numbers from 0 to 2²⁴−1,
// parameters that name no column, negative or non-finite weights, weights that
// are all zero, labels that are not classes, a single class, and columns at
// prediction that differ from those of the fit are errors that name the row,
// column or key.
package lightgbm
