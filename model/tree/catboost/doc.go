// Package catboost learns gradient-boosted symmetric trees.
//
// The learner registered as "catboost" follows CatBoost on the CPU
// (Prokhorenkova, Gusev, Vorobev, Dorogush and Gulin 2018, "CatBoost: unbiased
// boosting with categorical features"): the same parameters and defaults,
// borders, scores and leaf values. In plain mode without sampling and noise it
// makes the library's own trees, and a test against these holds it to that.
// [Learner] predicts the classes −1, 0 and +1; [Train] is the level below, for
// any number of classes, two classes or a real target.
//
// # How it works
//
// All nodes of a level of a tree have the same split, so a tree of depth d is d
// comparisons and a table of 2^d leaves. A level is chosen by the sum over its
// leaves: with ḡ = Σg/(Σw+λ) on either side of a split, ΣḡΣg for score_function
// L2, and that over √Σḡ²w for Cosine (grow.go). One tree serves all scores: of
// MultiClass its leaves are vectors, and since the gradients of softmax sum to
// zero the histograms of the last class are not built. Leaf values are then
// found by steps of Newton's method or of the gradient from the unrounded
// derivatives of all rows, each step halved until the loss falls (leaves.go).
//
// # Categories
//
// Columns named in cat_features hold whole numbers from 0. Up to
// one_hot_max_size categories are split one against the rest. Columns of more
// are replaced by target statistics (category.go): the share of a class among
// the earlier rows of the same category in a permutation, so that no row's own
// target is in its statistic, and the frequency of the category. In the finished
// model the statistics are over all training rows, and since a category then has
// one value, a split is the list of the categories that go left. Combinations of
// columns are not made: this is the library with max_ctr_complexity 1.
//
// # Conventions
//
// A split sends x > border right; the ensemble holds the next larger float32 as
// its threshold. Borders are midpoints of neighbouring values of the training
// rows. Missing values are below or above all values (nan_mode). λ is
// l2_leaf_reg times the mean weight of the rows, as in the library, so a row of
// weight 2 is not quite the same as the row twice. Rows of weight 0 are dropped
// before anything else. Scores are sums in float64.
//
// # Where it differs from the library
//
// Random numbers come from the stream of the fit: what they are drawn for and
// from which distribution is the library's, the draws are not. Borders are made
// of all rows where the library samples 200,000. The Exact leaves of weighted
// MAE and Quantile are weighted quantiles; the library forgets the weights
// there. Weights of classes are weights of rows. Only symmetric trees are grown,
// rows are drawn once for a tree, and the noise on scores is normal. Among equal
// scores the lowest column and then the lowest border wins.
//
// # Determinism and precision
//
// Sums in histograms are of integers and thus exact (package core), so a model
// does not depend on the number of workers nor on the kernel path. What package
// xgboost says about the precision of these integers holds here, with the
// weights of the rows in the place of hessians.
//
// # Refusals
//
// Infinite inputs, negative or non-finite weights, weights that are all zero,
// labels that are not classes, a single class, columns at prediction that
// differ from those of the fit, and damaged model files are errors that name
// the row, column or byte; with nan_mode Forbidden so is a missing value.
package catboost
