package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// sample is the default recipe with a market to be filled in.
func (p *Project) sample() (recipe.Recipe, error) {
	r := factory.DefaultRecipe()
	read := ingest.Default()
	read.Stamps, read.Zone = "end", "UTC"
	r.Markets = []recipe.Market{{Name: "ES", Instrument: "ES", Data: "bars.csv", Read: read}}
	return r, r.Complete(p.Factory.Catalogue)
}

// ConfigInit is a recipe with every key, its default and its documentation.
func (p *Project) ConfigInit() ([]byte, error) {
	r, err := p.sample()
	if err != nil {
		return nil, err
	}
	b, err := recipe.Explained(r)
	head := "# A recipe: everything that decides what a run computes. Keys may be left out;\n" +
		"# then the value shown here holds. mlfactory config check FILE says what is wrong.\n\n"
	return append([]byte(head), b...), err
}

// Checked is a recipe that was found right.
type Checked struct {
	File   string `json:"file"`
	Digest string `json:"digest"`
	Recipe string `json:"recipe"` // completed, as YAML
}

// ConfigCheck reads and checks a recipe; data files are not opened.
func (p *Project) ConfigCheck(q Request) (*Checked, error) {
	r, err := p.Recipe(q)
	if err != nil {
		return nil, err
	}
	d, err := param.Digest(r)
	if err != nil {
		return nil, err
	}
	b, err := recipe.Marshal(r)
	return &Checked{q.Config, d, string(b)}, err
}

// Key explains one key of a recipe.
type Key struct {
	Parameter
	// Of is the learner or ensemble whose config has the key, "" for the recipe's.
	Of string `json:"of"`
}

// ConfigExplain explains a key: a path of the recipe (label.horizon,
// markets.*.data; a number counts as a star) or of a model's config
// (xgboost.eta). The path of a group gives the group with all that is in it.
func (p *Project) ConfigExplain(path string) ([]Key, error) {
	r := factory.DefaultRecipe()
	if err := r.Complete(p.Factory.Catalogue); err != nil {
		return nil, err
	}
	fields, err := parameters(&r)
	if err != nil {
		return nil, err
	}
	models, err := p.Models()
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, f := range fields {
		if !strings.Contains(f.Path, ".config.") {
			all = append(all, Key{Parameter: f})
		}
	}
	for _, m := range models {
		for _, f := range m.Params {
			f.Path = m.Name + "." + f.Path
			all = append(all, Key{f, m.Name})
		}
	}
	want := star(path)
	var out []Key
	var known []string
	for _, k := range all {
		if path == "" || star(k.Path) == want || strings.HasPrefix(star(k.Path), want+".") {
			out = append(out, k)
		}
		known = append(known, k.Path)
	}
	if len(out) == 0 {
		var ends []string
		for _, k := range known {
			if strings.HasSuffix(k, "."+path) {
				ends = append(ends, k)
			}
		}
		if len(ends) > 0 {
			return nil, Usage("no key is called %q; did you mean %s?", path, strings.Join(ends, " or "))
		}
		if near, ok := param.Nearest(path, known); ok {
			return nil, Usage("no key is called %q; did you mean %q?", path, near)
		}
		return nil, Usage("no key is called %q; mlfactory config explain lists them all", path)
	}
	return out, nil
}

// star replaces the numbers of a path by stars.
func star(path string) string {
	parts := strings.Split(path, ".")
	for i, s := range parts {
		if s != "" && strings.Trim(s, "0123456789") == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, ".")
}

// WriteKeys writes keys for a person.
func WriteKeys(w io.Writer, keys []Key) error {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s (%s)\n  %s\n", k.Path, k.Kind, k.Doc)
		if len(k.Default) > 0 {
			fmt.Fprintf(&b, "  default: %s\n", text(k.Default))
		}
		if l := limits(k.Parameter); l != "" {
			fmt.Fprintf(&b, "  allowed: %s\n", l)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text writes a value as it stands in a file.
func text(v json.RawMessage) string { return strings.Trim(string(v), `"`) }

func limits(f Parameter) string {
	var out []string
	if f.Enum != nil {
		words := slices.Clone(f.Enum)
		for i, w := range words {
			if w == "" {
				words[i] = `""`
			}
		}
		out = append(out, strings.Join(words, ", "))
	}
	bound := func(x float64) string {
		if strings.HasSuffix(f.Kind, param.KindDuration) {
			return param.Duration(x * 1e9).String()
		}
		return fmt.Sprint(x)
	}
	switch {
	case f.Min != nil && f.Max != nil:
		out = append(out, bound(*f.Min)+" to "+bound(*f.Max))
	case f.Min != nil:
		out = append(out, "at least "+bound(*f.Min))
	case f.Max != nil:
		out = append(out, "at most "+bound(*f.Max))
	}
	return strings.Join(out, "; ")
}

// ConfigSchema is the JSON Schema of recipe files, for editors.
func (p *Project) ConfigSchema() ([]byte, error) {
	r, err := p.sample()
	if err != nil {
		return nil, err
	}
	s, err := schemaOf(r)
	if err != nil {
		return nil, err
	}
	models, err := p.Models()
	if err != nil {
		return nil, err
	}
	for _, kind := range []string{"learner", "ensemble"} {
		list := map[string]string{"learner": "models", "ensemble": "ensembles"}[kind]
		items := s.Properties.get(list).Items
		var names []any
		for _, m := range models {
			if m.Kind != kind {
				continue
			}
			names = append(names, m.Name)
			cfg, err := schemaOf(m.config)
			if err != nil {
				return nil, err
			}
			items.AllOf = append(items.AllOf, condition(m.Name, cfg))
		}
		items.Properties.get("use").Enum = names
	}
	s.Schema, s.ID, s.Title = "https://json-schema.org/draft/2020-12/schema", recipe.Schema, "recipe of mlfactory"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
