package factory

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/internal/docscheck"
)

// stagesOf lists which kinds of stages each kind reads, in the whole graph above the verdict, the lockbox opened.
func stagesOf(t *testing.T) map[string][]string {
	t.Helper()
	cat, err := NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(cat, mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	r := Pair()
	r.Lockbox = true
	if err := r.Complete(cat); err != nil {
		t.Fatal(err)
	}
	inst, err := cat.Instruments.Find(r.Markets[0].Instrument)
	if err != nil {
		t.Fatal(err)
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	cm, err := cost.New(inst, r.Cost)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{f: f, rec: &r, market: r.Markets[0], inst: inst, cal: cal, cost: cm, cache: newCache(), dataDigest: "0"}
	if err := l.addBars(); err != nil {
		t.Fatal(err)
	}
	none := func(context.Context, Prepared) (*AuditResult, error) { return nil, nil }
	if err := l.addData(&bar.Series{Timeframe: bar.Minute}, none); err != nil {
		t.Fatal(err)
	}
	if err := l.addFits(development{}, int64(5*bar.Minute)); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	var walk func(n *flow.Node)
	walk = func(n *flow.Node) {
		if _, ok := out[n.Kind]; !ok {
			out[n.Kind] = nil
		}
		for _, in := range n.Inputs {
			if !slices.Contains(out[n.Kind], in.Kind) {
				out[n.Kind] = append(out[n.Kind], in.Kind)
			}
			walk(in)
		}
	}
	for _, n := range append(l.targets(), l.boxTrade) {
		walk(n)
	}
	for _, in := range out {
		slices.Sort(in)
	}
	return out
}

// The list of stages in docs/architecture.md is the graph that is built.
func TestStagesOfArchitecture(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, f := range docscheck.Fences(string(text)) {
		if f.Info != "stages" {
			continue
		}
		for _, l := range f.Lines {
			kind, inputs, ok := strings.Cut(l, "←")
			if !ok {
				t.Fatalf("docs/architecture.md: %q is no stage", l)
			}
			in := strings.FieldsFunc(inputs, func(r rune) bool { return r == ',' || r == ' ' })
			slices.Sort(in)
			want[strings.TrimSpace(kind)] = in
		}
	}
	got := stagesOf(t)
	for kind, in := range got {
		w, ok := want[kind]
		if !ok {
			t.Errorf("docs/architecture.md leaves out the stage %s ← %s", kind, strings.Join(in, ", "))
		} else if !slices.Equal(w, in) {
			t.Errorf("docs/architecture.md: %s ← %s, but the stage reads %s", kind, strings.Join(w, ", "), strings.Join(in, ", "))
		}
	}
	for kind := range want {
		if _, ok := got[kind]; !ok {
			t.Errorf("docs/architecture.md: there is no stage %s", kind)
		}
	}
}
