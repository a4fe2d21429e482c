package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
)

// future runs the recipe in worlds with another future and compares what was
// known at the cut.
func (a *auditor) future(ctx context.Context) error {
	o := a.base.outcome()
	last := o.Steps[len(o.Steps)-1]
	middle := o.Decisions[(decidedBy(o.Labels, last.TestFrom)+decidedBy(o.Labels, last.TestTo))/2]
	for i, w := range []struct {
		cut  int64
		what string
		rows func(cut int64) *bar.Series
	}{
		{last.TestFrom, "replaced", func(cut int64) *bar.Series {
			return replaceAfter(a.raw, cut, a.draws("worlds", 0), a.raw.Len())
		}},
		{middle, "replaced", func(cut int64) *bar.Series {
			return replaceAfter(a.raw, cut, a.draws("worlds", 1), a.raw.Len())
		}},
		{middle, "left out", func(cut int64) *bar.Series {
			if tail := a.counted(cut); tail > 0 {
				return replaceAfter(a.raw, cut, a.draws("worlds", 2), tail)
			}
			return until(a.raw, cut)
		}},
	} {
		if only := a.opt.only; len(only) > 0 && !slices.Contains(only, "future") && !slices.Contains(only, fmt.Sprintf("future%d", i+1)) {
			continue
		}
		name := fmt.Sprintf("future: every row after %s %s", stamp(w.cut), w.what)
		if err := a.otherFuture(ctx, name, i, w.cut, w.rows(w.cut)); err != nil {
			return err
		}
	}
	return nil
}

// counted is how many bars after the cut a horizon counts: where it is a number of
// ready-made bars or of sessions, a label is there only once they are, whatever
// ended its position before. These bars stay, with other values. By the clock it
// is 0.
func (a *auditor) counted(cut int64) int {
	o := a.base.outcome()
	if o.Clock != bar.Native.String() && o.Clock != bar.Session.String() {
		return 0
	}
	until := cut
	for i := range decidedBy(o.Labels, cut) {
		if o.Labels.Valid[i] {
			until = max(until, o.Labels.Expiry[i])
		}
	}
	n := 0
	for _, end := range a.raw.End {
		if end > cut && end <= until {
			n++
		}
	}
	return n + 1
}

// otherFuture is one other world.
func (a *auditor) otherFuture(ctx context.Context, name string, i int, cut int64, rows *bar.Series) (err error) {
	was := a.base.outcome()
	rec, err := a.copy(fmt.Sprintf("world%d.csv", i), rows)
	if err != nil {
		return err
	}
	// The same windows; what comes after the cut may be too short for the
	// protocol, which changes no fold before it.
	win := factory.Windows{End: min(was.Lockbox.Start, rows.End[rows.Len()-1]+1)}
	for _, st := range was.Steps {
		if st.TestFrom <= cut {
			win.Starts = append(win.Starts, st.TestFrom)
		}
	}
	rec.Split.WalkForward.Steps = len(win.Starts)
	rec.Split.WalkForward.MaxLost, rec.Split.WalkForward.MinRows = 100, 1
	rec.Split.KFold.K, rec.Split.KFold.MaxLost, rec.Split.KFold.MinRows = 2, 100, 1
	rec.Random = 100
	w, err := a.run(ctx, rec, max(1, a.opt.Workers), &win)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && w.outcome().Refused != "" {
		err = errors.Join(errors.New(w.outcome().Refused), w.close())
	}
	if err != nil {
		a.failed(name, "recipe", fmt.Errorf("the run in this world failed, so nothing is proved: %w", err))
		return nil
	}
	defer func() { err = errors.Join(err, w.close()) }()
	list := &culprits{}
	now := w.outcome()
	at := "in that world"
	n := compareBars(was.Base, now.Base, cut, at, list)
	both := worlds{was: was.Labels, now: now.Labels, table: was.Table, again: now.Table, cut: cut, at: at, list: list}
	n += both.compare()
	k, err := a.compareSteps(w, len(win.Starts), cut, list)
	if err != nil {
		list.add("audit", "steps", err.Error())
	}
	a.report.add(name, n+k, list, a.opt)
	return nil
}

