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
	y, _ := t.lstm(x, steps, l, nil, nil, false)
	if t.trace != nil {
		t.traceRecurrent(y, x, "LSTM", steps, l)
	}
	return y
}

// LSTMLast is the last step of [Tape.LSTM], a row a sample, with the bits of
// [Tape.Step]: the states of other steps are not copied, and no gradient of zeros is
// read for them.
func (t *Tape) LSTMLast(x *Tensor, steps int, l *Recurrent) *Tensor {
	if t.trace != nil {
		return t.Step(t.LSTM(x, steps, l), steps, -1)
	}
	y, _ := t.lstm(x, steps, l, nil, nil, true)
	return y
}

// LSTMFrom is [Tape.LSTM] from a given state: h0 and c0 have one row a sample. It
// returns the states of all steps and the cells after the last one, from which a
// decoder may go on.
func (t *Tape) LSTMFrom(x *Tensor, steps int, l *Recurrent, h0, c0 *Tensor) (y, last *Tensor) {
	samples, hidden := x.Rows/steps, l.HiddenWeight.cols()
	mustMatch("lstm from a state", h0.Rows == samples && h0.Cols == hidden && c0.Rows == samples && c0.Cols == hidden, h0, c0)
	y, last = t.lstm(x, steps, l, h0, c0, false)
	if t.trace != nil {
		t.traceLSTMFrom(y, last, x, steps, l, h0, c0)
	}
	return y, last
}

// sequence is the layout in which a recurrence runs: step by step, a row a
// sample. A row of z is what enters the gates at a step: x and the state before the
// step. Without gradients all steps use the same rows. Where windows share their bars,
// each bar is multiplied once, before the first step, and x is no part of z. Sums begin
// with the bias, then comes x, then the state.
type sequence struct {
	x, y           *Tensor
	steps, samples int
	in, hidden     int
	own            int   // values of x in a row of z: in or none
	bars           *bars // of x where own is 0
	z              []float32
	apart          int       // values from a row of z to the next
	keep           int       // 1 if every step has rows of its own, else 0
	both           []float32 // weights of a row of z: those of x, those of the state
	zero           []float32 // a row
	sums           int       // gates·hidden
	stride         int       // of rows of sums
	only           bool      // y is the states after the last step
}

// apart is the distance of rows of n values. Rows that are a multiple of 1024 bytes
// long would lie upon each other in the first-level cache.
func apart(n int) int {
	if n%256 == 0 {
		return n + 16
	}
	return n
}

// sequence lays out the states.
func (t *Tape) sequence(name string, x *Tensor, steps int, l *Recurrent, h0 *Tensor, only bool) *sequence {
	s := &sequence{only: only, x: x, steps: steps, samples: x.Rows / steps, in: x.Cols, hidden: l.HiddenWeight.cols(), sums: len(l.InputBias.Value)}
	mustMatch(name, s.samples*steps == x.Rows && l.InputWeight.cols() == s.in && l.InputWeight.Shape[0] == s.sums && l.HiddenWeight.Shape[0] == s.sums, x, l.InputWeight)
	s.stride, s.own = apart(s.sums), s.in
	if l.Shares() {
		s.bars = x.bars
	}
	if s.bars != nil {
		s.own = 0
	}
	blocks := 1
	if t.train {
		s.keep, blocks = 1, steps+1
	}
	s.apart = apart(s.width())
	s.z = t.alloc(blocks * s.samples * s.apart)
	for b := range s.samples {
		if h := s.z[b*s.apart+s.own:][:s.hidden]; h0 != nil {
			copy(h, h0.Row(b))
		} else {
			clear(h)
		}
	}
	s.zero = t.alloc(s.hidden)
	clear(s.zero)
	if only {
		s.y = t.fresh(s.samples, s.hidden)
	} else {
		s.y = t.fresh(x.Rows, s.hidden)
	}
	return s
}

// join puts the weights of a row of z together.
func (s *sequence) join(t *Tape, l *Recurrent) {
	w := s.width()
	s.both = t.alloc(s.sums * w)
	for k := range s.sums {
		copy(s.both[k*w:], l.InputWeight.Value[k*s.in:k*s.in+s.own])
		copy(s.both[k*w+s.own:], l.HiddenWeight.Value[k*s.hidden:(k+1)*s.hidden])
	}
}

