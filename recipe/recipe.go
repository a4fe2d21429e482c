// Package recipe holds the structs that describe a run, and reads them from a
// file. It has no code that runs anything: what a recipe means is decided by
// the packages whose configs it is made of.
//
// A recipe file is YAML. Every key has a default, written out in full beside
// every run ("recipe.yaml" in the run folder), and every key that a file states
// is checked: an unknown key, a value of the wrong type or out of range is
// shown as the user's line with a caret and, where there is one, the nearest
// known key. A recipe holds no path in its identity: the content of a data file
// is what counts.
package recipe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/trade"
)

// Schema names the layout of recipe files.
const Schema = "mlfactory/recipe/1"

// Recipe is everything that decides what a run computes.
type Recipe struct {
	Schema    string             `yaml:"schema" doc:"layout of this file" enum:"mlfactory/recipe/1"`
	Seed      uint64             `yaml:"seed" doc:"seed of every random draw of the run"`
	Markets   []Market           `yaml:"markets" doc:"markets to run, each by itself to a verdict of its own"`
	Clock     Clock              `yaml:"clock" doc:"when decisions are made"`
	Features  Features           `yaml:"features" doc:"what models may look at"`
	Label     label.Config       `yaml:"label" doc:"triple barrier"`
	Cost      cost.Config        `yaml:"cost" doc:"changes to the instrument's costs"`
	Split     Split              `yaml:"split" doc:"division of time into training and test"`
	Weights   label.WeightConfig `yaml:"weights" doc:"weights and thinning of training rows"`
	Models    []Model            `yaml:"models" doc:"base models"`
	Ensembles []Ensemble         `yaml:"ensembles" doc:"combinations of the base models"`
	Calibrate calibrate.Config   `yaml:"calibrate" doc:"calibration of every strategy's probabilities, on rows of its own"`
	Candidate string             `yaml:"candidate" doc:"the model or ensemble that is judged, named beforehand; the others are counted as trials"`
	Rule      trade.Rule         `yaml:"rule" doc:"from probabilities to positions"`
	Judge     judge.Config       `yaml:"judge" doc:"thresholds of the gates"`
	Random    int                `yaml:"random_entries" doc:"draws of the random-entry benchmark" min:"100" max:"100000"`
	Audit     string             `yaml:"audit" doc:"leak check inside the run: quick = recompute features and labels with everything after a cut replaced; off = none" enum:"quick,off"`
	Lockbox   bool               `yaml:"open_lockbox" doc:"judge the last part of time too, once; its rows are burnt by it"`
}

// Market is one instrument's bars.
type Market struct {
	Name       string        `yaml:"name" doc:"name in tables and files; the instrument's name when empty"`
	Instrument string        `yaml:"instrument" doc:"name of a known instrument; see mlfactory data instruments"`
	Data       string        `yaml:"data" doc:"path of a file of bars; empty for a generated market"`
	Read       ingest.Config `yaml:"read" doc:"how to read the file"`
	Synth      *synth.Config `yaml:"synth" doc:"generated market instead of a file"`
}

// Clock says when decisions are made.
type Clock struct {
	Timeframe string            `yaml:"timeframe" doc:"decisions fall on the ends of bars of this timeframe; auto is 5m, or the file's own bars where those are longer or irregular"`
	Events    label.EventConfig `yaml:"events" doc:"which of them become rows"`
}

// Features names what models may look at.
type Features struct {
	Timeframes []string       `yaml:"timeframes" doc:"timeframes of the features; auto = three that suit the file's bars; those that the bars cannot make are left out with a note"`
	Families   []string       `yaml:"families" doc:"families of features, or all"`
	Add        []feature.Spec `yaml:"add" doc:"further features on every timeframe, by name and parameters"`
	Drop       []string       `yaml:"drop" doc:"features to leave out, by name"`
	MinValid   float64        `yaml:"min_valid" doc:"a column that is valid on a smaller share of a fold's training rows is dropped, with a reason" min:"0" max:"1"`
}

