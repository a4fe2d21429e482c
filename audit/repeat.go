package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

type ensembleOf = recipe.Ensemble

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6]) + "…"
}

// rows fits every fold again with other labels, and so other weights, on the rows
// that the fold may not learn from.
func (a *auditor) rows(ctx context.Context) error {
	o, list, n := a.base.outcome(), &culprits{}, 0
	fs, err := a.base.res.Folds(a.base.store, o.Market)
	if err != nil {
		a.failed("rows", "folds.json", err)
		return nil
	}
	type task struct {
		role   string
		barred func(i int) bool
	}
	var tasks []task
	embargo := int64(a.rec.Split.KFold.Embargo)
	for k, f := range fs.KFold {
		z := stretchOf(o.Labels, f.Test)
		tasks = append(tasks, task{fmt.Sprintf("kfold%d", k+1), func(i int) bool { return z.meets(o.Labels, i, embargo) }})
	}
	for w := range fs.Steps {
		st := &fs.Steps[w]
		start := o.Labels.Spans[st.Lo].Decision
		late := func(i int) bool { return o.Labels.Spans[i].Outcome >= start }
		for k, f := range st.Inner {
			z := stretchOf(o.Labels, f.Test)
			tasks = append(tasks, task{fmt.Sprintf("wf%d/inner%d", w+1, k+1), func(i int) bool { return late(i) || z.meets(o.Labels, i, embargo) }})
		}
		tasks = append(tasks, task{fmt.Sprintf("wf%d/final", w+1), late})
	}
	for i, t := range tasks {
		labels := relabel(o.Labels, t.barred, a.draws("labels", i).Rand().Uint64)
		for _, m := range a.rec.Models {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := m.Name + "/" + t.role
			if strings.Contains(t.role, "inner") && a.innerFits(m.Name) == 0 {
				continue
			}
			want, err := a.base.res.Output(a.base.store, o.Market+"/fit/"+name, "model")
			if err != nil {
				list.add("rows", name, err.Error())
				continue
			}
			got, err := a.f.Refit(ctx, a.base.store, a.base.res, o.Market, m.Name, t.role, labels)
			if err != nil {
				list.add("rows", name, "the fit failed, so nothing is proved: "+err.Error())
				continue
			}
			n++
			if bytes.Equal(want, got) {
				continue
			}
			why := "with labels and weights of the rows replaced that it may not learn from, its fitted bytes differ"
			if again, err := a.f.Refit(ctx, a.base.store, a.base.res, o.Market, m.Name, t.role, o.Labels); err == nil && !bytes.Equal(want, again) {
				why = "fitted again on the same rows, its bytes differ: it depends on something beside its rows"
			}
			list.add("rows", name, fmt.Sprintf("%s: SHA-256 %s was and %s is", why, digest(want), digest(got)))
		}
	}
	a.report.add("rows", n, list, a.opt)
	return nil
}

// relabel is a copy of s in which class, net returns and outcome (and with it
// concurrency and weight) of the barred rows are others.
func relabel(s *label.Set, barred func(i int) bool, draw func() uint64) *label.Set {
	out := *s
	out.Class, out.Spans = slices.Clone(s.Class), slices.Clone(s.Spans)
	out.Long.Net, out.Short.Net = slices.Clone(s.Long.Net), slices.Clone(s.Short.Net)
	for i := range s.Spans {
		if !s.Valid[i] || !barred(i) {
			continue
		}
		u := draw()
		out.Class[i] = (s.Class[i]+1+int8(1+u%2))%3 - 1
		out.Long.Net[i], out.Short.Net[i] = -2*s.Long.Net[i], -2*s.Short.Net[i]
		x := s.Spans[i]
		out.Spans[i] = view.Span{Decision: x.Decision, Entry: x.Entry, Outcome: x.Entry + int64(u>>8)%max(1, 2*(x.Outcome-x.Entry))}
	}
	return &out
}

// workers runs the recipe with other numbers of workers into fresh stores.
func (a *auditor) workers(ctx context.Context) error {
	list, n := &culprits{}, 0
	want := outputs(a.base.res)
	for _, k := range []int{2, 4} {
		w, err := a.run(ctx, a.rec, k, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			list.add("workers", fmt.Sprintf("%d workers", k), "the run failed, so nothing is proved: "+err.Error())
			continue
		}
		got := outputs(w.res)
		if len(got) != len(want) {
			list.add("workers", "stages", fmt.Sprintf("%d stages with one worker, %d with %d", len(want), len(got), k))
		}
		for i := range min(len(got), len(want)) {
			n++
			if x, y := want[i], got[i]; x.name != y.name || !slices.Equal(x.outputs, y.outputs) {
				list.add("workers", short(x.name), fmt.Sprintf("its outputs with one worker differ from those with %d%s", k, whichOutput(x.outputs, y.outputs)))
			}
		}
		if err := w.close(); err != nil {
			return err
		}
	}
	a.report.add("workers: 1, 2 and 4", n, list, a.opt)
	return nil
}

