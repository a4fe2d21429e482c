package factory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
)

// line is the stage graph of one market: what it is made of and its nodes so
// far. Nodes are added phase by phase, because the lockbox is recorded between
// labels and folds and the ledger is read between trades and verdict.
type line struct {
	f      *Factory
	rec    *recipe.Recipe
	market recipe.Market
	inst   bar.Instrument
	cal    *calendar.Calendar
	cost   *cost.Model
	cache  *cache

	dataDigest string
	windows    []int64 // instants at which the steps begin, nil: by shares of the rows

	size       size // known once the bars are
	set        feature.Set
	notes      []string
	columns    []string
	clock      bar.Timeframe
	bars       *flow.Node
	labels     *flow.Node
	features   *flow.Node
	table      *flow.Node
	folds      *flow.Node
	audit      *flow.Node
	skill      *flow.Node
	strategies []strategyNode
	steps      int
	lockbox    bool
	noSkill    bool       // no k-fold
	box        string     // key of the lockbox
	boxFolds   *flow.Node // nil unless the lockbox is to be opened
	boxTrade   *flow.Node // the candidate's trades in the lockbox
}

type strategyNode struct {
	name, kind string
	trade      *flow.Node
}

// node makes a stage of this market; pkgs are the packages whose code it runs.
func (l *line) node(name, kind string, params any, memory int64, inputs []*flow.Node, run func(ctx context.Context, t *flow.Task) error, pkgs ...string) (*flow.Node, error) {
	code, err := l.f.Code.Version(append([]string{"factory"}, pkgs...)...)
	if err != nil {
		return nil, err
	}
	return &flow.Node{Name: l.market.Name + "/" + name, Kind: kind, Code: code, Params: params, Memory: memory, Inputs: inputs, Run: run}, nil
}

type foldParams struct {
	Split    recipe.Split `yaml:"split"`
	Clock    int64        `yaml:"clock"`
	Hours    string       `yaml:"hours"`
	From     int64        `yaml:"from"` // of development
	BoxStart int64        `yaml:"box_start"`
	BoxEnd   int64        `yaml:"box_end"`
	Open     bool         `yaml:"open"` // the one step that tests the lockbox
	Windows  []int64      `yaml:"windows"`
	Horizon  int          `yaml:"horizon"`
	Frame    string       `yaml:"frame"` // of the decision clock
}

// foldsNode divides the decisions; with open set, into the one step that tests
// the lockbox.
func (l *line) foldsNode(name string, dev development, clock int64, open bool) (*flow.Node, error) {
	return l.node(name, "folds", foldParams{l.rec.Split, clock, l.cal.Name(), dev.from, dev.start, dev.end, open, l.windows, l.rec.Label.Horizon, l.clock.String()}, l.size.folds(), []*flow.Node{l.labels}, func(_ context.Context, t *flow.Task) error {
		s, err := l.readLabels(t, 0)
		if err != nil {
			return err
		}
		var fs *folds
		if cat, m := l.f.Catalogue, marketOf(l.cal, clock); open {
			fs, err = divideBox(cat, s, l.rec.Split, m, dev)
		} else {
			fs, err = divideRows(cat, s, l.rec.Split, m, dev, l.rec.Label.Horizon, l.clock == bar.Native, l.windows)
		}
		if err != nil {
			return err
		}
		return writeJSON(t, "folds.json", fs)
	}, "split")
}

// modelFits are the stages of one base model.
type modelFits struct {
	spec  fitSpec
	steps []stepFits
	kfold []*flow.Node
}

// stepFits are the fits of one base model in one walk-forward step.
type stepFits struct {
	inner []*flow.Node
	final *flow.Node
}

