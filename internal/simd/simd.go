// Package simd knows which vector instructions the processor offers and which kernels the process uses.
//
// There are three kernel paths. Generic is plain Go and the only one outside amd64; AVX2 and AVX512 are assembly written by the generator
// in internal/simd/gen. Every kernel has a plain-Go twin, which is its oracle in tests. The kernels in internal/simd/vec give the same
// bits on every path; where another kernel cannot, its package states the bound, and the path is part of every key that names a result.
//
// The path in use is the one process-wide setting of the project: an atomic that starts as the best path of the machine. Only cmd may
// change it, once, before work begins ([Use]), and tests, for their own duration ([Force]). Nothing here reads the environment.
package simd

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
)

// Path is a set of kernels.
type Path uint8

// The paths, from the plainest to the widest.
const (
	Generic Path = iota
	AVX2         // AVX2, FMA, BMI1, BMI2
	AVX512       // all of AVX2 and AVX-512 F, DQ, BW, VL
)

// String returns the name of the path as it stands in keys, flags and reports: "generic", "avx2" or "avx512".
func (p Path) String() string {
	switch p {
	case Generic:
		return "generic"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return fmt.Sprintf("path(%d)", uint8(p))
}

// Parse returns the path of that name.
func Parse(name string) (Path, error) {
	for p := Generic; p <= AVX512; p++ {
		if p.String() == name {
			return p, nil
		}
	}
	return Generic, fmt.Errorf("simd: unknown kernel path %q; known: generic, avx2, avx512", name)
}

// Best returns the widest path that this machine can run.
func Best() Path { return best }

// best is what the processor says.
//
// const
var best = func() Path {
	switch {
	case all(needs(AVX512)):
		return AVX512
	case all(needs(AVX2)):
		return AVX2
	}
	return Generic
}()

// Supported returns every path that this machine can run, the plainest first.
func Supported() []Path {
	var out []Path
	for p := Generic; p <= Best(); p++ {
		out = append(out, p)
	}
	return out
}

// ability is one instruction set and whether both the processor and the system support it.
type ability struct {
	name string
	has  bool
}

func all(list []ability) bool {
	for _, a := range list {
		if !a.has {
			return false
		}
	}
	return len(list) > 0
}

// chosen holds the path in use plus one; zero means that nobody has chosen and Best applies.
var chosen atomic.Uint32

// Current returns the path in use.
func Current() Path {
	if c := chosen.Load(); c != 0 {
		return Path(c - 1) // #nosec G115 -- stored from a Path
	}
	return Best()
}

// Use makes the process use p from now on. It refuses a path that the machine cannot run. Only cmd calls it, before any work begins.
func Use(p Path) error {
	if p > Best() {
		return fmt.Errorf("simd: this machine cannot run the kernel path %v; its best is %v", p, Best())
	}
	chosen.Store(uint32(p) + 1)
	return nil
}

// TB is the part of testing.TB that Force needs, so that no shipped package imports testing.
type TB interface {
	Helper()
	Cleanup(func())
	Skipf(format string, args ...any)
}

// Force makes the process use p until the test ends, and skips the test on a machine that cannot run p. A test that calls it must not
// run in parallel with others of its package.
func Force(t TB, p Path) {
	t.Helper()
	before := chosen.Load()
	if err := Use(p); err != nil {
		t.Skipf("%v", err)
		return
	}
	t.Cleanup(func() { chosen.Store(before) })
}

// Description is what a person needs to know about the kernels in use.
type Description struct {
	Arch    string   `json:"arch"`
	Path    string   `json:"path"`    // in use
	Best    string   `json:"best"`    // the widest possible here
	Offers  []string `json:"offers"`  // instruction sets that the kernels can use and the machine has
	Lacks   []string `json:"lacks"`   // those that it has not
	Default bool     `json:"default"` // nobody chose the path
}

// Describe returns the state of this process.
func Describe() Description {
	d := Description{Arch: runtime.GOARCH, Path: Current().String(), Best: Best().String(), Default: chosen.Load() == 0}
	for _, a := range needs(AVX512) {
		if a.has {
			d.Offers = append(d.Offers, a.name)
		} else {
			d.Lacks = append(d.Lacks, a.name)
		}
	}
	return d
}

// String returns one line, such as "avx2 on amd64 (best; has avx2 fma bmi1 bmi2; lacks avx512f)".
func (d Description) String() string {
	parts := []string{"best"}
	if d.Path != d.Best {
		parts[0] = "best would be " + d.Best
	}
	if len(d.Offers) > 0 {
		parts = append(parts, "has "+strings.Join(d.Offers, " "))
	}
	if len(d.Lacks) > 0 {
		parts = append(parts, "lacks "+strings.Join(d.Lacks, " "))
	}
	return fmt.Sprintf("%s on %s (%s)", d.Path, d.Arch, strings.Join(parts, "; "))
}
