package xgboost

import (
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Ensemble is the model in the form of all styles, with the same scores bit for
// bit: for explanations and for the files of other libraries.
func (b *Booster) Ensemble() *ensemble.Ensemble {
	e := &ensemble.Ensemble{Style: "xgboost", Objective: b.loss.Name, Columns: b.Names(), Classes: append([]int8(nil), b.classes...), Single: true, Extra: map[string]float64{}}
	for _, v := range b.base {
		e.Base = append(e.Base, float64(v))
	}
	switch b.loss.Name {
	case core.Softprob:
		e.Link = ensemble.Softmax
	case core.Logistic:
		e.Link = ensemble.Logistic
		e.Extra["scale_pos_weight"] = float64(b.loss.PosWeight)
	case core.Quantile:
		e.Extra["quantile_alpha"] = float64(b.loss.Alpha)
	case core.PseudoHuber:
		e.Extra["huber_slope"] = float64(b.loss.Slope)
	}
	for i, t := range b.trees {
		e.Trees = append(e.Trees, ensemble.Tree{Nodes: nodes(t), Class: i % b.loss.K, Width: 1})
	}
	return e
}

// Ensemble is that of [Booster.Ensemble].
func (c *Classifier) Ensemble() *ensemble.Ensemble { return c.b.Ensemble() }
