package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Variables are the parameters with which a variable selection network (Lim et
// al. 2021, section 4.2) treats each of V scalar variables on its own: an
// embedding in d channels, e = x·embed + embedBias, and a gated residual network
// of e (eq. 2 to 5):
//
//	LayerNorm(e + a⊙σ(b)),  (a, b) = W₃·η₁ + b₃,  η₁ = W₁·η₂ + b₁,  η₂ = ELU(W₂·e + b₂).
//
// Fc1 is W₂, Fc2 W₁ and Gate W₃, in the order of the computation. Each holds the
// matrices of all variables, the first dimension.
type Variables struct {
	Embed, EmbedBias *Param // V × d
	Fc1, Fc1Bias     *Param // V × d × d, V × d
	Fc2, Fc2Bias     *Param // V × d × d, V × d
	Gate, GateBias   *Param // V × 2d × d, V × 2d
	Gain, Bias       *Param // V × d
}

// Params are all parameters, in the order of the computation.
func (v *Variables) Params() []*Param {
	return []*Param{v.Embed, v.EmbedBias, v.Fc1, v.Fc1Bias, v.Fc2, v.Fc2Bias, v.Gate, v.GateBias, v.Gain, v.Bias}
}

// EmbeddedLinear is a linear layer over the embeddings of all variables side by
// side, without making them: as they are scalars times vectors, w, of out rows of
// V·d values, meets one row a variable. x is rows × V, the result rows × out.
// O(rows·V·out + V·d·out).
func (t *Tape) EmbeddedLinear(x *Tensor, v *Variables, w, b *Param) *Tensor {
	vars, d, out := x.Cols, v.Embed.cols(), w.Shape[0]
	mustMatch("linear of embeddings", v.Embed.Shape[0] == vars && w.cols() == vars*d && len(b.Value) == out, x, w)
	y := t.fresh(x.Rows, out)
	// y = x·slope + offset, slope[g] = W_g·embed_g, offset = b + Σ W_g·embedBias_g.
	weights := t.kept(use{w, embedded, 0}, v.Embed.version+v.EmbedBias.version+w.version+b.version, func(k *layouts) {
		k.values = k.room((vars + 1) * out)
		slope, offset := k.values[:vars*out], k.values[vars*out:]
		for g := range vars {
			gemm.Mul(1, out, d, gemm.Rows(v.Embed.Value[g*d:], d), gemm.Cols(w.Value[g*d:], vars*d), slope[g*out:(g+1)*out], out, false, &t.gemm)
		}
		copy(offset, b.Value)
		gemm.Mul(1, out, vars*d, gemm.Rows(v.EmbedBias.Value, vars*d), gemm.Cols(w.Value, vars*d), offset, out, true, &t.gemm)
	}).values
	slope, offset := weights[:vars*out], weights[vars*out:]
	repeatRow(y.Value, offset)
	gemm.Mul(x.Rows, out, vars, gemm.Rows(x.Value, vars), gemm.Rows(slope, out), y.Value, out, true, &t.gemm)
	if t.trace != nil {
		t.traceEmbeddedLinear(y, x, slope, offset)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		db, add := t.gradOfParam(b)
		sumRows(db, y.grad, add)
		ds, sum := t.alloc(vars*out), t.alloc(out)
		sumRows(sum, y.grad, false)
		gemm.Mul(vars, out, x.Rows, gemm.Cols(x.Value, vars), gemm.Rows(y.grad, out), ds, out, false, &t.gemm)
		dw, addW := t.gradOfParam(w)
		de, addE := t.gradOfParam(v.Embed)
		gemm.Mul(out, vars*d, 1, gemm.Cols(sum, out), gemm.Rows(v.EmbedBias.Value, vars*d), dw, vars*d, addW, &t.gemm)
		for g := range vars {
			gemm.Mul(out, d, 1, gemm.Cols(ds[g*out:], out), gemm.Rows(v.Embed.Value[g*d:], d), dw[g*d:], vars*d, true, &t.gemm)
			gemm.Mul(1, d, out, gemm.Rows(ds[g*out:], out), gemm.Rows(w.Value[g*d:], vars*d), de[g*d:(g+1)*d], d, addE, &t.gemm)
		}
		db, add = t.gradOfParam(v.EmbedBias)
		gemm.Mul(1, vars*d, out, gemm.Rows(sum, out), gemm.Rows(w.Value, vars*d), db, vars*d, add, &t.gemm)
		if !x.input {
			dx, add := t.gradOf(x)
			gemm.Mul(x.Rows, vars, out, gemm.Rows(y.grad, out), gemm.Cols(slope, out), dx, vars, add, &t.gemm)
		}
	})
	return y
}

