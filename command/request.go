package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// Source names a file of bars and how to read it, as flags do. What is empty
// was not said.
type Source struct {
	Data, Instrument, Name string
	Stamps, Zone           string
	Timeframe, DateOrder   string
	Where                  string // column=value
	Sort                   bool
	Columns                []string // role=name
}

// given reports whether anything was said.
func (s Source) given() bool {
	return s.Instrument != "" || s.Name != "" || s.reading()
}

// reading reports whether anything was said about how to read a file.
func (s Source) reading() bool {
	return s.Data != "" || s.Stamps != "" || s.Zone != "" || s.Timeframe != "" || s.DateOrder != "" || s.Where != "" || s.Sort || len(s.Columns) > 0
}

// apply puts what was said over a reader's config.
func (s Source) apply(c *ingest.Config) error {
	for _, x := range []struct{ path, value string }{
		{"stamps", s.Stamps}, {"zone", s.Zone}, {"timeframe", s.Timeframe}, {"date_order", s.DateOrder}, {"where", s.Where},
	} {
		if x.value == "" {
			continue
		}
		if err := param.Set(c, x.path, x.value); err != nil {
			return mark(ErrUsage, fmt.Errorf("--%s: %w", strings.ReplaceAll(x.path, "_", "-"), err))
		}
	}
	c.Sort = c.Sort || s.Sort
	for _, kv := range s.Columns {
		role, name, ok := strings.Cut(kv, "=")
		if !ok {
			return Usage("--columns %s: want role=name, such as time=Date", kv)
		}
		if err := param.Set(&c.Columns, role, name); err != nil {
			return mark(ErrUsage, fmt.Errorf("--columns: %w", err))
		}
	}
	if err := param.Validate(c); err != nil {
		return mark(ErrUsage, err)
	}
	return nil
}

// Request says which recipe is meant: a file, the source of one market, single
// values, or nothing at all for the embedded pair.
type Request struct {
	Config string // path of a recipe file; "" for none
	Source Source
	// Models, if any, replace the recipe's base models: models of the recipe by
	// their names, learners with their defaults by theirs. What combined others
	// combines those of its models that are left.
	Models []string
	Set    []string // path=value, in order
	Seed   *uint64
	// NoAudit leaves the leak check out, OpenLockbox judges the lockbox too.
	NoAudit, OpenLockbox bool
	// Relative is the folder from which the data paths of a recipe file count;
	// "" is the recipe file's own.
	Relative string
}

// Recipe resolves the request: defaults, then the file, then the source, then
// single values; completed and checked.
func (p *Project) Recipe(q Request) (recipe.Recipe, error) {
	r, err := p.resolve(q)
	return r, mark(ErrUsage, err)
}

func (p *Project) resolve(q Request) (recipe.Recipe, error) {
	var none recipe.Recipe
	cat := p.Factory.Catalogue
	base := factory.DefaultRecipe()
	pair := q.Config == "" && q.Source.Data == ""
	if pair {
		if q.Source.given() {
			return none, Usage("--instrument, --name and the flags that say how to read a file need --data or --config")
		}
		base = factory.Pair()
	}
	d := recipe.NewDraft(base)
	if q.Config != "" {
		src, err := os.ReadFile(q.Config)
		if err != nil {
			return none, err
		}
		if d, err = recipe.Read(src, q.Config, base, cat); err != nil {
			return none, err
		}
		dir := q.Relative
		if dir == "" {
			dir = filepath.Dir(q.Config)
		}
		for i := range d.Recipe.Markets {
			m := &d.Recipe.Markets[i]
			if m.Data != "" && !filepath.IsAbs(m.Data) && !strings.HasPrefix(m.Data, recipe.ContentPrefix) {
				m.Data = filepath.Join(dir, m.Data)
			}
		}
	}
	if err := q.Source.market(&d.Recipe); err != nil {
		return none, err
	}
	if len(q.Models) > 0 {
		if err := p.models(&d.Recipe, q.Models); err != nil {
			return none, err
		}
		d.Detach("models")
	}
	if q.Seed != nil {
		d.Recipe.Seed = *q.Seed
	}
	if q.NoAudit {
		d.Recipe.Audit = "off"
	}
	if q.OpenLockbox {
		d.Recipe.Lockbox = true
	}
	// Names and model configs must exist before single values can be set.
	if err := d.Recipe.Complete(cat); err != nil {
		return d.Finish(cat)
	}
	for _, kv := range q.Set {
		path, value, ok := strings.Cut(kv, "=")
		if !ok {
			return none, Usage("--set %s: want path=value, such as label.horizon=30", kv)
		}
		if err := param.Set(&d.Recipe, path, value); err != nil {
			return none, fmt.Errorf("--set: %w", err)
		}
	}
	for i, m := range d.Recipe.Markets {
		if m.Instrument == "" {
			return none, Usage("markets.%d.instrument: say what the bars are prices of (--instrument); known: %s", i, strings.Join(cat.Instruments.Names(), ", "))
		}
	}
	r, err := d.Finish(cat)
	if err != nil {
		return none, err
	}
	for i, m := range r.Markets {
		if strings.HasPrefix(m.Data, recipe.ContentPrefix) {
			return none, Usage("markets.%d.data: the recipe names its data by content (%s…); say where that file is: --data FILE, or --set markets.%d.data=FILE", i, m.Data[:min(len(m.Data), 19)], i)
		}
	}
	return r, nil
}

