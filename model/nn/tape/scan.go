package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model"
)

// samplesOf is the number of sequences of steps rows in x.
func samplesOf(what string, x *Tensor, steps int) int {
	if steps < 1 || x.Rows%steps != 0 {
		panic(fmt.Sprintf("tape: %s of %v in sequences of %d steps", what, x, steps))
	}
	return x.Rows / steps
}

// LongConv is the causal convolution of every channel with a kernel of its own:
// y[s] = d·x[s] + Σ k[l]·x[s−l] over the lags l ≤ s. Row l of kernel is lag l, of
// one value a channel, as is d; d may be nil. O(rows·lags·channels), which for
// windows of some hundred steps is less work than a transform.
func (t *Tape) LongConv(x *Tensor, steps int, kernel *Tensor, d *Param) *Tensor {
	samplesOf("convolution", x, steps)
	n := x.Cols
	mustMatch("convolution", n == kernel.Cols && (d == nil || len(d.Value) == n), x, kernel)
	y := t.fresh(x.Rows, n)
	if d == nil {
		clear(y.Value)
	} else {
		for r := range x.Rows {
			vec.Mul(d.Value, x.Row(r), y.Row(r))
		}
	}
	convolve(y.Value, x.Value, kernel.Value, n, steps)
	if t.trace != nil {
		t.traceConvolution(y, x, kernel.Value, nil, steps)
		t.traceSkip(y, x, d)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		if !kernel.input {
			dk, add := t.gradOf(kernel)
			if !add {
				clear(dk)
			}
			convolveKernelGrad(dk, y.grad, x.Value, n, steps)
		}
		if d != nil {
			t.skipGrad(x, d, y.grad)
		}
		if !x.input {
			dx, add := t.gradOf(x)
			if !add {
				clear(dx)
			}
			convolveGrad(dx, y.grad, kernel.Value, n, steps)
			if d != nil {
				for r := range x.Rows {
					at := dx[r*n : (r+1)*n]
					vec.MulAdd(d.Value, y.grad[r*n:(r+1)*n], at, at)
				}
			}
		}
	})
	return y
}

// skipGrad adds the gradient of d in d·x, row by row.
func (t *Tape) skipGrad(x *Tensor, d *Param, dy []float32) {
	g, add := t.gradOfParam(d)
	if !add {
		clear(g)
	}
	for r := range x.Rows {
		vec.MulAdd(dy[r*x.Cols:(r+1)*x.Cols], x.Row(r), g, g)
	}
}

// ShortConv is [Tape.LongConv] with the kernel and bias of a PyTorch
// Conv1d(channels, channels, taps, groups=channels, padding=taps−1) whose last
// taps−1 results are cut off: w of channels×1×taps, the last tap being lag 0.
func (t *Tape) ShortConv(x *Tensor, steps int, w, b *Param) *Tensor {
	samplesOf("convolution", x, steps)
	n, taps := x.Cols, w.cols()
	mustMatch("convolution", w.Shape[0] == n && len(b.Value) == n, x, w)
	kernel := t.alloc(n * taps)
	for c := range n {
		for l := range taps {
			kernel[l*n+c] = w.Value[c*taps+taps-1-l]
		}
	}
	y := t.fresh(x.Rows, n)
	repeatRow(y.Value, b.Value)
	convolve(y.Value, x.Value, kernel, n, steps)
	if t.trace != nil {
		t.traceConvolution(y, x, kernel, b.Value, steps)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		db, add := t.gradOfParam(b)
		sumRows(db, y.grad, add)
		dk := t.alloc(n * taps)
		clear(dk)
		convolveKernelGrad(dk, y.grad, x.Value, n, steps)
		dw, add := t.gradOfParam(w)
		for c := range n {
			for l := range taps {
				at := c*taps + taps - 1 - l
				if add {
					dw[at] += dk[l*n+c]
				} else {
					dw[at] = dk[l*n+c]
				}
			}
		}
		if !x.input {
			dx, add := t.gradOf(x)
			if !add {
				clear(dx)
			}
			convolveGrad(dx, y.grad, kernel, n, steps)
		}
	})
	return y
}

