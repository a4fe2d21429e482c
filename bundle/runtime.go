package bundle

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// Registries is what a bundle's names refer to.
type Registries struct {
	Models    *model.Registry
	Ensembles *ensemble.Registry
	Features  *feature.Registry
}

// Decision is what the strategy says at one instant.
type Decision struct {
	Time int64 // of the decision
	// Base is each model's probabilities of −1, 0, +1, in the bundle's order.
	Base [][model.K]float64
	// Ensemble is their combination (the model's own for a single model),
	// Calibrated what it means.
	Ensemble, Calibrated [model.K]float64
	// ExpectedLong and ExpectedShort are expected net returns of a position
	// opened now.
	ExpectedLong, ExpectedShort float64
	Side                        int8 // +1 buy, −1 sell, 0 nothing
}

// Runtime decides. Push it with base bars in the order in which they become
// known, then Advance the clock: decisions due by then come out. It is not safe
// for concurrent use.
type Runtime struct {
	b          *Bundle
	digest     string
	cal        *calendar.Calendar
	sessioner  *bar.Sessioner
	driver     *feature.Driver
	clock      *bar.Builder
	filter     *label.Filter // which decisions of the clock are events
	bases      []base
	combiner   ensemble.Combiner // nil for a single model
	calibrator *calibrate.Calibrator

	advanced int64 // Advance was called with it
	decided  int64 // latest decision of the clock, event or not
	pushed   bar.Bar
	due      []int64
	in       []*model.Prediction
	out      model.Prediction
	err      error
}

type base struct {
	model.Fitted
	reader  *feature.Reader // nil without columns
	windows *Reader
	table   view.Table
	p       model.Prediction
}

// Open makes the runtime: it decodes the models and checks that the features
// make every column they look at.
func (b *Bundle) Open(reg Registries) (*Runtime, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	cal, err := b.Instrument.NewCalendar()
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	r := &Runtime{b: b, cal: cal, advanced: math.MinInt64, decided: math.MinInt64,
		sessioner: bar.NewSessioner(cal, b.Instrument.Limit(b.Base, cal))}
	if r.digest, err = b.Digest(); err != nil {
		return nil, err
	}
	if r.driver, err = feature.NewDriver(reg.Features, b.Set, b.Base, cal); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if r.clock, err = bar.NewBuilder(b.Base, b.Clock, cal); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if r.filter, err = label.NewFilter(b.Clock, b.Label, b.Events); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	for _, m := range b.Models {
		e, ok := reg.Models.Entry(m.Use)
		if !ok {
			return nil, fmt.Errorf("bundle: model %s was made by %q, which this program does not know", m.Name, m.Use)
		}
		x := base{}
		if x.Fitted, err = e.Decode(bytes.NewReader(m.Body)); err != nil {
			return nil, fmt.Errorf("bundle: model %s: %w", m.Name, err)
		}
		if len(m.Columns) > 0 {
			if x.reader, err = feature.NewReader(r.driver.Store(), m.Columns, cal); err != nil {
				return nil, fmt.Errorf("bundle: model %s: %w", m.Name, err)
			}
		}
		if x.windows, err = m.NewReader(r.driver.Store(), cal); err != nil {
			return nil, fmt.Errorf("bundle: model %s: %w", m.Name, err)
		}
		for _, s := range m.Streams {
			r.driver.Keep(s.Timeframe, s.Length)
		}
		r.bases = append(r.bases, x)
	}
	for i := range r.bases {
		r.in = append(r.in, &r.bases[i].p)
	}
	if b.Ensemble != "" {
		e, ok := reg.Ensembles.Entry(b.Ensemble)
		if !ok {
			return nil, fmt.Errorf("bundle: this program does not know the ensemble %q", b.Ensemble)
		}
		if r.combiner, err = e.Decode(bytes.NewReader(b.Combiner)); err != nil {
			return nil, fmt.Errorf("bundle: ensemble: %w", err)
		}
		names := r.combiner.Bases()
		if len(names) != len(b.Models) {
			return nil, fmt.Errorf("bundle: the ensemble combines %d models, the bundle holds %d", len(names), len(b.Models))
		}
		for i, n := range names {
			if n != b.Models[i].Name {
				return nil, fmt.Errorf("bundle: the ensemble expects model %q in place %d, the bundle holds %q", n, i+1, b.Models[i].Name)
			}
		}
	}
	if r.calibrator, err = calibrate.Decode(bytes.NewReader(b.Calibrator)); err != nil {
		return nil, fmt.Errorf("bundle: calibrator: %w", err)
	}
	return r, nil
}

