package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Heads says where the heads of an operand of attention are: head h is the Dim
// columns of X from From + h·Stride on. A Stride of 0 gives all heads the same
// columns.
type Heads struct {
	X            *Tensor
	From, Stride int
	Dim          int
}

// head is head h of the sample whose first row is row, as rows of a matrix.
func (a Heads) head(v []float32, row, h int) gemm.Matrix {
	return gemm.Rows(v[row*a.X.Cols+a.From+h*a.Stride:], a.X.Cols)
}

// turned is head, transposed.
func (a Heads) turned(v []float32, row, h int) gemm.Matrix {
	return gemm.Cols(v[row*a.X.Cols+a.From+h*a.Stride:], a.X.Cols)
}

// SelfHeads is the queries, keys and values of a matrix that holds them side by
// side, each with the given number of heads, as one linear layer makes them.
func SelfHeads(qkv *Tensor, heads int) (q, k, v Heads) {
	width := qkv.Cols / 3
	d := width / heads
	mustMatch("heads", 3*heads*d == qkv.Cols, qkv, qkv)
	return Heads{qkv, 0, d, d}, Heads{qkv, width, d, d}, Heads{qkv, 2 * width, d, d}
}

// Attention configures [Tape.Attend].
type Attention struct {
	Q, K, V              Heads
	Heads                int
	QuerySteps, KeySteps int // of a sample

	// Causal hides from query i the keys after i + KeySteps − QuerySteps: both
	// sequences end together.
	Causal bool
	// Bias is added to the scores, the same for every sample: row
	// h·KeySteps + j holds those of key j of head h for every query. −Inf
	// hides a key.
	Bias *Tensor
	// Dropout is the share of the weights that are set to zero in training.
	Dropout float64
	// Mean averages the heads instead of putting them side by side (the
	// interpretable attention of Lim et al. 2021, eq. 13 to 16).
	Mean bool
}

// Weights are the attention weights of a call, before dropout, until the tape is
// reset.
type Weights struct {
	p                        []float32
	heads, queries, keys, ld int
	lanes                    bool // heads side by side, in blocks of ld
}

// At is the weight that a query gives to a key.
func (w Weights) At(sample, head, query, key int) float32 {
	if lane := sample*w.heads + head; w.lanes {
		return w.p[((lane/w.ld*w.keys+key)*w.queries+query)*w.ld+lane%w.ld]
	}
	return w.p[((sample*w.heads+head)*w.keys+key)*w.ld+query]
}

// Size is the number of heads, queries and keys; zeros without any.
func (w Weights) Size() (heads, queries, keys int) { return w.heads, w.queries, w.keys }

