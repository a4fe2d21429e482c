package tape

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// accumulate sets dst to src, or adds it.
func accumulate(dst, src []float32, add bool) {
	if add {
		vec.Add(dst, src, dst)
	} else {
		copy(dst, src)
	}
}

func mustMatch(what string, ok bool, a, b fmt.Stringer) {
	if !ok {
		panic(fmt.Sprintf("tape: %s of %v and %v", what, a, b))
	}
}

func (p *Param) String() string { return fmt.Sprintf("%s%v", p.Name, p.Shape) }

// Linear is y = x·Wᵀ + b: x of n×in, W of out×in as PyTorch stores it, b of out
// values or nil. O(n·in·out).
func (t *Tape) Linear(x *Tensor, w, b *Param) *Tensor {
	in, out := w.cols(), w.Shape[0]
	mustMatch("linear", x.Cols == in && (b == nil || len(b.Value) == out), x, w)
	y := t.fresh(x.Rows, out)
	if b != nil {
		repeatRow(y.Value, b.Value)
	}
	t.times(x.Rows, x.Value, w, inputs, y.Value, b != nil)
	if t.trace != nil {
		t.traceLinear(y, x, w, b)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		t.linearGrad(x, w, b, y.grad)
	})
	return y
}

// linearGrad passes the gradient dy of x·Wᵀ + b on to x, w and b.
func (t *Tape) linearGrad(x *Tensor, w, b *Param, dy []float32) {
	in, out := w.cols(), w.Shape[0]
	if b != nil {
		db, add := t.gradOfParam(b)
		sumRows(db, dy, add)
	}
	dw, add := t.gradOfParam(w)
	gemm.Mul(out, in, x.Rows, gemm.Cols(dy, out), gemm.Rows(x.Value, in), dw, in, add, &t.gemm)
	if !x.input {
		dx, add := t.gradOf(x)
		t.times(x.Rows, dy, w, gradients, dx, add)
	}
}

// repeatRow fills y with copies of row.
func repeatRow(y, row []float32) {
	for i := 0; i < len(y); i += len(row) {
		copy(y[i:], row)
	}
}

// sumRows adds up the rows of dy, top down, into db.
func sumRows(db, dy []float32, add bool) {
	if !add {
		clear(db)
	}
	vec.SumRows(db, vec.Matrix{Data: dy, Stride: len(db)}, len(dy)/len(db))
}

// Activation is a function of one number.
type Activation uint8

// Activations.
const (
	None Activation = iota
	ReLU
	GELU // with the error function
	SiLU
	Tanh
	Sigmoid
)

// Apply is the activation of every value.
func (t *Tape) Apply(x *Tensor, a Activation) *Tensor {
	if a == None {
		return x
	}
	y := t.fresh(x.Rows, x.Cols)
	switch a {
	case ReLU:
		vec.ReLU(x.Value, y.Value)
	case GELU:
		vec.GELU(x.Value, y.Value)
	case SiLU:
		vec.SiLU(x.Value, y.Value)
	case Tanh:
		vec.Tanh(x.Value, y.Value)
	case Sigmoid:
		vec.Sigmoid(x.Value, y.Value)
	default:
		panic(fmt.Sprintf("tape: no activation %d", a))
	}
	if t.trace != nil {
		t.traceApply(y, x, a)
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
			d = t.alloc(len(dx))
		}
		switch a {
		case ReLU:
			vec.ReLUGrad(y.Value, y.grad, d)
		case GELU:
			vec.GELUGrad(x.Value, y.grad, d)
		case SiLU:
			vec.SiLUGrad(x.Value, y.grad, d)
		case Tanh:
			for i, v := range y.Value {
				d[i] = y.grad[i] * (1 - float32(v*v))
			}
		case Sigmoid:
			for i, v := range y.Value {
				d[i] = y.grad[i] * float32(v*(1-v))
			}
		}
		if add {
			vec.Add(dx, d, dx)
		}
	})
	return y
}

// Add is x + z of equal shapes.
func (t *Tape) Add(x, z *Tensor) *Tensor {
	mustMatch("sum", x.Rows == z.Rows && x.Cols == z.Cols, x, z)
	y := t.fresh(x.Rows, x.Cols)
	vec.Add(x.Value, z.Value, y.Value)
	t.traceNode(y, "Add", x, z)
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		t.sumGrad(y.grad, x, z)
	})
	return y
}