// Push takes the next base bar: finished, checked (as package ingest does), with
// Begin, End and Known. Its session, segment and flags are worked out here, by
// the code that does it for files; what b says of them is not used. Bars must not
// become known earlier than the one before, nor at or before the instant of the
// last Advance. After an error the runtime refuses further work until Restore.
func (r *Runtime) Push(b *bar.Bar) error {
	if r.err != nil {
		return r.err
	}
	if b.Known <= r.advanced {
		return r.fail(fmt.Errorf("bundle: the bar that ended at %s was known at %s, when the clock stood at %s already; push bars before Advance passes them",
			stamp(b.End), stamp(b.Known), stamp(r.advanced)))
	}
	short := b.Flags & bar.Short
	r.pushed = *b
	r.pushed.Flags = short
	r.sessioner.Push(&r.pushed)
	if err := r.driver.Push(&r.pushed); err != nil {
		return r.fail(err)
	}
	r.clock.Push(&r.pushed)
	return nil
}

// Advance says that every bar known by t has been pushed, and returns the
// decisions due by t, in order of time; none, usually. The decisions' memory is
// the caller's. t may not go back.
func (r *Runtime) Advance(ctx context.Context, t int64) ([]Decision, error) {
	if r.err != nil {
		return nil, r.err
	}
	if t < r.advanced {
		return nil, r.fail(fmt.Errorf("bundle: the clock went back from %s to %s", stamp(r.advanced), stamp(t)))
	}
	r.advanced = t
	if err := r.driver.Advance(t); err != nil {
		return nil, r.fail(err)
	}
	r.due = r.due[:0]
	r.clock.Advance(t, func(b *bar.Bar) {
		r.filter.Push(b)
		if !r.isDecision(b) {
			return
		}
		r.decided = b.End
		if r.filter.Keep(b.End) {
			r.due = append(r.due, b.End)
		}
	})
	var out []Decision
	for _, at := range r.due {
		d, err := r.decide(ctx, at)
		if err != nil {
			return nil, r.fail(fmt.Errorf("bundle: decision at %s: %w", stamp(at), err))
		}
		out = append(out, d)
	}
	if len(r.due) > 0 {
		r.driver.Forget(t)
	}
	return out, nil
}

// isDecision is the rule of [bar.Decisions] for one bar of the clock; the filter
// has the rule of label.Events for one decision.
func (r *Runtime) isDecision(b *bar.Bar) bool {
	if b.Known > b.End || b.Flags&(bar.Late|bar.Irregular) != 0 || b.End <= r.decided {
		return false
	}
	_, open := r.cal.At(b.End)
	return open
}

func (r *Runtime) fail(err error) error {
	r.err = err
	return err
}

