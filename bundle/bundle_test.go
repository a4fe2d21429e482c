package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// trained is a finished run on a short generated market, made once.
type trained struct {
	f     *factory.Factory
	store *store.Store
	res   *factory.Result
}

func registries(f *factory.Factory) bundle.Registries {
	return bundle.Registries{Models: f.Catalogue.Models, Ensembles: f.Catalogue.Ensembles, Features: f.Catalogue.Features}
}

func smallRecipe(m recipe.Market) recipe.Recipe {
	r := factory.SmallPair(1)
	r.Markets = []recipe.Market{m}
	r.Features.Timeframes = []string{"5m", "15m", "1h"}
	r.Features.Families, r.Features.Drop = []string{"volatility", "volume", "session"}, nil
	r.Split.KFold.Embargo = param.Duration(12 * 3600 * 1e9)
	r.Split.WalkForward.FloorBars, r.Split.KFold.FloorBars = 20, 20
	r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 2, 2
	r.Random, r.Audit = 100, "off"
	return r
}

func run(t testing.TB, dir string, r recipe.Recipe) *trained {
	t.Helper()
	return runWith(t, dir, r)
}

// runWith runs a recipe with further learners.
func runWith(t testing.TB, dir string, r recipe.Recipe, entries ...model.Entry) *trained {
	t.Helper()
	c, err := factory.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := c.Models.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Complete(c); err != nil {
		t.Fatal(err)
	}
	f, err := factory.New(c, mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenScratch(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	res, err := f.Run(context.Background(), r, factory.Env{Store: s, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Close() })
	return &trained{f, s, res}
}

func generated(t testing.TB) *trained {
	cfg := synth.Default()
	cfg.Sessions = 60
	return run(t, t.TempDir(), smallRecipe(recipe.Market{Name: "small", Instrument: "SYNTH", Synth: &cfg, Read: ingest.Default()}))
}

// stream pushes a whole series, calling Advance after the bars for which tick
// says so, and collects the decisions.
func stream(t testing.TB, rt *bundle.Runtime, base *bar.Series, tick func(i int) bool) []bundle.Decision {
	t.Helper()
	var out []bundle.Decision
	advance := func(at int64) {
		ds, err := rt.Advance(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ds...)
	}
	var b bar.Bar
	last := int64(math.MinInt64)
	n := 0
	for i := range base.Arrivals() {
		base.At(i, &b)
		if b.Known > last && n > 0 && tick(n) {
			advance(last)
		}
		b.Session, b.Segment, b.Flags = -5, -6, 0 // a live bar says nothing of them
		if err := rt.Push(&b); err != nil {
			t.Fatal(err)
		}
		last = max(last, b.Known)
		n++
	}
	advance(last)
	return out
}

// parity compares streamed decisions with the run's predictions of a strategy in
// its last step.
func parity(t *testing.T, tr *trained, strategy string, tick func(i int) bool) {
	t.Helper()
	o := tr.res.Outcomes[0]
	b, err := tr.f.Bundle(tr.store, tr.res, o.Market, strategy, 0)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := b.Open(registries(tr.f))
	if err != nil {
		t.Fatal(err)
	}
	got := stream(t, rt, o.Base, tick)
	if len(got) != len(o.Decisions) {
		t.Errorf("%d decisions streamed, %d in the run", len(got), len(o.Decisions))
	}
	k := slices.IndexFunc(o.Strategy, func(s factory.Strategy) bool { return s.Name == strategy })
	p, err := frame.OpenIPC(o.Strategy[k].Predictions.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f := p.Frame()
	at := map[int64]bundle.Decision{}
	for _, d := range got {
		at[d.Time] = d
	}
	from, compared := o.Steps[len(o.Steps)-1].TestFrom, 0
	for i, when := range f.Time {
		if when < from {
			continue
		}
		d, ok := at[when]
		if !ok {
			t.Fatalf("no decision was streamed at %d", when)
		}
		for c, name := range []string{"p_short", "p_none", "p_long"} {
			if want := f.Column(name).Float64[i]; d.Calibrated[c] != want {
				t.Fatalf("decision %d at %d: streamed %s = %v, the run has %v", i, when, name, d.Calibrated[c], want)
			}
		}
		if want := f.Column("side").Int8[i]; d.Side != want {
			t.Fatalf("decision %d: streamed side %d, the run has %d", i, d.Side, want)
		}
		if want := f.Column("expected_net").Float64[i]; max(d.ExpectedLong, d.ExpectedShort) != want {
			t.Fatalf("decision %d: streamed expectation %v and %v, the run has %v", i, d.ExpectedLong, d.ExpectedShort, want)
		}
		compared++
	}
	if compared < 100 {
		t.Errorf("only %d decisions were compared", compared)
	}
	if b.Known >= from {
		t.Errorf("the bundle rests on what was known at %d, its window begins at %d", b.Known, from)
	}
}

func TestStreamEqualsBatch(t *testing.T) {
	tr := generated(t)
	for _, s := range tr.res.Outcomes[0].Strategy {
		t.Run(s.Name, func(t *testing.T) {
			parity(t, tr, s.Name, func(int) bool { return true })
		})
	}
	t.Run("clock that comes seldom", func(t *testing.T) {
		parity(t, tr, "stack", func(i int) bool { return i%7 == 0 })
	})
	t.Run("state", func(t *testing.T) { testState(t, tr) })
	t.Run("file", func(t *testing.T) { testFile(t, tr) })
	t.Run("allocations", func(t *testing.T) { testAllocates(t, tr) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, tr) })
}

// TestStreamEqualsBatchOnEvents is the same for a clock that a cusum filter thins,
// with both units of width.
func TestStreamEqualsBatchOnEvents(t *testing.T) {
	for _, width := range []string{label.ATR, label.Sigma} {
		if testing.Short() && width == label.Sigma {
			continue // the filter has a test of its own for both
		}
		cfg := synth.Default()
		cfg.Sessions = 120
		r := smallRecipe(recipe.Market{Name: "small", Instrument: "SYNTH", Synth: &cfg, Read: ingest.Default()})
		r.Clock.Events.Kind, r.Clock.Events.Multiple, r.Label.Width = label.CUSUMFilter, 0.7, width
		r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 100, 100
		r.Split.WalkForward.MinRows, r.Split.KFold.MinRows = 5, 5
		tr := run(t, t.TempDir(), r)
		all := 120 * 77
		if n := len(tr.res.Outcomes[0].Decisions); n < all/20 || n > 3*all/4 {
			t.Errorf("%s: %d of some %d decisions are events", width, n, all)
		}
		parity(t, tr, "stack", func(int) bool { return true })
		parity(t, tr, "stack", func(i int) bool { return i%7 == 0 })
		testState(t, tr)
	}
}

// testState moves a runtime in mid-stream.
func testState(t *testing.T, tr *trained) {
	o := tr.res.Outcomes[0]
	b, err := tr.f.Bundle(tr.store, tr.res, o.Market, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *bundle.Runtime {
		rt, err := b.Open(registries(tr.f))
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	every := func(int) bool { return true }
	for _, cut := range []int{1003, 4001, 12345} {
		whole := open()
		stream(t, whole, o.Base.Slice(0, cut), every)
		state, err := whole.State()
		if err != nil {
			t.Fatal(err)
		}
		moved := open()
		stream(t, moved, o.Base.Slice(0, 77), every) // something to be replaced
		damaged := bytes.Clone(state)
		damaged[len(damaged)/2] ^= 1
		if err := moved.Restore(damaged); !errors.Is(err, model.ErrDamaged) {
			t.Errorf("a damaged state gave %v", err)
		}
		if err := moved.Restore(state); err != nil {
			t.Fatal(err)
		}
		again, err := moved.State()
		if err != nil || !bytes.Equal(state, again) {
			t.Errorf("the state changed by being restored: %v", err)
		}
		rest := o.Base.Slice(cut, min(cut+2000, o.Base.Len()))
		want, got := stream(t, whole, rest, every), stream(t, moved, rest, every)
		if len(want) == 0 || fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("after %d bars: %d decisions and %d, or they differ", cut, len(want), len(got))
		}
	}
	other := *b
	other.Rule.Threshold = 0.5
	rt, err := other.Open(registries(tr.f))
	if err != nil {
		t.Fatal(err)
	}
	state, err := open().State()
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Restore(state); err == nil {
		t.Error("the state of another bundle was taken")
	}
}

func testFile(t *testing.T, tr *trained) {
	b, err := tr.f.Bundle(tr.store, tr.res, "small", "stack", 0)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := b.Encode(&file); err != nil {
		t.Fatal(err)
	}
	read, err := bundle.Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := read.Encode(&again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("a bundle that was read is written differently")
	}
	for i := 0; i < file.Len(); i += 1 + file.Len()/200 {
		bad := bytes.Clone(file.Bytes())
		bad[i] ^= 0x10
		if _, err := bundle.Decode(bytes.NewReader(bad)); !errors.Is(err, model.ErrDamaged) {
			t.Fatalf("byte %d was changed: %v", i, err)
		}
	}
	for _, n := range []int{0, 10, file.Len() - 1} {
		if _, err := bundle.Decode(bytes.NewReader(file.Bytes()[:n])); !errors.Is(err, model.ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	other, err := tr.f.Bundle(tr.store, tr.res, "small", "stack", 1)
	if err != nil {
		t.Fatal(err)
	}
	d1, _ := b.Digest()
	d2, _ := other.Digest()
	if d1 == d2 || d1 == "" {
		t.Errorf("steps 1 and 2 have digests %q and %q", d2, d1)
	}
}

func testRefusals(t *testing.T, tr *trained) {
	o := tr.res.Outcomes[0]
	for _, tc := range []struct {
		name   string
		change func(b *bundle.Bundle)
	}{
		{"no model", func(b *bundle.Bundle) { b.Models = nil }},
		{"models out of order", func(b *bundle.Bundle) { slices.Reverse(b.Models) }},
		{"no calibrator", func(b *bundle.Bundle) { b.Calibrator = nil }},
		{"no combiner", func(b *bundle.Bundle) { b.Combiner = nil }},
		{"events", func(b *bundle.Bundle) { b.Events.Kind = "sometimes" }},
		{"clock", func(b *bundle.Bundle) { b.Clock = 7 }},
		{"unknown learner", func(b *bundle.Bundle) { b.Models[0].Use = "oracle" }},
		{"unknown ensemble", func(b *bundle.Bundle) { b.Ensemble = "oracle" }},
		{"unknown column", func(b *bundle.Bundle) { b.Models[0].Columns = []string{"future@5m"} }},
		{"damaged model", func(b *bundle.Bundle) { b.Models[0].Body = b.Models[0].Body[1:] }},
		{"another model's place", func(b *bundle.Bundle) { b.Models[0].Name = "aaa" }},
		{"no features", func(b *bundle.Bundle) { b.Set.Frames = nil }},
	} {
		b, err := tr.f.Bundle(tr.store, tr.res, o.Market, "stack", 0)
		if err != nil {
			t.Fatal(err)
		}
		tc.change(b)
		if _, err := b.Open(registries(tr.f)); err == nil {
			t.Errorf("%s: opened", tc.name)
		}
	}
	for _, tc := range []struct {
		market, strategy string
		step             int
	}{{"moon", "stack", 0}, {o.Market, "oracle", 0}, {o.Market, "stack", 9}, {o.Market, "stack", -1}} {
		if _, err := tr.f.Bundle(tr.store, tr.res, tc.market, tc.strategy, tc.step); err == nil {
			t.Errorf("%v: made", tc)
		}
	}
	open := func() *bundle.Runtime {
		b, err := tr.f.Bundle(tr.store, tr.res, o.Market, "stack", 0)
		if err != nil {
			t.Fatal(err)
		}
		rt, err := b.Open(registries(tr.f))
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	var b bar.Bar
	o.Base.At(5, &b)
	rt := open()
	if _, err := rt.Advance(t.Context(), b.Known); err != nil {
		t.Fatal(err)
	}
	if err := rt.Push(&b); err == nil {
		t.Error("a bar that the clock had passed was taken")
	}
	if _, err := rt.State(); err == nil {
		t.Error("a stopped runtime gave a state")
	}
	rt = open()
	if _, err := rt.Advance(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := rt.Advance(t.Context(), 99); err == nil {
		t.Error("the clock went back")
	}
}

// TestStreamEqualsBatchOnWindows: models that look at windows of one or several
// timeframes, at a table beside them and at the scheduled future see the same bits
// in a stream as in the run, alone and combined.
func TestStreamEqualsBatchOnWindows(t *testing.T) {
	cfg := synth.Default()
	cfg.Sessions = 60
	r := smallRecipe(recipe.Market{Name: "small", Instrument: "SYNTH", Synth: &cfg, Read: ingest.Default()})
	net := nn.DefaultLSTM()
	net.Hidden, net.Epochs, net.Patience = 4, 1, 0
	r.Models = []recipe.Model{
		{Use: "logistic"},
		{Use: "lstm", Config: &net, Route: recipe.Route{Window: 12, Families: []string{"volume", "session"}}},
		{Use: "window_witness", Route: recipe.Route{Timeframes: []string{"15m"}, Window: 100}},
		{Use: "stream_witness", Route: recipe.Route{Window: 7, Ahead: 3}},
		{Name: "some_streams", Use: "stream_witness", Route: recipe.Route{Timeframes: []string{"5m", "15m"}, Window: 7, Static: []string{"5m"}}},
		{Name: "no_table", Use: "stream_witness", Route: recipe.Route{Timeframes: []string{"15m"}, Window: 9, Static: []string{"none"}}},
	}
	tr := runWith(t, t.TempDir(), r, modeltest.Witness("window_witness", model.InputWindows, model.Abilities{}),
		modeltest.Witness("stream_witness", model.InputStreams, model.Abilities{Static: true, Known: true}))
	for _, s := range tr.res.Outcomes[0].Strategy {
		t.Run(s.Name, func(t *testing.T) {
			parity(t, tr, s.Name, func(int) bool { return true })
		})
	}
	parity(t, tr, "stack", func(i int) bool { return i%7 == 0 })
	testState(t, tr)
	b, err := tr.f.Bundle(tr.store, tr.res, "small", "some_streams", 0)
	if err != nil {
		t.Fatal(err)
	}
	m := b.Models[0]
	if len(m.Streams) != 2 || m.Streams[1].Timeframe != 15*bar.Minute || m.Streams[0].Length != 7 || len(m.Columns) == 0 || m.Known == nil || m.Known.Bars != r.Label.Horizon || m.Known.Timeframe != 5*bar.Minute {
		t.Errorf("the model looks at %+v", m.Inputs)
	}
	for _, c := range m.Columns {
		if !strings.HasSuffix(c, "@5m") {
			t.Errorf("column %s is in the table, which is of 5m", c)
		}
	}
	for what, change := range map[string]func(m *bundle.Model){
		"an unknown channel":           func(m *bundle.Model) { m.Streams[0].Channels[0] = "future@5m" },
		"a channel of another frame":   func(m *bundle.Model) { m.Streams[0].Channels[0] = m.Streams[1].Channels[0] },
		"a timeframe without features": func(m *bundle.Model) { m.Streams[0].Timeframe = 2 * bar.Hour },
		"windows of no bars":           func(m *bundle.Model) { m.Streams[0].Length = 0 },
		"windows without channels":     func(m *bundle.Model) { m.Streams[0].Channels = nil },
		"no bars to come":              func(m *bundle.Model) { m.Known.Bars = 0 },
		"nothing to look at":           func(m *bundle.Model) { m.Inputs = bundle.Inputs{} },
	} {
		b, err := tr.f.Bundle(tr.store, tr.res, "small", "some_streams", 0)
		if err != nil {
			t.Fatal(err)
		}
		change(&b.Models[0])
		if _, err := b.Open(registries(tr.f)); err == nil {
			t.Errorf("%s: opened", what)
		}
	}
}
