// Package judge decides what a record of returns proves: Sharpe ratios with
// intervals, probabilistic and deflated Sharpe ratios, the record length a
// claim would need, and the gates that turn these into a verdict.
//
// # Conventions
//
// Returns are simple, on entry notional, one per period (trading day), flat
// days 0. Sharpe ratios are per period unless the name says Annual; the annual
// one is √(periods a year) times it, without an adjustment for autocorrelation,
// which the interval carries instead. Standard deviations divide by n−1.
// Kurtosis is the raw fourth moment, 3 for a normal law, everywhere.
//
// The interval of the net Sharpe ratio is SR̂ ± z·σ, with σ from the long-run
// variance (Newey and West, lag by Andrews' rule) of each day's influence on
// SR̂ (Lo 2002), so that autocorrelation, clustered volatility, skew and fat
// tails are in it. A stationary-bootstrap interval stands beside it as a check.
//
// # Deflation
//
// N counts every competing trial of the ledger, the candidate included. The
// variance of Sharpe ratios across trials is V = (1−ρ̄)/T from the trials' mean
// return correlation; with 10 or more trials the larger of that and the sample
// variance; one trial has none and its DSR is PSR(0). The form of 2014 gates;
// the form of 2026, which knows autocorrelation, is shown.
//
// # Promises, as tested
//
// The best of 1, 4 or 12 trials without skill passes the DSR gate in at most
// 5 % of records (two Monte Carlo errors allowed), where an undeflated one
// passes in 5, 19 and 46 %. A candidate whose true Sharpe ratio is the minimum
// detectable one passes in 80 %. The 95 % interval covers in 93 to 95.5 % of
// records of 500 days for autocorrelations from −0.3 to 0.3, if many of them have
// a return: with ten active days it covers in as few as 60 %, with thirty in
// 91 % or more, so a record with fewer carries a caveat and does not pass. The DSR gate
// takes returns as independent; where they follow each other it is too sure, and
// the verdict carries a caveat that quotes the form of 2026. A DSR is 1 − p of a
// one-sided test, not the probability of an edge.
//
// # Gates
//
// Each gate, when it does not hold, forces a status of its own; fail outranks
// not enough evidence, and pass means that every gate holds. A gate whose
// evidence was not supplied (or does not exist, as the Sharpe ratio of constant
// returns) forces not enough evidence.
//
//	gate          holds when                                            else
//	traded        some day has a return                                 fail
//	worthwhile    upper end of the net Sharpe interval ≥ 0.5            fail
//	cost_multiple mean net return at twice the cost > 0                 fail
//	excess_dsr    DSR of net − same-exposure benchmark ≥ 0.95           fail
//	random_entry  net Sharpe > 95th percentile of random entries        fail
//	dsr           DSR of net ≥ 0.95                                     not enough evidence
//	bets          ≥ 200 bets that do not overlap                        not enough evidence
//	days          ≥ 120 out-of-sample days                              not enough evidence
//	active_days   ≥ 30 of them with a return                            not enough evidence
//	pbo           PBO ≤ 0.5, or fewer than 10 effective configurations  not enough evidence
//
// A pass reads "passed on development data; not confirmed" until the lockbox is
// opened.
//
// # Refusals
//
// Kurtosis below 1 or below 1 + skew² (an excess kurtosis in disguise), NaN or
// infinite returns, days out of order, unequal lengths, a ledger key with two
// contents, columns of prices where returns should be. Nothing here reads files
// or draws from a global source.
package judge
