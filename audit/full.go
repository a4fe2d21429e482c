package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/store"
)

// Options is what does not change what [Full] finds.
//
// The base of all comparisons is a run with one worker.
type Options struct {
	// Dir is a folder for copies of the input and for stores; Full makes what it
	// needs inside and removes it again.
	Dir      string
	Workers  int                                 // of the runs in other worlds, at least 1; the results do not depend on it, as the check of workers shows
	Memory   int64                               // bytes that running stages may expect to use together; 0: no limit
	Progress func(market, check string, ok bool) // may be nil; called after each check

	only []string // checks to make, by name ("future2" is its second world); empty: all
}

func (o Options) wants(check string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(o.only, func(x string) bool { return strings.TrimRight(x, "123") == check || x == check })
}

// Check is one thing that was looked at.
type Check struct {
	Name     string                 `json:"name"`
	OK       bool                   `json:"ok"`
	Compared int                    `json:"compared"` // things compared; a check that compared nothing is not ok
	Culprits []factory.AuditCulprit `json:"culprits"`
}

// Report is what an audit found in one market.
type Report struct {
	Market string  `json:"market"`
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// add finishes a check.
func (r *Report) add(name string, compared int, list *culprits, opt Options) bool {
	if compared == 0 && len(list.found) == 0 {
		list.add("audit", name, "there was nothing to compare, so nothing is proved")
	}
	c := Check{Name: name, Compared: compared, OK: len(list.found) == 0, Culprits: list.list()}
	if c.Culprits == nil {
		c.Culprits = []factory.AuditCulprit{}
	}
	r.Checks = append(r.Checks, c)
	r.OK = r.OK && c.OK
	if opt.Progress != nil {
		opt.Progress(r.Market, name, c.OK)
	}
	return c.OK
}

// Full audits a recipe from the raw file on, market by market. It runs the recipe
// on copies of the input into stores of their own and compares. The checks are
//
//   - copy: the copy of the input, written row by row as CSV from what the reader
//     made of it before its checks, holds the same rows and gives the same bars;
//   - run: the recipe runs to its end on it;
//   - folds: no row trains that meets its test block or embargo, by a proof that
//     shares no code with the splitters;
//   - provenance: every ensemble of the walk-forward was fitted on out-of-fold
//     predictions for its own window;
//   - future: with every row after a cut replaced, or left out, nothing that was
//     known at the cut moves: bars, features, labels, weights, folds, fitted
//     bytes and predictions of every walk-forward step that begins by then;
//   - rows: with labels and weights of every row replaced that a fold may not
//     learn from, its fitted bytes stay (k-fold, inner folds and final fits);
//   - workers: 1, 2 and 4 workers give the same outputs in every stage;
//   - stream: the bundle of each strategy, pushed bar by bar, decides as the run.
//
// The cuts are the start of the last window, where its fits are just due, and its
// middle. A failed check names culprits in the order of the way from bars to
// decisions: the first is the likely cause of the others. A check that could not
// be made is a failed check. The error is the context's or of the folder.
//
// Cost: six runs of the recipe and one more of each fit.
func Full(ctx context.Context, f *factory.Factory, rec recipe.Recipe, opt Options) ([]Report, error) {
	var out []Report
	for _, m := range rec.Markets {
		r, err := full(ctx, f, rec, m, opt)
		if err != nil {
			return out, fmt.Errorf("audit: %s: %w", m.Name, err)
		}
		out = append(out, *r)
	}
	return out, nil
}

// world is a run in a store of its own.
type world struct {
	dir   string
	store *store.Store
	res   *factory.Result
}

func (w *world) close() error {
	var errs []error
	if w.res != nil {
		errs = append(errs, w.res.Close())
	}
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

func (w *world) outcome() *factory.Outcome { return w.res.Outcomes[0] }

// auditor is the audit of one market.
type auditor struct {
	f      *factory.Factory
	rec    recipe.Recipe // with the copy as its only market
	opt    Options
	dir    string
	raw    *bar.Series // rows of the input
	base   *world
	report *Report
	worlds int // made so far
}

// run runs a recipe in a new world; windows nil: by the recipe itself. The error
// is the run's.
func (a *auditor) run(ctx context.Context, rec recipe.Recipe, workers int, windows *factory.Windows) (*world, error) {
	a.worlds++
	w := &world{dir: filepath.Join(a.dir, fmt.Sprintf("store%d", a.worlds))}
	var err error
	if w.store, err = store.OpenScratch(w.dir); err != nil {
		return nil, errors.Join(err, w.close())
	}
	rec.Audit = "off" // this is the audit
	env := factory.Env{Store: w.store, Workers: workers, Memory: a.opt.Memory}
	if windows == nil {
		w.res, err = a.f.Run(ctx, rec, env)
	} else {
		w.res, err = a.f.RunWindows(ctx, rec, env, *windows)
	}
	if err != nil {
		w.res = nil
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// copy is the recipe on a file of the given rows.
func (a *auditor) copy(name string, rows *bar.Series) (recipe.Recipe, error) {
	path := filepath.Join(a.dir, name)
	rec := a.rec
	m := rec.Markets[0]
	m.Data = path
	rec.Markets = []recipe.Market{m}
	return rec, writeRows(path, rows)
}

func full(ctx context.Context, f *factory.Factory, rec recipe.Recipe, m recipe.Market, opt Options) (r *Report, err error) {
	r = &Report{Market: m.Name, OK: true}
	dir, err := os.MkdirTemp(opt.Dir, "audit")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	rec.Lockbox = false // an audit opens nothing
	a := &auditor{f: f, rec: rec, opt: opt, dir: dir, report: r}

	raw, bars, err := readRaw(ctx, f, m)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		a.failed("copy", "bars", err)
		return r, nil
	}
	a.raw = raw
	a.rec.Markets = []recipe.Market{copied(m, raw)}
	if a.rec, err = a.copy("input.csv", raw); err != nil {
		return nil, err
	}
	a.base, err = a.run(ctx, a.rec, 1, nil)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		a.failed("run", "recipe", err)
		return r, nil
	}
	defer func() { err = errors.Join(err, a.base.close()) }()
	list := &culprits{}
	n := a.compareCopy(ctx, bars, list)
	r.add("copy", n, list, opt)
	if why := a.base.outcome().Refused; why != "" {
		a.failed("run", "recipe", errors.New("nothing was fitted: "+why))
		return r, nil
	}
	r.add("run", 1, &culprits{}, opt)
	for _, check := range []struct {
		name string
		run  func(context.Context) error
	}{{"folds", a.folds}, {"provenance", a.provenance}, {"future", a.future}, {"rows", a.rows}, {"workers", a.workers}, {"stream", a.stream}} {
		if !opt.wants(check.name) {
			continue
		}
		if err := check.run(ctx); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return r, nil
}

// failed adds a check that could not be made. An error of a stage names the stage;
// a refusal of predictions that are not out of fold says so.
func (a *auditor) failed(check, name string, err error) {
	list := &culprits{}
	var node *flow.NodeError
	if errors.As(err, &node) {
		name = short(node.Name)
	}
	what := "audit"
	var foreign *ensemble.ProvenanceError
	var covered *ensemble.CoverageError
	switch {
	case errors.As(err, &foreign):
		what = "provenance"
	case errors.As(err, &covered):
		what = "folds"
	}
	list.add(what, name, err.Error())
	a.report.add(check, 0, list, a.opt)
}

// draws is the stream of an audit's own draws.
func (a *auditor) draws(name string, ids ...int) rng.Stream {
	return rng.New(a.rec.Seed).Stream("audit").Stream(name, ids...)
}
