package tape

import (
	"errors"
	"fmt"

	"github.com/mlfactory/mlfactory/internal/onnx"
)

// Trace writes what a tape computes as nodes of an ONNX graph. A tensor becomes a
// matrix of the graph whose rows are those of every sample, one sample after the
// other: a network that is traced on one sample gives a graph for any number.
//
// Begin with [Tape.Trace] after a reset, name the inputs, call the network on one
// sample, ask for the output. An operation without a form in ONNX is an error
// when its result is used.
type Trace struct {
	graph   *onnx.Graph
	prefix  string
	names   map[*Tensor]string
	params  map[*Param]string
	vectors map[string]bool // constant vectors that the graph has
	batch   string          // the input that tells the number of samples
	next    int
	err     error
}

// Trace makes the tape write to g from now on to the next reset. prefix begins
// the names of values and constants, so that several networks fit into a graph.
// batch is an input of the graph whose first dimension is the number of samples.
func (t *Tape) Trace(g *onnx.Graph, prefix, batch string) *Trace {
	t.trace = &Trace{graph: g, prefix: prefix, batch: batch, names: map[*Tensor]string{}, params: map[*Param]string{}, vectors: map[string]bool{}}
	return t.trace
}

// Name says which value of the graph a tensor is.
func (tr *Trace) Name(x *Tensor, name string) { tr.names[x] = name }

// Value is the name of what a tensor became.
func (tr *Trace) Value(x *Tensor) (string, error) {
	name := tr.of(x)
	return name, tr.err
}

// fresh is a name for a value in between.
func (tr *Trace) fresh(what string) string {
	tr.next++
	return fmt.Sprintf("%s%s.%d", tr.prefix, what, tr.next)
}

// ints is the name of a constant vector.
func (tr *Trace) ints(values ...int64) string {
	name := tr.prefix + "ints"
	for _, v := range values {
		name += fmt.Sprintf(".%d", v)
	}
	if !tr.vectors[name] {
		tr.vectors[name] = true
		tr.graph.Ints(name, values...)
	}
	return name
}

// floats is the name of a constant; no shape is a number.
func (tr *Trace) floats(values []float32, shape ...int) string {
	name := tr.fresh("constant")
	tr.graph.Floats(name, shape, append([]float32(nil), values...))
	return name
}

// number is the name of a constant number.
func (tr *Trace) number(v float64) string { return tr.floats([]float32{float32(v)}) }

// param is the name of a parameter's constant.
func (tr *Trace) param(p *Param) string {
	name, ok := tr.params[p]
	if !ok {
		name = tr.prefix + p.Name
		tr.graph.Floats(name, p.Shape, append([]float32(nil), p.Value...))
		tr.params[p] = name
	}
	return name
}

// of is the name of a tensor. A constant of the network is repeated for every
// sample.
func (tr *Trace) of(x *Tensor) string {
	if name, ok := tr.names[x]; ok {
		return name
	}
	if !x.input {
		tr.err = errors.Join(tr.err, errors.New("tape: an operation of this network has no form in ONNX"))
		return "none"
	}
	n := len(x.Value)
	count := tr.node("Slice", []string{tr.node("Shape", []string{tr.batch}), tr.ints(0), tr.ints(1)})
	shape := tr.node("Concat", []string{count, tr.ints(int64(n))}, axis(0))
	all := tr.node("Expand", []string{tr.floats(x.Value, 1, n), shape})
	name := tr.node("Reshape", []string{all, tr.ints(-1, int64(x.Cols))})
	tr.names[x] = name
	return name
}

// node adds an operator with one result and returns its name; set gives it
// attributes.
func (tr *Trace) node(op string, in []string, set ...func(n *onnx.Node)) string {
	out := tr.fresh(op)
	n := tr.graph.Node(op, in, []string{out})
	for _, f := range set {
		f(n)
	}
	return out
}

// axis sets the attribute of that name.
func axis(k int) func(n *onnx.Node) { return func(n *onnx.Node) { n.Int("axis", k) } }

// blocks is a matrix seen as samples × rows × columns.
func (tr *Trace) blocks(name string, rows, cols int) string {
	return tr.node("Reshape", []string{name, tr.ints(-1, int64(rows), int64(cols))})
}

// Matrix is a value of the graph seen as a matrix of the given columns.
func (tr *Trace) Matrix(name string, cols int) string { return tr.matrix(name, cols) }

// matrix is anything seen as a matrix of the given columns.
func (tr *Trace) matrix(name string, cols int) string {
	return tr.node("Reshape", []string{name, tr.ints(-1, int64(cols))})
}

// transpose permutes dimensions.
func (tr *Trace) transpose(name string, perm ...int64) string {
	return tr.node("Transpose", []string{name}, func(n *onnx.Node) { n.Ints("perm", perm...) })
}

// weight is a parameter seen as a matrix of Shape[0] rows.
func (tr *Trace) weight(p *Param) string {
	if len(p.Shape) == 2 {
		return tr.param(p)
	}
	return tr.matrix(tr.param(p), p.cols())
}