// variableRows is the number of rows that go through the network of a variable
// at once: their values stay in the first-level cache.
const variableRows = 64

// SelectVariables is the sum of the networks' outputs of all variables, weighted
// row by row with share, rows × V (Lim et al. 2021, eq. 7 and 8). x is rows × V
// scalars. dropout applies to η₁. Nothing but the result is kept for the
// gradient: the networks run again, block by block. O(rows·V·d²).
func (t *Tape) SelectVariables(x, share *Tensor, v *Variables, eps, dropout float64) *Tensor {
	vars, d := x.Cols, v.Embed.cols()
	mustMatch("selection", share.Rows == x.Rows && share.Cols == vars && v.Embed.Shape[0] == vars, x, share)
	mustMatch("selection", len(v.Gate.Value) == 2*vars*d*d && len(v.Fc2.Value) == vars*d*d && len(v.Gain.Value) == vars*d, x, v.Gate)
	y := t.fresh(x.Rows, d)
	var mask []float32 // V × rows × d
	if t.train && dropout > 0 {
		mask = t.dropMask(vars*x.Rows*d, dropout)
	}
	// The biases of the norms: y = share·Bias, then each variable adds its part.
	gemm.Mul(x.Rows, d, vars, gemm.Rows(share.Value, vars), gemm.Rows(v.Bias.Value, d), y.Value, d, false, &t.gemm)
	n := t.variable(v, d, eps)
	for g := range vars {
		n.load(g)
		for lo := 0; lo < x.Rows; lo += variableRows {
			hi := min(lo+variableRows, x.Rows)
			n.forward(t, x, g, lo, hi, mask)
			// share·gain, one row times the other, times the normalised rows
			gemm.Mul(hi-lo, d, 1, gemm.Rows(share.Value[lo*vars+g:], vars), gemm.Rows(v.Gain.Value[g*d:], d), n.tmp, d, false, &t.gemm)
			o := y.Value[lo*d : hi*d]
			vec.MulAdd(n.tmp[:len(o)], n.hat[:len(o)], o, o)
		}
	}
	if t.trace != nil {
		t.traceSelect(y, x, share, v, eps)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if y.wants() {
			t.selectGrad(x, share, y, v, eps, mask)
		}
	})
	return y
}

// variable is the network of one variable and room for a block of rows. Weights
// are transposed with their bias as a last row, which meets a column of ones.
type variable struct {
	v                      *Variables
	all                    []float32 // the weights of all variables, where they are kept; nil where each lays its own out
	d                      int
	eps                    float32
	in                     []float32 // [slope; offset] of the first layer, 2 × d
	skip                   []float32 // [embed; embedBias], 2 × d
	fc2, open, shut        []float32 // (d+1) × d: of η₂, of η₁ (a), of η₁ (b)
	mean                   []float32 // d × d of 1/d
	centre                 []float32 // d × d: identity less mean
	x                      []float32 // rows × 2: the variable and 1
	eta2, eta1             []float32 // rows × (d+1), the last column 1
	a, b, hat, inv, tmp, u []float32 // rows × d
}

