package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// LinearApply is the activation of [Tape.Linear], with the same bits. For ReLU and
// GELU what is between them has no memory of its own: where the product was, there
// is then what the gradient needs.
func (t *Tape) LinearApply(x *Tensor, w, b *Param, a Activation) *Tensor {
	in, out := w.cols(), w.Shape[0]
	if b == nil || a != ReLU && (a != GELU || in > oneBlock) {
		return t.Apply(t.Linear(x, w, b), a)
	}
	mustMatch("linear", x.Cols == in && len(b.Value) == out, x, w)
	y := t.fresh(x.Rows, out)
	var slope []float32
	if a == ReLU {
		repeatRow(y.Value, b.Value)
		t.times(x.Rows, x.Value, w, inputs, y.Value, true)
		vec.ReLU(y.Value, y.Value)
	} else {
		slope = t.alloc(len(y.Value))
		t.times(x.Rows, x.Value, w, inputs, slope, false)
		vec.GELUBias(x.Rows, out, vec.Matrix{Data: slope, Stride: out}, vec.Matrix{Data: b.Value}, vec.Matrix{Data: y.Value, Stride: out})
	}
	if t.trace != nil {
		t.traceLinear(y, x, w, b)
		t.traceApply(y, y, a)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		if a == ReLU {
			vec.ReLUGrad(y.Value, y.grad, y.grad)
			t.linearGrad(x, w, b, y.grad)
			return
		}
		db, add := t.gradOfParam(b)
		if !add {
			clear(db)
		}
		vec.MulSum(db, vec.Matrix{Data: y.grad, Stride: out}, vec.Matrix{Data: slope, Stride: out}, x.Rows)
		t.linearGrad(x, w, nil, y.grad)
	})
	return y
}

// LinearAdd is z + [Tape.Linear], the end of a residual part, with the same bits.
func (t *Tape) LinearAdd(x *Tensor, w, b *Param, z *Tensor) *Tensor {
	in, out := w.cols(), w.Shape[0]
	if b == nil || in > oneBlock {
		return t.Add(z, t.Linear(x, w, b))
	}
	mustMatch("linear", x.Cols == in && len(b.Value) == out, x, w)
	mustMatch("sum", z.Rows == x.Rows && z.Cols == out, z, w)
	y := t.fresh(x.Rows, out)
	t.times(x.Rows, x.Value, w, inputs, y.Value, false)
	vec.BiasAdd(x.Rows, out, vec.Matrix{Data: y.Value, Stride: out}, vec.Matrix{Data: b.Value}, vec.Matrix{Data: z.Value, Stride: out})
	if t.trace != nil {
		t.traceLinear(y, x, w, b)
		t.traceNode(y, "Add", z, y)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		t.linearGrad(x, w, b, y.grad)
		if !z.input {
			t.moveGrad(y.grad, z)
		}
	})
	return y
}

// oneBlock is the number of inputs up to which the bias may be added after the
// product with the same bits (package gemm sums blocks of so many).
const oneBlock = 256
