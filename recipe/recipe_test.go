package recipe_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// learner is a config as learners have.
type learner struct {
	Depth int     `yaml:"depth" doc:"levels" min:"1" max:"16"`
	Rate  float64 `yaml:"rate" doc:"shrinkage" min:"0" max:"1"`
	Mode  string  `yaml:"mode" doc:"how" enum:"plain,fancy"`
}

type vote struct {
	Power float64 `yaml:"power" doc:"exponent" min:"0" max:"9"`
}

// catalogue knows the learners and ensembles of the default recipe.
type catalogue struct{}

func (catalogue) ModelConfig(use string) (any, error) {
	if slices.Contains([]string{"logistic", "xgboost", "windows", "streams"}, use) {
		return &learner{Depth: 6, Rate: 0.3, Mode: "plain"}, nil
	}
	return nil, fmt.Errorf("no learner is called %q; did you mean \"xgboost\"?", use)
}

// Learner knows three more than the default recipe names.
func (catalogue) Learner(use string) (model.Entry, bool) {
	switch use {
	case "logistic", "xgboost":
		return model.Entry{Name: use}, true
	case "windows":
		return model.Entry{Name: use, Input: model.InputWindows}, true
	case "streams":
		return model.Entry{Name: use, Input: model.InputStreams, Abilities: model.Abilities{Static: true, Known: true}}, true
	}
	return model.Entry{}, false
}

func (catalogue) EnsembleConfig(use string) (any, error) {
	if use == "voting" || use == "stack_logistic" {
		return &vote{Power: 1}, nil
	}
	return nil, fmt.Errorf("no ensemble is called %q", use)
}

func (catalogue) Known(kind, name string) error {
	known := map[string][]string{
		recipe.KindInstrument: {"ES", "SYNTH"}, recipe.KindFamily: {"volume", "true", "1e5", "null", ""}, recipe.KindFeature: {"rsi"},
	}
	if slices.Contains(known[kind], name) {
		return nil
	}
	return fmt.Errorf("no %s is called %q", kind, name)
}

const market = "markets:\n  - instrument: ES\n    data: es.csv\n"

