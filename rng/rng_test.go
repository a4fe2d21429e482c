package rng_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

func TestStreamIsPureFunctionOfSeedAndPath(t *testing.T) {
	a := rng.New(7).Stream("bagging", 2, 5).Rand()
	noise := rng.New(7).Stream("other").Rand()
	noise.Uint64()
	b := rng.New(7).Stream("bagging", 2, 5).Rand()
	for i := range 100 {
		if x, y := a.Uint64(), b.Uint64(); x != y {
			t.Fatalf("draw %d: %d and %d differ", i, x, y)
		}
	}
}

func TestPathsDoNotCollide(t *testing.T) {
	root := rng.New(1)
	seen := map[uint64]string{}
	add := func(name string, s rng.Stream) {
		t.Helper()
		if other, ok := seen[s.Uint64()]; ok {
			t.Fatalf("%s and %s share a stream", name, other)
		}
		seen[s.Uint64()] = name
	}
	add("root", root)
	add("a,1", root.Stream("a", 1))
	add("a1", root.Stream("a1"))
	add("a/1", root.Stream("a").Stream("1"))
	add("a,-1", root.Stream("a", -1))
	add("a,1,0", root.Stream("a", 1, 0))
	add("seed 2", rng.New(2))
	for i := range 1000 {
		add(fmt.Sprint("n", i), root.Stream("n", i))
	}
}

// The mean of n uniforms lies within 5 standard errors of one half, and
// neighbouring streams are uncorrelated to 5 standard errors.
func TestNeighbouringStreamsAreUncorrelated(t *testing.T) {
	const n = 20000
	a, b := rng.New(3).Stream("x", 1).Rand(), rng.New(3).Stream("x", 2).Rand()
	var sa, sb, sab float64
	for range n {
		u, v := a.Float64()-0.5, b.Float64()-0.5
		sa, sb, sab = sa+u, sb+v, sab+u*v
	}
	se := math.Sqrt(1.0 / 12 / n)
	if math.Abs(sa/n) > 5*se || math.Abs(sb/n) > 5*se {
		t.Errorf("means %g and %g, want 0 within %g", sa/n, sb/n, 5*se)
	}
	if c := sab / n * 12; math.Abs(c) > 5/math.Sqrt(n) {
		t.Errorf("correlation %g, want 0 within %g", c, 5/math.Sqrt(n))
	}
}

func ExampleStream_Stream() {
	root := rng.New(42)
	tree := root.Stream("bagging", 0, 3)
	fmt.Println(tree.Rand().IntN(100) == root.Stream("bagging", 0, 3).Rand().IntN(100))
	// Output: true
}
