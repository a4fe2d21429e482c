// Package archtest holds the order of the packages and fails the build when somebody breaks it.
//
// The house ([House]) is one ordered list of steps; a package may import packages of earlier steps only. Besides the order, [Check] refuses
// what would make the project hard to reason about: third-party code in the first seven lines beyond the four modules that they need,
// a package that the list does not know, a package without a comment, init functions, blank imports, environment variables below cmd,
// package-level variables that can change, and random numbers from anywhere but rng. Files of tests are not checked: a test may look at
// whatever it needs. Documentation of each direct dependency is checked too.
//
// To add a package, put it into the step where its imports allow it to be; the order says what a reader may assume.
package archtest

import (
	"path"
	"strings"
)

// Module is the path of the module, without a slash at its end.
const Module = "github.com/mlfactory/mlfactory"

// Step is a set of packages that know all earlier steps and not each other. A name that ends in "/*" stands for the packages one or more
// levels below it.
type Step struct {
	Line     int // of the house, as the design numbers it
	Packages []string
}

// House returns the steps in order.
func House() []Step {
	return []Step{
		{1, []string{"."}}, // the module's own sources, embedded so that a program can tell its code version
		{1, []string{"rng", "param"}},
		{2, []string{"stat", "frame"}},
		{3, []string{"bar/calendar"}},
		{3, []string{"bar"}},
		{3, []string{"bar/ingest"}},
		{3, []string{"bar/synth"}},
		{4, []string{"cost"}},
		{5, []string{"view"}},
		{6, []string{"feature/internal/*"}},
		{6, []string{"feature"}},
		{6, []string{"feature/*"}},
		{7, []string{"label"}},
		{7, []string{"split"}},
		{8, []string{"model"}},
		{8, []string{"model/modeltest"}},
		{8, []string{"model/tree/ensemble"}},
		{8, []string{"model/tree/format", "model/tree/explain"}},
		{8, []string{"model/tree/core"}},
		{8, []string{"model/tree/internal/treetest"}}, // for tests
		{8, []string{"model/tree/xgboost", "model/tree/lightgbm", "model/tree/catboost", "model/tree/forest"}},
		{8, []string{"model/nn/tape", "model/nn/safetensors"}},
		{8, []string{"model/nn/trainer"}},
		{8, []string{"model/*"}},
		{9, []string{"calibrate", "importance", "tune"}},
		{10, []string{"ensemble"}},
		{11, []string{"trade"}},
		{11, []string{"judge"}},
		{12, []string{"store"}},
		{12, []string{"flow"}},
		{13, []string{"recipe"}},
		{13, []string{"bundle"}},
		{13, []string{"factory"}},
		{14, []string{"audit", "report", "serve", "monitor", "retrain", "track"}},
		{14, []string{"command"}},          // what each command of the program does; see docs/decisions/0020
		{15, []string{"cmd/*", "bench/*"}}, // programs: bench holds comparisons that are run by hand
	}
}

// helpers are the packages below internal/, which every line may import. They import the standard library, golang.org/x, arrow-go and the
// packages named here.
func helpers() map[string][]string {
	return map[string][]string{
		"internal/archtest":    nil,
		"internal/docscheck":   nil,
		"internal/floats":      nil,
		"internal/onnx":        nil,
		"internal/race":        nil,
		"internal/shareddata":  nil,
		"internal/simd":        nil,
		"internal/simd/colour": nil,
		"internal/simd/gen":    {"internal/simd/colour"},
		"internal/simd/field":  {"internal/simd"},
		"internal/simd/gemm":   {"internal/simd"},
		"internal/simd/hist":   {"internal/simd"},
		"internal/simd/tree":   {"internal/simd"},
		"internal/simd/vec":    {"internal/simd", "internal/simd/colour"},
	}
}

// place returns the index of the step of a package, and whether the house has one for it. An exact name counts before a star, and of
// several stars the longest.
func place(house []Step, pkg string) (int, bool) {
	best, length := -1, -1
	for i, s := range house {
		for _, p := range s.Packages {
			if p == pkg {
				return i, true
			}
			if stem, star := strings.CutSuffix(p, "*"); star && strings.HasPrefix(pkg, stem) && len(stem) > length {
				best, length = i, len(stem)
			}
		}
	}
	return best, best >= 0
}

// thirdPartyEarly are the modules that lines 1 to 7 may use.
func thirdPartyEarly() []string {
	return []string{"gonum.org/v1/gonum", "github.com/apache/arrow-go/v18", "github.com/klauspost/compress", "golang.org/x/sys"}
}

// under reports whether an import path is the module or lies below it.
func under(module, imported string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}

// exception is one thing that one place may do although the rule forbids it.
type exception struct {
	rule, pkg, what string // pkg may be a path.Match pattern; what is "*" for everything
}

// exceptions lists them all.
func exceptions() []exception {
	return []exception{
		{"blank import", "store", "modernc.org/sqlite"},
		{"blank import", "*", "embed"},
		{"blank import", "*/*", "embed"},
		{"blank import", "*/*/*", "embed"},
		{"blank import", "cmd/*", "time/tzdata"},
		{"blank import", "bar/calendar", "time/tzdata"},         // sessions need zones on a machine that has none
		{"environment", "cmd/*", "*"},                           // flags and environment end here
		{"environment", "internal/shareddata", "*"},             // serves tests only
		{"package variable", "internal/simd", "chosen"},         // the kernel path in use: the one process-wide setting
		{"package variable", "internal/simd", "detected"},       // what the processor can do, asked once
		{"random numbers", "rng", "*"},                          // the one source
		{"random numbers", "model/tree/internal/treetest", "*"}, // rows for tests, which no run depends on
	}
}

func excepted(rule, pkg, what string) bool {
	for _, e := range exceptions() {
		if ok, err := path.Match(e.pkg, pkg); err == nil && ok && e.rule == rule && (e.what == what || e.what == "*") {
			return true
		}
	}
	return false
}