func (t *Tape) variable(v *Variables, d int, eps float64) *variable {
	n := &variable{v: v, d: d, eps: float32(eps)}
	n.mean, n.centre = t.alloc(d*d), t.alloc(d*d)
	for i := range n.mean {
		n.mean[i] = 1 / float32(d)
		n.centre[i] = -1 / float32(d)
	}
	for j := range d {
		n.centre[j*d+j] += 1
	}
	n.x = t.alloc(2 * variableRows)
	n.eta1, n.eta2 = t.alloc(variableRows*(d+1)), t.alloc(variableRows*(d+1))
	for r := range variableRows {
		n.x[2*r+1] = 1
		n.eta1[r*(d+1)+d], n.eta2[r*(d+1)+d] = 1, 1
	}
	for _, p := range []*[]float32{&n.a, &n.b, &n.hat, &n.inv, &n.tmp, &n.u} {
		*p = t.alloc(variableRows * d)
	}
	if t.keeps == nil || t.train {
		n.place(t.alloc(n.size()))
		return n
	}
	var version uint64
	for _, p := range v.Params() {
		version += p.version
	}
	n.all = t.kept(use{v.Embed, networks, 0}, version, func(k *layouts) {
		k.values = k.room(v.Embed.Shape[0] * n.size())
		for g := range v.Embed.Shape[0] {
			n.place(k.values[g*n.size():])
			n.turn(g)
		}
	}).values
	return n
}

// size is how many values the weights of a variable are.
func (n *variable) size() int { return 4*n.d + 3*(n.d+1)*n.d }

// place says where these weights are.
func (n *variable) place(room []float32) {
	for _, p := range []struct {
		weights *[]float32
		rows    int
	}{{&n.in, 2}, {&n.skip, 2}, {&n.fc2, n.d + 1}, {&n.open, n.d + 1}, {&n.shut, n.d + 1}} {
		*p.weights, room = room[:p.rows*n.d], room[p.rows*n.d:]
	}
}

// load takes the weights of variable g.
func (n *variable) load(g int) {
	if n.all != nil {
		n.place(n.all[g*n.size():])
		return
	}
	n.turn(g)
}

// turn lays the weights of variable g out.
func (n *variable) turn(g int) {
	d, v := n.d, n.v
	copy(n.skip[:d], v.Embed.Value[g*d:])
	copy(n.skip[d:], v.EmbedBias.Value[g*d:(g+1)*d])
	for j := range d {
		w := v.Fc1.Value[(g*d+j)*d : (g*d+j+1)*d]
		n.in[j] = vec.Dot(w, n.skip[:d])
		n.in[d+j] = vec.Dot(w, n.skip[d:]) + v.Fc1Bias.Value[g*d+j]
	}
	turned := func(dst, w, b []float32) {
		for j := range d {
			for k := range d {
				dst[k*d+j] = w[j*d+k]
			}
		}
		copy(dst[d*d:], b[:d])
	}
	turned(n.fc2, v.Fc2.Value[g*d*d:], v.Fc2Bias.Value[g*d:])
	turned(n.open, v.Gate.Value[2*g*d*d:], v.GateBias.Value[2*g*d:])
	turned(n.shut, v.Gate.Value[(2*g+1)*d*d:], v.GateBias.Value[(2*g+1)*d:])
}