// stage is what a stage made.
type stage struct {
	name    string
	outputs []store.Output
}

// outputs lists the stages of a run, each once, in the order of the graph.
func outputs(r *factory.Result) []stage {
	var out []stage
	seen := map[string]bool{}
	for _, rep := range r.Reports {
		for _, n := range rep.Nodes {
			if !seen[n.Name] && n.Status != "" {
				seen[n.Name] = true
				out = append(out, stage{n.Name, n.Outputs})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b stage) int { return strings.Compare(a.name, b.name) })
	return out
}

func whichOutput(a, b []store.Output) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf(": %s is %s and %s", a[i].Name, a[i].Digest[:12], b[i].Digest[:12])
		}
	}
	return ""
}

// stream pushes every bar through the bundle of every strategy and compares its
// decisions with the run's in the last window.
func (a *auditor) stream(ctx context.Context) error {
	o, list, n := a.base.outcome(), &culprits{}, 0
	for _, st := range o.Strategy {
		k, err := a.streamOne(ctx, o, st, list)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			list.add("stream", st.Name, err.Error())
		}
		n += k
	}
	a.report.add("stream", n, list, a.opt)
	return nil
}

func (a *auditor) streamOne(ctx context.Context, o *factory.Outcome, st factory.Strategy, list *culprits) (n int, err error) {
	b, err := a.f.Bundle(a.base.store, a.base.res, o.Market, st.Name, 0)
	if err != nil {
		return 0, err
	}
	c := a.f.Catalogue
	rt, err := b.Open(bundle.Registries{Models: c.Models, Ensembles: c.Ensembles, Features: c.Features})
	if err != nil {
		return 0, err
	}
	f, err := frame.OpenIPC(st.Predictions.Path())
	if err != nil {
		return 0, err
	}
	defer func() { err = f.Close() }()
	p := f.Frame()
	from := o.Steps[len(o.Steps)-1].TestFrom
	next, at := 0, 0
	for at < len(p.Time) && p.Time[at] < from {
		at++
	}
	compare := func(ds []bundle.Decision) {
		for _, d := range ds {
			if next < len(o.Decisions) && o.Decisions[next] != d.Time || next >= len(o.Decisions) {
				list.add("stream", st.Name, fmt.Sprintf("decision %d fell on %s", next, stamp(d.Time)))
			}
			next++
			if d.Time < from || at >= len(p.Time) {
				continue
			}
			n++
			if p.Time[at] != d.Time {
				list.add("stream", st.Name, fmt.Sprintf("the run decided at %s, the stream at %s", stamp(p.Time[at]), stamp(d.Time)))
			}
			for k, c := range []string{"p_short", "p_none", "p_long"} {
				if want := p.Column(c).Float64[at]; d.Calibrated[k] != want {
					list.add("stream", st.Name, fmt.Sprintf("%s at %s is %v in the run and %v streamed", c, stamp(d.Time), want, d.Calibrated[k]))
				}
			}
			if want := p.Column("side").Int8[at]; d.Side != want {
				list.add("stream", st.Name+" side", fmt.Sprintf("at %s is %d in the run and %d streamed", stamp(d.Time), want, d.Side))
			}
			at++
		}
	}
	var x bar.Bar
	for i := range o.Base.Arrivals() {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		o.Base.At(i, &x)
		if err := rt.Push(&x); err != nil {
			return n, err
		}
		// Bars that become known at the same instant are all pushed before the
		// clock gets there; so it follows one nanosecond behind.
		ds, err := rt.Advance(ctx, x.Known-1)
		if err != nil {
			return n, err
		}
		compare(ds)
	}
	ds, err := rt.Advance(ctx, x.Known)
	if err != nil {
		return n, err
	}
	compare(ds)
	if next != len(o.Decisions) {
		list.add("stream", st.Name, fmt.Sprintf("%d decisions streamed, %d in the run", next, len(o.Decisions)))
	}
	return n, nil
}
