package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
)

// product is one shape of a matrix product, m×k by k×n, and whether A is read as
// a transpose, as in a weight gradient.
type product struct {
	m, k, n    int
	transposed bool
}

// products are those of small networks at batch 256 and windows of 60×40.
func products() []product {
	return []product{{256, 256, 256, false}, {512, 512, 512, false}, {256, 40, 256, false}, {256, 64, 192, false},
		{15360, 64, 64, false}, {15360, 40, 192, false}, {64, 15360, 192, true}}
}

// multiply is the speed of one thread in GF/s, of the core and of each product:
// of many short calls, all in turn, so that the neighbours and the clock of the core
// are the same for all. What 99 of 100 calls do not exceed counts, as bursts of other
// comparisons count by the shortest: where another thread of the same core works,
// which no setting here prevents, caches and units are shared and most calls are
// slower by a fifth.
func multiply(products []product, rounds int) map[string]float64 {
	type side struct {
		name  string
		flops float64
		call  func()
	}
	var sides []side
	if f, call := peak(simd.Current()); call != nil {
		sides = append(sides, side{"peak", f, call})
	}
	for _, p := range products {
		a, b, c := make([]float32, p.m*p.k), make([]float32, p.k*p.n), make([]float32, p.m*p.n)
		for i := range a {
			a[i] = value(i/channels40, i%channels40)
		}
		for i := range b {
			b[i] = value(i/channels40, i%channels40)
		}
		am := gemm.Rows(a, p.k)
		if p.transposed {
			am = gemm.Cols(a, p.m)
		}
		flops := 2 * float64(p.m) * float64(p.k) * float64(p.n)
		reps := max(1, int(1e8/flops))
		var buf gemm.Buffer
		sides = append(sides, side{fmt.Sprintf("%dx%dx%d", p.m, p.k, p.n), flops * float64(reps), func() {
			for range reps {
				gemm.Mul(p.m, p.n, p.k, am, gemm.Rows(b, p.n), c, p.n, false, &buf)
			}
		}})
	}
	speeds := map[string][]float64{}
	for range rounds {
		for _, s := range sides {
			s.call() // the caches are the last call's
			start := time.Now()
			s.call()
			speeds[s.name] = append(speeds[s.name], s.flops/time.Since(start).Seconds()/1e9)
		}
	}
	out := map[string]float64{}
	for name, x := range speeds {
		slices.Sort(x)
		out[name] = x[(len(x)-1)*99/100]
	}
	return out
}
