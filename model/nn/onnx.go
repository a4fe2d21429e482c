package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/onnx"
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
// first) and "known". The outputs are "label", −1, 0 or +1, and "probabilities"
// of the three. Runtimes agree with Predict to about 1e-5.
func (f *predictor) ExportONNX() ([]byte, error) {
	if f.task.cfg.Task != "classes" {
		return nil, fmt.Errorf("model/nn: only networks of the task classes are written as ONNX graphs; this one has %s", f.task.cfg.Task)
	}
	g := &onnx.Graph{}
	node := func(op, out string, in ...string) *onnx.Node { return g.Node(op, in, []string{out}) }
	// standard writes (x − mean)·inv, cut, 0 where missing, and the indicators.
	standard := func(name string, mean, inv []float32, b bound) (scaled, missing string) {
		g.Floats(name+".mean", []int{len(mean)}, mean)
		g.Floats(name+".inverse_deviation", []int{len(inv)}, inv)
		node("IsNaN", name+".missing", name)
		node("Where", name+".filled", name+".missing", name+".mean", name)
		node("Sub", name+".centred", name+".filled", name+".mean")
		node("Mul", name+".standard", name+".centred", name+".inverse_deviation")
		scaled = name + ".standard"
		switch {
		case b.at == 0:
		case b.robust: // z/√(1 + (z/c)²)
			g.Floats(name+".bound", nil, []float32{b.at})
			g.Floats(name+".one", nil, []float32{1})
			node("Div", name+".ratio", scaled, name+".bound")
			node("Mul", name+".square", name+".ratio", name+".ratio")
			node("Add", name+".more", name+".one", name+".square")
			node("Sqrt", name+".root", name+".more")
			node("Div", name+".clipped", scaled, name+".root")
			scaled = name + ".clipped"
		default:
			g.Floats(name+".min", nil, []float32{-b.at})
			g.Floats(name+".max", nil, []float32{b.at})
			node("Clip", name+".clipped", scaled, name+".min", name+".max")
			scaled = name + ".clipped"
		}
		node("Cast", name+".missing.float", name+".missing").Int("to", int(onnx.Float))
		return scaled, name + ".missing.float"
	}
	values := declare(g, f.raw())
	if s := f.in.table; s != nil {
		scaled, missing := standard(values.table, s.mean, s.inv, s.bound)
		if len(s.missing) > 0 {
			at := make([]int64, len(s.missing))
			for k, j := range s.missing {
				at[k] = int64(j)
			}
			g.Ints("table.indicators", at...)
			node("Gather", "table.indicated", missing, "table.indicators").Int("axis", 1)
			node("Concat", "table.inputs", scaled, "table.indicated").Int("axis", 1)
			scaled = "table.inputs"
		}
		values.table = scaled
	}
	window := func(name string, s *windowScale) string {
		scaled, missing := standard(name, s.mean, s.inv, s.bound)
		if s.missing {
			node("ReduceMean", name+".share", missing).Ints("axes", 2).Int("keepdims", 1)
			node("Concat", name+".inputs", scaled, name+".share").Int("axis", 2)
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
	var sum string
	shape := f.in.shape(3)
	for k, net := range f.nets {
		prefix := fmt.Sprintf("seed.%d.", k)
		z, err := trace(g, prefix, shape, net, values)
		if err != nil {
			return nil, fmt.Errorf("model/nn: %q: %w", f.name, err)
		}
		p := prefix + "probabilities"
		node("Softmax", p, z).Int("axis", 1)
		if m, ok := net.(trainer.Members); ok { // rows × members × classes
			g.Ints(prefix+"members", -1, int64(m.Members()), 3)
			node("Reshape", p+".members", p, prefix+"members")
			p = prefix + "mean"
			node("ReduceMean", p, prefix+"probabilities.members").Ints("axes", 1).Int("keepdims", 0)
		}
		if sum == "" {
			sum = p
			continue
		}
		node("Add", prefix+"sum", sum, p)
		sum = prefix + "sum"
	}
	g.Floats("seeds", nil, []float32{float32(len(f.nets))})
	node("Div", "probabilities", sum, "seeds")
	g.Ints("classes", -1, 0, 1)
	node("ArgMax", "largest", "probabilities").Int("axis", 1).Int("keepdims", 0)
	node("Gather", "label", "classes", "largest")
	g.Output("label", onnx.Int64, anyRows())
	g.Output("probabilities", onnx.Float, anyRows(), onnx.Dim{Size: 3})
	return g.Model(), nil
}
