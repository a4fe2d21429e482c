package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Groups are matrices of equal shape, one below the other: of G groups of n rows
// each, row g·n+i is row i of group g. A variable of a table or window is a group
// where each variable has a layer of its own, as in the variable selection of
// Lim et al. (2021).

// Scalars maps each column v of x, a variable, to a vector of its own: row v·n+i
// of the result is x[i,v]·w[v] + b[v], for w and b of one row a variable. n rows
// become G·n. O(values of the result).
func (t *Tape) Scalars(x *Tensor, w, b *Param) *Tensor {
	groups, d := w.Shape[0], w.cols()
	mustMatch("scalars", x.Cols == groups && len(b.Value) == groups*d, x, w)
	n := x.Rows
	y := t.fresh(groups*n, d)
	for g := range groups {
		gain, bias := w.Value[g*d:(g+1)*d], b.Value[g*d:(g+1)*d]
		for i := range n {
			a := x.Value[i*groups+g]
			o := y.Row(g*n + i)
			for j, v := range gain {
				o[j] = float32(a*v) + bias[j]
			}
		}
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dw, addW := t.gradOfParam(w)
		db, addB := t.gradOfParam(b)
		if !addW {
			clear(dw)
		}
		var dx []float32
		add := false
		if !x.input {
			dx, add = t.gradOf(x)
		}
		column := t.alloc(n)
		for g := range groups {
			dy := y.grad[g*n*d : (g+1)*n*d]
			sumRows(db[g*d:(g+1)*d], dy, addB)
			for i := range n {
				column[i] = x.Value[i*groups+g]
			}
			gemm.Mul(1, d, n, gemm.Rows(column, n), gemm.Rows(dy, d), dw[g*d:(g+1)*d], d, true, &t.gemm)
			if dx == nil {
				continue
			}
			gain := w.Value[g*d : (g+1)*d]
			for i := range n {
				s := vec.Dot(dy[i*d:(i+1)*d], gain)
				if add {
					s += dx[i*groups+g]
				}
				dx[i*groups+g] = s
			}
		}
	})
	return y
}

// GroupLinear is a linear layer for each group: w holds G·out rows of in values,
// b G·out values. O(rows·in·out).
func (t *Tape) GroupLinear(x *Tensor, groups int, w, b *Param) *Tensor {
	in := x.Cols
	n, out := x.Rows/groups, len(b.Value)/groups
	mustMatch("linear of groups", n*groups == x.Rows && len(w.Value) == groups*out*in && len(b.Value) == groups*out, x, w)
	y := t.fresh(x.Rows, out)
	for g := range groups {
		o := y.Value[g*n*out : (g+1)*n*out]
		repeatRow(o, b.Value[g*out:(g+1)*out])
		gemm.Mul(n, out, in, gemm.Rows(x.Value[g*n*in:], in), gemm.Cols(w.Value[g*out*in:], in), o, out, true, &t.gemm)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		db, addB := t.gradOfParam(b)
		dw, addW := t.gradOfParam(w)
		var dx []float32
		add := false
		if !x.input {
			dx, add = t.gradOf(x)
		}
		for g := range groups {
			dy, xg := y.grad[g*n*out:(g+1)*n*out], x.Value[g*n*in:(g+1)*n*in]
			sumRows(db[g*out:(g+1)*out], dy, addB)
			gemm.Mul(out, in, n, gemm.Cols(dy, out), gemm.Rows(xg, in), dw[g*out*in:(g+1)*out*in], in, addW, &t.gemm)
			if dx != nil {
				gemm.Mul(n, in, out, gemm.Rows(dy, out), gemm.Rows(w.Value[g*out*in:], in), dx[g*n*in:(g+1)*n*in], in, add, &t.gemm)
			}
		}
	})
	return y
}

// FlatLinear is a linear layer over all groups side by side: row i of the result
// is Σ_g W_g·x[g·n+i] + b, where W_g is the columns g·d to (g+1)·d−1 of w, which
// has out rows. O(rows·d·out).
func (t *Tape) FlatLinear(x *Tensor, groups int, w, b *Param) *Tensor {
	d, out, width := x.Cols, w.Shape[0], w.cols()
	n := x.Rows / groups
	mustMatch("linear over groups", n*groups == x.Rows && width == groups*d && (b == nil || len(b.Value) == out), x, w)
	y := t.fresh(n, out)
	if b != nil {
		repeatRow(y.Value, b.Value)
	}
	for g := range groups {
		gemm.Mul(n, out, d, gemm.Rows(x.Value[g*n*d:], d), gemm.Cols(w.Value[g*d:], width), y.Value, out, b != nil || g > 0, &t.gemm)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		if b != nil {
			db, add := t.gradOfParam(b)
			sumRows(db, y.grad, add)
		}
		dw, addW := t.gradOfParam(w)
		var dx []float32
		add := false
		if !x.input {
			dx, add = t.gradOf(x)
		}
		for g := range groups {
			gemm.Mul(out, d, n, gemm.Cols(y.grad, out), gemm.Rows(x.Value[g*n*d:], d), dw[g*d:], width, addW, &t.gemm)
			if dx != nil {
				gemm.Mul(n, d, out, gemm.Rows(y.grad, out), gemm.Rows(w.Value[g*d:], width), dx[g*n*d:(g+1)*n*d], d, add, &t.gemm)
			}
		}
	})
	return y
}

// Select is the sum of the groups of x, weighted row by row: row i of the result
// is Σ_g w[i,g]·x[g·n+i] (Lim et al. 2021, eq. 8). O(values of x).
func (t *Tape) Select(w, x *Tensor) *Tensor {
	groups, n, d := w.Cols, w.Rows, x.Cols
	mustMatch("selection", groups*n == x.Rows, w, x)
	y := t.fresh(n, d)
	clear(y.Value)
	for g := range groups {
		for i := range n {
			vec.Axpy(w.Value[i*groups+g], x.Row(g*n+i), y.Row(i))
		}
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		var dw, dx []float32
		addW, addX := false, false
		if !w.input {
			dw, addW = t.gradOf(w)
		}
		if !x.input {
			dx, addX = t.gradOf(x)
		}
		for g := range groups {
			for i := range n {
				dy, at, share := y.grad[i*d:(i+1)*d], i*groups+g, w.Value[i*groups+g]
				if dw != nil {
					s := vec.Dot(dy, x.Row(g*n+i))
					if addW {
						s += dw[at]
					}
					dw[at] = s
				}
				if dx == nil {
					continue
				}
				if o := dx[(g*n+i)*d : (g*n+i+1)*d]; addX {
					vec.Axpy(share, dy, o)
				} else {
					vec.Scale(dy, o, share)
				}
			}
		}
	})
	return y
}