// forward runs rows lo to hi−1 of variable g up to the normalised values in hat;
// inv is what they were divided by, on every channel.
func (n *variable) forward(t *Tape, x *Tensor, g, lo, hi int, mask []float32) {
	d, rows := n.d, hi-lo
	w := d + 1
	for r := range rows {
		n.x[2*r] = x.Value[(lo+r)*x.Cols+g]
	}
	in := gemm.Rows(n.x, 2)
	gemm.Mul(rows, d, 2, in, gemm.Rows(n.in, d), n.eta2, w, false, &t.gemm)
	vec.ELU(n.eta2[:rows*w], n.eta2[:rows*w]) // leaves the ones
	gemm.Mul(rows, d, w, gemm.Rows(n.eta2, w), gemm.Rows(n.fc2, d), n.eta1, w, false, &t.gemm)
	if mask != nil {
		m := mask[(g*x.Rows+lo)*d:]
		for r := range rows {
			row := n.eta1[r*w : r*w+d]
			vec.Mul(row, m[r*d:(r+1)*d], row)
		}
	}
	gemm.Mul(rows, d, w, gemm.Rows(n.eta1, w), gemm.Rows(n.open, d), n.a, d, false, &t.gemm)
	gemm.Mul(rows, d, w, gemm.Rows(n.eta1, w), gemm.Rows(n.shut, d), n.b, d, false, &t.gemm)
	size := rows * d
	tmp, u := n.tmp[:size], n.u[:size]
	vec.GLU(n.a[:size], n.b[:size], tmp)
	gemm.Mul(rows, d, 2, in, gemm.Rows(n.skip, d), tmp, d, true, &t.gemm)
	gemm.Mul(rows, d, d, gemm.Rows(tmp, d), gemm.Rows(n.centre, d), n.hat, d, false, &t.gemm)
	vec.Mul(n.hat[:size], n.hat[:size], u)
	gemm.Mul(rows, d, d, gemm.Rows(u, d), gemm.Rows(n.mean, d), n.inv, d, false, &t.gemm)
	vec.Normal(n.hat[:size], n.inv[:size], n.hat[:size], n.inv[:size], n.eps)
}

