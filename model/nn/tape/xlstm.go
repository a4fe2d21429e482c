package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model"
)

// Headwise is a linear map of blocks of columns, each with a matrix of its own: w
// is blocks×out×in, x rows×(blocks·in), the result rows×(blocks·out).
// O(rows·blocks·in·out).
func (t *Tape) Headwise(x *Tensor, w *Param) *Tensor {
	blocks, out, in := w.Shape[0], w.Shape[1], w.Shape[2]
	mustMatch("headwise map", x.Cols == blocks*in, x, w)
	y := t.fresh(x.Rows, blocks*out)
	for b := range blocks {
		gemm.Mul(x.Rows, out, in, gemm.Rows(x.Value[b*in:], x.Cols), gemm.Cols(w.Value[b*out*in:], in), y.Value[b*out:], y.Cols, false, &t.gemm)
	}
	if t.trace != nil {
		t.traceHeadwise(y, x, w)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dw, add := t.gradOfParam(w)
		for b := range blocks {
			gemm.Mul(out, in, x.Rows, gemm.Cols(y.grad[b*out:], y.Cols), gemm.Rows(x.Value[b*in:], x.Cols), dw[b*out*in:], in, add, &t.gemm)
		}
		if x.input {
			return
		}
		dx, add := t.gradOf(x)
		for b := range blocks {
			gemm.Mul(x.Rows, in, out, gemm.Rows(y.grad[b*out:], y.Cols), gemm.Rows(w.Value[b*out*in:], in), dx[b*in:], x.Cols, add, &t.gemm)
		}
	})
	return y
}

// HeadNorm normalises each of the heads of a row to mean 0 and variance 1, then
// multiplies by gain, of one value a column: a layer normalisation by head.
func (t *Tape) HeadNorm(x *Tensor, heads int, gain *Param, eps float64) *Tensor {
	n := x.Cols / heads
	mustMatch("norm by head", n*heads == x.Cols && len(gain.Value) == x.Cols, x, gain)
	y := t.fresh(x.Rows, x.Cols)
	hat, inv := t.alloc(len(x.Value)), t.alloc(x.Rows*heads)
	for i := range inv {
		row, h := x.Value[i*n:(i+1)*n], hat[i*n:(i+1)*n]
		mean := sum(row) / float32(n)
		for j, v := range row {
			h[j] = v - mean
		}
		inv[i] = float32(1 / math.Sqrt(float64(vec.Dot(h, h))/float64(n)+eps))
		vec.Scale(h, h, inv[i])
	}
	for r := range x.Rows {
		vec.Mul(hat[r*x.Cols:(r+1)*x.Cols], gain.Value, y.Row(r))
	}
	if t.trace != nil {
		t.traceHeadNorm(y, x, heads, gain, eps)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dg, add := t.gradOfParam(gain)
		if !add {
			clear(dg)
		}
		d := t.alloc(len(x.Value))
		for r := range x.Rows {
			lo, hi := r*x.Cols, (r+1)*x.Cols
			vec.MulAdd(y.grad[lo:hi], hat[lo:hi], dg, dg)
			vec.Mul(y.grad[lo:hi], gain.Value, d[lo:hi])
		}
		dx := t.scratchGrad(x)
		for i := range inv {
			up, h, o := d[i*n:(i+1)*n], hat[i*n:(i+1)*n], dx[i*n:(i+1)*n]
			mean, slope := sum(up)/float32(n), vec.Dot(up, h)/float32(n)
			for j, v := range up {
				o[j] += inv[i] * (v - mean - float32(slope*h[j]))
			}
		}
	})
	return y
}

// ScaleColumns multiplies every column by a value of its own.
func (t *Tape) ScaleColumns(x *Tensor, d *Param) *Tensor {
	n := x.Cols
	mustMatch("scale of columns", len(d.Value) == n, x, d)
	y := t.fresh(x.Rows, n)
	for r := range x.Rows {
		vec.Mul(d.Value, x.Row(r), y.Row(r))
	}
	if t.trace != nil {
		t.trace.names[y] = t.trace.node("Mul", []string{t.trace.of(x), t.trace.param(d)})
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		t.skipGrad(x, d, y.grad)
		dx := t.scratchGrad(x)
		for r := range x.Rows {
			at := dx[r*n : (r+1)*n]
			vec.MulAdd(d.Value, y.grad[r*n:(r+1)*n], at, at)
		}
	})
	return y
}

