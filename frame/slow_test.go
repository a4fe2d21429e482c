//go:build slow

package frame_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mlfactory/mlfactory/frame"
)

// TestLargeIPC opens a file with more than the 256 MiB in one body that the
// Arrow reader takes by default, as the table of a long history has.
func TestLargeIPC(t *testing.T) {
	const n = 80 << 20
	data := make([]float32, n)
	data[n-1] = 7
	path := filepath.Join(t.TempDir(), "large.arrow")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &frame.Frame{Columns: []frame.Column{frame.Float32("values", data)}}
	if err := f.WriteIPC(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := frame.OpenIPC(path)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if got := o.Frame().Column("values").Float32; len(got) != n || got[n-1] != 7 {
		t.Errorf("read back %d values, want %d with 7 at the end", len(got), n)
	}
}
