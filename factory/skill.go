package factory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// skillEnsemble is an ensemble as the skill stage sees it.
type skillEnsemble struct {
	Name   string   `yaml:"name"`
	Use    string   `yaml:"use"`
	Config any      `yaml:"config"`
	Bases  []string `yaml:"bases"`
}

// baseline is the learner that all others are compared with.
const baseline = "logistic"

const (
	skillDraws = 400 // of the block bootstrap
	skillBins  = 10  // of a reliability curve
)

type skillParams struct {
	Models    []string        `yaml:"models"`
	Ensembles []skillEnsemble `yaml:"ensembles"`
	Baseline  string          `yaml:"baseline"` // one of the models, or ""
	Seed      uint64          `yaml:"seed"`
	Draws     int             `yaml:"draws"`
	Bins      int             `yaml:"bins"`
}

// skillNode is the stage that measures probabilities out of fold. Inputs:
// labels, folds, then for each model (ascending) its k-fold fits.
func (l *line) skillNode(models []string, ens []skillEnsemble, inputs []*flow.Node) (*flow.Node, error) {
	k := l.rec.Split.KFold.K
	p := skillParams{Models: models, Ensembles: ens, Seed: l.rec.Seed, Draws: skillDraws, Bins: skillBins}
	for _, m := range slices.Backward(l.rec.Models) {
		if m.Use == baseline {
			p.Baseline = m.Name
		}
	}
	return l.node("skill", "skill", p, l.size.skill(len(models), len(models)+len(ens)), inputs, func(ctx context.Context, t *flow.Task) error {
		s, err := l.readLabels(t, 0)
		if err != nil {
			return err
		}
		fs, err := l.readFolds(t, 1)
		if err != nil {
			return err
		}
		preds := map[string][]*probabilities{}
		for b, name := range models {
			for f := range k {
				q, err := l.readProb(t, 2+b*k+f)
				if err != nil {
					return err
				}
				preds[name] = append(preds[name], q)
			}
		}
		out, prob, err := measureSkill(ctx, l.f.Catalogue.Ensembles, p, s, fs.KFold, preds, t.Workers)
		if err != nil {
			return err
		}
		decisions := decisionsOf(s)
		for i := range out {
			if err := writeFrame(t, oofName(out[i].Name), prob[i].frame(decisions)); err != nil {
				return err
			}
		}
		return writeJSON(t, "skill.json", out)
	}, "ensemble", "calibrate", "stat")
}

// oofName is the output of the skill stage that holds a strategy's out-of-fold
// probabilities.
func oofName(strategy string) string { return "oof-" + strategy + ".arrow" }

// measureSkill compares every model's out-of-fold probabilities, and every
// ensemble's, cross-fitted, with the class shares of the training rows. It
// measures up to workers of them at once; the result does not depend on it. The
// probabilities that were measured come with it, in the same order.
func measureSkill(ctx context.Context, reg *ensemble.Registry, p skillParams, s *label.Set, kf []fold, preds map[string][]*probabilities, workers int) ([]Skill, []*probabilities, error) {
	m, err := newMeasure(p, s, kf)
	if err != nil {
		return nil, nil, err
	}
	sf, err := inside(m.test, kf)
	if err != nil {
		return nil, nil, err
	}
	collect := func(bases []string) (*ensemble.OOF, error) {
		all := make([][]*probabilities, len(bases))
		for b, name := range bases {
			all[b] = preds[name]
		}
		return collectOOF(ensemble.Provenance{Use: ensemble.KFold}, bases, s, m.test, kf, all)
	}
	if p.Baseline != "" {
		o, err := collect([]string{p.Baseline})
		if err != nil {
			return nil, nil, err
		}
		if m.baseline, err = stat.LogLosses(nil, o.Prob[0].Prob, model.K, m.index); err != nil {
			return nil, nil, fmt.Errorf("skill of %s: %w", p.Baseline, err)
		}
	}
	single := func(name string) (Skill, *model.Prediction, error) {
		o, err := collect([]string{name})
		if err != nil {
			return Skill{}, nil, err
		}
		sk, err := m.of(name, o.Prob[0])
		return sk, o.Prob[0], err
	}
	combined := func(e skillEnsemble) (Skill, *model.Prediction, error) {
		o, err := collect(e.Bases)
		if err != nil {
			return Skill{}, nil, err
		}
		entry, ok := reg.Entry(e.Use)
		if !ok {
			return Skill{}, nil, fmt.Errorf("factory: no ensemble is called %q", e.Use)
		}
		method, err := entry.New(e.Config)
		if err != nil {
			return Skill{}, nil, err
		}
		q, err := ensemble.CrossFit(ctx, model.Env{Workers: 1, Stream: rng.New(p.Seed).Stream("crossfit").Stream(e.Name)}, method, o, sf)
		if err != nil {
			return Skill{}, nil, err
		}
		sk, err := m.of(e.Name, q)
		return sk, q, err
	}
	// The ensembles take longest and go first.
	n := len(p.Models) + len(p.Ensembles)
	out, prob, errs := make([]Skill, n), make([]*probabilities, n), make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(1, min(workers, n)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if errs[i] = ctx.Err(); errs[i] != nil {
					continue
				}
				var q *model.Prediction
				if i < len(p.Models) {
					out[i], q, errs[i] = single(p.Models[i])
				} else {
					out[i], q, errs[i] = combined(p.Ensembles[i-len(p.Models)])
				}
				if errs[i] == nil {
					prob[i] = &probabilities{Row: m.test, Prob: q.Prob}
				}
			}
		}()
	}
	for i := n - 1; i >= 0; i-- {
		next <- i
	}
	close(next)
	wg.Wait()
	return out, prob, errors.Join(errs...)
}

