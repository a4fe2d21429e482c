package frame_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/frame"
)

// TestReadPyarrow reads a file of another writer: optional columns, nulls, narrow and unsigned integers, three units of time.
func TestReadPyarrow(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	raw, err := os.ReadFile(filepath.Join(dir, "pyarrow.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Kinds  map[string]string
		Values map[string][]any
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadParquetFile(filepath.Join(dir, "pyarrow.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Columns) != len(want.Kinds) || len(want.Kinds) != 12 {
		t.Fatalf("%d columns, want %d", len(f.Columns), len(want.Kinds))
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		if c.Kind.String() != want.Kinds[c.Name] {
			t.Errorf("%s: kind %v, want %s", c.Name, c.Kind, want.Kinds[c.Name])
		}
		var got []string
		for _, list := range []any{c.Float64, c.Float32, c.Int64, c.Int32, c.Int8, c.Bool, c.String} {
			got = append(got, texts(list)...)
		}
		if w := texts(want.Values[c.Name]); fmt.Sprint(got) != fmt.Sprint(w) {
			t.Errorf("%s: got %v, want %v", c.Name, got, w)
		}
	}
	if _, err := frame.ReadParquetFile(filepath.Join(dir, "nulls.parquet")); err == nil || !strings.Contains(err.Error(), `column "n": row 1 is null`) {
		t.Errorf("a null integer: %v", err)
	}
}

// texts prints the elements of a list so that 1.5 and "1.5", 0 and -0.0 compare as the golden file writes them.
func texts(list any) []string {
	var out []string
	add := func(x any) {
		s := fmt.Sprint(x)
		if s == "-0.0" {
			s = "-0"
		}
		out = append(out, s)
	}
	switch v := list.(type) {
	case []any:
		for _, x := range v {
			add(x)
		}
	case []float64:
		for _, x := range v {
			add(x)
		}
	case []float32:
		for _, x := range v {
			add(x)
		}
	case []int64:
		for _, x := range v {
			add(x)
		}
	case []int32:
		for _, x := range v {
			add(x)
		}
	case []int8:
		for _, x := range v {
			add(x)
		}
	case []bool:
		for _, x := range v {
			add(x)
		}
	case []string:
		for _, x := range v {
			add(x)
		}
	}
	return out
}
