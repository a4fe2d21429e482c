package lightgbm

import (
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
)

// bag draws the rows of a round every bagging_freq rounds: each with its
// probability, at least one. The trees of a round share them.
func (t *trainer) bag(env model.Env, round int) {
	if round%t.cfg.BaggingFreq != 0 {
		return
	}
	r := env.Stream.Stream("bagging", round).Rand()
	pos, neg := t.cfg.BaggingFraction, t.cfg.BaggingFraction
	if t.cfg.PosBaggingFraction < 1 || t.cfg.NegBaggingFraction < 1 {
		pos, neg = t.cfg.PosBaggingFraction, t.cfg.NegBaggingFraction
	}
	rows, left := make([]uint32, 0, len(t.all)), t.left[:0]
	for _, i := range t.all {
		p := neg
		if t.tg.Y[i] > 0 {
			p = pos
		}
		if r.Float64() < p {
			rows = append(rows, i)
		} else {
			left = append(left, i)
		}
	}
	if len(rows) == 0 {
		i := r.IntN(len(left))
		rows = append(rows, left[i])
		left = slices.Delete(left, i, i+1)
	}
	t.rows, t.left = rows, left
}

// goss keeps the rows with the largest Σ|g·h| over the scores and draws some of
// the others, whose gradients and hessians are scaled up to stand for all of
// them (Ke and others 2017, "LightGBM", algorithm 2). It returns the sums of
// |g| and of h over the rows that are left.
func (t *trainer) goss(env model.Env, round int) []float64 {
	n, k := len(t.all), t.loss.k
	size := make([]float32, n)
	t.chunks(t.all, func(_ int, rows []uint32) {
		for _, i := range rows {
			s := float32(0)
			for c := range k {
				s += float32(math.Abs(float64(t.g[c][i] * t.h[c][i])))
			}
			size[i] = s
		}
	})
	top := max(1, int(float64(n)*t.cfg.TopRate))
	other := int(float64(n) * t.cfg.OtherRate)
	order := slices.Clone(size)
	slices.Sort(order)
	limit := order[n-top]
	up := float32(float64(n-top) / float64(max(1, other)))
	r := env.Stream.Stream("goss", round).Rand()
	rows, left := make([]uint32, 0, top+other), t.left[:0]
	large, drawn := 0, 0
	for i := range uint32(n) { // #nosec G115 -- at most MaxRows
		if size[i] >= limit {
			rows = append(rows, i)
			large++
			continue
		}
		rest := n - int(i) - (top - large)
		if r.Float64()*float64(rest) < float64(other-drawn) {
			rows = append(rows, i)
			drawn++
			for c := range k {
				t.g[c][i] *= up
				t.h[c][i] *= up
			}
			continue
		}
		left = append(left, i)
	}
	t.rows, t.left = rows, left
	sums := make([]float64, 2*k)
	for c := range k {
		g, h := t.g[c], t.h[c]
		for _, i := range rows {
			sums[c] += math.Abs(float64(g[i]))
			sums[k+c] += float64(h[i])
		}
	}
	return sums
}
