package factory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/store"
)

// Windows puts the windows of the walk-forward at instants instead of at shares
// of the rows, so that runs on different data test the same time.
type Windows struct {
	Starts []int64 // of each step's window, ascending; as many as the recipe has steps
	End    int64   // of the last one: in the place of the lockbox, which is neither recorded nor opened
}

// RunWindows is Run with given windows. It is what an audit compares two worlds
// by; a verdict that counts comes from Run.
func (f *Factory) RunWindows(ctx context.Context, rec recipe.Recipe, env Env, w Windows) (*Result, error) {
	switch {
	case len(w.Starts) != rec.Split.WalkForward.Steps:
		return nil, fmt.Errorf("factory: %d windows for %d walk-forward steps", len(w.Starts), rec.Split.WalkForward.Steps)
	case rec.Lockbox:
		return nil, errors.New("factory: a run with given windows opens no lockbox")
	}
	return f.run(ctx, rec, env, &w)
}

// FoldStep is one walk-forward step in decisions: indices into Outcome.Decisions.
type FoldStep struct {
	split.Fold
	Inner  []split.Fold // purged folds of Train
	Lo, Hi int          // decisions Lo ≤ i < Hi are predicted and traded
	Box    bool         // the window is the lockbox
}

// Folds is the division of a market's decisions.
type Folds struct {
	Steps []FoldStep
	KFold []split.Fold
}

// Folds reads how a market's decisions were divided.
func (r *Result) Folds(s *store.Store, market string) (*Folds, error) {
	o, err := r.found(s, market+"/folds", "folds.json")
	if err != nil {
		return nil, err
	}
	fs, err := readJSON[folds](o)
	if err != nil {
		return nil, err
	}
	plain := func(f fold) split.Fold {
		return split.Fold{Train: f.Train, Stop: f.Stop, Calib: f.Calib, Test: f.Test}
	}
	list := func(in []fold) (out []split.Fold) {
		for _, f := range in {
			out = append(out, plain(f))
		}
		return out
	}
	out := &Folds{KFold: list(fs.KFold)}
	for _, st := range fs.Steps {
		out.Steps = append(out.Steps, FoldStep{Fold: plain(st.fold), Inner: list(st.Inner), Lo: st.Lo, Hi: st.Hi, Box: st.Box})
	}
	return out, nil
}

// Refit fits one model of a finished run again, in the fold of its role ("wf1/final",
// "wf2/inner1", "kfold3"), with labels in the place of the run's, and returns the
// fitted bytes. The fold, the table, the recipe and the random stream are the
// run's: with the run's own labels the bytes are those of its stage.
func (f *Factory) Refit(ctx context.Context, s *store.Store, r *Result, market, name, role string, labels *label.Set) ([]byte, error) {
	var o *Outcome
	for _, x := range r.Outcomes {
		if x.Market == market {
			o = x
		}
	}
	if o == nil || o.Table == nil {
		return nil, fmt.Errorf("factory: the run has no fitted market %q", market)
	}
	if labels.Len() != o.Labels.Len() {
		return nil, fmt.Errorf("factory: %d labels for %d decisions", labels.Len(), o.Labels.Len())
	}
	folded, err := r.found(s, market+"/folds", "folds.json")
	if err != nil {
		return nil, err
	}
	fs, err := readJSON[folds](folded)
	if err != nil {
		return nil, err
	}
	fo, err := fs.role(role)
	if err != nil {
		return nil, err
	}
	set, _, err := f.Catalogue.featureSet(r.Recipe.Features, o.Base.Timeframe)
	if err != nil {
		return nil, err
	}
	clock, err := clockFrame(r.Recipe.Clock.Timeframe, o.Base.Timeframe)
	if err != nil {
		return nil, err
	}
	cal, err := o.Instrument.NewCalendar()
	if err != nil {
		return nil, err
	}
	for _, m := range r.Recipe.Models {
		if m.Name != name {
			continue
		}
		spec, err := f.fitSpec(&r.Recipe, m, set, clock)
		if err != nil {
			return nil, err
		}
		spec.Role = role
		src := &source{table: o.Table, decisions: o.Decisions, cal: cal}
		if len(spec.Inputs.Streams) > 0 {
			if src.features, err = r.features(s, o); err != nil {
				return nil, err
			}
		}
		fit, err := fitFold(ctx, f.Catalogue.Models, spec, src, labels, fo, model.Env{Workers: 1})
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		err = fit.Encode(&b)
		return b.Bytes(), err
	}
	return nil, fmt.Errorf("factory: the recipe has no model %q", name)
}

// features opens the features of a market; their files are closed with the result.
func (r *Result) features(s *store.Store, o *Outcome) (*feature.Store, error) {
	objects := map[string]*store.Object{}
	for _, rep := range slices.Backward(r.Reports) {
		n, ok := rep.Result(o.Market + "/features")
		if !ok {
			continue
		}
		for _, out := range n.Outputs {
			obj, err := s.Object(out)
			if err != nil {
				return nil, err
			}
			objects[out.Name] = obj
		}
		break
	}
	return o.cache.features(objects)
}

// role finds the fold that a fit's role names.
func (fs *folds) role(role string) (fold, error) {
	var w, k int
	if n, _ := fmt.Sscanf(role, "kfold%d", &k); n == 1 && k >= 1 && k <= len(fs.KFold) {
		return fs.KFold[k-1], nil
	}
	if n, _ := fmt.Sscanf(role, "wf%d/", &w); n == 1 && w >= 1 && w <= len(fs.Steps) {
		st := &fs.Steps[w-1]
		_, rest, _ := strings.Cut(role, "/")
		if rest == "final" {
			return st.fold, nil
		}
		if n, _ := fmt.Sscanf(rest, "inner%d", &k); n == 1 && k >= 1 && k <= len(st.Inner) {
			return st.Inner[k-1], nil
		}
	}
	return fold{}, fmt.Errorf("factory: no fold has the role %q", role)
}
