package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// LSTMFrom is [Tape.LSTM] from a given state: h0 and c0 have one row a sample. It
// returns the states of all steps and the cells after the last one, from which a
// decoder may go on.
func (t *Tape) LSTMFrom(x *Tensor, steps int, l *Recurrent, h0, c0 *Tensor) (y, last *Tensor) {
	in, hidden := x.Cols, l.HiddenWeight.cols()
	samples := x.Rows / steps
	mustMatch("lstm", samples*steps == x.Rows && l.InputWeight.cols() == in && l.InputWeight.Shape[0] == 4*hidden, x, l.InputWeight)
	mustMatch("lstm from a state", h0.Rows == samples && h0.Cols == hidden && c0.Rows == samples && c0.Cols == hidden, h0, c0)
	g4 := 4 * hidden
	gates, bias := t.alloc(x.Rows*g4), t.alloc(g4)
	vec.Add(l.InputBias.Value, l.HiddenBias.Value, bias)
	repeatRow(gates, bias)
	gemm.Mul(x.Rows, g4, in, gemm.Rows(x.Value, in), gemm.Cols(l.InputWeight.Value, in), gates, g4, true, &t.gemm)
	y, last = t.fresh(x.Rows, hidden), t.fresh(samples, hidden)
	cell, tanh := t.alloc(x.Rows*hidden), t.alloc(x.Rows*hidden)
	at := func(v []float32, row int) []float32 { return v[row*hidden : (row+1)*hidden] }
	// state is h before step s, as rows of a matrix.
	state := func(s int) gemm.Matrix {
		if s == 0 {
			return gemm.Rows(h0.Value, hidden)
		}
		return gemm.Rows(y.Value[(s-1)*hidden:], steps*hidden)
	}
	before := func(b, s int) []float32 {
		if s == 0 {
			return c0.Row(b)
		}
		return at(cell, b*steps+s-1)
	}
	for s := range steps {
		gemm.Mul(samples, g4, hidden, state(s), gemm.Cols(l.HiddenWeight.Value, hidden), gates[s*g4:], steps*g4, true, &t.gemm)
		for b := range samples {
			r := b*steps + s
			g := gates[r*g4 : (r+1)*g4]
			i, f, u, o := g[:hidden], g[hidden:2*hidden], g[2*hidden:3*hidden], g[3*hidden:]
			vec.LSTM(i, f, u, o, before(b, s), i, f, u, o, at(cell, r), at(tanh, r), at(y.Value, r))
		}
	}
	for b := range samples {
		copy(last.Row(b), at(cell, b*steps+steps-1))
	}
	if t.trace != nil {
		t.traceLSTMFrom(y, last, x, steps, l, h0, c0)
	}
	if !t.train {
		return y, last
	}
	t.back = append(t.back, func() {
		if !y.wants() && !last.wants() {
			return
		}
		dh, dc := t.alloc(samples*hidden), t.alloc(samples*hidden)
		clear(dh)
		clear(dc)
		if last.wants() {
			copy(dc, last.grad)
		}
		for s := steps - 1; s >= 0; s-- {
			for b := range samples {
				r := b*steps + s
				g := gates[r*g4 : (r+1)*g4]
				i, f, u, o := g[:hidden], g[hidden:2*hidden], g[2*hidden:3*hidden], g[3*hidden:]
				if y.wants() {
					vec.Add(at(dh, b), at(y.grad, r), at(dh, b))
				}
				vec.LSTMGrad(at(dh, b), at(dc, b), i, f, u, o, at(tanh, r), before(b, s), i, f, u, o, at(dc, b))
			}
			gemm.Mul(samples, hidden, g4, gemm.Rows(gates[s*g4:], steps*g4), gemm.Rows(l.HiddenWeight.Value, hidden), dh, hidden, false, &t.gemm)
		}
		for _, b := range [2]*Param{l.InputBias, l.HiddenBias} {
			db, add := t.gradOfParam(b)
			sumRows(db, gates, add)
		}
		dw, add := t.gradOfParam(l.InputWeight)
		gemm.Mul(g4, in, x.Rows, gemm.Cols(gates, g4), gemm.Rows(x.Value, in), dw, in, add, &t.gemm)
		dw, add = t.gradOfParam(l.HiddenWeight)
		for s := range steps {
			gemm.Mul(g4, hidden, samples, gemm.Cols(gates[s*g4:], steps*g4), state(s), dw, hidden, add || s > 0, &t.gemm)
		}
		if !x.input {
			dx, add := t.gradOf(x)
			gemm.Mul(x.Rows, in, g4, gemm.Rows(gates, g4), gemm.Rows(l.InputWeight.Value, in), dx, in, add, &t.gemm)
		}
		for k, z := range [2]*Tensor{h0, c0} {
			if !z.input {
				g, add := t.gradOf(z)
				accumulate(g, [2][]float32{dh, dc}[k], add)
			}
		}
	})
	return y, last
}
