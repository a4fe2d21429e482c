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

func (c *levelConst) set(total uint64, lambda float64, rest bool) {
	for k := range 4 {
		c.w[k], c.lambda[k], c.one[k] = float64(int64(total&math.MaxUint32)), lambda, 1 // #nosec G115 -- 32 bits
		c.exp[k], c.bias[k], c.bias2[k] = 0x4330000000000000, 1<<52, 1<<52+1<<31
		if rest {
			c.rest[k] = math.MaxUint64
		}
	}
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
	c.set(lf.Total[0], lf.Lambda, lf.Rest)
	for i, t := range lf.Total {
		for k := range 4 {
			g[i][k] = float64(int64(t) >> 32) // #nosec G115 -- two's complement
		}
	}
	addScoresAVX2(&hs[0], len(hs), n-1, &c, &g[0], &acc[0], &num[0], &den[0])
}

// addHeldScoresAVX2 is addScoresAVX2 for bodies and tails; acc and grad have
// those of a channel in turn.
//
//go:noescape
func addHeldScoresAVX2(body, tail **Block, channels, n int, c *heldConst, grad *[8]float64, acc *uint64, num, den *float64)

// heldConst is a levelConst of the body with what the tail needs.
type heldConst struct {
	levelConst
	wt, unit [4]float64
}

func addHeldScores(body, tail []*Block, n int, lf *HeldLeaf, scratch *[]uint64, num, den *[Bins * Lanes]float64) {
	if simd.Current() == simd.Generic {
		addHeldScoresGeneric(body, tail, n, lf, scratch, num, den)
		return
	}
	acc := room(scratch, 2*len(body))
	lf.first(body, tail, acc, num, den)
	if n == 1 {
		return
	}
	for i := range acc {
		acc[i] ^= 1 << 63
	}
	var few [4][8]float64
	g := few[:]
	if len(body) > len(few) {
		g = make([][8]float64, len(body))
	}
	var c heldConst
	c.set(lf.Body[0], lf.Lambda, lf.Rest)
	for k := range 4 {
		c.wt[k], c.unit[k] = float64(int64(lf.Tail[0]&math.MaxUint32)), lf.Unit // #nosec G115 -- 32 bits
		for i := range lf.Body {
			g[i][k], g[i][4+k] = float64(int64(lf.Body[i])>>32), float64(int64(lf.Tail[i])>>32) // #nosec G115 -- two's complement
		}
	}
	addHeldScoresAVX2(&body[0], &tail[0], len(body), n-1, &c, &g[0], &acc[0], &num[0], &den[0])
}