// sumGrad passes the gradient dy of x + z on. Nothing else must read dy: the first
// that has no gradient yet takes its memory, the other one copies it before
// anything is added to it.
func (t *Tape) sumGrad(dy []float32, x, z *Tensor) {
	free := true
	for _, v := range [2]*Tensor{x, z} {
		switch {
		case v.input:
		case free && v.grad == nil:
			v.grad, v.set = dy, true
			free = false
		default:
			g, add := t.gradOf(v)
			accumulate(g, dy, add)
		}
	}
}

// moveGrad passes on the gradient dy of what has the values of x, or x and a
// constant; nothing else must read dy.
func (t *Tape) moveGrad(dy []float32, x *Tensor) {
	if x.grad == nil {
		x.grad, x.set = dy, true
		return
	}
	vec.Add(x.grad, dy, x.grad)
}

// Mul is the product x⊙z of equal shapes, value by value.
func (t *Tape) Mul(x, z *Tensor) *Tensor {
	mustMatch("product", x.Rows == z.Rows && x.Cols == z.Cols, x, z)
	y := t.fresh(x.Rows, x.Cols)
	vec.Mul(x.Value, z.Value, y.Value)
	t.traceNode(y, "Mul", x, z)
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		part := func(v, other *Tensor) {
			if v.input {
				return
			}
			if g, add := t.gradOf(v); add {
				vec.MulAdd(y.grad, other.Value, g, g)
			} else {
				vec.Mul(y.grad, other.Value, g)
			}
		}
		part(x, z)
		part(z, x)
	})
	return y
}

// Scale is a·x.
func (t *Tape) Scale(x *Tensor, a float32) *Tensor {
	y := t.fresh(x.Rows, x.Cols)
	vec.Scale(x.Value, y.Value, a)
	if t.trace != nil {
		t.traceScale(y, x, a)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		if g, add := t.gradOf(x); add {
			vec.Axpy(a, y.grad, g)
		} else {
			vec.Scale(y.grad, g, a)
		}
	})
	return y
}

// Concat puts tensors of equal rows side by side.
func (t *Tape) Concat(xs ...*Tensor) *Tensor {
	cols := 0
	for _, x := range xs {
		mustMatch("concatenation", x.Rows == xs[0].Rows, xs[0], x)
		cols += x.Cols
	}
	y := t.fresh(xs[0].Rows, cols)
	o := 0
	for _, x := range xs {
		for i := range x.Rows {
			copy(y.Value[i*cols+o:], x.Row(i))
		}
		o += x.Cols
	}
	if t.trace != nil {
		t.traceConcat(y, xs)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		o := 0
		for _, x := range xs {
			if !x.input {
				g, add := t.gradOf(x)
				for i := range x.Rows {
					accumulate(g[i*x.Cols:(i+1)*x.Cols], y.grad[i*cols+o:i*cols+o+x.Cols], add)
				}
			}
			o += x.Cols
		}
	})
	return y
}

// Slice is the columns lo to hi−1.
func (t *Tape) Slice(x *Tensor, lo, hi int) *Tensor {
	if lo < 0 || hi > x.Cols || lo >= hi {
		panic(fmt.Sprintf("tape: columns %d to %d of %v", lo, hi, x))
	}
	n := hi - lo
	y := t.fresh(x.Rows, n)
	for i := range x.Rows {
		copy(y.Row(i), x.Row(i)[lo:hi])
	}
	if t.trace != nil {
		t.traceSlice(y, x, lo, hi)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		g, add := t.gradOf(x)
		if !add {
			clear(g)
		}
		for i := range x.Rows {
			accumulate(g[i*x.Cols+lo:i*x.Cols+hi], y.grad[i*n:(i+1)*n], add)
		}
	})
	return y
}

// Reshape is the same values as another matrix: rows·cols must not change.
func (t *Tape) Reshape(x *Tensor, rows, cols int) *Tensor {
	if rows*cols != x.Rows*x.Cols {
		panic(fmt.Sprintf("tape: %v reshaped to %d×%d", x, rows, cols))
	}
	y := t.tensor(rows, cols, x.Value)
	y.input = x.input
	if t.trace != nil {
		t.traceReshape(y, x)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		t.moveGrad(y.grad, x)
	})
	return y
}

// Dropout sets each value to zero with probability p and multiplies the others
// by 1/(1−p), when training (Srivastava et al. 2014); otherwise it is x.
func (t *Tape) Dropout(x *Tensor, p float64) *Tensor {
	if !t.train || p == 0 {
		return x
	}
	mask := t.dropMask(len(x.Value), p)
	m := t.tensor(x.Rows, x.Cols, mask)
	m.input = true
	return t.Mul(x, m)
}