// width is that of z.
func (s *sequence) width() int { return s.own + s.hidden }

// block is the place of a step's rows among rows of n values.
func (s *sequence) block(step, n int) int { return step * s.keep * s.samples * n }

// enter copies x of a step into z and returns the rows of z.
func (s *sequence) enter(step int) []float32 {
	z := s.z[s.block(step, s.apart):]
	for b := 0; b < s.samples && s.own > 0; b++ {
		copy(z[b*s.apart:b*s.apart+s.own], s.x.Value[(b*s.steps+step)*s.in:])
	}
	return z
}

// state is the part of z that is the state before a step.
func (s *sequence) state(step int) vec.Matrix {
	return vec.Matrix{Data: s.z, First: s.block(step, s.apart) + s.own, Stride: s.apart}
}

// leave copies the states after a step to y.
func (s *sequence) leave(step int) {
	h := s.z[s.block(step+1, s.apart)+s.own:]
	if s.only {
		if step == s.steps-1 {
			for b := range s.samples {
				copy(s.y.Row(b), h[b*s.apart:])
			}
		}
		return
	}
	for b := range s.samples {
		copy(s.y.Value[(b*s.steps+step)*s.hidden:(b*s.steps+step+1)*s.hidden], h[b*s.apart:])
	}
}

// grad is the gradient that reaches the states after a step from y.
func (s *sequence) grad(step int) vec.Matrix {
	if !s.y.wants() || s.only && step < s.steps-1 {
		return vec.Matrix{Data: s.zero}
	}
	if s.only {
		return vec.Matrix{Data: s.y.grad, Stride: s.hidden}
	}
	return vec.Matrix{Data: s.y.grad, First: step * s.hidden, Stride: s.steps * s.hidden}
}

// sumBiases keeps the sum of the bias of the input and that of the state for the first
// gates; for those after them it is the input's.
func (k *layouts) sumBiases(l *Recurrent, gates int) {
	n := gates * l.HiddenWeight.cols()
	k.values = k.room(len(l.InputBias.Value))
	copy(k.values[n:], l.InputBias.Value[n:])
	vec.Add(l.InputBias.Value[:n], l.HiddenBias.Value[:n], k.values[:n])
}

// gateOf is the columns of a gate in rows of stride values.
func gateOf(rows []float32, k, hidden, stride int) vec.Matrix {
	return vec.Matrix{Data: rows, First: k * hidden, Stride: stride}
}

