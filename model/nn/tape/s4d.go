package tape

import "github.com/mlfactory/mlfactory/model"

// DiagonalKernel are the parameters of an S4D kernel (Gu et al. 2022) in the form
// of the reference implementation: for each channel M modes, each a complex one
// with its conjugate, or a real one where AImag is nil.
type DiagonalKernel struct {
	C        *Param // channels×M×2, real and imaginary parts; of real modes channels×M
	LogDt    *Param // channels: log Δ
	LogAReal *Param // channels×M: A has real part −e^this
	AImag    *Param // channels×M: the imaginary part of A, or nil
	Bilinear bool   // discretise by the bilinear method instead of a hold
}

// modeBlock modes of a channel are summed at once.
const modeBlock = 32

// S4DKernel is the kernel of a diagonal state-space model for [Tape.LongConv],
// lags×channels: k[l] = 2·Re Σ C·B̄·Ā^l, with a zero-order hold Ā = e^(ΔA) and B̄ =
// (Ā−1)/A (Gu et al. 2022, equations 2 and 6), without the factor 2 for real
// modes. Powers are taken in float64. O(lags·channels·M).
func (t *Tape) S4DKernel(lags int, l *DiagonalKernel) *Tensor {
	n, modes := len(l.LogDt.Value), l.LogAReal.cols()
	scale, parts := 2.0, 2
	if l.AImag == nil {
		scale, parts = 1, 1
	}
	mustMatch("kernel", l.LogAReal.Shape[0] == n && len(l.C.Value) == n*modes*parts, l.C, l.LogAReal)
	mode := func(j int) (a, c complex128) {
		re := -model.Exp(float64(l.LogAReal.Value[j]))
		if l.AImag == nil {
			return complex(re, 0), complex(float64(l.C.Value[j]), 0)
		}
		return complex(re, float64(l.AImag.Value[j])), complex(float64(l.C.Value[2*j]), float64(l.C.Value[2*j+1]))
	}
	k := t.fresh(lags, n)
	k.input = false
	var zs, ps [modeBlock]complex128
	clear(k.Value)
	for ch := range n {
		dt := model.Exp(float64(l.LogDt.Value[ch]))
		for first := 0; first < modes; first += modeBlock {
			count := min(modeBlock, modes-first)
			for m := range count {
				a, c := mode(ch*modes + first + m)
				z, hold := discretise(a, dt, l.Bilinear)
				zs[m], ps[m] = z, c*hold
			}
			for lag := range lags {
				sum := 0.0
				for m, z := range zs[:count] {
					p := ps[m]
					sum += real(p)
					ps[m] = p * z
				}
				k.Value[lag*n+ch] += float32(scale * sum)
			}
		}
	}
	if !t.train {
		return k
	}
	t.back = append(t.back, func() {
		if !k.wants() {
			return
		}
		params := []*Param{l.C, l.LogDt, l.LogAReal, l.AImag}
		var grads [4][]float32
		for i, p := range params {
			if p == nil {
				continue
			}
			g, add := t.gradOfParam(p)
			if !add {
				clear(g)
			}
			grads[i] = g
		}
		var value, slope [modeBlock]complex128
		for ch := range n {
			dt := model.Exp(float64(l.LogDt.Value[ch]))
			step := 0.0
			for first := 0; first < modes; first += modeBlock {
				count := min(modeBlock, modes-first)
				for m := range count {
					a, _ := mode(ch*modes + first + m)
					zs[m], _ = discretise(a, dt, l.Bilinear)
					value[m], slope[m] = 0, 0
				}
				// Horner's rule for Σ dk[l]·z^l and its derivative.
				for lag := lags - 1; lag >= 0; lag-- {
					g := complex(scale*float64(k.grad[lag*n+ch]), 0)
					for m, z := range zs[:count] {
						slope[m] = slope[m]*z + value[m]
						value[m] = value[m]*z + g
					}
				}
				for m, z := range zs[:count] {
					j := ch*modes + first + m
					a, c := mode(j)
					_, hold := discretise(a, dt, l.Bilinear)
					dc := value[m] * hold
					ofA, ofStep := discretiseGrad(a, dt, z, c*hold*slope[m], value[m]*c, l.Bilinear)
					step += real(ofStep)
					grads[2][j] += float32(real(ofA) * real(a))
					if l.AImag == nil {
						grads[0][j] += float32(real(dc))
						continue
					}
					grads[0][2*j] += float32(real(dc))
					grads[0][2*j+1] -= float32(imag(dc))
					grads[3][j] -= float32(imag(ofA))
				}
			}
			grads[1][ch] += float32(step * dt)
		}
	})
	return k
}
