package calibrate

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/stat"
)

// data is the rows that tell something: positive weight, possible class.
type data struct {
	z      []float64 // n×K log-probabilities; −Inf where impossible
	class  []int     // index
	weight []float64
	rows   int     // rows with a positive weight
	total  float64 // their weight
}

func collect(p *model.Prediction, class []int8, weight []float64) (*data, error) {
	if p.K != model.K {
		return nil, fmt.Errorf("calibrate: prediction has %d classes, want %d", p.K, model.K)
	}
	if len(class) != p.N || weight != nil && len(weight) != p.N {
		return nil, fmt.Errorf("calibrate: %d predictions, %d classes, %d weights", p.N, len(class), len(weight))
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	d := &data{}
	for i, c := range class {
		if c < -1 || c > 1 {
			return nil, fmt.Errorf("calibrate: row %d has class %d; classes are -1, 0 and +1", i, c)
		}
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		if !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("calibrate: row %d has weight %v; weights are finite and at least 0", i, w)
		}
		if w == 0 {
			continue
		}
		d.rows++
		d.total += w
		row := p.Row(i)
		k := model.ClassIndex(c)
		if row[k] == 0 {
			continue
		}
		for _, x := range row {
			z := math.Inf(-1)
			if x > 0 {
				z = stat.Log(x)
			}
			d.z = append(d.z, z)
		}
		d.class = append(d.class, k)
		d.weight = append(d.weight, w)
	}
	if d.rows == 0 {
		return nil, errors.New("calibrate: no calibration row with a positive weight")
	}
	return d, nil
}

// loss is the weighted log-loss (a sum) of the map a, b.
func (d *data) loss(a, b [model.K]float64) float64 {
	var z, q [model.K]float64
	sum := 0.0
	for i, k := range d.class {
		for c, x := range d.z[i*model.K : (i+1)*model.K] {
			if math.IsInf(x, -1) {
				z[c] = x
				continue
			}
			z[c] = float64(a[c]*x) + b[c]
		}
		sum += float64(d.weight[i] * (model.Softmax(q[:], z[:]) - z[k]))
	}
	return sum
}

// fitTemperature returns 1/T, the minimiser of Σ w·loss + prior/2·(ln T)² over
// the allowed range: the best of 61 points even in ln T, then golden section
// between its neighbours. The grid makes it independent of convexity, which
// the prior takes away.
func fitTemperature(d *data, prior float64) float64 {
	f := func(u float64) float64 {
		b := stat.Exp(u)
		return d.loss([model.K]float64{b, b, b}, [model.K]float64{}) + float64(0.5*prior*float64(u*u))
	}
	const points = 61
	lo, hi := -stat.Log(MaxTemperature), -stat.Log(MinTemperature)
	step := (hi - lo) / (points - 1)
	best, at := math.Inf(1), 0
	for i := range points {
		if y := f(lo + float64(float64(i)*step)); y < best {
			best, at = y, i
		}
	}
	a := lo + step*float64(max(0, at-1))
	b := lo + step*float64(min(points-1, at+1))
	const r = 0.6180339887498949 // (√5 − 1)/2
	x, y := b-float64(r*(b-a)), a+float64(r*(b-a))
	fx, fy := f(x), f(y)
	for b-a > 1e-10 {
		if fx <= fy {
			b, y, fy = y, x, fx
			x = b - float64(r*(b-a))
			fx = f(x)
		} else {
			a, x, fx = x, y, fy
			y = a + float64(r*(b-a))
			fy = f(y)
		}
	}
	u := 0.5 * (a + b)
	for _, end := range []float64{lo, hi} {
		if f(end) <= f(u) {
			u = end
		}
	}
	return math.Min(math.Max(stat.Exp(u), 1.0/MaxTemperature), 1.0/MinTemperature)
}

