package factory

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/recipe"
)

func TestRouteInputs(t *testing.T) {
	cat := newTestCatalogue(t)
	set, _, err := cat.featureSet(recipe.Default().Features, bar.Minute) // 5m, 15m, 1h
	if err != nil {
		t.Fatal(err)
	}
	tables, windows := model.Entry{Name: "t"}, model.Entry{Name: "w", Input: model.InputWindows}
	streams := model.Entry{Name: "s", Input: model.InputStreams, Abilities: model.Abilities{Static: true, Known: true}}
	// show is the inputs without the names of columns.
	show := func(in bundle.Inputs) string {
		frames := map[string]int{}
		var order []string
		for _, c := range in.Columns {
			tf := c[strings.LastIndexByte(c, '@')+1:]
			if frames[tf]++; frames[tf] == 1 {
				order = append(order, tf)
			}
		}
		out := "table" + fmt.Sprint(order)
		for _, s := range in.Streams {
			out += fmt.Sprintf(" %d×%s", s.Length, s.Timeframe)
			for _, c := range s.Channels {
				if !strings.HasSuffix(c, "@"+s.Timeframe.String()) {
					t.Errorf("channel %s is among those of %s", c, s.Timeframe)
				}
			}
		}
		if in.Known != nil {
			out += fmt.Sprintf(" ahead %d×%s", in.Known.Bars, in.Known.Timeframe)
		}
		return out
	}
	for _, tc := range []struct {
		e     model.Entry
		r     recipe.Route
		clock bar.Timeframe
		want  string
	}{
		{tables, recipe.Route{}, 5 * bar.Minute, "table[5m 15m 1h]"},
		{windows, recipe.Route{Window: 60}, 5 * bar.Minute, "table[] 60×5m"},
		{windows, recipe.Route{Window: 60}, 15 * bar.Minute, "table[] 60×15m"},
		{windows, recipe.Route{Window: 60}, bar.Minute, "table[] 60×5m"}, // no features of the clock's bars
		{windows, recipe.Route{Window: 9, Timeframes: []string{"1h"}}, 5 * bar.Minute, "table[] 9×1h"},
		{streams, recipe.Route{Window: 60}, 5 * bar.Minute, "table[] 60×5m 60×15m 60×1h ahead 20×5m"},
		{streams, recipe.Route{Window: 60, Timeframes: []string{"15m"}, Ahead: 4}, 15 * bar.Minute, "table[5m 1h] 60×15m ahead 4×15m"},
		{streams, recipe.Route{Window: 60, Timeframes: []string{"15m"}, Static: []string{"15m"}}, bar.Native, "table[15m] 60×15m"},
		{streams, recipe.Route{Window: 60, Timeframes: []string{"15m"}, Static: []string{"none"}}, bar.Session, "table[] 60×15m ahead 20×1d"},
		// Only the finest timeframe has features of the session.
		{streams, recipe.Route{Window: 60, Families: []string{"session"}}, 5 * bar.Minute, "table[] 60×5m ahead 20×5m"},
	} {
		in, err := routeInputs(set, cat.Features, tc.e, tc.r, tc.clock, 20)
		if err != nil || show(in) != tc.want {
			t.Errorf("%s with %+v: %s, %v; want %s", tc.e.Name, tc.r, show(in), err, tc.want)
		}
	}
	for _, tc := range []struct {
		want  string
		e     model.Entry
		r     recipe.Route
		clock bar.Timeframe
	}{
		{`did you mean "15m"`, windows, recipe.Route{Window: 60, Timeframes: []string{"15min"}}, bar.Minute},
		{`did you mean "volume"`, streams, recipe.Route{Window: 60, Families: []string{"volum"}}, bar.Minute},
		{"no column is left", windows, recipe.Route{Window: 60, Timeframes: []string{"1h"}, Families: []string{"session"}}, bar.Minute},
		{"route.static: ", streams, recipe.Route{Window: 60, Timeframes: []string{"1h"}, Static: []string{"7m"}}, bar.Minute},
		{"route.static: route: no column", streams, recipe.Route{Window: 60, Families: []string{"session"}, Timeframes: []string{"5m"}, Static: []string{"1h"}}, bar.Minute},
		{"route.ahead: bars of native follow no schedule", streams, recipe.Route{Window: 60, Ahead: 3}, bar.Native},
	} {
		if _, err := routeInputs(set, cat.Features, tc.e, tc.r, tc.clock, 20); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s with %+v: %v, want %q", tc.e.Name, tc.r, err, tc.want)
		}
	}
}

