package catboost

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model/tree/core"
)

// derive fills d with the derivatives, times the weights of the rows, of the
// rows at places lo to hi of a part.
func (t *trainer) derive(f *fold, p *part, lo, hi int) {
	k := t.l.k
	if t.l.custom != nil {
		t.deriveCustom(f, p, lo, hi)
		return
	}
	t.chunks(hi-lo, func(_, a, b int) {
		s := make([]float64, k)
		for i := lo + a; i < lo+b; i++ {
			r := f.perm[i]
			w := t.tg.Weight(int(r))
			if t.l.name != MultiClass {
				t.d[0][r] = float32(w * t.l.derivative(t.tg.Y[r], p.score[i]))
				continue
			}
			copy(s, p.score[i*k:i*k+k])
			softmax(s)
			y := int(t.tg.Y[r])
			for c, v := range s {
				if c == y {
					v--
				}
				t.d[c][r] = float32(-w * v)
			}
		}
	})
}

// deriveCustom is derive for a custom objective.
func (t *trainer) deriveCustom(f *fold, p *part, lo, hi int) {
	k := t.l.k
	t.est.load(&t.tg, f.perm[:hi], []extent{{lo, hi}}, p.score, f.place)
	t.est.put(make([]float64, k))
	t.chunks(hi-lo, func(_, a, b int) {
		rows := f.perm[lo+a : lo+b]
		t.l.custom.Gradients(rows, &t.tg, t.est.single, t.est.g, t.est.h)
		for c, d := range t.d {
			for _, r := range rows {
				d[r] = -t.est.g[c][r]
			}
		}
	})
}

// size sums the squared derivatives of every row over the scores and returns
// them, where rows are drawn by them, with their total; root is the mean of their
// roots.
func (t *trainer) size() (size []float64, total, root float64) {
	n := len(t.h)
	if t.cfg.BootstrapType == mvs || t.cfg.BoostingType != plain {
		size = make([]float64, n)
	}
	parts := make([][2]float64, (n+core.Chunk-1)/core.Chunk)
	t.chunks(n, func(c, lo, hi int) {
		for i := lo; i < hi; i++ {
			s := 0.0
			for _, d := range t.d {
				s += float64(float64(d[i]) * float64(d[i]))
			}
			if size != nil {
				size[i] = s
				parts[c][1] += math.Sqrt(s)
			}
			parts[c][0] += s
		}
	})
	for _, p := range parts {
		total, root = total+p[0], root+p[1]
	}
	return size, total, root / float64(n)
}

// sample draws the weights of the rows for a round and reports whether they
// differ from 1. size are the squared derivatives.
func (t *trainer) sample(round int, size []float64, root float64) bool {
	c, stream := &t.cfg, t.stream.Stream("bootstrap", round)
	switch {
	case c.BootstrapType == bayesian && c.BaggingTemperature > 0:
		bayesianWeights(t.weight, c.BaggingTemperature, stream)
	case c.BootstrapType == bernoulli && c.Subsample < 1:
		bernoulliWeights(t.weight, c.Subsample, stream)
	case c.BootstrapType == mvs && c.Subsample < 1:
		lambda := c.MVSReg
		if lambda < 0 {
			if round > 0 {
				root = t.leaf
			}
			lambda = root * root
		}
		mvsWeights(t.weight, size, lambda, c.Subsample, stream)
	default:
		return false
	}
	return true
}

// pack quantises derivatives and weights of the rows to dst, or, where sums are
// wide, the weights to weights; from the row number drawn on they are those of
// the sample.
func (t *trainer) pack(rows []uint32, drawn int, sampled bool, dst [][]uint64, weights []uint64) core.Scales {
	k, n := t.l.k, len(rows)
	parts := make([]float64, (n+core.Chunk-1)/core.Chunk*(k+1))
	m := t.chunks(n, func(c, lo, hi int) {
		s := parts[c*(k+1) : (c+1)*(k+1)]
		for i, r := range rows[lo:hi] {
			w, draw := float32(1), sampled && lo+i >= drawn
			if t.tg.W != nil {
				w = t.tg.W[r]
			}
			if draw {
				w *= t.weight[r]
			}
			t.h[r] = w
			s[k] += float64(w)
			for c, d := range t.d {
				if draw {
					d[r] *= t.weight[r]
				}
				s[c] += math.Abs(float64(d[r]))
			}
		}
	})
	sums := make([]float64, k+1)
	for c := range m {
		for j := range sums {
			sums[j] += parts[c*(k+1)+j]
		}
	}
	most := 0.0
	for _, s := range sums[:k] {
		most = max(most, s)
	}
	if weights != nil {
		sc := core.NewWideScales(most, sums[k], n)
		for c, gh := range dst {
			t.chunks(n, func(_, lo, hi int) { sc.QuantiseWide(rows[lo:hi], t.d[c], t.h, gh, weights) })
		}
		return sc
	}
	sc := core.NewScales(most, sums[k], n)
	for c, gh := range dst {
		t.chunks(n, func(_, lo, hi int) { sc.Quantise(rows[lo:hi], t.d[c], t.h, gh) })
	}
	return sc
}

// badGradient names the first row whose derivatives are of no use.
func (t *trainer) badGradient() error {
	for i := range t.tg.Y {
		for c, d := range t.d {
			if !core.Finite32(d[i]) {
				return fmt.Errorf("objective %q gives row %d of the training rows the gradient %v for score %d; it must be finite", t.l.name, i, -d[i], c)
			}
		}
	}
	return fmt.Errorf("the gradients of objective %q are too large; scale the target or the weights", t.l.name)
}
