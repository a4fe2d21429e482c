package tape

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Conv is a convolution over the steps of a sequence, in the terms of PyTorch's
// Conv1d: value o of step u is
//
//	bias[o] + Σ_j Σ_i weight[o, i, j]·x[u·stride + j·dilation − left, i]
//
// where i runs over the input channels of o's group and steps outside the
// sequence are zero.
type Conv struct {
	Weight *Param // out × in/groups × kernel
	Bias   *Param // out, or nil
	// Stride, Dilation and Groups: 0 is 1.
	Stride, Dilation, Groups int
	// Left and Right are the steps of zeros before the first and after the last.
	Left, Right int
}

// Causal pads a convolution so that a step sees itself and the past alone.
func (c *Conv) Causal() { c.Left, c.Right = (c.kernel()-1)*max(1, c.Dilation), 0 }

// Same pads a convolution of stride 1 so that the number of steps stays; with an
// even reach the further step of zeros comes last, as PyTorch's "same" has it.
func (c *Conv) Same() {
	reach := (c.kernel() - 1) * max(1, c.Dilation)
	c.Left, c.Right = reach/2, reach-reach/2
}

func (c *Conv) kernel() int { return c.Weight.Shape[2] }

// Steps is the number of steps that come out of so many.
func (c *Conv) Steps(steps int) int {
	return (steps+c.Left+c.Right-(c.kernel()-1)*max(1, c.Dilation)-1)/max(1, c.Stride) + 1
}

// convolution is one call of [Tape.Conv].
type convolution struct {
	*Conv
	x, y                     *Tensor
	samples, steps, outSteps int
	in, out                  int // channels
	taps                     int
	stride, dilation, groups int
	groupIn, groupOut        int
	padded                   []float32 // x with its zeros, if a route made it
	wideBias                 []float32 // bias, spread
	relu                     bool
}

// Conv convolves a sequence of the given number of steps; the result has
// c.Steps(steps) of them. O(rows·out·in/groups·kernel).
//
// Without dilation a sample is one product with a view in which each row is the
// whole reach of a step, overlapping the next; with dilation, products of
// shifted rows are added up tap by tap. Neither copies the reaches out. Where
// channels do not mix, the sums run along the rows.
func (t *Tape) Conv(x *Tensor, steps int, c *Conv, a Activation) *Tensor {
	mustSteps("convolution", x, steps)
	v := convolution{Conv: c, x: x, samples: x.Rows / steps, steps: steps, outSteps: c.Steps(steps), in: x.Cols, out: c.Weight.Shape[0],
		taps: c.kernel(), stride: max(1, c.Stride), dilation: max(1, c.Dilation), groups: max(1, c.Groups), relu: a == ReLU}
	v.groupIn, v.groupOut = v.in/v.groups, v.out/v.groups
	mustMatch("convolution", len(c.Weight.Shape) == 3 && v.groupIn*v.groups == v.in && v.groupOut*v.groups == v.out &&
		c.Weight.Shape[1] == v.groupIn && (c.Bias == nil || len(c.Bias.Value) == v.out), x, c.Weight)
	if v.outSteps < 1 || c.Left < 0 || c.Right < 0 || steps+c.Left+c.Right < (v.taps-1)*v.dilation+1 {
		panic(fmt.Sprintf("tape: convolution of %d taps %d apart over %d steps with %d and %d zeros", v.taps, v.dilation, steps, c.Left, c.Right))
	}
	y := t.fresh(v.samples*v.outSteps, v.out)
	v.y = y
	v.forward(t)
	if t.trace != nil {
		t.traceConv(&v)
	}
	if v.relu && t.trace != nil {
		t.traceApply(y, y, ReLU)
	}
	if t.train {
		t.recordConv(v)
	}
	if a == ReLU {
		return y
	}
	return t.Apply(y, a)
}

// recordConv records the gradients of a convolution.
func (t *Tape) recordConv(v convolution) {
	t.back = append(t.back, func() {
		y := v.y
		if !y.wants() {
			return
		}
		dy := y.grad
		if v.relu {
			vec.ReLUGrad(y.Value, dy, dy) // nothing else reads it any more
		}
		if v.Bias != nil {
			db, add := t.gradOfParam(v.Bias)
			t.sumColumns(db, dy, add)
		}
		v.weightGrad(t, dy)
		if !v.x.input {
			dx, add := t.gradOf(v.x)
			v.inputGrad(t, dy, dx, add)
		}
	})
}