// decide predicts one row.
func (r *Runtime) decide(ctx context.Context, at int64) (Decision, error) {
	d := Decision{Time: at, Base: make([][model.K]float64, len(r.bases))}
	when := [1]int64{at}
	for i := range r.bases {
		x := &r.bases[i]
		var v view.View
		if x.reader != nil {
			if err := x.reader.Read(r.driver.Store(), when[:], &x.table); err != nil {
				return d, err
			}
			v.Table = &x.table
		}
		if err := x.windows.Read(r.driver.Store(), when[:], &v); err != nil {
			return d, err
		}
		if err := x.Predict(ctx, v, &x.p); err != nil {
			return d, fmt.Errorf("model %s: %w", r.b.Models[i].Name, err)
		}
		if err := x.p.Check(); err != nil {
			return d, fmt.Errorf("model %s: %w", r.b.Models[i].Name, err)
		}
		copy(d.Base[i][:], x.p.Prob)
	}
	if r.combiner != nil {
		if err := r.combiner.Apply(ctx, r.in, &r.out); err != nil {
			return d, err
		}
	} else {
		r.out.Resize(1, model.K)
		copy(r.out.Prob, r.bases[0].p.Prob)
	}
	copy(d.Ensemble[:], r.out.Prob)
	if err := r.calibrator.Apply(&r.out); err != nil {
		return d, err
	}
	copy(d.Calibrated[:], r.out.Prob)
	d.ExpectedLong, d.ExpectedShort = r.b.Payoff.Expected(r.out.Prob)
	sides, _, err := r.b.Rule.Sides(r.b.Payoff, &r.out)
	if err != nil {
		return d, err
	}
	d.Side = sides[0]
	return d, nil
}

const (
	stateKind    = "bundle state"
	stateVersion = 2 // 1 had no filter
)

// State is everything that later decisions depend on, for [Runtime.Restore].
func (r *Runtime) State() ([]byte, error) {
	if r.err != nil {
		return nil, fmt.Errorf("bundle: the runtime stopped, its state is not whole: %w", r.err)
	}
	return r.state()
}

func (r *Runtime) state() ([]byte, error) {
	p := []byte(r.digest)
	p = binary.LittleEndian.AppendUint64(p, uint64(r.advanced))
	p = binary.LittleEndian.AppendUint64(p, uint64(r.decided))
	for _, part := range [][]byte{r.sessioner.State(nil), r.clock.State(nil), r.filter.State(nil), r.driver.State(nil)} {
		p = binary.LittleEndian.AppendUint64(p, uint64(len(part)))
		p = append(p, part...)
	}
	var buf bytes.Buffer
	err := model.WriteArtifact(&buf, stateKind, stateVersion, p)
	return buf.Bytes(), err
}

// Restore reads what [Runtime.State] wrote. A state of another bundle and a
// damaged one are refused and change nothing.
func (r *Runtime) Restore(src []byte) error {
	p, err := model.ReadArtifact(bytes.NewReader(src), stateKind, stateVersion)
	if err != nil {
		return err
	}
	if len(p) < len(r.digest)+16 || string(p[:len(r.digest)]) != r.digest {
		return fmt.Errorf("bundle: this state belongs to another bundle")
	}
	before, err := r.state()
	if err != nil {
		return err
	}
	if err := r.restore(p[len(r.digest):]); err != nil {
		if q, undo := model.ReadArtifact(bytes.NewReader(before), stateKind, stateVersion); undo == nil {
			if undo = r.restore(q[len(r.digest):]); undo != nil {
				r.err = undo
			}
		}
		return fmt.Errorf("bundle: restore: %w", err)
	}
	r.err = nil
	return nil
}

func (r *Runtime) restore(p []byte) error {
	r.advanced, r.decided = int64(binary.LittleEndian.Uint64(p)), int64(binary.LittleEndian.Uint64(p[8:]))
	p = p[16:]
	for _, f := range []func([]byte) error{r.sessioner.Restore, r.clock.Restore, r.filter.Restore, r.driver.Restore} {
		if len(p) < 8 {
			return fmt.Errorf("the state is cut short")
		}
		n := binary.LittleEndian.Uint64(p)
		if n > uint64(len(p)-8) {
			return fmt.Errorf("the state is cut short")
		}
		if err := f(p[8 : 8+n]); err != nil {
			return err
		}
		p = p[8+n:]
	}
	return nil
}

// Bundle is what the runtime was made from.
func (r *Runtime) Bundle() *Bundle { return r.b }

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
