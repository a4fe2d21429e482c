package trainer

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// update adds up the gradients, clips them, takes a step and returns the length of
// the gradient before.
func (f *fitter) update() (float64, error) {
	if f.pieces == nil {
		f.cut()
	}
	f.crew.run(len(f.pieces), func(k int) {
		c := &f.pieces[k]
		if p := f.params[c.param]; p.Absorb == nil {
			c.grad = p.SumGrads(c.lo, c.hi)
			c.norm = float64(vec.Dot(c.grad, c.grad))
		}
	})
	norm := 0.0
	for k := range f.pieces {
		norm += f.pieces[k].norm
	}
	norm = math.Sqrt(norm)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("%w: the norm of the gradient is %v", ErrDiverged, norm)
	}
	scale := float32(1)
	if f.cfg.ClipNorm > 0 && norm > f.cfg.ClipNorm {
		scale = float32(f.cfg.ClipNorm / norm)
	}
	c := &f.cfg
	rate, n := f.rate(f.step), float64(f.step+1)
	f.step++
	for _, p := range f.params {
		if p.Absorb != nil {
			p.Settle()
		}
	}
	f.crew.run(len(f.pieces), func(k int) {
		piece := &f.pieces[k]
		p := f.params[piece.param]
		if p.Absorb == nil {
			f.adamw(p, piece, n, scale, rate)
		}
		if f.ema != nil {
			// The first steps would keep the start for long: count them evenly.
			d, mean := float32(min(c.EMA, n/(n+9))), f.ema[piece.param][piece.lo:piece.hi]
			vec.Scale(mean, mean, d)
			vec.Axpy(1-d, p.Value[piece.lo:piece.hi], mean)
		}
	})
	for _, p := range f.params {
		p.Changed()
		p.Forget()
	}
	return norm, nil
}

// piece is a run of the values of a parameter that one worker updates at a time,
// small enough for its gradients, moments and weights to stay in the cache.
// Sums of squares are by piece, so that they do not depend on the workers.
type piece struct {
	param, lo, hi int
	grad          []float32
	norm          float64
}

// pieceValues is the most that a piece holds.
const pieceValues = 1 << 13

// cut divides all parameters into pieces.
func (f *fitter) cut() {
	for i, p := range f.params {
		for lo := 0; lo < len(p.Value); lo += pieceValues {
			f.pieces = append(f.pieces, piece{param: i, lo: lo, hi: min(lo+pieceValues, len(p.Value))})
		}
	}
}

// adamw takes step n, from 1, of a piece of p, its gradient scaled by scale.
func (f *fitter) adamw(p *tape.Param, part *piece, n float64, scale float32, rate float64) {
	g := part.grad
	if scale != 1 {
		vec.Scale(g, g, scale)
	}
	if p.Rate != 0 {
		rate *= p.Rate
	}
	c := &f.cfg
	decay := float32(1)
	if !p.NoDecay {
		decay = float32(1 - rate*c.WeightDecay)
	}
	root := float32(1 / math.Sqrt(1-math.Pow(c.Beta2, n)))
	step := float32(rate / (1 - math.Pow(c.Beta1, n)))
	w, m, v := p.Value[part.lo:part.hi], f.m[part.param][part.lo:part.hi], f.v[part.param][part.lo:part.hi]
	vec.AdamW(w, g, m, v, w, m, v,
		float32(c.Beta1), float32(1-c.Beta1), float32(c.Beta2), float32(1-c.Beta2), root, float32(c.Epsilon), step, decay)
}

// useAverage puts the averaged weights in place, if there are any, and returns
// what puts the trained ones back.
func (f *fitter) useAverage() (restore func()) {
	if f.ema == nil {
		return func() {}
	}
	f.swap()
	return f.swap
}

func (f *fitter) swap() {
	for i, p := range f.params {
		p.Value, f.ema[i] = f.ema[i], p.Value
		p.Changed()
	}
}

// copyTo copies the present weights to v, which is made where it is nil.
func (f *fitter) copyTo(v [][]float32) [][]float32 {
	if v == nil {
		for _, p := range f.params {
			v = append(v, make([]float32, len(p.Value)))
		}
	}
	for i, p := range f.params {
		copy(v[i], p.Value)
	}
	return v
}

// restore makes v the present weights.
func (f *fitter) restore(v [][]float32) {
	for i, p := range f.params {
		copy(p.Value, v[i])
		p.Changed()
	}
}