// windowed is the table and labels of toy with features by hand: one bar of 5m a
// decision, of which bar 600 begins another segment; a channel that is always
// there, one that often is not, and what the table has of another timeframe.
func windowed(t *testing.T, n int) (*source, *feature.Store) {
	t.Helper()
	tab, _ := toy(n)
	cal, err := calendar.ByName(calendar.Always)
	if err != nil {
		t.Fatal(err)
	}
	tf := 5 * bar.Minute
	m := &feature.Matrix{Timeframe: tf, Names: []string{"rare", "good"}}
	st := &feature.Store{Matrices: []*feature.Matrix{m}, Marks: []feature.Mark{{Known: math.MinInt64, Segment: 0}}}
	src := &source{table: tab, features: st, cal: cal}
	for i := range n {
		at := int64(i+1) * int64(tf)
		src.decisions = append(src.decisions, at)
		segment := int32(0)
		if i >= 600 {
			segment = 1
		}
		if i == 600 {
			st.Marks = append(st.Marks, feature.Mark{Known: at, Segment: 1})
		}
		m.End, m.Known, m.Session, m.Segment = append(m.End, at), append(m.Known, at), append(m.Session, 0), append(m.Segment, segment)
		rare := tab.Col(2)[i]
		m.Data = append(m.Data, rare, tab.Col(0)[i])
	}
	return src, st
}

func TestWindowInputs(t *testing.T) {
	const n = 1200
	src, st := windowed(t, n)
	_, s := toy(n)
	stream := func(length int, channels ...string) bundle.Stream {
		return bundle.Stream{Timeframe: 5 * bar.Minute, Length: length, Channels: channels}
	}
	all := &bundle.Inputs{Columns: []string{"good", "rare"}, Streams: []bundle.Stream{stream(10, "good@5m", "rare@5m")}, Known: &bundle.Known{Timeframe: 5 * bar.Minute, Bars: 3}}
	r := between(s, 0, 700)
	in, dropped, err := src.usable(all, r, 0.8)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(in.Columns, []string{"good"}) || len(in.Streams) != 1 || !slices.Equal(in.Streams[0].Channels, []string{"good@5m"}) || in.Known == nil {
		t.Errorf("usable are %+v", in)
	}
	if len(dropped) != 2 || dropped[0].Column != "rare" || dropped[1].Column != "rare@5m" || dropped[0].Valid != dropped[1].Valid || !strings.Contains(dropped[1].Reason, "less than 80 %") {
		t.Errorf("dropped %+v", dropped)
	}
	v, err := src.inputs(&in, rows{3, 605, 1100})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	w := v.Streams[0]
	if &w.Data[0] != &st.Matrices[0].Data[0] || v.Table.P != 1 || v.Known.Length != 3 || v.Len() != 3 {
		t.Error("the windows are copies, or parts are missing")
	}
	got := make([]float32, 10)
	for i, want := range []struct{ missing, first int }{{6, 0}, {4, 600}, {0, 1091}} {
		w.Copy(i, got)
		for k, x := range got {
			if k < want.missing {
				if x == x {
					t.Errorf("window %d: bar %d is %v, want it missing", i, k, x)
				}
			} else if y := src.table.Col(0)[want.first+k-want.missing]; x != y {
				t.Errorf("window %d: bar %d is %v, want %v", i, k, x, y)
			}
		}
	}
	// The longest run of bars before a row of the first segment is 600.
	if _, _, err := src.usable(&bundle.Inputs{Streams: []bundle.Stream{stream(601, "good@5m")}}, between(s, 0, 600), 0.8); err == nil || !strings.Contains(err.Error(), "601 bars of 5m") || !strings.Contains(err.Error(), "route.window") {
		t.Errorf("a window longer than the data: %v", err)
	}
	if in, _, err := src.usable(&bundle.Inputs{Streams: []bundle.Stream{stream(400, "good@5m")}}, between(s, 0, 600), 0.8); err != nil || len(in.Streams) != 1 {
		t.Errorf("a window that some rows have: %v", err)
	}
	if _, _, err := src.usable(&bundle.Inputs{Streams: []bundle.Stream{stream(4, "future@5m")}}, r, 0.8); err == nil || !strings.Contains(err.Error(), `"future"`) {
		t.Errorf("an unknown channel: %v", err)
	}
}

