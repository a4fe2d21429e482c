package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// GRU is [Tape.LSTM] for the gated recurrent unit. Formulas: [vec.GRU].
func (t *Tape) GRU(x *Tensor, steps int, l *Recurrent) *Tensor {
	y := t.gru(x, steps, l, false)
	if t.trace != nil {
		t.traceRecurrent(y, x, "GRU", steps, l)
	}
	return y
}

// GRULast is [Tape.LSTMLast] for the gated recurrent unit.
func (t *Tape) GRULast(x *Tensor, steps int, l *Recurrent) *Tensor {
	if t.trace != nil {
		return t.Step(t.GRU(x, steps, l), steps, -1)
	}
	return t.gru(x, steps, l, true)
}

// gru is [Tape.GRU] or [Tape.GRULast].
func (t *Tape) gru(x *Tensor, steps int, l *Recurrent, only bool) *Tensor {
	if t.few(x, steps, l) {
		return t.gruFew(x, steps, l, only)
	}
	s := t.sequence("gru", x, steps, l, nil, only)
	n, h, g3, gs, w, z0 := s.samples, s.hidden, s.sums, s.stride, s.width(), s.apart
	mustMatch("gru", g3 == 3*h, x, l.InputWeight)
	// p: the sums of r, z and, of the input alone, n; q: that of n from the state.
	kept := t.keptOf(l, s.as(), min(n, 3), func(k *layouts) {
		s.join(t, l)
		k.add(n, w, 2*h, gemm.Cols(s.both, w))
		k.add(n, h, h, gemm.Cols(l.HiddenWeight.Value[2*h*h:], h))
		if s.bars == nil {
			k.add(n, s.in, h, gemm.Cols(l.InputWeight.Value[2*h*s.in:], s.in))
		} else {
			k.add(s.bars.count, s.in, g3, gemm.Cols(l.InputWeight.Value, s.in))
		}
		k.sumBiases(l, 2)
	})
	weights, ofState, ofInput := &kept.packed[0], &kept.packed[1], &kept.packed[2]
	bias, biasOfState := kept.values, l.HiddenBias.Value[2*h:]
	var ofBars []float32 // sums of bars that windows share
	if s.bars != nil {
		ofBars = t.alloc(s.bars.count * gs)
		gemm.ContinuePacked(s.bars.count, gemm.Rows(s.bars.value, s.in), ofInput, bias, 0, ofBars, gs, false)
	}
	blocks := 1 + s.keep*(steps-1)
	ps, qs := t.alloc(blocks*n*gs), t.alloc(blocks*n*h)
	for step := range steps {
		z, p, q := s.enter(step), ps[s.block(step, gs):][:n*gs], qs[s.block(step, h):][:n*h]
		if s.bars != nil {
			from := s.bars.sums(step, gs, ofBars, p)
			gemm.ContinuePacked(n, gemm.Rows(z, z0), weights, from, gs, p, gs, false)
			for b := 0; b < n && &from[0] != &p[0]; b++ {
				copy(p[b*gs+2*h:b*gs+g3], from[b*gs+2*h:])
			}
		} else {
			gemm.ContinuePacked(n, gemm.Rows(z, z0), weights, bias, 0, p, gs, false)
			gemm.ContinuePacked(n, gemm.Rows(z, z0), ofInput, bias[2*h:], 0, p[2*h:], gs, false)
		}
		gemm.ContinuePacked(n, gemm.Rows(z[s.own:], z0), ofState, biasOfState, 0, q, h, false)
		vec.GRURows(n, h, gateOf(p, 0, h, gs), gateOf(p, 1, h, gs), gateOf(p, 2, h, gs), vec.Matrix{Data: q, Stride: h}, s.state(step), s.state(step+1))
		s.leave(step)
	}
	if t.train {
		t.back = append(t.back, func() {
			if s.y.wants() {
				t.gruGrad(s, l, ps, qs)
			}
		})
	}
	return s.y
}

