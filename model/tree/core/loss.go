package core

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model"
)

// Chunk is the number of rows of one partial sum. It is fixed, so that sums do
// not depend on the number of workers.
const Chunk = 4096

// The objectives, in XGBoost's words.
const (
	Softprob     = "multi:softprob"   // K classes, softmax
	Logistic     = "binary:logistic"  // two classes
	SquaredError = "reg:squarederror" // a real target
	Quantile     = "reg:quantileerror"
	PseudoHuber  = "reg:pseudohubererror"
)

// MinHessian keeps hessians positive, as in XGBoost (kRtEps).
const MinHessian = hist.MinHessian

// Targets are the labels and weights of the rows that are kept.
type Targets struct {
	Y []float32 // class index, 0 or 1, or the value
	W []float32 // positive; nil: all 1
}

// Weight is the weight of row i.
func (t *Targets) Weight(i int) float64 {
	if t.W == nil {
		return 1
	}
	return float64(t.W[i])
}

// Loss is one of the objectives for k scores a row.
type Loss struct {
	Name      string
	K         int       // scores a row
	PosWeight float32   // weight factor of class 1 of binary:logistic
	Alpha     float32   // which quantile of reg:quantileerror, in (0, 1)
	Slope     float32   // where reg:pseudohubererror turns from square to line
	Custom    Objective // from outside ([NewCustom]); nil: one of the above
}

// Base estimates the initial scores as XGBoost does: the log class shares less
// their mean (softmax), the log odds, or one Newton step from 0 where
// scale_pos_weight is set (logistic), the mean (squared error), one Newton step
// from 0 (pseudo-Huber), the quantile (quantile error). A class without rows
// counts as half an average row. given, unless auto, is base_score.
func (l *Loss) Base(t *Targets, given float64, auto bool) []float32 {
	out := make([]float32, l.K)
	if !auto {
		if l.Name == Logistic {
			given = math.Log(given / (1 - given))
		}
		for k := range out {
			out[k] = float32(given)
		}
		return out
	}
	switch {
	case l.Custom != nil:
		for k, b := range l.Custom.Base(t) {
			if k < l.K {
				out[k] = float32(b)
			}
		}
		return out
	case l.Name == Quantile:
		out[0] = QuantileOf(append([]float32(nil), t.Y...), t.W, l.Alpha)
		return out
	case l.Name == PseudoHuber:
		g, h := 0.0, 0.0
		for i := range t.Y {
			a, b := l.huber(-t.Y[i])
			g += float64(t.Weight(i) * float64(a))
			h += float64(t.Weight(i) * float64(b))
		}
		out[0] = float32(-g / max(h, 1e-6))
		return out
	}
	sum := make([]float64, max(l.K, 2))
	total, wy := 0.0, 0.0
	for i, y := range t.Y {
		w := t.Weight(i)
		total += w
		if l.Name == SquaredError {
			wy += float64(w * float64(y))
		} else {
			sum[int(y)] += w
		}
	}
	switch l.Name {
	case SquaredError:
		out[0] = float32(wy / total)
	case Logistic:
		if l.PosWeight == 1 {
			out[0] = float32(math.Log(sum[1] / sum[0]))
			break
		}
		pos := float64(l.PosWeight) * sum[1]
		out[0] = float32(2 * (pos - sum[0]) / (pos + sum[0]))
	case Softprob:
		mean := 0.0
		for k, s := range sum[:l.K] {
			if s == 0 {
				s = 0.5 * total / float64(len(t.Y))
			}
			sum[k] = math.Log(s / total)
			mean += sum[k] / float64(l.K)
		}
		for k := range out {
			out[k] = float32(sum[k] - mean)
		}
	}
	return out
}

