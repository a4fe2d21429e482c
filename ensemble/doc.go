// Package ensemble combines the predictions of several models ("bases").
//
// What a meta-learner may learn from is out-of-fold predictions: each row
// predicted by a model that did not train on it, nor on any row whose span
// [Decision, Outcome] shares an instant with it. [OOF] holds such predictions
// with the folds they came from, so that the claim can be proved again at any
// time ([OOF.Check]), also on the file.
//
// There are two uses of out-of-fold predictions, never mixed, and [Provenance]
// says which one a set is for. Walk-forward: all rows were known before the
// step's test start; a stack fitted on them may be applied to that step's test
// rows. K-fold: diagnostics over the whole development range; a stack fitted on
// them has seen the future of any test row inside. Handing one where the other
// is due is a [*ProvenanceError]; handing it over under a false name is caught
// by the spans.
//
// The steps of one walk-forward step are separate calls, so that each result
// can be stored under its own key:
//
//	bases fitted on inner folds' Train → Collector.Add per base and fold → Finish → OOF
//	Entry.New(config).Fit(oof) → Combiner
//	bases refitted on all training rows of the step → predictions of test rows
//	Combiner.Apply(predictions of the bases) → predictions of the ensemble
//
// Bases are in ascending order of their names, everywhere; a recipe that lists
// them differently gives the same bytes.
//
// Two methods are registered: "voting", the weighted mean of probabilities, and
// "stack_logistic", logistic regression on the bases' log-probabilities
// (Wolpert 1992, "Stacked Generalization"; the bases' probabilities rather than
// their choices, as Ting & Witten 1999 found to matter).
package ensemble