// Ways to compute a convolution.
const (
	byPoint = iota // one tap: a linear map of each row
	byDepth        // each channel on its own
	byReach        // no dilation: the reach of a step is one row of a view
	byTap          // any: sums over taps
)

func (v *convolution) route() int {
	switch {
	case v.taps == 1 && v.stride == 1 && v.groups == 1 && v.outSteps == v.steps:
		return byPoint
	case v.groups == v.in && v.groups == v.out:
		return byDepth
	case v.groups == 1 && v.dilation == 1:
		return byReach
	}
	return byTap
}

func (v *convolution) forward(t *Tape) {
	switch v.route() {
	case byPoint:
		v.pointForward(t)
	case byDepth:
		v.depthForward(t)
	case byReach:
		v.reachForward(t)
	default:
		v.tapForward(t)
	}
}

func (v *convolution) weightGrad(t *Tape, dy []float32) {
	switch v.route() {
	case byPoint:
		v.pointWeightGrad(t, dy)
	case byDepth:
		v.depthWeightGrad(t, dy)
	case byReach:
		v.reachWeightGrad(t, dy)
	default:
		v.tapWeightGrad(t, dy)
	}
}

func (v *convolution) inputGrad(t *Tape, dy, dx []float32, add bool) {
	switch before := v.taps - 1 - v.Left; {
	case v.route() == byPoint:
		v.pointInputGrad(t, dy, dx, add)
	case v.route() == byDepth:
		v.depthInputGrad(t, dy, dx, add)
	case v.route() == byReach && v.stride == 1 && before >= 0 && v.steps+v.taps-1 >= before+v.outSteps:
		v.reachInputGrad(t, dy, dx, add)
	default: // with more zeros than taps reach too
		v.tapInputGrad(t, dy, dx, add)
	}
}

// finish adds the bias to values lo to hi−1 of the result and cuts them at zero
// where that is set.
func (v *convolution) finish(t *Tape, lo, hi int) {
	if v.Bias != nil && v.wideBias == nil {
		v.wideBias = t.spread(v.Bias.Value)
	}
	y := v.y.Value[lo:hi]
	step := blockRows(v.out) * v.out
	for i := 0; i < len(y); i += step {
		part := y[i:min(i+step, len(y))]
		if v.Bias != nil {
			vec.Add(part, v.wideBias[:len(part)], part)
		}
		if v.relu {
			vec.ReLU(part, part)
		}
	}
}

// pad copies the rows of sequences between zeros: each of steps rows of n
// values, spread apart by the given number of rows, with before rows of zeros at
// its front, total rows in all.
func (t *Tape) pad(x []float32, steps, n, before, apart, total int) []float32 {
	samples := len(x) / (steps * n)
	out := t.alloc(samples * total * n)
	for b := range samples {
		from, to := x[b*steps*n:(b+1)*steps*n], out[b*total*n:(b+1)*total*n]
		if apart > 1 {
			clear(to)
			for i := range steps {
				copy(to[(before+i*apart)*n:], from[i*n:(i+1)*n])
			}
			continue
		}
		clear(to[:before*n])
		copy(to[before*n:], from)
		clear(to[(before+steps)*n:])
	}
	return out
}

// withZeros is x between the zeros of the padding and the number of rows that a
// sample has there.
func (t *Tape) withZeros(v *convolution) (x []float32, rows int) {
	rows = v.steps + v.Left + v.Right
	if v.padded == nil {
		v.padded = v.x.Value
		if v.Left+v.Right > 0 {
			v.padded = t.pad(v.x.Value, v.steps, v.in, v.Left, 1, rows)
		}
	}
	return v.padded, rows
}

// One tap without zeros is a linear map of each row.

func (v *convolution) pointForward(t *Tape) {
	t.times(v.x.Rows, v.x.Value, v.Weight, inputs, v.y.Value, false)
	v.finish(t, 0, len(v.y.Value))
}

