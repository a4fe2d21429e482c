package linear

import (
	"context"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/stat"
)

// problem is the penalised mean loss
//
//	F(w) = Σ_i w_i·loss_i + l2/2·Σ b² + l1·Σ |b|,  Σ w_i = 1,
//
// with its scratch space. w is k rows of p coefficients b and an intercept.
type problem struct {
	*design
	ctx      context.Context
	progress func(iter int)
	l1, l2   float64
	maxIter  int
	tol      float64
	prior    []float64 // weighted share of each class present

	part, sums []float64 // partial gradients; partial losses and slopes
}

func newProblem(ctx context.Context, d *design) *problem {
	pr := &problem{design: d, ctx: ctx, prior: make([]float64, d.k)}
	for i, y := range d.y {
		pr.prior[y] += d.weight[i]
	}
	pr.part = make([]float64, d.chunks()*pr.size())
	pr.sums = make([]float64, 2*d.chunks())
	return pr
}

func (pr *problem) size() int { return pr.k * (pr.p + 1) }

// start is the model without skill: zero coefficients, intercepts the log
// class shares, centred.
func (pr *problem) start() []float64 {
	w := make([]float64, pr.size())
	mean := 0.0
	for _, q := range pr.prior {
		mean += stat.Log(q) / float64(pr.k)
	}
	for c, q := range pr.prior {
		w[c*(pr.p+1)+pr.p] = stat.Log(q) - mean
	}
	return w
}

// loss computes, at scores z + t·dz, the mean loss and its slope along dz, and
// writes the residuals w_i·(P(c|x_i) − [y_i = c]) to r. dz may be nil.
func (pr *problem) loss(z, dz []float64, t float64, r []float64) (loss, slope float64) {
	k := pr.k
	clear(pr.sums)
	pr.eachBlock(func(chunk, b int) {
		lo, m := pr.rows(b)
		zb, rb := z[lo*k:(lo+m)*k], r[lo*k:(lo+m)*k]
		var db []float64
		if dz != nil {
			db = dz[lo*k : (lo+m)*k]
		}
		var e [3]float64
		var ls, ss float64
		for i := range m {
			w, y := pr.weight[lo+i], int(pr.y[lo+i])
			top := math.Inf(-1)
			for c := range k {
				x := zb[c*m+i]
				if db != nil {
					x += float64(t * db[c*m+i])
				}
				e[c] = x
				if x > top {
					top = x
				}
			}
			own := e[y]
			sum := 0.0
			for c := range k {
				e[c] = model.Exp(e[c] - top)
				sum += e[c]
			}
			ls += float64(w * (stat.Log(sum) + top - own))
			for c := range k {
				q := e[c] / sum
				if c == y {
					q--
				}
				q *= w
				rb[c*m+i] = q
				if db != nil {
					ss += float64(q * db[c*m+i])
				}
			}
		}
		pr.sums[2*chunk] += ls
		pr.sums[2*chunk+1] += ss
	})
	for c := 0; c < len(pr.sums); c += 2 {
		loss += pr.sums[c]
		slope += pr.sums[c+1]
	}
	return loss, slope
}

// gram is the weighted mean of x·xᵀ with x extended by a 1 for the intercept,
// (p+1)², over every s-th row where s keeps about max(8192, 16·p) rows, plus
// 1e-4 on the diagonal. It only shapes the steps of the optimiser, so a sample
// is enough; the rows are spread over all of time because market data repeat
// themselves. scale, where given, multiplies the weights.
func (pr *problem) gram(scale []float64) []float64 {
	q := pr.p + 1
	stride := max(1, pr.n/max(8192, 16*pr.p))
	g := make([]float64, q*q)
	x := make([]float64, q*blockRows)
	total, m := 0.0, 0
	flush := func() {
		parallel(pr.workers, (q+1)/2, func(h int) {
			a := 2 * h
			if a+1 == q {
				for b := 0; b < q; b++ {
					g[a*q+b] += dot64(x[a*blockRows:a*blockRows+m], x[b*blockRows:])
				}
				return
			}
			for b := 0; b <= a+1; b++ {
				s, t := dot64x2(x[a*blockRows:a*blockRows+m], x[(a+1)*blockRows:], x[b*blockRows:])
				g[a*q+b] += s
				g[(a+1)*q+b] += t
			}
		})
		m = 0
	}
	for i := 0; i < pr.n; i += stride {
		b := i / blockRows
		lo, rows := pr.rows(b)
		blk := pr.block(b)
		weight := pr.weight[i]
		if scale != nil {
			weight *= scale[i]
		}
		root := math.Sqrt(weight)
		for j := range pr.p {
			x[j*blockRows+m] = float64(blk[j*rows+i-lo]) * root
		}
		x[pr.p*blockRows+m] = root
		total += weight
		if m++; m == blockRows {
			flush()
		}
	}
	if m > 0 {
		flush()
	}
	total = math.Max(total, 1e-300)
	for a := range q {
		for b := 0; b <= a; b++ {
			g[a*q+b] /= total
			g[b*q+a] = g[a*q+b]
		}
		g[a*q+a] += 1e-4
	}
	return g
}

func dot64(x, y []float64) float64 {
	y = y[:len(x)]
	s := 0.0
	for i := range x {
		s += float64(x[i] * y[i])
	}
	return s
}

func dot64x2(x0, x1, y []float64) (s, t float64) {
	x1, y = x1[:len(x0)], y[:len(x0)]
	var s1, t1 float64
	i := 0
	for ; i+1 < len(x0); i += 2 {
		s += float64(x0[i] * y[i])
		t += float64(x1[i] * y[i])
		s1 += float64(x0[i+1] * y[i+1])
		t1 += float64(x1[i+1] * y[i+1])
	}
	if i < len(x0) {
		s += float64(x0[i] * y[i])
		t += float64(x1[i] * y[i])
	}
	return s + s1, t + t1
}

// cholesky overwrites the lower triangle of the q×q matrix a with L, a = L·Lᵀ.
// A pivot that is not positive becomes 1e-12 of the diagonal, which is enough
// for a preconditioner.
func cholesky(a []float64, q int) {
	for i := range q {
		ri := a[i*q : i*q+i+1]
		for j := 0; j <= i; j++ {
			rj := a[j*q : j*q+j+1]
			s := ri[j] - dot64(ri[:j], rj[:j])
			if i == j {
				if floor := 1e-12 * math.Abs(ri[i]); !(s > floor) {
					s = math.Max(floor, 1e-300)
				}
				ri[j] = math.Sqrt(s)
			} else {
				ri[j] = s / rj[j]
			}
		}
	}
}

// solveCholesky solves L·Lᵀ·x = b in place.
func solveCholesky(l []float64, q int, b []float64) {
	for i := range q {
		b[i] = (b[i] - dot64(l[i*q:i*q+i], b[:i])) / l[i*q+i]
	}
	for i := q - 1; i >= 0; i-- {
		b[i] /= l[i*q+i]
		for j := range i {
			b[j] -= float64(l[i*q+j] * b[i])
		}
	}
}
