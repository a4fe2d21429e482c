package lightgbm

import (
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// loss is an objective for k scores a row.
type loss struct {
	core.Loss         // checks targets; Custom is the objective from outside, if any
	name      string  // in LightGBM's words
	k         int     // scores a row
	wpos      float32 // weight factors of the two classes of binary
	wneg      float32
	alpha     float32
	need      []bool // whether score c has trees: false for a class without rows
}

func newLoss(cfg *Config) *loss {
	l := &loss{name: cfg.Objective, k: 1, wpos: 1, wneg: 1, alpha: float32(cfg.Alpha)}
	switch cfg.Objective {
	case Multiclass:
		l.Loss.Name = core.Softprob
	case Binary:
		l.Loss.Name = core.Logistic
	default:
		l.Loss.Name = core.SquaredError
	}
	l.Loss.K = 1
	return l
}

func (l *loss) link() ensemble.Link {
	if l.Custom != nil {
		return l.Custom.Link()
	}
	return l.Loss.Link()
}

// prepare notes what the objective takes from the targets.
func (l *loss) prepare(cfg *Config, t *core.Targets) {
	l.need = make([]bool, l.k)
	for c := range l.need {
		l.need[c] = true
	}
	switch {
	case l.Custom != nil:
	case l.name == Multiclass:
		clear(l.need)
		for _, y := range t.Y {
			l.need[int(y)] = true
		}
	case l.name == Binary:
		l.wpos = float32(cfg.ScalePosWeight)
		if cfg.IsUnbalance {
			pos := 0
			for _, y := range t.Y {
				pos += int(y)
			}
			if neg := len(t.Y) - pos; pos > neg {
				l.wneg = float32(float64(pos) / float64(neg))
			} else {
				l.wpos = float32(float64(neg) / float64(pos))
			}
		}
		l.PosWeight = l.wpos
	}
}

// base is the best constant score (BoostFromScore): the log shares of the
// classes, the log odds, the mean, the median or the quantile. A class without
// rows counts as half an average row, where LightGBM gives it 1e-15.
func (l *loss) base(t *core.Targets) []float64 {
	if l.Custom != nil {
		return slices.Clone(l.Custom.Base(t))
	}
	out := make([]float64, l.k)
	switch l.name {
	case Quantile:
		out[0] = float64(float32(percentile(len(t.Y), func(i int) float64 { return float64(t.Y[i]) }, weightsOf(t), float64(l.alpha))))
		return out
	case RegressionL1:
		out[0] = float64(float32(percentile(len(t.Y), func(i int) float64 { return float64(t.Y[i]) }, weightsOf(t), 0.5)))
		return out
	}
	sum := make([]float64, max(l.k, 2))
	total, wy := 0.0, 0.0
	for i, y := range t.Y {
		w := t.Weight(i)
		total += w
		wy += float64(w * float64(y))
		if l.Classifies() {
			sum[int(y)] += w
		}
	}
	switch l.name {
	case Multiclass:
		for c, s := range sum[:l.k] {
			if s == 0 {
				s = 0.5 * total / float64(len(t.Y))
			}
			out[c] = math.Log(s / total)
		}
	case Binary:
		p := wy / total
		out[0] = math.Log(p / (1 - p))
	default:
		out[0] = wy / total
	}
	return out
}

// gradients fills g[k][i] and h[k][i] for the given rows from their scores
// (row-major, k a row) and writes the sums of |g| and of h of every score to
// sums[:k] and sums[k:2k].
//
//	multiclass:   g = p − [y = k], h = K/(K−1)·p(1−p)
//	binary:       g = p − y,       h = p(1−p)
//	regression:   g = s − y,       h = 1
//	regression_l1: g = sign(s − y), h = 1
//	huber:        g = s − y held within ±alpha, h = 1
//	quantile:     g = [s ≥ y] − alpha, h = 1
//
// each times the weight of the row. exps has room for k values.
func (l *loss) gradients(rows []uint32, t *core.Targets, score []float32, g, h [][]float32, exps []float32, sums []float64) {
	switch {
	case l.Custom != nil || l.name == Binary && l.wneg == 1:
		l.Loss.Gradients(rows, t, score, g, h, exps, sums)
	case l.name == Multiclass:
		l.softmax(rows, t, score, g, h, exps, sums)
	default:
		l.single(rows, t, score, g[0], h[0], sums)
	}
}

func (l *loss) softmax(rows []uint32, t *core.Targets, score []float32, g, h [][]float32, exps []float32, sums []float64) {
	clear(sums)
	k := l.k
	factor := float32(k) / float32(k-1)
	for _, i := range rows {
		sc := score[int(i)*k : int(i)*k+k]
		top, sum := sc[0], float32(0)
		for _, v := range sc[1:] {
			top = max(top, v)
		}
		exps = exps[:len(sc)]
		for c, v := range sc {
			e := core.Exp32(v - top)
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
			hi := factor * q * (1 - q) * w
			g[c][i], h[c][i] = gi, hi
			sums[c] += math.Abs(float64(gi))
			sums[k+c] += float64(hi)
		}
	}
}

func (l *loss) single(rows []uint32, t *core.Targets, score, g, h []float32, sums []float64) {
	var a, b float64
	for _, i := range rows {
		y, w := t.Y[i], float32(1)
		gi, hi := score[i]-y, float32(1)
		switch l.name {
		case Binary:
			if w = l.wneg; y == 1 {
				w = l.wpos
				gi = 1 / (1 + core.Exp32(score[i])) // of the wrong class
				gi, hi = -gi, gi*(1-gi)
			} else {
				gi = 1 / (1 + core.Exp32(-score[i]))
				hi = gi * (1 - gi)
			}
		case RegressionL1:
			switch {
			case gi > 0:
				gi = 1
			case gi < 0:
				gi = -1
			}
		case Huber:
			gi = min(max(gi, -l.alpha), l.alpha)
		case Quantile:
			if gi >= 0 {
				gi = 1 - l.alpha
			} else {
				gi = -l.alpha
			}
		}
		if t.W != nil {
			w *= t.W[i]
		}
		gi, hi = gi*w, hi*w
		g[i], h[i] = gi, hi
		a += math.Abs(float64(gi))
		b += float64(hi)
	}
	sums[0], sums[1] = a, b
}

// mean is the weighted mean loss of the rows at their scores: log-loss, half
// the squared error, the absolute error, the Huber loss or the pinball loss.
// Partial sums are of fixed chunks.
func (l *loss) mean(t *core.Targets, score []float32) float64 {
	if l.Custom != nil || l.Classifies() || l.name == Regression {
		return l.Loss.Mean(t, score)
	}
	total, weight, alpha := 0.0, 0.0, float64(l.alpha)
	for lo := 0; lo < len(t.Y); lo += core.Chunk {
		part, pw := 0.0, 0.0
		for i := lo; i < min(lo+core.Chunk, len(t.Y)); i++ {
			w, d := t.Weight(i), float64(t.Y[i])-float64(score[i])
			switch l.name {
			case Huber:
				if d = math.Abs(d); d > alpha {
					d = alpha * (d - 0.5*alpha)
				} else {
					d = 0.5 * d * d
				}
			case Quantile:
				d = max(alpha*d, (alpha-1)*d)
			default:
				d = math.Abs(d)
			}
			pw += w
			part += float64(w * d)
		}
		total, weight = total+part, weight+pw
	}
	return total / weight
}

// renew is the value of a leaf whose rows are idx: a quantile of the residuals
// (RenewTreeOutput).
func (l *loss) renew(idx []uint32, t *core.Targets, score []float32) float64 {
	alpha := 0.5
	if l.name == Quantile {
		alpha = float64(l.alpha)
	}
	residual := func(i int) float64 { return float64(t.Y[idx[i]]) - float64(score[idx[i]]) }
	var weight func(int) float64
	if t.W != nil {
		weight = func(i int) float64 { return float64(t.W[idx[i]]) }
	}
	return percentile(len(idx), residual, weight, alpha)
}

// percentile is LightGBM's PercentileFun and, with weights, its
// WeightedPercentileFun, peculiarities included.
func percentile(n int, value func(int) float64, weight func(int) float64, alpha float64) float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = value(i)
	}
	if n <= 1 {
		return v[0]
	}
	if weight == nil {
		slices.Sort(v)
		at := float64(n-1) * (1 - alpha)
		pos := int(at) + 1 // from the top, counted from one
		if pos >= n {
			return v[0]
		}
		a, b := v[n-pos], v[n-pos-1]
		return a - float64((a-b)*(at-float64(pos-1)))
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v[a] < v[b]:
			return -1
		case v[a] > v[b]:
			return 1
		}
		return 0
	})
	cdf, sum := make([]float64, n), 0.0
	for i, k := range order {
		sum += weight(k)
		cdf[i] = sum
	}
	limit := sum * alpha
	pos := 0
	for pos < n-1 && cdf[pos] <= limit {
		pos++
	}
	if pos == 0 || pos == n-1 {
		return v[order[pos]]
	}
	a, b := v[order[pos-1]], v[order[pos]]
	if d := cdf[pos] - cdf[pos-1]; d >= 1 {
		return float64((limit-cdf[pos-1])/d*(b-a)) + a
	}
	return a
}

// weightsOf reads the weights, nil if all are 1.
func weightsOf(t *core.Targets) func(int) float64 {
	if t.W == nil {
		return nil
	}
	return t.Weight
}