// Split divides time.
type Split struct {
	WalkForward split.WalkForward `yaml:"walk_forward" doc:"gives everything that is traded and judged"`
	InnerFolds  int               `yaml:"inner_folds" doc:"purged folds inside each walk-forward step, for the stack's inputs" min:"2" max:"20"`
	KFold       split.PurgedKFold `yaml:"kfold" doc:"gives diagnostics: skill, calibration, comparison; never P&L"`
	Lockbox     float64           `yaml:"lockbox" doc:"last share of time that nothing looks at until it is opened" min:"0.01" max:"0.5"`
}

// Model is one base model.
type Model struct {
	Name   string `yaml:"name" doc:"name in tables; the learner's name when empty"`
	Use    string `yaml:"use" doc:"registered learner; see mlfactory models list"`
	Route  Route  `yaml:"route" doc:"what this model sees; empty: all"`
	Config any    `yaml:"config" doc:"parameters of the learner; see mlfactory models show"`
}

// Route says what one model sees: a learner of tables the latest value of each
// column, a learner of windows the last bars of one timeframe, a learner of
// streams those of several.
type Route struct {
	Timeframes []string `yaml:"timeframes" doc:"timeframes; empty: all, or for a learner of windows the decision clock's (the first of the features where they do not have it)"`
	Families   []string `yaml:"families" doc:"families; empty: all"`
	Window     int      `yaml:"window" doc:"bars of a window, for learners that take windows or streams (60 if not stated); 0 for all others" min:"0" max:"10000"`
	Static     []string `yaml:"static" doc:"timeframes of which a learner that takes a table beside its windows sees the latest values; empty: those that its windows do not show; none"`
	Ahead      int      `yaml:"ahead" doc:"bars of the decision clock still to come whose place in session and week is given to learners that take a known future; 0: label.horizon of them" min:"0" max:"10000"`
}

// DefaultWindow is the number of bars of a window.
const DefaultWindow = 60

// Ensemble is one combination of base models.
type Ensemble struct {
	Name   string   `yaml:"name" doc:"name in tables; the kind when empty"`
	Use    string   `yaml:"use" doc:"registered ensemble: voting or stack_logistic"`
	Bases  []string `yaml:"bases" doc:"names of base models; empty: all, in order of the recipe"`
	Config any      `yaml:"config" doc:"parameters of the ensemble"`
}

// Catalogue knows the default configs of learners; factory provides it.
type Catalogue interface {
	// ModelConfig returns a pointer to the default config of a learner, or
	// an error that names the nearest known one.
	ModelConfig(use string) (any, error)
	// EnsembleConfig does the same for an ensemble.
	EnsembleConfig(use string) (any, error)
	// Learner finds a registered learner.
	Learner(use string) (model.Entry, bool)
	// Known is nil if there is an instrument, a family of features or a
	// feature (the kinds) of that name, or an error that names the nearest.
	Known(kind, name string) error
}

// The kinds of names that a catalogue knows beside models.
const (
	KindInstrument = "instrument"
	KindFamily     = "family"
	KindFeature    = "feature"
)

// Default is the recipe of a run on a file of one-minute bars, without a market.
func Default() Recipe {
	wf := split.DefaultWalkForward()
	return Recipe{
		Schema:   Schema,
		Seed:     1,
		Clock:    Clock{Timeframe: "auto", Events: label.DefaultEvents()},
		Features: Features{Timeframes: []string{"auto"}, Families: []string{"all"}, MinValid: 0.8},
		Label:    label.Default(),
		Cost:     cost.Default(),
		Split: Split{
			WalkForward: wf, InnerFolds: 3,
			KFold:   split.PurgedKFold{K: 5, Purging: split.DefaultPurging()},
			Lockbox: split.LockboxShare,
		},
		Weights:   label.DefaultWeights(),
		Models:    []Model{{Use: "logistic"}, {Use: "xgboost"}},
		Ensembles: []Ensemble{{Use: "voting"}, {Name: "stack", Use: "stack_logistic"}},
		Calibrate: *calibrate.DefaultConfig(),
		Candidate: "stack",
		Rule:      trade.DefaultRule(),
		Judge:     judge.Default(),
		Random:    1000,
		Audit:     "quick",
	}
}

