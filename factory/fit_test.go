package factory

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/calibrate"
	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func newTestCatalogue(t testing.TB) *Catalogue {
	t.Helper()
	c, err := NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// toy is n decisions with three columns, the first of which tells the class, the
// last of which is mostly missing; spans last two decisions.
func toy(n int) (*view.Table, *label.Set) {
	r := rng.New(7).Rand()
	t := view.NewTable(n, []string{"good", "noise", "rare"})
	s := &label.Set{}
	for i := range n {
		c := r.IntN(3) - 1
		t.Col(0)[i] = float32(float64(c) + 0.8*r.NormFloat64())
		t.Col(1)[i] = float32(r.NormFloat64())
		t.Col(2)[i] = float32(math.NaN())
		if r.IntN(2) == 0 {
			t.Col(2)[i] = float32(r.NormFloat64())
		}
		d := int64(i) * 100
		s.Spans = append(s.Spans, view.Span{Decision: d, Entry: d + 10, Outcome: d + 150})
		s.Valid = append(s.Valid, i%17 != 3)
		s.Class = append(s.Class, int8(c))
		s.Long.Net = append(s.Long.Net, 0.01*float64(c)-0.001)
		s.Short.Net = append(s.Short.Net, -0.01*float64(c)-0.001)
	}
	return t, s
}

// between lists the labelled decisions in [lo, hi).
func between(s *label.Set, lo, hi int) rows {
	var out rows
	for i := lo; i < hi; i++ {
		if s.Valid[i] {
			out = append(out, i)
		}
	}
	return out
}

// cloneData copies a table and labels.
func cloneData(t *view.Table, s *label.Set) (*view.Table, *label.Set) {
	u := view.NewTable(t.N, t.Names)
	copy(u.Data, t.Data)
	c := *s
	c.Spans, c.Valid, c.Class = slices.Clone(s.Spans), slices.Clone(s.Valid), slices.Clone(s.Class)
	c.Long.Net, c.Short.Net = slices.Clone(s.Long.Net), slices.Clone(s.Short.Net)
	return u, &c
}

// spoil changes features, labels and spans of every decision that keep lacks.
func spoil(t *view.Table, s *label.Set, keep ...rows) {
	kept := map[int]bool{}
	for _, r := range keep {
		for _, d := range r {
			kept[d] = true
		}
	}
	for i := range s.Spans {
		if kept[i] {
			continue
		}
		for j := range t.P {
			t.Col(j)[i] = 1e6
		}
		s.Class[i] = -s.Class[i]
		s.Long.Net[i], s.Short.Net[i] = 9, 9
		s.Spans[i].Outcome += 5000
	}
}

func specOf(t testing.TB, cat *Catalogue, use string) fitSpec {
	t.Helper()
	c, err := cat.ModelConfig(use)
	if err != nil {
		t.Fatal(err)
	}
	return fitSpec{Use: use, Config: c, Inputs: bundle.Inputs{Columns: []string{"good", "noise", "rare"}}, MinValid: 0.8, Weights: label.DefaultWeights(), Seed: 1, Stream: use, Role: "wf1/final"}
}

func TestUsable(t *testing.T) {
	tab, s := toy(400)
	r := between(s, 0, 400)
	keep, dropped := usable(tab, []int{0, 1, 2}, r, 0.8)
	if !slices.Equal(keep, []int{0, 1}) || len(dropped) != 1 || dropped[0].Column != "rare" || !strings.Contains(dropped[0].Reason, "less than 80 %") {
		t.Errorf("kept %v, dropped %+v", keep, dropped)
	}
	n := 0
	for _, d := range r {
		if x := tab.Col(2)[d]; x == x {
			n++
		}
	}
	if want := float64(n) / float64(len(r)); dropped[0].Valid != want {
		t.Errorf("valid share %v, want %v", dropped[0].Valid, want)
	}
	if keep, _ := usable(tab, []int{2}, r, 0); !slices.Equal(keep, []int{2}) {
		t.Error("min_valid 0 drops a column that has values")
	}
	for i := range tab.N {
		tab.Col(2)[i] = float32(math.NaN())
	}
	if keep, _ := usable(tab, []int{2}, r, 0); keep != nil {
		t.Error("a column without any value is kept")
	}
}

// TestFitFold: a fit depends on its Train and Stop rows alone, thins and weighs
// them by their own spans, drops columns and no rows, and predicts any decision.
func TestFitFold(t *testing.T) {
	cat := newTestCatalogue(t)
	tab, s := toy(1200)
	f := fold{Train: between(s, 0, 700), Stop: between(s, 710, 800), Calib: between(s, 810, 900), Test: between(s, 910, 1200)}
	for _, use := range []string{"logistic", "xgboost"} {
		spec := specOf(t, cat, use)
		fit := func(tab *view.Table, s *label.Set) (*fitted, []byte) {
			m, err := fitFold(t.Context(), cat.Models, spec, &source{table: tab}, s, f, model.Env{Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := m.Encode(&b); err != nil {
				t.Fatal(err)
			}
			return m, b.Bytes()
		}
		m, want := fit(tab, s)
		other, labels := cloneData(tab, s)
		spoil(other, labels, f.Train, f.Stop)
		if _, got := fit(other, labels); !bytes.Equal(got, want) {
			t.Errorf("%s: rows outside of Train and Stop change the fit", use)
		}
		spoil(other, labels, f.Stop)
		if _, got := fit(other, labels); bytes.Equal(got, want) {
			t.Errorf("%s: the training rows do not change the fit; this test sees nothing", use)
		}
		if !slices.Equal(m.Inputs.Columns, []string{"good", "noise"}) || len(m.Info.Dropped) != 1 {
			t.Errorf("%s: columns %v, dropped %+v", use, m.Inputs.Columns, m.Info.Dropped)
		}
		if i := m.Info; i.Candidates != len(f.Train) || i.Rows > i.Candidates || i.Rows < i.Candidates/4 || !(i.EffectiveN > 0 && i.EffectiveN <= float64(i.Rows)) {
			t.Errorf("%s: %+v", use, i)
		}
		var all rows
		for d := range tab.N {
			all = append(all, d)
		}
		p, err := predictRows(t.Context(), m, &source{table: tab}, all)
		if err != nil || len(p.Row) != tab.N || len(p.Prob) != 3*tab.N {
			t.Fatalf("%s: %d predictions of %d decisions: %v", use, len(p.Row), tab.N, err)
		}
		hit := 0
		for _, d := range f.Test {
			q := p.Prob[3*d : 3*d+3]
			if k := slices.Index(q, slices.Max(q)); k == model.ClassIndex(s.Class[d]) {
				hit++
			}
		}
		if share := float64(hit) / float64(len(f.Test)); share < 0.55 { // a third by chance, 0.65 at best
			t.Errorf("%s: %.2f of the test rows are right", use, share)
		}
	}
	spec := specOf(t, cat, "logistic")
	spec.Inputs.Columns = []string{"rare"}
	if _, err := fitFold(t.Context(), cat.Models, spec, &source{table: tab}, s, f, model.Env{Workers: 1}); err == nil || !strings.Contains(err.Error(), "wf1/final: none of 1 columns") {
		t.Errorf("no usable column: %v", err)
	}
	spec.Inputs.Columns = []string{"absent"}
	if _, err := fitFold(t.Context(), cat.Models, spec, &source{table: tab}, s, f, model.Env{Workers: 1}); err == nil || !strings.Contains(err.Error(), `"absent"`) {
		t.Errorf("an unknown column: %v", err)
	}
	spec = specOf(t, cat, "logistic")
	for _, d := range f.Train {
		s.Class[d] = 0
	}
	if _, err := fitFold(t.Context(), cat.Models, spec, &source{table: tab}, s, f, model.Env{Workers: 1}); err == nil || !strings.Contains(err.Error(), "wf1/final") || !strings.Contains(err.Error(), "class") {
		t.Errorf("one class: %v", err)
	}
}

// TestCombineStep: a window has a calibrated probability of every decision,
// labelled or not; labels count from inner rows and Calib alone; out-of-fold
// predictions of the k-fold are refused.
func TestCombineStep(t *testing.T) {
	cat := newTestCatalogue(t)
	tab, s := toy(1200)
	st := &step{fold: fold{Train: between(s, 0, 700), Stop: between(s, 710, 800), Calib: between(s, 810, 900), Test: between(s, 910, 1200)}, Lo: 910, Hi: 1200}
	st.Inner = []fold{{Train: between(s, 360, 700), Test: between(s, 0, 350)}, {Train: between(s, 0, 345), Test: between(s, 350, 700)}}
	bases := []string{"logistic", "xgboost"}
	predict := func(use string, f fold, r rows) *probabilities {
		m, err := fitFold(t.Context(), cat.Models, specOf(t, cat, use), &source{table: tab}, s, f, model.Env{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		p, err := predictRows(t.Context(), m, &source{table: tab}, r)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var final []*probabilities
	inner := make([][]*probabilities, len(bases))
	for b, use := range bases {
		final = append(final, predict(use, st.fold, append(slices.Clone(st.Calib), st.window()...)))
		for _, f := range st.Inner {
			inner[b] = append(inner[b], predict(use, f, f.Test))
		}
	}
	c, err := cat.EnsembleConfig("stack_logistic")
	if err != nil {
		t.Fatal(err)
	}
	spec := combineSpec{Use: "stack_logistic", Config: c, Bases: bases, Seed: 1, Calib: *calibrate.DefaultConfig()}
	spec.Calib.MinRows = 10
	combineWith := func(s *label.Set, use ensemble.Provenance) (*combined, error) {
		oof, err := collectOOF(use, bases, s, st.Train, st.Inner, inner)
		if err != nil {
			return nil, err
		}
		return combineStep(t.Context(), cat.Ensembles, spec, s, st, oof, final, model.Env{Workers: 1})
	}
	walk := ensemble.Provenance{Use: ensemble.WalkForward, TestStart: s.Spans[st.Lo].Decision}
	want, err := combineWith(s, walk)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(want.window.Row, st.window()) || len(want.window.Prob) != 3*(st.Hi-st.Lo) {
		t.Errorf("%d decisions of the window are predicted, want %d", len(want.window.Row), st.Hi-st.Lo)
	}
	_, later := cloneData(tab, s)
	spoil(view.NewTable(tab.N, tab.Names), later, st.Train, st.Calib)
	later.Spans[st.Lo] = s.Spans[st.Lo]
	if got, err := combineWith(later, walk); err != nil || !slices.Equal(got.window.Prob, want.window.Prob) {
		t.Errorf("labels outside of Train and Calib change the window: %v", err)
	}
	_, moved := cloneData(tab, s)
	for _, d := range st.Calib {
		moved.Class[d] = -moved.Class[d]
	}
	if got, err := combineWith(moved, walk); err != nil || slices.Equal(got.window.Prob, want.window.Prob) {
		t.Errorf("labels of Calib do not change the window: %v", err)
	}
	var wrong *ensemble.ProvenanceError
	if _, err := combineWith(s, ensemble.Provenance{Use: ensemble.KFold}); !errors.As(err, &wrong) {
		t.Errorf("k-fold predictions were taken for the walk-forward: %v", err)
	}
	early := ensemble.Provenance{Use: ensemble.WalkForward, TestStart: s.Spans[500].Decision}
	if _, err := combineWith(s, early); err == nil {
		t.Error("rows that are known after the test start were taken")
	}
	short := final[0]
	final[0] = &probabilities{Row: short.Row[:len(short.Row)-1], Prob: short.Prob[:len(short.Prob)-3]}
	if _, err := combineWith(s, walk); err == nil || !strings.Contains(err.Error(), "base logistic") || !strings.Contains(err.Error(), "decision 1199") {
		t.Errorf("a missing prediction: %v", err)
	}
}

// TestMeasureSkill against the definition, row by row.
func TestMeasureSkill(t *testing.T) {
	cat := newTestCatalogue(t)
	_, s := toy(900)
	kf := []fold{
		{Train: between(s, 310, 900), Test: between(s, 0, 300)},
		{Train: append(between(s, 0, 290), between(s, 610, 900)...), Test: between(s, 300, 600)},
		{Train: between(s, 0, 590), Test: between(s, 600, 900)},
	}
	r := rng.New(3).Rand()
	preds := map[string][]*probabilities{}
	for _, f := range kf {
		p := &probabilities{Row: f.Test}
		for _, d := range f.Test {
			q := [3]float64{0.3, 0.3, 0.3}
			q[model.ClassIndex(s.Class[d])] += 0.2 + 0.1*r.Float64()
			sum := q[0] + q[1] + q[2]
			p.Prob = append(p.Prob, q[0]/sum, q[1]/sum, 1-q[0]/sum-q[1]/sum)
		}
		preds["m"] = append(preds["m"], p)
	}
	p := skillParams{Models: []string{"m"}, Seed: 1, Draws: 50, Bins: 5}
	for _, workers := range []int{1, 3} {
		out, _, err := measureSkill(t.Context(), cat.Ensembles, p, s, kf, preds, workers)
		if err != nil || len(out) != 1 {
			t.Fatal(out, err)
		}
		var loss, prior float64
		n := 0
		for k, f := range kf {
			count := [3]float64{1, 1, 1} // one row added to each class
			for _, d := range f.Train {
				count[s.Class[d]+1]++
			}
			for i, d := range f.Test {
				loss -= math.Log(preds["m"][k].Prob[3*i+int(s.Class[d])+1])
				prior -= math.Log(count[s.Class[d]+1] / (count[0] + count[1] + count[2]))
				n++
			}
		}
		loss, prior = loss/float64(n), prior/float64(n)
		// Sums of 850 terms of order 1.
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-12 {
				t.Errorf("%s is %.15f, want %.15f", what, got, want)
			}
		}
		got := out[0]
		near("log-loss", got.LogLoss, loss)
		near("prior", got.Prior, prior)
		near("skill", got.Skill, prior-loss)
		if got.Rows != n || !(got.SkillLow < got.Skill && got.Skill < got.SkillHi) || len(got.Curves) != 3 {
			t.Errorf("%+v", got)
		}
		var q model.Prediction
		q.Resize(n, model.K)
		class, spans := []int8{}, []view.Span{}
		at := 0
		for k, f := range kf {
			copy(q.Prob[at:], preds["m"][k].Prob)
			at += 3 * len(f.Test)
			for _, d := range f.Test {
				class, spans = append(class, s.Class[d]), append(spans, s.Spans[d])
			}
		}
		ece, err := calibrate.ECE(&q, class, label.Uniqueness(spans), 5)
		if err != nil {
			t.Fatal(err)
		}
		near("calibration error", got.ECE, ece)
	}
	// Beside a model that gives the truth a share of 0.4, on the same rows.
	for _, f := range kf {
		b := &probabilities{Row: f.Test}
		for _, d := range f.Test {
			q := [3]float64{0.3, 0.3, 0.3}
			q[model.ClassIndex(s.Class[d])] = 0.4
			b.Prob = append(b.Prob, q[:]...)
		}
		preds["base"] = append(preds["base"], b)
	}
	p.Models, p.Baseline = []string{"base", "m"}, "base"
	both, _, err := measureSkill(t.Context(), cat.Ensembles, p, s, kf, preds, 2)
	if err != nil {
		t.Fatal(err)
	}
	a := both[1].Against
	if both[0].Against != nil || a == nil || a.Name != "base" {
		t.Fatalf("compared with %+v and %+v", both[0].Against, a)
	}
	if want := -math.Log(0.4); math.Abs(a.LogLoss-want) > 1e-12 || math.Abs(a.Gain-(want-both[1].LogLoss)) > 1e-12 || !(a.GainLow < a.Gain && a.Gain < a.GainHi) {
		t.Errorf("against a log-loss of %v: %+v", want, a)
	}
	preds["m"][1].Row = preds["m"][1].Row[1:]
	if _, _, err := measureSkill(t.Context(), cat.Ensembles, p, s, kf, preds, 1); err == nil || !strings.Contains(err.Error(), "fold 2") {
		t.Errorf("a missing prediction: %v", err)
	}
}

func TestCatalogueUnknown(t *testing.T) {
	cat := newTestCatalogue(t)
	if _, err := cat.ModelConfig("xgbost"); err == nil || !strings.Contains(err.Error(), `did you mean "xgboost"`) {
		t.Error(err)
	}
	if _, err := cat.EnsembleConfig("stack_logistics"); err == nil || !strings.Contains(err.Error(), `did you mean "stack_logistic"`) {
		t.Error(err)
	}
	if _, err := cat.ModelConfig("q"); err == nil || !strings.Contains(err.Error(), "logistic") {
		t.Error(err)
	}
}

func TestFeatureSet(t *testing.T) {
	cat := newTestCatalogue(t)
	base := recipe.Default().Features
	frames := func(s feature.Set) (out []string) {
		for _, f := range s.Frames {
			out = append(out, f.Timeframe.String())
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change func(*recipe.Features)
		base   bar.Timeframe
		frames []string
		notes  int
		fail   string
	}{
		{"default on minutes", func(*recipe.Features) {}, bar.Minute, []string{"5m", "15m", "1h"}, 0, ""},
		{"default on hours", func(*recipe.Features) {}, bar.Hour, []string{"1h", "4h"}, 0, ""},
		{"default on irregular bars", func(*recipe.Features) {}, bar.Native, []string{"native", "4h"}, 0, ""},
		{"stated", func(f *recipe.Features) { f.Timeframes = []string{"10m"} }, bar.Minute, []string{"10m"}, 0, ""},
		{"left out", func(f *recipe.Features) { f.Timeframes = []string{"5m", "4h", "90m"} }, bar.Hour, []string{"4h"}, 2, ""},
		{"none left", func(f *recipe.Features) { f.Timeframes = []string{"5m"} }, bar.Hour, nil, 0, "none of the timeframes"},
		{"family", func(f *recipe.Features) { f.Families = []string{"volume"} }, bar.Minute, []string{"5m", "15m", "1h"}, 0, ""},
		{"session on the finest", func(f *recipe.Features) { f.Families = []string{"session"} }, bar.Minute, []string{"5m"}, 0, ""},
		{"unknown family", func(f *recipe.Features) { f.Families = []string{"volumes"} }, bar.Minute, nil, 0, `did you mean "volume"`},
		{"unknown drop", func(f *recipe.Features) { f.Drop = []string{"nothing_like_it"} }, bar.Minute, nil, 0, "features.drop"},
		{"unknown add", func(f *recipe.Features) { f.Add = []feature.Spec{{Name: "nothing_like_it"}} }, bar.Minute, nil, 0, "nothing_like_it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := base
			c.change(&f)
			set, notes, err := cat.featureSet(f, c.base)
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("error %v, want %q", err, c.fail)
				}
				return
			}
			if err != nil || !slices.Equal(frames(set), c.frames) || len(notes) != c.notes {
				t.Errorf("timeframes %v, notes %q, %v; want %v and %d notes", frames(set), notes, err, c.frames, c.notes)
			}
		})
	}
	f := base
	f.Families = []string{"volume"}
	set, _, err := cat.featureSet(f, bar.Minute)
	if err != nil {
		t.Fatal(err)
	}
	name := set.Frames[0].Features[0].Name
	f.Drop = []string{name}
	less, _, err := cat.featureSet(f, bar.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for k := range less.Frames {
		if len(less.Frames[k].Features) >= len(set.Frames[k].Features) || slices.ContainsFunc(less.Frames[k].Features, func(s feature.Spec) bool { return s.Name == name }) {
			t.Errorf("%s was not dropped from %v", name, less.Frames[k].Timeframe)
		}
	}
	f.Drop, f.Add = nil, []feature.Spec{{Name: "rsi"}}
	more, _, err := cat.featureSet(f, bar.Minute)
	if err != nil || len(more.Frames[2].Features) != len(set.Frames[2].Features)+1 {
		t.Errorf("adding one feature: %v", err)
	}
}

func TestClockFrame(t *testing.T) {
	for _, c := range []struct {
		name       string
		base, want bar.Timeframe
		fail       bool
	}{
		{"auto", bar.Minute, 5 * bar.Minute, false},
		{"auto", 5 * bar.Minute, 5 * bar.Minute, false},
		{"auto", bar.Hour, bar.Hour, false},
		{"auto", bar.Native, bar.Native, false},
		{"15m", bar.Minute, 15 * bar.Minute, false},
		{"15m", bar.Hour, 0, true},
		{"7x", bar.Minute, 0, true},
	} {
		got, err := clockFrame(c.name, c.base)
		if (err != nil) != c.fail || !c.fail && got != c.want {
			t.Errorf("clock %s on %v: %v, %v; want %v", c.name, c.base, got, err, c.want)
		}
	}
}

func TestRoute(t *testing.T) {
	cat := newTestCatalogue(t)
	set, _, err := cat.featureSet(recipe.Default().Features, bar.Minute)
	if err != nil {
		t.Fatal(err)
	}
	all, err := routeColumns(set, cat.Features, recipe.Route{})
	if want, _ := set.Columns(cat.Features); err != nil || !slices.Equal(all, want) {
		t.Errorf("an empty route lets %d columns through, want %d: %v", len(all), len(want), err)
	}
	some, err := routeColumns(set, cat.Features, recipe.Route{Timeframes: []string{"15m"}, Families: []string{"volume"}})
	if err != nil || len(some) == 0 || len(some) >= len(all) || slices.ContainsFunc(some, func(c string) bool { return !strings.Contains(c, "15m") }) {
		t.Errorf("columns %v: %v", some, err)
	}
	for want, r := range map[string]recipe.Route{
		`did you mean "15m"`:    {Timeframes: []string{"15min"}},
		`did you mean "volume"`: {Families: []string{"volum"}},
		"no column is left":     {Timeframes: []string{"1h"}, Families: []string{"session"}},
	} {
		if _, err := routeColumns(set, cat.Features, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("route %+v: %v, want %q", r, err, want)
		}
	}
}

// TestCaveats: assumed stamps, proxies and missing volume are said; volume that
// is known is not.
func TestCaveats(t *testing.T) {
	nan := math.NaN()
	l := &line{inst: bar.Instrument{Name: "X", Proxy: "an index: proxy"}, notes: []string{"a note"}}
	o := &Outcome{Base: &bar.Series{}}
	o.Data.Assumed, o.Data.Stamps = true, "begin"
	for _, v := range []float64{nan, nan, 3, nan} {
		b := bar.Bar{Open: 1, High: 1, Low: 1, Close: 1, Volume: v}
		o.Base.Append(&b)
	}
	got := l.caveats(o)
	for k, want := range []string{"begin is an assumption", "X is an index", "25 % of the bars", "a note"} {
		if k >= len(got) || !strings.Contains(got[k], want) {
			t.Fatalf("caveats %q, want %q at %d", got, want, k)
		}
	}
	o.Base.Volume = []float64{0, 0, 0, 0} // no volume is known volume
	if got := l.caveats(o); len(got) != 3 {
		t.Errorf("caveats of known volume: %q", got)
	}
}
