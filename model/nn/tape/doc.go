// Package tape is automatic differentiation for small networks: tensors, a tape
// that records what made them, and layer-sized operations with their gradients.
//
// # How a step goes
//
// The rows of a mini-batch are divided into a fixed number of shards, each with
// a [Tape] of its own. A model reads inputs and parameters and calls operations
// on the tape; each computes its value at once and records how gradients flow
// back through it. The loss writes the first gradient; [Tape.Backward] runs the
// records in reverse. Gradients of a [Param] go to a buffer of the shard and are
// added up over shards in order, so that weights do not depend on how many
// workers ran the shards. [Tape.Reset] gives all memory back to the tape: after
// the first step nothing is allocated.
//
// # Conventions
//
// Everything is float32 and row-major. A [Tensor] is a matrix of rows×cols; a
// sequence of T steps of C channels for B samples is the matrix of B·T rows in
// which row b·T+t is step t of sample b. Gradients add up where a tensor is used
// twice. Operations are as large as a layer (a whole recurrence, an attention),
// because what costs in small networks is the number of operations and the trips
// to memory between them.
//
// The products are those of internal/simd/gemm and the functions those of
// internal/simd/vec: the AVX2 and AVX-512 paths give the same bits, the generic
// path differs by the rounding of products.
//
// # Refusals
//
// Shapes that do not fit are a programmer's mistake and panic with both shapes:
// a model is built from a checked configuration before a tape sees it.
package tape
