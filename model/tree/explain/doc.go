// Package explain says what the scores of an ensemble of trees are made of:
// SHAP values, partial dependence and the curves of single rows.
//
// # SHAP values
//
// The contributions of the columns to a raw score are the Shapley values of a
// game whose players are the columns: a coalition S is worth what the ensemble
// is expected to give when it knows the values of S only. With the bias, which
// is the value of nobody, they sum to the raw score. There are two meanings of
// "expected":
//
//   - [NewPath]: at a split of an unknown column, both children count by their
//     share of the training rows (Lundberg et al. 2020, TreeSHAP "path
//     dependent"; pred_contribs of XGBoost, pred_contrib of LightGBM). The
//     shares are sums of hessians ([Cover], as XGBoost has it) or numbers of
//     rows ([Count], as LightGBM has it).
//   - [NewInterventional]: the unknown columns take the values of background
//     rows, and the mean over these is taken. It says what the model does with
//     its inputs, whatever their correlation.
//
// Both are exact. Contributions are to raw scores: log-odds, for most links.
//
// # Dependence
//
// [Dependence] is the mean raw score over rows when columns are set to the
// values of a grid, [ICE] the curve of every row, [WeightedDependence] what the
// shares of the training rows give without any rows.
//
// # Refusals
//
// Trees that do not know how many rows went where, infinite inputs and
// wrong columns are errors. Results do not depend on the number of workers.
package explain
