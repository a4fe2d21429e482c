//go:build slow && linux

package store_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mlfactory/mlfactory/store"
)

// TestFullDisk_Real fills a small file system of its own.
func TestFullDisk_Real(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a file system can only be mounted by root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s, err := store.Open(filepath.Join(dir, store.FolderName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	before := put(t, s, "x", "before")
	record(t, s, trial("before", 1, 2))
	if _, err := s.Put(t.Context(), func(w io.Writer) error { _, err := w.Write(make([]byte, 8<<20)); return err }); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("object: %v", err)
	}
	if left := files(t, s, "tmp"); left != nil {
		t.Errorf("left: %v", left)
	}
	// Fill it to the last byte: the database must say so and stay whole.
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1 << 16; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var dbErr error
	for i := 0; i < 500 && dbErr == nil; i++ {
		_, dbErr = s.Record(t.Context(), trial(strings.Repeat("k", i+1), 1, 2))
	}
	if !errors.Is(dbErr, store.ErrDiskFull) {
		t.Errorf("database: %v", dbErr)
	}
	if err := store.WriteRunFolder(filepath.Join(dir, "out"), []store.File{{Name: "x", Write: func(w io.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err }}}); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("run folder: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	record(t, s, trial("after", 1, 2))
	object(t, s, before)
	if problems, err := s.Verify(t.Context(), false); err != nil || problems != nil {
		t.Errorf("%v, %v", problems, err)
	}
	trials, err := s.Trials(t.Context())
	if err != nil || trials[0].Key != "after" || trials[1].Key != "before" {
		t.Errorf("%v, %v", keys(trials), err)
	}
}

// TestReadOnly_Real opens a project on a file system that cannot be written.
func TestReadOnly_Real(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a file system can only be mounted by root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s, err := store.Open(filepath.Join(dir, "old"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old", "new"} {
		if s, err := store.Open(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), "cannot be written") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
