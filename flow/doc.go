// Package flow runs a graph of stages whose results live in a store.
//
// A [Node] says what a stage is: its kind, the version of its code, its
// parameters, the nodes it reads, and the function that computes it. Its key is
// the SHA-256 over the first three and the identities of its inputs' outputs,
// so it is known when its inputs are done. [Run] looks every key up and
// computes only what the store has not: that one look-up is resume after a
// kill, caching between runs, and sharing between processes. A stage that
// recomputes to the same outputs stops the work there, because the keys of
// those who read it do not change (early cut-off).
//
// # Conventions
//
// A stage function reads its inputs through its [Task], writes its outputs
// through it, and is a pure function of its key: no clock, no randomness but
// seeded streams, the same bytes for any number of workers. It may be killed at
// any instant and run again. Outputs appear together, after it has returned.
//
// The first failure cancels the other stages; its error names the node. A panic
// in a stage is such a failure.
//
// # Processes
//
// Several processes may run graphs in one project folder. Each key is computed
// under a lock that dies with its holder: who finds it taken does other work
// and then takes the result.
//
// # Refusals
//
// Cycles, two nodes of one name, a stage that writes no output or one name
// twice, and a stage that expects more memory than the limit, before anything
// has started.
package flow
