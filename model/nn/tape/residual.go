package tape

import "github.com/mlfactory/mlfactory/internal/simd/vec"

// AddReLU is max(x + z, 0), the end of a residual block, in one pass over memory
// each way.
func (t *Tape) AddReLU(x, z *Tensor) *Tensor {
	mustMatch("sum", x.Rows == z.Rows && x.Cols == z.Cols, x, z)
	y := t.fresh(x.Rows, x.Cols)
	for i := 0; i < len(y.Value); i += blockValues {
		end := min(i+blockValues, len(y.Value))
		vec.Add(x.Value[i:end], z.Value[i:end], y.Value[i:end])
		vec.ReLU(y.Value[i:end], y.Value[i:end])
	}
	if t.trace != nil {
		t.traceNode(y, "Add", x, z)
		t.traceApply(y, y, ReLU)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		g := y.grad
		vec.ReLUGrad(y.Value, g, g)
		t.sumGrad(g, x, z)
	})
	return y
}
