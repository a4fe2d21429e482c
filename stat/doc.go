// Package stat holds the statistics that gonum lacks and the house needs:
// sample moments with stated conventions, the normal distribution, variances
// that stand up to autocorrelation, block bootstraps on addressed random
// streams, quantiles, ranks, and the losses of probability forecasts.
//
// # Conventions
//
// Kurtosis is the raw fourth standardised moment (3 for a normal law);
// [ExcessKurtosis] is the other one. StdDev divides by n−1, [StdDevPop] by n.
// Skew and Kurtosis divide by n throughout, as Bailey and López de Prado do.
// Probabilities are n×k, row-major. Sums run from the first row to the last,
// so a result does not depend on worker counts. [Exp], [Log] and [NormalCDF]
// give the same bits on every CPU; math.Exp does not, because it uses fused
// multiply-adds where the CPU has them.
//
// # Refusals
//
// NaN in gives NaN out unless a function says otherwise. Slices of different
// lengths are a programmer's mistake and panic; data never does. Nothing here
// draws from a global source: every random function takes an rng.Stream.
package stat
