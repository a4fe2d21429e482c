// Package forest grows random forests (Breiman 2001) and extremely randomised
// trees (Geurts, Ernst and Wehenkel 2006) with the names, defaults and rules of
// scikit-learn 1.9: classifiers of two or three classes, regression, and the
// quantile forest of Meinshausen (2006).
//
// # Trees
//
// A tree is grown depth-first to pure leaves unless a limit says otherwise.
// Every node draws max_features columns without replacement, goes on while all
// of them are constant, and takes the split of least weighted impurity; x ≤
// threshold goes left, and the threshold lies in the middle between two
// neighbouring values. Missing values are tried on both sides and take the
// better one; where a node has seen none, they follow the larger child.
// Extra trees draw one threshold a column, uniformly between its least and
// largest value in the node, and a side for the missing values.
//
// A random forest searches the bins of package core (at most 255 values or
// ranges a column), extra trees search the values. On columns of at most 255
// distinct values a tree is that of scikit-learn's DecisionTree up to ties.
// Elsewhere the candidates of a random forest are the borders of the bins,
// which move a threshold by less than 1/255 of the rows. Scikit-learn calls a
// column constant in a node if it varies by less than 1e-7; here it must not
// vary at all, so the scale of a column does not matter.
//
// With monotonic_cst a split of a named column must not turn the order of its
// children against the direction, values below stay on their side of the middle
// of the two, and leaves are clipped to that: for two classes or a number, not
// for three classes, as in scikit-learn, nor for quantiles.
//
// # Samples
//
// With bootstrap a tree sees max_samples draws with replacement, each row with
// probability proportional to its weight, and every draw counts 1; without, it
// sees all rows with their weights. Labels that overlap in time are no
// independent rows: max_samples: uniqueness draws n times the mean uniqueness
// of the labels (López de Prado 2018, §6.3), and sampling: sequential draws
// each row with a probability proportional to its uniqueness among those
// already drawn (§4.5). Both need the spans of the labels.
//
// # Out of bag
//
// A row is judged by the trees that did not draw it. With overlapping labels
// such a tree has seen its neighbours, which share its outcome, and the score
// flatters: that is why oob_purge drops the trees that drew any row whose span
// meets the row's. If a label meets m others and a share s of the rows is
// drawn, a tree remains with a probability of about (1−s)^(m+1), so it takes
// small samples; rows without a tree have no prediction and are counted. Out of
// bag is never forward in time, and it is no replacement for a purged split.
//
// # Sums
//
// Weights are integers in units of a power of two, at most 2³⁸ in a tree:
// counts and dyadic weights are exact, any other weight is rounded to about
// seven digits of the mean weight. Each class has a 64-bit lane of its bin, with the
// number of rows in its lower bits, so a row costs one addition whatever its
// weight. Sums are exact, so nothing depends on the number of workers; a tree
// is grown by one goroutine, from its own random stream.
//
// # Refusals
//
// Infinite inputs, a single class, more than three classes, weights that are
// negative, not finite or more than 2³⁶ apart, targets that are not finite,
// and options that would have no effect are errors. absolute_error is left
// out: it needs medians, which no sum gives, and the quantile forest predicts
// medians.
package forest
