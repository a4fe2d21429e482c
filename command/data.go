package command

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// read reads the bars that a source names.
func (p *Project) read(ctx context.Context, s Source) (*bar.Series, *ingest.Report, bar.Instrument, error) {
	var inst bar.Instrument
	if s.Data == "" {
		return nil, nil, inst, Usage("say which file: FILE as an argument")
	}
	if s.Instrument == "" {
		return nil, nil, inst, Usage("say what the bars are prices of (--instrument); known: %s", strings.Join(p.Factory.Catalogue.Instruments.Names(), ", "))
	}
	inst, err := p.Factory.Catalogue.Instruments.Find(s.Instrument)
	if err != nil {
		return nil, nil, inst, mark(ErrUsage, err)
	}
	cfg := ingest.Default()
	if err := s.apply(&cfg); err != nil {
		return nil, nil, inst, err
	}
	b, rep, err := ingest.Read(ctx, s.Data, cfg, inst)
	return b, rep, inst, mark(ErrData, err)
}

// Inspect reads a file and reports on it; nothing is stored. Of each kind of
// finding the first list are kept; below 0 all that the report has.
func (p *Project) Inspect(ctx context.Context, s Source, list int) (*ingest.Report, error) {
	_, rep, _, err := p.read(ctx, s)
	if err != nil || list < 0 {
		return rep, err
	}
	// By kind, in the order of the counts, and by line in each.
	var kept []ingest.Finding
	for _, k := range rep.Counts {
		n := 0
		for _, f := range rep.Findings {
			if f.Kind == k.Kind && n < list {
				kept, n = append(kept, f), n+1
			}
		}
	}
	rep.Findings = kept
	return rep, nil
}

// Imported is a file of bars that is in the store.
type Imported struct {
	Run    string         `json:"run"`
	Digest string         `json:"digest"` // of the bars' values
	Bars   int            `json:"bars"`
	Report *ingest.Report `json:"report"`
}

// Import reads the bars of a recipe's market into the store, where every later
// run on the same content finds them.
func (p *Project) Import(ctx context.Context, rec recipe.Recipe, o RunOptions) (*Imported, error) {
	if err := one(rec); err != nil {
		return nil, err
	}
	out := &Imported{}
	err := p.part(ctx, rec, "data import", factory.ToBars, o, func(x *Part) error {
		b, ok := x.output(rec.Markets[0].Name+"/bars", "bars.arrow")
		if !ok {
			return fmt.Errorf("the bars of %s are not in the result", rec.Markets[0].Name)
		}
		out.Run, out.Digest, out.Bars, out.Report = x.ID, b.Identity(), x.Outcomes[0].Base.Len(), &x.Outcomes[0].Data
		return nil
	})
	return out, err
}

// Converted is a file that was written.
type Converted struct {
	File   string         `json:"file"`
	Format string         `json:"format"`
	Bars   int            `json:"bars"`
	Report *ingest.Report `json:"report"`
}

// Convert reads bars and writes them anew: UTC, stamped with their ends, and in
// Parquet with the metadata that says so.
func (p *Project) Convert(ctx context.Context, s Source, to string) (*Converted, error) {
	format, err := formatOf(to)
	if err != nil {
		return nil, err
	}
	b, rep, _, err := p.read(ctx, s)
	if err != nil {
		return nil, err
	}
	return &Converted{to, format, b.Len(), rep}, writeFile(to, func(w io.Writer) error { return ingest.Write(w, b, format) })
}

func formatOf(path string) (string, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return "csv", nil
	case ".parquet", ".pq":
		return "parquet", nil
	}
	return "", Usage("%q: the ending says the format: .csv or .parquet", path)
}

// Instrument is what the bars can be prices of.
type Instrument struct{ bar.Instrument }

// MarshalJSON writes the keys that a recipe would have.
func (i Instrument) MarshalJSON() ([]byte, error) { return param.Canonical(i.Instrument) }

// Instruments lists all known instruments.
func (p *Project) Instruments() []Instrument {
	var out []Instrument
	for _, i := range p.Factory.Catalogue.Instruments.All() {
		out = append(out, Instrument{i})
	}
	return out
}

// SynthOptions describe a generated market.
type SynthOptions struct {
	Null bool     // without the planted edge
	Set  []string // key=value of synth.Config
}

// Synth writes a generated market to a file.
func (p *Project) Synth(ctx context.Context, o SynthOptions, to string) (*Converted, error) {
	format, err := formatOf(to)
	if err != nil {
		return nil, err
	}
	cfg := synth.Default()
	if o.Null {
		cfg = cfg.Null()
	}
	for _, kv := range o.Set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, Usage("--set %s: want key=value, such as sessions=250", kv)
		}
		if err := param.Set(&cfg, key, value); err != nil {
			return nil, mark(ErrUsage, fmt.Errorf("--set: %w", err))
		}
	}
	if err := param.Validate(&cfg); err != nil {
		return nil, mark(ErrUsage, err)
	}
	inst, err := p.Factory.Catalogue.Instruments.Find("SYNTH")
	if err != nil {
		return nil, err
	}
	m, err := synth.Generate(ctx, cfg, inst)
	if err != nil {
		return nil, err
	}
	return &Converted{to, format, m.Base.Len(), nil}, writeFile(to, func(w io.Writer) error { return ingest.Write(w, m.Base, format) })
}