// selectGrad runs every variable again and passes the gradient of y on.
func (t *Tape) selectGrad(x, share, y *Tensor, v *Variables, eps float64, mask []float32) {
	vars, d := x.Cols, y.Cols
	dy := y.grad
	grads := map[*Param][]float32{}
	for _, p := range v.Params() {
		g, add := t.gradOfParam(p)
		if !add {
			clear(g)
		}
		grads[p] = g
	}
	gemm.Mul(vars, d, x.Rows, gemm.Cols(share.Value, vars), gemm.Rows(dy, d), grads[v.Bias], d, true, &t.gemm)
	var ds, dx []float32
	if !share.input {
		add := false
		ds, add = t.gradOf(share)
		gemm.Mul(x.Rows, vars, d, gemm.Rows(dy, d), gemm.Cols(v.Bias.Value, d), ds, vars, add, &t.gemm)
	}
	if !x.input {
		add := false
		if dx, add = t.gradOf(x); !add {
			clear(dx)
		}
	}
	n := t.variable(v, d, eps)
	w := d + 1
	dEta := t.alloc(variableRows * d)
	dFc2, dOpen, dShut := t.alloc(w*d), t.alloc(w*d), t.alloc(w*d)
	dIn, dSkip := t.alloc(2*d), t.alloc(2*d)
	for g := range vars {
		n.load(g)
		gain, fc2 := v.Gain.Value[g*d:(g+1)*d], v.Fc2.Value[g*d*d:]
		open, shut := v.Gate.Value[2*g*d*d:], v.Gate.Value[(2*g+1)*d*d:]
		for lo := 0; lo < x.Rows; lo += variableRows {
			hi := min(lo+variableRows, x.Rows)
			n.forward(t, x, g, lo, hi, mask)
			rows, size, more := hi-lo, (hi-lo)*d, lo > 0
			hat, u, tmp, dEta := n.hat[:size], n.u[:size], n.tmp[:size], dEta[:size]
			up := dy[lo*d : hi*d]
			s := share.Value[lo*vars+g:]
			vec.Mul(up, hat, u)
			gemm.Mul(1, d, rows, gemm.Cols(s, vars), gemm.Rows(u, d), grads[v.Gain][g*d:(g+1)*d], d, true, &t.gemm)
			if ds != nil {
				gemm.Mul(rows, 1, d, gemm.Rows(u, d), gemm.Cols(gain, d), ds[lo*vars+g:], vars, true, &t.gemm)
			}
			// u: gradient of the normalised values; then back through the norm.
			gemm.Mul(rows, d, 1, gemm.Rows(s, vars), gemm.Rows(gain, d), tmp, d, false, &t.gemm)
			vec.Mul(tmp, up, u)
			vec.Mul(u, hat, tmp)
			gemm.Mul(rows, d, d, gemm.Rows(tmp, d), gemm.Rows(n.mean, d), dEta, d, false, &t.gemm)
			gemm.Mul(rows, d, d, gemm.Rows(u, d), gemm.Rows(n.centre, d), tmp, d, false, &t.gemm)
			vec.NormalGrad(tmp, hat, dEta, n.inv[:size], u)
			// u: gradient of e + a⊙σ(b).
			gemm.Mul(2, d, rows, gemm.Cols(n.x, 2), gemm.Rows(u, d), dSkip, d, more, &t.gemm)
			if dx != nil {
				gemm.Mul(rows, 1, d, gemm.Rows(u, d), gemm.Cols(n.skip, d), dx[lo*vars+g:], vars, true, &t.gemm)
			}
			da, db := n.a[:size], n.b[:size]
			vec.GLUGrad(da, db, u, da, db)
			gemm.Mul(w, d, rows, gemm.Cols(n.eta1, w), gemm.Rows(da, d), dOpen, d, more, &t.gemm)
			gemm.Mul(w, d, rows, gemm.Cols(n.eta1, w), gemm.Rows(db, d), dShut, d, more, &t.gemm)
			gemm.Mul(rows, d, d, gemm.Rows(da, d), gemm.Rows(open, d), dEta, d, false, &t.gemm)
			gemm.Mul(rows, d, d, gemm.Rows(db, d), gemm.Rows(shut, d), dEta, d, true, &t.gemm)
			if mask != nil {
				vec.Mul(dEta, mask[(g*x.Rows+lo)*d:(g*x.Rows+hi)*d], dEta)
			}
			gemm.Mul(w, d, rows, gemm.Cols(n.eta2, w), gemm.Rows(dEta, d), dFc2, d, more, &t.gemm)
			gemm.Mul(rows, d, d, gemm.Rows(dEta, d), gemm.Rows(fc2, d), u, d, false, &t.gemm)
			for r := range rows {
				row := u[r*d : (r+1)*d]
				vec.ELUGrad(n.eta2[r*w:r*w+d], row, row)
			}
			gemm.Mul(2, d, rows, gemm.Cols(n.x, 2), gemm.Rows(u, d), dIn, d, more, &t.gemm)
			if dx != nil {
				gemm.Mul(rows, 1, d, gemm.Rows(u, d), gemm.Cols(n.in, d), dx[lo*vars+g:], vars, true, &t.gemm)
			}
		}
		turned := func(w, b, from []float32) {
			for j := range d {
				for k := range d {
					w[j*d+k] += from[k*d+j]
				}
				b[j] += from[d*d+j]
			}
		}
		turned(grads[v.Fc2][g*d*d:], grads[v.Fc2Bias][g*d:], dFc2)
		turned(grads[v.Gate][2*g*d*d:], grads[v.GateBias][2*g*d:], dOpen)
		turned(grads[v.Gate][(2*g+1)*d*d:], grads[v.GateBias][(2*g+1)*d:], dShut)
		// The first layer met e = x·embed + embedBias: slope = W₂·embed.
		de, db := grads[v.Embed][g*d:(g+1)*d], grads[v.EmbedBias][g*d:(g+1)*d]
		vec.Add(de, dSkip[:d], de)
		vec.Add(db, dSkip[d:], db)
		for j := range d {
			row, dw := v.Fc1.Value[(g*d+j)*d:(g*d+j+1)*d], grads[v.Fc1][(g*d+j)*d:(g*d+j+1)*d]
			vec.Axpy(dIn[j], n.skip[:d], dw)
			vec.Axpy(dIn[d+j], n.skip[d:], dw)
			vec.Axpy(dIn[j], row, de)
			vec.Axpy(dIn[d+j], row, db)
			grads[v.Fc1Bias][g*d+j] += dIn[d+j]
		}
	}
}
