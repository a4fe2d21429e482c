package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// Parameter is a key of a config, as it is shown.
type Parameter struct {
	Path    string          `json:"path"`
	Kind    string          `json:"kind"`
	Doc     string          `json:"doc"`
	Default json.RawMessage `json:"default"` // null where there is none
	Min     *float64        `json:"min"`     // of durations in seconds
	Max     *float64        `json:"max"`
	Enum    []string        `json:"enum"`
}

// parameters lists the keys of a config.
func parameters(cfg any) ([]Parameter, error) {
	fields, err := param.Fields(cfg)
	if err != nil {
		return nil, err
	}
	out := make([]Parameter, len(fields))
	for i, f := range fields {
		out[i] = Parameter{Path: f.Path, Kind: f.Kind, Doc: f.Doc, Min: f.Min, Max: f.Max, Enum: f.Enum}
		if f.Default == nil {
			continue
		}
		if out[i].Default, err = param.Canonical(f.Default); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return out, nil
}

// Model is an entry of the catalogue of learners and ensembles.
type Model struct {
	Name    string      `json:"name"`
	Kind    string      `json:"kind"` // learner or ensemble
	Family  string      `json:"family,omitempty"`
	Doc     string      `json:"doc"`
	Input   string      `json:"input,omitempty"` // table, windows or streams
	Static  bool        `json:"static"`          // takes a table beside its windows
	Known   bool        `json:"known_future"`    // takes the scheduled bars to come
	Weights bool        `json:"weights"`
	Missing bool        `json:"missing"`
	Stops   bool        `json:"stops_early"`
	OOF     bool        `json:"needs_oof"`
	Params  []Parameter `json:"params"`
	Presets []Preset    `json:"presets,omitempty"`

	config any
}

// Preset is a named configuration of a learner. NAME-PRESET stands for both.
type Preset struct {
	Name   string      `json:"name"`
	Doc    string      `json:"doc"`
	Params []Parameter `json:"params"` // those that differ from the learner's default

	config any
}

// presets are those of a learner whose parameters are given.
func presets(e model.Entry, params []Parameter) ([]Preset, error) {
	var out []Preset
	for _, p := range e.Presets {
		x := Preset{Name: e.Name + "-" + p.Name, Doc: p.Doc, config: p.Config()}
		all, err := parameters(x.config)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.Name, err)
		}
		for i, q := range all {
			if !bytes.Equal(q.Default, params[i].Default) {
				x.Params = append(x.Params, q)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func inputName(i model.Input) string { return [...]string{"table", "windows", "streams"}[i] }

// Models lists learners, then ensembles, in order of registration.
func (p *Project) Models() ([]Model, error) {
	var out []Model
	for _, e := range p.Factory.Catalogue.Models.Entries() {
		m := Model{Name: e.Name, Kind: "learner", Family: e.Family, Doc: e.Doc, Input: inputName(e.Input), Static: e.Abilities.Static, Known: e.Abilities.Known, Weights: e.Abilities.Weights, Missing: e.Abilities.Missing, Stops: e.Abilities.Stops, config: e.Default()}
		out = append(out, m)
	}
	for _, e := range p.Factory.Catalogue.Ensembles.Entries() {
		out = append(out, Model{Name: e.Name, Kind: "ensemble", Doc: e.Doc, OOF: e.NeedsOOF, config: e.Default()})
	}
	for i := range out {
		var err error
		if out[i].Params, err = parameters(out[i].config); err != nil {
			return nil, fmt.Errorf("%s: %w", out[i].Name, err)
		}
		if e, ok := p.Factory.Catalogue.Models.Entry(out[i].Name); ok && out[i].Kind == "learner" {
			if out[i].Presets, err = presets(e, out[i].Params); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// Model finds one entry, or one of its presets.
func (p *Project) Model(name string) (Model, error) {
	all, err := p.Models()
	if err != nil {
		return Model{}, err
	}
	var known []string
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		known = append(known, m.Name)
		for _, x := range m.Presets {
			if x.Name == name {
				m.Name, m.Doc, m.config, m.Presets = x.Name, m.Doc+"\n\n"+x.Doc, x.config, nil
				if m.Params, err = parameters(m.config); err != nil {
					return Model{}, fmt.Errorf("%s: %w", m.Name, err)
				}
				return m, nil
			}
			known = append(known, x.Name)
		}
	}
	if near, ok := param.Nearest(name, known); ok {
		return Model{}, Usage("no model is called %q; did you mean %q?", name, near)
	}
	return Model{}, Usage("no model is called %q; there are %v", name, known)
}

// Config is the model's default config as YAML with its documentation.
func (m Model) Config() ([]byte, error) { return recipe.MarshalConfig(m.config, true) }

// Baseline is the learner that [Project.CrossValidate] compares a model with.
const Baseline = "logistic"

// Skill is the diagnostics of one model.
type Skill struct {
	Market string `json:"market"`
	factory.Skill
}

// CrossValidate measures one model of a recipe by purged k-fold on each market,
// and the recipe's first logistic regression beside it, if there is one, as what
// it is compared with. Nothing is traded, so no trial is counted.
func (p *Project) CrossValidate(ctx context.Context, rec recipe.Recipe, name string, o RunOptions) ([]Skill, error) {
	var measured []recipe.Model
	for _, m := range rec.Models {
		if m.Name == name {
			measured = append(measured, m)
		}
	}
	if len(measured) == 0 {
		return nil, Usage("--model: the recipe has no model %q", name)
	}
	for _, m := range rec.Models {
		if m.Use == Baseline && m.Name != name {
			measured = append(measured, m)
			break
		}
	}
	if measured[0].Use == Baseline {
		measured = measured[:1]
	}
	rec.Models = measured
	rec.Ensembles, rec.Candidate, rec.Audit = nil, name, "off"
	if err := param.Validate(&rec); err != nil {
		return nil, mark(ErrUsage, err)
	}
	var out []Skill
	err := p.part(ctx, rec, "cv", factory.ToSkill, o, func(x *Part) error {
		for _, m := range x.Outcomes {
			if m.Refused != "" {
				return mark(ErrData, fmt.Errorf("%s: %s", m.Market, m.Refused))
			}
			for _, s := range m.Skill {
				out = append(out, Skill{m.Market, s})
			}
		}
		return nil
	})
	return out, err
}