// SLSTM runs the sLSTM cell (Beck et al. 2024, section 2.2) over sequences from a
// state of zeros. gates is rows×(4·heads·n): what the input adds to the gates i f z
// o. kernel is heads×n×4×n, from the state of a head to its gates, and bias
// heads×4×n, as in the reference implementation. The result is the states h of all
// steps. Formulas: [vec.SLSTMGates] and [vec.SLSTMState].
func (t *Tape) SLSTM(gates *Tensor, steps int, kernel, bias *Param) *Tensor {
	samples := samplesOf("slstm", gates, steps)
	heads, n := kernel.Shape[0], kernel.Shape[1]
	hidden, g4 := heads*n, 4*n
	mustMatch("slstm", gates.Cols == 4*hidden && len(bias.Value) == 4*hidden, gates, kernel)
	// g has the gates of each head side by side; they become their values.
	g := t.alloc(len(gates.Value))
	for r := range gates.Rows {
		row := g[r*4*hidden : (r+1)*4*hidden]
		for h := range heads {
			for k := range 4 {
				copy(row[h*g4+k*n:], gates.Value[r*4*hidden+k*hidden+h*n:][:n])
			}
		}
		vec.Add(row, bias.Value, row)
	}
	y := t.fresh(gates.Rows, hidden)
	cell, norm, slope := t.alloc(len(y.Value)), t.alloc(len(y.Value)), t.alloc(len(y.Value))
	m, zero := t.alloc(samples*hidden), t.alloc(n)
	clear(zero)
	for i := range m {
		m[i] = -1e30
	}
	at := func(v []float32, row, h int) []float32 { return v[row*hidden+h*n:][:n] }
	for s := range steps {
		for h := range heads {
			if s > 0 {
				gemm.Mul(samples, g4, n, gemm.Rows(y.Value[(s-1)*hidden+h*n:], steps*hidden), gemm.Rows(kernel.Value[h*n*g4:], g4), g[s*4*hidden+h*g4:], steps*4*hidden, true, &t.gemm)
			}
			for b := range samples {
				r := b*steps + s
				x := g[r*4*hidden+h*g4:][:g4]
				i, f, z, o := x[:n], x[n:2*n], x[2*n:3*n], x[3*n:]
				c0, n0 := zero, zero
				if s > 0 {
					c0, n0 = at(cell, r-1, h), at(norm, r-1, h)
				}
				vec.SLSTMGates(i, f, at(m, b, h), i, f, at(m, b, h), at(slope, r, h))
				vec.SLSTMState(i, f, z, o, c0, n0, z, o, at(cell, r, h), at(norm, r, h), at(y.Value, r, h))
			}
		}
	}
	if t.trace != nil {
		t.traceSLSTM(y, gates, steps, kernel, bias)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dh, dc, dn := t.alloc(samples*hidden), t.alloc(samples*hidden), t.alloc(samples*hidden)
		clear(dh)
		clear(dc)
		clear(dn)
		for s := steps - 1; s >= 0; s-- {
			for h := range heads {
				for b := range samples {
					r := b*steps + s
					x := g[r*4*hidden+h*g4:][:g4]
					i, f, z, o := x[:n], x[n:2*n], x[2*n:3*n], x[3*n:]
					c0, n0 := zero, zero
					if s > 0 {
						c0, n0 = at(cell, r-1, h), at(norm, r-1, h)
					}
					up, ofC, ofN := at(dh, b, h), at(dc, b, h), at(dn, b, h)
					vec.Add(up, at(y.grad, r, h), up)
					vec.SLSTMStateGrad(up, o, at(cell, r, h), at(norm, r, h), ofC, ofN, o, ofC, ofN)
					vec.SLSTMGatesGrad(ofC, ofN, i, f, z, at(slope, r, h), c0, n0, i, f, z, ofC, ofN)
				}
				if s > 0 {
					gemm.Mul(samples, n, g4, gemm.Rows(g[s*4*hidden+h*g4:], steps*4*hidden), gemm.Cols(kernel.Value[h*n*g4:], g4), dh[h*n:], hidden, false, &t.gemm)
				}
			}
		}
		db, add := t.gradOfParam(bias)
		sumRows(db, g, add)
		dk, add := t.gradOfParam(kernel)
		if !add {
			clear(dk)
		}
		for b := range samples {
			for h := range heads {
				if steps > 1 {
					gemm.Mul(n, g4, steps-1, gemm.Cols(y.Value[b*steps*hidden+h*n:], hidden), gemm.Rows(g[(b*steps+1)*4*hidden+h*g4:], 4*hidden), dk[h*n*g4:], g4, true, &t.gemm)
				}
			}
		}
		if gates.input {
			return
		}
		dg, add := t.gradOf(gates)
		for r := range gates.Rows {
			for h := range heads {
				for k := range 4 {
					accumulate(dg[r*4*hidden+k*hidden+h*n:][:n], g[r*4*hidden+h*g4+k*n:][:n], add)
				}
			}
		}
	})
	return y
}

