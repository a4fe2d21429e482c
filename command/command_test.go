package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/command"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/recipe"
)

func project(t *testing.T) *command.Project {
	t.Helper()
	p, err := command.NewProject(filepath.Join(t.TempDir(), "store"), mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tiny is a generated market and a recipe that runs in a second.
const tiny = `
markets: [{name: m, instrument: SYNTH, synth: {sessions: 60}}]
features: {timeframes: [15m], families: [session]}
split:
  walk_forward: {steps: 2, floor_bars: 20, max_lost: 1}
  inner_folds: 2
  kfold: {folds: 2, floor_bars: 20, max_lost: 1, embargo: 1d}
models: [{use: logistic}]
ensembles: [{use: stack_logistic, name: stack}]
judge: {bootstrap_draws: 50}
random_entries: 100
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecipePrecedence(t *testing.T) {
	p := project(t)
	file := write(t, "r.yaml", "seed: 2\nlabel: {horizon: 30}\nmarkets: [{instrument: ES, data: es.csv, read: {stamps: end}}]\n")
	seed := uint64(9)
	r, err := p.Recipe(command.Request{Config: file, Seed: &seed, Set: []string{"label.horizon=40", "models.1.config.eta=0.2"},
		Source: command.Source{Instrument: "NQ", Zone: "UTC", Columns: []string{"time=When"}}, NoAudit: true, OpenLockbox: true})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Markets[0]
	if r.Seed != 9 || r.Label.Horizon != 40 || r.Audit != "off" || !r.Lockbox {
		t.Errorf("flags do not go before the file: %+v", r)
	}
	if m.Instrument != "NQ" || m.Name != "NQ" || m.Read.Stamps != "end" || m.Read.Zone != "UTC" || m.Read.Columns.Time != "When" {
		t.Errorf("the market is %+v", m)
	}
	if want := filepath.Join(filepath.Dir(file), "es.csv"); m.Data != want {
		t.Errorf("data %q, want it beside the recipe: %q", m.Data, want)
	}
	b, err := recipe.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "eta: 0.2\n") {
		t.Error("a value inside a model's config was not set")
	}
	again, err := p.Recipe(command.Request{Config: file})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := recipe.Marshal(again); strings.Contains(string(b), "eta: 0.2\n") {
		t.Error("a value set for one recipe shows in the next")
	}
}

func TestRecipeOfFileHasTheFactorysModels(t *testing.T) {
	p := project(t)
	r, err := p.Recipe(command.Request{Source: command.Source{Data: "x.csv", Instrument: "ES", Stamps: "end", Zone: "UTC"}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := recipe.Marshal(recipe.Recipe{Models: factory.DefaultRecipe().Models})
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Models {
		r.Models[i].Name = ""
	}
	got, err := recipe.Marshal(recipe.Recipe{Models: r.Models})
	if err != nil || string(got) != string(want) {
		t.Errorf("models\n%s\nwant\n%s (%v)", got, want, err)
	}
}

func TestRecipeRefuses(t *testing.T) {
	p := project(t)
	two := write(t, "two.yaml", "markets: [{instrument: ES, data: a.csv}, {instrument: NQ, data: b.csv}]\n")
	content := write(t, "content.yaml", "markets: [{instrument: ES, data: \"sha256:00112233445566778899\"}]\n")
	for _, c := range []struct {
		name string
		q    command.Request
		want string
	}{
		{"flags without a file", command.Request{Source: command.Source{Stamps: "end"}}, "need --data or --config"},
		{"flags for one of two markets", command.Request{Config: two, Source: command.Source{Zone: "UTC"}}, "2 markets"},
		{"data known by content", command.Request{Config: content}, "names its data by content (sha256:001122334455…)"},
		{"no instrument", command.Request{Source: command.Source{Data: "x.csv"}}, "--instrument"},
		{"set without a value", command.Request{Set: []string{"seed"}}, "want path=value"},
		{"set out of range", command.Request{Set: []string{"random_entries=1"}}, "random_entries"},
		{"columns", command.Request{Source: command.Source{Data: "x", Instrument: "ES", Columns: []string{"x"}}}, "role=name"},
		{"no file", command.Request{Config: filepath.Join(t.TempDir(), "none.yaml")}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.Recipe(c.q)
			if !errors.Is(err, command.ErrUsage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestRequestName(t *testing.T) {
	for _, c := range []struct {
		q    command.Request
		want string
	}{
		{command.Request{}, "pair"},
		{command.Request{Config: "a/my.yaml"}, "my"},
		{command.Request{Source: command.Source{Data: "/x/es_1m.csv.gz"}}, "es_1m"},
		{command.Request{Source: command.Source{Data: "x.csv", Name: "n"}}, "n"},
	} {
		if got := c.q.Name(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func TestRunTwice(t *testing.T) {
	p := project(t)
	ctx := context.Background()
	rec, err := p.Recipe(command.Request{Config: write(t, "r.yaml", tiny)})
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	plans := 0
	first, err := p.Run(ctx, rec, command.RunOptions{Out: out, Workers: 1, Planned: func(command.Planned) { plans++ }})
	if err != nil {
		t.Fatal(err)
	}
	if first.Ran == 0 || first.Cached != 0 || !first.Written || plans != 1 || len(first.Summary.Runs) != 1 {
		t.Errorf("first run: %d ran, %d cached, written %v, %d plans", first.Ran, first.Cached, first.Written, plans)
	}
	summary := filepath.Join(out, "summary.json")
	before, err := os.Stat(summary)
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Run(ctx, rec, command.RunOptions{Out: out, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if second.Ran != 0 || second.Written || second.ID != first.ID {
		t.Errorf("second run: %d ran, written %v, id %s and %s", second.Ran, second.Written, second.ID, first.ID)
	}
	if after, err := os.Stat(summary); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Error("the folder was written again")
	}
	if second.Text != first.Text {
		t.Error("the table of the second run differs")
	}
	// A file that is not what was written is written again.
	if err := os.Remove(filepath.Join(out, "m", "trades.parquet")); err != nil {
		t.Fatal(err)
	}
	third, err := p.Run(ctx, rec, command.RunOptions{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if third.Ran != 0 || !third.Written {
		t.Errorf("third run: %d ran, written %v", third.Ran, third.Written)
	}
	if _, err := os.Stat(filepath.Join(out, "m", "trades.parquet")); err != nil {
		t.Error(err)
	}
	shown, err := p.ShowRun(ctx, first.ID[:8])
	if err != nil || len(shown.Attempts) != 3 {
		t.Errorf("%d attempts (%v), want 3", len(shown.Attempts), err)
	}
	if err := first.RequirePass(); !errors.Is(err, command.ErrFound) {
		t.Errorf("a pass was required of a market of noise: %v", err)
	}
	again, err := p.Report(ctx, first.ID, nil, command.RunOptions{Out: t.TempDir()})
	if err != nil || again.Ran != 0 || again.ID != first.ID {
		t.Errorf("report: %+v (%v)", again, err)
	}
}

func TestRunCancelled(t *testing.T) {
	p := project(t)
	rec, err := p.Recipe(command.Request{Config: write(t, "r.yaml", tiny)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = p.Run(ctx, rec, command.RunOptions{Out: t.TempDir(), Planned: func(command.Planned) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
	runs, err := p.Runs(context.Background())
	if err != nil || len(runs) != 1 || runs[0].Last().Status != "failed" {
		t.Errorf("runs %+v (%v), want one that failed", runs, err)
	}
}

func TestSchemaKnowsEveryKey(t *testing.T) {
	p := project(t)
	b, err := p.ConfigSchema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	keys, err := p.ConfigExplain("")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, k := range keys {
		if k.Of != "" {
			continue
		}
		at := root
		for _, part := range strings.Split(k.Path, ".") {
			if part == "*" || strings.Trim(part, "0123456789") == "" {
				items, ok := at["items"].(map[string]any)
				if !ok { // a map, whose keys are free
					break
				}
				at = items
				continue
			}
			props, _ := at["properties"].(map[string]any)
			next, ok := props[part].(map[string]any)
			if !ok {
				t.Errorf("the schema lacks %s", k.Path)
				break
			}
			at = next
		}
		n++
	}
	if n < 60 {
		t.Errorf("only %d keys were looked for", n)
	}
}

func TestConfigInitIsARecipe(t *testing.T) {
	p := project(t)
	b, err := p.ConfigInit()
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.ConfigCheck(command.Request{Config: write(t, "r.yaml", string(b))})
	if err != nil {
		t.Fatal(err)
	}
	file, err := p.Recipe(command.Request{Source: command.Source{Data: "bars.csv", Instrument: "ES", Stamps: "end", Zone: "UTC"}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := recipe.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(s string) (out []string) {
		for _, l := range strings.Split(s, "\n") {
			if !strings.Contains(l, "data:") {
				out = append(out, l)
			}
		}
		return out
	}
	if fmt.Sprint(lines(c.Recipe)) != fmt.Sprint(lines(string(want))) {
		t.Errorf("the recipe that init writes is not what a run on a file uses:\n%s\n%s", c.Recipe, want)
	}
}

func TestPagesAreStable(t *testing.T) {
	p := project(t)
	a, err := p.Pages()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := command.WritePages(dir, a, true); !errors.Is(err, command.ErrFound) {
		t.Errorf("missing pages were found fresh: %v", err)
	}
	if err := command.WritePages(dir, a, false); err != nil {
		t.Fatal(err)
	}
	b, err := p.Pages()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.WritePages(dir, b, true); err != nil {
		t.Error(err)
	}
}

func TestLookingMakesNoProject(t *testing.T) {
	p := project(t)
	if _, err := p.Runs(context.Background()); !errors.Is(err, command.ErrUsage) {
		t.Errorf("got %v, want a usage error", err)
	}
	if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a command that only looks made a project folder")
	}
}