// lstm is [Tape.LSTM] or [Tape.LSTMLast] from a state, nil for zeros.
func (t *Tape) lstm(x *Tensor, steps int, l *Recurrent, h0, c0 *Tensor, only bool) (y, last *Tensor) {
	switch {
	case !t.few(x, steps, l):
	case x.Rows == steps && vec.LSTMStepsFit(l.HiddenWeight.cols()):
		return t.lstmOne(x, steps, l, h0, c0, only)
	default:
		return t.lstmFew(x, steps, l, h0, c0, only)
	}
	s := t.sequence("lstm", x, steps, l, h0, only)
	n, h, g4, gs, w := s.samples, s.hidden, s.sums, s.stride, s.width()
	mustMatch("lstm", g4 == 4*h, x, l.InputWeight)
	kept := t.keptOf(l, s.as(), min(n, 3), func(k *layouts) {
		s.join(t, l)
		k.add(n, w, g4, gemm.Cols(s.both, w))
		if s.bars != nil {
			k.add(s.bars.count, s.in, g4, gemm.Cols(l.InputWeight.Value, s.in))
		}
		k.sumBiases(l, 4)
	})
	packed, bias := kept.packed, kept.values
	weights := &packed[0]
	var ofBars []float32 // sums of bars that windows share
	if s.bars != nil {
		ofBars = t.alloc(s.bars.count * gs)
		gemm.ContinuePacked(s.bars.count, gemm.Rows(s.bars.value, s.in), &packed[1], bias, 0, ofBars, gs, false)
	}
	blocks := 1 + s.keep*(steps-1)
	gates, tanh := t.alloc(blocks*n*gs), t.alloc(blocks*n*h)
	cell := t.alloc((blocks + s.keep) * n * h) // a block before the first step
	if c0 != nil {
		copy(cell, c0.Value)
	} else {
		clear(cell[:n*h])
	}
	cells := func(step int) vec.Matrix { return vec.Matrix{Data: cell, First: s.block(step, h), Stride: h} }
	for step := range steps {
		z, g := s.enter(step), gates[s.block(step, gs):][:n*gs]
		if s.bars != nil {
			gemm.ContinuePacked(n, gemm.Rows(z, s.apart), weights, s.bars.sums(step, gs, ofBars, g), gs, g, gs, false)
		} else {
			gemm.ContinuePacked(n, gemm.Rows(z, s.apart), weights, bias, 0, g, gs, false)
		}
		i, f, u, o := gateOf(g, 0, h, gs), gateOf(g, 1, h, gs), gateOf(g, 2, h, gs), gateOf(g, 3, h, gs)
		vec.LSTMRows(n, h, i, f, u, o, cells(step), cells(step+1), vec.Matrix{Data: tanh, First: s.block(step, h), Stride: h}, s.state(step+1))
		s.leave(step)
	}
	if c0 != nil {
		last = t.fresh(n, h)
		copy(last.Value, cell[s.block(steps, h):])
	}
	if t.train {
		t.back = append(t.back, func() {
			if s.y.wants() || last != nil && last.wants() {
				t.lstmGrad(s, l, gates, cell, tanh, h0, c0, last)
			}
		})
	}
	return s.y, last
}

// lstmGrad turns the gates into the gradients of their sums, step by step, and
// passes them on.
func (t *Tape) lstmGrad(s *sequence, l *Recurrent, gates, cell, tanh []float32, h0, c0, last *Tensor) {
	n, h, g4, gs := s.samples, s.hidden, s.sums, s.stride
	// dz is the gradient of a step's rows of z, or of their state alone where x wants none.
	w, from := s.in+h, s.in
	if s.x.input {
		w, from = h, 0
	}
	packed := &t.keptOf(l, stateGradients, w, func(k *layouts) {
		if s.x.input {
			k.add(n, g4, w, gemm.Rows(l.HiddenWeight.Value, h))
			return
		}
		if s.both == nil { // the forward pass found its layout
			s.join(t, l)
		}
		k.add(n, g4, w, gemm.Rows(s.both, s.width()))
	}).packed[0]
	dz, dc := t.alloc(n*w), t.alloc(n*h)
	clear(dz)
	if last != nil && last.wants() {
		copy(dc, last.grad)
	} else {
		clear(dc)
	}
	dx, add := []float32(nil), false
	if !s.x.input {
		dx, add = t.gradOf(s.x)
	}
	at := func(v []float32, step int) vec.Matrix {
		return vec.Matrix{Data: v, First: s.block(step, h), Stride: h}
	}
	sums, dw := t.alloc(g4), t.alloc(apart(g4)*(s.own+h))
	clear(sums)
	ofBars := s.gradOfBars(t, gs)
	end := s.steps
	for step := s.steps - 1; step >= 0; step-- {
		g := gates[s.block(step, gs):][:n*gs]
		vec.LSTMGradRows(n, h, vec.Matrix{Data: dz, First: from, Stride: w}, s.grad(step), vec.Matrix{Data: dc, Stride: h},
			gateOf(g, 0, h, gs), gateOf(g, 1, h, gs), gateOf(g, 2, h, gs), gateOf(g, 3, h, gs), at(tanh, step), at(cell, step))
		if s.bars != nil {
			s.bars.collect(step, gs, g, ofBars)
		} else {
			vec.SumRows(sums, vec.Matrix{Data: g, Stride: gs}, n)
		}
		if s.flush(step, end) {
			t.weightGrad(s, step, end, g4, s.own+h, gemm.Rows(gates, gs), 0, dw, end < s.steps)
			end = step
		}
		if step > 0 || dx != nil || h0 != nil {
			gemm.MulPacked(n, gemm.Rows(g, gs), packed, dz, w, false)
			s.pass(step, dz, w, dx, add)
		}
	}
	if s.bars != nil {
		vec.SumRows(sums, vec.Matrix{Data: ofBars, Stride: gs}, s.bars.count)
	}
	for _, b := range [2]*Param{l.InputBias, l.HiddenBias} {
		db, add := t.gradOfParam(b)
		accumulate(db, sums, add)
	}
	t.divide(s, l, g4, dw)
	t.inputGrad(s, l, ofBars, gs)
	for k, v := range [2]*Tensor{h0, c0} {
		if v == nil || v.input {
			continue
		}
		d, add := t.gradOf(v)
		for b := range n {
			from := [2][]float32{dz[b*w+from : b*w+from+h], dc[b*h : (b+1)*h]}[k]
			accumulate(d[b*h:(b+1)*h], from, add)
		}
	}
}