// Gradients fills g[k][i] and h[k][i] for the given rows from their scores
// (row-major, k a row) and adds the sums of |g| and of h of every score to
// sums[:k] and sums[k:2k].
//
//	softmax:  g = p − [y = k], h = 2p(1−p)
//	logistic: g = p − y,       h = p(1−p)
//	squared:  g = score − y,   h = 1
//	quantile: g = [score ≥ y] − α, h = 1
//	pseudo-Huber, z = score − y: g = z/√(1+z²/δ²), h = (1+z²/δ²)^−3/2
//
// each times the weight of the row (Chen and Guestrin 2016, §2.2; the factor 2
// is XGBoost's). exps has room for [hist.SoftmaxRoom] of k values.
func (l *Loss) Gradients(rows []uint32, t *Targets, score []float32, g, h [][]float32, exps []float32, sums []float64) {
	if l.Custom != nil {
		l.custom(rows, t, score, g, h, sums)
		return
	}
	var a, b float64
	g0, h0 := g[0], h[0]
	switch l.Name {
	case Quantile, PseudoHuber:
		for _, i := range rows {
			var gi, hi float32
			if l.Name == PseudoHuber {
				gi, hi = l.huber(score[i] - t.Y[i])
			} else if gi, hi = -l.Alpha, 1; score[i] >= t.Y[i] {
				gi = 1 - l.Alpha
			}
			if t.W != nil {
				gi, hi = gi*t.W[i], hi*t.W[i]
			}
			g0[i], h0[i] = gi, hi
			a += math.Abs(float64(gi))
			b += float64(hi)
		}
		sums[0], sums[1] = a, b
	case SquaredError:
		for _, i := range rows {
			gi, hi := score[i]-t.Y[i], float32(1)
			if t.W != nil {
				gi, hi = gi*t.W[i], t.W[i]
			}
			g0[i], h0[i] = gi, hi
			a += math.Abs(float64(gi))
			b += float64(hi)
		}
		sums[0], sums[1] = a, b
	case Logistic:
		if lo, hi, ok := contiguous(rows); ok && l.PosWeight == 1 {
			var w []float32
			if t.W != nil {
				w = t.W[lo:hi]
			}
			sums[0], sums[1] = hist.Logistic(score[lo:hi], t.Y[lo:hi], w, g0[lo:hi], h0[lo:hi])
			return
		}
		for _, i := range rows {
			q := 1 / (1 + Exp32(-score[i]))
			gi, hi := q-t.Y[i], max(q*(1-q), MinHessian)
			if t.W != nil || l.PosWeight != 1 {
				w := float32(1)
				if t.W != nil {
					w = t.W[i]
				}
				if t.Y[i] == 1 {
					w *= l.PosWeight
				}
				gi, hi = gi*w, hi*w
			}
			g0[i], h0[i] = gi, hi
			a += math.Abs(float64(gi))
			b += float64(hi)
		}
		sums[0], sums[1] = a, b
	case Softprob:
		clear(sums)
		k := l.K
		if lo, hi, ok := contiguous(rows); ok {
			var w []float32
			if t.W != nil {
				w = t.W[lo:hi]
			}
			cut := make([][]float32, 2*k)
			for c := range k {
				cut[c], cut[k+c] = g[c][lo:hi], h[c][lo:hi]
			}
			hist.Softmax(score[lo*k:hi*k], t.Y[lo:hi], w, cut[:k], cut[k:], exps, sums)
			return
		}
		for _, i := range rows {
			sc := score[int(i)*k : int(i)*k+k]
			top, sum := sc[0], float32(0)
			for _, v := range sc[1:] {
				top = max(top, v)
			}
			exps = exps[:len(sc)]
			for c, v := range sc {
				e := Exp32(v - top)
				exps[c] = e
				sum += e
			}
			inv, w, y := 1/sum, float32(1), int(t.Y[i])
			if t.W != nil {
				w = t.W[i]
			}
			for c, e := range exps {
				q := e * inv
				gi := q
				if y == c {
					gi = q - 1
				}
				gi *= w
				hi := max(2*q*(1-q)*w, MinHessian)
				g[c][i], h[c][i] = gi, hi
				sums[c] += math.Abs(float64(gi))
				sums[k+c] += float64(hi)
			}
		}
	}
}

// huber is the gradient and hessian of the pseudo-Huber loss at the residual z,
// as XGBoost rounds them.
func (l *Loss) huber(z float32) (g, h float32) {
	d := float32(l.Slope * l.Slope)
	zz := float32(z * z)
	root := float32(math.Sqrt(float64(1 + float32(zz/d))))
	return z / root, d / float32((d+zz)*root)
}

// Mean is the weighted mean loss of the rows at their scores: log-loss for the
// classifiers, half the squared error, the pinball loss max(α(y−s), (α−1)(y−s))
// or the pseudo-Huber loss δ²(√(1+z²/δ²)−1). Partial sums are of fixed chunks.
func (l *Loss) Mean(t *Targets, score []float32) float64 { return l.MeanOn(NewPool(1), t, score) }

// MeanOn is [Loss.Mean] on a pool.
func (l *Loss) MeanOn(pl *Pool, t *Targets, score []float32) float64 {
	if l.Custom != nil {
		return l.Custom.Mean(t, score)
	}
	n := (len(t.Y) + Chunk - 1) / Chunk
	parts := make([][2]float64, n) // loss and weight
	pl.Each(n, func(next func() int) {
		for c := next(); c < n; c = next() {
			part, pw := 0.0, 0.0
			for i := c * Chunk; i < min((c+1)*Chunk, len(t.Y)); i++ {
				w := t.Weight(i)
				pw += w
				part += float64(w * l.one(t.Y[i], score[i*l.K:i*l.K+l.K]))
			}
			parts[c] = [2]float64{part, pw}
		}
	})
	total, weight := 0.0, 0.0
	for _, p := range parts {
		total, weight = total+p[0], weight+p[1]
	}
	return total / weight
}

func (l *Loss) one(y float32, s []float32) float64 {
	switch l.Name {
	case SquaredError:
		d := float64(s[0]) - float64(y)
		return 0.5 * d * d
	case Quantile:
		d, alpha := float64(y)-float64(s[0]), float64(l.Alpha)
		return max(alpha*d, (alpha-1)*d)
	case PseudoHuber:
		z, slope := float64(s[0])-float64(y), float64(l.Slope)
		q := z / slope
		return slope * slope * (math.Sqrt(1+q*q) - 1)
	case Logistic:
		z := float64(s[0])
		if y == 1 {
			z = -z
		}
		return max(z, 0) + math.Log1p(model.Exp(-math.Abs(z))) // log(1 + e^z)
	}
	top := float64(s[0])
	for _, v := range s[1:] {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range s {
		sum += model.Exp(float64(v) - top)
	}
	return math.Log(sum) + top - float64(s[int(y)])
}

// Probabilities turns the scores of one row into probabilities: k for softmax,
// (1−p, p) for logistic.
func (l *Loss) Probabilities(s []float32, out []float64) {
	if l.Name == Logistic {
		e := model.Exp(-math.Abs(float64(s[0])))
		small, large := e/(1+e), 1/(1+e)
		if s[0] > 0 {
			out[0], out[1] = small, large
		} else {
			out[0], out[1] = large, small
		}
		return
	}
	top := float64(s[0])
	for _, v := range s[1:] {
		top = max(top, float64(v))
	}
	sum := 0.0
	for k, v := range s {
		out[k] = model.Exp(float64(v) - top)
		sum += out[k]
	}
	for k := range s {
		out[k] /= sum
	}
}

// Finite32 reports whether x is finite.
func Finite32(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
