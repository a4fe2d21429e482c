// Package report shows what a run found out: to a person as one HTML page and a
// table in the terminal, to programs as summary.json and Parquet files.
//
// [Files] is the whole run folder but for the two things that are not
// reproducible, timing.json and the logs:
//
//	summary.json               every number that a verdict rests on; docs/summary.md describes each key
//	report.html                the same for the eye, one file, nothing is loaded from the network
//	recipe.yaml                the resolved recipe
//	MARKET/features.parquet    what models may look at, one row per decision
//	MARKET/labels.parquet      one row per decision that has a label
//	MARKET/unlabelled.parquet  the other decisions, with the reason
//	MARKET/predictions.parquet probabilities and signals, one row per decision, strategy and scheme
//	MARKET/trades.parquet      one row per trade and strategy
//	MARKET/daily.parquet       one row per trading date and strategy
//	MARKET/data_report.json    what was found in the bars
//	MARKET/ledger.json         the trials that the verdict counts
//
// # Conventions
//
// The column scheme of predictions.parquet is walk_forward or kfold. Rows of the
// walk-forward are calibrated and were traded: side is what the rule took,
// expected_net what it expected. Rows of the k-fold are out of fold over all of
// development (an ensemble's cross-fitted), not calibrated and never traded:
// side is 0, expected_net NaN. With the classes of labels.parquet they give the
// oof numbers of summary.json.
//
// Instants in files are UTC; the column time is the decision, that is, when the
// row's inputs were known. Returns are fractions of the entry notional, Sharpe
// ratios annual. A number that does not exist is null in JSON, NaN in Parquet
// and a dash with its reason on the page; nothing else ever stands for "unknown".
//
// Everything here is a pure function of the outcomes: the same run gives the
// same bytes, whenever and wherever it is reported.
//
// # Refusals
//
// Nothing is judged here: sentence, status and gates are the judge's, word for
// word. A chart never has more than [MaxBars] bars; longer histories are
// resampled to a longer timeframe, which the chart names. A run that ended
// before anything was traded has a page too, with the reason in place of charts.
package report
