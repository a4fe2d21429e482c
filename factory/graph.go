package factory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
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

	base       bar.Timeframe // known once the bars are
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
	noSkill    bool
	box        string // key of the lockbox
}

type strategyNode struct {
	name, kind string
	steps      []*flow.Node // combine
	trade      *flow.Node
	box        *flow.Node // trade in the lockbox
}

// node makes a stage of this market; pkgs are the packages whose code it runs.
func (l *line) node(name, kind string, params any, memory int64, inputs []*flow.Node, run func(ctx context.Context, t *flow.Task) error, pkgs ...string) (*flow.Node, error) {
	code, err := l.f.Code.Version(append([]string{"factory"}, pkgs...)...)
	if err != nil {
		return nil, err
	}
	return &flow.Node{Name: l.market.Name + "/" + name, Kind: kind, Code: code, Params: params, Memory: memory, Inputs: inputs, Run: run}, nil
}

type barsParams struct {
	Digest     string         `yaml:"digest"`
	Synth      any            `yaml:"synth"`
	Read       ingest.Config  `yaml:"read"`
	Instrument bar.Instrument `yaml:"instrument"`
}

// addBars is the first phase: bars and their report.
func (l *line) addBars() error {
	p := barsParams{Digest: l.dataDigest, Read: l.market.Read, Instrument: l.inst}
	if l.market.Synth != nil {
		p.Synth = *l.market.Synth
	}
	var err error
	l.bars, err = l.node("bars", "bars", p, 512<<20, nil, func(ctx context.Context, t *flow.Task) error {
		s, rep, err := loadBars(ctx, l.market, l.inst)
		if err != nil {
			return err
		}
		if err := writeFrame(t, "bars.arrow", barsFrame(s)); err != nil {
			return err
		}
		return writeJSON(t, "report.json", rep)
	}, "bar/ingest", "bar/synth")
	return err
}

// writeFrame stores a frame in the hot form, keyed by what it means.
func writeFrame(t *flow.Task, name string, f *frame.Frame) error {
	return t.CreateLogical(name, f.Digest(), func(w io.Writer) error { return f.WriteIPC(w) })
}

func (l *line) readBars(t *flow.Task, input int) (*bar.Series, error) {
	o, err := t.Open(input, "bars.arrow")
	if err != nil {
		return nil, err
	}
	return l.cache.bars(o)
}

func (l *line) readLabels(t *flow.Task, input int) (*label.Set, error) {
	o, err := t.Open(input, "labels.arrow")
	if err != nil {
		return nil, err
	}
	return l.cache.labels(o)
}

func (l *line) readTable(t *flow.Task, input int) (*view.Table, error) {
	o, err := t.Open(input, "table.arrow")
	if err != nil {
		return nil, err
	}
	return l.cache.table(o)
}

func (l *line) readFolds(t *flow.Task, input int) (*folds, error) {
	o, err := t.Open(input, "folds.json")
	if err != nil {
		return nil, err
	}
	return l.cache.folds(o)
}

type labelParams struct {
	Label label.Config      `yaml:"label"`
	Clock string            `yaml:"clock"`
	Event label.EventConfig `yaml:"event"`
	Cost  cost.Model        `yaml:"cost"`
	Hours string            `yaml:"hours"`
}

type featureParams struct {
	Set   feature.Set `yaml:"set"`
	Hours string      `yaml:"hours"`
}

