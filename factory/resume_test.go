package factory_test

import (
	"context"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// states lists what unfinished stages keep.
func states(t *testing.T, s *store.Store) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.Dir(), "states", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestRunGoesOnInsideAFit: a run that is stopped while a network is fitted goes on
// from the epoch that it had reached, ends with the outputs of one that was never
// stopped, and leaves no state behind.
func TestRunGoesOnInsideAFit(t *testing.T) {
	net := nn.DefaultLSTM()
	net.Hidden, net.Epochs, net.Patience = 4, 9, 0 // a state is kept after the fifth epoch
	r := tiny(t, "planted", 3, 80)
	r.Models = []recipe.Model{{Use: "lstm", Config: &net, Route: recipe.Route{Window: 8}}}
	r.Ensembles, r.Candidate, r.Audit = nil, "lstm", "off"
	r = complete(t, r)

	whole := run(t, openStore(t), r, factory.Env{Until: factory.ToSkill, Workers: 1})
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	env := factory.Env{Store: s, Until: factory.ToSkill, Workers: 1}
	env.Progress = func(e flow.Event) {
		if e.Kind == "fit" && e.State == flow.Progress && e.Done >= 7 {
			cancel()
		}
	}
	if res, err := newFactory(t).Run(ctx, r, env); err == nil {
		t.Fatal("the run was not stopped", res.Close())
	}
	if got := states(t, s); len(got) != 1 {
		t.Fatalf("the stopped fit keeps %v, want one state", got)
	}
	var mu sync.Mutex
	first := int64(-1) // epoch that the first fit begins with
	env.Progress = func(e flow.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == "fit" && e.State == flow.Progress && first < 0 {
			first = e.Done
		}
	}
	again := run(t, s, r, env)
	if first < 5 {
		t.Errorf("the fit that was stopped after 7 epochs first tells of epoch %d", first)
	}
	if !maps.Equal(digests(whole), digests(again)) {
		t.Error("the run that was stopped has other outputs")
	}
	if got := states(t, s); len(got) != 0 {
		t.Errorf("states are left: %v", got)
	}
}