func (v *convolution) pointWeightGrad(t *Tape, dy []float32) {
	dw, add := t.gradOfParam(v.Weight)
	gemm.Mul(v.out, v.in, v.x.Rows, gemm.Cols(dy, v.out), gemm.Rows(v.x.Value, v.in), dw, v.in, add, &t.gemm)
}

func (v *convolution) pointInputGrad(t *Tape, dy, dx []float32, add bool) {
	t.times(v.x.Rows, dy, v.Weight, gradients, dx, add)
}

// reachWeights packs the weights as a matrix of taps·in rows and out columns.
func (v *convolution) reachWeights(t *Tape) *gemm.Packed {
	return &t.kept(use{v.Weight, filters, 0}, v.Weight.version, func(k *layouts) {
		w, in, out := t.alloc(v.taps*v.in*v.out), v.in, v.out
		for o := range out {
			row := v.Weight.Value[o*in*v.taps : (o+1)*in*v.taps]
			for j := range v.taps {
				for i := range in {
					w[(j*in+i)*out+o] = row[i*v.taps+j]
				}
			}
		}
		k.add(v.outSteps, v.taps*in, out, gemm.Rows(w, out))
	}).packed[0]
}

// reverseWeights packs them as taps·out rows, the last tap first, and in
// columns.
func (v *convolution) reverseWeights(t *Tape) *gemm.Packed {
	return &t.kept(use{v.Weight, reverse, 0}, v.Weight.version, func(k *layouts) {
		w, in, out := t.alloc(v.taps*v.in*v.out), v.in, v.out
		for o := range out {
			from := v.Weight.Value[o*in*v.taps : (o+1)*in*v.taps]
			for j := range v.taps {
				row := w[((v.taps-1-j)*out+o)*in:][:in]
				for i := range row {
					row[i] = from[i*v.taps+j]
				}
			}
		}
		k.add(v.steps, v.taps*out, in, gemm.Rows(w, in))
	}).packed[0]
}

// spreadGrad adds the gradient of a group's weights, which has a row of taps·in
// for each output, tap by tap, to that of the parameter.
func (v *convolution) spreadGrad(dw, d []float32, group int, add bool) {
	to := dw[group*v.groupOut*v.groupIn*v.taps:]
	for o := range v.groupOut {
		row := to[o*v.groupIn*v.taps:]
		for j := range v.taps {
			from := d[(o*v.taps+j)*v.groupIn:]
			for i := range v.groupIn {
				if add {
					row[i*v.taps+j] += from[i]
				} else {
					row[i*v.taps+j] = from[i]
				}
			}
		}
	}
}

// Without dilation the reach of step u is taps·in values in a row, from step
// u·stride on.

func (v *convolution) reachForward(t *Tape) {
	x, rows := t.withZeros(v)
	w := v.reachWeights(t)
	for b := range v.samples {
		gemm.MulPacked(v.outSteps, gemm.Rows(x[b*rows*v.in:], v.stride*v.in), w, v.y.Value[b*v.outSteps*v.out:], v.out, false)
	}
	v.finish(t, 0, len(v.y.Value))
}

// fewGradRows is the number of rows of a gradient of weights that are computed
// at once: with so few, products read the overlapping view in place.
const fewGradRows = 16

func (v *convolution) reachWeightGrad(t *Tape, dy []float32) {
	x, rows := t.withZeros(v)
	depth := v.taps * v.in
	d := t.alloc(v.out * depth)
	for b := range v.samples {
		view := gemm.Rows(x[b*rows*v.in:], v.stride*v.in)
		for o := 0; o < v.out; o += fewGradRows {
			gemm.Mul(min(fewGradRows, v.out-o), depth, v.outSteps, gemm.Cols(dy[b*v.outSteps*v.out+o:], v.out), view, d[o*depth:], depth, b > 0, &t.gemm)
		}
	}
	dw, add := t.gradOfParam(v.Weight)
	v.spreadGrad(dw, d, 0, add)
}

