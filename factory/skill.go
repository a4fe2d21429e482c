package factory

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/stat"
	"github.com/mlfactory/mlfactory/view"
)

// skillEnsemble is an ensemble as the skill stage sees it.
type skillEnsemble struct {
	Name   string   `yaml:"name"`
	Use    string   `yaml:"use"`
	Config any      `yaml:"config"`
	Bases  []string `yaml:"bases"`
}

const (
	skillDraws = 400 // of the block bootstrap
	skillBins  = 10  // of a reliability curve
)

type skillParams struct {
	Models    []string        `yaml:"models"`
	Ensembles []skillEnsemble `yaml:"ensembles"`
	Seed      uint64          `yaml:"seed"`
	Draws     int             `yaml:"draws"`
	Bins      int             `yaml:"bins"`
}

// skillNode is the stage that measures probabilities out of fold. Inputs:
// labels, folds, then for each model (ascending) its k-fold fits.
func (l *line) skillNode(models []string, ens []skillEnsemble, inputs []*flow.Node) (*flow.Node, error) {
	k := l.rec.Split.KFold.K
	p := skillParams{models, ens, l.rec.Seed, skillDraws, skillBins}
	return l.node("skill", "skill", p, 256<<20, inputs, func(ctx context.Context, t *flow.Task) error {
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
		out, err := measureSkill(ctx, l.f.Catalogue.Ensembles, p, s, fs.KFold, preds)
		if err != nil {
			return err
		}
		return writeJSON(t, "skill.json", out)
	}, "ensemble", "calibrate", "stat")
}

// measureSkill compares every model's out-of-fold probabilities, and every
// ensemble's, cross-fitted, with the class shares of the training rows.
func measureSkill(ctx context.Context, reg *ensemble.Registry, p skillParams, s *label.Set, kf []fold, preds map[string][]*probabilities) ([]Skill, error) {
	var test rows
	for _, f := range kf {
		test = append(test, f.Test...)
	}
	slices.Sort(test)
	v := view.View{Rows: test, Spans: spansOf(s, test), Class: make([]int8, len(test))}
	class := make([]int, len(test))
	for i, d := range test {
		v.Class[i] = s.Class[d]
		class[i] = model.ClassIndex(s.Class[d])
	}
	v.Weight = label.Uniqueness(v.Spans)
	// The prior of a row is the class shares of the rows that trained its fold.
	prior := make([]float64, len(test)*model.K)
	for _, f := range kf {
		var share [model.K]float64
		for _, d := range f.Train {
			share[model.ClassIndex(s.Class[d])]++
		}
		for i := range share {
			share[i] = (share[i] + 1) / (float64(len(f.Train)) + model.K)
		}
		for _, i := range positions(test, f.Test) {
			copy(prior[i*model.K:], share[:])
		}
	}
	begin, end := make([]int64, len(test)), make([]int64, len(test))
	for i, sp := range v.Spans {
		begin[i], end[i] = sp.Decision, sp.Outcome
	}
	base, err := stat.LogLosses(nil, prior, model.K, class)
	if err != nil {
		return nil, err
	}
	measure := func(name string, q *model.Prediction) (Skill, error) {
		loss, err := stat.LogLosses(nil, q.Prob, model.K, class)
		if err != nil {
			return Skill{}, fmt.Errorf("%s: %w", name, err)
		}
		gain := make([]float64, len(loss))
		for i := range loss {
			gain[i] = base[i] - loss[i]
		}
		stream := rng.New(p.Seed).Stream("skill").Stream(name)
		li, err := stat.MeanInterval(loss, begin, end, p.Draws, 0.95, stream.Stream("loss"))
		if err != nil {
			return Skill{}, fmt.Errorf("%s: %w", name, err)
		}
		gi, err := stat.MeanInterval(gain, begin, end, p.Draws, 0.95, stream.Stream("skill"))
		if err != nil {
			return Skill{}, fmt.Errorf("%s: %w", name, err)
		}
		out := Skill{Name: name, Rows: len(test), LogLoss: li.Value, LogLossLow: li.Low, LogLossHi: li.High,
			Prior: stat.Mean(base), Skill: gi.Value, SkillLow: gi.Low, SkillHi: gi.High}
		for c := int8(-1); c <= 1; c++ {
			bins, err := calibrate.Reliability(q, v.Class, v.Weight, c, p.Bins)
			if err != nil {
				return Skill{}, fmt.Errorf("%s: %w", name, err)
			}
			var curve []RelyBin
			for _, b := range bins {
				curve = append(curve, RelyBin{N: b.Rows, Predicted: b.Predicted, Happened: b.Observed})
			}
			out.Curves = append(out.Curves, curve)
		}
		out.ECE, err = calibrate.ECE(q, v.Class, v.Weight, p.Bins)
		return out, err
	}
	sf := make([]split.Fold, len(kf))
	for k, f := range kf {
		sf[k] = split.Fold{Train: positions(test, f.Train), Stop: positions(test, f.Stop), Test: positions(test, f.Test)}
	}
	collect := func(bases []string) (*ensemble.OOF, error) {
		c, err := ensemble.NewCollector(ensemble.Provenance{Use: ensemble.KFold}, bases, v, sf)
		if err != nil {
			return nil, err
		}
		for _, b := range bases {
			for k, f := range kf {
				q, err := preds[b][k].prediction(f.Test)
				if err != nil {
					return nil, fmt.Errorf("%s, fold %d: %w", b, k+1, err)
				}
				if err := c.Add(b, k, q); err != nil {
					return nil, err
				}
			}
		}
		return c.Finish()
	}
	var out []Skill
	for _, name := range p.Models {
		o, err := collect([]string{name})
		if err != nil {
			return nil, err
		}
		sk, err := measure(name, o.Prob[0])
		if err != nil {
			return nil, err
		}
		out = append(out, sk)
	}
	for _, e := range p.Ensembles {
		o, err := collect(e.Bases)
		if err != nil {
			return nil, err
		}
		entry, ok := reg.Entry(e.Use)
		if !ok {
			return nil, fmt.Errorf("factory: no ensemble is called %q", e.Use)
		}
		m, err := entry.New(e.Config)
		if err != nil {
			return nil, err
		}
		q, err := ensemble.CrossFit(ctx, model.Env{Workers: 1, Stream: rng.New(p.Seed).Stream("crossfit").Stream(e.Name)}, m, o, sf)
		if err != nil {
			return nil, err
		}
		sk, err := measure(e.Name, q)
		if err != nil {
			return nil, err
		}
		out = append(out, sk)
	}
	return out, nil
}
