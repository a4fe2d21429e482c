// Package linear holds the linear learners. There is one: "logistic",
// multinomial logistic regression with an L2 or elastic-net penalty.
//
// With classes c = −1, 0, +1, inputs x standardised inside the fit, weights w
// and P(c|x) = e^{z_c} / Σ_d e^{z_d}, z_c = a_c + Σ_j b_cj x_j, it minimises
//
//	Σ_i w_i · (−ln P(y_i|x_i)) + (1/C) · [ (1−ρ)/2 · Σ b² + ρ · Σ |b| ]
//
// (ρ is l1_ratio; Zou & Hastie 2005, "Regularization and Variable Selection
// via the Elastic Net", eq. 3; the intercepts a are free). It is the objective
// of scikit-learn's LogisticRegression. The weights are used as they are, not
// rescaled: they sum to the effective number of rows, and against that number
// the penalty, a prior of variance C on each standardised coefficient, is held.
//
// # Inputs
//
// Everything learnt about the inputs is learnt from the training rows with a
// positive weight: per column the weighted mean μ and the population standard
// deviation σ of the values present. An input becomes (x−μ)/σ, cut at ±clip
// (heavy tails are normal in market data; clip 0 switches it off, save for
// ±1e30), rounded to float32. A missing value (NaN) becomes the mean, 0 after
// scaling; the weighted share of missing values is kept per column
// ([Logistic.Missing]). A column that is constant or wholly missing has
// coefficient 0.
//
// # What it refuses
//
// ±Inf inputs, no row with weight, weights whose sum is beyond 1e±250, one class
// only ([model.ErrOneClass]), other columns at prediction than at the fit. A class that is absent from training
// (the other two being present) gets probability 0 exactly.
//
// # Method
//
// L2: limited-memory BFGS (Liu & Nocedal 1989) in which the first inverse
// Hessian is that of the model without skill, (diag π − ππᵀ) ⊗ XᵀWX + λI,
// inverted once per eigenvector of its left factor; market data hold so little
// signal that this is nearly Newton's method. Elastic net: accelerated proximal
// gradient (Beck & Teboulle 2009, with the restart of O'Donoghue & Candès 2015)
// in the metric L·XᵀWX, whose proximal step is a lasso solved by coordinate
// descent on the Gram matrix (Friedman, Hastie & Tibshirani 2010, §2.2), so
// coefficients are exactly 0, not nearly. All sums run over fixed blocks merged
// in index order: the bytes do not depend on the number of workers.
package linear
