package main

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func peakAVX2(rounds int)

//go:noescape
func peakAVX512(rounds int)

// peak is a loop of fused multiply-adds that touches registers only, and the
// number of operations of a call.
func peak(p simd.Path) (flops float64, call func()) {
	const rounds = 1000000
	switch p {
	case simd.AVX2:
		return rounds * 12 * 8 * 2, func() { peakAVX2(rounds) }
	case simd.AVX512:
		return rounds * 12 * 16 * 2, func() { peakAVX512(rounds) }
	}
	return 0, nil
}
