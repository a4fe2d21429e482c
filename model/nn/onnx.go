package nn

import (
	"encoding/json"
	"fmt"

	"github.com/mlfactory/mlfactory/internal/onnx"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// anyRows is the open dimension of every input and output.
func anyRows() onnx.Dim { return onnx.Dim{Name: "rows"} }

// trace writes a network's nodes. values are the names of its inputs in the
// graph, scaled, each rows × columns or rows × steps × channels; the result is
// the name of what it returns, rows × outputs.
func trace(g *onnx.Graph, prefix string, in Shape, net network, values names) (string, error) {
	t := tape.New(0)
	t.Reset(false, rng.Stream{})
	tr := t.Trace(g, prefix, values.first())
	b := zeros(t, in)
	if in.Table > 0 {
		tr.Name(b.Table, values.table)
	}
	for k, s := range in.Streams {
		tr.Name(b.Streams[k], tr.Matrix(values.streams[k], s.Channels))
	}
	if in.Known.Steps > 0 {
		tr.Name(b.Known, tr.Matrix(values.known, in.Known.Channels))
	}
	return tr.Value(net.Logits(t, b))
}

// names are the names of a network's inputs in a graph.
type names struct {
	table   string
	streams []string
	known   string
}

func (n *names) first() string {
	if n.table != "" {
		return n.table
	}
	return n.streams[0]
}

// declared are the names of the inputs of a shape: those of a view's parts.
func declared(in Shape) (n names) {
	if in.Table > 0 {
		n.table = "table"
	}
	for k := range in.Streams {
		n.streams = append(n.streams, fmt.Sprintf("stream.%d", k))
	}
	if in.Known.Steps > 0 {
		n.known = "known"
	}
	return n
}

// declare declares the inputs of a shape.
func declare(g *onnx.Graph, in Shape) names {
	n := declared(in)
	if n.table != "" {
		g.Input(n.table, onnx.Float, anyRows(), onnx.Dim{Size: in.Table})
	}
	window := func(name string, s Sequence) {
		g.Input(name, onnx.Float, anyRows(), onnx.Dim{Size: s.Steps}, onnx.Dim{Size: s.Channels})
	}
	for k, s := range in.Streams {
		window(n.streams[k], s)
	}
	if n.known != "" {
		window(n.known, in.Known)
	}
	return n
}

// raw is the shape of the inputs before they are scaled.
func (f *predictor) raw() Shape {
	var in Shape
	if s := f.in.table; s != nil {
		in.Table = len(s.names)
	}
	for _, s := range f.in.streams {
		in.Streams = append(in.Streams, Sequence{s.length, len(s.names)})
	}
	if s := f.in.known; s != nil {
		in.Known = Sequence{s.length, len(s.names)}
	}
	return in
}

// ExportONNX writes the model for ONNX runtimes (operators of version 17). The
// inputs are those of the fit, as they are, NaN for a missing value: "table"
// (rows × columns), "stream.0" and so on (rows × bars × channels, the oldest bar
// first, bars before the first one NaN) and "known". The outputs are what Predict
// says of the rows:
//
//   - classes and binary: "label", −1, 0 or +1, and "probabilities" of the three,
//     0 for the class that a binary task lacks;
//   - regression: "mean", in the target's units (the position for the loss sharpe);
//   - quantiles: "quantiles", rows × levels, ascending; the metadata "levels" has
//     the levels.
//
// Seeds and members are averaged. Calibration is no part of a model and not in the
// graph. Runtimes agree with Predict to about 1e-5.
func (f *predictor) ExportONNX() ([]byte, error) {
	g := &onnx.Graph{}
	values := declare(g, f.raw())
	if s := f.in.table; s != nil {
		scaled, missing := standardNodes(g, values.table, s.mean, s.inv, s.bound)
		if len(s.missing) > 0 {
			at := make([]int64, len(s.missing))
			for k, j := range s.missing {
				at[k] = int64(j)
			}
			g.Ints("table.indicators", at...)
			g.Node("Gather", []string{missing, "table.indicators"}, []string{"table.indicated"}).Int("axis", 1)
			g.Node("Concat", []string{scaled, "table.indicated"}, []string{"table.inputs"}).Int("axis", 1)
			scaled = "table.inputs"
		}
		values.table = scaled
	}
	window := func(name string, s *windowScale) string {
		scaled, missing := standardNodes(g, name, s.mean, s.inv, s.bound)
		if s.missing {
			g.Node("ReduceMean", []string{missing}, []string{name + ".share"}).Ints("axes", 2).Int("keepdims", 1)
			g.Node("Concat", []string{scaled, name + ".share"}, []string{name + ".inputs"}).Int("axis", 2)
			return name + ".inputs"
		}
		return scaled
	}
	for k, s := range f.in.streams {
		values.streams[k] = window(values.streams[k], s)
	}
	if s := f.in.known; s != nil {
		values.known = window(values.known, s)
	}
	sum, shape := "", f.in.shape(f.task.outputs())
	for k, net := range f.nets {
		prefix := fmt.Sprintf("seed.%d.", k)
		z, err := trace(g, prefix, shape, net, values)
		if err != nil {
			return nil, fmt.Errorf("model/nn: %q: %w", f.name, err)
		}
		one := f.task.nodes(g, prefix, z)
		if m, ok := net.(trainer.Members); ok { // rows × members × values
			g.Ints(prefix+"members", -1, int64(m.Members()), int64(shape.Outputs))
			g.Node("Reshape", []string{one, prefix + "members"}, []string{one + ".members"})
			g.Node("ReduceMean", []string{one + ".members"}, []string{one + ".mean"}).Ints("axes", 1).Int("keepdims", 0)
			one += ".mean"
		}
		if sum != "" {
			g.Node("Add", []string{sum, one}, []string{prefix + "sum"})
			one = prefix + "sum"
		}
		sum = one
	}
	g.Floats("seeds", nil, []float32{float32(len(f.nets))})
	g.Node("Div", []string{sum, "seeds"}, []string{"average"})
	f.task.outputNodes(g, "average")
	return g.Model(), nil
}

// standardNodes writes what the function standard does to an input, and which of its
// values are missing, as 0 and 1.
func standardNodes(g *onnx.Graph, name string, mean, inv []float32, b bound) (scaled, missing string) {
	node := func(op, out string, in ...string) string {
		g.Node(op, in, []string{name + out})
		return name + out
	}
	number := func(what string, v float32) string {
		g.Floats(name+what, nil, []float32{v})
		return name + what
	}
	g.Floats(name+".mean", []int{len(mean)}, mean)
	g.Floats(name+".inverse_deviation", []int{len(inv)}, inv)
	nan := node("IsNaN", ".missing", name)
	filled := node("Where", ".filled", nan, name+".mean", name)
	z := node("Mul", ".standard", node("Sub", ".centred", filled, name+".mean"), name+".inverse_deviation")
	switch {
	case b.at == 0:
	case b.robust: // z/√(1 + (z/c)²), whose limit is reached long before the square overflows
		z = node("Clip", ".cut", z, number(".min", -1e15*b.at), number(".max", 1e15*b.at))
		ratio := node("Div", ".ratio", z, number(".bound", b.at))
		more := node("Add", ".more", number(".one", 1), node("Mul", ".square", ratio, ratio))
		z = node("Div", ".clipped", z, node("Sqrt", ".root", more))
	default:
		z = node("Clip", ".clipped", z, number(".min", -b.at), number(".max", b.at))
	}
	// A difference that overflowed, times 0 or without a bound, is 0.
	bad := node("IsNaN", ".overflow", node("Sub", ".difference", z, z))
	z = node("Where", ".finite", bad, number(".zero", 0), z)
	g.Node("Cast", []string{nan}, []string{name + ".missing.float"}).Int("to", int(onnx.Float))
	return z, name + ".missing.float"
}

// nodes writes what add does to the outputs of one network: what is averaged over
// members and seeds, of as many columns.
func (t *task) nodes(g *onnx.Graph, prefix, z string) string {
	out := prefix + "outputs"
	switch {
	case t.cfg.Task == "classes":
		g.Node("Softmax", []string{z}, []string{out}).Int("axis", 1)
	case t.cfg.Task == "binary":
		g.Node("Sigmoid", []string{z}, []string{out})
	case t.cfg.Trained() == "sharpe":
		g.Node("Tanh", []string{z}, []string{out})
	default:
		return z
	}
	return out
}

// outputNodes writes what settle does to the averages, and the outputs.
func (t *task) outputNodes(g *onnx.Graph, average string) {
	node := func(op, out string, in ...string) *onnx.Node { return g.Node(op, in, []string{out}) }
	number := func(name string, v float64) { g.Floats(name, nil, []float32{float32(v)}) }
	if !t.cfg.Classifies() {
		out, sharpe := average, t.cfg.Trained() == "sharpe"
		if !sharpe {
			number("target.deviation", t.Deviation)
			number("target.mean", t.Mean)
			node("Mul", "scaled", average, "target.deviation")
			node("Add", "shifted", "scaled", "target.mean")
			out = "shifted"
		}
		if t.cfg.Task != "quantiles" {
			g.Ints("rows", -1)
			node("Reshape", "mean", out, "rows")
			g.Output("mean", onnx.Float, anyRows())
			return
		}
		levels := len(t.cfg.Quantiles)
		g.Ints("levels", int64(levels))
		g.Node("TopK", []string{out, "levels"}, []string{"quantiles", "order"}).Int("axis", 1).Int("largest", 0).Int("sorted", 1)
		g.Output("quantiles", onnx.Float, anyRows(), onnx.Dim{Size: levels})
		text, _ := json.Marshal(t.cfg.Quantiles) // numbers can be written
		g.Metadata("levels", string(text))
		return
	}
	if t.cfg.Task == "binary" {
		number("one", 1)
		number("none", 0)
		node("Sub", "first", "one", average)
		node("Mul", "absent", average, "none")
		columns := [model.K]string{"absent", "absent", "absent"}
		columns[model.ClassIndex(t.Classes[0])], columns[model.ClassIndex(t.Classes[1])] = "first", average
		node("Concat", "probabilities", columns[:]...).Int("axis", 1)
	} else {
		node("Identity", "probabilities", average)
	}
	g.Ints("classes", -1, 0, 1)
	node("ArgMax", "largest", "probabilities").Int("axis", 1).Int("keepdims", 0)
	node("Gather", "label", "classes", "largest")
	g.Output("label", onnx.Int64, anyRows())
	g.Output("probabilities", onnx.Float, anyRows(), onnx.Dim{Size: model.K})
}
