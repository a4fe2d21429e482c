package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// States are what a stage keeps of work that it has not finished, so that a later
// execution of the same stage need not begin anew. They are no results: nothing
// depends on them, [Store.GC] removes them, and whoever holds the lock on the
// stage's key is alone with them.

// statePath is the file of a state. Keys and names are of any form.
func (s *Store) statePath(key, name string) string {
	k, n := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(name))
	return filepath.Join(s.dir, "states", hex.EncodeToString(k[:16])+"-"+hex.EncodeToString(n[:8]))
}

// LoadState returns the state of that name of a stage, nil if there is none.
func (s *Store) LoadState(key, name string) ([]byte, error) {
	b, err := os.ReadFile(s.statePath(key, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fileError("load a state of "+key, err)
	}
	return b, nil
}

// SaveState replaces the state of that name of a stage, as a whole or not at all.
func (s *Store) SaveState(key, name string, state []byte) error {
	path := s.statePath(key, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return s.fileError("save a state of "+key, err)
	}
	err := s.writeFile(path, func(w io.Writer) error { _, err := w.Write(state); return err })
	if err != nil {
		return s.fileError("save a state of "+key, err)
	}
	return nil
}

// DropStates removes all states of a stage, and what killed writers of any left.
func (s *Store) DropStates(key string) error {
	k := sha256.Sum256([]byte(key))
	if err := s.dropStates(hex.EncodeToString(k[:16]) + "-*"); err != nil {
		return err
	}
	return s.sweepWriting(filepath.Join(s.dir, "states"))
}

// dropStates removes the files of that pattern.
func (s *Store) dropStates(pattern string) error {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(s.dir), "states", pattern))
	if err != nil {
		return s.fileError("drop states", err)
	}
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.fileError("drop states", err)
		}
	}
	return nil
}
