package tape

import (
	"fmt"

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
