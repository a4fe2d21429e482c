package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestFresh compares what the generator writes with what is committed.
func TestFresh(t *testing.T) {
	list := files()
	if len(list) == 0 {
		t.Fatal("the generator writes nothing")
	}
	for _, f := range list {
		have, err := os.ReadFile(filepath.Join("..", f.name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(have, f.text) {
			t.Errorf("internal/simd/%s is stale: run go generate ./internal/simd/...", f.name)
		}
	}
}
