package tape

import "github.com/mlfactory/mlfactory/internal/simd/vec"

// Softmax turns each row into shares: y = e^(x − m)/Σ e^(x − m) with m the
// largest of the row. For the few values of a row that a selection of variables
// or experts has; attention has its own ([Tape.Attend]). O(values).
func (t *Tape) Softmax(x *Tensor) *Tensor {
	n := x.Cols
	y := t.fresh(x.Rows, n)
	for i := range x.Rows {
		row, o := x.Row(i), y.Row(i)
		top := row[0]
		for _, v := range row[1:] {
			top = max(top, v)
		}
		for j, v := range row {
			o[j] = v - top
		}
	}
	vec.Exp(y.Value, y.Value)
	for i := range x.Rows {
		o := y.Row(i)
		vec.Scale(o, o, 1/sum(o))
	}
	if t.trace != nil {
		t.traceSoftmax(y, x)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		dx, add := t.gradOf(x)
		for i := range x.Rows {
			p, dy, o := y.Row(i), y.grad[i*n:(i+1)*n], dx[i*n:(i+1)*n]
			slope := vec.Dot(p, dy)
			for j, v := range p {
				d := v * (dy[j] - slope)
				if add {
					d += o[j]
				}
				o[j] = d
			}
		}
	})
	return y
}
