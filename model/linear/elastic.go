package linear

import "math"

// elastic minimises F with l1 > 0 by accelerated proximal gradient in the
// metric L·G, G the Gram matrix. L grows until the quadratic model lies above
// the loss at the new point, which makes every step a decrease of that model.
// It stops when the step, measured as a gradient, is below tol; at a fixed
// point that is the optimality condition.
func (pr *problem) elastic() (w []float64, iters int, converged bool, err error) {
	size, nk := pr.size(), pr.n*pr.k
	gram := pr.gram()
	w = pr.start()
	y, next, g, gap := clone(w), clone(w), make([]float64, size), make([]float64, size)
	zw, zy, zNext, r := make([]float64, nk), make([]float64, nk), make([]float64, nk), make([]float64, nk)
	pr.forward(w, zw)
	copy(zy, zw)

	// The largest eigenvalue of diag π − ππᵀ is at most 2·max π(1−π) and ½.
	lip := 0.0
	for _, x := range pr.prior {
		lip = math.Max(lip, math.Min(0.5, 1.5*x*(1-x)))
	}
	best := math.Inf(1) // F(w)
	theta := 1.0
	for iters = 0; iters < pr.maxIter; iters++ {
		if err := pr.ctx.Err(); err != nil {
			return nil, iters, false, err
		}
		pr.progress(iters)
		fy, _ := pr.loss(zy, nil, 0, r)
		pr.backward(r, g, pr.part)
		var smooth float64
		for try := 0; ; try++ {
			copy(next, w)
			quad := pr.proximal(next, y, g, gram, lip, gap)
			pr.forward(next, zNext)
			smooth, _ = pr.loss(zNext, nil, 0, r)
			lin := 0.0
			for i := range g {
				lin += float64(g[i] * (next[i] - y[i]))
			}
			if smooth <= fy+lin+quad+1e-13*math.Abs(fy) || try == 40 {
				break
			}
			lip *= 1.5
		}
		if maxAbs(gap) <= pr.tol {
			return next, iters + 1, true, nil
		}
		f := smooth + pr.penalty(next)
		if f > best+1e-15*math.Abs(best) && theta < 1 {
			// The momentum overshot: back to w without it.
			theta = 1
			copy(y, w)
			copy(zy, zw)
			continue
		}
		best = f
		th := 2 / (1 + math.Sqrt(1+4/(theta*theta)))
		beta := th * (1/theta - 1)
		theta = th
		for i := range y {
			y[i] = next[i] + float64(beta*(next[i]-w[i]))
		}
		for i := range zy {
			zy[i] = zNext[i] + float64(beta*(zNext[i]-zw[i]))
		}
		w, next = next, w
		zw, zNext = zNext, zw
	}
	return w, iters, false, nil
}

func (pr *problem) penalty(w []float64) float64 {
	q := pr.p + 1
	var l1, l2 float64
	for c := range pr.k {
		for _, b := range w[c*q : c*q+pr.p] {
			l1 += math.Abs(b)
			l2 += float64(b * b)
		}
	}
	return pr.l1*l1 + 0.5*pr.l2*l2
}

// proximal minimises over x, beginning at the given x,
//
//	g·(x−y) + L/2·Σ_c (x_c−y_c)ᵀ G (x_c−y_c) + l2/2·Σ b² + l1·Σ |b|
//
// by cyclic coordinate descent with the active set rule of Friedman, Hastie &
// Tibshirani (2010, §2.6): full sweeps until nothing new moves, sweeps over the
// non-zero coefficients in between. gap receives L·G·(x−y); the quadratic term
// is returned. The classes are independent.
func (pr *problem) proximal(x, y, g, gram []float64, lip float64, gap []float64) (quad float64) {
	q := pr.p + 1
	quads := make([]float64, pr.k)
	parallel(pr.workers, pr.k, func(c int) {
		xc, yc, gc, v := x[c*q:(c+1)*q], y[c*q:(c+1)*q], g[c*q:(c+1)*q], gap[c*q:(c+1)*q]
		clear(v) // G·(x−y)
		for j := range q {
			if d := xc[j] - yc[j]; d != 0 {
				axpy64(v, gram[j*q:(j+1)*q], d)
			}
		}
		update := func(j int) float64 {
			h := lip * gram[j*q+j]
			b := h*xc[j] - gc[j] - lip*v[j]
			var to float64
			if j == pr.p {
				to = b / h
			} else {
				h += pr.l2
				if b > pr.l1 {
					to = (b - pr.l1) / h
				} else if b < -pr.l1 {
					to = (b + pr.l1) / h
				}
			}
			d := to - xc[j]
			if d != 0 {
				xc[j] = to
				axpy64(v, gram[j*q:(j+1)*q], d)
			}
			return math.Abs(d) * h
		}
		eps := 0.05 * pr.tol
		for range 1000 {
			moved := 0.0
			for j := range q {
				moved = math.Max(moved, update(j))
			}
			if moved <= eps {
				break
			}
			for range 100 {
				moved = 0
				for j := range q {
					if xc[j] != 0 {
						moved = math.Max(moved, update(j))
					}
				}
				if moved <= eps {
					break
				}
			}
		}
		for j := range q {
			quads[c] += 0.5 * lip * (xc[j] - yc[j]) * v[j]
			v[j] *= lip
		}
	})
	for _, x := range quads {
		quad += x
	}
	return quad
}

func clone(x []float64) []float64 { return append([]float64(nil), x...) }
