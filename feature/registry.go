package feature

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/param"
)

// Scale is what happens to the values when every price is multiplied by k > 0.
type Scale uint8

// Scale laws.
const (
	ScaleNone  Scale = iota // nothing changes; all default features are of this kind
	ScalePrice              // the values are multiplied by k too
)

// Env is what a kernel may know about its place: the timeframe of its bars and
// the calendar of its instrument.
type Env struct {
	Timeframe bar.Timeframe
	Calendar  *calendar.Calendar
}

// Entry describes one kind of kernel: data plus a constructor.
type Entry struct {
	Name   string
	Family string // "return", "trend", "momentum", "volatility", "volume", "shape", "session", "level"
	// Doc gives the formula, the value in the degenerate cases and the source.
	Doc string
	// Overnight says how the kernel treats the break between two sessions.
	Overnight string
	Scale     Scale
	Volume    bool // needs volume; NaN while volume is missing in its window
	// Default returns a pointer to a config with every default written out.
	Default func() any
	// New checks a config (as Default returns) and makes the kernel.
	New func(cfg any, env Env) (Kernel, error)
}

// Registry lists entries in order of registration. It is built once and then
// only read. The zero value is empty.
type Registry struct {
	entries []Entry
	byName  map[string]int
}

// Add registers an entry; a taken name or a missing part is an error.
func (r *Registry) Add(e Entry) error {
	if e.Name == "" || e.Family == "" || e.Doc == "" || e.Overnight == "" || e.Default == nil || e.New == nil {
		return fmt.Errorf("feature: entry %q lacks a name, family, doc, overnight rule, Default or New", e.Name)
	}
	if len(e.Name) > 255 || strings.ContainsAny(e.Name, "@ \t\n") {
		return fmt.Errorf("feature: %q cannot name an entry", e.Name)
	}
	if _, ok := r.byName[e.Name]; ok {
		return fmt.Errorf("feature: %q is registered twice", e.Name)
	}
	if r.byName == nil {
		r.byName = map[string]int{}
	}
	r.byName[e.Name] = len(r.entries)
	r.entries = append(r.entries, e)
	return nil
}

// Entry finds an entry by name.
func (r *Registry) Entry(name string) (Entry, bool) {
	i, ok := r.byName[name]
	if !ok {
		return Entry{}, false
	}
	return r.entries[i], true
}

// Entries are all entries in order of registration.
func (r *Registry) Entries() []Entry { return slices.Clone(r.entries) }

// Spec asks for one kernel: an entry and the parameters that differ from its
// default.
type Spec struct {
	Name   string             `yaml:"name" doc:"name of a registered feature"`
	Params map[string]float64 `yaml:"params" doc:"parameters that differ from the feature's defaults"`
}

// Config is the full config of the spec: the entry's default with the
// parameters put in and checked.
func (r *Registry) Config(s Spec) (any, error) {
	e, ok := r.Entry(s.Name)
	if !ok {
		known := make([]string, len(r.entries))
		for i, e := range r.entries {
			known[i] = e.Name
		}
		if near, ok := param.Nearest(s.Name, known); ok {
			return nil, fmt.Errorf("feature: unknown feature %q; nearest is %q", s.Name, near)
		}
		return nil, fmt.Errorf("feature: unknown feature %q", s.Name)
	}
	cfg := e.Default()
	keys := make([]string, 0, len(s.Params))
	for k := range s.Params {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := param.Set(cfg, k, strconv.FormatFloat(s.Params[k], 'f', -1, 64)); err != nil {
			return nil, fmt.Errorf("feature: %s: %w", s.Name, err)
		}
	}
	if err := param.Validate(cfg); err != nil {
		return nil, fmt.Errorf("feature: %s: %w", s.Name, err)
	}
	return cfg, nil
}

// New makes the kernel that the spec asks for.
func (r *Registry) New(s Spec, env Env) (Kernel, error) {
	cfg, err := r.Config(s)
	if err != nil {
		return nil, err
	}
	e, _ := r.Entry(s.Name)
	return e.New(cfg, env)
}

// built is what a family's constructor returns.
type built struct {
	m      machine
	names  []string
	first  int
	memory int
}

// about is the part of an entry that is text.
type about struct {
	name, family, doc, overnight string
	scale                        Scale
	volume                       bool
}

// define makes an entry from a default config and a builder. The builder may
// rely on the config being valid.
func define[C any](a about, def C, build func(c C, env Env) (built, error)) Entry {
	return Entry{
		Name: a.name, Family: a.family, Doc: a.doc, Overnight: a.overnight, Scale: a.scale, Volume: a.volume,
		Default: func() any { c := def; return &c },
		New: func(cfg any, env Env) (Kernel, error) {
			c, ok := cfg.(*C)
			if !ok {
				return nil, fmt.Errorf("feature: %s takes a %s, not %T", a.name, reflect.TypeFor[*C](), cfg)
			}
			if err := param.Validate(c); err != nil {
				return nil, fmt.Errorf("feature: %s: %w", a.name, err)
			}
			if env.Calendar == nil || env.Timeframe < 0 {
				return nil, fmt.Errorf("feature: %s needs a calendar and a timeframe", a.name)
			}
			b, err := build(*c, env)
			if err != nil {
				return nil, fmt.Errorf("feature: %s: %w", a.name, err)
			}
			sum, err := param.Digest(identity[C]{Config: *c, Timeframe: int64(env.Timeframe), Calendar: env.Calendar.Name()})
			if err != nil {
				return nil, fmt.Errorf("feature: %s: %w", a.name, err)
			}
			k := &kernel{m: b.m, entry: a.name, names: b.names, first: b.first, memory: b.memory}
			if _, err := hex.Decode(k.digest[:], []byte(sum[:16])); err != nil {
				return nil, fmt.Errorf("feature: %s: %w", a.name, err)
			}
			k.seal()
			return k, nil
		},
	}
}

// identity is what a state belongs to, besides the entry's name.
type identity[C any] struct {
	Config    C
	Timeframe int64
	Calendar  string
}

// Register adds every family to r.
func Register(r *Registry) error {
	for _, family := range [][]Entry{
		returnEntries(), trendEntries(), directionEntries(), momentumEntries(), flowEntries(), rangeEntries(), bandEntries(),
		dispersionEntries(), volumeEntries(), shapeEntries(), sessionEntries(), levelEntries(),
	} {
		for _, e := range family {
			if err := r.Add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// one makes a list of one name from a word and numbers: one("rsi", 14) is
// ["rsi_14"].
func one(word string, n ...int) []string { return []string{label(word, n...)} }

func label(word string, n ...int) string {
	for _, v := range n {
		word += "_" + strconv.Itoa(v)
	}
	return word
}
