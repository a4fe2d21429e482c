// Package audit tries to show that a run saw the future, and says what did.
//
// [Quick] is the check inside every run: it replaces all bars after a cut, makes
// features and labels again, and compares what was known before the cut bit for
// bit. A run whose check finds something is never passed.
//
// [Full] looks at a recipe from the raw file to the streamed decision: worlds with
// another future, folds proved from spans, fits repeated with other labels on the
// rows that they may not learn from, 1, 2 and 4 workers, batch against stream.
//
// # Conventions
//
// A result is a list of checks; one that finds something names the culprit: the
// stage, the column, model or fold, the first row that moved, its time, and the
// values in both worlds. Nothing is compared with a tolerance: a value that was
// known does not move in the last bit either. Culprits are in the order of the way
// from bars to decisions, so that the first is the likely cause of the others.
//
// Known at a cut is a bar by its Known, a feature or decision by its row's
// decision, a label by its Outcome, a fit by the begin of the window that it is
// for.
//
// # Refusals
//
// An error inside a check is a failed check, never a passed one, and so is a check
// that compared nothing. No check is skipped in silence.
//
// # What it cannot see
//
// A choice that a person made after looking at the future, in the recipe itself;
// and with Quick a leak that shows far from its two cuts only.
package audit
