// Command gen writes the assembly kernels of internal/simd.
//
// Each kernel is described once, over the width of a register, and emitted for AVX2 and AVX-512. The files are committed, so that a build
// needs no generator; a test regenerates them and compares. Run it as
//
//	go generate ./internal/simd/...
//
// A kernel added here needs a plain-Go twin with the same order of operations, a test that compares the two on every path the machine
// has, and a fuzz target.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen FOLDER, the folder internal/simd")
	}
	for _, f := range files() {
		if err := os.WriteFile(filepath.Join(os.Args[1], f.name), f.text, 0o644); err != nil { // #nosec G306 -- source code
			log.Fatal(fmt.Errorf("gen: %w", err))
		}
	}
}

// generated is one file, named relative to internal/simd.
type generated struct {
	name string
	text []byte
}

// files returns everything that the generator writes.
func files() []generated {
	return append([]generated{
		{"vec/vec_amd64.s", vec()},
		{"vec/softmax_amd64.s", softmaxColumns()},
		{"vec/norm_amd64.s", normRows()},
		{"vec/correlate_amd64.s", correlate()},
		{"field/field_amd64.s", field()},
		{"tree/tree_amd64.s", tree()},
		{"gemm/gemm_amd64.s", gemm()},
	}, slices.Concat(lanesFiles(), stateFiles(), rowFiles())...)
}
