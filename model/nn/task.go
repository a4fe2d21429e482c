package nn

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/view"
)

// task is what a network's outputs mean, as a fit has measured it.
type task struct {
	cfg *trainer.Config
	// Classes are the two classes of the task binary, −1 to +1, ascending.
	Classes []int8 `json:"classes,omitempty"`
	// Mean and Deviation are those of the targets of a regression or of
	// quantiles, which networks learn in deviations from the mean.
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
}

// checkRows is the training rows of positive weight, once their targets are those
// that the task needs.
func checkRows(c *Common, v view.View) ([]int, error) {
	if !c.Classifies() {
		return model.CheckTargets(v, true)
	}
	return model.CheckInputs(v, true)
}

// newTask measures the targets of the given training rows.
func newTask(c *Common, v view.View, rows []int) (*task, error) {
	t := &task{cfg: &c.Config, Deviation: 1}
	switch {
	case c.Task == "binary":
		var seen [model.K]bool
		for _, i := range rows {
			seen[model.ClassIndex(v.Class[i])] = true
		}
		for k, s := range seen {
			if s {
				t.Classes = append(t.Classes, int8(k-1)) // #nosec G115 -- −1 to 1
			}
		}
		if len(t.Classes) != 2 {
			return nil, fmt.Errorf("model/nn: the task binary takes two classes; the training rows have %v", t.Classes)
		}
	case !c.Classifies() && c.Trained() != "sharpe":
		weight := func(i int) float64 {
			if v.Weight == nil {
				return 1
			}
			return v.Weight[i]
		}
		sum, total := 0.0, 0.0
		for _, i := range rows {
			sum += float64(weight(i) * v.Target[i])
			total += weight(i)
		}
		t.Mean = sum / total
		square := 0.0
		for _, i := range rows {
			d := v.Target[i] - t.Mean
			square += float64(weight(i) * d * d)
		}
		t.Deviation = math.Sqrt(square / total)
	}
	return t, nil
}

// bind gives the task of a file its configuration. A file without one is of classes.
func (t *task) bind(c *Common) error {
	if t == nil {
		return errors.New("it does not say what its outputs mean")
	}
	t.cfg = &c.Config
	if two := c.Task == "binary"; two != (len(t.Classes) == 2) || two && !(-1 <= t.Classes[0] && t.Classes[0] < t.Classes[1] && t.Classes[1] <= 1) {
		return fmt.Errorf("the classes are %v", t.Classes)
	}
	if !(t.Deviation > 0) || t.Deviation-t.Deviation != 0 || t.Mean-t.Mean != 0 {
		return fmt.Errorf("targets have mean %v and deviation %v", t.Mean, t.Deviation)
	}
	return nil
}

// outputs is the number of outputs of a network for the task.
func (t *task) outputs() int { return t.cfg.Outputs(model.K) }

// class is the index of class c for the trainer, −1 if it is none of the task's.
func (t *task) class(c int8) int {
	if c < -1 || c > 1 {
		return -1
	}
	if t.cfg.Task != "binary" {
		return model.ClassIndex(c)
	}
	for k, x := range t.Classes {
		if c == x {
			return k
		}
	}
	return -1
}

// data gives the targets and weights of rows to the trainer.
func (t *task) data(d *trainer.Data, v view.View, rows []int) error {
	if v.Weight != nil {
		d.Weight = make([]float32, len(rows))
		for k, i := range rows {
			d.Weight[k] = float32(v.Weight[i])
		}
	}
	if t.cfg.Classifies() {
		d.Class = make([]int, len(rows))
		for k, i := range rows {
			if d.Class[k] = t.class(v.Class[i]); d.Class[k] < 0 {
				return fmt.Errorf("row %d has class %d, which is none of the task %s", i, v.Class[i], t.cfg.Task)
			}
		}
		if t.cfg.Trained() != "sharpe" {
			return nil
		}
		if v.NetLong == nil || v.NetShort == nil {
			return errors.New("the loss sharpe needs the returns of the rows (long and short); the view has none")
		}
	}
	d.Target = make([]float32, len(rows))
	for k, i := range rows {
		y := 0.0
		if t.cfg.Classifies() {
			// Costs count against both sides: half the difference is free of them.
			y = (v.NetLong[i] - v.NetShort[i]) / 2
		} else {
			y = (v.Target[i] - t.Mean) / t.Deviation
		}
		if d.Target[k] = float32(y); y-y != 0 || math.IsInf(float64(d.Target[k]), 0) {
			return fmt.Errorf("row %d has the target or return %v; they are finite", i, y)
		}
	}
	return nil
}

