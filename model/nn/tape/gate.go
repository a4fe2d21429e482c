package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Gate multiplies the first half of the columns with an activation of the second
// half: y = x[:, :n] ⊙ a(x[:, n:]). With Sigmoid it is the gated linear unit
// (Dauphin et al. 2017, in PyTorch's order), with GELU GEGLU and with SiLU SwiGLU
// (Shazeer 2020).
func (t *Tape) Gate(x *Tensor, a Activation) *Tensor {
	n := x.Cols / 2
	mustMatch("gate", 2*n == x.Cols, x, x)
	switch a {
	case Sigmoid, GELU, SiLU:
	default:
		panic(fmt.Sprintf("tape: no gate of activation %d", a))
	}
	y := t.fresh(x.Rows, n)
	var open []float32 // a of the second half
	if a != Sigmoid {
		open = t.alloc(len(y.Value))
	}
	for i := range x.Rows {
		row, o := x.Row(i), y.Row(i)
		switch a {
		case Sigmoid:
			vec.GLU(row[:n], row[n:], o)
		case GELU:
			vec.GELU(row[n:], open[i*n:(i+1)*n])
		case SiLU:
			vec.SiLU(row[n:], open[i*n:(i+1)*n])
		}
		if open != nil {
			vec.Mul(row[:n], open[i*n:(i+1)*n], o)
		}
	}
	if t.trace != nil {
		t.traceGate(y, x, a)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		dx, add := t.gradOf(x)
		d := dx
		if add {
			d = t.alloc(2 * n)
		}
		for i := range x.Rows {
			row, dy, o := x.Row(i), y.grad[i*n:(i+1)*n], dx[i*2*n:(i+1)*2*n]
			to := o
			if add {
				to = d
			}
			switch a {
			case Sigmoid:
				vec.GLUGrad(row[:n], row[n:], dy, to[:n], to[n:])
			case GELU:
				vec.Mul(dy, row[:n], to[n:])
				vec.GELUGrad(row[n:], to[n:], to[n:])
			case SiLU:
				vec.Mul(dy, row[:n], to[n:])
				vec.SiLUGrad(row[n:], to[n:], to[n:])
			}
			if open != nil {
				vec.Mul(dy, open[i*n:(i+1)*n], to[:n])
			}
			if add {
				vec.Add(o, to, o)
			}
		}
	})
	return y
}

// ELU is the exponential linear unit: x where it is positive, e^x − 1 elsewhere
// (Clevert et al. 2016).
func (t *Tape) ELU(x *Tensor) *Tensor {
	y := t.fresh(x.Rows, x.Cols)
	vec.ELU(x.Value, y.Value)
	t.traceNode(y, "Elu", x)
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		dx, add := t.gradOf(x)
		if !add {
			vec.ELUGrad(y.Value, y.grad, dx)
			return
		}
		d := t.alloc(len(dx))
		vec.ELUGrad(y.Value, y.grad, d)
		vec.Add(dx, d, dx)
	})
	return y
}

// AddGate is the gate at the end of a gated residual network (Lim et al. 2021,
// eq. 2 and 5): each row is
//
//	y = LayerNorm(skip + a⊙σ(b)),  z = (a, b),
//
// in one pass. skip may be nil. z has 2d columns, skip and y d. O(values).
func (t *Tape) AddGate(skip, z *Tensor, gain, bias *Param, eps float64) *Tensor {
	d := z.Cols / 2
	mustMatch("gate", 2*d == z.Cols && len(gain.Value) == d && len(bias.Value) == d, z, gain)
	mustMatch("gate", skip == nil || skip.Rows == z.Rows && skip.Cols == d, z, z)
	y := t.fresh(z.Rows, d)
	hat, inv := t.alloc(z.Rows*d), t.alloc(z.Rows)
	for r := range z.Rows {
		row, h := z.Row(r), hat[r*d:(r+1)*d]
		vec.GLU(row[:d], row[d:], h)
		if skip != nil {
			vec.Add(h, skip.Row(r), h)
		}
		inv[r] = normalise(h, eps)
		vec.MulAdd(h, gain.Value, bias.Value, y.Row(r))
	}
	if t.trace != nil {
		t.traceAddGate(y, skip, z, gain, bias, eps)
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
		db, addB := t.gradOfParam(bias)
		var dz, ds []float32
		addZ, addS := false, false
		if !z.input {
			dz, addZ = t.gradOf(z)
		}
		if skip != nil && !skip.input {
			ds, addS = t.gradOf(skip)
		}
		u, v := t.alloc(d), t.alloc(2*d)
		sumRows(db, y.grad, addB)
		for r := range z.Rows {
			dy, h := y.grad[r*d:(r+1)*d], hat[r*d:(r+1)*d]
			vec.MulAdd(dy, h, dg, dg)
			vec.Mul(dy, gain.Value, u)
			mean, slope := sum(u)/float32(d), vec.Dot(u, h)/float32(d)
			for j, w := range u {
				u[j] = inv[r] * (w - mean - float32(slope*h[j]))
			}
			if ds != nil {
				accumulate(ds[r*d:(r+1)*d], u, addS)
			}
			if dz == nil {
				continue
			}
			row, o := z.Row(r), dz[r*2*d:(r+1)*2*d]
			to := o
			if addZ {
				to = v
			}
			vec.GLUGrad(row[:d], row[d:], u, to[:d], to[d:])
			if addZ {
				vec.Add(o, v, o)
			}
		}
	})
	return y
}

// normalise sets the mean of h to 0 and its variance to 1 and returns what the
// centred values were multiplied by.
func normalise(h []float32, eps float64) float32 {
	mean := sum(h) / float32(len(h))
	for j := range h {
		h[j] -= mean
	}
	inv := float32(1 / math.Sqrt(float64(vec.Dot(h, h))/float64(len(h))+eps))
	vec.Scale(h, h, inv)
	return inv
}