// Load reads a recipe file. Keys that the file does not state keep their value
// in base, which is not changed. All problems are returned at once, each a
// *[Problem]; file is the name that they carry.
//
// A list that the file states replaces the base's list as a whole: each model
// of a stated list starts from the defaults of its learner.
func Load(src []byte, file string, base Recipe, cat Catalogue) (Recipe, error) {
	d, err := Read(src, file, base, cat)
	if err != nil {
		return Recipe{}, err
	}
	return d.Finish(cat)
}

// Draft is a recipe that was read and may still be changed before it is
// completed and checked, as by flags of a command line.
type Draft struct {
	Recipe Recipe
	file   *decoder // nil if there was none
}

// NewDraft starts from base without a file.
func NewDraft(base Recipe) *Draft { return &Draft{Recipe: base} }

// Read is the first half of [Load]: keys and types are checked, values are not.
func Read(src []byte, file string, base Recipe, cat Catalogue) (*Draft, error) {
	d, body, err := newDecoder(src, file)
	if err != nil {
		return nil, err
	}
	d.resolve = func(parent reflect.Value) (any, string, error) {
		switch m := parent.Interface().(type) {
		case Model:
			if m.Use == "" {
				return nil, "use", errors.New("a model needs use: the name of a learner")
			}
			c, err := cat.ModelConfig(m.Use)
			return c, "use", err
		case Ensemble:
			if m.Use == "" {
				return nil, "use", errors.New("an ensemble needs use: voting or stack_logistic")
			}
			c, err := cat.EnsembleConfig(m.Use)
			return c, "use", err
		}
		return nil, "", errors.New("no type is known for this value")
	}
	d.preset = preset
	r := base
	if body != nil {
		d.value(body, reflect.ValueOf(&r).Elem(), "")
	}
	if len(d.problems) > 0 {
		return nil, errors.Join(d.problems...)
	}
	return &Draft{Recipe: r, file: d}, nil
}

// Detach says that the values at a path and below are no longer those of the
// file, so that what is wrong with them is not shown at its lines.
func (d *Draft) Detach(path string) {
	if d.file == nil {
		return
	}
	for at := range d.file.at {
		if at == path || strings.HasPrefix(at, path+".") {
			delete(d.file.at, at)
		}
	}
}

// Finish completes the recipe and checks every value. What is wrong with a
// value that a file stated is shown at its line.
func (d *Draft) Finish(cat Catalogue) (Recipe, error) {
	err := d.Recipe.Complete(cat)
	if err == nil {
		err = errors.Join(param.Validate(&d.Recipe), d.Recipe.names(cat))
	}
	switch {
	case err == nil:
		return d.Recipe, nil
	case d.file == nil:
		return Recipe{}, err
	}
	d.file.problems = nil
	d.file.place(err)
	return Recipe{}, errors.Join(d.file.problems...)
}

// ContentPrefix begins the data of a market whose file is known by its content
// and not by its place.
const ContentPrefix = "sha256:"

// Identity is the recipe with every data file named by the digest of its
// content instead of its path: equal identities compute the same. digests holds
// one for each market, in order, and is not read for generated markets.
func (r Recipe) Identity(digests []string) (Recipe, error) {
	if len(digests) != len(r.Markets) {
		return Recipe{}, fmt.Errorf("recipe: %d digests for %d markets", len(digests), len(r.Markets))
	}
	r.Markets = slices.Clone(r.Markets)
	for i := range r.Markets {
		if r.Markets[i].Data != "" {
			r.Markets[i].Data = ContentPrefix + digests[i]
		}
	}
	return r, nil
}

