// Package factory turns a recipe into a graph of stages, runs it, and gathers
// what it found out.
//
// The way of a run, market by market:
//
//	bars → labels, features → table → folds
//	                                   → fits (walk-forward: inner folds and final; k-fold)
//	                                   → combine (ensemble on inner out-of-fold predictions, calibrate)
//	                                   → trade → ledger (→ lockbox) → judge
//
// Everything between two arrows is a stage with a content key; what the store
// has is not computed again. Between labels and folds the start of the lockbox
// is recorded; between trades and verdict every strategy is recorded as a trial
// and the ledger is read, so that the verdict's key contains what competed.
//
// The walk-forward gives everything that is traded and judged. The k-fold gives
// diagnostics and nothing else; [ensemble.Provenance] and the inputs of the
// stages keep the two apart.
//
// The lockbox is a walk-forward step of its own: it has its own folds, only the
// candidate is traded in it, and only after it was recorded as opened. Before
// that no fit, threshold or trade sees a price in it: the last window ends where
// a position could reach it. A project keeps the lockboxes of an instrument as
// ranges of time; no run develops on a decision that another run has locked, and
// none locks a decision that another has developed on (see file.place).
//
// The package also holds the catalogue of all that is registered. It refuses
// recipes whose names it does not know, data without a single label and, with a
// verdict that says why, data too short for the protocol ([split.TooShort]) and
// folds with one class or without two blocks for an interval.
package factory

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/store"
)

// Factory runs recipes.
type Factory struct {
	Catalogue *Catalogue
	Code      *flow.Code
}

// New makes a factory. sources is the source tree that stage versions are
// computed from, kernel the kernel path in use.
func New(cat *Catalogue, sources fs.FS, kernel string) (*Factory, error) {
	code, err := flow.NewCode(sources, kernel)
	if err != nil {
		return nil, err
	}
	return &Factory{Catalogue: cat, Code: code}, nil
}

// Env is what does not change a result.
type Env struct {
	Store    *store.Store
	Attempt  *store.Attempt
	Workers  int
	Memory   int64
	Progress func(flow.Event)
	// Planned is called once per market, before the first fit, with what
	// will run.
	Planned func(Planned)
	Audit   AuditFunc
	// Until ends the run of each market early; the zero value goes to the
	// verdict.
	Until Step
	// NoSkill leaves out the k-fold and what is measured on it, on which no
	// verdict depends.
	NoSkill bool
}

// Step names how far a run goes.
type Step uint8

// The steps of a run. What an outcome holds after a step that is not the last
// is what the steps up to it have found.
const (
	ToVerdict Step = iota
	ToBars         // bars and the report on them
	ToLabels       // and labels
	ToTable        // and features, gathered at the decisions
	ToPlan         // and folds, whose plan is told to Planned
	ToSkill        // and the purged k-fold; no walk-forward, no trade, no trial
)

// Planned is what a run is about to do for one market.
type Planned struct {
	Market      string
	Bars        int
	Decisions   int
	Labelled    int
	Columns     int
	Fits        int // that will run
	Cached      int // that are there
	MemoryBytes int64
	Embargo     time.Duration
	FloorBars   int
	ClockBar    time.Duration
	Notes       []string
	Kinds       []flow.PlanKind // stages by kind
}

// Result is what a run found out.
type Result struct {
	Recipe   recipe.Recipe
	Outcomes []*Outcome
	Reports  []*flow.Report // per market and phase, in order
	close    []func() error
}

// Close releases the mapped files that the outcomes read from.
func (r *Result) Close() error {
	var errs []error
	for _, f := range r.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// Run runs a recipe. The result must be closed.
func (f *Factory) Run(ctx context.Context, rec recipe.Recipe, env Env) (*Result, error) {
	return f.run(ctx, rec, env, nil)
}

func (f *Factory) run(ctx context.Context, rec recipe.Recipe, env Env, w *Windows) (*Result, error) {
	res := &Result{Recipe: rec}
	for _, m := range rec.Markets {
		out, err := f.market(ctx, &rec, m, env, res, w)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", m.Name, err), res.Close())
		}
		res.Outcomes = append(res.Outcomes, out)
	}
	return res, nil
}