// convolve adds the convolution of n channels to y; kernel has a row a lag.
func convolve(y, x, kernel []float32, n, steps int) {
	lags := len(kernel) / n
	for r := range len(x) / n {
		vec.Convolve(y[r*n:(r+1)*n], vec.Matrix{Data: kernel, Stride: n}, vec.Matrix{Data: x, First: r * n, Stride: -n}, min(lags, r%steps+1))
	}
}

// convolveGrad adds the gradient of what is convolved.
func convolveGrad(dx, dy, kernel []float32, n, steps int) {
	lags := len(kernel) / n
	for r := range len(dy) / n {
		vec.Convolve(dx[r*n:(r+1)*n], vec.Matrix{Data: kernel, Stride: n}, vec.Matrix{Data: dy, First: r * n, Stride: n}, min(lags, steps-r%steps))
	}
}

// convolveKernelGrad adds the gradient of the kernel.
func convolveKernelGrad(dk, dy, x []float32, n, steps int) {
	for from := 0; from < len(x); from += steps * n {
		for l := range min(len(dk)/n, steps) {
			vec.Convolve(dk[l*n:(l+1)*n], vec.Matrix{Data: dy, First: from + l*n, Stride: n}, vec.Matrix{Data: x, First: from, Stride: n}, steps-l)
		}
	}
}

// channelBlock is the number of channels whose states a gradient keeps at once:
// with 16 states and windows of a hundred steps they stay in the second-level
// cache.
const channelBlock = 32

// SelectiveScan is the scan of Mamba (Gu and Dao 2023, algorithm 2): for each
// channel of x and each of N states, with Δ = softplus(dt) and A = −e^aLog,
//
//	h[s] = e^(Δ[s]·A)·h[s−1] + Δ[s]·B[s]·x[s],  y[s] = Σ C[s]·h[s] + D·x[s]
//
// x and dt are rows×channels, b and c rows×N, aLog is channels×N, d has a value a
// channel. Training keeps no states: the gradient computes them again, a few
// channels at a time. O(rows·channels·N).
func (t *Tape) SelectiveScan(x, dt, b, c *Tensor, steps int, aLog, d *Param) *Tensor {
	samples := samplesOf("scan", x, steps)
	n, states := x.Cols, b.Cols
	mustMatch("scan", dt.Rows == x.Rows && dt.Cols == n, x, dt)
	mustMatch("scan", b.Rows == x.Rows && c.Rows == x.Rows && c.Cols == states, b, c)
	mustMatch("scan", aLog.Shape[0] == n && aLog.cols() == states && len(d.Value) == n, x, aLog)
	a := t.kept(use{aLog, decays, 0}, aLog.version, func(k *layouts) {
		k.values = k.room(states * n) // state by state
		for j := range n {
			for r := range states {
				k.values[r*n+j] = float32(-model.Exp(float64(aLog.Value[j*states+r])))
			}
		}
	}).values
	delta, u := t.alloc(len(x.Value)), t.alloc(len(x.Value))
	vec.Softplus(dt.Value, delta)
	vec.Mul(delta, x.Value, u)
	y := t.fresh(x.Rows, n)
	h := t.alloc(states * n)
	for i := range samples {
		clear(h)
		for row := i * steps; row < (i+1)*steps; row++ {
			at := y.Row(row)
			vec.Mul(d.Value, x.Row(row), at)
			state := vec.Matrix{Data: h, Stride: n}
			vec.SelectiveScan(delta[row*n:(row+1)*n], u[row*n:(row+1)*n], at, vec.Matrix{Data: a, Stride: n}, state,
				vec.Matrix{Data: b.Value, First: row * states, Stride: 1}, vec.Matrix{Data: c.Value, First: row * states, Stride: 1}, states)
		}
	}
	if t.trace != nil {
		t.traceSelectiveScan(y, x, dt, b, c, steps, a, d)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		t.selectiveScanGrad(x, dt, b, c, y, steps, a, delta, u, aLog, d)
	})
	return y
}

