package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// LayerNorm normalises each row to mean 0 and variance 1, then multiplies by
// gain and adds bias (Ba et al. 2016). eps is added to the variance. gain and
// bias have one value a column; bias may be nil.
func (t *Tape) LayerNorm(x *Tensor, gain, bias *Param, eps float64) *Tensor {
	return t.norm(x, gain, bias, eps, true)
}

// RMSNorm divides each row by its root mean square and multiplies by gain (Zhang
// and Sennrich 2019).
func (t *Tape) RMSNorm(x *Tensor, gain *Param, eps float64) *Tensor {
	return t.norm(x, gain, nil, eps, false)
}

func (t *Tape) norm(x *Tensor, gain, bias *Param, eps float64, centre bool) *Tensor {
	n := x.Cols
	mustMatch("norm", len(gain.Value) == n && (bias == nil || len(bias.Value) == n), x, gain)
	y := t.fresh(x.Rows, n)
	hat, inv := t.alloc(len(x.Value)), t.alloc(x.Rows)
	for i := range x.Rows {
		row, h, o := x.Row(i), hat[i*n:(i+1)*n], y.Row(i)
		mean := float32(0)
		if centre {
			mean = sum(row) / float32(n)
		}
		for j, v := range row {
			h[j] = v - mean
		}
		variance := float64(vec.Dot(h, h)) / float64(n)
		inv[i] = float32(1 / math.Sqrt(variance+eps))
		vec.Scale(h, h, inv[i])
		vec.Mul(h, gain.Value, o)
		if bias != nil {
			vec.Add(o, bias.Value, o)
		}
	}
	if t.trace != nil {
		t.traceNorm(y, x, gain, bias, eps, centre)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dg, addG := t.gradOfParam(gain)
		if !addG {
			clear(dg)
		}
		for i := range x.Rows {
			vec.MulAdd(y.grad[i*n:(i+1)*n], hat[i*n:(i+1)*n], dg, dg)
		}
		if bias != nil {
			db, add := t.gradOfParam(bias)
			sumRows(db, y.grad, add)
		}
		if x.input {
			return
		}
		dx, add := t.gradOf(x)
		d := t.alloc(n)
		for i := range x.Rows {
			h := hat[i*n : (i+1)*n]
			vec.Mul(y.grad[i*n:(i+1)*n], gain.Value, d)
			mean := float32(0)
			if centre {
				mean = sum(d) / float32(n)
			}
			slope := vec.Dot(d, h) / float32(n)
			o, s := dx[i*n:(i+1)*n], inv[i]
			for j, v := range d {
				r := s * (v - mean - float32(slope*h[j]))
				if add {
					r += o[j]
				}
				o[j] = r
			}
		}
	})
	return y
}

// sum adds in eight lanes that are merged as a tree.
func sum(x []float32) float32 {
	var s [8]float32
	for len(x) >= 8 {
		for j := range s {
			s[j] += x[j]
		}
		x = x[8:]
	}
	for j, v := range x {
		s[j] += v
	}
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}
