package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
)

// Position is what is held after each of n rows of outputs, from −1 (short) to 1
// (long): tanh z of one column, P(+1) − P(−1) of the softmax of three. Several rows
// of outputs a row, those of a network's members, are averaged. Result: n×1.
func (t *Tape) Position(z *Tensor, n int) *Tensor {
	members := z.Rows / max(1, n)
	if members*n != z.Rows || z.Cols != 1 && z.Cols != 3 {
		panic(fmt.Sprintf("tape: %d positions of outputs of %v", n, z))
	}
	y := t.fresh(n, 1)
	slope := t.alloc(len(z.Value)) // of the position by each output
	share := 1 / float64(members)
	var p [3]float64
	for i := range n {
		sum := 0.0
		for r := i * members; r < (i+1)*members; r++ {
			row := z.Row(r)
			if z.Cols == 1 {
				e := model.Exp(-2 * math.Abs(float64(row[0])))
				v := math.Copysign((1-e)/(1+e), float64(row[0]))
				slope[r] = float32(share * (1 - float64(v*v)))
				sum += v
				continue
			}
			for j, v := range row {
				p[j] = float64(v)
			}
			model.Softmax(p[:], p[:])
			v := p[2] - p[0]
			for j, side := range [3]float64{-1, 0, 1} {
				slope[3*r+j] = float32(share * p[j] * (side - v))
			}
			sum += v
		}
		y.Value[i] = float32(share * sum)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || z.input {
			return
		}
		g, add := t.gradOf(z)
		for i, dy := range y.grad {
			each := members * z.Cols
			for j := i * each; j < (i+1)*each; j++ {
				d := dy * slope[j]
				if add {
					d += g[j]
				}
				g[j] = d
			}
		}
	})
	return y
}

// Receive adds to the gradient of x, which a loss over several tapes has found.
func (t *Tape) Receive(x *Tensor, grad []float32) {
	mustMatch("gradient", len(grad) == len(x.Value), x, x)
	g, add := t.gradOf(x)
	accumulate(g, grad, add)
}

// SharpeFloor is added, squared, to the variance in [Sharpe]: returns come in units
// of their usual size.
const SharpeFloor = 1e-2

// Sharpe is the loss of holding positions p over consecutive rows whose long side
// returns r, and its gradient by p, which is written to grad (nil: not):
//
//	R[t] = p[t]·r[t] − cost·|p[t] − p[t−1]|
//	m = Σ w·R / Σ w,  v = Σ w·(R − m)² / Σ w
//	loss = −m / √(v + 0.01²)
//
// It is minus the Sharpe ratio of a row, after the cost of turnover (Moody and
// Saffell 2001, equations 3 and 5 with the ratio of the whole batch instead of its
// moving estimate; Lim, Zohren and Roberts 2019, equations 12 and 15). Where
// follows[t] is false the row does not follow the one before: no cost is charged
// for the change. |x| has slope 0 at 0. weight nil is 1. NaN propagates. O(n).
func Sharpe(position, returns, weight []float32, follows []bool, cost float64, grad []float32) float64 {
	n := len(position)
	if len(returns) != n || len(follows) != n || weight != nil && len(weight) != n || grad != nil && len(grad) != n {
		panic(fmt.Sprintf("tape: %d positions, %d returns, %d weights", n, len(returns), len(weight)))
	}
	w := func(i int) float64 {
		if weight == nil {
			return 1
		}
		return float64(weight[i])
	}
	// change is p[t] − p[t−1] where a cost is charged.
	change := func(i int) float64 {
		if i == 0 || i >= n || !follows[i] {
			return 0
		}
		return float64(position[i]) - float64(position[i-1])
	}
	net := func(i int) float64 {
		return float64(float64(position[i])*float64(returns[i])) - float64(cost*math.Abs(change(i)))
	}
	mean, total := 0.0, 0.0
	for i := range n {
		mean += float64(w(i) * net(i))
		total += w(i)
	}
	mean /= total
	variance := 0.0
	for i := range n {
		d := net(i) - mean
		variance += float64(w(i) * d * d)
	}
	s := math.Sqrt(variance/total + SharpeFloor*SharpeFloor)
	if grad == nil {
		return -mean / s
	}
	slope := func(i int) float64 { // of the loss by R[i]
		return w(i) / total * (float64(mean*(net(i)-mean)/(s*s))/s - 1/s)
	}
	sign := func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	}
	for i := range n {
		d := slope(i) * (float64(returns[i]) - float64(cost*sign(change(i))))
		if i+1 < n {
			d += float64(slope(i+1) * cost * sign(change(i+1)))
		}
		grad[i] = float32(d)
	}
	return -mean / s
}
