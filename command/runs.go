package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// with opens the project's store for reading and closes it afterwards.
func (p *Project) with(use func(*store.Store) error) (err error) {
	s, err := p.look()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return missing(use(s))
}

// missing makes a thing that is not there the caller's mistake.
func missing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return mark(ErrUsage, err)
	}
	return err
}

// Runs lists the runs of the project.
func (p *Project) Runs(ctx context.Context) (runs []store.Run, err error) {
	err = p.with(func(s *store.Store) error {
		runs, err = s.Runs(ctx)
		return err
	})
	return runs, err
}

// ShownRun is a run with its recipe and the stages of its attempts.
type ShownRun struct {
	store.Run
	Recipe string `json:"recipe"`
}

// ShowRun shows one run; id may be any unambiguous beginning.
func (p *Project) ShowRun(ctx context.Context, id string) (r ShownRun, err error) {
	err = p.with(func(s *store.Store) error {
		r.Run, err = s.Run(ctx, id)
		r.Recipe = string(r.Run.Recipe)
		return err
	})
	return r, err
}

// DiffRuns compares the latest attempts at two runs.
func (p *Project) DiffRuns(ctx context.Context, a, b string) (d store.RunDiff, err error) {
	err = p.with(func(s *store.Store) error {
		d, err = s.DiffRuns(ctx, a, b)
		return err
	})
	return d, err
}

// RemoveRun removes the record of a run; its trials stay counted.
func (p *Project) RemoveRun(ctx context.Context, id string) (full string, err error) {
	err = p.with(func(s *store.Store) error {
		r, err := s.Run(ctx, id)
		if err != nil {
			return err
		}
		full = r.ID
		return s.RemoveRun(ctx, r.ID)
	})
	return full, err
}

// Report makes the run folder of a recorded run again, from what the store
// holds; stages that are missing are computed, for which the data may be needed
// (data, one path a market; empty for none).
func (p *Project) Report(ctx context.Context, id string, data []string, o RunOptions) (*RunResult, error) {
	r, err := p.ShowRun(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, l := range r.Labels {
		if l.Name == "command" && l.Value != "run" {
			return nil, Usage("%s is no whole run but a %s, which has no folder", r.ID[:12], l.Value)
		}
	}
	d, err := recipe.Read(r.Run.Recipe, "run "+r.ID[:12], factory.DefaultRecipe(), p.Factory.Catalogue)
	if err != nil {
		return nil, err
	}
	if len(data) > len(d.Recipe.Markets) {
		return nil, Usage("%d files for %d markets", len(data), len(d.Recipe.Markets))
	}
	for i, path := range data {
		if d.Recipe.Markets[i].Data == "" {
			return nil, Usage("market %d of the run is generated and takes no file", i+1)
		}
		want := d.Recipe.Markets[i].Data
		have, err := factory.FileDigest(path)
		if err != nil {
			return nil, mark(ErrData, err)
		}
		if recipe.ContentPrefix+have != want {
			return nil, mark(ErrData, fmt.Errorf("%s is not the file of this run: its content is %s%s, the run's was %s", path, recipe.ContentPrefix, have, want))
		}
		d.Recipe.Markets[i].Data = path
	}
	rec, err := d.Finish(p.Factory.Catalogue)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx, rec, o)
}

// Ledger is the trials of the project.
type Ledger struct {
	Digest string         `json:"digest"` // of all of them
	Trials []LedgerTrial  `json:"trials"`
	Boxes  []LedgerLocked `json:"lockboxes"`
}

// LedgerTrial is one trial.
type LedgerTrial struct {
	Key        string       `json:"key"`
	Name       string       `json:"name"`
	Instrument string       `json:"instrument"`
	From       string       `json:"from"`
	To         string       `json:"to"`
	Days       int          `json:"days"`
	Sharpe     judge.Number `json:"sharpe_per_day"`
	Inner      bool         `json:"inner"`
}

// LedgerLocked is one lockbox.
type LedgerLocked struct {
	Key    string `json:"key"`
	Start  string `json:"start"`
	End    string `json:"end"`         // the first instant behind it; empty in a record that does not say
	By     string `json:"recorded_by"` // run that recorded it; empty in a record that does not say
	Opened string `json:"opened_by"`   // key of the trial that opened it; empty while unopened
}

// Ledger lists the trials and lockboxes, of one instrument if it is given.
func (p *Project) Ledger(ctx context.Context, instrument string) (*Ledger, error) {
	out := &Ledger{Trials: []LedgerTrial{}, Boxes: []LedgerLocked{}}
	err := p.with(func(s *store.Store) error {
		all, err := s.Trials(ctx)
		if err != nil {
			return err
		}
		var kept []judge.Trial
		for _, t := range all {
			if instrument != "" && t.Instrument != instrument {
				continue
			}
			kept = append(kept, t)
			x := LedgerTrial{Key: t.Key, Name: t.Name, Instrument: t.Instrument, From: stamp(t.From), To: stamp(t.To), Days: len(t.Days), Inner: t.Inner}
			if sm, err := judge.NewSample(t.Returns); err == nil {
				x.Sharpe = judge.Number(sm.Sharpe)
			} else {
				x.Sharpe = judge.Number(nan())
			}
			out.Trials = append(out.Trials, x)
		}
		out.Digest = judge.Digest(kept)
		boxes, err := s.Lockboxes(ctx)
		for _, b := range boxes {
			x := LedgerLocked{Key: b.Key, Start: stamp(b.Start), By: b.By, Opened: b.OpenedBy}
			if b.End != 0 {
				x.End = stamp(b.End)
			}
			out.Boxes = append(out.Boxes, x)
		}
		return err
	})
	return out, err
}

// MergeLedger takes over the trials of another project and returns how many
// were new.
func (p *Project) MergeLedger(ctx context.Context, from string) (added int, err error) {
	other, err := store.OpenExisting(from)
	if err != nil {
		return 0, missing(err)
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	s, err := store.Open(p.Dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.MergeLedger(ctx, other)
}

// Verified is what was found in the store.
type Verified struct {
	Problems []store.Problem `json:"problems"`
	Forgot   bool            `json:"forgot"` // the next run computes them again
}

// Verify reads every object of the store. Damage is an error of the kind
// ErrFound, beside the result, unless it was repaired by forgetting it.
func (p *Project) Verify(ctx context.Context, forget bool) (*Verified, error) {
	v := &Verified{Problems: []store.Problem{}, Forgot: forget}
	err := p.with(func(s *store.Store) error {
		ps, err := s.Verify(ctx, forget)
		v.Problems = append(v.Problems, ps...)
		return err
	})
	if err == nil && len(v.Problems) > 0 && !forget {
		err = mark(ErrFound, fmt.Errorf("%d objects are damaged or missing; mlfactory store verify --forget lets the next run compute them again", len(v.Problems)))
	}
	return v, err
}

// Collect removes what no run uses, or only counts it.
func (p *Project) Collect(ctx context.Context, dryRun bool) (g store.Garbage, err error) {
	err = p.with(func(s *store.Store) error {
		g, err = s.GC(ctx, dryRun)
		return err
	})
	return g, err
}
