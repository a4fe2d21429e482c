package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/mlfactory/mlfactory/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put stores b as an output of that name.
func put(t *testing.T, s *store.Store, name, b string) store.Output {
	t.Helper()
	o, err := s.PutBytes(t.Context(), []byte(b))
	if err != nil {
		t.Fatal(err)
	}
	o.Name = name
	return o
}

func object(t *testing.T, s *store.Store, o store.Output) *store.Object {
	t.Helper()
	b, err := s.Object(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func files(t *testing.T, s *store.Store, sub string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(s.Dir(), sub), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// overwrite damages an object behind the store's back.
func overwrite(t *testing.T, o *store.Object, b string) {
	t.Helper()
	if err := os.Chmod(o.Path(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Path(), []byte(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPut(t *testing.T) {
	s := open(t, t.TempDir())
	o := put(t, s, "x", "abc")
	// FIPS 180-2, appendix B.1.
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; o.Digest != want || o.Size != 3 {
		t.Fatalf("%+v", o)
	}
	b := object(t, s, o)
	if got, err := b.Bytes(); err != nil || string(got) != "abc" {
		t.Errorf("bytes %q, %v", got, err)
	}
	if rel, _ := filepath.Rel(s.Dir(), b.Path()); filepath.ToSlash(rel) != "objects/ba/"+o.Digest[2:] {
		t.Errorf("path %s", rel)
	}
	data, unmap, err := b.Map()
	if err != nil || string(data) != "abc" {
		t.Errorf("map %q, %v", data, err)
	}
	if err := unmap(); err != nil {
		t.Error(err)
	}
	if left := files(t, s, "tmp"); left != nil {
		t.Errorf("left in tmp: %v", left)
	}
	empty := object(t, s, put(t, s, "empty", ""))
	if data, _, err := empty.Map(); err != nil || len(data) != 0 {
		t.Errorf("map of nothing: %q, %v", data, err)
	}
}

func TestPut_Concurrent(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	var wait sync.WaitGroup
	outs := make([]store.Output, 8)
	for i := range outs {
		s := open(t, dir) // each with descriptors of its own, like a process
		wait.Go(func() {
			var err error
			if outs[i], err = s.PutBytes(context.Background(), content); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	s := open(t, dir)
	for _, o := range outs {
		if got, err := object(t, s, o).Bytes(); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if all := files(t, s, "objects"); len(all) != 1 {
		t.Errorf("objects %v", all)
	}
}

func TestPut_FullDisk(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, c := range []struct {
		name  string
		bytes int
		write func(io.Writer) error
	}{
		{"at once", 0, func(w io.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err }},
		{"in the middle", 1 << 20, func(w io.Writer) error { _, err := w.Write(make([]byte, 3<<20)); return err }},
		{"in the last flush", 5, func(w io.Writer) error { _, err := io.WriteString(w, "0123456789"); return err }},
		{"on sync", -1, func(w io.Writer) error { _, err := io.WriteString(w, "0123456789"); return err }},
		{"by a writer that hides the cause", 0, func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return errors.New("parquet: could not write")
			}
			return nil
		}},
		{"by a writer that ignores it", 0, func(w io.Writer) error {
			w.Write(make([]byte, 1<<20)) //nolint:errcheck // this is the point
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			s.FailWrites(c.bytes, full)
			o, err := s.Put(t.Context(), c.write)
			if !errors.Is(err, store.ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free space") {
				t.Fatalf("%+v, %v", o, err)
			}
			if left := append(files(t, s, "tmp"), files(t, s, "objects")...); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestPut_FailingWriterLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	boom := errors.New("boom")
	if _, err := s.Put(t.Context(), func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return boom
	}); !errors.Is(err, boom) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Put(ctx, func(w io.Writer) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_, err := s.Put(t.Context(), func(io.Writer) error { panic("in the middle") })
		t.Error(err)
	}()
	if left := append(files(t, s, "tmp"), files(t, s, "objects")...); left != nil {
		t.Errorf("left: %v", left)
	}
	alone, err := s.GC(t.Context(), false)
	if err != nil {
		t.Errorf("the panic left the folder held: %+v, %v", alone, err)
	}
}

func TestObject_Checks(t *testing.T) {
	s := open(t, t.TempDir())
	for _, c := range []struct {
		name, file, content string
		damage              string // "" for none
		want                error
	}{
		{"sound", "x.bin", "content", "", nil},
		{"truncated", "x.bin", "content", "cont", store.ErrDamaged},
		{"parquet", "x.parquet", "PAR1....PAR1", "", nil},
		{"parquet without footer", "x.parquet", "PAR1....PAR1", "PAR1....PAR2", store.ErrDamaged},
		{"parquet without header", "y.parquet", "PAR1::::PAR1", "QAR1::::PAR1", store.ErrDamaged},
		{"parquet that is too short", "z.parquet", "PAR1", "", store.ErrDamaged},
		{"arrow", "x.arrow", "ARROW1..ARROW1", "", nil},
		{"arrow without footer", "x.arrow", "ARROW1..ARROW1", "ARROW1..ARROW0", store.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := put(t, s, c.file, c.content)
			if c.damage != "" {
				sound := o
				sound.Name = "plain"
				overwrite(t, object(t, s, sound), c.damage)
			}
			if _, err := s.Object(o); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	if _, err := s.Object(store.Output{Name: "x", Digest: strings.Repeat("0", 64)}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	if _, err := s.Object(store.Output{Name: "x", Digest: "../../etc/passwd"}); err == nil {
		t.Error("a path was taken for a digest")
	}
}

func TestObject_ReadsCheckDigest(t *testing.T) {
	s := open(t, t.TempDir())
	o := put(t, s, "x.bin", "content")
	overwrite(t, object(t, s, o), "CONTENT")
	b := object(t, s, o) // length and frame are right
	if _, err := b.Bytes(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("bytes: %v", err)
	}
	dir := t.TempDir()
	if err := store.WriteRunFolder(dir, []store.File{b.File("x.bin")}); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("copy: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	// Putting the bytes again heals it.
	if got, err := object(t, s, put(t, s, "x.bin", "content")).Bytes(); err != nil || string(got) != "content" {
		t.Errorf("healed: %q, %v", got, err)
	}
}

func TestWriteRunFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [run]", "out")
	text := func(name, content string) store.File {
		return store.File{Name: name, Write: func(w io.Writer) error { _, err := io.WriteString(w, content); return err }}
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	if err := store.WriteRunFolder(dir, []store.File{text("summary.json", "1"), text("data/bars.parquet", "2")}); err != nil {
		t.Fatal(err)
	}
	// What a killed writer left goes; a file that cannot be replaced stays whole.
	for _, d := range []string{"", "data"} {
		if err := os.WriteFile(filepath.Join(dir, d, ".writing-DEAD"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	boom := errors.New("boom")
	err := store.WriteRunFolder(dir, []store.File{
		text("data/bars.parquet", "3"),
		{Name: "summary.json", Write: func(w io.Writer) error { return errors.Join(boom, text("", "half").Write(w)) }},
	})
	if !errors.Is(err, boom) || read("summary.json") != "1" || read("data/bars.parquet") != "3" {
		t.Errorf("%v, %q, %q", err, read("summary.json"), read("data/bars.parquet"))
	}
	var names []string
	for _, d := range []string{"", "data"} {
		entries, err := os.ReadDir(filepath.Join(dir, d))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	if want := []string{"data", "summary.json", "bars.parquet"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	for _, bad := range []string{"../x", "/x", ""} {
		if err := store.WriteRunFolder(dir, []store.File{text(bad, "")}); err == nil {
			t.Errorf("name %q was taken", bad)
		}
	}
	if err := store.WriteRunFolder(dir, []store.File{text("x", ""), text("x", "")}); err == nil {
		t.Error("a name was taken twice")
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "project")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(filepath.Join(dir, store.FolderName))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ctx := context.Background()
	o, err := s.Put(ctx, func(w io.Writer) error {
		_, err := io.WriteString(w, "abc")
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	o.Name = "letters.txt"
	if _, err := s.SaveResult(ctx, store.Result{Key: "k1", Name: "letters", Kind: "demo", Code: "1", Params: "{}", Outputs: []store.Output{o}}, nil); err != nil {
		fmt.Println(err)
		return
	}
	outs, ready, err := s.Ready(ctx, "k1")
	fmt.Println(outs[0].Name, outs[0].Size, outs[0].Digest[:8], ready, err)
	// Output: letters.txt 3 ba7816bf true <nil>
}
