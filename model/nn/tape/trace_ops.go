package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/onnx"
)

// The nodes of each operation.

// traceNode is an operation that ONNX knows under a name of its own.
func (t *Tape) traceNode(y *Tensor, op string, xs ...*Tensor) {
	if t.trace == nil {
		return
	}
	in := make([]string, len(xs))
	for i, x := range xs {
		in[i] = t.trace.of(x)
	}
	t.trace.names[y] = t.trace.node(op, in)
}

func (t *Tape) traceLinear(y, x *Tensor, w, b *Param) {
	tr := t.trace
	name := tr.node("MatMul", []string{tr.of(x), tr.transpose(tr.weight(w), 1, 0)})
	if b != nil {
		name = tr.node("Add", []string{name, tr.param(b)})
	}
	tr.names[y] = name
}

func (t *Tape) traceApply(y, x *Tensor, a Activation) {
	tr := t.trace
	tr.names[y] = tr.activation(tr.of(x), a)
}

// activation is the activation of a value.
func (tr *Trace) activation(x string, a Activation) string {
	switch a {
	case ReLU:
		return tr.node("Relu", []string{x})
	case GELU: // x/2·(1 + erf(x/√2))
		e := tr.node("Erf", []string{tr.node("Mul", []string{x, tr.number(math.Sqrt2 / 2)})})
		return tr.node("Mul", []string{tr.node("Mul", []string{x, tr.number(0.5)}), tr.node("Add", []string{e, tr.number(1)})})
	case SiLU:
		return tr.node("Mul", []string{x, tr.node("Sigmoid", []string{x})})
	case Tanh:
		return tr.node("Tanh", []string{x})
	case Sigmoid:
		return tr.node("Sigmoid", []string{x})
	}
	panic(fmt.Sprintf("tape: no activation %d", a))
}

func (t *Tape) traceScale(y, x *Tensor, a float32) {
	tr := t.trace
	tr.names[y] = tr.node("Mul", []string{tr.of(x), tr.floats([]float32{a})})
}

func (t *Tape) traceConcat(y *Tensor, xs []*Tensor) {
	in := make([]string, len(xs))
	for i, x := range xs {
		in[i] = t.trace.of(x)
	}
	t.trace.names[y] = t.trace.node("Concat", in, axis(1))
}

func (t *Tape) traceSlice(y, x *Tensor, lo, hi int) {
	tr := t.trace
	tr.names[y] = tr.node("Slice", []string{tr.of(x), tr.ints(int64(lo)), tr.ints(int64(hi)), tr.ints(1)})
}

func (t *Tape) traceReshape(y, x *Tensor) {
	t.trace.names[y] = t.trace.matrix(t.trace.of(x), y.Cols)
}

func (t *Tape) traceNorm(y, x *Tensor, gain, bias *Param, eps float64, centre bool) {
	tr := t.trace
	if centre {
		in := []string{tr.of(x), tr.param(gain)}
		if bias != nil {
			in = append(in, tr.param(bias))
		}
		tr.names[y] = tr.node("LayerNormalization", in, axis(-1), func(n *onnx.Node) { n.Float("epsilon", float32(eps)) })
		return
	}
	v := tr.of(x)
	square := tr.node("ReduceMean", []string{tr.node("Mul", []string{v, v})}, func(n *onnx.Node) { n.Ints("axes", 1) })
	root := tr.node("Sqrt", []string{tr.node("Add", []string{square, tr.number(eps)})})
	tr.names[y] = tr.node("Mul", []string{tr.node("Div", []string{v, root}), tr.param(gain)})
}

func (t *Tape) traceStep(y, x *Tensor, steps, s int) {
	tr := t.trace
	one := tr.node("Slice", []string{tr.blocks(tr.of(x), steps, x.Cols), tr.ints(int64(s)), tr.ints(int64(s + 1)), tr.ints(1)})
	tr.names[y] = tr.matrix(one, x.Cols)
}

// traceRecurrent writes a layer; ONNX orders the gates i o f g and z r n, and
// wants steps first.
func (t *Tape) traceRecurrent(y, x *Tensor, op string, steps int, l *Recurrent) {
	tr := t.trace
	hidden := y.Cols
	order := []int{0, 3, 1, 2}
	if op == "GRU" {
		order = []int{1, 0, 2}
	}
	gates := func(p *Param) []float32 {
		size := len(p.Value) / len(order)
		out := make([]float32, 0, len(p.Value))
		for _, k := range order {
			out = append(out, p.Value[k*size:(k+1)*size]...)
		}
		return out
	}
	n := len(order) * hidden
	out := tr.fresh(op)
	node := tr.graph.Node(op, []string{
		tr.transpose(tr.blocks(tr.of(x), steps, x.Cols), 1, 0, 2),
		tr.floats(gates(l.InputWeight), 1, n, x.Cols),
		tr.floats(gates(l.HiddenWeight), 1, n, hidden),
		tr.floats(append(gates(l.InputBias), gates(l.HiddenBias)...), 1, 2*n),
	}, []string{out}).Int("hidden_size", hidden)
	if op == "GRU" {
		node.Int("linear_before_reset", 1)
	}
	// steps × 1 × samples × hidden
	tr.names[y] = tr.matrix(tr.transpose(out, 2, 0, 1, 3), hidden)
}
