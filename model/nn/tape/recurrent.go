package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Recurrent holds the parameters of a layer of LSTM or GRU in the form and order
// of PyTorch: gates i f g o, or r z n, each of hidden rows.
type Recurrent struct {
	InputWeight, HiddenWeight *Param // gates·hidden × in, gates·hidden × hidden
	InputBias, HiddenBias     *Param // gates·hidden
}

// LSTM runs the layer over sequences of steps rows each, from a state of zeros,
// and returns the states of all steps: row b·T+t of y is h after step t of
// sample b. Formulas: [vec.LSTM]. O(rows·hidden·(in + hidden)).
func (t *Tape) LSTM(x *Tensor, steps int, l *Recurrent) *Tensor {
	in, hidden := x.Cols, l.HiddenWeight.cols()
	samples := x.Rows / steps
	mustMatch("lstm", samples*steps == x.Rows && l.InputWeight.cols() == in && l.InputWeight.Shape[0] == 4*hidden, x, l.InputWeight)
	g4 := 4 * hidden
	gates := t.alloc(x.Rows * g4)
	bias := t.alloc(g4)
	vec.Add(l.InputBias.Value, l.HiddenBias.Value, bias)
	repeatRow(gates, bias)
	gemm.Mul(x.Rows, g4, in, gemm.Rows(x.Value, in), gemm.Cols(l.InputWeight.Value, in), gates, g4, true, &t.gemm)
	y := t.fresh(x.Rows, hidden)
	cell, tanh := t.alloc(x.Rows*hidden), t.alloc(x.Rows*hidden)
	zero := t.alloc(hidden)
	clear(zero)
	at := func(v []float32, row int) []float32 { return v[row*hidden : (row+1)*hidden] }
	for s := range steps {
		if s > 0 {
			gemm.Mul(samples, g4, hidden, gemm.Rows(y.Value[(s-1)*hidden:], steps*hidden), gemm.Cols(l.HiddenWeight.Value, hidden), gates[s*g4:], steps*g4, true, &t.gemm)
		}
		for b := range samples {
			r := b*steps + s
			g, c0 := gates[r*g4:(r+1)*g4], zero
			if s > 0 {
				c0 = at(cell, r-1)
			}
			i, f, u, o := g[:hidden], g[hidden:2*hidden], g[2*hidden:3*hidden], g[3*hidden:]
			vec.LSTM(i, f, u, o, c0, i, f, u, o, at(cell, r), at(tanh, r), at(y.Value, r))
		}
	}
	if t.trace != nil {
		t.traceRecurrent(y, x, "LSTM", steps, l)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		// gates become their gradients; dh and dc are what later steps ask of this one.
		dh, dc := t.alloc(samples*hidden), t.alloc(samples*hidden)
		clear(dh)
		clear(dc)
		for s := steps - 1; s >= 0; s-- {
			for b := range samples {
				r := b*steps + s
				g, c0 := gates[r*g4:(r+1)*g4], zero
				if s > 0 {
					c0 = at(cell, r-1)
				}
				i, f, u, o := g[:hidden], g[hidden:2*hidden], g[2*hidden:3*hidden], g[3*hidden:]
				vec.Add(at(dh, b), at(y.grad, r), at(dh, b))
				vec.LSTMGrad(at(dh, b), at(dc, b), i, f, u, o, at(tanh, r), c0, i, f, u, o, at(dc, b))
			}
			if s > 0 {
				gemm.Mul(samples, hidden, g4, gemm.Rows(gates[s*g4:], steps*g4), gemm.Rows(l.HiddenWeight.Value, hidden), dh, hidden, false, &t.gemm)
			}
		}
		t.recurrentGrad(x, y, l, steps, gates, gates)
	})
	return y
}

