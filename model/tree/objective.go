package tree

import (
	"math"

	"github.com/mlfactory/mlfactory/model"
)

// chunk is the number of rows of one partial sum. It is fixed, so that sums do
// not depend on the number of workers.
const chunk = 4096

// minHessian keeps hessians positive, as in XGBoost (kRtEps).
const minHessian = 1e-16

// targets are the labels and weights of the rows that are kept.
type targets struct {
	y []float32 // class index, 0 or 1, or the value
	w []float32 // positive; nil: all 1
}

func (t *targets) weight(i int) float64 {
	if t.w == nil {
		return 1
	}
	return float64(t.w[i])
}

// loss is one of the objectives for k scores a row.
type loss struct {
	name string
	k    int     // scores a row
	spw  float32 // weight factor of class 1 of binary:logistic
}

// base estimates the initial scores as XGBoost does: the log class shares less
// their mean (softmax), the log odds, or one Newton step from 0 where
// scale_pos_weight is set (logistic), the mean (squared error). A class without
// rows counts as half an average row. given, unless auto, is base_score.
func (l *loss) base(t *targets, given float64, auto bool) []float32 {
	out := make([]float32, l.k)
	if !auto {
		if l.name == Logistic {
			given = math.Log(given / (1 - given))
		}
		for k := range out {
			out[k] = float32(given)
		}
		return out
	}
	sum := make([]float64, max(l.k, 2))
	total, wy := 0.0, 0.0
	for i, y := range t.y {
		w := t.weight(i)
		total += w
		if l.name == SquaredError {
			wy += float64(w * float64(y))
		} else {
			sum[int(y)] += w
		}
	}
	switch l.name {
	case SquaredError:
		out[0] = float32(wy / total)
	case Logistic:
		if l.spw == 1 {
			out[0] = float32(math.Log(sum[1] / sum[0]))
			break
		}
		pos := float64(l.spw) * sum[1]
		out[0] = float32(2 * (pos - sum[0]) / (pos + sum[0]))
	case Softprob:
		mean := 0.0
		for k, s := range sum[:l.k] {
			if s == 0 {
				s = 0.5 * total / float64(len(t.y))
			}
			sum[k] = math.Log(s / total)
			mean += sum[k] / float64(l.k)
		}
		for k := range out {
			out[k] = float32(sum[k] - mean)
		}
	}
	return out
}

// gradients fills g[k][i] and h[k][i] for the given rows from their scores
// (row-major, k a row) and adds the sums of |g| and of h of every score to
// sums[:k] and sums[k:2k].
//
//	softmax:  g = p − [y = k], h = 2p(1−p)
//	logistic: g = p − y,       h = p(1−p)
//	squared:  g = score − y,   h = 1
//
// each times the weight of the row (Chen and Guestrin 2016, §2.2; the factor 2
// is XGBoost's). exps has room for k values.
func (l *loss) gradients(rows []uint32, t *targets, score []float32, g, h [][]float32, exps []float32, sums []float64) {
	var a, b float64
	g0, h0 := g[0], h[0]
	switch l.name {
	case SquaredError:
		for _, i := range rows {
			gi, hi := score[i]-t.y[i], float32(1)
			if t.w != nil {
				gi, hi = gi*t.w[i], t.w[i]
			}
			g0[i], h0[i] = gi, hi
			a += math.Abs(float64(gi))
			b += float64(hi)
		}
		sums[0], sums[1] = a, b
	case Logistic:
		for _, i := range rows {
			q := 1 / (1 + exp32(-score[i]))
			gi, hi := q-t.y[i], max(q*(1-q), minHessian)
			if t.w != nil || l.spw != 1 {
				w := float32(1)
				if t.w != nil {
					w = t.w[i]
				}
				if t.y[i] == 1 {
					w *= l.spw
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
		k := l.k
		for _, i := range rows {
			sc := score[int(i)*k : int(i)*k+k]
			top, sum := sc[0], float32(0)
			for _, v := range sc[1:] {
				top = max(top, v)
			}
			exps = exps[:len(sc)]
			for c, v := range sc {
				e := exp32(v - top)
				exps[c] = e
				sum += e
			}
			inv, w, y := 1/sum, float32(1), int(t.y[i])
			if t.w != nil {
				w = t.w[i]
			}
			for c, e := range exps {
				q := e * inv
				gi := q
				if y == c {
					gi = q - 1
				}
				gi *= w
				hi := max(2*q*(1-q)*w, minHessian)
				g[c][i], h[c][i] = gi, hi
				sums[c] += math.Abs(float64(gi))
				sums[k+c] += float64(hi)
			}
		}
	}
}

// mean is the weighted mean loss of the rows at their scores: log-loss for the
// classifiers, half the squared error otherwise. Partial sums are of fixed
// chunks.
func (l *loss) mean(t *targets, score []float32) float64 {
	total, weight := 0.0, 0.0
	for lo := 0; lo < len(t.y); lo += chunk {
		part, pw := 0.0, 0.0
		for i := lo; i < min(lo+chunk, len(t.y)); i++ {
			w := t.weight(i)
			pw += w
			part += float64(w * l.one(t.y[i], score[i*l.k:i*l.k+l.k]))
		}
		total, weight = total+part, weight+pw
	}
	return total / weight
}

func (l *loss) one(y float32, s []float32) float64 {
	switch l.name {
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

// probabilities turns the scores of one row into probabilities: k for softmax,
// (1−p, p) for logistic.
func (l *loss) probabilities(s []float32, out []float64) {
	if l.name == Logistic {
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
