package catboost

import (
	"math"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/stat"
)

// extent is the run of rows [lo, hi) of a leaf in the order of the leaves.
type extent struct{ lo, hi int }

// estimator finds leaf values for rows in the order of their leaves. Its
// buffers are kept from tree to tree.
type estimator struct {
	l   *loss
	cfg *Config
	pl  *core.Pool

	t      *core.Targets
	rows   []uint32  // in the order of the leaves
	y, w   []float32 // of these rows; w nil: all 1
	score  []float64 // k a row
	chunks []chunk
	sums   []leafSum // of the chunks
	slope  []float64 // of each leaf: k first derivatives where values began

	single []float32   // scores of all rows, for a custom objective
	g, h   [][]float32 // and what it gives
}

// chunk is a piece of a leaf.
type chunk struct{ leaf, lo, hi int }

// leafSum are sums over rows: k first derivatives, the second derivatives (the
// upper triangle of a k×k matrix, row by row), weight and loss.
type leafSum struct {
	d1, d2       []float64
	weight, loss float64
}

// load takes the rows of the leaves: rows[extent] in turn, and the score of row
// r at at(r)·k of score.
func (e *estimator) load(t *core.Targets, rows []uint32, leaves []extent, score []float64, place []uint32) {
	n, k := len(rows), e.l.k
	e.t, e.rows = t, rows
	e.y = grown(e.y, n)
	if t.W != nil {
		e.w = grown(e.w, n)
	}
	e.score = grown(e.score, n*k)
	e.chunks = e.chunks[:0]
	for l, x := range leaves {
		for lo := x.lo; lo < x.hi; lo += core.Chunk {
			e.chunks = append(e.chunks, chunk{l, lo, min(x.hi, lo+core.Chunk)})
		}
	}
	for len(e.sums) < len(e.chunks) {
		e.sums = append(e.sums, leafSum{d1: make([]float64, k), d2: make([]float64, k*(k+1)/2)})
	}
	e.each(func(_ *leafSum, c *chunk) {
		for i := c.lo; i < c.hi; i++ {
			r := rows[i]
			e.y[i] = t.Y[r]
			if t.W != nil {
				e.w[i] = t.W[r]
			}
			p := int(place[r]) * k
			copy(e.score[i*k:i*k+k], score[p:p+k])
		}
	})
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// each calls f for every chunk.
func (e *estimator) each(f func(s *leafSum, c *chunk)) {
	e.pl.Each(len(e.chunks), func(next func() int) {
		for i := next(); i < len(e.chunks); i = next() {
			f(&e.sums[i], &e.chunks[i])
		}
	})
}

// at sums derivatives (derive) and losses (lose) of every leaf with value added
// to the scores of its rows; value has k numbers a leaf. dst has a sum for every
// leaf. It returns the loss of all leaves.
func (e *estimator) at(value []float64, derive, lose bool, dst []leafSum) float64 {
	if e.l.custom != nil {
		e.put(value)
	}
	e.each(func(s *leafSum, c *chunk) {
		clear(s.d1)
		clear(s.d2)
		s.weight, s.loss = 0, 0
		e.add(s, c, value[c.leaf*e.l.k:(c.leaf+1)*e.l.k], derive, lose)
	})
	for i := range dst {
		clear(dst[i].d1)
		clear(dst[i].d2)
		dst[i].weight, dst[i].loss = 0, 0
	}
	total := 0.0
	for i := range e.chunks {
		s, d := &e.sums[i], &dst[e.chunks[i].leaf]
		for j, v := range s.d1 {
			d.d1[j] += v
		}
		for j, v := range s.d2 {
			d.d2[j] += v
		}
		d.weight += s.weight
		total += s.loss
	}
	if e.l.custom != nil && lose {
		return e.l.custom.Mean(e.t, e.single)
	}
	return total
}

// put makes the scores of the loaded rows, with value added, those that a custom
// objective sees. The scores of other rows stay what they were, so that
// differences of the mean loss are those of the loaded rows.
func (e *estimator) put(value []float64) {
	k, n := e.l.k, len(e.t.Y)
	if len(e.single) != n*k {
		e.single = make([]float32, n*k)
		e.g, e.h = make([][]float32, k), make([][]float32, k)
		for c := range k {
			e.g[c], e.h[c] = make([]float32, n), make([]float32, n)
		}
	}
	e.each(func(_ *leafSum, c *chunk) {
		for i := c.lo; i < c.hi; i++ {
			for j := range k {
				e.single[int(e.rows[i])*k+j] = float32(e.score[i*k+j] + value[c.leaf*k+j])
			}
		}
	})
}

// custom adds the rows of a chunk by a custom objective, whose Hessian is
// diagonal.
func (e *estimator) custom(s *leafSum, c *chunk) {
	rows := e.rows[c.lo:c.hi]
	e.l.custom.Gradients(rows, e.t, e.single, e.g, e.h)
	at := 0
	for j := range e.g {
		for _, r := range rows {
			s.d1[j] -= float64(e.g[j][r])
			s.d2[at] -= float64(e.h[j][r])
		}
		at += e.l.k - j
	}
	for _, r := range rows {
		s.weight += e.t.Weight(int(r))
	}
}

// add adds the rows of a chunk.
func (e *estimator) add(s *leafSum, c *chunk, value []float64, derive, lose bool) {
	l, k := e.l, e.l.k
	y := e.y[c.lo:c.hi]
	var w []float32
	if e.w != nil {
		w = e.w[c.lo:c.hi]
	}
	switch {
	case l.custom != nil:
		e.custom(s, c)
	case l.name == MultiClass:
		p := make([]float64, k)
		for i := range y {
			wi := 1.0
			if w != nil {
				wi = float64(w[i])
			}
			a := e.score[(c.lo+i)*k : (c.lo+i+1)*k]
			for j := range p {
				p[j] = a[j] + value[j]
			}
			own := p[int(y[i])]
			if top, sum := softmax(p); lose {
				s.loss += float64(wi * (top + stat.Log(sum) - own))
			}
			s.weight += wi
			if derive {
				at := 0
				for j, v := range p {
					s.d1[j] -= float64(wi * v)
					s.d2[at] += float64(wi * float64(v*(v-1)))
					at++
					for _, u := range p[j+1:] {
						s.d2[at] += float64(wi * float64(v*u))
						at++
					}
				}
				s.d1[int(y[i])] += wi
			}
		}
	case l.name == Logloss:
		e.logloss(s, y, w, e.score[c.lo:c.hi], value[0], lose)
	default:
		hess := 0.0
		if l.name == RMSE {
			hess = -1
		}
		for i, yi := range y {
			wi, a := 1.0, e.score[c.lo+i]+value[0]
			if w != nil {
				wi = float64(w[i])
			}
			s.d1[0] += float64(wi * l.derivative(yi, a))
			s.d2[0] += float64(wi * hess)
			s.weight += wi
			if lose {
				s.loss += float64(wi * l.one(yi, []float64{a}))
			}
		}
	}
}

// logloss adds rows of Logloss. Without weights the logarithms of up to 256
// losses log(1+e^−m) are one logarithm of a product, which stays below 2²⁵⁶.
func (e *estimator) logloss(s *leafSum, y, w []float32, score []float64, value float64, lose bool) {
	d1, d2, sum, los := 0.0, 0.0, 0.0, 0.0
	product := 1.0
	for i, a := range score {
		a += value
		ex := expDown(-math.Abs(a))
		inv := 1 / (1 + ex)
		p := inv
		if a < 0 {
			p = ex * inv
		}
		d := float64(y[i]) - p
		h := float64(ex*inv) * inv
		over := a // the linear part of the loss
		if y[i] == 1 {
			over = -a
		}
		over = max(over, 0)
		if w == nil {
			d1 += d
			d2 -= h
			if lose {
				los += over
				product *= 1 + ex
				if i&255 == 255 {
					los += stat.Log(product)
					product = 1
				}
			}
			continue
		}
		wi := float64(w[i])
		d1 += float64(wi * d)
		d2 -= float64(wi * h)
		sum += wi
		if lose {
			los += float64(wi * (over + stat.Log(1+ex)))
		}
	}
	if w == nil {
		sum = float64(len(score))
		los += stat.Log(product)
	}
	s.d1[0], s.d2[0], s.weight, s.loss = d1, d2, sum, los
}

// step is the step of a leaf: Newton solves (−H + λ)·x = d, Gradient divides by
// weight + λ (online_predictor.h of CatBoost 1.2).
func (e *estimator) step(s *leafSum, lambda float64, out []float64) {
	switch {
	case s.weight <= 1.1920929e-07: // FLT_EPSILON, as in the library
		clear(out)
	case e.cfg.LeafMethod == gradient:
		for j, d := range s.d1 {
			out[j] = d / (s.weight + lambda)
		}
	case len(out) == 1:
		out[0] = s.d1[0] / (lambda - s.d2[0])
	default:
		solve(s.d1, s.d2, float64(float32(lambda)), out) // a float32 in the library
	}
}

// solve finds x with (−H + λ)·x = d for the symmetric H whose upper triangle is
// h, by Cholesky's decomposition.
func solve(d, h []float64, lambda float64, x []float64) {
	k := len(d)
	a := make([]float64, k*k)
	at := 0
	for i := range k {
		for j := i; j < k; j++ {
			a[j*k+i] = -h[at]
			at++
		}
		a[i*k+i] += lambda
	}
	for i := range k {
		for j := 0; j <= i; j++ {
			v := a[i*k+j]
			for m := range j {
				v -= float64(a[i*k+m] * a[j*k+m])
			}
			switch {
			case i != j:
				a[i*k+j] = v / a[j*k+j]
			case v <= 0: // no curvature in this direction, and no penalty
				a[i*k+i] = math.Inf(1)
			default:
				a[i*k+i] = math.Sqrt(v)
			}
		}
	}
	for i := range k {
		v := d[i]
		for m := range i {
			v -= float64(a[i*k+m] * x[m])
		}
		x[i] = v / a[i*k+i]
	}
	for i := k - 1; i >= 0; i-- {
		v := x[i]
		for m := i + 1; m < k; m++ {
			v -= float64(a[m*k+i] * x[m])
		}
		x[i] = v / a[i*k+i]
	}
}

// values finds the values of the loaded leaves, k each, before the learning
// rate, and the weights of the leaves. Several steps are halved until the loss
// falls, each halving counting as a step (gradient_walker.h of CatBoost 1.2).
func (e *estimator) values(leaves []extent, lambda float64) (value, weight []float64) {
	k, n := e.l.k, len(leaves)
	value, weight = make([]float64, n*k), make([]float64, n)
	sums := func() []leafSum {
		out := make([]leafSum, n)
		for i := range out {
			out[i] = leafSum{d1: make([]float64, k), d2: make([]float64, k*(k+1)/2)}
		}
		return out
	}
	now, then := sums(), []leafSum(nil)
	steps := e.cfg.LeafIterations
	track := steps > 1 && e.cfg.LeafBacktracking != none
	if track {
		then = sums()
	}
	best := e.at(value, true, track, now)
	e.slope = grown(e.slope, n*k)
	for i := range now {
		weight[i] = now[i].weight
		copy(e.slope[i*k:], now[i].d1)
	}
	if e.cfg.LeafMethod == exact {
		e.exact(leaves, value)
		return value, weight
	}
	step, try := make([]float64, n*k), make([]float64, n*k)
	for it := 0; it < steps; it++ {
		for i := range now {
			e.step(&now[i], lambda, step[i*k:(i+1)*k])
		}
		if !track {
			for j := range value {
				value[j] += step[j]
			}
			if it+1 < steps {
				e.at(value, true, false, now)
			}
			continue
		}
		for scale := 1.0; it < steps; it++ {
			for j := range try {
				try[j] = value[j] + float64(scale*step[j])
			}
			if los := e.at(try, it+1 < steps, true, then); los < best {
				best = los
				value, try = try, value
				now, then = then, now
				break
			}
			scale /= 2
		}
	}
	return value, weight
}

// exact fills in the quantiles of the residuals of each leaf.
func (e *estimator) exact(leaves []extent, value []float64) {
	e.pl.Each(len(leaves), func(next func() int) {
		var r []residual
		for i := next(); i < len(leaves); i = next() {
			r = r[:0]
			for j := leaves[i].lo; j < leaves[i].hi; j++ {
				w := 1.0
				if e.w != nil {
					w = float64(e.w[j])
				}
				r = append(r, residual{float64(float32(float64(e.y[j]) - e.score[j])), w})
			}
			value[i] = e.l.quantile(r)
		}
	})
}
