package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/onnx"
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Members are rows that stand for a sample each in its own way, as steps do: row
// b·k+m is member m of sample b.

// Fixed is x·Mᵀ for a matrix M of out rows that nothing trains: a basis, a moving
// average. O(rows·columns·out).
func (t *Tape) Fixed(x *Tensor, out int, m []float32) *Tensor {
	in := x.Cols
	if len(m) != out*in {
		panic(fmt.Sprintf("tape: %v times a matrix of %d values for %d columns", x, len(m), out))
	}
	y := t.fresh(x.Rows, out)
	gemm.Mul(x.Rows, out, in, gemm.Rows(x.Value, in), gemm.Cols(m, in), y.Value, out, false, &t.gemm)
	y.input = x.input
	if t.trace != nil {
		tr := t.trace
		tr.names[y] = tr.node("MatMul", []string{tr.of(x), tr.transpose(tr.floats(m, out, in), 1, 0)})
	}
	if !t.train || x.input {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dx, add := t.gradOf(x)
		gemm.Mul(x.Rows, in, out, gemm.Rows(y.grad, out), gemm.Rows(m, in), dx, in, add, &t.gemm)
	})
	return y
}

func (t *Tape) traceTurn(y, x *Tensor, steps int) {
	if tr := t.trace; tr != nil {
		tr.names[y] = tr.matrix(tr.transpose(tr.blocks(tr.of(x), steps, x.Cols), 0, 2, 1), steps)
	}
}

// Turn swaps steps and channels: row c of sample b of the result is channel c of
// its steps, so that samples·steps × channels become samples·channels × steps.
// Turning twice gives x back.
func (t *Tape) Turn(x *Tensor, steps int) *Tensor {
	c := x.Cols
	samples := x.Rows / steps
	if samples*steps != x.Rows {
		panic(fmt.Sprintf("tape: %v turned over %d steps", x, steps))
	}
	y := t.fresh(samples*c, steps)
	for b := range samples {
		turn(y.Value[b*steps*c:(b+1)*steps*c], x.Value[b*steps*c:], steps, c, false)
	}
	y.input = x.input
	t.traceTurn(y, x, steps)
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		dx, add := t.gradOf(x)
		for b := range samples {
			turn(dx[b*steps*c:(b+1)*steps*c], y.grad[b*steps*c:], c, steps, add)
		}
	})
	return y
}

// turn writes the transpose of src, of rows×cols, to dst, or adds it.
func turn(dst, src []float32, rows, cols int, add bool) {
	for r := range rows {
		row := src[r*cols : (r+1)*cols]
		if add {
			for c, v := range row {
				dst[c*rows+r] += v
			}
			continue
		}
		for c, v := range row {
			dst[c*rows+r] = v
		}
	}
}

// Repeat is k copies of every row of x, next to each other.
func (t *Tape) Repeat(x *Tensor, k int) *Tensor {
	n := x.Cols
	y := t.fresh(k*x.Rows, n)
	for i := range y.Rows {
		copy(y.Row(i), x.Row(i/k))
	}
	y.input = x.input
	if t.trace != nil {
		tr := t.trace
		tr.names[y] = tr.matrix(tr.node("Tile", []string{tr.blocks(tr.of(x), 1, n), tr.ints(1, int64(k), 1)}), n)
	}
	if !t.train || x.input {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dx, add := t.gradOf(x)
		for i := range y.Rows {
			accumulate(dx[i/k*n:(i/k+1)*n], y.grad[i*n:(i+1)*n], add || i%k > 0)
		}
	})
	return y
}

