package audit_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// replaceFeature puts another constructor in the place of a feature's.
func replaceFeature(t testing.TB, name string, with func() feature.Kernel) func(*factory.Catalogue) {
	return func(c *factory.Catalogue) {
		honest := c.Features
		c.Features = &feature.Registry{}
		for _, e := range honest.Entries() {
			if e.Name == name {
				e.Default = func() any { return &struct{}{} }
				e.New = func(any, feature.Env) (feature.Kernel, error) { return with(), nil }
			}
			if err := c.Features.Add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// scaled is the close standardised by mean and deviation of the whole history: a
// scaler that was fitted on all rows, before they were divided.
type scaled struct{}

func (scaled) Names() []string         { return []string{"scaled"} }
func (scaled) First() int              { return 1 }
func (scaled) Memory() int             { return 1 }
func (scaled) Reset()                  {}
func (scaled) State(dst []byte) []byte { return append(dst, "scaled"...) }
func (scaled) Restore(src []byte) error {
	if string(src) != "scaled" {
		return errors.New("not a state of scaled")
	}
	return nil
}
func (scaled) Push(b *bar.Bar, out []float64) { out[0] = 0 } // live, nobody knows them
func (scaled) PushBlock(s *bar.Series, lo, hi int, out [][]float64) {
	sum, squares := 0.0, 0.0
	for _, x := range s.Close {
		sum += x
		squares += x * x
	}
	mean := sum / float64(s.Len())
	dev := math.Sqrt(squares/float64(s.Len()) - mean*mean)
	for i := lo; i < hi; i++ {
		out[0][i-lo] = (s.Close[i] - mean) / dev
	}
}

// sharedScaler is logistic regression behind a scaler that all fits of a run
// share and that each fit goes on fitting: rows of one fold end up in the scaler
// of every other.
type sharedScaler struct {
	model.Learner
	mu   *sync.Mutex
	seen *[2]float64 // sum and number of the first column's values, over all fits
}

func (l sharedScaler) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	l.mu.Lock()
	for _, x := range train.Table.Col(0) {
		if x == x {
			l.seen[0] += float64(x)
			l.seen[1]++
		}
	}
	mean := l.seen[0] / l.seen[1]
	l.mu.Unlock()
	shifted := train
	shifted.Table = train.Table.Columns(all(train.Table.P))
	for i, x := range shifted.Table.Col(0) {
		shifted.Table.Col(0)[i] = x * float32(1+mean)
	}
	return l.Learner.Fit(ctx, env, shifted, stop)
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func withSharedScaler(t testing.TB) func(*factory.Catalogue) {
	return func(c *factory.Catalogue) {
		honest, mu, seen := c.Models, &sync.Mutex{}, &[2]float64{}
		c.Models = &model.Registry{}
		for _, e := range honest.Entries() {
			if e.Name == "logistic" {
				make := e.New
				e.New = func(cfg any) (model.Learner, error) {
					l, err := make(cfg)
					return sharedScaler{l, mu, seen}, err
				}
			}
			if err := c.Models.Add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// unpurged lets every row before the test block of a walk-forward train, stop and
// calibrate, whatever it waits for.
type unpurged struct{ split.Splitter }

func (u unpurged) Split(spans []view.Span) ([]split.Fold, error) {
	folds, err := u.Splitter.Split(spans)
	for k := range folds {
		f := &folds[k]
		last := 0
		for _, part := range [][]int{f.Train, f.Stop, f.Calib} {
			for _, i := range part {
				last = max(last, i)
			}
		}
		for i := last + 1; i < f.Test[0]; i++ {
			f.Train = append(f.Train, i) // purged by the honest splitter
		}
	}
	return folds, err
}

func unpurgedWalkForward(c *factory.Catalogue) {
	c.Splitter = func(s split.Splitter) split.Splitter {
		if _, ok := s.(split.WalkForward); ok {
			return unpurged{s}
		}
		return s
	}
}

func withoutEmbargo(c *factory.Catalogue) {
	c.Splitter = func(s split.Splitter) split.Splitter {
		if k, ok := s.(split.PurgedKFold); ok {
			k.Embargo, k.FloorBars = 0, 0
			return k
		}
		return s
	}
}

// smuggler is the logistic stack fed with the out-of-fold predictions of the
// k-fold, which it keeps when it is asked to diagnose them.
type smuggler struct {
	ensemble.Method
	mu    *sync.Mutex
	kfold **ensemble.OOF
	how   string
}

func (m smuggler) Fit(ctx context.Context, env model.Env, bases []string, oof *ensemble.OOF, use ensemble.Provenance) (ensemble.Combiner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if use.Use == ensemble.KFold {
		*m.kfold = oof
		return m.Method.Fit(ctx, env, bases, oof, use)
	}
	if *m.kfold == nil {
		return m.Method.Fit(ctx, env, bases, oof, use)
	}
	stolen := **m.kfold
	switch m.how {
	case "openly":
	case "under a false name":
		stolen.Provenance = use
	case "without asking":
		use = stolen.Provenance
	}
	return m.Method.Fit(ctx, env, bases, &stolen, use)
}

func withSmuggler(t testing.TB, how string, kfold **ensemble.OOF) func(*factory.Catalogue) {
	return func(c *factory.Catalogue) {
		honest, mu := c.Ensembles, &sync.Mutex{}
		c.Ensembles = &ensemble.Registry{}
		for _, e := range honest.Entries() {
			if e.Name == "stack_logistic" {
				make := e.New
				e.New = func(cfg any) (ensemble.Method, error) {
					m, err := make(cfg)
					return smuggler{m, mu, kfold, how}, err
				}
			}
			if err := c.Ensembles.Add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// accused runs checks on a factory with a planted leak and returns what is
// accused, check by check.
func accused(t *testing.T, change func(*factory.Catalogue), checks ...string) map[string][]factory.AuditCulprit {
	t.Helper()
	return accusedIn(t, change, func(*recipe.Recipe) {}, checks...)
}

func accusedIn(t *testing.T, change func(*factory.Catalogue), edit func(*recipe.Recipe), checks ...string) map[string][]factory.AuditCulprit {
	t.Helper()
	c := newCatalogue(t, change)
	rec := small(t, c)
	edit(&rec)
	reports, err := audit.Full(t.Context(), newFactory(t, c), rec, audit.Only(audit.Options{Dir: t.TempDir()}, checks...))
	if err != nil {
		t.Fatal(err)
	}
	if reports[0].OK {
		t.Error("the planted leak was not found")
	}
	out := map[string][]factory.AuditCulprit{}
	for _, c := range reports[0].Checks {
		name, _, _ := strings.Cut(c.Name, ":")
		out[name] = append(out[name], c.Culprits...)
		if c.OK != (len(c.Culprits) == 0) {
			t.Errorf("check %s: ok %v with %d culprits", c.Name, c.OK, len(c.Culprits))
		}
		for _, x := range c.Culprits[:min(3, len(c.Culprits))] {
			t.Logf("%s: %s %s: %s", c.Name, x.Stage, x.Name, x.Detail)
		}
	}
	return out
}

func named(list []factory.AuditCulprit, stage, name string) bool {
	for _, c := range list {
		if c.Stage == stage && strings.HasPrefix(c.Name, name) {
			return true
		}
	}
	return false
}

func TestPlantedKernel(t *testing.T) {
	t.Parallel()
	got := accused(t, leakyFeature(t, "illiquidity"), "future1", "stream")
	f := got["future"]
	if len(f) == 0 || f[0].Stage != "features" || !strings.HasPrefix(f[0].Name, "leaky@") {
		t.Errorf("the first culprit is not the kernel: %+v", f)
	}
	if len(got["stream"]) == 0 {
		t.Error("live it has nothing to read ahead in, and the stream equals the run?")
	}
}

func TestPlantedScaler(t *testing.T) {
	t.Parallel()
	t.Run("of a feature over all bars", func(t *testing.T) {
		change := replaceFeature(t, "illiquidity", func() feature.Kernel { return scaled{} })
		f := accused(t, change, "future3")["future"]
		if len(f) == 0 || f[0].Stage != "features" || !strings.HasPrefix(f[0].Name, "scaled@") {
			t.Errorf("the first culprit is not the scaler: %+v", f)
		}
		c := newCatalogue(t, change)
		prepared(t, c, small(t, c), func(ctx context.Context, p factory.Prepared) {
			res, err := audit.Quick(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if res.OK || !named(res.Culprits, "features", "scaled@") {
				t.Errorf("the quick check does not name it: %+v", res.Culprits)
			}
		})
	})
	t.Run("shared by all fits", func(t *testing.T) {
		got := accused(t, withSharedScaler(t), "rows", "workers")
		if !named(got["workers"], "workers", "fit/logistic/") || named(got["workers"], "workers", "fit/xgboost/") {
			t.Errorf("workers: %+v", got["workers"])
		}
		if !named(got["rows"], "rows", "logistic/") || named(got["rows"], "rows", "xgboost/") {
			t.Errorf("not the logistic regression alone is named: %+v", got["rows"])
		}
	})
}

func TestPlantedSplitter(t *testing.T) {
	t.Parallel()
	t.Run("unpurged walk-forward", func(t *testing.T) {
		// An ensemble refuses such rows itself.
		if got := accused(t, unpurgedWalkForward, "folds")["run"]; !named(got, "folds", "combine/") || !strings.Contains(got[0].Detail, "at or after the test start") {
			t.Errorf("run: %+v", got)
		}
		// Without one nobody but the audit looks.
		got := accusedIn(t, unpurgedWalkForward, func(r *recipe.Recipe) { r.Ensembles, r.Candidate = nil, "xgboost" }, "folds", "future1", "rows")
		if !named(got["folds"], "folds", "wf1") || !named(got["folds"], "folds", "wf2") || named(got["folds"], "folds", "kfold") {
			t.Errorf("folds: %+v", got["folds"])
		}
		if !named(got["rows"], "rows", "xgboost/wf2/final") || named(got["rows"], "rows", "xgboost/kfold1") {
			t.Errorf("rows: %+v", got["rows"])
		}
		if !named(got["future"], "fit", "xgboost/wf2/final") || !named(got["future"], "weights", "wf2") {
			t.Errorf("future: %+v", got["future"])
		}
		if named(got["future"], "features", "") || named(got["future"], "ingest", "") {
			t.Errorf("honest stages are accused: %+v", got["future"])
		}
	})
	t.Run("k-fold without embargo", func(t *testing.T) {
		got := accused(t, withoutEmbargo, "folds", "rows")
		if !named(got["folds"], "folds", "kfold1") || !named(got["rows"], "rows", "xgboost/kfold1") {
			t.Errorf("folds: %+v, rows: %+v", got["folds"], got["rows"])
		}
	})
}

func TestPlantedOutOfFold(t *testing.T) {
	t.Parallel()
	var kfold *ensemble.OOF
	accuse := func(how string) map[string][]factory.AuditCulprit {
		return accused(t, withSmuggler(t, how, &kfold), "provenance")
	}
	// The first audit meets an honest walk-forward and fills the pocket.
	c := newCatalogue(t, withSmuggler(t, "openly", &kfold))
	if _, err := audit.Full(t.Context(), newFactory(t, c), small(t, c), audit.Only(audit.Options{Dir: t.TempDir()}, "folds")); err != nil || kfold == nil {
		t.Fatalf("no out-of-fold predictions of the k-fold came by: %v", err)
	}
	for _, how := range []string{"openly", "under a false name"} {
		t.Run(how, func(t *testing.T) {
			got := accuse(how)["run"]
			if len(got) != 1 || !strings.HasPrefix(got[0].Name, "combine/stack/wf") {
				t.Fatalf("not the stack is named: %+v", got)
			}
			if how == "openly" && got[0].Stage != "provenance" {
				t.Errorf("not its provenance is named: %+v", got)
			}
			if how != "openly" && !strings.Contains(got[0].Detail, "row") {
				t.Errorf("no row is named: %+v", got)
			}
		})
	}
	t.Run("without asking", func(t *testing.T) {
		got := accuse("without asking")["provenance"]
		if !named(got, "provenance", "stack wf1") {
			t.Errorf("the stack is not named: %+v", got)
		}
	})
}
