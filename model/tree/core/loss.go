package core

import (
	"math"

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
)

// MinHessian keeps hessians positive, as in XGBoost (kRtEps).
const MinHessian = 1e-16

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
	K         int     // scores a row
	PosWeight float32 // weight factor of class 1 of binary:logistic
}

// Base estimates the initial scores as XGBoost does: the log class shares less
// their mean (softmax), the log odds, or one Newton step from 0 where
// scale_pos_weight is set (logistic), the mean (squared error). A class without
// rows counts as half an average row. given, unless auto, is base_score.
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
//
// each times the weight of the row (Chen and Guestrin 2016, §2.2; the factor 2
// is XGBoost's). exps has room for k values.
func (l *Loss) Gradients(rows []uint32, t *Targets, score []float32, g, h [][]float32, exps []float32, sums []float64) {
	var a, b float64
	g0, h0 := g[0], h[0]
	switch l.Name {
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

// Mean is the weighted mean loss of the rows at their scores: log-loss for the
// classifiers, half the squared error otherwise. Partial sums are of fixed
// chunks.
func (l *Loss) Mean(t *Targets, score []float32) float64 {
	total, weight := 0.0, 0.0
	for lo := 0; lo < len(t.Y); lo += Chunk {
		part, pw := 0.0, 0.0
		for i := lo; i < min(lo+Chunk, len(t.Y)); i++ {
			w := t.Weight(i)
			pw += w
			part += float64(w * l.one(t.Y[i], score[i*l.K:i*l.K+l.K]))
		}
		total, weight = total+part, weight+pw
	}
	return total / weight
}

func (l *Loss) one(y float32, s []float32) float64 {
	switch l.Name {
	case SquaredError:
		d := float64(s[0]) - float64(y)
		return 0.5 * d * d
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
