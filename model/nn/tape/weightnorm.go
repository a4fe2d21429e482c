package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// WeightNorm is the weights length·direction/‖direction‖, filter by filter: one
// length for each row of direction (Salimans and Kingma 2016, equation 2). The
// result stands for a parameter until the tape is reset; its gradient goes on to
// direction and length. A filter of zeros stays zero and gets no gradient.
func (t *Tape) WeightNorm(direction, length *Param) *Param {
	rows, n := direction.Shape[0], direction.cols()
	mustMatch("weight norm", len(length.Value) == rows, direction, length)
	w := &Param{Name: length.Name + ".scaled", Shape: direction.Shape, Value: t.alloc(rows * n), passing: true}
	inv := t.alloc(rows)
	for i := range rows {
		d := direction.Value[i*n : (i+1)*n]
		inv[i] = 0
		if square := vec.Dot(d, d); square > 0 {
			inv[i] = float32(1 / math.Sqrt(float64(square)))
		}
		vec.Scale(d, w.Value[i*n:(i+1)*n], length.Value[i]*inv[i])
	}
	if !t.train {
		return w
	}
	w.grads, w.used, w.counts = make([][]float32, t.shard+1), make([]bool, t.shard+1), make([]int, t.shard+1)
	w.grads[t.shard] = t.alloc(rows * n)
	t.back = append(t.back, func() {
		if !w.used[t.shard] {
			return
		}
		dw := w.grads[t.shard]
		dd, addD := t.gradOfParam(direction)
		dl, addL := t.gradOfParam(length)
		for i := range rows {
			d, g, o := direction.Value[i*n:(i+1)*n], dw[i*n:(i+1)*n], dd[i*n:(i+1)*n]
			along := vec.Dot(d, g) * inv[i]
			if addL {
				dl[i] += along
			} else {
				dl[i] = along
			}
			scale := length.Value[i] * inv[i]
			if addD {
				vec.Axpy(scale, g, o)
			} else {
				vec.Scale(g, o, scale)
			}
			vec.Axpy(-scale*along*inv[i], d, o)
		}
	})
	return w
}

// FilterLengths are the lengths of the filters of w as they are, one for each
// row: a start for [Tape.WeightNorm]. The shape is PyTorch's, out × 1 × 1.
func FilterLengths(name string, w *Param) *Param {
	shape := make([]int, len(w.Shape))
	for i := range shape {
		shape[i] = 1
	}
	shape[0] = w.Shape[0]
	p := NewParam(name, shape...)
	n := w.cols()
	for i := range p.Value {
		d := w.Value[i*n : (i+1)*n]
		p.Value[i] = float32(math.Sqrt(float64(vec.Dot(d, d))))
	}
	return p
}