func load(t *testing.T, src string) recipe.Recipe {
	t.Helper()
	r, err := recipe.Load([]byte(src), "r.yaml", recipe.Default(), catalogue{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoadKeepsDefaults(t *testing.T) {
	r := load(t, market)
	want := recipe.Default()
	if r.Label != want.Label || r.Rule != want.Rule || r.Judge != want.Judge || r.Random != want.Random {
		t.Error("keys that the file does not state have moved")
	}
	if r.Markets[0].Name != "ES" {
		t.Errorf("the market is called %q, want the instrument's name", r.Markets[0].Name)
	}
	if c := r.Models[1].Config.(*learner); *c != (learner{6, 0.3, "plain"}) {
		t.Errorf("config of the second model: %+v, want the learner's default", c)
	}
	if got := r.Ensembles[1].Bases; !cmp.Equal(got, []string{"logistic", "xgboost"}) {
		t.Errorf("bases of the stack: %v, want all models", got)
	}
	if r.Markets[0].Read.Timeframe != "auto" {
		t.Errorf("timeframe of the file: %q, want the reader's default", r.Markets[0].Read.Timeframe)
	}
}

func TestLoadStates(t *testing.T) {
	r := load(t, market+`
seed: 18_000
models:
  - use: xgboost
    name: deep
    route: {timeframes: [5m, 15m]}
    config:
      depth: 9
      mode: fancy
ensembles: []
candidate: deep
label:
  horizon: 40
judge:
  min_dsr: 0.9
open_lockbox: true
`)
	if r.Seed != 18000 || r.Label.Horizon != 40 || r.Judge.MinDSR != 0.9 || !r.Lockbox || len(r.Ensembles) != 0 {
		t.Errorf("stated values are not those of the file: %+v", r)
	}
	if len(r.Models) != 1 || r.Models[0].Name != "deep" {
		t.Fatalf("models: %+v", r.Models)
	}
	if c := r.Models[0].Config.(*learner); *c != (learner{9, 0.3, "fancy"}) {
		t.Errorf("config: %+v, want what the file states over the learner's default", c)
	}
	if !cmp.Equal(r.Models[0].Route.Timeframes, []string{"5m", "15m"}) {
		t.Errorf("route: %+v", r.Models[0].Route)
	}
	if r.Judge.MinDays != recipe.Default().Judge.MinDays {
		t.Error("a key beside a stated one has moved")
	}
}

func TestLoadDoesNotChangeBase(t *testing.T) {
	base := recipe.Default()
	before, err := param.Digest(base)
	if err != nil {
		t.Fatal(err)
	}
	_, err = recipe.Load([]byte(market+"models: [{use: logistic}]\ncandidate: logistic\nensembles: []\nfeatures: {families: [volume]}\n"), "r.yaml", base, catalogue{})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := param.Digest(base); err != nil || after != before {
		t.Errorf("the base has changed (%v)", err)
	}
}

// TestProblems pins every error that reading a file can end in, with the user's
// line and the caret.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"unknown key", market + "label:\n  horizont: 30\n",
			"r.yaml:5:3: unknown key \"label.horizont\"; did you mean \"horizon\"?\n    5 |   horizont: 30\n          ^"},
		{"one level too high", "markets:\n  - instrument: ES\n    data: a.csv\n    stamps: end\n",
			"r.yaml:4:5: unknown key \"markets.0.stamps\"; did you mean \"markets.0.read.stamps\"?\n    4 |     stamps: end\n            ^"},
		{"unknown key far from all", market + "zzzzzzzz: 1\n",
			"r.yaml:4:1: unknown key \"zzzzzzzz\"; known here: schema, seed, markets, clock, features, label, cost, split, weights, models, ensembles, calibrate, candidate, rule, judge, random_entries, audit, open_lockbox\n    4 | zzzzzzzz: 1\n        ^"},
		{"unknown key of a learner", market + "models:\n  - use: xgboost\n    config: {dept: 3}\n",
			"r.yaml:6:14: unknown key \"models.0.config.dept\"; did you mean \"depth\"?\n    6 |     config: {dept: 3}\n                     ^"},
		{"given twice", market + "seed: 1\nlabel: {horizon: 3}\nseed: 2\n", "r.yaml"},
		{"text for a number", market + "random_entries: many\n",
			"r.yaml:4:17: random_entries: want a whole number, got the text \"many\"\n    4 | random_entries: many\n                        ^"},
		{"quoted number", market + "random_entries: \"500\"\n",
			"r.yaml:4:17: random_entries: want a whole number, got the text \"500\"\n    4 | random_entries: \"500\"\n                        ^"},
		{"fraction for a whole number", market + "random_entries: 500.5\n",
			"r.yaml:4:17: random_entries: want a whole number, got \"500.5\"\n    4 | random_entries: 500.5\n                        ^"},
		{"negative seed", market + "seed: -1\n",
			"r.yaml:4:7: seed: want a whole number of at least 0, got \"-1\"\n    4 | seed: -1\n              ^"},
		{"not finite", market + "judge: {min_dsr: .inf}\n",
			"r.yaml:4:18: judge.min_dsr: want a finite number, got \".inf\"\n    4 | judge: {min_dsr: .inf}\n                         ^"},
		{"text for a bool", market + "open_lockbox: maybe\n",
			"r.yaml:4:15: open_lockbox: want a true or false, got the text \"maybe\"\n    4 | open_lockbox: maybe\n                      ^"},
		{"list for a group", market + "label: [1]\n",
			"r.yaml:4:8: label: want keys and values, got sequence\n    4 | label: [1]\n               ^"},
		{"value for a list", market + "models: xgboost\n",
			"r.yaml:4:9: models: want a list, got string\n    4 | models: xgboost\n                ^"},
		{"list for text", market + "candidate: [stack]\n",
			"r.yaml:4:12: candidate: want text, got sequence\n    4 | candidate: [stack]\n                   ^"},
		{"alias", "markets: &m\n  - {instrument: ES, data: es.csv}\nmodels: *m\n",
			"r.yaml:3:9: models: aliases are not used in recipes; write the value out\n    3 | models: *m\n                ^"},
		{"duration", market + "split: {kfold: {embargo: 5 days}}\n", "r.yaml:4:26: split.kfold.embargo: "},
		{"unknown learner", market + "models:\n  - use: xgbost\n",
			"r.yaml:5:10: models.0.use: no learner is called \"xgbost\"; did you mean \"xgboost\"?\n    5 |   - use: xgbost\n                 ^"},
		{"learner not named", market + "models:\n  - name: a\n", "models.0.use: a model needs use: the name of a learner"},
		{"unknown ensemble", market + "ensembles:\n  - use: stak\n",
			"r.yaml:5:10: ensembles.0.use: no ensemble is called \"stak\"\n    5 |   - use: stak\n                 ^"},
		{"ensemble not named", market + "ensembles:\n  - name: a\n", "ensembles.0.use: an ensemble needs use: voting or stack_logistic"},
		{"two documents", market + "---\nseed: 2\n", "r.yaml: holds more than one document; a recipe is one"},
		{"no YAML", "markets: [\n", "r.yaml: "},
		{"schema", "schema: mlfactory/recipe/9\n" + market, "r.yaml:1:9: schema: "},
		{"out of range", market + "random_entries: 5\n", "r.yaml:4:17: random_entries: "},
		{"out of range in a learner", market + "models:\n  - use: xgboost\n    config: {depth: 99}\nensembles: []\ncandidate: xgboost\n", "r.yaml:6:21: models.0.config.depth: "},
		{"enum", market + "audit: slow\n", "r.yaml:4:8: audit: "},
		{"a config that checks itself", market + "cost: {multiplier: 1000}\n", "r.yaml:4:20: cost.multiplier: 1000 is above the maximum 100\n"},
		{"unknown instrument", "markets: [{instrument: ESX, data: a.csv}]\n", "r.yaml:1:24: markets.0.instrument: no instrument is called \"ESX\"\n"},
		{"unknown family", market + "features:\n  families:\n    - volum\n", "r.yaml:6:7: features.families.0: no family is called \"volum\"\n"},
		{"all and more", market + "features: {families: [all, volume]}\n", "r.yaml:4:23: features.families.0: all stands alone or not at all\n"},
		{"unknown feature dropped", market + "features: {drop: [rsj]}\n", "r.yaml:4:19: features.drop.0: no feature is called \"rsj\"\n"},
		{"unknown feature added", market + "features: {add: [{name: rsj}]}\n", "r.yaml:4:25: features.add.0.name: no feature is called \"rsj\"\n"},
		{"unknown family of a route", market + "models: [{use: logistic, route: {families: [q]}}]\nensembles: []\ncandidate: logistic\n", "r.yaml:4:45: models.0.route.families.0: no family is called \"q\"\n"},
		{"no timeframe of a route", market + "models: [{use: logistic, route: {timeframes: [q]}}]\nensembles: []\ncandidate: logistic\n", "r.yaml:4:47: models.0.route.timeframes.0: "},
		{"no timeframe", market + "features: {timeframes: [5m, 7q]}\n", "r.yaml:4:29: features.timeframes.1: bar: \"7q\" is not a timeframe"},
		{"auto and more", market + "features: {timeframes: [5m, auto]}\n", "r.yaml:4:29: features.timeframes.1: auto stands alone or not at all\n"},
		{"no clock", market + "clock: {timeframe: sometimes}\n", "r.yaml:4:20: clock.timeframe: bar: \"sometimes\" is not a timeframe"},
		{"no timeframe of a file", "markets: [{instrument: ES, data: a.csv, read: {timeframe: x}}]\n", "r.yaml:1:59: markets.0.read.timeframe: "},
		{"no market", "seed: 1\n", "r.yaml: markets: name at least one market"},
		{"no model", market + "models: []\nensembles: []\n", "r.yaml:4:9: models: name at least one model\n    4 | models: []\n                ^"},
		{"neither data nor synth", "markets:\n  - instrument: ES\n", "markets.0: a market has either data (a file) or synth (a generated market)"},
		{"both data and synth", "markets:\n  - {instrument: ES, data: a.csv, synth: {sessions: 5}}\n", "markets.0: a market has either data (a file) or synth (a generated market)"},
		{"market twice", "markets:\n  - {instrument: ES, data: a.csv}\n  - {instrument: ES, data: b.csv}\n", "markets.1.name: two markets are called \"ES\"; give each a name of its own"},
		{"market is no folder", "markets:\n  - {instrument: ES, name: a/b, data: a.csv}\n", "r.yaml:2:28: markets.0.name: \"a/b\" cannot name a folder; use letters, digits, - _ ."},
		{"model twice", market + "models: [{use: xgboost}, {use: xgboost}]\n", "models.1.name: two models are called \"xgboost\"; give each a name of its own"},
		{"model is no file", market + "models: [{use: xgboost, name: ..}]\n", "models.0.name: \"..\" cannot name a file; use letters, digits, - _ ."},
		{"ensemble takes a name", market + "ensembles: [{use: voting, name: xgboost}]\n", "ensembles.0.name: the name \"xgboost\" is taken"},
		{"ensemble is no file", market + "ensembles: [{use: voting, name: \"a b\"}]\n", "ensembles.0.name: \"a b\" cannot name a file; use letters, digits, - _ ."},
		{"base unknown", market + "ensembles: [{use: voting, bases: [xgbost]}]\n", "ensembles.0.bases: \"xgbost\" is no model of this recipe; did you mean \"xgboost\"?"},
		{"base far from all", market + "ensembles: [{use: voting, bases: [q]}]\n", "ensembles.0.bases: \"q\" is no model of this recipe; known: logistic, xgboost"},
		{"candidate", market + "candidate: stck\n", "r.yaml:4:12: candidate: \"stck\" is no model or ensemble of this recipe\n    4 | candidate: stck\n                   ^"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := recipe.Load([]byte(c.src), "r.yaml", recipe.Default(), catalogue{})
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Count(err.Error(), c.want) != 1 {
				t.Errorf("got\n%s\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := recipe.Load([]byte(market+"sead: 1\nlabel: {horizon: x}\naudit: [1]\n"), "r.yaml", recipe.Default(), catalogue{})
	j, ok := err.(interface{ Unwrap() []error })
	if !ok || len(j.Unwrap()) != 3 {
		t.Fatalf("want three problems, got %v", err)
	}
	var p *recipe.Problem
	for i, line := range []int{4, 5, 6} {
		if !errors.As(j.Unwrap()[i], &p) || p.Line != line {
			t.Errorf("problem %d: %v, want one in line %d", i, j.Unwrap()[i], line)
		}
	}
}

func TestEmptyFile(t *testing.T) {
	for _, src := range []string{"", "# only a comment\n"} {
		d, err := recipe.Read([]byte(src), "r.yaml", recipe.Default(), catalogue{})
		if err != nil {
			t.Fatal(err)
		}
		d.Recipe.Markets = []recipe.Market{{Instrument: "ES", Data: "x.csv"}}
		if _, err := d.Finish(catalogue{}); err != nil {
			t.Error(err)
		}
	}
}

func full(t *testing.T) recipe.Recipe {
	s := synth.Default()
	s.Sigma, s.Regime = 1.25e-8*1e4, 1234567
	r := recipe.Default()
	r.Seed = 1<<64 - 1
	r.Markets = []recipe.Market{
		{Instrument: "ES", Name: "yes", Data: "a b: #1'\"\\ ü.csv"},
		{Instrument: "SYNTH", Name: "s-1", Synth: &s},
	}
	r.Features.Families = []string{"volume", "true", "1e5", "null", ""}
	r.Features.Drop = nil
	r.Models = append(r.Models, recipe.Model{Use: "xgboost", Name: "x2", Config: &learner{3, 1e-12, "fancy"}, Route: recipe.Route{Timeframes: []string{"5m"}}})
	r.Judge.MinDSR = 0.1 + 0.2
	if err := r.Complete(catalogue{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMarshalRoundTrip(t *testing.T) {
	want := full(t)
	for _, explained := range []bool{false, true} {
		write := recipe.Marshal
		if explained {
			write = recipe.Explained
		}
		src, err := write(want)
		if err != nil {
			t.Fatal(err)
		}
		d, err := recipe.Read(src, "r.yaml", recipe.Recipe{}, catalogue{})
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		a, err := param.Canonical(want)
		if err != nil {
			t.Fatal(err)
		}
		b, err := param.Canonical(d.Recipe)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("explained=%v: read back\n%s\nwant\n%s\nfile\n%s", explained, b, a, src)
		}
		again, err := write(d.Recipe)
		if err != nil || !bytes.Equal(src, again) {
			t.Errorf("explained=%v: written again it has other bytes (%v)", explained, err)
		}
	}
}

func TestExplainedHasDocs(t *testing.T) {
	src, err := recipe.Explained(full(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# seed of every random draw of the run\n", "  # levels (1 to 16)\n", "(one of quick, off)"} {
		if !strings.Contains(string(src), want) {
			t.Errorf("lacks %q in\n%s", want, src)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	r := full(t)
	r.Judge.MinDSR = 0
	r.Models[0].Config = &struct {
		F func() `yaml:"f"`
	}{func() {}}
	if _, err := recipe.Marshal(r); err == nil {
		t.Error("a function was written")
	}
	if _, err := recipe.MarshalConfig(7, false); err == nil {
		t.Error("a number was taken for a config")
	}
}

func TestIdentity(t *testing.T) {
	r := full(t)
	digest := strings.Repeat("ab", 32)
	a, err := r.Identity([]string{digest, ""})
	if err != nil {
		t.Fatal(err)
	}
	moved := full(t)
	moved.Markets[0].Data = "/somewhere/else.csv"
	b, err := moved.Identity([]string{digest, ""})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := recipe.Marshal(a)
	y, _ := recipe.Marshal(b)
	if !bytes.Equal(x, y) {
		t.Error("the path of a data file changes the identity")
	}
	if r.Markets[0].Data == a.Markets[0].Data {
		t.Error("Identity has changed its receiver, or nothing")
	}
	c, _ := r.Identity([]string{strings.Repeat("cd", 32), ""})
	if z, _ := recipe.Marshal(c); bytes.Equal(x, z) {
		t.Error("other data have the same identity")
	}
	if _, err := r.Identity([]string{digest}); err == nil {
		t.Error("one digest served two markets")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(market))
	f.Add([]byte("models:\n  - use: xgboost\n    config: {depth: 3}\n"))
	f.Add([]byte("a: &x [1, *x]\n? {b: c}\n: d\n"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := recipe.Load(src, "f", recipe.Default(), catalogue{})
		if err != nil {
			_ = err.Error()
			return
		}
		if _, err := recipe.Marshal(r); err != nil {
			t.Errorf("accepted, but cannot be written: %v", err)
		}
	})
}

// A route has the keys that its learner has a use for, and no others.
func TestRoutes(t *testing.T) {
	models := func(use, route string) string {
		return market + "models:\n  - use: " + use + "\n    route: {" + route + "}\nensembles: []\ncandidate: " + use + "\n"
	}
	for _, tc := range []struct {
		use, route string
		want       recipe.Route
	}{
		{"logistic", "", recipe.Route{}},
		{"windows", "", recipe.Route{Window: 60}},
		{"windows", "timeframes: [5m], window: 24", recipe.Route{Timeframes: []string{"5m"}, Window: 24}},
		{"streams", "timeframes: [5m, 1h], static: [none], ahead: 9", recipe.Route{Timeframes: []string{"5m", "1h"}, Window: 60, Static: []string{"none"}, Ahead: 9}},
	} {
		r := load(t, models(tc.use, tc.route))
		if !cmp.Equal(r.Models[0].Route, tc.want) {
			t.Errorf("%s with route {%s}: %+v, want %+v", tc.use, tc.route, r.Models[0].Route, tc.want)
		}
		b, err := recipe.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if again := load(t, string(b)); !cmp.Equal(again.Models[0].Route, r.Models[0].Route, cmpopts.EquateEmpty()) {
			t.Errorf("%s: the route is %+v after a file, was %+v", tc.use, again.Models[0].Route, r.Models[0].Route)
		}
	}
	for _, tc := range []struct{ use, route, want string }{
		{"logistic", "window: 24", "models.0.route.window: logistic takes a table, not windows"},
		{"windows", "timeframes: [5m, 15m]", "models.0.route.timeframes: windows takes windows of one timeframe"},
		{"windows", "static: [1h]", "models.0.route.static: windows takes no table beside"},
		{"windows", "ahead: 4", "models.0.route.ahead: windows takes no known future"},
		{"windows", "window: -1", "models.0.route.window"},
		{"streams", "static: [1h, none]", "none stands alone"},
		{"streams", "static: [soon]", "models.0.route.static.0"},
	} {
		_, err := recipe.Load([]byte(models(tc.use, tc.route)), "r.yaml", recipe.Default(), catalogue{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s with route {%s}: %v, want %q", tc.use, tc.route, err, tc.want)
		}
	}
}

// What a draft has detached is not shown at a line of the file.
func TestDetach(t *testing.T) {
	src := market + "models:\n  - use: logistic\n    config: {depth: 99}\nensembles: []\ncandidate: logistic\n"
	for detach, want := range map[string]bool{"": true, "models": false, "model": true} {
		d, err := recipe.Read([]byte(src), "r.yaml", recipe.Default(), catalogue{})
		if err != nil {
			t.Fatal(err)
		}
		d.Detach(detach)
		_, err = d.Finish(catalogue{})
		if err == nil || strings.Contains(err.Error(), "r.yaml:6:") != want || !strings.Contains(err.Error(), "models.0.config.depth") {
			t.Errorf("with %q detached: %v", detach, err)
		}
	}
}
