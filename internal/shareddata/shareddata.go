// Package shareddata finds the folder of real market files that some tests read and that is never part of the repository.
//
// The folder is looked for beside the checkout: the nearest ancestor A of the working directory for which A/shared/data is a folder. The
// environment variable MLFACTORY_SHARED_DATA names another place; this package serves tests only, so nothing shipped reads it. A test
// that needs a file which is not there is skipped, with a message that says what was looked for.
package shareddata

import (
	"os"
	"path/filepath"
	"testing"
)

// Env is the environment variable that overrides the search.
const Env = "MLFACTORY_SHARED_DATA"

// Dir returns the folder, or skips the test when there is none.
func Dir(t testing.TB) string {
	t.Helper()
	start, err := os.Getwd()
	if err != nil {
		t.Fatalf("shareddata: %v", err)
	}
	dir, ok := find(os.Getenv(Env), start)
	if !ok {
		t.Skipf("no real market data: neither %s nor a folder shared/data above %s", Env, filepath.Base(start))
	}
	return dir
}

// Path returns the path of one file or folder in it, or skips the test when it is not there.
func Path(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Dir(t), name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real market data: shared/data has no %s", name)
	}
	return path
}

// find returns the override if it is a folder, else the nearest shared/data above start.
func find(override, start string) (string, bool) {
	if override != "" {
		return override, isDir(override)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if c := filepath.Join(dir, "shared", "data"); isDir(c) {
			return c, true
		}
		if filepath.Dir(dir) == dir {
			return "", false
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
