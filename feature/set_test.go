package feature_test

import (
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/param"
)

func TestEveryEntryIsDescribed(t *testing.T) {
	r := registry(t)
	if n := len(r.Entries()); n < 40 {
		t.Errorf("only %d entries", n)
	}
	for _, e := range r.Entries() {
		if len(e.Doc) < 20 || !strings.HasSuffix(e.Doc, ".") && !strings.HasSuffix(e.Doc, ")") {
			t.Errorf("%s: doc %q", e.Name, e.Doc)
		}
		if _, err := param.Fields(e.Default()); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if err := param.Validate(e.Default()); err != nil {
			t.Errorf("%s: the default config is not valid: %v", e.Name, err)
		}
	}
}

func TestDefaultSet(t *testing.T) {
	r := registry(t)
	for _, base := range []bar.Timeframe{bar.Minute, 5 * bar.Minute, bar.Hour, 4 * bar.Hour, bar.Session, bar.Native, 7 * bar.Minute} {
		set, err := feature.DefaultSet(r, base)
		if err != nil {
			t.Fatalf("%v: %v", base, err)
		}
		columns, err := set.Columns(r)
		if err != nil {
			t.Fatalf("%v: %v", base, err)
		}
		if len(columns) < 60 {
			t.Errorf("%v: %d columns", base, len(columns))
		}
		d, err := feature.NewDriver(r, set, base, cal(t, calendar.Always))
		if err != nil {
			t.Fatalf("%v: %v", base, err)
		}
		if got := d.Store().Columns(); strings.Join(got, " ") != strings.Join(columns, " ") {
			t.Errorf("%v: the store has columns %v, the set %v", base, got, columns)
		}
	}
}

func TestSetTakesAKernelOnce(t *testing.T) {
	r := registry(t)
	set, err := r.Set([]feature.Choice{
		{Timeframes: []bar.Timeframe{bar.Hour}, Features: []feature.Spec{{Name: "rsi"}, {Name: "rsi", Params: map[string]float64{"window": 14}}}},
		{Timeframes: []bar.Timeframe{5 * bar.Minute, bar.Hour}, Families: []string{"momentum"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Frames) != 2 || set.Frames[0].Timeframe != bar.Hour || len(set.Frames[0].Features) != 5 || len(set.Frames[1].Features) != 5 {
		t.Errorf("got %+v", set)
	}
}

func TestSetRefuses(t *testing.T) {
	r := registry(t)
	hour := []bar.Timeframe{bar.Hour}
	for _, v := range []struct {
		choice feature.Choice
		want   string
	}{
		{feature.Choice{Timeframes: hour}, "neither a family nor a feature"},
		{feature.Choice{Families: []string{"trend"}}, "no timeframe"},
		{feature.Choice{Timeframes: hour, Families: []string{"trends"}}, `family "trends" has no default features; known: return, trend`},
		{feature.Choice{Timeframes: hour, Features: []feature.Spec{{Name: "macdd"}}}, `unknown feature "macdd"; nearest is "macd"`},
		{feature.Choice{Timeframes: hour, Features: []feature.Spec{{Name: "rsi", Params: map[string]float64{"windw": 3}}}}, `nearest is "window"`},
		{feature.Choice{Timeframes: hour, Features: []feature.Spec{{Name: "rsi", Params: map[string]float64{"window": 1}}}}, "window"},
		{feature.Choice{Timeframes: hour, Features: []feature.Spec{{Name: "rsi", Params: map[string]float64{"window": 2.5}}}}, "window"},
		{feature.Choice{Timeframes: hour, Features: []feature.Spec{{Name: "macd", Params: map[string]float64{"fast": 26}}}}, "must be shorter than slow"},
		{feature.Choice{Timeframes: hour, Features: []feature.Spec{{Name: "dist_sma"}, {Name: "dist_sma", Params: map[string]float64{"atr": 20}}}}, "column dist_sma_20@1h"},
	} {
		if _, err := r.Set([]feature.Choice{v.choice}); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%+v: %v, want %q", v.choice, err, v.want)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	r := registry(t)
	e, _ := r.Entry("rsi")
	if err := r.Add(e); err == nil {
		t.Error("a name was registered twice")
	}
	e.Name = "a@b"
	if err := r.Add(e); err == nil {
		t.Error("a name with @ was taken")
	}
	e.Name, e.Doc = "undocumented", ""
	if err := r.Add(e); err == nil {
		t.Error("an entry without a doc was taken")
	}
	e, _ = r.Entry("rsi")
	if _, err := e.New(&struct{ A int }{}, feature.Env{Timeframe: bar.Minute, Calendar: cal(t, calendar.Always)}); err == nil {
		t.Error("another entry's config was taken")
	}
	if _, err := e.New(e.Default(), feature.Env{Timeframe: bar.Minute}); err == nil {
		t.Error("a missing calendar was taken")
	}
}
