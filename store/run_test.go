package store_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/store"
)

// save records a result with one output of that content.
func save(t *testing.T, s *store.Store, a *store.Attempt, key, name, params, content string, inputs ...string) store.Output {
	t.Helper()
	o := put(t, s, "out.bin", content)
	if _, err := s.SaveResult(t.Context(), store.Result{Key: key, Name: name, Kind: "k", Code: "1", Params: params, Inputs: inputs, Outputs: []store.Output{o}}, a); err != nil {
		t.Fatal(err)
	}
	return o
}

func begin(t *testing.T, s *store.Store, id, recipe string, labels ...store.Label) *store.Attempt {
	t.Helper()
	a, err := s.BeginRun(t.Context(), id, []byte(recipe), labels...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Finish(context.Background(), nil); err != nil {
			t.Error(err)
		}
	})
	return a
}

func finish(t *testing.T, a *store.Attempt, cause error) {
	t.Helper()
	if err := a.Finish(t.Context(), cause); err != nil {
		t.Fatal(err)
	}
}

func readRun(t *testing.T, s *store.Store, id string) store.Run {
	t.Helper()
	r, err := s.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResult(t *testing.T) {
	s := open(t, t.TempDir())
	if _, ok, err := s.Ready(t.Context(), "k1"); ok || err != nil {
		t.Fatalf("an unknown key is ready: %v", err)
	}
	if _, err := s.Result(t.Context(), "k1"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	o := save(t, s, nil, "k1", "bars", "{}", "1")
	save(t, s, nil, "k2", "fit", `{"a":1}`, "2", "k1", "k1")
	save(t, s, nil, "j3", "stack", "{}", "3", "k2", "k1")
	r, err := s.Result(t.Context(), "k2")
	if err != nil || r.Name != "fit" || r.Params != `{"a":1}` || !slices.Equal(r.Inputs, []string{"k1", "k1"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := s.Result(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "several") {
		t.Errorf("ambiguous: %v", err)
	}
	if r, err := s.Result(t.Context(), "j"); err != nil || r.Key != "j3" {
		t.Errorf("by its beginning: %+v, %v", r, err)
	}
	line, err := s.Lineage(t.Context(), "j3")
	var names []string
	for _, r := range line {
		names = append(names, r.Name)
	}
	if err != nil || !slices.Equal(names, []string{"bars", "fit", "stack"}) {
		t.Errorf("lineage %v, %v", names, err)
	}

	// Saving again is no change, other outputs are one, and replace the old.
	same := store.Result{Key: "k1", Name: "bars", Kind: "k", Code: "1", Params: "{}", Outputs: []store.Output{o}}
	if changed, err := s.SaveResult(t.Context(), same, nil); changed || err != nil {
		t.Errorf("changed %v, %v", changed, err)
	}
	same.Outputs = []store.Output{put(t, s, "out.bin", "other")}
	if changed, err := s.SaveResult(t.Context(), same, nil); !changed || err != nil {
		t.Errorf("changed %v, %v", changed, err)
	}
	if outs, ok, err := s.Ready(t.Context(), "k1"); !ok || err != nil || outs[0].Digest == o.Digest {
		t.Errorf("%v, %v, %v", outs, ok, err)
	}
	for _, bad := range [][]store.Output{nil, {{Name: "x", Digest: "1"}}, {o, o}, {{Digest: o.Digest}}} {
		if _, err := s.SaveResult(t.Context(), store.Result{Key: "k9", Outputs: bad}, nil); err == nil {
			t.Errorf("outputs %v were taken", bad)
		}
	}
}

func TestRuns(t *testing.T) {
	s := open(t, t.TempDir())
	a := begin(t, s, "r1", "recipe", store.Label{Name: "who", Value: "me"})
	save(t, s, a, "k1", "bars", "{}", "1")
	if err := a.Use(t.Context(), []store.Use{{Name: "labels", Key: "k0", Status: store.StageCached}}); err != nil {
		t.Fatal(err)
	}
	if st := readRun(t, s, "r1").Last().Status; st != store.Running {
		t.Errorf("while it runs: %s", st)
	}
	if err := s.RemoveRun(t.Context(), "r1"); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing it while it runs: %v", err)
	}
	finish(t, a, errors.New("boom"))
	finish(t, a, nil) // does nothing
	a = begin(t, s, "r1", "recipe")
	finish(t, a, nil)
	if _, err := s.BeginRun(t.Context(), "r1", []byte("another recipe")); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another recipe under the same id: %v", err)
	}
	if _, err := s.BeginRun(t.Context(), "a/b", nil); err == nil {
		t.Error("a path was taken as id")
	}
	r := readRun(t, s, "r") // by its beginning
	if len(r.Attempts) != 2 || r.Attempts[0].Status != store.Failed || r.Attempts[0].Error != "boom" || r.Last().Status != store.Done || string(r.Recipe) != "recipe" {
		t.Errorf("%+v", r)
	}
	if got := r.Attempts[0].Stages; len(got) != 2 || got[0].Name != "bars" || got[0].Status != store.StageRan || got[1].Status != store.StageCached {
		t.Errorf("stages %+v", got)
	}
	if err := s.SetLabel(t.Context(), "r1", store.Label{Name: "mark", Value: "good"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetLabel(t.Context(), "r1", store.Label{Name: "who"}); err != nil {
		t.Fatal(err)
	}
	begin(t, s, "q2", "x")
	runs, err := s.Runs(t.Context())
	if err != nil || len(runs) != 2 || runs[0].ID != "q2" || !slices.Equal(runs[1].Labels, []store.Label{{Name: "mark", Value: "good"}}) {
		t.Errorf("%+v, %v", runs, err)
	}
	if err := s.RemoveRun(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), "r1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after removal: %v", err)
	}
}

func TestRuns_Interrupted(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.BeginRun(t.Context(), "r1", nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Abandon() // as its death would
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if st := readRun(t, s, "r1").Last().Status; st != store.Interrupted {
		t.Errorf("status %s", st)
	}
	if err := s.RemoveRun(t.Context(), "r1"); err != nil {
		t.Errorf("an interrupted run cannot be removed: %v", err)
	}
}

func TestDiffRuns(t *testing.T) {
	s := open(t, t.TempDir())
	a := begin(t, s, "a", "1")
	save(t, s, a, "k1", "bars", "{}", "1")
	save(t, s, a, "k2", "fit", `{"depth":3}`, "2", "k1")
	save(t, s, a, "k3", "labels", "{}", "3", "k1")
	save(t, s, a, "k4", "only a", "{}", "4")
	b := begin(t, s, "b", "2")
	if err := b.Use(t.Context(), []store.Use{{Name: "bars", Key: "k1", Status: store.StageCached}}); err != nil {
		t.Fatal(err)
	}
	save(t, s, b, "k5", "fit", `{"depth":4}`, "5", "k1")
	save(t, s, b, "k6", "labels", "{}", "3", "k1")
	save(t, s, b, "k7", "only b", "{}", "4")
	d, err := s.DiffRuns(t.Context(), "a", "b")
	want := []store.StageDiff{
		{Name: "fit", KeyA: "k2", KeyB: "k5", ParamsA: `{"depth":3}`, ParamsB: `{"depth":4}`},
		{Name: "labels", KeyA: "k3", KeyB: "k6", SameOutputs: true},
		{Name: "only a", KeyA: "k4"},
		{Name: "only b", KeyB: "k7"},
	}
	if err != nil || d.Same != 1 || d.SameRecipe || !slices.Equal(d.Stages, want) {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := s.DiffRuns(t.Context(), "a", "a"); err != nil || !d.SameRecipe || d.Same != 4 || len(d.Stages) != 0 {
		t.Errorf("with itself: %+v, %v", d, err)
	}
	if _, err := s.DiffRuns(t.Context(), "a", "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestGC(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := begin(t, s, "r1", "1")
	kept := save(t, s, a, "k1", "bars", "{}", "kept")
	shared := save(t, s, a, "k2", "fit", "{}", "shared")
	loose := save(t, s, nil, "k3", "fit", "{}", "loose")
	save(t, s, nil, "k4", "fit", "{}", "shared")
	pinned := put(t, s, "model", "pinned")
	orphan := put(t, s, "x", "orphan!")
	if err := s.Pin(t.Context(), "production", pinned); err != nil {
		t.Fatal(err)
	}

	if _, err := s.GC(t.Context(), true); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("while a run is at work: %v", err)
	}
	if _, err := open(t, dir).GC(t.Context(), false); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("from another process, while a run is at work: %v", err)
	}
	finish(t, a, nil)

	if err := os.WriteFile(dir+"/tmp/put-dead", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{loose.Digest, orphan.Digest}
	slices.Sort(want)
	for _, dry := range []bool{true, false} {
		g, err := s.GC(t.Context(), dry)
		if err != nil || g.Stages != 2 || !slices.Equal(g.Objects, want) || g.Bytes != int64(len("loose")+len("orphan!")+len("half")) {
			t.Fatalf("dry %v: %+v, %v", dry, g, err)
		}
	}
	if g, err := s.GC(t.Context(), false); err != nil || g.Stages != 0 || g.Objects != nil || g.Bytes != 0 {
		t.Errorf("again: %+v, %v", g, err)
	}
	for _, o := range []store.Output{kept, shared, pinned} {
		object(t, s, o)
	}
	if _, ok, err := s.Ready(t.Context(), "k1"); !ok || err != nil {
		t.Errorf("a used result went: %v", err)
	}
	if _, ok, err := s.Ready(t.Context(), "k3"); ok || err != nil {
		t.Errorf("an unused result stayed: %v", err)
	}
	if err := errors.Join(s.Unpin(t.Context(), "production"), s.RemoveRun(t.Context(), "r1")); err != nil {
		t.Fatal(err)
	}
	if g, err := s.GC(t.Context(), false); err != nil || len(g.Objects) != 3 || len(files(t, s, "objects")) != 0 {
		t.Errorf("after removing the run: %+v, %v", g, err)
	}
}

func TestVerify(t *testing.T) {
	s := open(t, t.TempDir())
	sound := save(t, s, nil, "k1", "bars", "{}", "sound")
	bad := save(t, s, nil, "k2", "features", "{}", "damaged")
	save(t, s, nil, "k3", "features again", "{}", "damaged")
	gone := save(t, s, nil, "k4", "labels", "{}", "missing")
	loose := put(t, s, "x", "nobody's")
	if problems, err := s.Verify(t.Context(), false); err != nil || problems != nil {
		t.Fatalf("a sound folder: %+v, %v", problems, err)
	}
	overwrite(t, object(t, s, bad), "DAMAGED")
	overwrite(t, object(t, s, loose), "short")
	if err := os.Remove(object(t, s, gone).Path()); err != nil {
		t.Fatal(err)
	}
	for _, forget := range []bool{false, true} {
		problems, err := s.Verify(t.Context(), forget)
		if err != nil || len(problems) != 3 || !slices.IsSortedFunc(problems, func(a, b store.Problem) int { return strings.Compare(a.Digest, b.Digest) }) {
			t.Fatalf("%+v, %v", problems, err)
		}
		for _, p := range problems {
			want := map[string]store.Problem{
				bad.Digest:   {Kind: store.Damaged, Stages: []string{"features again: out.bin", "features: out.bin"}},
				loose.Digest: {Kind: store.Damaged},
				gone.Digest:  {Kind: store.Missing, Stages: []string{"labels: out.bin"}},
			}[p.Digest]
			if p.Kind != want.Kind || !sameNames(p.Stages, want.Stages) {
				t.Errorf("%+v, want %+v", p, want)
			}
		}
	}
	if problems, err := s.Verify(t.Context(), false); err != nil || problems != nil {
		t.Errorf("after forgetting: %+v, %v", problems, err)
	}
	for key, want := range map[string]bool{"k1": true, "k2": false, "k3": false, "k4": false} {
		if _, ok, err := s.Ready(t.Context(), key); ok != want || err != nil {
			t.Errorf("%s ready %v, %v", key, ok, err)
		}
	}
	object(t, s, sound)
}

func sameNames(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