// Attend is scaled dot-product attention of several heads (Vaswani et al. 2017,
// eq. 1): for every sample and head
//
//	y = P·V,  P = softmax(Q·Kᵀ/√d + bias)
//
// with the softmax over keys. Result: one row a query, heads·Dim columns (V's),
// or Dim with Mean. O(samples·heads·queries·keys·d).
//
// Scores are kept transposed, one row a key, so that the softmax runs down
// columns ([vec.SoftmaxColumns]); everything else are products of strided views, or
// with few steps of arrays over all heads (attendLanes).
func (t *Tape) Attend(a Attention) (*Tensor, Weights) {
	nq, nk, d := a.QuerySteps, a.KeySteps, a.Q.Dim
	samples := a.Q.X.Rows / nq
	mustMatch("attention of queries and keys", samples*nq == a.Q.X.Rows && samples*nk == a.K.X.Rows && a.K.Dim == d, a.Q.X, a.K.X)
	mustMatch("attention of keys and values", a.V.X.Rows == a.K.X.Rows, a.K.X, a.V.X)
	if a.Bias != nil && (a.Bias.Rows != a.Heads*nk || a.Bias.Cols != nq) {
		panic(fmt.Sprintf("tape: attention bias of %v for %d heads of %d keys and %d queries", a.Bias, a.Heads, nk, nq))
	}
	ld := (nq + 15) &^ 15
	size := nk * ld
	scale := float32(1 / math.Sqrt(float64(d)))
	if a.inLanes(t.train) {
		y, w := t.attendLanes(&a, scale)
		if t.trace != nil {
			t.traceAttend(y, &a, nil, ld, scale)
		}
		return y, w
	}
	start := t.attentionStart(&a, ld, scale)
	p := t.alloc(samples * a.Heads * size)
	dropped, mask := p, []float32(nil)
	if t.train && a.Dropout > 0 {
		mask = t.dropMask(len(p), a.Dropout)
		dropped = t.alloc(len(p))
	}
	out, step := a.Heads*a.V.Dim, a.V.Dim
	if a.Mean {
		out, step = a.V.Dim, 0
	}
	y := t.fresh(a.Q.X.Rows, out)
	for b := range samples {
		for h := range a.Heads {
			at := (b*a.Heads + h) * size
			s := p[at : at+size]
			if start != nil {
				copy(s, start[h*size:(h+1)*size])
			}
			gemm.Mul(nk, nq, d, a.K.head(a.K.X.Value, b*nk, h), a.Q.turned(a.Q.X.Value, b*nq, h), s, ld, start != nil, &t.gemm)
			vec.SoftmaxColumns(s, nk, nq, ld, scale)
			if mask != nil {
				s = dropped[at : at+size]
				vec.Mul(p[at:at+size], mask[at:at+size], s)
			}
			gemm.Mul(nq, a.V.Dim, nk, gemm.Cols(s, ld), a.V.head(a.V.X.Value, b*nk, h), y.Value[b*nq*out+h*step:], out, a.Mean && h > 0, &t.gemm)
		}
	}
	if a.Mean {
		vec.Scale(y.Value, y.Value, 1/float32(a.Heads))
	}
	w := Weights{p: p, heads: a.Heads, queries: nq, keys: nk, ld: ld}
	if t.trace != nil {
		t.traceAttend(y, &a, start, ld, scale)
	}
	if !t.train {
		return y, w
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dy := y.grad
		if a.Mean {
			dy = t.alloc(len(y.grad))
			vec.Scale(y.grad, dy, 1/float32(a.Heads))
		}
		dq, dk, dv := t.gradOfHeads(&a)
		var bias []float32
		if a.Bias != nil && !a.Bias.input {
			bias = t.alloc(a.Heads * size)
			clear(bias)
		}
		ds := t.alloc(size)
		clear(ds) // the columns after the last query are never written
		for b := range samples {
			for h := range a.Heads {
				at := (b*a.Heads + h) * size
				dyHead := dy[b*nq*out+h*step:]
				if dv.grad != nil {
					gemm.Mul(nk, a.V.Dim, nq, gemm.Rows(dropped[at:at+size], ld), gemm.Rows(dyHead, out), dv.at(b*nk, h), a.V.X.Cols, dv.adds(h), &t.gemm)
				}
				if dq.grad == nil && dk.grad == nil && bias == nil {
					continue
				}
				gemm.Mul(nk, nq, a.V.Dim, a.V.head(a.V.X.Value, b*nk, h), gemm.Cols(dyHead, out), ds, ld, false, &t.gemm)
				if mask != nil {
					vec.Mul(ds, mask[at:at+size], ds)
				}
				vec.SoftmaxColumnsGrad(p[at:at+size], ds, nk, nq, ld, scale)
				if dq.grad != nil {
					gemm.Mul(nq, d, nk, gemm.Cols(ds, ld), a.K.head(a.K.X.Value, b*nk, h), dq.at(b*nq, h), a.Q.X.Cols, dq.adds(h), &t.gemm)
				}
				if dk.grad != nil {
					gemm.Mul(nk, d, nq, gemm.Rows(ds, ld), a.Q.head(a.Q.X.Value, b*nq, h), dk.at(b*nk, h), a.K.X.Cols, dk.adds(h), &t.gemm)
				}
				if bias != nil {
					vec.Axpy(1/scale, ds, bias[h*size:(h+1)*size])
				}
			}
		}
		if bias != nil {
			g, add := t.gradOf(a.Bias)
			for r := range a.Bias.Rows {
				accumulate(g[r*nq:(r+1)*nq], bias[r*ld:r*ld+nq], add)
			}
		}
	})
	return y, w
}