func (f *Factory) market(ctx context.Context, rec *recipe.Recipe, m recipe.Market, env Env, res *Result, w *Windows) (*Outcome, error) {
	inst, err := f.Catalogue.Instruments.Find(m.Instrument)
	if err != nil {
		return nil, err
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		return nil, err
	}
	cm, err := cost.New(inst, rec.Cost)
	if err != nil {
		return nil, err
	}
	l := &line{noSkill: env.NoSkill, f: f, rec: rec, market: m, inst: inst, cal: cal, cost: cm, cache: newCache()}
	res.close = append(res.close, l.cache.close)
	if m.Synth == nil {
		// A file that is known by its content alone serves as long as its bars
		// are in the store.
		digest, content := strings.CutPrefix(m.Data, recipe.ContentPrefix)
		if l.dataDigest = digest; !content {
			if l.dataDigest, err = FileDigest(m.Data); err != nil {
				return nil, err
			}
		}
	} else if l.dataDigest, err = param.Digest(m.Synth); err != nil {
		return nil, err
	}
	run := func(targets ...*flow.Node) (*flow.Report, error) {
		rep, err := flow.Run(ctx, env.Store, targets, flow.Options{Workers: env.Workers, MemoryLimit: env.Memory, Progress: env.Progress, Attempt: env.Attempt})
		res.Reports = append(res.Reports, rep)
		return rep, err
	}

	// Phase 1: bars.
	if err := l.addBars(); err != nil {
		return nil, err
	}
	rep, err := run(l.bars)
	if err != nil {
		return nil, err
	}
	o := &Outcome{Market: m.Name, Instrument: inst, Generated: m.Synth != nil, Candidate: -1, cache: l.cache}
	if o.Base, err = l.loadBars(env.Store, rep); err != nil {
		return nil, err
	}
	if o.Data, err = loadJSON[ingest.Report](env.Store, rep, l.bars, "report.json"); err != nil {
		return nil, err
	}
	if env.Until == ToBars {
		return o, nil
	}

	// Phase 2: labels, features, table.
	if err := l.addData(o.Base, env.Audit); err != nil {
		return nil, err
	}
	o.Clock, o.Notes = l.clock.String(), l.notes
	if rep, err = run(l.labels); err != nil {
		return nil, err
	}
	if o.Labels, err = l.loadLabels(env.Store, rep); err != nil {
		return nil, err
	}
	o.Decisions = decisionsOf(o.Labels)
	o.Counts = countLabels(o.Labels)
	if env.Until == ToLabels {
		return o, nil
	}
	if env.Until == ToTable {
		if rep, err = run(l.table); err != nil {
			return nil, err
		}
		return o, l.loadTable(env.Store, rep, o)
	}
	clockNS := clockBar(l.clock, o.Decisions, cal)
	dev := development{from: math.MinInt64, end: math.MaxInt64}
	if w != nil {
		l.windows, dev.start = w.Starts, w.End
	} else if dev, err = l.recordLockbox(ctx, env, o, clockNS); err != nil {
		return nil, err
	}
	o.Notes = l.notes
	o.Lockbox.From, o.Lockbox.Start, o.Lockbox.End = dev.from, dev.start, dev.end
	l.size.labelled(len(o.Decisions), o.Counts.Concurrency, rec.Weights.MaxConcurrency)

	// Phase 3: folds, fits, trades.
	if err := l.addFits(dev, clockNS); err != nil {
		return nil, err
	}
	if rep, err = run(l.folds); err != nil {
		var short *split.TooShort
		if errors.As(err, &short) {
			return l.refuse(o, fmt.Sprintf("the data are too short, %d trading dates: %s", o.Data.Sessions, strings.TrimPrefix(short.Error(), "split: ")))
		}
		return nil, err
	}
	fs, err := loadJSON[folds](env.Store, rep, l.folds, "folds.json")
	if err != nil {
		return nil, err
	}
	o.Lockbox.Rows = fs.BoxRows
	for w := range fs.Steps {
		o.Steps = append(o.Steps, stepInfo(o.Labels, w, &fs.Steps[w]))
	}
	// The audit's windows are tried on data that have been altered.
	if why, err := lacking(o.Labels, &fs, rec.Weights, w == nil && !env.NoSkill); err != nil || why != "" {
		if err != nil {
			return nil, err
		}
		return l.refuse(o, why)
	}
	if env.Planned != nil {
		targets := l.targets()
		if l.boxTrade != nil {
			targets = append(targets, l.boxTrade)
		}
		plan, err := flow.NewPlan(ctx, env.Store, targets, env.Workers, env.Memory)
		if err != nil {
			return nil, err
		}
		p := Planned{Market: m.Name, Bars: o.Base.Len(), Decisions: len(o.Decisions), Labelled: o.Counts.Labelled, Columns: len(l.columns),
			MemoryBytes: plan.Memory, Embargo: rec.Split.KFold.Embargo.Std(), FloorBars: rec.Split.WalkForward.FloorBars, ClockBar: time.Duration(clockNS), Notes: l.notes, Kinds: plan.Kinds}
		p.Fits, p.Cached = fitCount(plan.Nodes)
		env.Planned(p)
	}
	if env.Until == ToPlan {
		return o, nil
	}
	if env.Until == ToSkill {
		if rep, err = run(l.skill); err != nil {
			return nil, err
		}
		o.Skill, err = loadJSON[[]Skill](env.Store, rep, l.skill, "skill.json")
		return o, err
	}
	if rep, err = run(l.targets()...); err != nil {
		return nil, err
	}
	if err := l.collect(env.Store, rep, o); err != nil {
		return nil, err
	}

	// Phase 4: ledger and verdict.
	if err := l.judge(ctx, env, o, run); err != nil {
		return nil, err
	}
	return o, nil
}