// reachInputGrad is a convolution of dy with the taps in reverse.
func (v *convolution) reachInputGrad(t *Tape, dy, dx []float32, add bool) {
	before, rows := v.taps-1-v.Left, v.steps+v.taps-1
	g := t.pad(dy, v.outSteps, v.out, before, 1, rows)
	w := v.reverseWeights(t)
	for b := range v.samples {
		gemm.MulPacked(v.steps, gemm.Rows(g[b*rows*v.out:], v.out), w, dx[b*v.steps*v.in:], v.in, add)
	}
}

// span is the steps u of the result for which tap j falls on a step of x, and
// that step for the first of them.
func (v *convolution) span(j int) (lo, hi, first int) {
	off := j*v.dilation - v.Left
	if off < 0 {
		lo = (-off + v.stride - 1) / v.stride
	}
	if last := v.steps - 1 - off; last >= 0 {
		hi = min(v.outSteps, last/v.stride+1)
	}
	return lo, max(lo, hi), lo*v.stride + off
}

// eachTap calls do for every tap that joins steps of sample b with the first rows
// of x and of the result and the number of rows.
func (v *convolution) eachTap(b int, do func(j, xRow, yRow, rows int)) {
	for j := range v.taps {
		if lo, hi, first := v.span(j); lo < hi {
			do(j, b*v.steps+first, b*v.outSteps+lo, hi-lo)
		}
	}
}

// tapWeights packs each tap's weights of a group, in × out or, for gradients,
// out × in.
func (v *convolution) tapWeights(t *Tape, group, m int, forward bool) []gemm.Packed {
	from, as := v.Weight.Value[group*v.groupOut*v.groupIn*v.taps:], taps
	if !forward {
		as = tapGradients
	}
	return t.kept(use{v.Weight, as, group}, v.Weight.version, func(k *layouts) {
		for j := range v.taps {
			if forward {
				k.add(m, v.groupIn, v.groupOut, gemm.Matrix{Data: from[j:], RowStride: v.taps, ColStride: v.groupIn * v.taps})
			} else {
				k.add(m, v.groupOut, v.groupIn, gemm.Matrix{Data: from[j:], RowStride: v.groupIn * v.taps, ColStride: v.taps})
			}
		}
	}).packed
}

func (v *convolution) tapForward(t *Tape) {
	size := v.outSteps * v.out
	for g := range v.groups {
		w := v.tapWeights(t, g, v.outSteps, true)
		for b := range v.samples {
			if g == 0 {
				clear(v.y.Value[b*size : (b+1)*size])
			}
			v.eachTap(b, func(j, xRow, yRow, rows int) {
				gemm.MulPacked(rows, gemm.Rows(v.x.Value[xRow*v.in+g*v.groupIn:], v.stride*v.in), &w[j], v.y.Value[yRow*v.out+g*v.groupOut:], v.out, true)
			})
			if g == v.groups-1 {
				v.finish(t, b*size, (b+1)*size)
			}
		}
	}
}

func (v *convolution) tapWeightGrad(t *Tape, dy []float32) {
	dw, add := t.gradOfParam(v.Weight)
	d, depth := t.alloc(v.groupOut*v.taps*v.groupIn), v.taps*v.groupIn
	for g := range v.groups {
		clear(d)
		for b := range v.samples {
			v.eachTap(b, func(j, xRow, yRow, rows int) {
				gemm.Mul(v.groupOut, v.groupIn, rows, gemm.Cols(dy[yRow*v.out+g*v.groupOut:], v.out),
					gemm.Rows(v.x.Value[xRow*v.in+g*v.groupIn:], v.stride*v.in), d[j*v.groupIn:], depth, true, &t.gemm)
			})
		}
		v.spreadGrad(dw, d, g, add)
	}
}

func (v *convolution) tapInputGrad(t *Tape, dy, dx []float32, add bool) {
	size := v.steps * v.in
	for g := range v.groups {
		w := v.tapWeights(t, g, v.outSteps, false)
		for b := range v.samples {
			if g == 0 && !add {
				clear(dx[b*size : (b+1)*size])
			}
			v.eachTap(b, func(j, xRow, yRow, rows int) {
				gemm.MulPacked(rows, gemm.Rows(dy[yRow*v.out+g*v.groupOut:], v.out), &w[j], dx[xRow*v.in+g*v.groupIn:], v.stride*v.in, true)
			})
		}
	}
}
