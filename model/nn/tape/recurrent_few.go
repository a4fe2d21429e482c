package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// fewSamples is the number of samples up to which a product of one step has too few
// rows to be fast.
const fewSamples = 4

// few reports whether the inputs of all steps are multiplied at once, before the
// states: sums are then in the same order, as long as they are a single block of
// the products.
func (t *Tape) few(x *Tensor, steps int, l *Recurrent) bool {
	return !t.train && x.Rows/steps <= fewSamples && l.Shares()
}

// Shares reports whether the layer multiplies bars once that the windows of its input
// share ([Tape.Windows]). It does where input and state are a single block of the
// products: then sums do not depend on whether the input is multiplied beforehand.
func (l *Recurrent) Shares() bool { return l.InputWeight.cols()+l.HiddenWeight.cols() <= oneBlock }

// fewSequence is the layout of few samples: rows as in x.
type fewSequence struct {
	steps, samples int
	in, hidden     int
	sums           int       // gates·hidden
	z              []float32 // rows of a state
	y              *Tensor
	only           bool // y is the states after the last step
}

// mustTake checks that the layer takes rows of steps and makes so many sums of each.
func (l *Recurrent) mustTake(name string, x *Tensor, steps, sums int) {
	mustMatch(name, x.Rows%steps == 0 && l.InputWeight.cols() == x.Cols && l.InputWeight.Shape[0] == sums && l.HiddenWeight.Shape[0] == sums && len(l.InputBias.Value) == sums, x, l.InputWeight)
}

func (t *Tape) fewSequence(name string, x *Tensor, steps, gates int, l *Recurrent, h0 *Tensor, only bool) fewSequence {
	s := fewSequence{only: only, steps: steps, samples: x.Rows / steps, in: x.Cols, hidden: l.HiddenWeight.cols()}
	s.sums = gates * s.hidden
	l.mustTake(name, x, steps, s.sums)
	s.z = t.alloc(s.samples * s.hidden)
	if h0 != nil {
		copy(s.z, h0.Value)
	} else {
		clear(s.z)
	}
	if only {
		s.y = t.fresh(s.samples, s.hidden)
	} else {
		s.y = t.fresh(x.Rows, s.hidden)
	}
	return s
}

// state is the states before, and then after, a step.
func (s *fewSequence) state() vec.Matrix { return vec.Matrix{Data: s.z, Stride: s.hidden} }

// leave copies the states after a step to y.
func (s *fewSequence) leave(step int) {
	for b := range s.samples {
		switch h := s.z[b*s.hidden : (b+1)*s.hidden]; {
		case !s.only:
			copy(s.y.Row(b*s.steps+step), h)
		case step == s.steps-1:
			copy(s.y.Row(b), h)
		}
	}
}

// layOut lays out the weights of the input, those of the state for the first gates,
// and what all sums begin with.
func (s *fewSequence) layOut(k *layouts, gates int, l *Recurrent) {
	k.add(s.steps*s.samples, s.in, s.sums, gemm.Cols(l.InputWeight.Value, s.in))
	k.add(s.samples, s.hidden, gates*s.hidden, gemm.Cols(l.HiddenWeight.Value, s.hidden))
	k.sumBiases(l, gates)
}

// ofInputs is the sums of all steps before the states enter them.
func (s *fewSequence) ofInputs(t *Tape, x *Tensor, weights *layouts) []float32 {
	p := t.alloc(x.Rows * s.sums)
	gemm.ContinuePacked(x.Rows, gemm.Rows(x.Value, s.in), &weights.packed[0], weights.values, 0, p, s.sums, false)
	return p
}