// fitVector minimises Σ w·loss + prior/2·Σ ((a_c−1)² + b_c²), which is convex,
// by Newton's method with step halving. Without a prior a ridge of 1e-9 of the
// total weight settles the direction in which all b_c move alike.
func fitVector(d *data, prior float64) (a, b [model.K]float64) {
	const m = 2 * model.K
	a = [model.K]float64{1, 1, 1}
	ridge := prior + 1e-9*d.total
	value := func(a, b [model.K]float64) float64 {
		s := d.loss(a, b)
		for c := range a {
			s += 0.5 * ridge * (float64((a[c]-1)*(a[c]-1)) + float64(b[c]*b[c]))
		}
		return s
	}
	f := value(a, b)
	for range 100 {
		var g [m]float64
		var h [m][m]float64
		for c := range a {
			g[c], g[model.K+c] = ridge*(a[c]-1), ridge*b[c]
			h[c][c], h[model.K+c][model.K+c] = ridge, ridge
		}
		var z, q [model.K]float64
		for i, k := range d.class {
			row := d.z[i*model.K : (i+1)*model.K]
			for c, x := range row {
				z[c] = x
				if !math.IsInf(x, -1) {
					z[c] = float64(a[c]*x) + b[c]
				}
			}
			model.Softmax(q[:], z[:])
			w := d.weight[i]
			for c := range q {
				if math.IsInf(row[c], -1) {
					continue
				}
				r := q[c]
				if c == k {
					r--
				}
				g[c] += float64(w * r * row[c])
				g[model.K+c] += float64(w * r)
				for e := range q {
					if math.IsInf(row[e], -1) {
						continue
					}
					v := -float64(q[c] * q[e])
					if c == e {
						v += q[c]
					}
					v *= w
					h[c][e] += float64(v * row[c] * row[e])
					h[c][model.K+e] += float64(v * row[c])
					h[model.K+c][e] += float64(v * row[e])
					h[model.K+c][model.K+e] += v
				}
			}
		}
		top := 0.0
		for _, x := range g {
			top = math.Max(top, math.Abs(x))
		}
		if top <= 1e-9*d.total {
			break
		}
		step := solve(h, g)
		t := 1.0
		for range 40 {
			na, nb := a, b
			for c := range a {
				na[c] -= t * step[c]
				nb[c] -= t * step[model.K+c]
			}
			if v := value(na, nb); v < f {
				a, b, f = na, nb, v
				break
			}
			t /= 2
		}
		if t < 1e-12 {
			break
		}
	}
	return a, b
}

// solve solves h·x = g for a positive definite h by Cholesky.
func solve(h [2 * model.K][2 * model.K]float64, g [2 * model.K]float64) [2 * model.K]float64 {
	const m = 2 * model.K
	for i := range m {
		for j := 0; j <= i; j++ {
			s := h[i][j]
			for k := range j {
				s -= float64(h[i][k] * h[j][k])
			}
			if i == j {
				h[i][i] = math.Sqrt(math.Max(s, 1e-300))
			} else {
				h[i][j] = s / h[j][j]
			}
		}
	}
	for i := range m {
		for j := range i {
			g[i] -= float64(h[i][j] * g[j])
		}
		g[i] /= h[i][i]
	}
	for i := m - 1; i >= 0; i-- {
		for j := i + 1; j < m; j++ {
			g[i] -= float64(h[j][i] * g[j])
		}
		g[i] /= h[i][i]
	}
	return g
}

// fitPlatt finds the two classes and fits the sigmoid to the log-odds of the
// higher one.
func (c *Calibrator) fitPlatt(d *data) error {
	var possible []int
	for k := range model.K {
		for i := range d.class {
			if !math.IsInf(d.z[i*model.K+k], -1) {
				possible = append(possible, k)
				break
			}
		}
	}
	if len(possible) != 2 {
		return fmt.Errorf("calibrate: Platt's map is for two classes, the prediction has %d; use temperature or vector", len(possible))
	}
	c.s.Low, c.s.High = possible[0], possible[1]
	f := make([]float64, len(d.class))
	positive := make([]bool, len(d.class))
	for i, k := range d.class {
		f[i] = logOdds(d.z[i*model.K+c.s.High], d.z[i*model.K+c.s.Low])
		positive[i] = k == c.s.High
	}
	var err error
	c.s.A, c.s.B, err = FitSigmoid(f, positive, d.weight)
	return err
}