// pass hands the part of dz that belongs to x on to dx, nil for none.
func (s *sequence) pass(step int, dz []float32, w int, dx []float32, add bool) {
	if dx == nil {
		return
	}
	for b := range s.samples {
		at := (b*s.steps + step) * s.in
		accumulate(dx[at:at+s.in], dz[b*w:b*w+s.in], add)
	}
}

// deep is the number of rows whose part of a weight gradient is computed at once:
// few enough to be still in the cache, and a whole block of the product.
const deep = 256

// flush reports whether the steps from step to end−1 are enough for a part of
// the weight gradients.
func (s *sequence) flush(step, end int) bool { return step == 0 || (end-step)*s.samples >= deep }

// weightGrad computes, or adds, the part of the steps from lo to hi−1 in the
// gradient of weights, transposed: the product of cols columns of z, from first on,
// and of gradients, of which a row has so many values. A row of d has apart of them.
// The columns of z, which the product has to lay out anew, are mostly fewer than
// those of the gradients.
func (t *Tape) weightGrad(s *sequence, lo, hi, values, cols int, grads gemm.Matrix, first int, d []float32, add bool) {
	at := lo * s.samples
	grads.Data = grads.Data[at*grads.RowStride:]
	gemm.Mul(cols, values, (hi-lo)*s.samples, gemm.Cols(s.z[at*s.apart+first:], s.apart), grads, d, apart(values), add, &t.gemm)
}

// transposed writes rows of cols values, which are columns of d that are ld apart,
// to dst, or adds them.
func (t *Tape) transposed(dst []float32, rows, cols int, d []float32, ld int, add bool) {
	if !add {
		gemm.Transpose(cols, rows, d, ld, dst, cols)
		return
	}
	v := t.alloc(rows * cols)
	gemm.Transpose(cols, rows, d, ld, v, cols)
	accumulate(dst[:rows*cols], v, true)
}

// divide adds the gradient of both weights for the first gates, transposed, to each.
func (t *Tape) divide(s *sequence, l *Recurrent, rows int, d []float32) {
	ld := apart(rows)
	dh, addH := t.gradOfParam(l.HiddenWeight)
	t.transposed(dh, rows, s.hidden, d[s.own*ld:], ld, addH)
	if s.own > 0 {
		dx, addX := t.gradOfParam(l.InputWeight)
		t.transposed(dx, rows, s.in, d, ld, addX)
	}
}

// as is what the weights of a row of z are laid out for.
func (s *sequence) as() layout {
	if s.bars != nil {
		return statesOfBars
	}
	return states
}

// gradOfBars is zeros for the gradients of the sums of bars that windows share, in
// rows of stride values, or nothing where they share none.
func (s *sequence) gradOfBars(t *Tape, stride int) []float32 {
	if s.bars == nil {
		return nil
	}
	d := t.alloc(s.bars.count * stride)
	clear(d)
	return d
}

// inputGrad adds the gradient of the weights of bars that windows share.
func (t *Tape) inputGrad(s *sequence, l *Recurrent, ofBars []float32, stride int) {
	if s.bars == nil {
		return
	}
	dx, add := t.gradOfParam(l.InputWeight)
	gemm.Mul(s.sums, s.in, s.bars.count, gemm.Cols(ofBars, stride), gemm.Rows(s.bars.value, s.in), dx, s.in, add, &t.gemm)
}
