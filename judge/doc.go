// Package judge decides what a record of returns proves: Sharpe ratios with
// intervals, probabilistic and deflated Sharpe ratios, the record length a
// claim would need, and the gates that turn these into a verdict.
package judge
