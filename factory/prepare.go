package factory

import (
	"context"
	"fmt"
	"io"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

// This file makes the stages that no fit is needed for: bars, labels, features,
// the table of features by decision, and the leak check over them.

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
	l.bars, err = l.node("bars", "bars", p, barsMemory(l.market, l.cal), nil, func(ctx context.Context, t *flow.Task) error {
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

func (l *line) readFeatures(t *flow.Task, input int) (*feature.Store, error) {
	objects := map[string]*store.Object{}
	for _, o := range t.Input(input).Outputs {
		obj, err := t.Open(input, o.Name)
		if err != nil {
			return nil, err
		}
		objects[o.Name] = obj
	}
	return l.cache.features(objects)
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
func (l *line) addData(base *bar.Series, audit AuditFunc) error {
	var err error
	if l.set, l.notes, err = l.f.Catalogue.featureSet(l.rec.Features, base.Timeframe); err != nil {
		return err
	}
	if l.columns, err = l.set.Columns(l.f.Catalogue.Features); err != nil {
		return err
	}
	if l.clock, err = clockFrame(l.rec.Clock.Timeframe, base.Timeframe); err != nil {
		return fmt.Errorf("clock.timeframe: %w", err)
	}
	if l.size, err = newSize(base, l.clock, l.set, l.f.Catalogue.Features); err != nil {
		return err
	}
	l.labels, err = l.node("labels", "labels", labelParams{l.rec.Label, l.clock.String(), l.rec.Clock.Events, *l.cost, l.cal.Name()}, l.size.labels(), []*flow.Node{l.bars}, func(ctx context.Context, t *flow.Task) error {
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
	l.features, err = l.node("features", "features", featureParams{l.set, l.cal.Name()}, l.size.features(), []*flow.Node{l.bars}, func(ctx context.Context, t *flow.Task) error {
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
	}{l.columns}, l.size.table(), []*flow.Node{l.features, l.labels}, func(ctx context.Context, t *flow.Task) error {
		st, err := l.readFeatures(t, 0)
		if err != nil {
			return err
		}
		s, err := l.readLabels(t, 1)
		if err != nil {
			return err
		}
		var tab view.Table
		if err := feature.Gather(st, decisionsOf(s), l.columns, l.cal, &tab); err != nil {
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
	}{l.rec.Audit, l.rec.Seed, featureParams{l.set, l.cal.Name()}, labelParams{l.rec.Label, l.clock.String(), l.rec.Clock.Events, *l.cost, l.cal.Name()}}, l.size.audit(),
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
	t, err := tableOf(ctx, l.f.Catalogue.Features, base, l.cal, l.set, decisionsOf(s), workers)
	return s, t, err
}