// matrixEps is added to the normaliser of MLSTM, as in the reference
// implementation.
const matrixEps = 1e-6

// largestFloor keeps e^−m in the range of float32: a state whose input gates have
// all been below e^−69 is nothing in either case.
const largestFloor = 1e30

// MLSTM is the mLSTM cell (Beck et al. 2024, section 2.3) in its parallel,
// stabilised form (appendix A.3): with F the running sum of log σ(f), step s of a
// head of n channels is
//
//	h[s] = Σ w[s,j]·v[j] / (max(|Σ w[s,j]|, e^−m[s]) + 1e-6),  j ≤ s,
//	w[s,j] = e^(F[s] − F[j] + i[j] − m[s])·q[s]·k[j]/√n
//
// where m[s] is the largest of the exponents of step s. q, k and v are
// rows×(heads·n), i and f rows×heads. O(rows·steps·heads·n).
func (t *Tape) MLSTM(q, k, v, i, f *Tensor, steps int) *Tensor {
	s := matrixMemory{t: t, q: q, k: k, v: v, i: i, f: f, steps: steps, samples: samplesOf("mlstm", q, steps), heads: i.Cols, n: q.Cols / i.Cols}
	mustMatch("mlstm", s.n*s.heads == q.Cols && k.Cols == q.Cols && v.Cols == q.Cols, q, k)
	mustMatch("mlstm", f.Cols == s.heads && i.Rows == q.Rows && f.Rows == q.Rows && k.Rows == q.Rows && v.Rows == q.Rows, i, f)
	s.forget = t.alloc(len(f.Value)) // log σ(f) = −softplus(−f)
	vec.Scale(f.Value, s.forget, -1)
	vec.Softplus(s.forget, s.forget)
	vec.Scale(s.forget, s.forget, -1)
	s.w, s.decay = t.alloc(steps*steps), t.alloc(steps*steps)
	s.inv, s.sign, s.top, s.exponent = t.alloc(steps), t.alloc(steps), t.alloc(steps), t.alloc(steps)
	y := t.fresh(q.Rows, q.Cols)
	for b := range s.samples {
		for h := range s.heads {
			s.weights(b, h)
			at := b*steps*q.Cols + h*s.n
			gemm.Mul(steps, s.n, steps, gemm.Rows(s.w, steps), gemm.Rows(v.Value[at:], q.Cols), y.Value[at:], q.Cols, false, &t.gemm)
		}
	}
	if t.trace != nil {
		t.traceMLSTM(y, &s)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if y.wants() {
			s.backward(y)
		}
	})
	return y
}

// matrixMemory is one call of MLSTM.
type matrixMemory struct {
	t              *Tape
	q, k, v, i, f  *Tensor
	samples, steps int
	heads, n       int
	forget         []float32 // rows×heads: log σ(f)
	w, decay       []float32 // steps×steps: normalised weights, and e^(exponent − m)
	inv            []float32 // of each step: 1/(normaliser + eps)
	sign           []float32 // of Σ w, 0 where e^−m is larger
	top            []float32 // the step of the largest exponent
	exponent       []float32 // i[j] − F[j]
}

