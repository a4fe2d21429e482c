package tape

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Pool says which steps of a sequence are pooled together: kernel steps every
// stride steps, with left and right steps of padding.
type Pool struct{ Kernel, Stride, Left, Right int }

// Steps is the number of steps that come out of so many.
func (p Pool) Steps(steps int) int { return (steps+p.Left+p.Right-p.Kernel)/p.Stride + 1 }

func (p Pool) check(x *Tensor, steps int) {
	mustSteps("pooling", x, steps)
	if p.Kernel < 1 || p.Stride < 1 || p.Left < 0 || p.Right < 0 || p.Left >= p.Kernel || p.Right >= p.Kernel || p.Kernel > steps+p.Left+p.Right {
		panic(fmt.Sprintf("tape: pools of %d every %d over %d steps and %d and %d of padding", p.Kernel, p.Stride, steps, p.Left, p.Right))
	}
}

// windows are the steps lo to hi−1 that each step of a result pools.
type windows struct{ lo, hi []int }

func (p Pool) windows(steps int) windows {
	n := p.Steps(steps)
	w := windows{make([]int, n), make([]int, n)}
	for u := range n {
		first := u*p.Stride - p.Left
		w.lo[u], w.hi[u] = max(0, first), min(steps, first+p.Kernel)
	}
	return w
}

// adaptive are the windows of PyTorch's adaptive pooling: step u pools
// ⌊u·steps/n⌋ to ⌈(u+1)·steps/n⌉ − 1.
func adaptive(x *Tensor, steps, n int) windows {
	mustSteps("pooling", x, steps)
	if n < 1 {
		panic(fmt.Sprintf("tape: %v pooled to %d steps", x, n))
	}
	w := windows{make([]int, n), make([]int, n)}
	for u := range n {
		w.lo[u], w.hi[u] = u*steps/n, ((u+1)*steps+n-1)/n
	}
	return w
}

// runs calls do with the runs of consecutive steps of the result whose k-th
// pooled steps are consecutive too: count steps of the result from u on and of
// x from s on.
func (w windows) runs(k int, do func(u, s, count int)) {
	for u := 0; u < len(w.lo); {
		if w.lo[u]+k >= w.hi[u] {
			u++
			continue
		}
		count := 1
		for u+count < len(w.lo) && w.lo[u+count] == w.lo[u]+count && w.lo[u+count]+k < w.hi[u+count] {
			count++
		}
		do(u, w.lo[u]+k, count)
		u += count
	}
}

// most is the largest number of pooled steps.
func (w windows) most() int {
	n := 0
	for u := range w.lo {
		n = max(n, w.hi[u]-w.lo[u])
	}
	return n
}

// MaxPool is the largest value of each channel in each window; padding never
// wins, and the first of equal values gets the gradient. A NaN counts where it
// comes first. O(rows·cols·kernel/stride).
func (t *Tape) MaxPool(x *Tensor, steps int, p Pool) *Tensor {
	p.check(x, steps)
	return t.maxPool(x, steps, p.windows(steps))
}

// AdaptiveMaxPool is [Tape.MaxPool] over n windows that cover all steps.
func (t *Tape) AdaptiveMaxPool(x *Tensor, steps, n int) *Tensor {
	return t.maxPool(x, steps, adaptive(x, steps, n))
}

// GlobalMax is the largest value of each channel of each sample: samples × cols.
func (t *Tape) GlobalMax(x *Tensor, steps int) *Tensor { return t.AdaptiveMaxPool(x, steps, 1) }

func (t *Tape) maxPool(x *Tensor, steps int, w windows) *Tensor {
	samples, n, out := x.Rows/steps, x.Cols, len(w.lo)
	y := t.fresh(samples*out, n)
	index := t.alloc(len(y.Value))
	clear(index)
	for b := range samples {
		from, to, at := x.Value[b*steps*n:(b+1)*steps*n], y.Value[b*out*n:(b+1)*out*n], index[b*out*n:(b+1)*out*n]
		w.runs(0, func(u, s, count int) { copy(to[u*n:(u+count)*n], from[s*n:]) })
		for k := 1; k < w.most(); k++ {
			w.runs(k, func(u, s, count int) {
				lo, hi := u*n, (u+count)*n
				vec.MaxIndex(from[s*n:(s+count)*n], to[lo:hi], at[lo:hi], to[lo:hi], at[lo:hi], float32(k))
			})
		}
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
			to, dy, at := g[b*steps*n:(b+1)*steps*n], y.grad[b*out*n:(b+1)*out*n], index[b*out*n:(b+1)*out*n]
			for k := range w.most() {
				w.runs(k, func(u, s, count int) {
					lo, hi := u*n, (u+count)*n
					d := to[s*n : (s+count)*n]
					vec.RouteGrad(at[lo:hi], dy[lo:hi], d, d, float32(k))
				})
			}
		}
	})
	return y
}

// AveragePool is the mean of each channel in each window; padding counts as
// zeros, as in PyTorch. O(rows·cols·kernel/stride).
func (t *Tape) AveragePool(x *Tensor, steps int, p Pool) *Tensor {
	p.check(x, steps)
	w := p.windows(steps)
	share := make([]float32, len(w.lo))
	for u := range share {
		share[u] = 1 / float32(p.Kernel)
	}
	return t.averagePool(x, steps, w, share)
}

// AdaptiveAveragePool is [Tape.AveragePool] over n windows that cover all steps.
func (t *Tape) AdaptiveAveragePool(x *Tensor, steps, n int) *Tensor {
	w := adaptive(x, steps, n)
	share := make([]float32, n)
	for u := range share {
		share[u] = 1 / float32(w.hi[u]-w.lo[u])
	}
	return t.averagePool(x, steps, w, share)
}

// GlobalAverage is the mean of each channel of each sample: samples × cols.
func (t *Tape) GlobalAverage(x *Tensor, steps int) *Tensor {
	return t.AdaptiveAveragePool(x, steps, 1)
}

func (t *Tape) averagePool(x *Tensor, steps int, w windows, share []float32) *Tensor {
	samples, n, out := x.Rows/steps, x.Cols, len(w.lo)
	y := t.fresh(samples*out, n)
	clear(y.Value)
	for b := range samples {
		from, to := x.Value[b*steps*n:(b+1)*steps*n], y.Value[b*out*n:(b+1)*out*n]
		for k := range w.most() {
			w.runs(k, func(u, s, count int) {
				d := to[u*n : (u+count)*n]
				vec.Add(d, from[s*n:(s+count)*n], d)
			})
		}
		for u, a := range share {
			vec.Scale(to[u*n:(u+1)*n], to[u*n:(u+1)*n], a)
		}
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
		scaled := t.alloc(out * n)
		for b := range samples {
			to, dy := g[b*steps*n:(b+1)*steps*n], y.grad[b*out*n:(b+1)*out*n]
			for u, a := range share {
				vec.Scale(dy[u*n:(u+1)*n], scaled[u*n:(u+1)*n], a)
			}
			for k := range w.most() {
				w.runs(k, func(u, s, count int) {
					d := to[s*n : (s+count)*n]
					vec.Add(d, scaled[u*n:(u+count)*n], d)
				})
			}
		}
	})
	return y
}