func (t *Tape) selectiveScanGrad(x, dt, b, c, y *Tensor, steps int, a, delta, u []float32, aLog, d *Param) {
	n, states := x.Cols, b.Cols
	width := min(n, channelBlock)
	e, h := t.alloc(steps*states*width), t.alloc((steps+1)*states*width)
	dh, da := t.alloc(states*width), t.alloc(states*n)
	du, ddelta := t.alloc(len(x.Value)), t.alloc(len(x.Value))
	sumsB, sumsC := t.alloc(steps*states*vec.SumLanes), t.alloc(steps*states*vec.SumLanes)
	clear(da)
	clear(du)
	clear(ddelta)
	db, addB := t.gradOf(b)
	dc, addC := t.gradOf(c)
	for i := range x.Rows / steps {
		clear(sumsB)
		clear(sumsC)
		for lo := 0; lo < n; lo += width {
			w := min(width, n-lo)
			clear(h[:states*w])
			clear(dh)
			decay := vec.Matrix{Data: a, First: lo, Stride: n}
			at := func(v []float32, s int) vec.Matrix { return vec.Matrix{Data: v, First: s * states * w, Stride: w} }
			for s := range steps {
				row := i*steps + s
				j := row*n + lo
				vec.SelectiveStates(delta[j:j+w], u[j:j+w], decay, at(h, s), vec.Matrix{Data: b.Value, First: row * states, Stride: 1}, at(e, s), at(h, s+1), states)
			}
			for s := steps - 1; s >= 0; s-- {
				row := i*steps + s
				j := row*n + lo
				k := s * states * vec.SumLanes
				vec.SelectiveScanGrad(delta[j:j+w], u[j:j+w], y.grad[j:j+w], du[j:j+w], ddelta[j:j+w], decay, at(e, s), at(h, s), at(dh, 0),
					vec.Matrix{Data: da, First: lo, Stride: n}, vec.Matrix{Data: b.Value, First: row * states, Stride: 1}, vec.Matrix{Data: c.Value, First: row * states, Stride: 1},
					sumsB[k:k+states*vec.SumLanes], sumsC[k:k+states*vec.SumLanes], states)
			}
		}
		reduceSums(db[i*steps*states:(i+1)*steps*states], sumsB, addB)
		reduceSums(dc[i*steps*states:(i+1)*steps*states], sumsC, addC)
	}
	dLog, add := t.gradOfParam(aLog)
	for j := range n {
		for r := range states {
			v := float32(da[r*n+j] * a[r*n+j])
			if add {
				v += dLog[j*states+r]
			}
			dLog[j*states+r] = v
		}
	}
	t.skipGrad(x, d, y.grad)
	vec.MulAdd(du, x.Value, ddelta, ddelta)
	if !dt.input {
		g, add := t.gradOf(dt)
		if add {
			vec.SoftplusGrad(dt.Value, ddelta, ddelta)
			vec.Add(g, ddelta, g)
		} else {
			vec.SoftplusGrad(dt.Value, ddelta, g)
		}
	}
	if !x.input {
		g, add := t.gradOf(x)
		if !add {
			clear(g)
		}
		vec.MulAdd(du, delta, g, g)
		for r := range x.Rows {
			vec.MulAdd(y.grad[r*n:(r+1)*n], d.Value, g[r*n:(r+1)*n], g[r*n:(r+1)*n])
		}
	}
}

// reduceSums adds up the lanes of each sum.
func reduceSums(dst, sums []float32, add bool) {
	for k := range dst {
		v := vec.SumRow(sums[k*vec.SumLanes:])
		if add {
			v += dst[k]
		}
		dst[k] = v
	}
}

// Diagonal are the parameters of an S5 layer with P complex states, each with its
// conjugate (Smith et al. 2023, section 3), in the form of the reference
// implementation.
type Diagonal struct {
	LambdaRe, LambdaIm *Param // P: the eigenvalues Λ
	B, C               *Param // P×inputs×2 and outputs×P×2, real and imaginary parts
	D                  *Param // outputs
	LogStep            *Param // P×1: log Δ
	Bilinear           bool   // discretise by the bilinear method instead of a hold
}

