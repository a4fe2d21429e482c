package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// AddGate is the gate at the end of a gated residual network (Lim et al. 2021,
// eq. 2 and 5): each row is
//
//	y = LayerNorm(skip + a⊙σ(b)),  z = (a, b),
//
// in one pass, for groups of rows with gains and biases of their own (gain and
// bias: groups·d values). skip may be nil. z has 2d columns, skip and y d.
// O(values).
func (t *Tape) AddGate(skip, z *Tensor, groups int, gain, bias *Param, eps float64) *Tensor {
	d := z.Cols / 2
	n := z.Rows / groups
	mustMatch("gate", 2*d == z.Cols && n*groups == z.Rows && len(gain.Value) == groups*d && len(bias.Value) == groups*d, z, gain)
	mustMatch("gate", skip == nil || skip.Rows == z.Rows && skip.Cols == d, z, z)
	y := t.fresh(z.Rows, d)
	hat, inv := t.alloc(z.Rows*d), t.alloc(z.Rows)
	for r := range z.Rows {
		row, h := z.Row(r), hat[r*d:(r+1)*d]
		vec.GLU(row[:d], row[d:], h)
		if skip != nil {
			vec.Add(h, skip.Row(r), h)
		}
		inv[r] = normalise(h, eps)
		g := r / n * d
		o := y.Row(r)
		for j, v := range h {
			o[j] = float32(v*gain.Value[g+j]) + bias.Value[g+j]
		}
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
		db, addB := t.gradOfParam(bias)
		var dz, ds []float32
		addZ, addS := false, false
		if !z.input {
			dz, addZ = t.gradOf(z)
		}
		if skip != nil && !skip.input {
			ds, addS = t.gradOf(skip)
		}
		u, v := t.alloc(d), t.alloc(2*d)
		for g := range groups {
			lo, hi := g*n, (g+1)*n
			sumRows(db[g*d:(g+1)*d], y.grad[lo*d:hi*d], addB)
			gg, dgg := gain.Value[g*d:(g+1)*d], dg[g*d:(g+1)*d]
			for r := lo; r < hi; r++ {
				dy, h := y.grad[r*d:(r+1)*d], hat[r*d:(r+1)*d]
				vec.MulAdd(dy, h, dgg, dgg)
				vec.Mul(dy, gg, u)
				mean, slope := sum(u)/float32(d), vec.Dot(u, h)/float32(d)
				for j, w := range u {
					u[j] = inv[r] * (w - mean - float32(slope*h[j]))
				}
				if ds != nil {
					accumulate(ds[r*d:(r+1)*d], u, addS)
				}
				if dz == nil {
					continue
				}
				row, o := z.Row(r), dz[r*2*d:(r+1)*2*d]
				to := o
				if addZ {
					to = v
				}
				vec.GLUGrad(row[:d], row[d:], u, to[:d], to[d:])
				if addZ {
					vec.Add(o, v, o)
				}
			}
		}
	})
	return y
}

// normalise sets the mean of h to 0 and its variance to 1 and returns what the
// centred values were multiplied by.
func normalise(h []float32, eps float64) float32 {
	mean := sum(h) / float32(len(h))
	for j := range h {
		h[j] -= mean
	}
	inv := float32(1 / math.Sqrt(float64(vec.Dot(h, h))/float64(len(h))+eps))
	vec.Scale(h, h, inv)
	return inv
}