// gruGrad is lstmGrad for the gated recurrent unit. The rows of n have different
// gradients for the input and for the state.
func (t *Tape) gruGrad(s *sequence, l *Recurrent, ps, qs []float32) {
	n, h, g3, gs, both := s.samples, s.hidden, s.sums, s.stride, s.own+s.hidden
	packed := t.keptOf(l, stateGradients, h, func(k *layouts) {
		k.add(n, 2*h, h, gemm.Rows(l.HiddenWeight.Value, h))
		k.add(n, h, h, gemm.Rows(l.HiddenWeight.Value[2*h*h:], h))
	}).packed
	gates, last := &packed[0], &packed[1]
	dh := t.alloc(n * h)
	clear(dh)
	sums, dw, dn, dm := t.alloc(4*h), t.alloc(apart(2*h)*both), t.alloc(apart(h)*s.own), t.alloc(apart(h)*h)
	clear(sums)
	ofBars := s.gradOfBars(t, gs)
	end := s.steps
	for step := s.steps - 1; step >= 0; step-- {
		p, q := ps[s.block(step, gs):][:n*gs], qs[s.block(step, h):][:n*h]
		vec.GRUGradRows(n, h, vec.Matrix{Data: dh, Stride: h}, s.grad(step), gateOf(p, 0, h, gs), gateOf(p, 1, h, gs), gateOf(p, 2, h, gs),
			vec.Matrix{Data: q, Stride: h}, s.state(step))
		if s.bars != nil {
			s.bars.collect(step, gs, p, ofBars)
		} else {
			vec.SumRows(sums[:g3], vec.Matrix{Data: p, Stride: gs}, n)
		}
		vec.SumRows(sums[g3:], vec.Matrix{Data: q, Stride: h}, n)
		if s.flush(step, end) {
			more := end < s.steps
			t.weightGrad(s, step, end, 2*h, both, gemm.Rows(ps, gs), 0, dw, more)
			if s.bars == nil {
				t.weightGrad(s, step, end, h, s.in, gemm.Rows(ps[2*h:], gs), 0, dn, more)
			}
			t.weightGrad(s, step, end, h, h, gemm.Rows(qs, h), s.own, dm, more)
			end = step
		}
		if step > 0 {
			gemm.MulPacked(n, gemm.Rows(p, gs), gates, dh, h, true)
			gemm.MulPacked(n, gemm.Rows(q, h), last, dh, h, true)
		}
	}
	if s.bars != nil {
		vec.SumRows(sums[:g3], vec.Matrix{Data: ofBars, Stride: gs}, s.bars.count)
	}
	db, add := t.gradOfParam(l.InputBias)
	accumulate(db, sums[:g3], add)
	copy(sums[2*h:g3], sums[g3:])
	db, add = t.gradOfParam(l.HiddenBias)
	accumulate(db, sums[:g3], add)
	addX, addH := l.InputWeight.used[t.shard], l.HiddenWeight.used[t.shard]
	t.divide(s, l, 2*h, dw)
	if s.bars == nil {
		dx, _ := t.gradOfParam(l.InputWeight)
		t.transposed(dx[2*h*s.in:], h, s.in, dn, apart(h), addX)
	}
	t.inputGrad(s, l, ofBars, gs)
	dm0, _ := t.gradOfParam(l.HiddenWeight)
	t.transposed(dm0[2*h*h:], h, h, dm, apart(h), addH)
	if s.x.input {
		return
	}
	steps := t.alloc(s.x.Rows * s.in)
	gemm.Mul(s.x.Rows, s.in, g3, gemm.Rows(ps, gs), gemm.Rows(l.InputWeight.Value, s.in), steps, s.in, false, &t.gemm)
	g, addTo := t.gradOf(s.x)
	for step := range s.steps {
		s.pass(step, steps[step*n*s.in:], s.in, g, addTo)
	}
}
