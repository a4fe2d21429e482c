package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/onnx"
)

func (t *Tape) traceHeadwise(y, x *Tensor, w *Param) {
	tr := t.trace
	blocks, in := int64(w.Shape[0]), int64(w.Shape[2])
	parts := tr.transpose(tr.node("Reshape", []string{tr.of(x), tr.ints(-1, blocks, in)}), 1, 0, 2)
	out := tr.node("MatMul", []string{parts, tr.transpose(tr.param(w), 0, 2, 1)})
	tr.names[y] = tr.matrix(tr.transpose(out, 1, 0, 2), y.Cols)
}

func (t *Tape) traceHeadNorm(y, x *Tensor, heads int, gain *Param, eps float64) {
	tr := t.trace
	n := x.Cols / heads
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	hat := tr.node("LayerNormalization", []string{tr.matrix(tr.of(x), n), tr.floats(ones, n)}, axis(-1), func(d *onnx.Node) { d.Float("epsilon", float32(eps)) })
	tr.names[y] = tr.node("Mul", []string{tr.matrix(hat, x.Cols), tr.param(gain)})
}

// logSigmoid is −softplus(−x).
func (tr *Trace) logSigmoid(x string) string {
	return tr.node("Neg", []string{tr.node("Softplus", []string{tr.node("Neg", []string{x})})})
}

// traceSLSTM unrolls the steps.
func (t *Tape) traceSLSTM(y, gates *Tensor, steps int, kernel, bias *Param) {
	tr := t.trace
	heads, n := kernel.Shape[0], kernel.Shape[1]
	hidden := heads * n
	// heads×n×4×n as one matrix from all states to i f z o of all heads.
	k, b := make([]float32, hidden*4*hidden), make([]float32, 4*hidden)
	for h := range heads {
		for g := range 4 {
			copy(b[g*hidden+h*n:], bias.Value[(h*4+g)*n:(h*4+g+1)*n])
			for j := range n {
				copy(k[(h*n+j)*4*hidden+g*hidden+h*n:], kernel.Value[((h*n+j)*4+g)*n:][:n])
			}
		}
	}
	matrix := tr.floats(k, hidden, 4*hidden)
	all := tr.blocks(tr.node("Add", []string{tr.of(gates), tr.floats(b, 4*hidden)}), steps, 4*hidden)
	gate := func(x string, g int) string {
		return tr.node("Slice", []string{x, tr.ints(int64(g * hidden)), tr.ints(int64((g + 1) * hidden)), tr.ints(1)})
	}
	mul := func(a, b string) string { return tr.node("Mul", []string{a, b}) }
	add := func(a, b string) string { return tr.node("Add", []string{a, b}) }
	var state, cell, norm, m string
	values := make([]string, steps)
	for s := range steps {
		x := tr.at(all, s, int64(4*hidden))
		if s > 0 {
			x = add(x, tr.node("MatMul", []string{state, matrix}))
		}
		i, f, z, o := gate(x, 0), tr.logSigmoid(gate(x, 1)), tr.node("Tanh", []string{gate(x, 2)}), tr.node("Sigmoid", []string{gate(x, 3)})
		if s == 0 {
			// The first input gate is e^0.
			m, cell, norm = i, z, tr.node("Exp", []string{tr.node("Sub", []string{i, i})})
		} else {
			f = add(f, m)
			m = tr.node("Max", []string{i, f})
			in, keep := tr.node("Exp", []string{tr.node("Sub", []string{i, m})}), tr.node("Exp", []string{tr.node("Sub", []string{f, m})})
			cell, norm = add(mul(keep, cell), mul(in, z)), add(mul(keep, norm), in)
		}
		state = mul(o, tr.node("Div", []string{cell, norm}))
		values[s] = state
	}
	tr.names[y] = tr.steps(values, hidden)
}

func (t *Tape) traceMLSTM(y *Tensor, s *matrixMemory) {
	tr := t.trace
	steps := s.steps
	// samples × heads × steps × columns
	split := func(x *Tensor) string {
		return tr.transpose(tr.node("Reshape", []string{tr.of(x), tr.ints(-1, int64(steps), int64(s.heads), int64(x.Cols/s.heads))}), 0, 2, 1, 3)
	}
	triangle, mask := make([]float32, steps*steps), make([]float32, steps*steps)
	for r := range steps {
		for j := range steps {
			if j <= r {
				triangle[r*steps+j] = 1
			} else {
				mask[r*steps+j] = float32(math.Inf(-1))
			}
		}
	}
	total := tr.node("MatMul", []string{tr.floats(triangle, steps, steps), tr.logSigmoid(split(s.f))})
	exponent := tr.transpose(tr.node("Sub", []string{split(s.i), total}), 0, 1, 3, 2)
	exponent = tr.node("Add", []string{tr.node("Add", []string{exponent, total}), tr.floats(mask, steps, steps)})
	last := func(d *onnx.Node) { d.Ints("axes", 3) }
	m := tr.node("ReduceMax", []string{exponent}, last)
	scores := tr.node("MatMul", []string{split(s.q), tr.transpose(split(s.k), 0, 1, 3, 2)})
	scores = tr.node("Mul", []string{scores, tr.number(1 / math.Sqrt(float64(s.n)))})
	w := tr.node("Mul", []string{scores, tr.node("Exp", []string{tr.node("Sub", []string{exponent, m})})})
	weight := tr.node("Abs", []string{tr.node("ReduceSum", []string{w, tr.ints(3)})})
	normaliser := tr.node("Max", []string{weight, tr.node("Exp", []string{tr.node("Neg", []string{m})})})
	w = tr.node("Div", []string{w, tr.node("Add", []string{normaliser, tr.number(matrixEps)})})
	tr.names[y] = tr.matrix(tr.transpose(tr.node("MatMul", []string{w, split(s.v)}), 0, 2, 1, 3), y.Cols)
}
