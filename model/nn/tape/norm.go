package tape

import "github.com/mlfactory/mlfactory/internal/simd/vec"

// LayerNorm normalises each row to mean 0 and variance 1, then multiplies by
// gain and adds bias (Ba et al. 2016). eps is added to the variance. gain and
// bias have one value a column; bias may be nil.
func (t *Tape) LayerNorm(x *Tensor, gain, bias *Param, eps float64) *Tensor {
	return t.norm(x, gain, bias, eps, true)
}

// RMSNorm divides each row by its root mean square and multiplies by gain (Zhang
// and Sennrich 2019).
func (t *Tape) RMSNorm(x *Tensor, gain *Param, eps float64) *Tensor {
	return t.norm(x, gain, nil, eps, false)
}

func (t *Tape) norm(x *Tensor, gain, bias *Param, eps float64, centre bool) *Tensor {
	n := x.Cols
	mustMatch("norm", len(gain.Value) == n && (bias == nil || len(bias.Value) == n), x, gain)
	y := t.fresh(x.Rows, n)
	hat, inv := t.alloc(len(x.Value)), t.alloc(x.Rows)
	shift := t.alloc(n)
	clear(shift)
	if bias != nil {
		copy(shift, bias.Value)
	}
	vec.NormRows(x.Value, gain.Value, shift, hat, y.Value, inv, centre, float32(eps))
	if t.trace != nil {
		t.traceNorm(y, x, gain, bias, eps, centre)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dg, addG := t.gradOfParam(gain)
		if !addG {
			clear(dg)
		}
		db, addB := shift, false // nobody asks for it without a bias
		if bias != nil {
			db, addB = t.gradOfParam(bias)
		}
		if !addB {
			clear(db)
		}
		dx, add := y.grad, false // an input has no gradient, and y is done with its own
		if !x.input {
			dx, add = t.gradOf(x)
		}
		vec.NormRowsGrad(y.grad, hat, gain.Value, inv, dx, dg, db, centre, add)
	})
	return y
}

// sum adds in eight lanes that are merged as a tree.
func sum(x []float32) float32 {
	var s [8]float32
	for len(x) >= 8 {
		for j := range s {
			s[j] += x[j]
		}
		x = x[8:]
	}
	for j, v := range x {
		s[j] += v
	}
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}
