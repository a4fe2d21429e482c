package hist

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// addScoresAVX2 adds the scores after n bins from bin 1 on. acc has 8 sums for
// each of the channels, with 2⁶³ added; g the gradients of the leaf, 4 equal
// ones for each.
//
//go:noescape
func addScoresAVX2(hs **Block, channels, n int, c *levelConst, grad *[4]float64, acc *uint64, num, den *float64)

// levelConst is a leaf in the layout of the assembly: every constant in four
// lanes. exp is the exponent of 2⁵², bias2 is 2⁵²+2³¹; rest has all bits set or
// none.
type levelConst struct {
	w, lambda, one [4]float64
	exp            [4]uint64
	bias, bias2    [4]float64
	rest           [4]uint64
}

func addScores(hs []*Block, n int, lf *Leaf, scratch *[]uint64, num, den *[Bins * Lanes]float64) {
	if simd.Current() == simd.Generic {
		addScoresGeneric(hs, n, lf, scratch, num, den)
		return
	}
	acc := room(scratch, len(hs))
	lf.first(hs, acc, num, den)
	if n == 1 {
		return
	}
	for i := range acc {
		acc[i] ^= 1 << 63
	}
	var few [4][4]float64 // of the channels, if they are few
	g := few[:]
	if len(hs) > len(few) {
		g = make([][4]float64, len(hs))
	}
	var c levelConst
	w := float64(int64(lf.Total[0] & math.MaxUint32)) // #nosec G115 -- 32 bits
	rest := uint64(0)
	if lf.Rest {
		rest = math.MaxUint64
	}
	for k := range 4 {
		c.w[k], c.lambda[k], c.one[k], c.exp[k], c.bias[k], c.bias2[k], c.rest[k] = w, lf.Lambda, 1, 0x4330000000000000, 1<<52, 1<<52+1<<31, rest
		for i, t := range lf.Total {
			g[i][k] = float64(int64(t) >> 32) // #nosec G115 -- two's complement
		}
	}
	addScoresAVX2(&hs[0], len(hs), n-1, &c, &g[0], &acc[0], &num[0], &den[0])
}
