// Package trade turns predictions into trades and trades into returns.
//
//   - [FitPayoff] learns from training rows what each class pays on each side;
//     [Rule.Sides] trades the side whose expected net return is high enough.
//   - [Simulate] follows the signals bar by bar, one position at a time, and
//     marks it to market every day.
//   - [Result] holds the record and what it is compared with: the same trades at
//     another cost, the same exposure without timing, buy and hold, and random
//     entries ([Result.AtCost], [Result.SameExposure], [Result.BuyAndHold],
//     [Result.Random]).
//
// # Conventions
//
// A position is one unit of notional, entered and left at the prices of its
// row's label: a trade's entry, exit and net return are those of the label, and
// [Simulate] refuses to go on where they are not. A signal that comes while a
// position is open is ignored; one whose decision falls on the instant of the
// exit is not. Returns are simple returns on entry notional, one per session
// (UTC day in a continuous market), 0 on days without a position; equity is
// their running sum, not a product, because the notional does not grow.
//
// # Refusals
//
// Nothing here says whether a record is good: intervals, deflation and gates
// are the business of package judge. There are no currency amounts, no margin
// and no market impact.
package trade

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/view"
)

// Sides that a rule may trade.
const (
	Both  = "both"
	Long  = "long"
	Short = "short"
)

// Rule decides which side to trade.
type Rule struct {
	Threshold float64 `yaml:"threshold" doc:"expected net return per trade above which a side is traded, as a fraction of notional" min:"-1" max:"1" search:"float 0 0.002"`
	Side      string  `yaml:"side" doc:"which sides may be traded" enum:"both,long,short"`
}

// DefaultRule trades both sides whose expected net return exceeds 0.
func DefaultRule() Rule { return Rule{Side: Both} }

// Validate checks every field.
func (r Rule) Validate() error { return param.Check(r) }

// Payoff is the mean net return of each side by class, from training rows.
type Payoff struct {
	Long, Short [model.K]float64 // classes −1, 0, +1
	Rows        [model.K]int
}

// FitPayoff is the weighted mean net return of a long and of a short by class,
//
//	E[r_c|side] = Σ_{i: class c} w_i·r_i / Σ_{i: class c} w_i
//
// over the rows of v, which must be training (or calibration) rows. A class
// without rows, or without weight, takes the mean over all rows: nothing is
// known of it. Errors: no rows, parts missing, a return that is not finite, a
// weight that is negative or not finite.
func FitPayoff(v view.View) (Payoff, error) {
	var p Payoff
	n := len(v.Class)
	if n == 0 || len(v.NetLong) != n || len(v.NetShort) != n || v.Weight != nil && len(v.Weight) != n {
		return p, fmt.Errorf("trade: payoff of %d classes, %d long and %d short returns, %d weights: want as many of each, and at least one",
			n, len(v.NetLong), len(v.NetShort), len(v.Weight))
	}
	var w, long, short [model.K]float64
	for i, c := range v.Class {
		if c < -1 || c > 1 {
			return p, fmt.Errorf("trade: payoff: row %d has class %d", i, c)
		}
		if !finite(v.NetLong[i]) || !finite(v.NetShort[i]) {
			return p, fmt.Errorf("trade: payoff: row %d has net returns %v and %v; give rows labelled on both sides", i, v.NetLong[i], v.NetShort[i])
		}
		k, weight := model.ClassIndex(c), 1.0
		if v.Weight != nil {
			weight = v.Weight[i]
		}
		if !finite(weight) || weight < 0 {
			return p, fmt.Errorf("trade: payoff: row %d has weight %v, want at least 0", i, weight)
		}
		p.Rows[k]++
		w[k] += weight
		long[k] += float64(weight * v.NetLong[i])
		short[k] += float64(weight * v.NetShort[i])
	}
	total := w[0] + w[1] + w[2]
	if !(total > 0) {
		return p, fmt.Errorf("trade: payoff: the weights of %d rows sum to %v", n, total)
	}
	for k := range w {
		if w[k] > 0 {
			p.Long[k], p.Short[k] = long[k]/w[k], short[k]/w[k]
		} else {
			p.Long[k], p.Short[k] = (long[0]+long[1]+long[2])/total, (short[0]+short[1]+short[2])/total
		}
	}
	return p, nil
}

// Expected is the expected net return of a long and of a short: Σ_c p_c·E[r_c|side].
func (p Payoff) Expected(prob []float64) (long, short float64) {
	for c, x := range prob {
		long += float64(x * p.Long[c])
		short += float64(x * p.Short[c])
	}
	return long, short
}

// Sides is the rule's signal for every row of a prediction of three calibrated
// class probabilities: the allowed side with the larger expected net return
// when that exceeds the threshold, else 0; a tie between the sides is no
// signal. expected holds the larger expectation of the allowed sides, by row.
func (r Rule) Sides(p Payoff, pred *model.Prediction) (sides []int8, expected []float64, err error) {
	if err := r.Validate(); err != nil {
		return nil, nil, fmt.Errorf("trade: rule: %w", err)
	}
	if pred.K != model.K {
		return nil, nil, fmt.Errorf("trade: rule: prediction of %d classes, want %d", pred.K, model.K)
	}
	if err := pred.Check(); err != nil {
		return nil, nil, fmt.Errorf("trade: rule: %w", err)
	}
	sides, expected = make([]int8, pred.N), make([]float64, pred.N)
	for i := range pred.N {
		long, short := p.Expected(pred.Row(i))
		side := int8(0)
		switch {
		case r.Side == Long:
			side, expected[i] = 1, long
		case r.Side == Short:
			side, expected[i] = -1, short
		case long > short:
			side, expected[i] = 1, long
		case short > long:
			side, expected[i] = -1, short
		default:
			expected[i] = long
		}
		if expected[i] > r.Threshold {
			sides[i] = side
		}
	}
	return sides, expected, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
