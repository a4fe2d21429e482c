package factory

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// prediction is the rows of p, which are ascending, as a model.Prediction in
// the order of want, ascending too; a row that p lacks is an error.
func (p *probabilities) prediction(want rows) (*model.Prediction, error) {
	at, err := positions(p.Row, want)
	if err != nil {
		return nil, fmt.Errorf("predictions: %w", err)
	}
	out := &model.Prediction{}
	out.Resize(len(want), model.K)
	for i, j := range at {
		copy(out.Row(i), p.Prob[3*j:3*j+3])
	}
	return out, nil
}

// positions maps decisions to their places in base; both lists are ascending. A
// decision that base lacks is an error. O(len(base) + len(r)).
func positions(base, r rows) ([]int, error) {
	out := make([]int, len(r))
	j := 0
	for i, d := range r {
		for j < len(base) && base[j] < d {
			j++
		}
		if j == len(base) || base[j] != d {
			return nil, fmt.Errorf("factory: decision %d is not among the %d rows", d, len(base))
		}
		out[i] = j
	}
	return out, nil
}

// inside maps folds in decisions to folds in positions of base.
func inside(base rows, fs []fold) ([]split.Fold, error) {
	out := make([]split.Fold, len(fs))
	for k, f := range fs {
		for _, s := range []struct {
			to   *[]int
			from rows
		}{{&out[k].Train, f.Train}, {&out[k].Stop, f.Stop}, {&out[k].Test, f.Test}} {
			var err error
			if *s.to, err = positions(base, s.from); err != nil {
				return nil, fmt.Errorf("fold %d: %w", k+1, err)
			}
		}
	}
	return out, nil
}

// collectOOF puts predictions of the folds of the given decisions together:
// preds[b][k] is base b on fold k.
func collectOOF(use ensemble.Provenance, bases []string, s *label.Set, of rows, folds []fold, preds [][]*probabilities) (*ensemble.OOF, error) {
	v := view.View{Rows: of, Spans: spansOf(s, of), Class: make([]int8, len(of))}
	for i, d := range of {
		v.Class[i] = s.Class[d]
	}
	v.Weight = label.Uniqueness(v.Spans)
	fs, err := inside(of, folds)
	if err != nil {
		return nil, err
	}
	c, err := ensemble.NewCollector(use, bases, v, fs)
	if err != nil {
		return nil, err
	}
	for b, name := range bases {
		for k, f := range folds {
			p, err := preds[b][k].prediction(f.Test)
			if err != nil {
				return nil, fmt.Errorf("base %s, fold %d: %w", name, k+1, err)
			}
			if err := c.Add(name, k, p); err != nil {
				return nil, err
			}
		}
	}
	return c.Finish()
}

// combined is one strategy's probabilities in one walk-forward step, and what
// made them.
type combined struct {
	combiner   ensemble.Combiner // nil for a single model
	calibrator *calibrate.Calibrator
	window     *probabilities // calibrated, for the decisions of the window
}

// combineSpec is the parameters of a combine stage.
type combineSpec struct {
	Use    string           `yaml:"use"` // "" for a single model
	Config any              `yaml:"config"`
	Bases  []string         `yaml:"bases"` // ascending
	Step   int              `yaml:"step"`
	Seed   uint64           `yaml:"seed"`
	Calib  calibrate.Config `yaml:"calibrate"`
}

// combineStep makes a strategy's calibrated probabilities for a step's window:
// the ensemble is fitted on inner out-of-fold predictions, applied to the final
// fits' predictions, and calibrated on the step's calibration rows.
func combineStep(ctx context.Context, reg *ensemble.Registry, spec combineSpec, s *label.Set, st *step, oof *ensemble.OOF, final []*probabilities, env model.Env) (*combined, error) {
	use := ensemble.Provenance{Use: ensemble.WalkForward, TestStart: s.Spans[st.Lo].Decision}
	env.Stream = rng.New(spec.Seed).Stream("combine", spec.Step).Stream(spec.Use)
	out := &combined{}
	if spec.Use != "" {
		e, ok := reg.Entry(spec.Use)
		if !ok {
			return nil, fmt.Errorf("factory: no ensemble is called %q", spec.Use)
		}
		m, err := e.New(spec.Config)
		if err != nil {
			return nil, err
		}
		if out.combiner, err = m.Fit(ctx, env, spec.Bases, oof, use); err != nil {
			return nil, err
		}
	}
	apply := func(r rows) (*model.Prediction, error) {
		ps := make([]*model.Prediction, len(final))
		for b, f := range final {
			p, err := f.prediction(r)
			if err != nil {
				return nil, fmt.Errorf("base %s: %w", spec.Bases[b], err)
			}
			ps[b] = p
		}
		if out.combiner == nil {
			return ps[0], nil
		}
		var p model.Prediction
		return &p, out.combiner.Apply(ctx, ps, &p)
	}
	calib, err := apply(st.Calib)
	if err != nil {
		return nil, fmt.Errorf("calibration rows: %w", err)
	}
	class := make([]int8, len(st.Calib))
	for i, d := range st.Calib {
		class[i] = s.Class[d]
	}
	if out.calibrator, err = calibrate.Fit(spec.Calib, calib, class, label.Uniqueness(spansOf(s, st.Calib))); err != nil {
		return nil, err
	}
	window := st.window()
	p, err := apply(window)
	if err != nil {
		return nil, fmt.Errorf("window: %w", err)
	}
	if err := out.calibrator.Apply(p); err != nil {
		return nil, err
	}
	out.window = &probabilities{Row: window, Prob: p.Prob}
	return out, nil
}