// addData is the second phase: labels, features and the table, and the leak
// check over them. The base timeframe is known by now.
func (l *line) addData(base bar.Timeframe, audit AuditFunc) error {
	l.base = base
	var err error
	if l.set, l.notes, err = l.f.Catalogue.featureSet(l.rec.Features, base); err != nil {
		return err
	}
	if l.columns, err = l.set.Columns(l.f.Catalogue.Features); err != nil {
		return err
	}
	if l.clock, err = clockFrame(l.rec.Clock.Timeframe, base); err != nil {
		return fmt.Errorf("clock.timeframe: %w", err)
	}
	l.labels, err = l.node("labels", "labels", labelParams{l.rec.Label, l.clock.String(), l.rec.Clock.Events, *l.cost, l.cal.Name()}, 512<<20, []*flow.Node{l.bars}, func(ctx context.Context, t *flow.Task) error {
		b, err := l.readBars(t, 0)
		if err != nil {
			return err
		}
		s, err := labelAll(ctx, b, l.cal, l.clock, l.cost, l.rec.Clock.Events, l.rec.Label, t.Workers)
		if err != nil {
			return err
		}
		f, err := s.Frame()
		if err != nil {
			return err
		}
		return writeFrame(t, "labels.arrow", f)
	}, "label", "bar")
	if err != nil {
		return err
	}
	l.features, err = l.node("features", "features", featureParams{l.set, l.cal.Name()}, 1<<30, []*flow.Node{l.bars}, func(ctx context.Context, t *flow.Task) error {
		b, err := l.readBars(t, 0)
		if err != nil {
			return err
		}
		st, err := feature.Compute(ctx, l.f.Catalogue.Features, b, l.cal, l.set, t.Workers)
		if err != nil {
			return err
		}
		for k, m := range st.Matrices {
			index, values, err := matrixFrames(m)
			if err != nil {
				return err
			}
			if err := writeFrame(t, fmt.Sprintf("m%d.index.arrow", k), index); err != nil {
				return err
			}
			if err := writeFrame(t, fmt.Sprintf("m%d.values.arrow", k), values); err != nil {
				return err
			}
		}
		return writeFrame(t, "marks.arrow", marksFrame(st.Marks))
	}, "feature")
	if err != nil {
		return err
	}
	l.table, err = l.node("table", "table", struct {
		Columns []string `yaml:"columns"`
	}{l.columns}, 1<<30, []*flow.Node{l.features, l.labels}, func(ctx context.Context, t *flow.Task) error {
		objects := map[string]*store.Object{}
		for _, o := range t.Input(0).Outputs {
			obj, err := t.Open(0, o.Name)
			if err != nil {
				return err
			}
			objects[o.Name] = obj
		}
		st, err := l.cache.features(objects)
		if err != nil {
			return err
		}
		s, err := l.readLabels(t, 1)
		if err != nil {
			return err
		}
		decisions := make([]int64, s.Len())
		for i, sp := range s.Spans {
			decisions[i] = sp.Decision
		}
		var tab view.Table
		if err := feature.Gather(st, decisions, l.columns, l.cal, &tab); err != nil {
			return err
		}
		f, err := tableFrame(&tab)
		if err != nil {
			return err
		}
		return writeFrame(t, "table.arrow", f)
	}, "feature")
	if err != nil || l.rec.Audit == "off" || audit == nil {
		return err
	}
	l.audit, err = l.node("audit", "audit", struct {
		Mode     string        `yaml:"mode"`
		Seed     uint64        `yaml:"seed"`
		Features featureParams `yaml:"features"`
		Label    labelParams   `yaml:"label"`
	}{l.rec.Audit, l.rec.Seed, featureParams{l.set, l.cal.Name()}, labelParams{l.rec.Label, l.clock.String(), l.rec.Clock.Events, *l.cost, l.cal.Name()}}, 1<<30,
		[]*flow.Node{l.bars, l.labels, l.table}, func(ctx context.Context, t *flow.Task) error {
			b, err := l.readBars(t, 0)
			if err != nil {
				return err
			}
			s, err := l.readLabels(t, 1)
			if err != nil {
				return err
			}
			tab, err := l.readTable(t, 2)
			if err != nil {
				return err
			}
			res, err := audit(ctx, Prepared{Base: b, Calendar: l.cal, Labels: s, Table: tab, Seed: l.rec.Seed, Workers: t.Workers, Remake: l.remake})
			if err != nil {
				return err
			}
			return writeJSON(t, "audit.json", res)
		}, "feature", "label", "audit")
	return err
}

// Prepared is what the leak check inside a run is given.
type Prepared struct {
	Base     *bar.Series
	Calendar *calendar.Calendar
	Labels   *label.Set
	Table    *view.Table
	Seed     uint64
	Workers  int
	// Remake computes labels and table from other bars in the same way.
	Remake func(ctx context.Context, base *bar.Series, workers int) (*label.Set, *view.Table, error)
}

// AuditFunc is the leak check inside a run.
type AuditFunc func(ctx context.Context, p Prepared) (*AuditResult, error)

// remake computes labels and features of other bars as this line would.
func (l *line) remake(ctx context.Context, base *bar.Series, workers int) (*label.Set, *view.Table, error) {
	s, err := labelAll(ctx, base, l.cal, l.clock, l.cost, l.rec.Clock.Events, l.rec.Label, workers)
	if err != nil {
		return nil, nil, err
	}
	decisions := make([]int64, s.Len())
	for i, sp := range s.Spans {
		decisions[i] = sp.Decision
	}
	t, err := tableOf(ctx, l.f.Catalogue.Features, base, l.cal, l.set, decisions, workers)
	return s, t, err
}

