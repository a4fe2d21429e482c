package catboost

import (
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/stat"
)

// loss is one of the losses for k scores a row. Derivatives are those of the
// log-likelihood, as in the library: the negative gradient and Hessian of the
// loss.
type loss struct {
	name  string
	k     int
	alpha float64 // of Quantile; MAE is Quantile at ½

	custom core.Objective // nil: one of the above
	checks core.Loss      // of the custom objective
}

// newCustom is the loss of an objective from outside.
func newCustom(o core.Objective) (*loss, error) {
	c, err := core.NewCustom(o)
	return &loss{name: c.Name, k: c.K, custom: o, checks: c}, err
}

func newLoss(name string, classes int) (*loss, error) {
	n, alpha, err := parseLoss(name)
	l := &loss{name: n, k: 1, alpha: alpha}
	if n == MultiClass {
		l.k = classes
	}
	return l, err
}

// core is the loss as package core checks targets for it.
func (l *loss) core() core.Loss {
	switch {
	case l.custom != nil:
		return l.checks
	case l.name == MultiClass:
		return core.Loss{Name: core.Softprob, K: l.k}
	case l.name == Logloss:
		return core.Loss{Name: core.Logistic, K: 1}
	}
	return core.Loss{Name: core.SquaredError, K: 1}
}

func (l *loss) classes() bool { return l.custom == nil && (l.name == MultiClass || l.name == Logloss) }

// softmax reports whether the derivatives of all scores of a row sum to zero.
func (l *loss) softmax() bool { return l.custom == nil && l.name == MultiClass }

func (l *loss) link() ensemble.Link {
	switch {
	case l.custom != nil:
		return l.custom.Link()
	case l.name == MultiClass:
		return ensemble.Softmax
	case l.name == Logloss:
		return ensemble.Logistic
	}
	return ensemble.Identity
}

// base is the best constant: the log odds, the mean or the quantile.
func (l *loss) base(t *core.Targets) []float64 {
	out := make([]float64, l.k)
	if l.custom != nil {
		copy(out, l.custom.Base(t))
		return out
	}
	switch l.name {
	case Logloss, RMSE:
		sum, total := 0.0, 0.0
		for i, y := range t.Y {
			w := t.Weight(i)
			sum += float64(w * float64(y))
			total += w
		}
		p := float64(float32(sum / total)) // a float32 in the library
		out[0] = p
		if l.name == Logloss {
			out[0] = stat.Log(p / (1 - p))
		}
	case MAE, Quantile:
		r := make([]residual, len(t.Y))
		for i, y := range t.Y {
			r[i] = residual{float64(y), t.Weight(i)}
		}
		out[0] = l.quantile(r)
	}
	return out
}

// quantileDelta is the half width of the flat bottom that the library gives the
// pinball loss.
const quantileDelta = 1e-6

// sigmoid is 1/(1+e^−a) from e^−|a|.
func sigmoid(a, e float64) float64 {
	if a >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}

// derivative is the first derivative of a row with one score, without its
// weight.
func (l *loss) derivative(y float32, a float64) float64 {
	switch l.name {
	case Logloss:
		return float64(y) - sigmoid(a, expDown(-math.Abs(a)))
	case RMSE:
		return float64(y) - a
	}
	d := float64(y) - a
	switch {
	case math.Abs(d) < quantileDelta:
		return 0
	case d > 0:
		return l.alpha
	}
	return l.alpha - 1
}

// softmax replaces the scores of a row by their probabilities and returns the
// largest score and the sum of the exponentials of what the others are below it.
func softmax(s []float64) (top, sum float64) {
	top = s[0]
	for _, v := range s[1:] {
		top = max(top, v)
	}
	for c, v := range s {
		s[c] = expDown(v - top)
		sum += s[c]
	}
	for c := range s {
		s[c] /= sum
	}
	return top, sum
}

// one is the loss of a row.
func (l *loss) one(y float32, s []float64) float64 {
	switch l.name {
	case MultiClass:
		top, sum := s[0], 0.0
		for _, v := range s[1:] {
			top = max(top, v)
		}
		for _, v := range s {
			sum += expDown(v - top)
		}
		return stat.Log(sum) + top - s[int(y)]
	case Logloss:
		z := s[0]
		if y == 1 {
			z = -z
		}
		return max(z, 0) + stat.Log(1+expDown(-math.Abs(z)))
	case RMSE:
		d := float64(y) - s[0]
		return d * d
	}
	d := float64(y) - s[0]
	return max(l.alpha*d, (l.alpha-1)*d)
}

// mean is the weighted mean loss of the rows at their scores; RMSE is without
// its root. Partial sums are of fixed chunks.
func (l *loss) mean(t *core.Targets, score []float64, pl *core.Pool) float64 {
	n := len(t.Y)
	if l.custom != nil {
		single := make([]float32, len(score))
		for i, v := range score {
			single[i] = float32(v)
		}
		return l.custom.Mean(t, single)
	}
	parts := make([][2]float64, (n+core.Chunk-1)/core.Chunk)
	pl.Each(len(parts), func(next func() int) {
		for c := next(); c < len(parts); c = next() {
			for i := c * core.Chunk; i < min(n, (c+1)*core.Chunk); i++ {
				w := t.Weight(i)
				parts[c][0] += float64(w * l.one(t.Y[i], score[i*l.k:i*l.k+l.k]))
				parts[c][1] += w
			}
		}
	})
	sum, total := 0.0, 0.0
	for _, p := range parts {
		sum, total = sum+p[0], total+p[1]
	}
	return sum / total
}

// residual is a target less its score, and the weight of its row.
type residual struct{ v, w float64 }

// quantile is the weighted alpha quantile of r, which it sorts: the least value
// with at least the share alpha of the weight at or below it, moved by
// quantileDelta towards the side where more of the loss is. Values and result
// are float32, as in the library. 0 for none.
func (l *loss) quantile(r []residual) float64 {
	if len(r) == 0 {
		return 0
	}
	slices.SortStableFunc(r, func(a, b residual) int {
		switch {
		case a.v < b.v:
			return -1
		case a.v > b.v:
			return 1
		}
		return 0
	})
	const eps = 2.220446049250313e-16
	total := 0.0
	for _, x := range r {
		total += x.w
	}
	need := float64(total*l.alpha) - eps
	q, sum := r[len(r)-1].v, 0.0
	for _, x := range r {
		if sum += x.w; sum >= need {
			q = x.v
			break
		}
	}
	less, equal := 0.0, 0.0
	for _, x := range r {
		switch {
		case x.v < q:
			less += x.w
		case x.v == q:
			equal += x.w
		}
	}
	if less+float64(l.alpha*equal) >= need {
		return float64(float32(q - quantileDelta))
	}
	return float64(float32(q + quantileDelta))
}
