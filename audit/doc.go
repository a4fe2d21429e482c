// Package audit tries to show that a run saw the future, and says what did.
//
// [Quick] runs inside every run: it replaces all bars after a cut, makes features
// and labels again, and compares what was known before the cut bit for bit. A run
// whose check finds something is never passed.
//
// # Conventions
//
// A result is a list of checks; one that finds something names the culprit: the
// stage, the column or model, the first row that moved, its time, and the values
// in both worlds. Nothing is compared with a tolerance: a value that was known
// does not move in the last bit either.
//
// # Refusals
//
// An error inside a check is a failed check, never a passed one. No check is
// skipped in silence.
package audit