// models replaces the base models of a recipe by those of the given names.
func (p *Project) models(r *recipe.Recipe, names []string) error {
	named := func(m recipe.Model) string {
		if m.Name == "" {
			return m.Use
		}
		return m.Name
	}
	var models []recipe.Model
	var all []string
	for _, name := range names {
		m := recipe.Model{Use: name}
		if i := slices.IndexFunc(r.Models, func(m recipe.Model) bool { return named(m) == name }); i >= 0 {
			m = r.Models[i]
		} else if _, err := p.Factory.Catalogue.ModelConfig(name); err != nil {
			return Usage("--model: %w", err)
		}
		if !slices.Contains(all, name) {
			models, all = append(models, m), append(all, name)
		}
	}
	dropped := func(name string) bool {
		return !slices.Contains(all, name) && slices.ContainsFunc(r.Models, func(m recipe.Model) bool { return named(m) == name })
	}
	var ensembles []recipe.Ensemble
	for _, e := range r.Ensembles {
		bases := slices.DeleteFunc(slices.Clone(e.Bases), dropped)
		if len(bases) == 0 && len(e.Bases) > 0 {
			if e.Name == r.Candidate || e.Name == "" && e.Use == r.Candidate {
				r.Candidate = all[0]
			}
			continue
		}
		e.Bases = bases
		ensembles = append(ensembles, e)
	}
	if dropped(r.Candidate) {
		r.Candidate = all[0]
	}
	r.Models, r.Ensembles = models, ensembles
	return nil
}

// market puts the source over the recipe's market, or makes it the only one.
func (s Source) market(r *recipe.Recipe) error {
	if !s.given() {
		return nil
	}
	switch len(r.Markets) {
	case 0:
		r.Markets = []recipe.Market{{Read: ingest.Default()}}
	case 1:
		m := r.Markets[0]
		r.Markets = []recipe.Market{m}
	default:
		return Usage("the recipe has %d markets, so that flags about one of them are ambiguous; use --set markets.0.data=… and so on", len(r.Markets))
	}
	m := &r.Markets[0]
	if s.Data != "" {
		m.Data, m.Synth = s.Data, nil
	}
	if s.Instrument != "" {
		m.Instrument = s.Instrument
	}
	if s.Name != "" {
		m.Name = s.Name
	}
	if s.reading() && m.Synth != nil {
		return Usage("the recipe's market is generated; flags that say how to read a file need --data")
	}
	if m.Read.Timeframe == "" {
		m.Read = ingest.Default()
	}
	return s.apply(&m.Read)
}

// Name is what the run's folder is called when nothing else is said.
func (q Request) Name() string {
	stem := func(path string) string {
		base := filepath.Base(path)
		for {
			ext := filepath.Ext(base)
			if ext == "" || ext == base {
				return base
			}
			base = strings.TrimSuffix(base, ext)
		}
	}
	switch {
	case q.Source.Name != "":
		return q.Source.Name
	case q.Config != "":
		return stem(q.Config)
	case q.Source.Data != "":
		return stem(q.Source.Data)
	}
	return "pair"
}
