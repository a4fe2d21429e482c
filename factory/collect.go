package factory

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// object finds an output of a node that has run.
func object(s *store.Store, rep *flow.Report, n *flow.Node, name string) (*store.Object, error) {
	r, ok := rep.Result(n.Name)
	if !ok {
		return nil, fmt.Errorf("factory: %s has no result", n.Name)
	}
	o, ok := r.Output(name)
	if !ok {
		return nil, fmt.Errorf("factory: %s has no output %q", n.Name, name)
	}
	return s.Object(o)
}

func loadJSON[T any](s *store.Store, rep *flow.Report, n *flow.Node, name string) (T, error) {
	o, err := object(s, rep, n, name)
	if err != nil {
		var zero T
		return zero, err
	}
	return readJSON[T](o)
}

func (l *line) loadBars(s *store.Store, rep *flow.Report) (*bar.Series, error) {
	o, err := object(s, rep, l.bars, "bars.arrow")
	if err != nil {
		return nil, err
	}
	return l.cache.bars(o)
}

func (l *line) loadLabels(s *store.Store, rep *flow.Report) (*label.Set, error) {
	o, err := object(s, rep, l.labels, "labels.arrow")
	if err != nil {
		return nil, err
	}
	return l.cache.labels(o)
}

func (l *line) loadTable(s *store.Store, rep *flow.Report, o *Outcome) error {
	obj, err := object(s, rep, l.table, "table.arrow")
	if err != nil {
		return err
	}
	o.Table, err = l.cache.table(obj)
	return err
}

// collect reads what the stages of the third phase found out.
func (l *line) collect(s *store.Store, rep *flow.Report, o *Outcome) error {
	err := l.loadTable(s, rep, o)
	if err != nil {
		return err
	}
	if !l.noSkill {
		if o.Skill, err = loadJSON[[]Skill](s, rep, l.skill, "skill.json"); err != nil {
			return err
		}
	}
	if l.audit != nil {
		res, err := loadJSON[AuditResult](s, rep, l.audit, "audit.json")
		if err != nil {
			return err
		}
		o.Audit = &res
	}
	for k, st := range l.strategies {
		out := Strategy{Name: st.name, Kind: st.kind}
		if out.Record, err = loadJSON[*Record](s, rep, st.trade, "record.json"); err != nil {
			return err
		}
		if out.Predictions, err = object(s, rep, st.trade, "predictions.arrow"); err != nil {
			return err
		}
		if !l.noSkill {
			if out.OutOfFold, err = object(s, rep, l.skill, oofName(st.name)); err != nil {
				return err
			}
		}
		if st.name == l.rec.Candidate {
			o.Candidate = k
		}
		o.Strategy = append(o.Strategy, out)
	}
	return l.importances(s, rep, o)
}

// importances reads the last final fit of each base model.
func (l *line) importances(s *store.Store, rep *flow.Report, o *Outcome) error {
	for _, m := range l.rec.Models {
		name := fmt.Sprintf("%s/fit/%s/wf%d/final", l.market.Name, m.Name, l.steps)
		n := &flow.Node{Name: name}
		meta, err := object(s, rep, n, "fit")
		if err != nil {
			return err
		}
		body, err := object(s, rep, n, "model")
		if err != nil {
			return err
		}
		mb, err := meta.Bytes()
		if err != nil {
			return err
		}
		bb, err := body.Bytes()
		if err != nil {
			return err
		}
		fit, err := readFit(l.f.Catalogue.Models, mb, bb)
		if err != nil {
			return err
		}
		mf := ModelFit{Model: m.Name, Info: fit.Info}
		if mf.Measure, mf.Importance = ownImportance(fit.Fitted); mf.Measure == "" {
			if mf.Importance, err = loadJSON[[]Importance](s, rep, n, "importance.json"); err != nil {
				return err
			}
			mf.Measure = "permutation"
		}
		o.Fits = append(o.Fits, mf)
	}
	return nil
}

// judgeParams is all that a verdict depends on beside the candidate's records,
// which are the stage's inputs.
type judgeParams struct {
	Config     judge.Config `yaml:"config"`
	Name       string       `yaml:"name"`
	Instrument string       `yaml:"instrument"`
	Ledger     string       `yaml:"ledger"`    // digest of what competed
	Keys       []string     `yaml:"keys"`      // trials of all strategies: their returns are in them
	Candidate  int          `yaml:"candidate"` // place of the candidate's
	Box        bool         `yaml:"box"`       // the lockbox is open
	Leaked     bool         `yaml:"leaked"`    // the audit failed
	Culprits   []string     `yaml:"culprits"`  // of the audit
	Caveats    []string     `yaml:"caveats"`
}