// fitStep makes the fits of a model in step number w (from 0), whose place in the
// folds is at.
func (l *line) fitStep(m string, spec fitSpec, folding *flow.Node, w, at int) (stepFits, error) {
	var out stepFits
	for k := range l.rec.Split.InnerFolds {
		n, err := l.fit(m, spec, fmt.Sprintf("wf%d/inner%d", w+1, k+1), folding, func(fs *folds) (fold, rows) {
			in := fs.Steps[at].Inner[k]
			return in, in.Test
		})
		if err != nil {
			return out, err
		}
		out.inner = append(out.inner, n)
	}
	if w+1 == l.steps { // the fit that the report shows
		spec.Permute = permutedRows
	}
	var err error
	out.final, err = l.fit(m, spec, fmt.Sprintf("wf%d/final", w+1), folding, func(fs *folds) (fold, rows) {
		st := &fs.Steps[at]
		return st.fold, append(slices.Clone(st.Calib), st.window()...)
	})
	return out, err
}

// plan is a strategy as the recipe names it: a model by itself or an ensemble.
type plan struct {
	name, kind string
	use        string // "" for a model
	config     any
	bases      []string // ascending
}

// plans lists the strategies: each model by itself, then the ensembles.
func plans(rec *recipe.Recipe) []plan {
	var out []plan
	for _, m := range rec.Models {
		out = append(out, plan{name: m.Name, kind: m.Use, bases: []string{m.Name}})
	}
	for _, e := range rec.Ensembles {
		bases := slices.Clone(e.Bases)
		slices.Sort(bases)
		out = append(out, plan{name: e.Name, kind: e.Use, use: e.Use, config: e.Config, bases: slices.Compact(bases)})
	}
	return out
}

// combineNode makes the combination of strategy p in step number w, whose place
// in the folds is at.
func (l *line) combineNode(p plan, all map[string]*modelFits, folding *flow.Node, w, at int) (*flow.Node, error) {
	inputs := []*flow.Node{l.labels, folding}
	for _, b := range p.bases {
		inputs = append(inputs, all[b].steps[w].final)
	}
	if p.use != "" {
		for _, b := range p.bases {
			inputs = append(inputs, all[b].steps[w].inner...)
		}
	}
	spec := combineSpec{Use: p.use, Config: p.config, Bases: p.bases, Step: w, Seed: l.rec.Seed, Calib: l.rec.Calibrate}
	return l.combine(p.name, spec, w, at, inputs)
}

// addFits is the third phase: folds, fits, combinations, trades, skill.
func (l *line) addFits(dev development, clock int64) error {
	var err error
	l.steps = l.rec.Split.WalkForward.Steps
	l.lockbox = l.rec.Lockbox
	if l.folds, err = l.foldsNode("folds", dev, clock, false); err != nil {
		return err
	}
	all := map[string]*modelFits{}
	var names []string
	for _, m := range l.rec.Models {
		spec, err := l.f.fitSpec(l.rec, m, l.set, l.clock)
		if err != nil {
			return err
		}
		f := &modelFits{spec: spec}
		for w := range l.steps {
			st, err := l.fitStep(m.Name, f.spec, l.folds, w, w)
			if err != nil {
				return err
			}
			f.steps = append(f.steps, st)
		}
		for k := range l.rec.Split.KFold.K {
			n, err := l.fit(m.Name, f.spec, fmt.Sprintf("kfold%d", k+1), l.folds, func(fs *folds) (fold, rows) { return fs.KFold[k], fs.KFold[k].Test })
			if err != nil {
				return err
			}
			f.kfold = append(f.kfold, n)
		}
		all[m.Name] = f
		names = append(names, m.Name)
	}
	var ens []skillEnsemble
	for _, p := range plans(l.rec) {
		s := strategyNode{name: p.name, kind: p.kind}
		var steps []*flow.Node
		for w := range l.steps {
			n, err := l.combineNode(p, all, l.folds, w, w)
			if err != nil {
				return err
			}
			steps = append(steps, n)
		}
		if s.trade, err = l.trades("trade", p.name, l.folds, steps); err != nil {
			return err
		}
		l.strategies = append(l.strategies, s)
		if p.use != "" {
			ens = append(ens, skillEnsemble{Name: p.name, Use: p.use, Config: p.config, Bases: p.bases})
		}
		if l.lockbox && p.name == l.rec.Candidate {
			if err := l.addBox(p, all, dev, clock); err != nil {
				return err
			}
		}
	}
	slices.Sort(names)
	inputs := []*flow.Node{l.labels, l.folds}
	for _, n := range names {
		inputs = append(inputs, all[n].kfold...)
	}
	l.skill, err = l.skillNode(names, ens, inputs)
	return err
}