// compareSteps compares weights, folds, fitted bytes and predictions of the first
// steps of two worlds.
func (a *auditor) compareSteps(w *world, steps int, cut int64, list *culprits) (n int, err error) {
	was, now := a.base.outcome(), w.outcome()
	fa, err := a.base.res.Folds(a.base.store, was.Market)
	if err != nil {
		return 0, err
	}
	fb, err := w.res.Folds(w.store, now.Market)
	if err != nil {
		return 0, err
	}
	for k := range steps {
		x, y := &fa.Steps[k], &fb.Steps[k]
		name := fmt.Sprintf("wf%d", k+1)
		member := func(name, what string, a, b []int) {
			n++
			if i := firstDifference(a, b); i >= 0 {
				list.add("folds", name, fmt.Sprintf("%s rows differ from the %dth on: %d rows were %d", what, i+1, len(a), len(b)))
			}
		}
		member(name, "training", x.Train, y.Train)
		member(name, "stop", x.Stop, y.Stop)
		member(name, "calibration", x.Calib, y.Calib)
		for i := range x.Inner {
			inner := fmt.Sprintf("%s/inner%d", name, i+1)
			member(inner, "training", x.Inner[i].Train, y.Inner[i].Train)
			member(inner, "stop", x.Inner[i].Stop, y.Inner[i].Stop)
			member(inner, "test", x.Inner[i].Test, y.Inner[i].Test)
			n += a.compareWeights(inner, was.Labels, now.Labels, x.Inner[i].Train, y.Inner[i].Train, list)
		}
		n += a.compareWeights(name, was.Labels, now.Labels, x.Train, y.Train, list)
		k, err := a.compareOutputs(w, k+1, list)
		n += k
		if err != nil {
			return n, err
		}
	}
	for i, st := range was.Strategy {
		for k := range steps {
			n++
			if st.Record.Payoffs[k] != now.Strategy[i].Record.Payoffs[k] {
				list.add("fit", fmt.Sprintf("%s wf%d", st.Name, k+1), fmt.Sprintf("the payoffs of the classes were %v and are %v", st.Record.Payoffs[k], now.Strategy[i].Record.Payoffs[k]))
			}
		}
		k, err := comparePredictions(st, now.Strategy[i], cut, list)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func firstDifference(a, b []int) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// compareWeights weighs the training rows of a fold in both worlds.
func (a *auditor) compareWeights(name string, was, now *label.Set, x, y []int, list *culprits) int {
	p, err := label.Weigh(was.View(x).Spans, a.rec.Weights)
	q, too := label.Weigh(now.View(y).Spans, a.rec.Weights)
	if err != nil || too != nil {
		list.add("weights", name, fmt.Sprint(errors.Join(err, too)))
		return 1
	}
	if i := firstDifference(p.Rows, q.Rows); i >= 0 {
		list.add("weights", name, fmt.Sprintf("thinning keeps other rows from the %dth on: %d rows were %d", i+1, len(p.Rows), len(q.Rows)))
		return 1
	}
	for i := range p.Weight {
		if p.Weight[i] != q.Weight[i] {
			r := x[p.Rows[i]]
			list.add("weights", name, fmt.Sprintf("row %d, decided %s, weighed %v and weighs %v", r, stamp(was.Spans[r].Decision), p.Weight[i], q.Weight[i]))
			return 1
		}
	}
	return 1
}

// compareOutputs compares everything fitted in one step.
func (a *auditor) compareOutputs(w *world, step int, list *culprits) (n int, err error) {
	market := a.base.outcome().Market
	type output struct{ node, name, label string }
	var all []output
	for _, m := range a.rec.Models {
		for k := range a.innerFits(m.Name) {
			role := fmt.Sprintf("%s/wf%d/inner%d", m.Name, step, k+1)
			all = append(all, output{"fit/" + role, "model", role}, output{"fit/" + role, "fit", role})
		}
		role := fmt.Sprintf("%s/wf%d/final", m.Name, step)
		all = append(all, output{"fit/" + role, "model", role}, output{"fit/" + role, "fit", role})
	}
	for _, st := range a.base.outcome().Strategy {
		role := fmt.Sprintf("%s/wf%d", st.Name, step)
		if slices.ContainsFunc(a.rec.Ensembles, func(e ensembleOf) bool { return e.Name == st.Name }) {
			all = append(all, output{"combine/" + role, "combiner", role + " combiner"})
		}
		all = append(all, output{"combine/" + role, "calibrator", role + " calibrator"})
	}
	for _, x := range all {
		was, err := a.base.res.Output(a.base.store, market+"/"+x.node, x.name)
		if err != nil {
			return n, err
		}
		now, err := w.res.Output(w.store, market+"/"+x.node, x.name)
		if err != nil {
			return n, err
		}
		n++
		if !bytes.Equal(was, now) {
			list.add("fit", x.label, fmt.Sprintf("its fitted bytes (%s) differ although its window begins by the cut: SHA-256 %s was and %s is", x.name, digest(was), digest(now)))
		}
	}
	return n, nil
}

// innerFits is how many inner fits a model has in each step: none if no ensemble
// combines it.
func (a *auditor) innerFits(model string) int {
	for _, e := range a.rec.Ensembles {
		if slices.Contains(e.Bases, model) {
			return a.rec.Split.InnerFolds
		}
	}
	return 0
}

// comparePredictions compares what a strategy said of the decisions up to the cut.
func comparePredictions(was, now factory.Strategy, cut int64, list *culprits) (n int, err error) {
	x, err := frame.OpenIPC(was.Predictions.Path())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	y, err := frame.OpenIPC(now.Predictions.Path())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, y.Close()) }()
	p, q := x.Frame(), y.Frame()
	for i, t := range p.Time {
		if t > cut {
			break
		}
		n++
		if i >= len(q.Time) || q.Time[i] != t {
			list.add("predictions", was.Name, fmt.Sprintf("the decision at %s is missing or in another place", stamp(t)))
			return n, nil
		}
		for _, c := range []string{"p_short", "p_none", "p_long", "expected_net"} {
			if a, b := p.Column(c).Float64[i], q.Column(c).Float64[i]; a != b {
				list.add("predictions", was.Name, fmt.Sprintf("%s at %s was %v and is %v", c, stamp(t), a, b))
			}
		}
		if a, b := p.Column("side").Int8[i], q.Column("side").Int8[i]; a != b {
			list.add("predictions", was.Name+" side", fmt.Sprintf("at %s was %d and is %d", stamp(t), a, b))
		}
	}
	return n, nil
}

// short cuts a market's name from a stage's.
func short(node string) string {
	_, rest, _ := strings.Cut(node, "/")
	return rest
}