// weights computes the matrices of a sample and head.
func (s *matrixMemory) weights(b, h int) {
	steps := s.steps
	at := b*steps*s.q.Cols + h*s.n
	gemm.Mul(steps, steps, s.n, gemm.Rows(s.q.Value[at:], s.q.Cols), gemm.Cols(s.k.Value[at:], s.q.Cols), s.w, steps, false, &s.t.gemm)
	root := float32(1 / math.Sqrt(float64(s.n)))
	total, most := 0.0, 0
	for r := range steps {
		// The exponents of a step are i[j] − F[j], plus F[r], which all share.
		total += float64(s.forget[(b*steps+r)*s.heads+h])
		s.exponent[r] = float32(float64(s.i.Value[(b*steps+r)*s.heads+h]) - total)
		if s.exponent[r] > s.exponent[most] {
			most = r
		}
		s.top[r] = float32(most)
		row, d := s.w[r*steps:(r+1)*steps], s.decay[r*steps:(r+1)*steps]
		for j := range r + 1 {
			d[j] = s.exponent[j] - s.exponent[most]
		}
		vec.Exp(d[:r+1], d[:r+1])
		clear(d[r+1:])
		vec.Scale(row[:r+1], row[:r+1], root)
		vec.Mul(row[:r+1], d[:r+1], row[:r+1])
		clear(row[r+1:])
		weight := sum(row[:r+1])
		s.sign[r] = float32(math.Copysign(1, float64(weight)))
		normaliser, floor := float32(math.Abs(float64(weight))), float32(min(largestFloor, model.Exp(-float64(s.exponent[most])-total)))
		if normaliser < floor {
			normaliser, s.sign[r] = floor, 0
		}
		s.inv[r] = 1 / (normaliser + matrixEps)
		vec.Scale(row[:r+1], row[:r+1], s.inv[r])
	}
}

func (s *matrixMemory) backward(y *Tensor) {
	t, steps, cols := s.t, s.steps, s.q.Cols
	root := float32(1 / math.Sqrt(float64(s.n)))
	dq, dk, dv := t.scratchGrad(s.q), t.scratchGrad(s.k), t.scratchGrad(s.v)
	di, df := t.scratchGrad(s.i), t.scratchGrad(s.f)
	g, ds := t.alloc(steps*steps), t.alloc(steps) // ds: of F
	for b := range s.samples {
		for h := range s.heads {
			s.weights(b, h)
			at := b*steps*cols + h*s.n
			up := gemm.Rows(y.grad[at:], cols)
			gemm.Mul(steps, s.n, steps, gemm.Cols(s.w, steps), up, dv[at:], cols, true, &t.gemm)
			gemm.Mul(steps, steps, s.n, up, gemm.Cols(s.v.Value[at:], cols), g, steps, false, &t.gemm)
			clear(ds)
			for r := range steps {
				row, w, d := g[r*steps:(r+1)*steps], s.w[r*steps:(r+1)*steps], s.decay[r*steps:(r+1)*steps]
				// What the normaliser asks of every weight, and what eps leaves of the stabiliser.
				all := vec.Dot(row[:r+1], w[:r+1])
				ofNorm := -float32(all*s.sign[r]) * s.inv[r]
				for j := range r + 1 {
					dw := float32(row[j]*s.inv[r]) + ofNorm // of the weight before it is normalised
					e := dw * float32(w[j]/s.inv[r])        // of the exponent
					di[(b*steps+j)*s.heads+h] += e
					ds[r] += e
					ds[j] -= e
					row[j] = float32(dw*d[j]) * root
				}
				clear(row[r+1:])
				e := -all * float32(matrixEps*s.inv[r])
				top := int(s.top[r])
				di[(b*steps+top)*s.heads+h] += e
				ds[r] += e
				ds[top] -= e
			}
			gemm.Mul(steps, s.n, steps, gemm.Rows(g, steps), gemm.Rows(s.k.Value[at:], cols), dq[at:], cols, true, &t.gemm)
			gemm.Mul(steps, s.n, steps, gemm.Cols(g, steps), gemm.Rows(s.q.Value[at:], cols), dk[at:], cols, true, &t.gemm)
			later := float32(0)
			for r := steps - 1; r >= 0; r-- {
				later += ds[r]
				at := (b*steps+r)*s.heads + h
				df[at] += later * float32(1/(1+model.Exp(float64(s.f.Value[at])))) // σ(−f)
			}
		}
	}
}
