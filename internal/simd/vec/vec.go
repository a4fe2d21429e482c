// Package vec holds kernels over float32 vectors, with the same bits on every kernel path.
//
// To give the same bits, every path performs the same roundings in the same order: sums run in 64 lanes that are merged as a fixed tree,
// and a product is rounded before it is added, or by every path only with the sum: plain Go then rounds as a fused instruction does. Only
// the payload of a NaN may differ. Vectors of different lengths are a programmer's mistake and panic.
package vec

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd"
)

//go:generate go run ../gen ..

// dotLanes is the number of running sums of Dot; the generator has the same constant.
const dotLanes = 64

// Dot returns Σ a[i]·b[i] in float32, for vectors of any equal length (0 when empty).
//
// Lane j sums the elements j, j+64, j+128, … in this order; lanes are then merged as lane j plus lane j+w for w = 32, 16, 8, 4, 2, 1. The
// rounding error is at most (n/64 + 7)·ε·Σ|a[i]·b[i]| with ε = 2⁻²⁴ to first order. NaN and infinities propagate. O(n), no allocation.
// It panics when the lengths differ.
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("vec: dot of %d and %d elements", len(a), len(b)))
	}
	var sums [dotLanes]float32
	done := 0
	if blocks := len(a) / dotLanes; blocks > 0 {
		done = blocks * dotLanes
		dotBlocks(simd.Current(), a[:done], b[:done], &sums)
	}
	for j := range len(a) - done {
		sums[j] += float32(a[done+j] * b[done+j])
	}
	for w := dotLanes / 2; w > 0; w /= 2 {
		for j := range w {
			sums[j] += sums[j+w]
		}
	}
	return sums[0]
}

// dotGeneric is the twin of the assembly: a and b have a multiple of 64 elements.
func dotGeneric(a, b []float32, sums *[dotLanes]float32) {
	for len(a) >= dotLanes && len(b) >= dotLanes {
		x, y := (*[dotLanes]float32)(a), (*[dotLanes]float32)(b)
		for j := range sums {
			sums[j] += float32(x[j] * y[j])
		}
		a, b = a[dotLanes:], b[dotLanes:]
	}
}

// Axpy adds alpha·x to y element by element, in float32 with two roundings each. NaN and infinities propagate. O(n), no allocation. It
// panics when the lengths differ. x and y may be the same vector but must not overlap otherwise.
func Axpy(alpha float32, x, y []float32) {
	if len(x) != len(y) {
		panic(fmt.Sprintf("vec: axpy of %d and %d elements", len(x), len(y)))
	}
	done := axpyBlocks(simd.Current(), alpha, x, y)
	axpyGeneric(alpha, x[done:], y[done:])
}

func axpyGeneric(alpha float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float32(alpha * v)
	}
}

// same panics when two vectors of a call differ in length.
func same(name string, n, m int) {
	if n != m {
		panic(fmt.Sprintf("vec: %s of %d and %d elements", name, n, m))
	}
}
