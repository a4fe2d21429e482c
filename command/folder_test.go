package command

import (
	"os"
	"path/filepath"
	"testing"
)

// A run that is killed while it tries whether its folder can be written leaves
// the file of the trial; the next run takes it away.
func TestWritableTidiesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out[1]")
	for range 2 {
		if err := writable(dir); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{".try-17", "kept"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := writable(dir); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 || list[0].Name() != "kept" {
		t.Errorf("%v, %v", list, err)
	}
}
