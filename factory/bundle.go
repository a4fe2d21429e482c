package factory

import (
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/trade"
)

// found looks for an output of a stage among all reports of a run.
func (r *Result) found(s *store.Store, node, name string) (*store.Object, error) {
	for _, rep := range slices.Backward(r.Reports) {
		if _, ok := rep.Result(node); ok {
			return object(s, rep, &flow.Node{Name: node}, name)
		}
	}
	return nil, fmt.Errorf("factory: the run has no stage %s", node)
}

// Output reads an output of a stage of the run: "planted/fit/xgboost/wf1/final",
// "model".
func (r *Result) Output(s *store.Store, node, name string) ([]byte, error) {
	o, err := r.found(s, node, name)
	if err != nil {
		return nil, err
	}
	return o.Bytes()
}

// Bundle puts together what one strategy of a finished run needs to decide, as it
// was fitted for one walk-forward step (from 1; 0 is the last). strategy "" is the
// recipe's candidate. The bundle's decisions in the step's window equal the run's
// predictions bit for bit.
func (f *Factory) Bundle(s *store.Store, r *Result, market, strategy string, step int) (*bundle.Bundle, error) {
	at := slices.IndexFunc(r.Outcomes, func(o *Outcome) bool { return o.Market == market })
	if at < 0 {
		return nil, fmt.Errorf("factory: the run has no market %q", market)
	}
	o := r.Outcomes[at]
	if o.Refused != "" {
		return nil, fmt.Errorf("factory: %s was not fitted: %s", market, o.Refused)
	}
	if strategy == "" {
		strategy = r.Recipe.Candidate
	}
	k := slices.IndexFunc(o.Strategy, func(st Strategy) bool { return st.Name == strategy })
	if k < 0 {
		return nil, fmt.Errorf("factory: the run has no strategy %q", strategy)
	}
	st := o.Strategy[k]
	payoffs := slices.Clone(st.Record.Payoffs)
	if st.Box != nil {
		payoffs = append(payoffs, st.Box.Payoffs...)
	}
	if step == 0 {
		step = len(payoffs)
	}
	if step < 1 || step > len(payoffs) {
		return nil, fmt.Errorf("factory: there is no walk-forward step %d of %d", step, len(payoffs))
	}
	return f.bundle(s, r, o, st, step, payoffs[step-1])
}

func (f *Factory) bundle(s *store.Store, r *Result, o *Outcome, st Strategy, step int, pay trade.Payoff) (*bundle.Bundle, error) {
	rec := &r.Recipe
	b := &bundle.Bundle{Strategy: st.Name, Step: step, Instrument: o.Instrument, Base: o.Base.Timeframe,
		Events: rec.Clock.Events, Label: rec.Label, Payoff: pay, Rule: rec.Rule}
	var err error
	if b.Set, _, err = f.Catalogue.featureSet(rec.Features, b.Base); err != nil {
		return nil, err
	}
	if b.Clock, err = clockFrame(rec.Clock.Timeframe, b.Base); err != nil {
		return nil, err
	}
	bases := []string{st.Name}
	for _, e := range rec.Ensembles {
		if e.Name == st.Name {
			b.Ensemble, bases = e.Use, slices.Clone(e.Bases)
			slices.Sort(bases)
			bases = slices.Compact(bases)
		}
	}
	for _, name := range bases {
		node := fmt.Sprintf("%s/fit/%s/wf%d/final", o.Market, name, step)
		meta, err := r.found(s, node, "fit")
		if err != nil {
			return nil, err
		}
		fit, err := readJSON[saved](meta)
		if err != nil {
			return nil, err
		}
		m := bundle.Model{Name: name, Use: fit.Use, Inputs: fit.Inputs}
		if m.Body, err = r.Output(s, node, "model"); err != nil {
			return nil, err
		}
		b.Models = append(b.Models, m)
	}
	node := fmt.Sprintf("%s/combine/%s/wf%d", o.Market, st.Name, step)
	if b.Ensemble != "" {
		if b.Combiner, err = r.Output(s, node, "combiner"); err != nil {
			return nil, err
		}
	}
	if b.Calibrator, err = r.Output(s, node, "calibrator"); err != nil {
		return nil, err
	}
	// The step after the walk-forward is the lockbox's, with folds of its own.
	division, at := "folds", step-1
	if at >= len(st.Record.Payoffs) {
		division, at = "folds/lockbox", at-len(st.Record.Payoffs)
	}
	folded, err := r.found(s, o.Market+"/"+division, "folds.json")
	if err != nil {
		return nil, err
	}
	fs, err := readJSON[folds](folded)
	if err != nil {
		return nil, err
	}
	for _, part := range []rows{fs.Steps[at].Train, fs.Steps[at].Stop, fs.Steps[at].Calib} {
		for _, d := range part {
			b.Known = max(b.Known, o.Labels.Spans[d].Outcome)
		}
	}
	if b.Code, err = f.Code.Version("bundle", "model/linear", "model/nn", "model/tree"); err != nil {
		return nil, err
	}
	identity := *rec
	identity.Markets = nil // data are named by what they hold, not by where they lie
	sum, err := param.Digest(identity)
	if err != nil {
		return nil, err
	}
	b.Origin = []bundle.Digest{{Name: "recipe", SHA256: sum}}
	for _, x := range [][2]string{{"bars", "bars.arrow"}, {"labels", "labels.arrow"}, {"table", "table.arrow"}, {division, "folds.json"}} {
		obj, err := r.found(s, o.Market+"/"+x[0], x[1])
		if err != nil {
			return nil, err
		}
		b.Origin = append(b.Origin, bundle.Digest{Name: x[0], SHA256: obj.Identity()})
	}
	return b, b.Validate()
}