// lstmFew is lstm without gradients for few samples.
func (t *Tape) lstmFew(x *Tensor, steps int, l *Recurrent, h0, c0 *Tensor, only bool) (y, last *Tensor) {
	s := t.fewSequence("lstm", x, steps, 4, l, h0, only)
	n, h, g4 := s.samples, s.hidden, s.sums
	weights := t.keptOf(l, fewStates, n, func(k *layouts) { s.layOut(k, 4, l) })
	gates, tanh := s.ofInputs(t, x, weights), vec.Matrix{Data: t.alloc(n * h), Stride: h}
	last = t.fresh(n, h)
	if c0 != nil {
		copy(last.Value, c0.Value)
	} else {
		clear(last.Value)
	}
	cell := vec.Matrix{Data: last.Value, Stride: h}
	for step := range steps {
		g := gates[step*g4:]
		gemm.ContinuePacked(n, gemm.Rows(s.z, h), &weights.packed[1], g, steps*g4, g, steps*g4, false)
		i, f, u, o := gateOf(g, 0, h, steps*g4), gateOf(g, 1, h, steps*g4), gateOf(g, 2, h, steps*g4), gateOf(g, 3, h, steps*g4)
		vec.LSTMRows(n, h, i, f, u, o, cell, cell, tanh, s.state())
		s.leave(step)
	}
	return s.y, last
}

// lstmOne is lstmFew for one sample, all steps in a call.
func (t *Tape) lstmOne(x *Tensor, steps int, l *Recurrent, h0, c0 *Tensor, only bool) (y, last *Tensor) {
	h := l.HiddenWeight.cols()
	l.mustTake("lstm", x, steps, 4*h)
	weights := t.keptOf(l, steppedState, 0, func(k *layouts) { t.layOutSteps(k, steps, l) })
	gates := t.alloc(steps * 4 * h)
	gemm.ContinuePacked(steps, gemm.Rows(x.Value, x.Cols), &weights.packed[0], weights.values, 0, gates, 4*h, false)
	last = t.fresh(1, h)
	clear(last.Value)
	if c0 != nil {
		copy(last.Value, c0.Value)
	}
	var before []float32
	if h0 != nil {
		before = h0.Value
	}
	if !only {
		y = t.fresh(steps, h)
		vec.LSTMSteps(&weights.steps, steps, gates, before, last.Value, y.Value)
		return y, last
	}
	states := t.alloc(2 * h)
	vec.LSTMSteps(&weights.steps, steps, gates, before, last.Value, states)
	y = t.fresh(1, h)
	copy(y.Value, states[(steps-1)%2*h:])
	return y, last
}

// layOutSteps lays out the weights of an LSTM for lstmOne: those of the input, and the biases, in the order in which [vec.LSTMSteps]
// wants the sums.
func (t *Tape) layOutSteps(k *layouts, steps int, l *Recurrent) {
	h, in := l.HiddenWeight.cols(), l.InputWeight.cols()
	k.steps = vec.PackSteps(h, l.HiddenWeight.Value, k.room(vec.StepsRoom(h)))
	k.values = k.room(4 * h)
	ofInput := t.alloc(4 * h * in)
	const panel = 4 * vec.LSTMUnits
	for c := range 4 * h {
		r := c%panel/vec.LSTMUnits*h + c/panel*vec.LSTMUnits + c%vec.LSTMUnits
		copy(ofInput[c*in:(c+1)*in], l.InputWeight.Value[r*in:])
		k.values[c] = l.InputBias.Value[r] + l.HiddenBias.Value[r]
	}
	k.add(steps, in, 4*h, gemm.Cols(ofInput, in))
}

// gruFew is [Tape.GRU] without gradients for few samples.
func (t *Tape) gruFew(x *Tensor, steps int, l *Recurrent, only bool) *Tensor {
	s := t.fewSequence("gru", x, steps, 3, l, nil, only)
	n, h, g3 := s.samples, s.hidden, s.sums
	weights := t.keptOf(l, fewStates, n, func(k *layouts) {
		s.layOut(k, 2, l)
		k.add(n, h, h, gemm.Cols(l.HiddenWeight.Value[2*h*h:], h))
	})
	p, q := s.ofInputs(t, x, weights), t.alloc(n*h)
	for step := range steps {
		g := p[step*g3:]
		gemm.ContinuePacked(n, gemm.Rows(s.z, h), &weights.packed[1], g, steps*g3, g, steps*g3, step%2 == 1)
		gemm.ContinuePacked(n, gemm.Rows(s.z, h), &weights.packed[2], l.HiddenBias.Value[2*h:], 0, q, h, false)
		vec.GRURows(n, h, gateOf(g, 0, h, steps*g3), gateOf(g, 1, h, steps*g3), gateOf(g, 2, h, steps*g3), vec.Matrix{Data: q, Stride: h}, s.state(), s.state())
		s.leave(step)
	}
	return s.y
}
