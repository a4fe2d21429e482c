package tape

import "github.com/mlfactory/mlfactory/internal/simd/vec"

// Where each channel has a filter of its own, the convolution, its gradient of
// the input and its gradient of the weights are all correlations along rows.

// tapRows is the weights with a row of all channels for each tap, the last tap
// first if flip is set.
func (v *convolution) tapRows(t *Tape, flip bool) []float32 {
	w := t.alloc(v.taps * v.in)
	for j := range v.taps {
		at := j
		if flip {
			at = v.taps - 1 - j
		}
		for c := range v.in {
			w[at*v.in+c] = v.Weight.Value[c*v.taps+j]
		}
	}
	return w
}

func (v *convolution) depthForward(t *Tape) {
	x, rows := t.withZeros(v)
	w, n := v.tapRows(t, false), v.in
	for b := range v.samples {
		vec.Correlate(v.outSteps, v.taps, n, w, n, x[b*rows*n:], v.stride*n, v.dilation*n, v.y.Value[b*v.outSteps*n:], n, false)
	}
	v.finish(t, 0, len(v.y.Value))
}

func (v *convolution) depthWeightGrad(t *Tape, dy []float32) {
	x, rows := t.withZeros(v)
	n := v.in
	d := t.alloc(v.taps * n)
	for b := range v.samples {
		vec.Correlate(v.taps, v.outSteps, n, dy[b*v.outSteps*n:], n, x[b*rows*n:], v.dilation*n, v.stride*n, d, n, b > 0)
	}
	dw, add := t.gradOfParam(v.Weight)
	for j := range v.taps {
		for c := range n {
			if add {
				dw[c*v.taps+j] += d[j*n+c]
			} else {
				dw[c*v.taps+j] = d[j*n+c]
			}
		}
	}
}

// depthInputGrad correlates dy, its rows a stride apart, with the taps in
// reverse. Step s of x is row s + left of what the taps see, and tap j of step u
// lands on u·stride + j·dilation there.
func (v *convolution) depthInputGrad(t *Tape, dy, dx []float32, add bool) {
	n, reach := v.in, (v.taps-1)*v.dilation
	rows := v.steps + v.Left + v.Right + reach
	g := t.pad(dy, v.outSteps, n, reach, v.stride, rows)
	w := v.tapRows(t, true)
	for b := range v.samples {
		vec.Correlate(v.steps, v.taps, n, w, n, g[(b*rows+v.Left)*n:], n, v.dilation*n, dx[b*v.steps*n:], n, add)
	}
}