// preset gives list elements their defaults before the file's keys are read.
func preset(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *Market:
		p.Read = ingest.Default()
	case *synth.Config:
		*p = synth.Default()
	}
}

// Complete fills what follows from other keys: names, model configs.
func (r *Recipe) Complete(cat Catalogue) error {
	var errs []error
	for i := range r.Markets {
		m := &r.Markets[i]
		if m.Name == "" {
			m.Name = m.Instrument
		}
		if m.Read.Timeframe == "" {
			m.Read = ingest.Default()
		}
	}
	for i := range r.Models {
		m := &r.Models[i]
		if m.Name == "" {
			m.Name = m.Use
		}
		if m.Config == nil {
			c, err := cat.ModelConfig(m.Use)
			if err != nil {
				errs = append(errs, &param.Error{Path: fmt.Sprintf("models.%d.use", i), Problem: err.Error()})
				continue
			}
			m.Config = c
		}
		if e, ok := cat.Learner(m.Use); ok && e.Input != model.InputTable && m.Route.Window == 0 {
			m.Route.Window = DefaultWindow
		}
	}
	for i := range r.Ensembles {
		e := &r.Ensembles[i]
		if e.Name == "" {
			e.Name = e.Use
		}
		if e.Config == nil {
			c, err := cat.EnsembleConfig(e.Use)
			if err != nil {
				errs = append(errs, &param.Error{Path: fmt.Sprintf("ensembles.%d.use", i), Problem: err.Error()})
				continue
			}
			e.Config = c
		}
		if len(e.Bases) == 0 {
			for _, m := range r.Models {
				e.Bases = append(e.Bases, m.Name)
			}
		}
	}
	return errors.Join(errs...)
}

// names checks the names of what a catalogue knows.
func (r *Recipe) names(cat Catalogue) error {
	var errs []error
	check := func(kind, name, path string) {
		if err := cat.Known(kind, name); err != nil {
			errs = append(errs, &param.Error{Path: path, Problem: err.Error()})
		}
	}
	for i, m := range r.Markets {
		check(KindInstrument, m.Instrument, fmt.Sprintf("markets.%d.instrument", i))
	}
	for i, f := range r.Features.Families {
		if f != "all" {
			check(KindFamily, f, fmt.Sprintf("features.families.%d", i))
		}
	}
	for i, f := range r.Features.Add {
		check(KindFeature, f.Name, fmt.Sprintf("features.add.%d.name", i))
	}
	for i, f := range r.Features.Drop {
		check(KindFeature, f, fmt.Sprintf("features.drop.%d", i))
	}
	for i, m := range r.Models {
		for j, f := range m.Route.Families {
			check(KindFamily, f, fmt.Sprintf("models.%d.route.families.%d", i, j))
		}
		if e, ok := cat.Learner(m.Use); ok {
			errs = append(errs, m.Route.fits(e, fmt.Sprintf("models.%d.route.", i)))
		}
	}
	return errors.Join(errs...)
}

// fits refuses keys that a learner has no use for.
func (r Route) fits(e model.Entry, path string) error {
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, &param.Error{Path: path + key, Problem: fmt.Sprintf(format, args...)})
	}
	if e.Input == model.InputTable && r.Window != 0 {
		fail("window", "%s takes a table, not windows; leave the key out", e.Name)
	}
	if e.Input == model.InputWindows && len(r.Timeframes) > 1 {
		fail("timeframes", "%s takes windows of one timeframe; name one", e.Name)
	}
	if !e.Abilities.Static && len(r.Static) > 0 {
		fail("static", "%s takes no table beside its windows; leave the key out", e.Name)
	}
	if !e.Abilities.Known && r.Ahead != 0 {
		fail("ahead", "%s takes no known future; leave the key out", e.Name)
	}
	return errors.Join(errs...)
}

