package shareddata

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	top := t.TempDir()
	data := filepath.Join(top, "shared", "data")
	deep := filepath.Join(top, "checkout", "bar", "ingest")
	for _, d := range []string{data, deep} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := find("", deep); !ok || got != data {
		t.Errorf("from below: %q, %v", got, ok)
	}
	other := t.TempDir()
	if got, ok := find(other, deep); !ok || got != other {
		t.Errorf("the override wins: %q, %v", got, ok)
	}
	if _, ok := find(filepath.Join(other, "absent"), deep); ok {
		t.Error("an override that is no folder must not fall back to the search")
	}
	near := filepath.Join(top, "checkout", "shared", "data")
	if err := os.MkdirAll(near, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, ok := find("", deep); !ok || got != near {
		t.Errorf("the nearest wins: %q, %v", got, ok)
	}
}

func TestPathSkips(t *testing.T) {
	t.Setenv(Env, t.TempDir())
	skipped := false
	t.Run("absent", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		Path(t, "absent.parquet")
		t.Error("a missing file must end the test")
	})
	if !skipped {
		t.Error("a missing file must skip the test")
	}
}
