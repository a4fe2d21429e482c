package audit_test

import (
	"context"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/view"
)

// witness is a learner whose fits and predictions depend on every bit of their
// windows, of the table beside them and of the known future.
func witness() model.Entry {
	return modeltest.Witness("stream_witness", model.InputStreams, model.Abilities{Static: true, Known: true})
}

// withWindows is the small recipe on models that look at windows.
func withWindows(t testing.TB, c *factory.Catalogue) recipe.Recipe {
	r := small(t, c)
	net := nn.DefaultLSTM()
	net.Hidden, net.Epochs, net.Patience = 4, 1, 0
	r.Models = []recipe.Model{
		{Use: "lstm", Config: &net, Route: recipe.Route{Window: 12}},
		{Use: "stream_witness", Route: recipe.Route{Timeframes: []string{"5m", "15m"}, Window: 9}},
	}
	r.Ensembles = []recipe.Ensemble{{Name: "stack", Use: "stack_logistic"}}
	if err := r.Complete(c); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFullHonestOnWindows(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t, func(c *factory.Catalogue) {
		if err := c.Models.Add(witness()); err != nil {
			t.Fatal(err)
		}
	})
	reports, err := audit.Full(t.Context(), newFactory(t, c), withWindows(t, c), audit.Only(audit.Options{Dir: t.TempDir()}, "future2", "rows", "stream"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range reports[0].Checks {
		t.Log(k.Name, k.Compared)
		for _, x := range k.Culprits {
			t.Errorf("accused: %s %s: %s", x.Stage, x.Name, x.Detail)
		}
	}
	if got := len(reports[0].Checks); got != 5 {
		t.Errorf("%d checks were made", got)
	}
}

// peeking gives a learner windows that end one bar later: the bars are all in one
// matrix, and nothing but its word keeps a learner from reading on.
type peeking struct{ model.Learner }

func later(v view.View) view.View {
	v.Streams = slices.Clone(v.Streams)
	for k, w := range v.Streams {
		c := *w
		c.Last = slices.Clone(w.Last)
		for i, last := range c.Last {
			if last >= 0 && int(last)+1 < w.Bars() {
				c.Last[i]++
			}
		}
		v.Streams[k] = &c
	}
	return v
}

func (p peeking) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	f, err := p.Learner.Fit(ctx, env, later(train), stop)
	return peekingFitted{f}, err
}

type peekingFitted struct{ model.Fitted }

func (p peekingFitted) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	return p.Fitted.Predict(ctx, later(v), out)
}

func TestPlantedPeekingLearner(t *testing.T) {
	t.Parallel()
	e := witness()
	honest := e.New
	e.New = func(cfg any) (model.Learner, error) {
		l, err := honest(cfg)
		return peeking{l}, err
	}
	c := newCatalogue(t, func(c *factory.Catalogue) {
		if err := c.Models.Add(e); err != nil {
			t.Fatal(err)
		}
	})
	reports, err := audit.Full(t.Context(), newFactory(t, c), withWindows(t, c), audit.Only(audit.Options{Dir: t.TempDir()}, "future2", "stream"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]factory.AuditCulprit{}
	for _, k := range reports[0].Checks {
		for _, x := range k.Culprits {
			t.Logf("%s: %s %s: %s", k.Name, x.Stage, x.Name, x.Detail)
			got[x.Stage] = append(got[x.Stage], x)
		}
	}
	if !named(got["predictions"], "predictions", "stream_witness") || !named(got["stream"], "stream", "stream_witness") {
		t.Error("the learner that reads the bar after its window is not named")
	}
	if named(got["predictions"], "predictions", "lstm") || named(got["features"], "features", "") {
		t.Errorf("honest ones are accused: %+v", got)
	}
}