// MulSteps multiplies step s, or member s, of every sample by row s of w, value by
// value. One step is a factor for each column.
func (t *Tape) MulSteps(x *Tensor, steps int, w *Param) *Tensor {
	n := x.Cols
	mustMatch("product over steps", x.Rows%steps == 0 && len(w.Value) == steps*n, x, w)
	y := t.fresh(x.Rows, n)
	period := steps * n
	for i := 0; i < len(x.Value); i += period {
		vec.Mul(x.Value[i:i+period], w.Value, y.Value[i:i+period])
	}
	if t.trace != nil {
		tr := t.trace
		tr.names[y] = tr.matrix(tr.node("Mul", []string{tr.blocks(tr.of(x), steps, n), tr.matrix(tr.param(w), n)}), n)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dw, add := t.gradOfParam(w)
		if !add {
			clear(dw)
		}
		for i := 0; i < len(x.Value); i += period {
			vec.MulAdd(y.grad[i:i+period], x.Value[i:i+period], dw, dw)
		}
		if x.input {
			return
		}
		dx, add := t.gradOf(x)
		for i := 0; i < len(x.Value); i += period {
			if o := dx[i : i+period]; add {
				vec.MulAdd(y.grad[i:i+period], w.Value, o, o)
			} else {
				vec.Mul(y.grad[i:i+period], w.Value, o)
			}
		}
	})
	return y
}

// StepLinear is a linear layer of its own for each of k steps, or members: row
// b·k+m of the result is W[m]·x[b·k+m] + b[m], for w of k × out × in and b of k × out.
// O(rows·in·out).
func (t *Tape) StepLinear(x *Tensor, k int, w, b *Param) *Tensor {
	in := x.Cols
	n, out := x.Rows/k, len(b.Value)/k
	mustMatch("linear of members", n*k == x.Rows && len(w.Value) == k*out*in && len(b.Value) == k*out, x, w)
	y := t.fresh(x.Rows, out)
	repeatRow(y.Value, b.Value)
	for m := range k {
		gemm.Mul(n, out, in, gemm.Rows(x.Value[m*in:], k*in), gemm.Cols(w.Value[m*out*in:], in), y.Value[m*out:], k*out, true, &t.gemm)
	}
	if t.trace != nil {
		tr := t.trace
		of := func(p *Param, rows, cols int) string {
			return tr.node("Reshape", []string{tr.param(p), tr.ints(int64(k), int64(rows), int64(cols))})
		}
		// samples × k × in, times k × in × out, seen as k × samples.
		each := tr.node("MatMul", []string{tr.transpose(tr.blocks(tr.of(x), k, in), 1, 0, 2), tr.transpose(of(w, out, in), 0, 2, 1)})
		sum := tr.node("Add", []string{each, of(b, 1, out)})
		tr.names[y] = tr.matrix(tr.transpose(sum, 1, 0, 2), out)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		db, add := t.gradOfParam(b)
		sumPeriods(db, y.grad, k*out, add)
		dw, addW := t.gradOfParam(w)
		var dx []float32
		add = false
		if !x.input {
			dx, add = t.gradOf(x)
		}
		for m := range k {
			dy := y.grad[m*out:]
			gemm.Mul(out, in, n, gemm.Cols(dy, k*out), gemm.Rows(x.Value[m*in:], k*in), dw[m*out*in:(m+1)*out*in], in, addW, &t.gemm)
			if dx != nil {
				gemm.Mul(n, in, out, gemm.Rows(dy, k*out), gemm.Rows(w.Value[m*out*in:], in), dx[m*in:], k*in, add, &t.gemm)
			}
		}
	})
	return y
}

// Periodic holds the parameters of [Tape.Periodic] for G columns, h waves and d
// further values of each column.
type Periodic struct {
	Frequency, Phase *Param // G × h
	Weight, Bias     *Param // G × d × h, G × d
}

