// Package command holds what each command of the program does: one function a
// command, from a request to a result that can be printed or written as JSON.
//
// The program itself (cmd/mlfactory) parses flags, calls one function of this
// package and prints. What is here joins the packages that know nothing of
// each other: it reads a recipe, runs it, audits it, writes the run folder,
// and keeps the record of the run in the store.
//
// # Run
//
// [Project.Run] gives a run an identity before anything is computed: the digest
// of the resolved recipe, in which every data file stands by the digest of its
// content, and of the code. The same identity again is another attempt at the
// same run. A run whose stages are all there and whose folder holds what it
// should does no work: the folder's files are compared with the digests that
// were recorded when they were written.
//
// # Refusals
//
// Nothing here prints, reads flags or the environment. Errors say what kind
// they are ([ErrUsage], [ErrData], [ErrFound]), from which the program makes
// its exit code.
package command