type foldParams struct {
	Split    recipe.Split `yaml:"split"`
	Clock    int64        `yaml:"clock"`
	Hours    string       `yaml:"hours"`
	BoxStart int64        `yaml:"box_start"`
	Open     bool         `yaml:"open"`
	Windows  []int64      `yaml:"windows"`
}

// addFits is the third phase: folds, fits, combinations, trades, skill.
func (l *line) addFits(boxStart int64, clock int64) error {
	cat := l.f.Catalogue
	var err error
	l.steps = l.rec.Split.WalkForward.Steps
	l.lockbox = l.rec.Lockbox
	l.folds, err = l.node("folds", "folds", foldParams{l.rec.Split, clock, l.cal.Name(), boxStart, l.lockbox, l.windows}, 128<<20, []*flow.Node{l.labels}, func(_ context.Context, t *flow.Task) error {
		s, err := l.readLabels(t, 0)
		if err != nil {
			return err
		}
		fs, err := divideRows(cat, s, l.rec.Split, marketOf(l.cal, clock), boxStart, l.lockbox, l.windows)
		if err != nil {
			return err
		}
		return writeJSON(t, "folds.json", fs)
	}, "split")
	if err != nil {
		return err
	}
	steps := l.steps
	if l.lockbox {
		steps++
	}
	type fits struct {
		inner [][]*flow.Node // step, fold
		final []*flow.Node   // step
		kfold []*flow.Node
	}
	all := map[string]*fits{}
	for _, m := range l.rec.Models {
		cols, err := routeColumns(l.set, cat.Features, m.Route)
		if err != nil {
			return fmt.Errorf("model %s: %w", m.Name, err)
		}
		spec := fitSpec{Use: m.Use, Config: m.Config, Columns: cols, MinValid: l.rec.Features.MinValid, Weights: l.rec.Weights, Seed: l.rec.Seed, Stream: m.Name}
		f := &fits{}
		for w := range steps {
			var inner []*flow.Node
			for k := range l.rec.Split.InnerFolds {
				n, err := l.fit(m.Name, spec, fmt.Sprintf("wf%d/inner%d", w+1, k+1), func(fs *folds) (fold, rows) {
					in := fs.Steps[w].Inner[k]
					return in, in.Test
				})
				if err != nil {
					return err
				}
				inner = append(inner, n)
			}
			f.inner = append(f.inner, inner)
			n, err := l.fit(m.Name, spec, fmt.Sprintf("wf%d/final", w+1), func(fs *folds) (fold, rows) {
				st := &fs.Steps[w]
				r := slices.Clone(st.Calib)
				for d := st.Lo; d < st.Hi; d++ {
					r = append(r, d)
				}
				return st.fold, r
			})
			if err != nil {
				return err
			}
			f.final = append(f.final, n)
		}
		for k := range l.rec.Split.KFold.K {
			n, err := l.fit(m.Name, spec, fmt.Sprintf("kfold%d", k+1), func(fs *folds) (fold, rows) { return fs.KFold[k], fs.KFold[k].Test })
			if err != nil {
				return err
			}
			f.kfold = append(f.kfold, n)
		}
		all[m.Name] = f
	}
	// Strategies: each model by itself, then the ensembles.
	type plan struct {
		name, kind string
		use        string
		config     any
		bases      []string
	}
	var plans []plan
	for _, m := range l.rec.Models {
		plans = append(plans, plan{name: m.Name, kind: m.Use, bases: []string{m.Name}})
	}
	for _, e := range l.rec.Ensembles {
		bases := slices.Clone(e.Bases)
		slices.Sort(bases)
		plans = append(plans, plan{name: e.Name, kind: e.Use, use: e.Use, config: e.Config, bases: slices.Compact(bases)})
	}
	for _, p := range plans {
		s := strategyNode{name: p.name, kind: p.kind}
		for w := range steps {
			inputs := []*flow.Node{l.labels, l.folds}
			for _, b := range p.bases {
				inputs = append(inputs, all[b].final[w])
			}
			if p.use != "" {
				for _, b := range p.bases {
					inputs = append(inputs, all[b].inner[w]...)
				}
			}
			spec := combineSpec{Use: p.use, Config: p.config, Bases: p.bases, Step: w, Seed: l.rec.Seed, Calib: l.rec.Calibrate}
			n, err := l.combine(p.name, spec, w, inputs)
			if err != nil {
				return err
			}
			s.steps = append(s.steps, n)
		}
		if s.trade, err = l.trades(p.name, s.steps[:l.steps], 0, "trade"); err != nil {
			return err
		}
		if l.lockbox {
			if s.box, err = l.trades(p.name, s.steps[l.steps:], l.steps, "lockbox"); err != nil {
				return err
			}
		}
		l.strategies = append(l.strategies, s)
	}
	inputs := []*flow.Node{l.labels, l.folds}
	var names []string
	for _, m := range l.rec.Models {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	for _, n := range names {
		inputs = append(inputs, all[n].kfold...)
	}
	var ens []skillEnsemble
	for _, p := range plans {
		if p.use != "" {
			ens = append(ens, skillEnsemble{Name: p.name, Use: p.use, Config: p.config, Bases: p.bases})
		}
	}
	l.skill, err = l.skillNode(names, ens, inputs)
	return err
}

// marketOf is the clock of the decisions as splitters need it.
func marketOf(cal *calendar.Calendar, clock int64) split.Market {
	return split.Market{Clock: cal, Bar: timeDuration(clock)}
}

// fit makes the stage of one fit and its predictions. pick chooses the fold and
// the decisions to predict.
func (l *line) fit(name string, spec fitSpec, role string, pick func(*folds) (fold, rows)) (*flow.Node, error) {
	spec.Role = role
	reg := l.f.Catalogue.Models
	return l.node("fit/"+name+"/"+role, "fit", spec, 256<<20, []*flow.Node{l.table, l.labels, l.folds}, func(ctx context.Context, t *flow.Task) error {
		tab, err := l.readTable(t, 0)
		if err != nil {
			return err
		}
		s, err := l.readLabels(t, 1)
		if err != nil {
			return err
		}
		fs, err := l.readFolds(t, 2)
		if err != nil {
			return err
		}
		f, predict := pick(fs)
		env := model.Env{Workers: t.Workers, Progress: func(done, total int, note string) { t.Progress(int64(done), int64(total), note) }}
		m, err := fitFold(ctx, reg, spec, tab, s, f, env)
		if err != nil {
			return err
		}
		p, err := predictRows(ctx, m, tab, predict)
		if err != nil {
			return err
		}
		if err := writeFit(t, spec.Use, m); err != nil {
			return err
		}
		return writeFrame(t, "prob.arrow", p.frame(decisionsOf(s)))
	}, "model/linear", "model/tree", "label")
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

// combine makes the stage of one strategy in one step. Inputs: labels, folds,
// the final fit of each base, then (for ensembles) the inner fits base by base.
func (l *line) combine(name string, spec combineSpec, w int, inputs []*flow.Node) (*flow.Node, error) {
	return l.node(fmt.Sprintf("combine/%s/wf%d", name, w+1), "combine", spec, 128<<20, inputs, func(ctx context.Context, t *flow.Task) error {
		s, err := l.readLabels(t, 0)
		if err != nil {
			return err
		}
		fs, err := l.readFolds(t, 1)
		if err != nil {
			return err
		}
		st := &fs.Steps[w]
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

// routeColumns are the columns that a route lets through.
func routeColumns(set feature.Set, reg *feature.Registry, r recipe.Route) ([]string, error) {
	var out []string
	for _, tf := range r.Timeframes {
		if !slices.ContainsFunc(set.Frames, func(f feature.Frame) bool { return f.Timeframe.String() == tf }) {
			return nil, fmt.Errorf("route.timeframes: the features have no timeframe %q", tf)
		}
	}
	families := map[string]bool{}
	for _, f := range set.Frames {
		for _, spec := range f.Features {
			e, _ := reg.Entry(spec.Name)
			families[e.Family] = true
			if len(r.Timeframes) > 0 && !slices.Contains(r.Timeframes, f.Timeframe.String()) || len(r.Families) > 0 && !slices.Contains(r.Families, e.Family) {
				continue
			}
			one := feature.Set{Frames: []feature.Frame{{Timeframe: f.Timeframe, Features: []feature.Spec{spec}}}}
			names, err := one.Columns(reg)
			if err != nil {
				return nil, err
			}
			out = append(out, names...)
		}
	}
	for _, x := range r.Families {
		if !families[x] {
			return nil, fmt.Errorf("route.families: the features have no family %q", x)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("route: no column is left")
	}
	return out, nil
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
		if s.box != nil {
			out = append(out, s.box)
		}
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
