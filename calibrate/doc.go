// Package calibrate makes predicted probabilities mean what they say, and
// measures how far they do.
//
// A [Calibrator] is fitted on rows of its own, Fold.Calib: neither the training
// rows nor those that stopped the fit early nor those that are reported. Three
// maps are offered, with z_c = ln p_c:
//
//	temperature   q ∝ e^{z_c/T}, 0.05 ≤ T ≤ 20        (Guo, Pleiss, Sun & Weinberger 2017, §4.2)
//	vector        q ∝ e^{a_c·z_c + b_c}               (the same)
//	platt         q = 1/(1 + e^{A·f + B}), f = ln p/(1−p), for two classes (Platt 1999)
//
// Temperature keeps the ranking of classes within a row; vector need not.
// Market probabilities differ little from row to row, so a few hundred rows say
// little about T. Two rules keep it sturdy: below Config.MinRows effective rows
// the map is the identity, with the reason kept; and a normal prior holds ln T
// near 0 (a_c near 1 and b_c near 0), which a few thousand rows outweigh.
//
// Classes are −1, 0, +1 by position, never inferred from the labels at hand. A
// probability of exactly 0 is a class that the model never saw and stays 0;
// rows of such a class tell nothing about the map and are left out of the fit.
//
// The package refuses predictions that are no distributions, and rows without
// weight.
package calibrate
