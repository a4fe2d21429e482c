package catboost_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/catboost"
)

// golden reads a file of testdata/golden.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestBorders holds the borders to the library's own, value by value.
func TestBorders(t *testing.T) {
	var g struct {
		Cases []struct {
			Type                 string
			Count, Rows, Missing int
			Borders              [][]float32
		}
	}
	golden(t, "borders.json", &g)
	if len(g.Cases) < 6 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	for _, c := range g.Cases {
		d := formula(c.Rows, c.Missing)
		for j, want := range c.Borders {
			var s []float32
			for _, v := range d.x.Col(j) {
				if v == v {
					s = append(s, v)
				}
			}
			slices.Sort(s)
			k := c.Count
			if len(s) < c.Rows {
				k--
				if len(want) > 0 && want[0] == -math.MaxFloat32 {
					want = want[1:] // what tells missing values from the rest
				}
			}
			if got := catboost.Borders(c.Type, s, k); !slices.Equal(got, want) {
				t.Errorf("%s %d, %d rows, column %d:\ngot  %d %v\nwant %d %v", c.Type, c.Count, c.Rows, j, len(got), got, len(want), want)
			}
		}
	}
}
