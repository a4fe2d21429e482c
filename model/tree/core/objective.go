package core

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Objective is a loss that the caller brings, for the boosters of every style.
// Its methods must be pure functions of their arguments; Gradients is called
// from several goroutines at once, for different rows.
type Objective interface {
	// Name is written to the model. It must not be that of a built-in loss.
	Name() string
	// Scores is the number of raw scores of a row, k.
	Scores() int
	// Link says what the scores mean.
	Link() ensemble.Link
	// Check returns what is wrong with a target or label, nil if nothing is.
	Check(y float64) error
	// Base estimates k initial scores.
	Base(t *Targets) []float64
	// Gradients writes the first and second derivatives of the loss of every
	// given row by each of its scores, times the weight of the row, to g[c][i]
	// and h[c][i]. score holds k values a row. h must not be negative.
	Gradients(rows []uint32, t *Targets, score []float32, g, h [][]float32)
	// Mean is the weighted mean loss of all rows: early stopping follows it.
	Mean(t *Targets, score []float32) float64
}

// NewCustom is the loss of an objective from outside.
func NewCustom(o Objective) (Loss, error) {
	k, name := o.Scores(), o.Name()
	switch {
	case name == "":
		return Loss{}, fmt.Errorf("model/tree: the custom objective has no name")
	case name == Softprob || name == Logistic || name == SquaredError || name == Quantile || name == PseudoHuber:
		return Loss{}, fmt.Errorf("model/tree: the custom objective is called %q like a built-in one; give it another name", name)
	case k < 1:
		return Loss{}, fmt.Errorf("model/tree: the custom objective %q has %d scores a row", name, k)
	case o.Link() == ensemble.Logistic && k != 1 || o.Link() > ensemble.Logistic && k < 2:
		return Loss{}, fmt.Errorf("model/tree: the custom objective %q has %d scores a row, which do not fit its link", name, k)
	}
	return Loss{Name: name, K: k, PosWeight: 1, Custom: o}, nil
}

// Link is what the raw scores mean.
func (l *Loss) Link() ensemble.Link {
	switch {
	case l.Custom != nil:
		return l.Custom.Link()
	case l.Name == Softprob:
		return ensemble.Softmax
	case l.Name == Logistic:
		return ensemble.Logistic
	}
	return ensemble.Identity
}

// Classifies reports whether targets are the numbers of classes.
func (l *Loss) Classifies() bool {
	return l.Custom == nil && (l.Name == Softprob || l.Name == Logistic)
}

// check returns what is wrong with the target y, nil if nothing is.
func (l *Loss) check(y float64) error {
	switch {
	case l.Custom != nil:
		if !Finite32(float32(y)) {
			return fmt.Errorf("it must be finite")
		}
		return l.Custom.Check(y)
	case !l.Classifies():
		if !Finite32(float32(y)) || math.Abs(y) > 1e18 {
			return fmt.Errorf("it must be finite and at most 1e18 in size")
		}
	default:
		if limit := max(l.K, 2); !(y >= 0 && y < float64(limit)) || y != math.Trunc(y) {
			return fmt.Errorf("%s wants 0 to %d", l.Name, limit-1)
		}
	}
	return nil
}

// custom calls the objective from outside and adds up what it gives. A value
// that cannot be used makes the sums NaN.
func (l *Loss) custom(rows []uint32, t *Targets, score []float32, g, h [][]float32, sums []float64) {
	l.Custom.Gradients(rows, t, score, g, h)
	clear(sums)
	for c := range l.K {
		gc, hc := g[c], h[c]
		for _, i := range rows {
			if !(hc[i] >= 0) {
				sums[l.K+c] = math.NaN()
			}
			sums[c] += math.Abs(float64(gc[i]))
			sums[l.K+c] += float64(hc[i])
		}
	}
}

// CheckGradients refuses gradients that cannot be used, by the sums that
// [Loss.Gradients] made over the given rows.
func (l *Loss) CheckGradients(rows []uint32, g, h [][]float32, sums []float64) error {
	good := true
	for _, s := range sums {
		good = good && s < math.MaxFloat32 // false for NaN
	}
	if good {
		return nil
	}
	for _, i := range rows {
		for c := range g {
			if !Finite32(g[c][i]) || !Finite32(h[c][i]) || h[c][i] < 0 {
				return fmt.Errorf("model/tree: objective %q gives row %d of the training rows the gradient %v and the hessian %v for score %d; both must be finite and the hessian not negative", l.Name, i, g[c][i], h[c][i], c)
			}
		}
	}
	return fmt.Errorf("model/tree: the gradients of objective %q sum to more than a float32 holds; scale the target or the weights", l.Name)
}
