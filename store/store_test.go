package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/store"
)

func TestOpen_StrangeFolders(t *testing.T) {
	for _, name := range []string{"plain", "with space", "what?x=1&y#z%41", "ünïcode", "a/b/c"} {
		dir := filepath.Join(t.TempDir(), filepath.FromSlash(name))
		s, err := store.Open(dir)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		put(t, s, "x", "content")
		box := func(s *store.Store, start int64) ([]store.Lockbox, error) {
			var known []store.Lockbox
			_, err := s.UseLockbox(t.Context(), "BTC", func(k []store.Lockbox) (store.Lockbox, error) {
				known = k
				return store.Lockbox{Key: fmt.Sprint(start), Start: start}, nil
			})
			return known, err
		}
		if known, err := box(s, 1); err != nil || len(known) != 0 {
			t.Errorf("%q: %+v, %v", name, known, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "factory.db")); err != nil {
			t.Errorf("%q: the database is elsewhere: %v", name, err)
		}
		again := open(t, dir)
		if known, err := box(again, 2); err != nil || len(known) != 1 || known[0].Start != 1 {
			t.Errorf("%q: reopened: %+v, %v", name, known, err)
		}
	}
}

// TestOpenScratch: a scratch folder is never synced, and otherwise a project like
// any other, which can be opened as one afterwards.
func TestOpenScratch(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenScratch(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.FailWrites(-1, errors.New("synced"))
	put(t, s, "x", "content")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	full := open(t, dir)
	if problems, err := full.Verify(t.Context(), false); err != nil || len(problems) != 0 {
		t.Errorf("%v, %v", problems, err)
	}
	full.FailWrites(-1, errors.New("synced"))
	if _, err := full.PutBytes(t.Context(), []byte("y")); err == nil || !strings.Contains(err.Error(), "synced") {
		t.Errorf("a project was not synced: %v", err)
	}
}

func TestOpenExisting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "project")
	if _, err := store.OpenExisting(dir); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking made a folder")
	}
	open(t, dir)
	s, err := store.OpenExisting(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpen_AtOnce(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			s, err := store.Open(dir)
			if err == nil {
				_, err = s.Record(context.Background(), trial("k", 1, 2))
				err = errors.Join(err, s.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestOpen_Refuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string) string // returns the folder to open
		is      error
		want    []string
	}{
		{"a newer schema", func(t *testing.T, dir string) string {
			s := open(t, dir)
			if err := s.Exec("PRAGMA user_version = 1000"); err != nil {
				t.Fatal(err)
			}
			return dir
		}, store.ErrDatabase, []string{"schema 1000", "update mlfactory"}},
		{"not a database", func(t *testing.T, dir string) string {
			if err := os.WriteFile(filepath.Join(dir, "factory.db"), []byte(strings.Repeat("garbage ", 1000)), 0o666); err != nil {
				t.Fatal(err)
			}
			return dir
		}, store.ErrDatabase, []string{"damaged", "move it away"}},
		{"a torn database", func(t *testing.T, dir string) string {
			s, err := store.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "factory.db")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(b[16:], "\xff\xff\xff\xff") // page size of the header
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
			return dir
		}, store.ErrDatabase, []string{"damaged", "move it away"}},
		{"another program's database", func(t *testing.T, dir string) string {
			s := open(t, dir)
			if err := s.Exec("PRAGMA application_id = 7"); err != nil {
				t.Fatal(err)
			}
			return dir
		}, store.ErrDatabase, []string{"another program"}},
		{"a file in its place", func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "file")
			if err := os.WriteFile(path, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			return path
		}, nil, []string{"not a directory"}},
		{"an unwritable folder", func(t *testing.T, dir string) string {
			if os.Getuid() == 0 {
				t.Skip("root may write anywhere")
			}
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "project")
		}, os.ErrPermission, []string{"cannot be written"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := store.Open(c.prepare(t, t.TempDir()))
			if err == nil {
				t.Fatal("opened", s.Close())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v is not %v", err, c.is)
			}
		})
	}
}

// A database that is damaged where opening does not look is found when that
// part is read.
func TestDamagedPage(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for k := range 200 {
		record(t, s, trial(strings.Repeat("k", k+1), 1, 2))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "factory.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096 * 2; i < len(b); i++ {
		b[i] = 0xa5
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if _, err := s.Trials(t.Context()); !errors.Is(err, store.ErrDatabase) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error %v", err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	la, err := a.Lock(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Store{a, b} {
		if l, err := s.TryLock("k"); l != nil || err != nil {
			t.Fatalf("taken twice: %v", err)
		}
	}
	other, err := b.TryLock("another")
	if other == nil || err != nil {
		t.Fatalf("another key: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.Lock(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(la.Release(), la.Release(), other.Release()); err != nil {
		t.Error(err)
	}
	if left := files(t, a, "locks"); len(left) > 2 { // schema and use
		t.Errorf("left: %v", left)
	}
}

// Many contenders, each of which opens, locks, removes: at no time two hold it.
func TestLock_Excludes(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	var mu sync.Mutex
	inside, total := 0, 0
	for range 6 {
		s := open(t, dir)
		wait.Go(func() {
			for range 40 {
				l, err := s.Lock(context.Background(), "k")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if inside++; inside != 1 {
					t.Errorf("%d hold the lock", inside)
				}
				mu.Unlock()
				time.Sleep(10 * time.Microsecond)
				mu.Lock()
				inside--
				total++
				mu.Unlock()
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if total != 240 {
		t.Errorf("taken %d times", total)
	}
}