// S5 is the layer of Smith et al. (2023): h[s] = Λ̄·h[s−1] + B̄·x[s] and y[s] =
// 2·Re(C·h[s]) + D·x[s] with a zero-order hold, Λ̄ = e^(ΛΔ) and B̄ = Λ⁻¹(Λ̄−1)B, or
// the bilinear method. Inputs and outputs are equal in number.
// O(rows·P·(channels + 1)).
func (t *Tape) S5(x *Tensor, steps int, l *Diagonal) *Tensor {
	samples := samplesOf("scan", x, steps)
	n, p := x.Cols, len(l.LambdaRe.Value)
	mustMatch("scan", len(l.B.Value) == 2*p*n, x, l.B)
	mustMatch("scan", len(l.C.Value) == 2*p*n && len(l.D.Value) == n, x, l.C)
	lambda := func(k int) (complex128, float64) {
		return complex(float64(l.LambdaRe.Value[k]), float64(l.LambdaIm.Value[k])), model.Exp(float64(l.LogStep.Value[k]))
	}
	a := t.alloc(2 * p)
	b, c := t.alloc(2*p*n), t.alloc(2*p*n) // B̄: real rows, imaginary rows; 2·Re C: columns likewise
	for k := range p {
		eigen, step := lambda(k)
		z, hold := discretise(eigen, step, l.Bilinear)
		a[k], a[p+k] = float32(real(z)), float32(imag(z))
		for j := range n {
			v := hold * complex(float64(l.B.Value[(k*n+j)*2]), float64(l.B.Value[(k*n+j)*2+1]))
			b[k*n+j], b[(p+k)*n+j] = float32(real(v)), float32(imag(v))
			c[j*2*p+k], c[j*2*p+p+k] = 2*l.C.Value[(j*p+k)*2], -2*l.C.Value[(j*p+k)*2+1]
		}
	}
	h := t.alloc(x.Rows * 2 * p)
	gemm.Mul(x.Rows, 2*p, n, gemm.Rows(x.Value, n), gemm.Cols(b, n), h, 2*p, false, &t.gemm)
	state := t.alloc(2 * p)
	part := func(v []float32, row, half, step int) vec.Matrix {
		return vec.Matrix{Data: v, First: row*2*p + half*p, Stride: step * 2 * p}
	}
	for i := range samples {
		clear(state)
		re, im := part(h, i*steps, 0, 1), part(h, i*steps, 1, 1)
		vec.DiagonalScan(a[:p], a[p:], state[:p], state[p:], re, im, re, im, steps)
	}
	y := t.fresh(x.Rows, n)
	for r := range x.Rows {
		vec.Mul(l.D.Value, x.Row(r), y.Row(r))
	}
	gemm.Mul(x.Rows, n, 2*p, gemm.Rows(h, 2*p), gemm.Cols(c, 2*p), y.Value, n, true, &t.gemm)
	if t.trace != nil {
		t.traceS5(y, x, steps, a, b, c, l.D)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		t.skipGrad(x, l.D, y.grad)
		cg := t.alloc(2 * p * n)
		gemm.Mul(n, 2*p, x.Rows, gemm.Cols(y.grad, n), gemm.Rows(h, 2*p), cg, 2*p, false, &t.gemm)
		dc, add := t.gradOfParam(l.C)
		if !add {
			clear(dc)
		}
		for j := range n {
			for k := range p {
				dc[(j*p+k)*2] += 2 * cg[j*2*p+k]
				dc[(j*p+k)*2+1] -= 2 * cg[j*2*p+p+k]
			}
		}
		g := t.alloc(x.Rows * 2 * p)
		gemm.Mul(x.Rows, 2*p, n, gemm.Rows(y.grad, n), gemm.Rows(c, 2*p), g, 2*p, false, &t.gemm)
		later, da, zero := t.alloc(2*p), t.alloc(2*p), t.alloc(p)
		clear(da)
		clear(zero)
		none := vec.Matrix{Data: zero}
		for i := range samples {
			clear(later)
			end := i*steps + steps - 1
			re, im := part(g, end, 0, -1), part(g, end, 1, -1)
			if steps > 1 {
				vec.DiagonalScanGrad(a[:p], a[p:], later[:p], later[p:], da[:p], da[p:], re, im, part(h, end-1, 0, -1), part(h, end-1, 1, -1), re, im, steps-1)
			}
			re, im = part(g, i*steps, 0, -1), part(g, i*steps, 1, -1)
			vec.DiagonalScanGrad(a[:p], a[p:], later[:p], later[p:], da[:p], da[p:], re, im, none, none, re, im, 1)
		}
		bg := t.alloc(2 * p * n)
		gemm.Mul(2*p, n, x.Rows, gemm.Cols(g, 2*p), gemm.Rows(x.Value, n), bg, n, false, &t.gemm)
		grads := [4][]float32{}
		for i, q := range [4]*Param{l.B, l.LambdaRe, l.LambdaIm, l.LogStep} {
			d, add := t.gradOfParam(q)
			if !add {
				clear(d)
			}
			grads[i] = d
		}
		for k := range p {
			eigen, step := lambda(k)
			z, hold := discretise(eigen, step, l.Bilinear)
			var slope complex128 // of the hold: dL = Re(slope·dhold)
			for j := range n {
				v := complex(float64(bg[k*n+j]), -float64(bg[(p+k)*n+j]))
				slope += v * complex(float64(l.B.Value[(k*n+j)*2]), float64(l.B.Value[(k*n+j)*2+1]))
				v *= hold
				grads[0][(k*n+j)*2] += float32(real(v))
				grads[0][(k*n+j)*2+1] -= float32(imag(v))
			}
			ofEigen, ofStep := discretiseGrad(eigen, step, z, complex(float64(da[k]), -float64(da[p+k])), slope, l.Bilinear)
			grads[1][k] += float32(real(ofEigen))
			grads[2][k] -= float32(imag(ofEigen))
			grads[3][k] += float32(real(ofStep) * step)
		}
		if !x.input {
			dx, add := t.gradOf(x)
			if !add {
				clear(dx)
			}
			for r := range x.Rows {
				vec.MulAdd(l.D.Value, y.grad[r*n:(r+1)*n], dx[r*n:(r+1)*n], dx[r*n:(r+1)*n])
			}
			gemm.Mul(x.Rows, n, 2*p, gemm.Rows(g, 2*p), gemm.Rows(b, n), dx, n, true, &t.gemm)
		}
	})
	return y
}