// Periodic gives each column v of x d values beside its own, linear in waves of it:
// v, W·cos(2π·f·v + φ) + b. Row i of the result has d+1 values for each column. It
// is the embedding PBLD of Holzmüller et al. (2024, section 3 and appendix A). The
// waves are computed in float64. O(values of the result · h).
func (t *Tape) Periodic(x *Tensor, p *Periodic) *Tensor {
	groups, h := x.Cols, p.Frequency.cols()
	d := len(p.Bias.Value) / groups
	mustMatch("periodic embedding", len(p.Frequency.Value) == groups*h && len(p.Phase.Value) == groups*h && len(p.Weight.Value) == groups*d*h && d*groups == len(p.Bias.Value), x, p.Frequency)
	width := d + 1
	y := t.fresh(x.Rows, groups*width)
	wave, slope := t.alloc(x.Rows*groups*h), t.alloc(x.Rows*groups*h)
	for i := range x.Rows {
		for g := range groups {
			v := x.Value[i*groups+g]
			at := (i*groups + g) * h
			for k := range h {
				f, phase := p.Frequency.Value[g*h+k], p.Phase.Value[g*h+k]
				sin, cos := wavesOf(float64(f)*float64(v) + float64(phase)/(2*math.Pi))
				wave[at+k], slope[at+k] = float32(cos), float32(-sin)
			}
			o := y.Row(i)[g*width : (g+1)*width]
			o[0] = v
			for j := range d {
				o[j+1] = vec.Dot(wave[at:at+h], p.Weight.Value[(g*d+j)*h:(g*d+j+1)*h]) + p.Bias.Value[g*d+j]
			}
		}
	}
	t.tracePeriodic(y, x, p, d, h)
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		grad := func(q *Param) []float32 {
			g, add := t.gradOfParam(q)
			if !add {
				clear(g)
			}
			return g
		}
		df, dp, dw, db := grad(p.Frequency), grad(p.Phase), grad(p.Weight), grad(p.Bias)
		var dx []float32
		add := false
		if !x.input {
			dx, add = t.gradOf(x)
		}
		da := t.alloc(h) // of the angles
		for i := range x.Rows {
			for g := range groups {
				at := (i*groups + g) * h
				dy := y.grad[i*y.Cols+g*width : i*y.Cols+(g+1)*width]
				clear(da)
				for j, v := range dy[1:] {
					row := (g*d + j) * h
					db[g*d+j] += v
					vec.Axpy(v, wave[at:at+h], dw[row:row+h])
					vec.Axpy(v, p.Weight.Value[row:row+h], da)
				}
				vec.Mul(da, slope[at:at+h], da)
				vec.Add(dp[g*h:(g+1)*h], da, dp[g*h:(g+1)*h])
				vec.Axpy(2*math.Pi*x.Value[i*groups+g], da, df[g*h:(g+1)*h])
				if dx == nil {
					continue
				}
				v := dy[0] + 2*math.Pi*vec.Dot(da, p.Frequency.Value[g*h:(g+1)*h])
				if add {
					v += dx[i*groups+g]
				}
				dx[i*groups+g] = v
			}
		}
	})
	return y
}

func (t *Tape) tracePeriodic(y, x *Tensor, p *Periodic, d, h int) {
	if t.trace == nil {
		return
	}
	tr := t.trace
	groups := x.Cols
	of := func(q *Param, shape ...int64) string {
		return tr.node("Reshape", []string{tr.param(q), tr.ints(shape...)})
	}
	v := tr.blocks(tr.of(x), groups, 1)
	angle := tr.node("Mul", []string{tr.node("Mul", []string{v, of(p.Frequency, int64(groups), int64(h))}), tr.number(2 * math.Pi)})
	wave := tr.node("Cos", []string{tr.node("Add", []string{angle, of(p.Phase, int64(groups), int64(h))})})
	each := tr.node("Einsum", []string{wave, of(p.Weight, int64(groups), int64(d), int64(h))}, func(n *onnx.Node) { n.Text("equation", "ngh,gdh->ngd") })
	values := tr.node("Add", []string{each, of(p.Bias, int64(groups), int64(d))})
	tr.names[y] = tr.matrix(tr.node("Concat", []string{v, values}, axis(2)), y.Cols)
}

// wavesOf is the sine and cosine of u turns, to 1e-10, by their series up to a
// quarter turn.
func wavesOf(u float64) (sin, cos float64) {
	u -= math.Floor(u + 0.5) // −1/2 to 1/2
	a, flip := math.Abs(u), 1.0
	if a > 0.25 {
		a, flip = 0.5-a, -1
	}
	x := 2 * math.Pi * a
	q := float64(x * x)
	s, c := 1.0, 1.0
	for k := 15.0; k >= 3; k -= 2 { // from the innermost term
		s = 1 - float64(q*s)/(k*(k-1))
		c = 1 - float64(q*c)/((k-1)*(k-2))
	}
	sin = x * s
	if u < 0 {
		sin = -sin
	}
	return sin, flip * c
}
