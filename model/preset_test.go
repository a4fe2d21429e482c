package model_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
)

func TestPresetsHaveNamesOfTheirOwn(t *testing.T) {
	entry := func(name string, presets ...string) model.Entry {
		e := model.Entry{Name: name, Default: func() any { return "default" },
			New: func(any) (model.Learner, error) { return nil, nil }, Decode: func(io.Reader) (model.Fitted, error) { return nil, nil }}
		for _, p := range presets {
			e.Presets = append(e.Presets, model.Preset{Name: p, Config: func() any { return p }})
		}
		return e
	}
	r := &model.Registry{}
	for _, e := range []model.Entry{entry("net", "big", "very-big"), entry("net-small"), entry("tree")} {
		if err := r.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"net": "default", "net-big": "big", "net-very-big": "very-big", "net-small": "default"} {
		e, ok := r.Entry(name)
		if !ok || e.Default() != want || e.Name != strings.TrimSuffix(strings.TrimSuffix(name, "-big"), "-very") {
			t.Errorf("%s: %v %v", name, e.Name, ok)
		}
	}
	for _, name := range []string{"net-", "net-huge", "tree-big", "-big", ""} {
		if e, ok := r.Entry(name); ok {
			t.Errorf("%q is %q", name, e.Name)
		}
	}
	if got := r.Names(); !slices.Equal(got, []string{"net", "net-big", "net-very-big", "net-small", "tree"}) {
		t.Errorf("names %v", got)
	}
	for _, e := range []model.Entry{entry("net-big"), entry("fresh", "a", "a"), entry("fresh", "")} {
		if err := r.Add(e); err == nil {
			t.Errorf("%+v was registered", e)
		}
	}
}