// attentionStart is what the scores of each head begin with, before they are
// scaled: bias and mask, nil without any.
func (t *Tape) attentionStart(a *Attention, ld int, scale float32) []float32 {
	if a.Bias == nil && !a.Causal {
		return nil
	}
	nq, nk := a.QuerySteps, a.KeySteps
	start := t.alloc(a.Heads * nk * ld)
	clear(start)
	hidden := float32(math.Inf(-1))
	for r := range a.Heads * nk {
		row := start[r*ld : r*ld+nq]
		if a.Bias != nil {
			vec.Scale(a.Bias.Row(r), row, 1/scale)
		}
		if a.Causal {
			// Key j is visible from query j − (nk − nq) on.
			for i := range min(nq, max(0, r%nk-(nk-nq))) {
				row[i] = hidden
			}
		}
	}
	return start
}

// headGrad is the gradient of an operand of attention, nil where none is wanted.
type headGrad struct {
	grad []float32
	of   Heads
	add  bool
}

func (g headGrad) at(row, h int) []float32 {
	return g.grad[row*g.of.X.Cols+g.of.From+h*g.of.Stride:]
}

// adds reports whether the gradient of head h is added to what is there.
func (g headGrad) adds(h int) bool { return g.add || h > 0 && g.of.Stride == 0 }

// gradOfHeads prepares the gradients of the three operands. A matrix of which
// heads of the operands are not all columns is cleared first.
func (t *Tape) gradOfHeads(a *Attention) (dq, dk, dv headGrad) {
	g := [3]headGrad{{of: a.Q}, {of: a.K}, {of: a.V}}
	for i := range g {
		x := g[i].of.X
		if x.input || g[i].grad != nil {
			continue
		}
		grad, add := t.gradOf(x)
		if !add && !a.fills(x, t.alloc(x.Cols)) {
			clear(grad)
			add = true
		}
		for j := range g {
			if g[j].of.X == x {
				g[j].grad, g[j].add = grad, add
			}
		}
	}
	return g[0], g[1], g[2]
}

// fills reports whether each column of x is that of exactly one head, or of all
// heads of one operand. used is for counting.
func (a *Attention) fills(x *Tensor, used []float32) bool {
	clear(used)
	for _, o := range [3]Heads{a.Q, a.K, a.V} {
		if o.X != x {
			continue
		}
		heads := a.Heads
		if o.Stride == 0 {
			heads = 1
		}
		for h := range heads {
			for j := range o.Dim {
				used[o.From+h*o.Stride+j]++
			}
		}
	}
	for _, n := range used {
		if n != 1 {
			return false
		}
	}
	return true
}

// dropMask is n values that are 0 with probability p and 1/(1−p) otherwise.
func (t *Tape) dropMask(n int, p float64) []float32 {
	if !(p > 0 && p < 1) {
		panic(fmt.Sprintf("tape: dropout of %v", p))
	}
	mask := t.alloc(n)
	keep := math.Float32bits(float32(1 / (1 - p)))
	limit := uint64(p * (1 << 32))
	for i := 0; i < n; i += 2 {
		u := t.rand.Uint64()
		// The sign of the difference says whether it is dropped.
		mask[i] = math.Float32frombits(keep &^ uint32(int64(u&math.MaxUint32-limit)>>63)) // #nosec G115 -- all ones or none
		if i+1 < n {
			mask[i+1] = math.Float32frombits(keep &^ uint32(int64(u>>32-limit)>>63)) // #nosec G115 -- all ones or none
		}
	}
	return mask
}
