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
	norms := make([]float64, len(f.params))
	grads := make([][]float32, len(f.params))
	f.parallel(len(f.params), func(i int) {
		if f.params[i].Absorb != nil {
			return
		}
		g := f.params[i].SumGrads(0, len(f.params[i].Value))
		grads[i] = g
		norms[i] = float64(vec.Dot(g, g))
	})
	norm := 0.0
	for _, v := range norms {
		norm += v
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
	f.parallel(len(f.params), func(i int) {
		p, g := f.params[i], grads[i]
		if p.Absorb == nil {
			f.adamw(p, g, i, n, scale, rate)
		}
		if f.ema != nil {
			// The first steps would keep the start for long: count them evenly.
			d := float32(min(c.EMA, n/(n+9)))
			vec.Scale(f.ema[i], f.ema[i], d)
			vec.Axpy(1-d, p.Value, f.ema[i])
		}
		p.Forget()
	})
	return norm, nil
}

// adamw takes step n, from 1, of parameter i with gradient g scaled by scale.
func (f *fitter) adamw(p *tape.Param, g []float32, i int, n float64, scale float32, rate float64) {
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
	vec.AdamW(p.Value, g, f.m[i], f.v[i], p.Value, f.m[i], f.v[i],
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
	}
}