// recurrentGrad passes the gradients of the sums that enter the gates, from the
// input and from the state, on to the parameters and to x.
func (t *Tape) recurrentGrad(x, y *Tensor, l *Recurrent, steps int, fromInput, fromState []float32) {
	in, hidden, rows := x.Cols, y.Cols, len(l.InputBias.Value)
	db, add := t.gradOfParam(l.InputBias)
	sumRows(db, fromInput, add)
	db, add = t.gradOfParam(l.HiddenBias)
	sumRows(db, fromState, add)
	dw, add := t.gradOfParam(l.InputWeight)
	gemm.Mul(rows, in, x.Rows, gemm.Cols(fromInput, rows), gemm.Rows(x.Value, in), dw, in, add, &t.gemm)
	dw, add = t.gradOfParam(l.HiddenWeight)
	if steps == 1 && !add {
		clear(dw)
	}
	// Row r of y feeds row r+1 within a sample: one product a sample, less the
	// rows in between, or one over all rows with those at the seams left out.
	for b := range x.Rows / steps {
		if steps > 1 {
			gemm.Mul(rows, hidden, steps-1, gemm.Cols(fromState[(b*steps+1)*rows:], rows), gemm.Rows(y.Value[b*steps*hidden:], hidden), dw, hidden, add || b > 0, &t.gemm)
		}
	}
	if !x.input {
		dx, add := t.gradOf(x)
		gemm.Mul(x.Rows, in, rows, gemm.Rows(fromInput, rows), gemm.Rows(l.InputWeight.Value, in), dx, in, add, &t.gemm)
	}
}

// GRU is [Tape.LSTM] for the gated recurrent unit. Formulas: [vec.GRU].
func (t *Tape) GRU(x *Tensor, steps int, l *Recurrent) *Tensor {
	in, hidden := x.Cols, l.HiddenWeight.cols()
	samples := x.Rows / steps
	mustMatch("gru", samples*steps == x.Rows && l.InputWeight.cols() == in && l.InputWeight.Shape[0] == 3*hidden, x, l.InputWeight)
	g3 := 3 * hidden
	// px: sums of the input, which become r, z and n; ph: those of the state.
	px, ph := t.alloc(x.Rows*g3), t.alloc(x.Rows*g3)
	repeatRow(px, l.InputBias.Value)
	gemm.Mul(x.Rows, g3, in, gemm.Rows(x.Value, in), gemm.Cols(l.InputWeight.Value, in), px, g3, true, &t.gemm)
	repeatRow(ph, l.HiddenBias.Value)
	y := t.fresh(x.Rows, hidden)
	zero := t.alloc(hidden)
	clear(zero)
	at := func(v []float32, row int) []float32 { return v[row*hidden : (row+1)*hidden] }
	for s := range steps {
		if s > 0 {
			gemm.Mul(samples, g3, hidden, gemm.Rows(y.Value[(s-1)*hidden:], steps*hidden), gemm.Cols(l.HiddenWeight.Value, hidden), ph[s*g3:], steps*g3, true, &t.gemm)
		}
		for b := range samples {
			r := b*steps + s
			p, q, h0 := px[r*g3:(r+1)*g3], ph[r*g3:(r+1)*g3], zero
			if s > 0 {
				h0 = at(y.Value, r-1)
			}
			vec.Add(p[:2*hidden], q[:2*hidden], p[:2*hidden])
			ar, az, an := p[:hidden], p[hidden:2*hidden], p[2*hidden:]
			vec.GRU(ar, az, an, q[2*hidden:], h0, ar, az, an, at(y.Value, r))
		}
	}
	if t.trace != nil {
		t.traceRecurrent(y, x, "GRU", steps, l)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dh := t.alloc(samples * hidden)
		clear(dh)
		for s := steps - 1; s >= 0; s-- {
			for b := range samples {
				r := b*steps + s
				p, q, h0 := px[r*g3:(r+1)*g3], ph[r*g3:(r+1)*g3], zero
				if s > 0 {
					h0 = at(y.Value, r-1)
				}
				d := at(dh, b)
				vec.Add(d, at(y.grad, r), d)
				ar, az, an := p[:hidden], p[hidden:2*hidden], p[2*hidden:]
				vec.GRUGrad(d, ar, az, an, q[2*hidden:], h0, ar, az, an, q[2*hidden:], d)
				copy(q[:2*hidden], p[:2*hidden])
			}
			if s > 0 {
				gemm.Mul(samples, hidden, g3, gemm.Rows(ph[s*g3:], steps*g3), gemm.Rows(l.HiddenWeight.Value, hidden), dh, hidden, true, &t.gemm)
			}
		}
		t.recurrentGrad(x, y, l, steps, px, ph)
	})
	return y
}