// logOdds is the difference of two log-probabilities, each held above that of
// [model.MinProb].
func logOdds(high, low float64) float64 {
	floor := stat.Log(model.MinProb)
	return math.Max(high, floor) - math.Max(low, floor)
}

// sigmoid is 1/(1+e^{−x}).
func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + stat.Exp(-x))
	}
	e := stat.Exp(x)
	return e / (1 + e)
}

// FitSigmoid fits P(positive | f) = 1/(1 + e^{A·f + B}) to scores f by weighted
// maximum likelihood with Platt's smoothed targets (N₊+1)/(N₊+2) and 1/(N₋+2),
// N₊ and N₋ being the weights of the two kinds; weight may be nil. Newton's
// method with step halving. A is negative when higher scores mean positive.
// Scores that are not finite and unequal lengths are errors, as is no weight.
// Sources: Platt 1999, "Probabilistic Outputs for Support Vector Machines",
// §2.2; Lin, Lin & Weng 2007, "A Note on Platt's Probabilistic Outputs",
// algorithm 1.
func FitSigmoid(f []float64, positive []bool, weight []float64) (a, b float64, err error) {
	if len(positive) != len(f) || weight != nil && len(weight) != len(f) {
		return 0, 0, fmt.Errorf("calibrate: %d scores, %d outcomes, %d weights", len(f), len(positive), len(weight))
	}
	var np, nn float64
	w := func(i int) float64 {
		if weight == nil {
			return 1
		}
		return weight[i]
	}
	for i, x := range f {
		if x-x != 0 {
			return 0, 0, fmt.Errorf("calibrate: score %d is %v", i, x)
		}
		if !(w(i) >= 0) || math.IsInf(w(i), 0) {
			return 0, 0, fmt.Errorf("calibrate: weight %d is %v", i, w(i))
		}
		if positive[i] {
			np += w(i)
		} else {
			nn += w(i)
		}
	}
	if !(np+nn > 0) {
		return 0, 0, errors.New("calibrate: no score with a positive weight")
	}
	hi, lo := (np+1)/(np+2), 1/(nn+2)
	target := func(i int) float64 {
		if positive[i] {
			return hi
		}
		return lo
	}
	// loss of 1/(1+e^u) against t: t·u + ln(1+e^{−u}), in the stable form.
	value := func(a, b float64) float64 {
		s := 0.0
		for i, x := range f {
			u := float64(a*x) + b
			l := math.Log1p(stat.Exp(-math.Abs(u)))
			if u >= 0 {
				l += float64(target(i) * u)
			} else {
				l += float64((target(i) - 1) * u)
			}
			s += float64(w(i) * l)
		}
		return s
	}
	b = stat.Log((nn + 1) / (np + 1))
	v := value(a, b)
	total := np + nn
	for range 200 {
		h11, h22, h21, g1, g2 := 1e-12*total, 1e-12*total, 0.0, 0.0, 0.0
		for i, x := range f {
			p := sigmoid(-(float64(a*x) + b))
			d1 := w(i) * (target(i) - p)
			d2 := w(i) * p * (1 - p)
			g1 += float64(x * d1)
			g2 += d1
			h11 += float64(x * x * d2)
			h21 += float64(x * d2)
			h22 += d2
		}
		if math.Abs(g1) <= 1e-10*total && math.Abs(g2) <= 1e-10*total {
			break
		}
		det := float64(h11*h22) - float64(h21*h21)
		da := -(float64(h22*g1) - float64(h21*g2)) / det
		db := -(float64(h11*g2) - float64(h21*g1)) / det
		t := 1.0
		for ; t >= 1e-10; t /= 2 {
			if n := value(a+t*da, b+t*db); n < v {
				a, b, v = a+t*da, b+t*db, n
				break
			}
		}
		if t < 1e-10 {
			break
		}
	}
	return a, b, nil
}