// measure is what all strategies are measured on: the tested decisions in order
// of time, what came true, and the losses of the prior.
type measure struct {
	p          skillParams
	test       rows
	class      []int8
	index      []int // of the class
	weight     []float64
	begin, end []int64
	prior      []float64 // loss of each row
	baseline   []float64 // loss of each row; nil if there is none
}

// newMeasure computes the prior of each row: the class shares of the rows that
// trained its fold, one row added to each class so that none has share 0.
func newMeasure(p skillParams, s *label.Set, kf []fold) (*measure, error) {
	m := &measure{p: p}
	for _, f := range kf {
		m.test = append(m.test, f.Test...)
	}
	slices.Sort(m.test)
	n := len(m.test)
	m.class, m.index, m.begin, m.end = make([]int8, n), make([]int, n), make([]int64, n), make([]int64, n)
	spans := spansOf(s, m.test)
	for i, d := range m.test {
		m.class[i], m.index[i] = s.Class[d], model.ClassIndex(s.Class[d])
		m.begin[i], m.end[i] = spans[i].Decision, spans[i].Outcome
	}
	m.weight = label.Uniqueness(spans)
	prior := make([]float64, n*model.K)
	for _, f := range kf {
		var share [model.K]float64
		for _, d := range f.Train {
			share[model.ClassIndex(s.Class[d])]++
		}
		for i := range share {
			share[i] = (share[i] + 1) / (float64(len(f.Train)) + model.K)
		}
		at, err := positions(m.test, f.Test)
		if err != nil {
			return nil, err
		}
		for _, i := range at {
			copy(prior[i*model.K:], share[:])
		}
	}
	var err error
	m.prior, err = stat.LogLosses(nil, prior, model.K, m.index)
	return m, err
}

// of measures one strategy's probabilities of the tested decisions.
func (m *measure) of(name string, q *model.Prediction) (Skill, error) {
	fail := func(err error) (Skill, error) { return Skill{}, fmt.Errorf("skill of %s: %w", name, err) }
	loss, err := stat.LogLosses(nil, q.Prob, model.K, m.index)
	if err != nil {
		return fail(err)
	}
	gain := make([]float64, len(loss))
	for i := range loss {
		gain[i] = m.prior[i] - loss[i]
	}
	stream := rng.New(m.p.Seed).Stream("skill").Stream(name)
	li, err := stat.MeanInterval(loss, m.begin, m.end, m.p.Draws, 0.95, stream.Stream("loss"))
	if err != nil {
		return fail(err)
	}
	gi, err := stat.MeanInterval(gain, m.begin, m.end, m.p.Draws, 0.95, stream.Stream("skill"))
	if err != nil {
		return fail(err)
	}
	out := Skill{Name: name, Rows: len(m.test), LogLoss: li.Value, LogLossLow: li.Low, LogLossHi: li.High,
		Prior: stat.Mean(m.prior), Skill: gi.Value, SkillLow: gi.Low, SkillHi: gi.High}
	if m.baseline != nil && name != m.p.Baseline {
		for i := range loss {
			gain[i] = m.baseline[i] - loss[i]
		}
		ci, err := stat.MeanInterval(gain, m.begin, m.end, m.p.Draws, 0.95, stream.Stream("baseline"))
		if err != nil {
			return fail(err)
		}
		out.Against = &Comparison{Name: m.p.Baseline, LogLoss: stat.Mean(m.baseline), Gain: ci.Value, GainLow: ci.Low, GainHi: ci.High}
	}
	var tables [][]calibrate.Bin
	for c := int8(-1); c <= 1; c++ {
		bins, err := calibrate.Reliability(q, m.class, m.weight, c, m.p.Bins)
		if err != nil {
			return fail(err)
		}
		var curve []RelyBin
		for _, b := range bins {
			curve = append(curve, RelyBin{N: b.Rows, Predicted: b.Predicted, Happened: b.Observed})
		}
		out.Curves = append(out.Curves, curve)
		tables = append(tables, bins)
	}
	if out.ECE, err = calibrate.ECEOf(tables); err != nil {
		return fail(err)
	}
	return out, nil
}
