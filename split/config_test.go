package split_test

import (
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/split"
)

// The schemes are configs: documented fields, a canonical text that does not hold the market, settable from a command
// line.
func TestSchemesAreConfigs(t *testing.T) {
	market := split.Market{Clock: always{}, Bar: 1}
	for _, scheme := range []any{
		split.PurgedKFold{K: 5, Purging: split.DefaultPurging(), Market: market},
		split.DefaultWalkForward(),
		split.CPCV{Groups: 6, Tests: 2, Purging: split.DefaultPurging()},
	} {
		fields, err := param.Fields(scheme)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, f := range fields {
			paths = append(paths, f.Path)
		}
		for _, want := range []string{"embargo", "floor_bars", "stop", "calib", "max_lost", "min_rows"} {
			if !slices.Contains(paths, want) {
				t.Errorf("%T lacks %s: %v", scheme, want, paths)
			}
		}
		if slices.Contains(paths, "market") {
			t.Errorf("%T has its market as a parameter", scheme)
		}
		if _, err := param.Canonical(scheme); err != nil {
			t.Errorf("%T: %v", scheme, err)
		}
	}
	w := split.DefaultWalkForward()
	if err := param.Set(&w, "embargo", "2d"); err != nil || w.Embargo != 2*param.Day {
		t.Errorf("embargo %v, %v", w.Embargo, err)
	}
}