// addBox makes the stages that trade the candidate in the lockbox. Nothing of
// theirs runs before the lockbox is opened, and no other strategy looks into it.
func (l *line) addBox(p plan, all map[string]*modelFits, dev development, clock int64) error {
	var err error
	if l.boxFolds, err = l.foldsNode("folds/lockbox", dev, clock, true); err != nil {
		return err
	}
	for _, b := range p.bases {
		st, err := l.fitStep(b, all[b].spec, l.boxFolds, l.steps, 0)
		if err != nil {
			return err
		}
		all[b].steps = append(all[b].steps, st)
	}
	n, err := l.combineNode(p, all, l.boxFolds, l.steps, 0)
	if err != nil {
		return err
	}
	l.boxTrade, err = l.trades("lockbox", p.name, l.boxFolds, []*flow.Node{n})
	return err
}

// marketOf is the clock of the decisions as splitters need it.
func marketOf(cal *calendar.Calendar, clock int64) split.Market {
	return split.Market{Clock: cal, Bar: time.Duration(clock)}
}

// fitSpec is what a model's fits have in common: all but the role.
func (f *Factory) fitSpec(rec *recipe.Recipe, m recipe.Model, set feature.Set, clock bar.Timeframe) (fitSpec, error) {
	e, ok := f.Catalogue.Models.Entry(m.Use)
	if !ok {
		return fitSpec{}, fmt.Errorf("factory: no learner is called %q", m.Use)
	}
	in, err := routeInputs(set, f.Catalogue.Features, e, m.Route, clock, rec.Label.Horizon)
	if err != nil {
		return fitSpec{}, fmt.Errorf("model %s: %w", m.Name, err)
	}
	return fitSpec{Use: m.Use, Config: m.Config, Inputs: in, MinValid: rec.Features.MinValid, Weights: rec.Weights, Seed: rec.Seed, Stream: m.Name}, nil
}

// keptEpochs is the number of epochs after which a fit keeps its state: a killed run
// loses no more of a network than these.
const keptEpochs = 5

// fit makes the stage of one fit and its predictions. pick chooses the fold and
// the decisions to predict.
func (l *line) fit(name string, spec fitSpec, role string, folding *flow.Node, pick func(*folds) (fold, rows)) (*flow.Node, error) {
	spec.Role = role
	reg := l.f.Catalogue.Models
	inputs := []*flow.Node{l.labels, folding}
	if len(spec.Inputs.Columns) > 0 {
		inputs = append(inputs, l.table)
	}
	if len(spec.Inputs.Streams) > 0 {
		inputs = append(inputs, l.features)
	}
	return l.node("fit/"+name+"/"+role, "fit", spec, l.size.fit(&spec.Inputs), inputs, func(ctx context.Context, t *flow.Task) error {
		s, err := l.readLabels(t, 0)
		if err != nil {
			return err
		}
		fs, err := l.readFolds(t, 1)
		if err != nil {
			return err
		}
		src := &source{decisions: decisionsOf(s), cal: l.cal}
		at := 2
		if len(spec.Inputs.Columns) > 0 {
			if src.table, err = l.readTable(t, at); err != nil {
				return err
			}
			at++
		}
		if len(spec.Inputs.Streams) > 0 {
			if src.features, err = l.readFeatures(t, at); err != nil {
				return err
			}
		}
		f, predict := pick(fs)
		env := model.Env{Workers: t.Workers, Checkpoint: t.Kept(), CheckpointEpochs: keptEpochs, Progress: func(done, total int, note string) { t.Progress(int64(done), int64(total), note) }}
		m, err := fitFold(ctx, reg, spec, src, s, f, env)
		if err != nil {
			return err
		}
		p, err := predictRows(ctx, m, src, predict)
		if err != nil {
			return err
		}
		if err := writeFit(t, spec.Use, m); err != nil {
			return err
		}
		if own, _ := ownImportance(m.Fitted); spec.Permute > 0 && own == "" {
			imp, err := permute(ctx, spec, m, src, s, f.Test, t.Workers)
			if err != nil {
				return err
			}
			if err := writeJSON(t, "importance.json", imp); err != nil {
				return err
			}
		}
		return writeFrame(t, "prob.arrow", p.frame(decisionsOf(s)))
	}, "model/linear", "model/nn", "model/tree", "label", "importance")
}

