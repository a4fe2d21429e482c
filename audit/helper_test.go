package audit_test

import (
	"context"
	"errors"
	"testing"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// newCatalogue is the program's catalogue with changes for a test.
func newCatalogue(t testing.TB, change func(c *factory.Catalogue)) *factory.Catalogue {
	t.Helper()
	c, err := factory.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	return c
}

// leakyFeature puts the kernel that reads one bar ahead in the place of an
// honest feature, as a careless author would.
func leakyFeature(t testing.TB, name string) func(*factory.Catalogue) {
	return func(c *factory.Catalogue) {
		honest := c.Features
		c.Features = &feature.Registry{}
		leak := featuretest.Leaky()
		for _, e := range honest.Entries() {
			if e.Name == name {
				e.New, e.Default = leak.New, leak.Default
			}
			if err := c.Features.Add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func newFactory(t testing.TB, c *factory.Catalogue) *factory.Factory {
	t.Helper()
	f, err := factory.New(c, mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// small is a recipe on a short generated market, as quick as the protocol allows.
func small(t testing.TB, c *factory.Catalogue) recipe.Recipe {
	t.Helper()
	r := factory.Pair()
	cfg := synth.Default()
	cfg.Sessions = 50
	r.Markets = []recipe.Market{{Name: "small", Instrument: "SYNTH", Synth: &cfg, Read: ingest.Default()}}
	r.Features.Timeframes = []string{"5m", "15m", "1h"}
	r.Features.Families, r.Features.Drop = []string{"volume", "session"}, nil
	r.Split.WalkForward.Steps = 2
	r.Split.InnerFolds = 2
	r.Split.KFold.K = 3
	r.Split.KFold.Embargo = param.Duration(12 * 3600 * 1e9)
	r.Split.WalkForward.FloorBars, r.Split.KFold.FloorBars = 20, 20
	r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 2, 2
	r.Random = 100
	for _, m := range r.Models {
		if x, ok := m.Config.(*xgboost.Config); ok {
			x.Rounds, x.MaxDepth = 20, 3
		}
	}
	if err := r.Complete(c); err != nil {
		t.Fatal(err)
	}
	return r
}

var errSeen = errors.New("seen")

// prepared runs a recipe up to its leak check and calls look there.
func prepared(t testing.TB, c *factory.Catalogue, rec recipe.Recipe, look func(ctx context.Context, p factory.Prepared)) {
	t.Helper()
	s, err := store.OpenScratch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := false
	res, err := newFactory(t, c).Run(t.Context(), rec, factory.Env{Store: s, Workers: 2, Audit: func(ctx context.Context, p factory.Prepared) (*factory.AuditResult, error) {
		look(ctx, p)
		seen = true
		return nil, errSeen
	}})
	if err == nil {
		t.Error(res.Close())
	}
	if !seen {
		t.Fatalf("the run never came to its leak check: %v", err)
	}
}
