package factory

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/model/tree"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
)

// Catalogue is everything that is registered: what a recipe can name.
type Catalogue struct {
	Models      *model.Registry
	Ensembles   *ensemble.Registry
	Features    *feature.Registry
	Instruments *bar.Instruments
	// Splitter, if set, replaces the splitters that a recipe asks for. It is nil
	// in the program; a test of the audit puts a broken one in its place.
	Splitter func(split.Splitter) split.Splitter
}

// splitter is the splitter in use in the place of s.
func (c *Catalogue) splitter(s split.Splitter) split.Splitter {
	if c.Splitter == nil {
		return s
	}
	return c.Splitter(s)
}

// NewCatalogue registers all that this program has, in a fixed order.
func NewCatalogue() (*Catalogue, error) {
	c := &Catalogue{Models: &model.Registry{}, Ensembles: &ensemble.Registry{}, Features: &feature.Registry{}, Instruments: bar.NewInstruments()}
	err := errors.Join(
		linear.Register(c.Models),
		tree.Register(c.Models),
		nn.Register(c.Models),
		ensemble.Register(c.Ensembles),
		feature.Register(c.Features),
	)
	return c, err
}

// ModelConfig returns a pointer to the default config of a learner.
func (c *Catalogue) ModelConfig(use string) (any, error) {
	e, ok := c.Models.Entry(use)
	if !ok {
		return nil, unknown("learner", use, c.Models.Names())
	}
	return e.Default(), nil
}

// Learner finds a registered learner.
func (c *Catalogue) Learner(use string) (model.Entry, bool) { return c.Models.Entry(use) }

// EnsembleConfig returns a pointer to the default config of an ensemble.
func (c *Catalogue) EnsembleConfig(use string) (any, error) {
	e, ok := c.Ensembles.Entry(use)
	if !ok {
		var known []string
		for _, e := range c.Ensembles.Entries() {
			known = append(known, e.Name)
		}
		return nil, unknown("ensemble", use, known)
	}
	return e.Default(), nil
}

// Known reports a name that is not registered; see [recipe.Catalogue].
func (c *Catalogue) Known(kind, name string) error {
	var known []string
	switch kind {
	case recipe.KindInstrument:
		_, err := c.Instruments.Find(name)
		return err
	case recipe.KindFamily, recipe.KindFeature:
		for _, e := range c.Features.Entries() {
			x := e.Name
			if kind == recipe.KindFamily {
				x = e.Family
			}
			if x == name {
				return nil
			}
			if !slices.Contains(known, x) {
				known = append(known, x)
			}
		}
		return unknown(kind, name, known)
	}
	return fmt.Errorf("factory: there are no names of the kind %q", kind)
}

func unknown(what, name string, known []string) error {
	if near, ok := param.Nearest(name, known); ok {
		return fmt.Errorf("no %s is called %q; did you mean %q?", what, name, near)
	}
	return fmt.Errorf("no %s is called %q; there are %v", what, name, known)
}
