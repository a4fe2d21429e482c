package tape

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// DropPath sets all rows of a sample to zero with probability p and multiplies
// those of the others by 1/(1−p), when training (stochastic depth, Huang et al.
// 2016); otherwise it is x. A sample has the given number of rows.
func (t *Tape) DropPath(x *Tensor, rows int, p float64) *Tensor {
	if !t.train || p == 0 {
		return x
	}
	if !(p > 0 && p < 1) {
		panic(fmt.Sprintf("tape: dropped paths of %v", p))
	}
	mustSteps("dropped paths", x, rows)
	n := rows * x.Cols
	keep := make([]bool, x.Rows/rows)
	scale := float32(1 / (1 - p))
	y := t.fresh(x.Rows, x.Cols)
	for b := range keep {
		keep[b] = t.rand.Float64() >= p
		scaleOrZero(y.Value[b*n:(b+1)*n], x.Value[b*n:(b+1)*n], keep[b], scale, false)
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		g, add := t.gradOf(x)
		for b, k := range keep {
			scaleOrZero(g[b*n:(b+1)*n], y.grad[b*n:(b+1)*n], k, scale, add)
		}
	})
	return y
}

// scaleOrZero sets dst to scale·src, or to zero, or adds that.
func scaleOrZero(dst, src []float32, keep bool, scale float32, add bool) {
	switch {
	case keep && add:
		vec.Axpy(scale, src, dst)
	case keep:
		vec.Scale(src, dst, scale)
	case !add:
		clear(dst)
	}
}