// stopRows checks stop rows and lists those of positive weight.
func (t *task) stopRows(v view.View) ([]int, error) {
	if t.cfg.Classifies() && v.Class == nil {
		return nil, errors.New("model/nn: the stop view has no classes")
	}
	if !t.cfg.Classifies() && v.Target == nil {
		return nil, errors.New("model/nn: the stop view has no targets")
	}
	for _, w := range v.Streams {
		if err := finite(w, nil); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
	}
	var rows []int
	for i := range v.Len() {
		if t.cfg.Classifies() && t.class(v.Class[i]) < 0 {
			return nil, fmt.Errorf("model/nn: stop row %d has class %d, which is none of the task %s", i, v.Class[i], t.cfg.Task)
		}
		if v.Weight == nil {
			rows = append(rows, i)
			continue
		}
		if w := v.Weight[i]; !(w >= 0) || w-w != 0 {
			return nil, fmt.Errorf("model/nn: stop row %d has weight %v; weights are finite and at least 0", i, w)
		} else if w > 0 {
			rows = append(rows, i)
		}
	}
	return rows, nil
}

// resize makes room for n rows.
func (t *task) resize(p *model.Prediction, n int) {
	switch t.cfg.Task {
	case "classes", "binary":
		p.Resize(n, model.K)
	case "quantiles":
		p.ResizeTargets(n, t.cfg.Quantiles)
	default:
		p.ResizeTargets(n, nil)
	}
}

// width is the number of values of a row of a prediction.
func (t *task) width() int {
	if t.cfg.Classifies() {
		return model.K
	}
	return t.outputs()
}

// values are the predictions in p, width a row.
func (t *task) values(p *model.Prediction) []float64 {
	switch {
	case t.cfg.Classifies():
		return p.Prob
	case t.cfg.Task == "quantiles":
		return p.Quantiles
	}
	return p.Mean
}

// add adds share times what one row of outputs says to out.
func (t *task) add(out []float64, z []float32, share float64) {
	switch {
	case t.cfg.Task == "classes":
		var p [model.K]float64
		for c, v := range z {
			p[c] = float64(v)
		}
		model.Softmax(p[:], p[:])
		for c, v := range p {
			out[c] += float64(v * share)
		}
	case t.cfg.Task == "binary":
		p := [2]float64{0, float64(z[0])}
		model.Softmax(p[:], p[:])
		for k, c := range t.Classes {
			out[model.ClassIndex(c)] += float64(p[k] * share)
		}
	case t.cfg.Trained() == "sharpe":
		p := [2]float64{0, 2 * float64(z[0])}
		model.Softmax(p[:], p[:])
		out[0] += float64((p[1] - p[0]) * share)
	default:
		for j, v := range z {
			out[j] += float64(float64(v) * share)
		}
	}
}

// settle turns the sums of add into a prediction: targets in their own units, and
// quantiles in ascending order (Chernozhukov, Fernández-Val and Galichon 2010).
func (t *task) settle(out []float64) {
	if t.cfg.Classifies() || t.cfg.Trained() == "sharpe" {
		return
	}
	for j, v := range out {
		out[j] = float64(v*t.Deviation) + t.Mean
	}
	for i := 1; i < len(out); i++ {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
}