// Validate checks what spans several keys.
func (r *Recipe) Validate() error {
	var errs []error
	fail := func(path, format string, args ...any) {
		errs = append(errs, &param.Error{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
	timeframe := func(path, tf string, words ...string) {
		if slices.Contains(words, tf) {
			return
		}
		if _, err := bar.ParseTimeframe(tf); err != nil {
			fail(path, "%v", err)
		}
	}
	timeframe("clock.timeframe", r.Clock.Timeframe, "auto")
	for i, tf := range r.Features.Timeframes {
		if tf == "auto" && len(r.Features.Timeframes) > 1 {
			fail(fmt.Sprintf("features.timeframes.%d", i), "auto stands alone or not at all")
			continue
		}
		timeframe(fmt.Sprintf("features.timeframes.%d", i), tf, "auto")
	}
	for i, f := range r.Features.Families {
		if f == "all" && len(r.Features.Families) > 1 {
			fail(fmt.Sprintf("features.families.%d", i), "all stands alone or not at all")
		}
	}
	for i, m := range r.Models {
		for j, tf := range m.Route.Timeframes {
			timeframe(fmt.Sprintf("models.%d.route.timeframes.%d", i, j), tf)
		}
		for j, tf := range m.Route.Static {
			if tf == "none" && len(m.Route.Static) > 1 {
				fail(fmt.Sprintf("models.%d.route.static.%d", i, j), "none stands alone or not at all")
				continue
			}
			timeframe(fmt.Sprintf("models.%d.route.static.%d", i, j), tf, "none")
		}
	}
	if len(r.Markets) == 0 {
		fail("markets", "name at least one market")
	}
	seen := map[string]bool{}
	for i, m := range r.Markets {
		at := fmt.Sprintf("markets.%d", i)
		if seen[m.Name] {
			fail(at+".name", "two markets are called %q; give each a name of its own", m.Name)
		}
		seen[m.Name] = true
		if !plain(m.Name) {
			fail(at+".name", "%q cannot name a folder; use letters, digits, - _ .", m.Name)
		}
		timeframe(at+".read.timeframe", m.Read.Timeframe, "auto", "native")
		if (m.Data == "") == (m.Synth == nil) {
			fail(at, "a market has either data (a file) or synth (a generated market)")
		}
	}
	names := map[string]bool{}
	for i, m := range r.Models {
		at := fmt.Sprintf("models.%d.name", i)
		if names[m.Name] {
			fail(at, "two models are called %q; give each a name of its own", m.Name)
		}
		names[m.Name] = true
		if !plain(m.Name) {
			fail(at, "%q cannot name a file; use letters, digits, - _ .", m.Name)
		}
	}
	if len(r.Models) == 0 {
		fail("models", "name at least one model")
	}
	all := []string{}
	for _, m := range r.Models {
		all = append(all, m.Name)
	}
	for i, e := range r.Ensembles {
		at := fmt.Sprintf("ensembles.%d", i)
		if names[e.Name] {
			fail(at+".name", "the name %q is taken", e.Name)
		}
		names[e.Name] = true
		if !plain(e.Name) {
			fail(at+".name", "%q cannot name a file; use letters, digits, - _ .", e.Name)
		}
		for _, b := range e.Bases {
			if !slices.Contains(all, b) {
				hint := "known: " + strings.Join(all, ", ")
				if near, ok := param.Nearest(b, all); ok {
					hint = fmt.Sprintf("did you mean %q?", near)
				}
				fail(at+".bases", "%q is no model of this recipe; %s", b, hint)
			}
		}
	}
	if !names[r.Candidate] {
		fail("candidate", "%q is no model or ensemble of this recipe", r.Candidate)
	}
	return errors.Join(errs...)
}

func plain(s string) bool {
	if s == "" || s[0] == '.' {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