func decisionsOf(s *label.Set) []int64 {
	d := make([]int64, s.Len())
	for i, sp := range s.Spans {
		d[i] = sp.Decision
	}
	return d
}

func (l *line) readProb(t *flow.Task, input int) (*probabilities, error) {
	o, err := t.Open(input, "prob.arrow")
	if err != nil {
		return nil, err
	}
	return l.cache.probabilities(o)
}

// combine makes the stage of one strategy in step number w, whose place in the
// folds is given. Inputs: labels, folds, the final fit of each base, then (for
// ensembles) the inner fits base by base.
func (l *line) combine(name string, spec combineSpec, w, place int, inputs []*flow.Node) (*flow.Node, error) {
	return l.node(fmt.Sprintf("combine/%s/wf%d", name, w+1), "combine", spec, l.size.combine(len(spec.Bases)), inputs, func(ctx context.Context, t *flow.Task) error {
		s, err := l.readLabels(t, 0)
		if err != nil {
			return err
		}
		fs, err := l.readFolds(t, 1)
		if err != nil {
			return err
		}
		st := &fs.Steps[place]
		at := 2
		var final []*probabilities
		for range spec.Bases {
			p, err := l.readProb(t, at)
			if err != nil {
				return err
			}
			final = append(final, p)
			at++
		}
		var oof *ensemble.OOF
		if spec.Use != "" {
			inner := make([][]*probabilities, len(spec.Bases))
			for b := range spec.Bases {
				for range st.Inner {
					p, err := l.readProb(t, at)
					if err != nil {
						return err
					}
					inner[b] = append(inner[b], p)
					at++
				}
			}
			use := ensemble.Provenance{Use: ensemble.WalkForward, TestStart: s.Spans[st.Lo].Decision}
			if oof, err = collectOOF(use, spec.Bases, s, st.Train, st.Inner, inner); err != nil {
				return err
			}
		}
		c, err := combineStep(ctx, l.f.Catalogue.Ensembles, spec, s, st, oof, final, model.Env{Workers: t.Workers})
		if err != nil {
			return err
		}
		if c.combiner != nil {
			if err := t.Create("combiner", c.combiner.Encode); err != nil {
				return err
			}
		}
		if err := t.Create("calibrator", c.calibrator.Encode); err != nil {
			return err
		}
		return writeFrame(t, "prob.arrow", c.window.frame(decisionsOf(s)))
	}, "ensemble", "calibrate", "label")
}

// targets are the nodes of the last phase before the verdict.
func (l *line) targets() []*flow.Node {
	out := []*flow.Node{l.table}
	if !l.noSkill {
		out = append(out, l.skill)
	}
	if l.audit != nil {
		out = append(out, l.audit)
	}
	for _, s := range l.strategies {
		out = append(out, s.trade)
	}
	return out
}

// fitCount is the number of fits among nodes.
func fitCount(nodes []flow.PlanNode) (run, cached int) {
	for _, n := range nodes {
		if n.Kind != "fit" {
			continue
		}
		if n.Status == flow.PlanCached {
			cached++
		} else {
			run++
		}
	}
	return run, cached
}