// judge records every strategy as a trial, reads the ledger, opens the lockbox
// if that was asked for, and asks for the verdict on the candidate. The lockbox
// is opened before anything is computed in it, so that a second candidate is
// refused without a look.
func (l *line) judge(ctx context.Context, env Env, o *Outcome, run func(...*flow.Node) (*flow.Report, error)) error {
	for k := range o.Strategy {
		st := &o.Strategy[k]
		params, err := l.trialParams(st.Name)
		if err != nil {
			return err
		}
		t := l.trial(st.Name, st.Record)
		t.Key = trialKey(t, params)
		st.Key = t.Key
		if _, err := env.Store.Record(ctx, t); err != nil {
			return err
		}
	}
	cand := &o.Strategy[o.Candidate]
	t := l.trial(cand.Name, cand.Record)
	snap, err := env.Store.Snapshot(ctx, judge.Query{Instrument: t.Instrument, From: t.From, To: t.To})
	if err != nil {
		return err
	}
	o.Ledger = snap
	if l.lockbox {
		if _, err := env.Store.OpenLockbox(ctx, l.box, cand.Key); err != nil {
			return err
		}
	}
	inputs := []*flow.Node{l.strategies[o.Candidate].trade}
	if l.lockbox {
		inputs = append(inputs, l.boxTrade)
		if err := l.openedBox(env.Store, o, cand, run); err != nil {
			return err
		}
	}
	p := judgeParams{Config: l.rec.Judge, Name: l.strategyName(cand.Name), Instrument: l.inst.Name, Ledger: snap.Digest,
		Candidate: o.Candidate, Box: l.lockbox, Caveats: l.caveats(o)}
	for _, st := range o.Strategy {
		p.Keys = append(p.Keys, st.Key)
	}
	if o.Audit != nil {
		p.Leaked, p.Culprits = !o.Audit.OK, culprits(o.Audit)
	}
	n, err := l.node("judge", "judge", p, 4*fixedMemory, inputs, func(_ context.Context, task *flow.Task) error {
		v, err := l.verdict(o, *cand, snap)
		if err != nil {
			return err
		}
		return writeJSON(task, "verdict.json", v)
	}, "judge")
	if err != nil {
		return err
	}
	rep, err := run(n)
	if err != nil {
		return err
	}
	o.Verdict, err = loadJSON[judge.Verdict](env.Store, rep, n, "verdict.json")
	return err
}

// openedBox runs the candidate through the lockbox, which is open by now.
func (l *line) openedBox(s *store.Store, o *Outcome, cand *Strategy, run func(...*flow.Node) (*flow.Report, error)) error {
	rep, err := run(l.boxTrade)
	if err != nil {
		return fmt.Errorf("lockbox: %w", err)
	}
	if cand.Box, err = loadJSON[*Record](s, rep, l.boxTrade, "record.json"); err != nil {
		return err
	}
	fs, err := loadJSON[folds](s, rep, l.boxFolds, "folds.json")
	if err != nil {
		return err
	}
	for w := range fs.Steps {
		o.Steps = append(o.Steps, stepInfo(o.Labels, l.steps+w, &fs.Steps[w]))
	}
	o.Lockbox.Opened = true
	return nil
}

// strategyName names a strategy for a reader: "stack h20".
func (l *line) strategyName(name string) string {
	return fmt.Sprintf("%s h%d", name, l.rec.Label.Horizon)
}

// trial is a strategy's record as the ledger keeps it, without its key.
func (l *line) trial(name string, r *Record) judge.Trial {
	t := judge.Trial{Name: l.strategyName(name), Instrument: l.inst.Name, Days: r.Days, Returns: r.Net}
	if l.market.Synth != nil {
		// Generated markets are instruments of their own: a trial on one says
		// nothing of another.
		t.Instrument = "generated/" + l.dataDigest[:16]
	}
	if len(r.Days) > 0 {
		t.From = int64(r.Days[0]) * int64(24*3600*1e9)
		t.To = (int64(r.Days[len(r.Days)-1]) + 1) * int64(24*3600*1e9)
	}
	return t
}

// trialParams is the canonical text of what a strategy is made of: the recipe
// with nothing but its own models and ensemble, and without what decides only how
// it is shown, measured beside the walk-forward or judged. Another model beside
// it does not make it another trial.
func (l *line) trialParams(name string) (string, error) {
	c := *l.rec
	c.Markets, c.Candidate, c.Judge, c.Random, c.Audit, c.Lockbox = nil, name, judge.Config{}, 0, "", false
	c.Split.KFold.K = 0
	c.Models, c.Ensembles = nil, nil
	bases := []string{name}
	for _, e := range l.rec.Ensembles {
		if e.Name == name {
			c.Ensembles, bases = []recipe.Ensemble{e}, e.Bases
		}
	}
	for _, m := range l.rec.Models {
		if slices.Contains(bases, m.Name) {
			c.Models = append(c.Models, m)
		}
	}
	b, err := param.Canonical(c)
	return string(b), err
}

// verdict asks the judge about the candidate.
func (l *line) verdict(o *Outcome, cand Strategy, snap judge.Snapshot) (judge.Verdict, error) {
	r := cand.Record
	e := judge.Evidence{
		Candidate: l.strategyName(cand.Name), Key: cand.Key, Instrument: l.inst.Name, PeriodsPerYear: r.PerYear,
		Days: r.Days, Net: r.Net, NetMultiple: r.NetMultiple, Gross: r.Gross, SameExposure: r.SameExposure, BuyAndHold: r.BuyAndHold,
		RandomEntry: r.Random, Bets: len(r.Trades), EffectiveN: r.Stat("EffectiveN"), BreakEvenTicks: r.Stat("BreakEvenTicks"),
		Trials: snap, Lockbox: judge.Lockbox{State: judge.LockboxUnopened}, Caveats: l.caveats(o),
	}
	for _, st := range o.Strategy {
		e.Configs = append(e.Configs, st.Record.Net)
	}
	if l.lockbox {
		e.Lockbox = judge.Lockbox{State: judge.LockboxOpened, Days: cand.Box.Days, Net: cand.Box.Net}
	}
	if math.IsNaN(e.EffectiveN) {
		e.EffectiveN = 0
	}
	v, err := judge.Judge(l.rec.Judge, e)
	if err != nil {
		return v, err
	}
	if o.Audit != nil && !o.Audit.OK {
		v = v.Leaked(culprits(o.Audit))
	}
	return v, nil
}

func culprits(a *AuditResult) []string {
	var out []string
	for _, c := range a.Culprits {
		out = append(out, c.Stage+" "+c.Name+": "+c.Detail)
	}
	return out
}
