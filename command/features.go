package command

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// Feature is an entry of the catalogue of features.
type Feature struct {
	Name      string      `json:"name"`
	Family    string      `json:"family"`
	Columns   []string    `json:"columns"` // with default parameters, without the timeframe
	First     int         `json:"first"`   // bars until it has a value, with default parameters
	Default   bool        `json:"default"` // computed when nothing else is asked for
	Doc       string      `json:"doc"`
	Overnight string      `json:"overnight"`
	Volume    bool        `json:"needs_volume"`
	Params    []Parameter `json:"params"`
}

// Features lists the catalogue, or one family of it.
func (p *Project) Features(family string) ([]Feature, error) {
	reg := p.Factory.Catalogue.Features
	inst, err := p.Factory.Catalogue.Instruments.Find("ES")
	if err != nil {
		return nil, err
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		return nil, err
	}
	var out []Feature
	var families []string
	for _, e := range reg.Entries() {
		if !slices.Contains(families, e.Family) {
			families = append(families, e.Family)
		}
		if family != "" && e.Family != family {
			continue
		}
		k, err := reg.New(feature.Spec{Name: e.Name}, feature.Env{Timeframe: 5 * bar.Minute, Calendar: cal})
		if err != nil {
			return nil, err
		}
		f := Feature{Name: e.Name, Family: e.Family, Columns: k.Names(), First: k.First(), Doc: e.Doc, Overnight: e.Overnight, Volume: e.Volume,
			Default: slices.ContainsFunc(feature.DefaultSpecs(), func(s feature.Spec) bool { return s.Name == e.Name })}
		if f.Params, err = parameters(e.Default()); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		hint := fmt.Sprintf("there are %v", families)
		if near, ok := param.Nearest(family, families); ok {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, Usage("no family of features is called %q; %s", family, hint)
	}
	return out, nil
}

// Table says what a file of features or labels holds.
type Table struct {
	File      string               `json:"file"`
	Market    string               `json:"market"`
	Clock     string               `json:"clock"`
	Decisions int                  `json:"decisions"`
	Columns   []string             `json:"columns,omitempty"`
	Labels    *factory.LabelCounts `json:"labels,omitempty"`
	Notes     []string             `json:"notes"`
}

// ComputeFeatures writes the features of a recipe's market, one row a
// decision, to a Parquet file.
func (p *Project) ComputeFeatures(ctx context.Context, rec recipe.Recipe, to string, o RunOptions) (*Table, error) {
	return p.tables(ctx, rec, "features compute", factory.ToTable, "features.parquet", to, o)
}

// Label writes the labels of a recipe's market to a Parquet file; with an empty
// path it only counts them.
func (p *Project) Label(ctx context.Context, rec recipe.Recipe, to string, o RunOptions) (*Table, error) {
	return p.tables(ctx, rec, "label", factory.ToLabels, "labels.parquet", to, o)
}

func (p *Project) tables(ctx context.Context, rec recipe.Recipe, name string, until factory.Step, file, to string, o RunOptions) (*Table, error) {
	if err := one(rec); err != nil {
		return nil, err
	}
	if to == "" && until == factory.ToTable {
		return nil, Usage("say where the features are to be written: --out FILE.parquet")
	}
	t := &Table{File: to}
	err := p.part(ctx, rec, name, until, o, func(x *Part) error {
		out := x.Outcomes[0]
		t.Market, t.Clock, t.Decisions, t.Notes = out.Market, out.Clock, len(out.Decisions), append([]string{}, out.Notes...)
		if out.Table != nil {
			t.Columns = out.Table.Names
		} else {
			t.Labels = &out.Counts
		}
		if to == "" {
			return nil
		}
		return x.file(file, to)
	})
	return t, err
}
