package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
)

// The losses of this file write the gradient of the outputs and return their part
// of the mean loss of a mini-batch: every row counts with weight/total, where
// total is the sum of the weights of the whole mini-batch and a weight of nil is
// 1. Outputs may have several rows a target, those of a network's members, next
// to each other: each counts with its share, so that every member learns from its
// own loss. Losses are computed in float64. O(outputs).

// eachRow calls f for every row of outputs z of n targets with the number i of its
// target. f returns the row's loss and writes its gradient to d. A row counts with
// its weight over total, divided among the members.
func (t *Tape) eachRow(z *Tensor, n int, weight []float32, total float64, f func(i int, row []float32, d []float64) float64) float64 {
	members := 1
	if n > 0 {
		members = z.Rows / n
	}
	if members*n != z.Rows || weight != nil && len(weight) != n {
		panic(fmt.Sprintf("tape: %d targets and %d weights for outputs of %v", n, len(weight), z))
	}
	var g []float32
	add := false
	if t.train {
		g, add = t.gradOf(z)
	}
	k := z.Cols
	d := make([]float64, k)
	loss := 0.0
	for r := range z.Rows {
		i := r / members
		w := 1 / total / float64(members)
		if weight != nil {
			w *= float64(weight[i])
		}
		loss += float64(w * f(i, z.Row(r), d))
		if g == nil {
			continue
		}
		for j, v := range d {
			x := float32(w * v)
			if add {
				x += g[r*k+j]
			}
			g[r*k+j] = x
		}
	}
	return loss
}

// CrossEntropy is the softmax cross-entropy with label smoothing s (Szegedy et al.
// 2016, section 7): (1−s)·(−log p[y]) + s/K·Σ −log p. classes are 0 to K−1.
func (t *Tape) CrossEntropy(logits *Tensor, classes []int, weight []float32, smoothing, total float64) float64 {
	k := float64(logits.Cols)
	p := make([]float64, logits.Cols)
	return t.eachRow(logits, len(classes), weight, total, func(i int, row []float32, d []float64) float64 {
		flat := 0.0
		for j, v := range row {
			p[j] = float64(v)
			flat += p[j]
		}
		log := model.Softmax(p, p)
		for j := range d {
			d[j] = p[j] - smoothing/k
		}
		y := classes[i]
		d[y] -= 1 - smoothing
		return (1-smoothing)*(log-float64(row[y])) + smoothing*(log-flat/k)
	})
}

// BCE is the binary cross-entropy of logits of one column: log(1 + eᶻ) − y·z with
// targets y in [0, 1].
func (t *Tape) BCE(logits *Tensor, target, weight []float32, total float64) float64 {
	mustMatch("binary cross-entropy", logits.Cols == 1, logits, logits)
	return t.eachRow(logits, len(target), weight, total, func(i int, row []float32, d []float64) float64 {
		z, y := float64(row[0]), float64(target[i])
		e := model.Exp(-math.Abs(z))
		p := 1 / (1 + e)
		if z < 0 {
			p = e / (1 + e)
		}
		d[0] = p - y
		return max(z, 0) + math.Log1p(e) - float64(y*z)
	})
}

// Focal is −(1−p[y])^γ·log p[y] (Lin et al. 2017, equation 4), which counts rows
// less that are right already. p is the softmax of the logits; logits of one column
// are those of class 1 against class 0, and p their sigmoid. γ = 0 is the
// cross-entropy.
func (t *Tape) Focal(logits *Tensor, classes []int, weight []float32, gamma, total float64) float64 {
	k := max(2, logits.Cols)
	p := make([]float64, k)
	return t.eachRow(logits, len(classes), weight, total, func(i int, row []float32, d []float64) float64 {
		p[0] = 0
		for j, v := range row {
			p[k-len(row)+j] = float64(v)
		}
		y := classes[i]
		z := p[y]
		log := z - model.Softmax(p, p)
		rest := 0.0 // 1 − p[y], without cancellation
		for j, v := range p {
			if j != y {
				rest += v
			}
		}
		power := math.Pow(rest, gamma)
		slope := -power // of the loss by z[y] over 1 − p[y]
		if rest > 0 {
			slope += gamma * power / rest * p[y] * log
		}
		for j := range d {
			c := k - len(row) + j
			if c == y {
				d[j] = slope * rest
			} else {
				d[j] = -slope * p[c]
			}
		}
		return -power * log
	})
}

// MSE is the squared error of one column.
func (t *Tape) MSE(z *Tensor, target, weight []float32, total float64) float64 {
	mustMatch("squared error", z.Cols == 1, z, z)
	return t.eachRow(z, len(target), weight, total, func(i int, row []float32, d []float64) float64 {
		e := float64(row[0]) - float64(target[i])
		d[0] = 2 * e
		return e * e
	})
}

// Huber is half the squared error e²/2 up to |e| = δ and δ·(|e| − δ/2) beyond
// (Huber 1964).
func (t *Tape) Huber(z *Tensor, target, weight []float32, delta, total float64) float64 {
	mustMatch("huber loss", z.Cols == 1, z, z)
	return t.eachRow(z, len(target), weight, total, func(i int, row []float32, d []float64) float64 {
		e := float64(row[0]) - float64(target[i])
		d[0] = min(max(e, -delta), delta)
		if a := math.Abs(e); a > delta {
			return delta * (a - delta/2)
		}
		return e * e / 2
	})
}

// Quantile is the pinball loss max(τ·e, (τ−1)·e) of e = y − z, averaged over the
// levels τ, one a column (Koenker and Bassett 1978).
func (t *Tape) Quantile(z *Tensor, target []float32, levels []float64, weight []float32, total float64) float64 {
	if z.Cols != len(levels) {
		panic(fmt.Sprintf("tape: %d quantiles of outputs of %v", len(levels), z))
	}
	k := float64(len(levels))
	return t.eachRow(z, len(target), weight, total, func(i int, row []float32, d []float64) float64 {
		loss := 0.0
		for j, tau := range levels {
			e := float64(target[i]) - float64(row[j])
			switch {
			case e > 0:
				loss += tau * e / k
				d[j] = -tau / k
			case e < 0:
				loss += (tau - 1) * e / k
				d[j] = (1 - tau) / k
			default:
				d[j] = 0
			}
		}
		return loss
	})
}