// refuse is the outcome of a run whose data do not suffice for the protocol.
func (l *line) refuse(o *Outcome, why string) (*Outcome, error) {
	o.Refused = why
	o.Verdict = judge.Refuse(l.rec.Candidate, l.inst.Name, o.Refused)
	o.Verdict.Caveats = append(o.Verdict.Caveats, l.caveats(o)...)
	return o, nil
}

// caveats are what a reader must know of the data.
func (l *line) caveats(o *Outcome) []string {
	var c []string
	if o.Data.Assumed {
		c = append(c, fmt.Sprintf("nobody knows which side of a bar the stamps mark; %s is an assumption", o.Data.Stamps))
	}
	if l.inst.Proxy != "" {
		c = append(c, l.inst.Name+" is "+l.inst.Proxy)
	}
	if n := o.Base.Len(); n > 0 {
		known := 0
		for _, v := range o.Base.Volume {
			if v == v {
				known++
			}
		}
		if 2*known < n {
			c = append(c, fmt.Sprintf("volume is known for %.0f %% of the bars", 100*float64(known)/float64(n)))
		}
	}
	return append(c, l.notes...)
}

func mostFrequent(m map[string]int) string {
	best, n := "", -1
	for why, k := range m {
		if k > n || k == n && why < best {
			best, n = why, k
		}
	}
	return fmt.Sprintf("%s (%d times)", best, n)
}

func countLabels(s *label.Set) LabelCounts {
	c := LabelCounts{Decisions: s.Len(), Invalid: map[string]int{}}
	var r rows
	for i, ok := range s.Valid {
		if !ok {
			c.Invalid[s.Why[i]]++
			continue
		}
		r = append(r, i)
		switch s.Class[i] {
		case -1:
			c.Short++
		case 0:
			c.None++
		default:
			c.Long++
		}
	}
	c.Labelled = len(r)
	if len(r) > 0 {
		spans := spansOf(s, r)
		c.EffectiveN = label.EffectiveN(label.Uniqueness(spans))
		c.Concurrency = label.Concurrency(spans).Mean()
	}
	return c
}

func stepInfo(s *label.Set, w int, st *step) StepInfo {
	at := func(d int) int64 { return s.Spans[min(d, s.Len()-1)].Decision }
	return StepInfo{Step: w + 1, Train: len(st.Train), Stop: len(st.Stop), Calib: len(st.Calib), Test: len(st.Test),
		TrainTo: at(max(last(st.Train), last(st.Stop), last(st.Calib))), TestFrom: at(st.Lo), TestTo: at(st.Hi - 1), Box: st.Box}
}

func last(r rows) int {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1]
}

// trialKey is the content key of a strategy: what it is, on what, and the
// returns that it had.
func trialKey(t judge.Trial, params string) string {
	h := sha256.New()
	text := func(s string) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	text("mlfactory trial 1")
	text(t.Name)
	text(t.Instrument)
	text(params)
	for i, d := range t.Days {
		h.Write(binary.LittleEndian.AppendUint32(nil, uint32(d)))
		h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(t.Returns[i])))
	}
	return hex.EncodeToString(h.Sum(nil))
}
