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

// windows are the steps that each step of a result pools.
type windows struct {
	Pool
	steps, out int
	adaptive   bool
}

func (p Pool) windows(steps int) windows { return windows{p, steps, p.Steps(steps), false} }

// adaptive are the windows of PyTorch's adaptive pooling: step u pools
// ⌊u·steps/n⌋ to ⌈(u+1)·steps/n⌉ − 1.
func adaptive(x *Tensor, steps, n int) windows {
	mustSteps("pooling", x, steps)
	if n < 1 {
		panic(fmt.Sprintf("tape: %v pooled to %d steps", x, n))
	}
	return windows{Pool{}, steps, n, true}
}

// span is the steps lo to hi−1 that step u pools.
func (w windows) span(u int) (lo, hi int) {
	if w.adaptive {
		return u * w.steps / w.out, ((u+1)*w.steps + w.out - 1) / w.out
	}
	first := u*w.Stride - w.Left
	return max(0, first), min(w.steps, first+w.Kernel)
}

// share is the weight of a step in the mean of step u.
func (w windows) share(u int) float32 {
	if w.adaptive {
		lo, hi := w.span(u)
		return 1 / float32(hi-lo)
	}
	return 1 / float32(w.Kernel)
}

// runs calls do with the runs of consecutive steps of the result whose k-th
// pooled steps are consecutive too: count steps of the result from u on and of
// x from s on.
func (w windows) runs(k int, do func(u, s, count int)) {
	for u := 0; u < w.out; {
		lo, hi := w.span(u)
		if lo+k >= hi {
			u++
			continue
		}
		count := 1
		for ; u+count < w.out; count++ {
			if l, h := w.span(u + count); l != lo+count || l+k >= h {
				break
			}
		}
		do(u, lo+k, count)
		u += count
	}
}

// most is the largest number of pooled steps.
func (w windows) most() int {
	if !w.adaptive {
		return w.Kernel
	}
	n := 0
	for u := range w.out {
		lo, hi := w.span(u)
		n = max(n, hi-lo)
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
	samples, n, out := x.Rows/steps, x.Cols, w.out
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
	if t.trace != nil {
		t.tracePool(y, x, w, "ReduceMax")
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
	return t.averagePool(x, steps, p.windows(steps))
}

// AdaptiveAveragePool is [Tape.AveragePool] over n windows that cover all steps.
func (t *Tape) AdaptiveAveragePool(x *Tensor, steps, n int) *Tensor {
	return t.averagePool(x, steps, adaptive(x, steps, n))
}

// GlobalAverage is the mean of each channel of each sample: samples × cols.
func (t *Tape) GlobalAverage(x *Tensor, steps int) *Tensor {
	return t.AdaptiveAveragePool(x, steps, 1)
}

func (t *Tape) averagePool(x *Tensor, steps int, w windows) *Tensor {
	samples, n, out := x.Rows/steps, x.Cols, w.out
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
		for u := range out {
			vec.Scale(to[u*n:(u+1)*n], to[u*n:(u+1)*n], w.share(u))
		}
	}
	if t.trace != nil {
		t.tracePool(y, x, w, "ReduceMean")
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
			for u := range out {
				vec.Scale(dy[u*n:(u+1)*n], scaled[u*n:(u+1)*n], w.share(u))
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
