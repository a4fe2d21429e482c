package factory_test

import (
	"context"
	"testing"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

func catalogue(t testing.TB) *factory.Catalogue {
	t.Helper()
	c, err := factory.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newFactory(t testing.TB) *factory.Factory {
	t.Helper()
	f, err := factory.New(catalogue(t), mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tiny is one market of the small pair, short enough for a run in about a
// second: few sessions, with floors, embargo and losses to match.
func tiny(t testing.TB, market string, seed uint64, sessions int) recipe.Recipe {
	t.Helper()
	r := factory.SmallPair(seed)
	for _, m := range r.Markets {
		if m.Name == market {
			m.Synth.Sessions = sessions
			m.Read = ingest.Default()
			r.Markets = []recipe.Market{m}
		}
	}
	r.Split.KFold.Embargo = param.Duration(12 * 3600 * 1e9)
	r.Split.WalkForward.FloorBars, r.Split.KFold.FloorBars = 30, 30
	r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 1, 1
	r.Random = 100
	r.Judge.BootstrapDraws = 100
	for i := range r.Models {
		if c, ok := r.Models[i].Config.(*xgboost.Config); ok {
			small := *c
			small.Rounds = 60
			r.Models[i].Config = &small
		}
	}
	return complete(t, r)
}

func complete(t testing.TB, r recipe.Recipe) recipe.Recipe {
	t.Helper()
	if err := r.Complete(catalogue(t)); err != nil {
		t.Fatal(err)
	}
	if err := param.Validate(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.OpenScratch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// run runs a recipe in a store; the result is closed at the end of the test.
func run(t testing.TB, s *store.Store, r recipe.Recipe, env factory.Env) *factory.Result {
	t.Helper()
	res, err := tryRun(t, s, r, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := res.Close(); err != nil {
			t.Error(err)
		}
	})
	return res
}

func tryRun(t testing.TB, s *store.Store, r recipe.Recipe, env factory.Env) (*factory.Result, error) {
	t.Helper()
	env.Store = s
	if env.Workers == 0 {
		env.Workers = 2
	}
	return newFactory(t).Run(context.Background(), r, env)
}

// digests lists the outputs of all stages of a run: node, output, identity.
func digests(res *factory.Result) map[string]string {
	out := map[string]string{}
	for _, rep := range res.Reports {
		for _, n := range rep.Nodes {
			for _, o := range n.Outputs {
				out[n.Name+" "+o.Name] = o.Identity()
			}
		}
	}
	return out
}

// ran lists the kinds of the stages that were computed, each once, in order.
func ran(res *factory.Result) (kinds []string, stages int) {
	seen := map[string]bool{}
	for _, rep := range res.Reports {
		for _, n := range rep.Nodes {
			if n.Status != store.StageRan {
				continue
			}
			stages++
			if !seen[n.Kind] {
				seen[n.Kind] = true
				kinds = append(kinds, n.Kind)
			}
		}
	}
	return kinds, stages
}
