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
		taps: c.kernel(), stride: max(1, c.Stride), dilation: max(1, c.Dilation), groups: max(1, c.Groups)}
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
	if a == ReLU {
		vec.ReLU(y.Value, y.Value)
		if t.trace != nil {
			t.traceApply(y, y, ReLU)
		}
	}
	if t.train {
		t.recordConv(v, a == ReLU)
	}
	if a == ReLU {
		return y
	}
	return t.Apply(y, a)
}

// recordConv records the gradients of a convolution.
func (t *Tape) recordConv(v convolution, relu bool) {
	t.back = append(t.back, func() {
		y := v.y
		if !y.wants() {
			return
		}
		dy := y.grad
		if relu {
			dy = t.alloc(len(y.Value))
			vec.ReLUGrad(y.Value, y.grad, dy)
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

// start fills the result with the bias, or with zeros.
func (v *convolution) start() {
	if v.Bias != nil {
		repeatRow(v.y.Value, v.Bias.Value)
	} else {
		clear(v.y.Value)
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
	if v.Bias != nil {
		v.start()
	}
	gemm.Mul(v.x.Rows, v.out, v.in, gemm.Rows(v.x.Value, v.in), gemm.Cols(v.Weight.Value, v.in), v.y.Value, v.out, v.Bias != nil, &t.gemm)
}

func (v *convolution) pointWeightGrad(t *Tape, dy []float32) {
	dw, add := t.gradOfParam(v.Weight)
	gemm.Mul(v.out, v.in, v.x.Rows, gemm.Cols(dy, v.out), gemm.Rows(v.x.Value, v.in), dw, v.in, add, &t.gemm)
}

func (v *convolution) pointInputGrad(t *Tape, dy, dx []float32, add bool) {
	gemm.Mul(v.x.Rows, v.in, v.out, gemm.Rows(dy, v.out), gemm.Rows(v.Weight.Value, v.in), dx, v.in, add, &t.gemm)
}

// panelCols is the number of columns of weights that are laid out next to each
// other: with more, products would copy them for each sample.
const panelCols = 256

// panels calls do for each panel of n columns.
func panels(n int, do func(lo, width int)) {
	for lo := 0; lo < n; lo += panelCols {
		do(lo, min(panelCols, n-lo))
	}
}

// forwardWeights lays the weights of a group out as a matrix of taps·in rows and
// out columns, in panels: panel lo begins at taps·in·lo.
func (v *convolution) forwardWeights(t *Tape, group int) []float32 {
	w := t.alloc(v.taps * v.groupIn * v.groupOut)
	from := v.Weight.Value[group*v.groupOut*v.groupIn*v.taps:]
	panels(v.groupOut, func(lo, width int) {
		to := w[v.taps*v.groupIn*lo:]
		for o := range width {
			row := from[(lo+o)*v.groupIn*v.taps:]
			for i := range v.groupIn {
				for j := range v.taps {
					to[(j*v.groupIn+i)*width+o] = row[i*v.taps+j]
				}
			}
		}
	})
	return w
}

// backwardWeights lays them out as taps·out rows and in columns; the last tap
// comes first if flip is set.
func (v *convolution) backwardWeights(t *Tape, group int, flip bool) []float32 {
	w := t.alloc(v.taps * v.groupIn * v.groupOut)
	from := v.Weight.Value[group*v.groupOut*v.groupIn*v.taps:]
	panels(v.groupIn, func(lo, width int) {
		to := w[v.taps*v.groupOut*lo:]
		for o := range v.groupOut {
			for j := range v.taps {
				at := j
				if flip {
					at = v.taps - 1 - j
				}
				row := to[(at*v.groupOut+o)*width:]
				for i := range width {
					row[i] = from[(o*v.groupIn+lo+i)*v.taps+j]
				}
			}
		}
	})
	return w
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
	w, depth := v.forwardWeights(t, 0), v.taps*v.in
	if v.Bias != nil {
		v.start()
	}
	for b := range v.samples {
		at := b * v.outSteps * v.out
		panels(v.out, func(lo, width int) {
			gemm.Mul(v.outSteps, width, depth, gemm.Rows(x[b*rows*v.in:], v.stride*v.in), gemm.Rows(w[depth*lo:], width), v.y.Value[at+lo:], v.out, v.Bias != nil, &t.gemm)
		})
	}
}

func (v *convolution) reachWeightGrad(t *Tape, dy []float32) {
	x, rows := t.withZeros(v)
	depth := v.taps * v.in
	d := t.alloc(v.out * depth)
	for b := range v.samples {
		gemm.Mul(v.out, depth, v.outSteps, gemm.Cols(dy[b*v.outSteps*v.out:], v.out), gemm.Rows(x[b*rows*v.in:], v.stride*v.in), d, depth, b > 0, &t.gemm)
	}
	dw, add := t.gradOfParam(v.Weight)
	v.spreadGrad(dw, d, 0, add)
}

// reachInputGrad is a convolution of dy with the taps in reverse.
func (v *convolution) reachInputGrad(t *Tape, dy, dx []float32, add bool) {
	before, rows := v.taps-1-v.Left, v.steps+v.taps-1
	g := t.pad(dy, v.outSteps, v.out, before, 1, rows)
	w, depth := v.backwardWeights(t, 0, true), v.taps*v.out
	for b := range v.samples {
		panels(v.in, func(lo, width int) {
			gemm.Mul(v.steps, width, depth, gemm.Rows(g[b*rows*v.out:], v.out), gemm.Rows(w[depth*lo:], width), dx[b*v.steps*v.in+lo:], v.in, add, &t.gemm)
		})
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

// all reports whether a tap falls on the same step of x for every step of the
// result: all samples are one product.
func (v *convolution) all(j int) bool {
	return v.stride == 1 && v.outSteps == v.steps && j*v.dilation == v.Left
}

// eachTap calls do for every sample and tap with the first rows of x and of the
// result that the tap joins, and the number of rows.
func (v *convolution) eachTap(do func(j, xRow, yRow, rows int)) {
	for j := range v.taps {
		if v.all(j) {
			do(j, 0, 0, v.x.Rows)
			continue
		}
		lo, hi, first := v.span(j)
		if lo == hi {
			continue
		}
		for b := range v.samples {
			do(j, b*v.steps+first, b*v.outSteps+lo, hi-lo)
		}
	}
}

func (v *convolution) tapForward(t *Tape) {
	v.start()
	for g := range v.groups {
		w := v.forwardWeights(t, g)
		v.eachTap(func(j, xRow, yRow, rows int) {
			panels(v.groupOut, func(lo, width int) {
				gemm.Mul(rows, width, v.groupIn, gemm.Rows(v.x.Value[xRow*v.in+g*v.groupIn:], v.stride*v.in),
					gemm.Rows(w[(v.taps*lo+j*width)*v.groupIn:], width), v.y.Value[yRow*v.out+g*v.groupOut+lo:], v.out, true, &t.gemm)
			})
		})
	}
}

func (v *convolution) tapWeightGrad(t *Tape, dy []float32) {
	dw, add := t.gradOfParam(v.Weight)
	d, depth := t.alloc(v.groupOut*v.taps*v.groupIn), v.taps*v.groupIn
	for g := range v.groups {
		clear(d)
		v.eachTap(func(j, xRow, yRow, rows int) {
			gemm.Mul(v.groupOut, v.groupIn, rows, gemm.Cols(dy[yRow*v.out+g*v.groupOut:], v.out),
				gemm.Rows(v.x.Value[xRow*v.in+g*v.groupIn:], v.stride*v.in), d[j*v.groupIn:], depth, true, &t.gemm)
		})
		v.spreadGrad(dw, d, g, add)
	}
}

func (v *convolution) tapInputGrad(t *Tape, dy, dx []float32, add bool) {
	if !add {
		clear(dx)
	}
	for g := range v.groups {
		w := v.backwardWeights(t, g, false)
		v.eachTap(func(j, xRow, yRow, rows int) {
			panels(v.groupIn, func(lo, width int) {
				gemm.Mul(rows, width, v.groupOut, gemm.Rows(dy[yRow*v.out+g*v.groupOut:], v.out),
					gemm.Rows(w[(v.taps*lo+j*width)*v.groupOut:], width), dx[xRow*v.in+g*v.groupIn+lo:], v.stride*v.in, true, &t.gemm)
			})
		})
	}
}
