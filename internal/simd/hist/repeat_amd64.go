package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func repeatAVX2(value *float32, count *uint8, n int, dst *float32, set *[256][8]uint8) (done, written int)

// repeat does values up to a multiple of eight; it returns how many, and how
// many it wrote.
func repeat(value []float32, count []uint8, dst []float32) (at, n int) {
	if simd.Current() == simd.Generic {
		return 0, 0
	}
	for len(value)-at >= Lanes {
		// As many as surely have room where none counts more than once; the
		// assembly stops at eight values of which one does.
		step := min(len(value)-at, len(dst)-n) &^ (Lanes - 1)
		if step == 0 {
			break
		}
		done, written := repeatAVX2(&value[at], &count[at], step, &dst[n], &setBits)
		at, n = at+done, n+written
		if done < step {
			n += repeatGeneric(value[at:at+Lanes], count[at:], dst[n:])
			at += Lanes
		}
	}
	return at, n
}
