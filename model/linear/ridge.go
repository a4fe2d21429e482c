package linear

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const (
	memory  = 10   // pairs kept by L-BFGS
	armijo  = 1e-4 // sufficient decrease
	flatten = 0.2  // the slope along a step falls to this share
)

// ridge minimises F with l1 = 0 by preconditioned L-BFGS. It returns the
// coefficients, the passes made, and whether the largest gradient fell to tol.
func (pr *problem) ridge() (w []float64, iters int, converged bool, err error) {
	k, q := pr.k, pr.p+1
	size := pr.size()
	w = pr.start()
	z, dz, r := make([]float64, pr.n*k), make([]float64, pr.n*k), make([]float64, pr.n*k)
	g, gNew, dir := make([]float64, size), make([]float64, size), make([]float64, size)
	solve := pr.preconditioner()

	gradient := func(g []float64) {
		pr.backward(r, g, pr.part)
		for c := range k {
			for j := range pr.p {
				g[c*q+j] += float64(pr.l2 * w[c*q+j])
			}
		}
	}
	pr.forward(w, z)
	pr.loss(z, nil, 0, r)
	gradient(g)

	type pair struct {
		s, y []float64
		rho  float64
	}
	var pairs []pair
	alpha := make([]float64, memory)
	for iters = 0; iters < pr.maxIter; iters++ {
		if err := pr.ctx.Err(); err != nil {
			return nil, iters, false, err
		}
		pr.progress(iters)
		if maxAbs(g) <= pr.tol {
			return w, iters, true, nil
		}
		// Two-loop recursion (Liu & Nocedal 1989, algorithm 2.1).
		for i, x := range g {
			dir[i] = -x
		}
		for i := len(pairs) - 1; i >= 0; i-- {
			alpha[i] = pairs[i].rho * dot64(pairs[i].s, dir)
			axpy64(dir, pairs[i].y, -alpha[i])
		}
		solve(dir)
		for i := range pairs {
			beta := pairs[i].rho * dot64(pairs[i].y, dir)
			axpy64(dir, pairs[i].s, alpha[i]-beta)
		}
		if !(dot64(dir, g) < 0) { // rounding: begin again from the preconditioner
			pairs = pairs[:0]
			for i, x := range g {
				dir[i] = -x
			}
			solve(dir)
		}
		pr.forward(dir, dz)
		t, ok := pr.search(w, dir, z, dz, r)
		if !ok {
			// No step lowers the loss: the gradient is down to rounding.
			return w, iters, maxAbs(g) <= math.Sqrt(pr.tol)*1e-2, nil
		}
		axpy64(z, dz, t)
		axpy64(w, dir, t)
		gradient(gNew)
		s, y := make([]float64, size), make([]float64, size)
		for i := range s {
			s[i] = t * dir[i]
			y[i] = gNew[i] - g[i]
		}
		g, gNew = gNew, g
		if sy := dot64(s, y); sy > 1e-300 {
			if len(pairs) == memory {
				copy(pairs, pairs[1:])
				pairs = pairs[:memory-1]
			}
			pairs = append(pairs, pair{s, y, 1 / sy})
		}
	}
	return w, iters, maxAbs(g) <= pr.tol, nil
}

// search finds a step t along dir with enough decrease and a slope cut to a
// fifth (strong Wolfe conditions); F is convex, so the root of the slope is
// bracketed and then narrowed by the secant rule. Scores of the step are
// already known, so a trial costs no pass over the inputs. r holds the
// residuals at the returned step.
func (pr *problem) search(w, dir, z, dz, r []float64) (t float64, ok bool) {
	q := pr.p + 1
	var wd, dd, ww float64 // penalty along the step: l2/2·(ww + 2t·wd + t²·dd)
	for c := range pr.k {
		a, b := w[c*q:c*q+pr.p], dir[c*q:c*q+pr.p]
		ww += dot64(a, a)
		wd += dot64(a, b)
		dd += dot64(b, b)
	}
	at := func(t float64) (f, slope float64) {
		f, slope = pr.loss(z, dz, t, r)
		f += 0.5 * pr.l2 * (ww + 2*t*wd + t*t*dd)
		return f, slope + pr.l2*(wd+t*dd)
	}
	f0, s0 := at(0)
	if !(s0 < 0) {
		return 0, false
	}
	lo, sLo := 0.0, s0
	hi, sHi := math.Inf(1), 0.0
	t = 1
	for range 40 {
		f, s := at(t)
		low := f <= f0+armijo*t*s0+1e-14*math.Abs(f0)
		if low && math.Abs(s) <= -flatten*s0 {
			return t, true
		}
		if s < 0 && low {
			lo, sLo = t, s
			if math.IsInf(hi, 1) {
				// The secant's root, between 1.5 and 10 steps out.
				t = math.Min(math.Max(t*s0/math.Min(s0-s, -1e-300), 1.5*t), 10*t)
				continue
			}
		} else {
			hi, sHi = t, s
		}
		next := 0.5 * (lo + hi)
		if sHi > 0 && sLo < 0 {
			next = lo - sLo*(hi-lo)/(sHi-sLo)
			edge := 0.05 * (hi - lo)
			next = math.Min(math.Max(next, lo+edge), hi-edge)
		}
		t = next
	}
	if lo > 0 { // narrowed as far as it goes; lo is a decrease
		at(lo)
		return lo, true
	}
	return 0, false
}

// preconditioner returns a function that multiplies a gradient in place by the
// inverse Hessian of the model without skill, M ⊗ G + l2·I with
// M = diag π − ππᵀ: rotated by M's eigenvectors it falls into k systems of p+1.
func (pr *problem) preconditioner() func([]float64) {
	k, q := pr.k, pr.p+1
	m := mat.NewSymDense(k, nil)
	for a := range k {
		for b := range k {
			x := -pr.prior[a] * pr.prior[b]
			if a == b {
				x += pr.prior[a]
			}
			m.SetSym(a, b, x)
		}
	}
	var eig mat.EigenSym
	eig.Factorize(m, true)
	var u mat.Dense
	eig.VectorsTo(&u)
	values := eig.Values(nil)
	gram := pr.gram(nil)
	factors := make([][]float64, k)
	parallel(pr.workers, k, func(e int) {
		f := make([]float64, q*q)
		v := math.Max(values[e], 0)
		for i := range q {
			for j := 0; j <= i; j++ {
				f[i*q+j] = v * gram[i*q+j]
			}
			if i < pr.p {
				f[i*q+i] += pr.l2
			}
			if v < 1e-12 {
				f[i*q+i] += 1 // the direction that moves all classes alike
			}
		}
		cholesky(f, q)
		factors[e] = f
	})
	tmp := make([]float64, k*q)
	return func(x []float64) {
		for e := range k {
			row := tmp[e*q : (e+1)*q]
			clear(row)
			for c := range k {
				axpy64(row, x[c*q:(c+1)*q], u.At(c, e))
			}
			solveCholesky(factors[e], q, row)
		}
		clear(x)
		for e := range k {
			for c := range k {
				axpy64(x[c*q:(c+1)*q], tmp[e*q:(e+1)*q], u.At(c, e))
			}
		}
	}
}

func axpy64(y, x []float64, a float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float64(a * x[i])
	}
}

func maxAbs(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = math.Max(m, math.Abs(v))
	}
	return m
}