// discretise turns h' = a·h + x into h[s] = z·h[s−1] + hold·x[s] for steps of
// length dt, by a zero-order hold, z = e^(a·dt) and hold = (z−1)/a, or by the
// bilinear method, z = (1 + a·dt/2)/(1 − a·dt/2) and hold = dt/(1 − a·dt/2).
func discretise(a complex128, dt float64, bilinear bool) (z, hold complex128) {
	x := a * complex(dt, 0)
	if bilinear {
		q := 1 / (1 - x/2)
		return (1 + x/2) * q, complex(dt, 0) * q
	}
	z = exp(x)
	return z, (z - 1) / a
}

// discretiseGrad turns the slopes of z and hold, dL = Re(dz·slopeZ + dhold·slopeH),
// into those of a and dt.
func discretiseGrad(a complex128, dt float64, z, slopeZ, slopeH complex128, bilinear bool) (ofA, ofStep complex128) {
	d := complex(dt, 0)
	if bilinear {
		q := 1 / (1 - a*d/2)
		both := q * q * (slopeZ + slopeH*d/2) // of a·dt
		return both * d, both*a + slopeH*q
	}
	return slopeZ*z*d + slopeH*(z*d-(z-1)/a)/a, (slopeZ*a + slopeH) * z
}

// exp is e^x.
func exp(x complex128) complex128 {
	sin, cos := math.Sincos(imag(x))
	r := model.Exp(real(x))
	return complex(r*cos, r*sin)
}
