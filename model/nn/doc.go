// Package nn holds neural networks that classify decisions: one file an
// architecture, each readable on its own beside its paper.
//
// # From rows to probabilities
//
// An architecture is a configuration and a network: parameters and a function
// from rows to logits (package tape). Inputs are standardised by the weighted
// means and deviations of the training rows, cut at ±clip, and a missing value
// becomes 0, with a column of its own that says so where the training rows have
// any (scale.go). Package trainer fits. Several seeds make several networks from
// the same rows, whose probabilities are averaged.
//
// # Files
//
// A fitted network is an artifact whose payload is the configuration, the scales
// and the weights in the safetensors layout, with the names and shapes a PyTorch
// user expects (hidden.0.weight of out×in, for example).
//
// # Refusals
//
// Those of package model: infinite inputs, one class, other columns, damaged
// files. A fit whose loss stops being finite ends with the best weights so far or
// with an error that names epoch and step.
package nn
