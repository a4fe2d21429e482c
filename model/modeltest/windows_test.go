package modeltest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/view"
)

// flattened is the honest bayes over the values of a window, with faults of its
// own.
type flattened struct {
	bayes
	streams bool // takes several
	static  bool
	known   bool
}

// table lays all parts out in one table.
func (l *flattened) table(v view.View) (view.View, error) {
	switch {
	case len(v.Streams) == 0:
		return v, errors.New("no windows")
	case !l.streams && len(v.Streams) > 1 && l.fault != "first-stream":
		return v, errors.New("several streams")
	}
	if err := v.Check(); err != nil {
		return v, err
	}
	parts := v.Streams
	if !l.streams {
		parts = parts[:1]
	}
	if l.known && v.Known != nil {
		parts = append(slices.Clone(parts), v.Known)
	}
	out := &view.Table{N: v.Streams[0].Len()}
	for _, w := range parts {
		if l.fault == "sees-other-segments" {
			c := *w
			c.Segment = nil
			w = &c
		}
		if l.fault == "ignores-columns-of-the-matrix" {
			c := *w
			c.Columns = slices.Clone(w.Columns)
			for j := range c.Columns {
				c.Columns[j] = int32(j)
			}
			w = &c
		}
		c := len(w.Columns)
		if c == 0 {
			return v, errors.New("no channels")
		}
		row := make([]float32, w.Length*c)
		data := make([]float32, out.N*len(row))
		for i := range out.N {
			w.Copy(i, row)
			for k, x := range row {
				data[k*out.N+i] = x
			}
		}
		out.Data = append(out.Data, data...)
		for k := range w.Length {
			for _, n := range w.Names {
				name := fmt.Sprintf("%s %s %d", n, w.Timeframe, w.Length-1-k)
				if l.fault == "ignores-timeframe" {
					name = fmt.Sprintf("%s %d", n, w.Length-1-k)
				}
				out.Names = append(out.Names, name)
			}
		}
	}
	if l.static && v.Table != nil {
		out.Names, out.Data = append(out.Names, v.Table.Names...), append(out.Data, v.Table.Data...)
	}
	out.P = len(out.Names)
	v.Table, v.Streams, v.Known = out, nil, nil
	return v, nil
}

func (l *flattened) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	train, err := l.table(train)
	if err != nil {
		return nil, err
	}
	if stop.Len() > 0 {
		if stop, err = l.table(stop); err != nil {
			return nil, err
		}
	}
	f, err := l.bayes.Fit(ctx, env, train, stop)
	if err != nil {
		return nil, err
	}
	return &flattenedModel{f, l}, nil
}

type flattenedModel struct {
	model.Fitted
	l *flattened
}

func (m *flattenedModel) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	v, err := m.l.table(v)
	if err != nil {
		return err
	}
	return m.Fitted.Predict(ctx, v, out)
}

// windowEntry is the fake with one fault; "", "streams", "static" and "known"
// are honest.
func windowEntry(fault string) model.Entry {
	inner := entry("")
	l := &flattened{bayes: bayes{fault: fault}, streams: fault == "streams" || fault == "static",
		static: fault == "static" || fault == "static-unclaimed", known: fault == "known" || fault == "known-unclaimed"}
	e := inner
	e.Input = model.InputWindows
	if l.streams {
		e.Input = model.InputStreams
	}
	e.Abilities.Static = fault == "static" || fault == "static-claimed-only"
	e.Abilities.Known = fault == "known" || fault == "known-claimed-only"
	e.New = func(cfg any) (model.Learner, error) {
		if _, err := inner.New(cfg); err != nil {
			return nil, err
		}
		return l, nil
	}
	e.Decode = func(r io.Reader) (model.Fitted, error) {
		f, err := inner.Decode(r)
		if err != nil {
			return nil, err
		}
		return &flattenedModel{f, l}, nil
	}
	return e
}

// windowOptions: two bars, so that the fake is not too sure of itself, and room
// for its tables.
func windowOptions() modeltest.Options {
	return modeltest.Options{Length: 2, RowAllocs: 200, DuplicateTol: 1e-9, SignalLoss: 0.8, NoiseExcess: 0.06}
}

func TestHonestWindowLearnersPass(t *testing.T) {
	for _, variant := range []string{"", "streams", "static", "known"} {
		t.Run("variant "+variant, func(t *testing.T) { modeltest.Run(t, windowEntry(variant), windowOptions()) })
	}
}

func TestBrokenWindowLearnersFail(t *testing.T) {
	for fault, law := range map[string]string{
		"first-stream":                  "windows",
		"ignores-timeframe":             "windows",
		"sees-other-segments":           "missing-bars",
		"ignores-columns-of-the-matrix": "shared-bars",
		"static-unclaimed":              "static",
		"static-claimed-only":           "static",
		"known-unclaimed":               "known-future",
		"known-claimed-only":            "known-future",
		"trains-on-stop":                "stop-never-trains",
		"no-skill":                      "signal",
	} {
		t.Run(fault, func(t *testing.T) {
			var failed []string
			for _, l := range modeltest.Laws(windowEntry(fault), windowOptions()) {
				if l.Check() != nil {
					failed = append(failed, l.Name)
				}
			}
			if !slices.Contains(failed, law) {
				t.Errorf("law %q holds for a learner that breaks it; it fails %v", law, failed)
			}
		})
	}
}
