package tape

import "fmt"

// Sequences are matrices of one row a step: row b·T+t is step t of sample b.

// Step is step s of every sample of a sequence of the given number of steps; −1
// is the last. Result: samples × channels. O(samples·channels).
func (t *Tape) Step(x *Tensor, steps, s int) *Tensor {
	if s < 0 {
		s += steps
	}
	samples := x.Rows / steps
	if samples*steps != x.Rows || s < 0 || s >= steps {
		panic(fmt.Sprintf("tape: step %d of %d of a sequence of %v", s, steps, x))
	}
	y := t.fresh(samples, x.Cols)
	for b := range samples {
		copy(y.Row(b), x.Row(b*steps+s))
	}
	if t.trace != nil {
		t.traceStep(y, x, steps, s)
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
		for b := range samples {
			at := (b*steps + s) * x.Cols
			accumulate(g[at:at+x.Cols], y.grad[b*x.Cols:(b+1)*x.Cols], add)
		}
	})
	return y
}