// TestFitFoldOnWindows: a fit on windows depends on its Train and Stop rows alone,
// and a prediction on nothing but the bars of its own windows.
func TestFitFoldOnWindows(t *testing.T) {
	const n = 1200
	cat := newTestCatalogue(t)
	for _, e := range []model.Entry{modeltest.Witness("window_witness", model.InputWindows, model.Abilities{}),
		modeltest.Witness("stream_witness", model.InputStreams, model.Abilities{Static: true, Known: true})} {
		if err := cat.Models.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	_, s := toy(n)
	f := fold{Train: between(s, 100, 560), Stop: between(s, 610, 650), Test: between(s, 910, n)}
	for _, use := range []string{"lstm", "window_witness", "stream_witness"} {
		spec := specOf(t, cat, use)
		if n, ok := spec.Config.(*nn.LSTM); ok {
			n.Hidden, n.Epochs, n.Patience = 4, 2, 1
		}
		spec.Inputs = bundle.Inputs{Streams: []bundle.Stream{{Timeframe: 5 * bar.Minute, Length: 8, Channels: []string{"good@5m", "rare@5m"}}}}
		if use == "stream_witness" {
			spec.Inputs.Columns, spec.Inputs.Known = []string{"good", "noise"}, &bundle.Known{Timeframe: 5 * bar.Minute, Bars: 4}
		}
		fit := func(src *source) (*fitted, string) {
			m, err := fitFold(t.Context(), cat.Models, spec, src, s, f, model.Env{Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := m.Encode(&b); err != nil {
				t.Fatal(err)
			}
			return m, b.String()
		}
		src, _ := windowed(t, n)
		m, want := fit(src)
		if !slices.Equal(m.Inputs.Streams[0].Channels, []string{"good@5m"}) || len(m.Info.Dropped) != 1 || m.Info.Columns != 1+len(m.Inputs.Columns) {
			t.Errorf("%s: inputs %+v, info %+v", use, m.Inputs, m.Info)
		}
		// Bars behind the last row that trains or stops, and between the two.
		other, st := windowed(t, n)
		for i := range n {
			if i > 650 || i > 560 && i < 600 {
				st.Matrices[0].Data[2*i+1] = 1e6
				other.table.Col(0)[i] = 1e6
			}
		}
		if _, got := fit(other); got != want {
			t.Errorf("%s: bars that no row of Train or Stop sees change the fit", use)
		}
		st.Matrices[0].Data[2*300+1] += 1
		if _, got := fit(other); got == want {
			t.Errorf("%s: a bar that training rows see does not change the fit; this test sees nothing", use)
		}
		var every rows
		for d := range n {
			every = append(every, d)
		}
		p, err := predictRows(t.Context(), m, src, every)
		if err != nil {
			t.Fatal(err)
		}
		later, st := windowed(t, n)
		for i := 901; i < n; i++ {
			st.Matrices[0].Data[2*i+1] = -7
			later.table.Col(0)[i] = -7
		}
		q, err := predictRows(t.Context(), m, later, every)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Prob[:3*901], q.Prob[:3*901]) {
			t.Errorf("%s: later bars change earlier predictions", use)
		}
		if slices.Equal(p.Prob[3*901:], q.Prob[3*901:]) {
			t.Errorf("%s: the bars of its window do not change a prediction", use)
		}
	}
	spec := specOf(t, cat, "window_witness")
	spec.Inputs = bundle.Inputs{Streams: []bundle.Stream{{Timeframe: 5 * bar.Minute, Length: 8, Channels: []string{"rare@5m"}}}}
	src, _ := windowed(t, n)
	if _, err := fitFold(t.Context(), cat.Models, spec, src, s, f, model.Env{Workers: 1}); err == nil || !strings.Contains(err.Error(), "none of 1 columns") {
		t.Errorf("no usable channel: %v", err)
	}
}

// TestFitFoldHasNoTarget: the factory has classes and no other target.
func TestFitFoldHasNoTarget(t *testing.T) {
	cat := newTestCatalogue(t)
	tab, s := toy(600)
	spec := specOf(t, cat, "mlp")
	spec.Config.(*nn.MLP).Task = "regression"
	_, err := fitFold(t.Context(), cat.Models, spec, &source{table: tab}, s, fold{Train: between(s, 0, 400)}, model.Env{Workers: 1})
	if err == nil || !strings.Contains(err.Error(), "target") {
		t.Errorf("a regression: %v", err)
	}
}
