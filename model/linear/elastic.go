package linear

import "math"

// elastic minimises F with l1 > 0 by accelerated proximal gradient in the
// metric L·M⊗G: G is the Gram matrix of the inputs, M = diag π − ππᵀ, so that
// M⊗G is the Hessian of the model without skill. L grows until the quadratic
// model lies above the loss at the new point, which makes every step a decrease
// of that model; it always ends, for loss and metric are flat in the same
// direction only, the one that moves all classes alike. A fit that takes long
// renews G and M from its own predictions now and then. The iteration stops
// when the step, measured as a gradient, is below tol; at a fixed point that is
// the optimality condition.
func (pr *problem) elastic() (w []float64, iters int, converged bool, err error) {
	size, nk := pr.size(), pr.n*pr.k
	px := &proximal{problem: pr, gram: pr.gram(nil), lip: 1, v: make([]float64, size), gap: make([]float64, size)}
	for a, x := range pr.prior {
		for b, y := range pr.prior {
			px.m[a][b] = -float64(x * y)
		}
		px.m[a][a] += x
	}
	w = pr.start()
	y, next, g := clone(w), clone(w), make([]float64, size)
	zw, zy, zNext, r := make([]float64, nk), make([]float64, nk), make([]float64, nk), make([]float64, nk)
	pr.forward(w, zw)
	copy(zy, zw)
	best := math.Inf(1) // F(w)
	theta := 1.0
	refresh := 15
	last := 1.0 // least step so far, measured as a gradient
	for iters = 0; iters < pr.maxIter; iters++ {
		if err := pr.ctx.Err(); err != nil {
			return nil, iters, false, err
		}
		pr.progress(iters)
		if iters == refresh {
			// Strong signal: the model without skill is no longer a guide.
			refresh *= 2
			pr.loss(zw, nil, 0, r)
			px.refresh(r)
			theta = 1
			copy(y, w)
			copy(zy, zw)
		}
		fy, _ := pr.loss(zy, nil, 0, r)
		pr.backward(r, g, pr.part)
		var smooth float64
		for try := 0; ; try++ {
			copy(next, w)
			px.eps = math.Max(0.05*pr.tol, 0.02*last)
			quad := px.step(next, y, g)
			last = math.Min(last, maxAbs(px.gap))
			pr.forward(next, zNext)
			smooth, _ = pr.loss(zNext, nil, 0, r)
			lin := 0.0
			for i := range g {
				lin += float64(g[i] * (next[i] - y[i]))
			}
			if smooth <= fy+lin+quad+1e-13*math.Abs(fy) || try == 40 {
				break
			}
			px.lip *= 1.3
		}
		if maxAbs(px.gap) <= pr.tol {
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
	sum := 0.0
	for c := range pr.k {
		for _, b := range w[c*q : c*q+pr.p] {
			sum += pr.cost(b)
		}
	}
	return sum
}

// cost is the penalty of one coefficient.
func (pr *problem) cost(b float64) float64 {
	return float64(pr.l1*math.Abs(b)) + float64(0.5*pr.l2*float64(b*b))
}

// proximal solves the proximal step.
type proximal struct {
	*problem
	gram []float64 // G
	m    [3][3]float64
	lip  float64
	eps  float64   // accuracy of the step, measured as a gradient
	v    []float64 // per class G·(x−y)
	gap  []float64 // L·(M⊗G)·(x−y) after a step
}

// refresh takes the metric from the model whose residuals are r: G over rows
// weighted by how uncertain they are, s = 1 − Σ P², and M the mean of
// diag P − PPᵀ, so that M⊗G has the trace of the true Hessian.
func (px *proximal) refresh(r []float64) {
	k := px.k
	scale := make([]float64, px.n)
	px.m = [3][3]float64{}
	for b := range px.blocks() {
		lo, m := px.rows(b)
		rb := r[lo*k : (lo+m)*k]
		for i := range m {
			w := px.weight[lo+i]
			if w == 0 { // underflow of a weight over the sum of weights
				continue
			}
			var p [3]float64
			s := 1.0
			for c := range k {
				p[c] = rb[c*m+i] / w
				if c == int(px.y[lo+i]) {
					p[c]++
				}
				s -= float64(p[c] * p[c])
			}
			scale[lo+i] = math.Max(s, 0)
			for c := range k {
				for d := range k {
					px.m[c][d] -= float64(w * p[c] * p[d])
				}
				px.m[c][c] += float64(w * p[c])
			}
		}
	}
	px.gram = px.problem.gram(scale)
	px.lip = 1
}

// step minimises over x, beginning at the given x,
//
//	g·(x−y) + L/2·(x−y)ᵀ(M⊗G)(x−y) + l2/2·Σ b² + l1·Σ |b|
//
// by cyclic coordinate descent with the active set rule of Friedman, Hastie &
// Tibshirani (2010, §2.6): sweeps over all coefficients until none moves, sweeps
// over the non-zero ones in between. Coordinate descent is slow along the flat
// direction of M, where only the penalty decides, so that direction is solved
// exactly, column by column (there §4.1). It returns the quadratic term and
// leaves its gradient in gap. The accuracy eps follows the outer iteration: a
// step need not be much more exact than it is long.
func (px *proximal) step(x, y, g []float64) (quad float64) {
	q, k := px.p+1, px.k
	clear(px.v)
	for c := range k {
		for j := range q {
			if d := x[c*q+j] - y[c*q+j]; d != 0 {
				axpy64(px.v[c*q:(c+1)*q], px.gram[j*q:(j+1)*q], d)
			}
		}
	}
	for range 200 {
		moved := 0.0
		for j := range q {
			moved = math.Max(moved, px.column(j, x, g))
		}
		if moved <= px.eps {
			break
		}
		for range 200 {
			moved = px.column(px.p, x, g)
			for j := range px.p {
				if px.nonZero(x, j) {
					moved = math.Max(moved, px.column(j, x, g))
				}
			}
			if moved <= px.eps {
				break
			}
		}
	}
	for c := range k {
		for j := range q {
			s := 0.0
			for d := range k {
				s += float64(px.m[c][d] * px.v[d*q+j])
			}
			s *= px.lip
			px.gap[c*q+j] = s
			quad += 0.5 * float64((x[c*q+j]-y[c*q+j])*s)
		}
	}
	return quad
}

func (px *proximal) nonZero(x []float64, j int) bool {
	for c := range px.k {
		if x[c*(px.p+1)+j] != 0 {
			return true
		}
	}
	return false
}

// column minimises over the coefficients of column j, one class after the
// other and then all alike. It returns the largest move, measured as a
// gradient.
func (px *proximal) column(j int, x, g []float64) (moved float64) {
	q := px.p + 1
	gj := px.gram[j*q : (j+1)*q]
	for c := range px.k {
		h := px.lip * px.m[c][c] * gj[j]
		grad := g[c*q+j]
		for d := range px.k {
			grad += float64(px.lip * px.m[c][d] * px.v[d*q+j])
		}
		b := float64(h*x[c*q+j]) - grad
		to := 0.0
		switch {
		case j == px.p:
			to = b / h
		case b > px.l1:
			h += px.l2
			to = (b - px.l1) / h
		case b < -px.l1:
			h += px.l2
			to = (b + px.l1) / h
		}
		if d := to - x[c*q+j]; d != 0 {
			x[c*q+j] = to
			axpy64(px.v[c*q:(c+1)*q], gj, d)
			moved = math.Max(moved, math.Abs(d)*h)
		}
	}
	if j == px.p || !px.nonZero(x, j) {
		return moved
	}
	if s := px.shift(x, j); s != 0 {
		for c := range px.k {
			b := x[c*q+j]
			x[c*q+j] = b - s // exactly 0 where b is s
			axpy64(px.v[c*q:(c+1)*q], gj, -s)
		}
		moved = math.Max(moved, math.Abs(s)*(px.l1+px.l2))
	}
	return moved
}

// shift is the s that minimises Σ_c cost(b_c − s) for column j; 0 unless it is
// better than 0. The minimiser is one of the b_c or the stationary point of an
// interval between them, mean b + l1/l2·(above − below)/k.
func (px *proximal) shift(x []float64, j int) float64 {
	q, k := px.p+1, px.k
	total := func(s float64) float64 {
		t := 0.0
		for c := range k {
			t += px.cost(x[c*q+j] - s)
		}
		return t
	}
	at, best := 0.0, total(0)
	best -= 1e-15 * best
	try := func(s float64) {
		if t := total(s); t < best {
			at, best = s, t
		}
	}
	mean := 0.0
	for c := range k {
		try(x[c*q+j])
		mean += x[c*q+j] / float64(k)
	}
	if px.l2 > 0 {
		for above := 0; above <= k; above++ {
			try(mean + px.l1/px.l2*float64(2*above-k)/float64(k))
		}
	}
	return at
}

func clone(x []float64) []float64 { return append([]float64(nil), x...) }
