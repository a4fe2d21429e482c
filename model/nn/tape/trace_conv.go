package tape

import "github.com/mlfactory/mlfactory/internal/onnx"

// TraceAs says how a tensor that a network has filled itself is written. write is
// called where the tape is traced, and returns the name of the value.
func (t *Tape) TraceAs(x *Tensor, write func(tr *Trace) string) {
	if t.trace != nil {
		t.trace.names[x] = write(t.trace)
	}
}

// Node adds an operator with one result and returns its name.
func (tr *Trace) Node(op string, in []string, set ...func(n *onnx.Node)) string {
	return tr.node(op, in, set...)
}

// Ints is the name of a constant vector.
func (tr *Trace) Ints(values ...int64) string { return tr.ints(values...) }

// Floats is the name of a constant.
func (tr *Trace) Floats(values []float32, shape ...int) string { return tr.floats(values, shape...) }

// ChannelsFirst is a sequence as samples × channels × steps.
func (tr *Trace) ChannelsFirst(x *Tensor, steps int) string {
	return tr.channelsFirst(tr.of(x), steps, x.Cols)
}

// channelsFirst is a sequence as samples × channels × steps.
func (tr *Trace) channelsFirst(name string, steps, channels int) string {
	return tr.transpose(tr.blocks(name, steps, channels), 0, 2, 1)
}

// fromChannelsFirst is its reverse, a matrix.
func (tr *Trace) fromChannelsFirst(name string, channels int) string {
	return tr.matrix(tr.transpose(name, 0, 2, 1), channels)
}

func (t *Tape) traceConv(v *convolution) {
	tr := t.trace
	in := []string{tr.channelsFirst(tr.of(v.x), v.steps, v.in), tr.param(v.Weight)}
	if v.Bias != nil {
		in = append(in, tr.param(v.Bias))
	}
	y := tr.node("Conv", in, func(n *onnx.Node) {
		n.Ints("strides", int64(v.stride)).Ints("dilations", int64(v.dilation)).Ints("pads", int64(v.Left), int64(v.Right)).Int("group", v.groups)
	})
	tr.names[v.y] = tr.fromChannelsFirst(y, v.out)
}

// tracePool writes MaxPool or AveragePool, or a reduction for each window where
// their widths differ.
func (t *Tape) tracePool(y, x *Tensor, w windows, reduce string) {
	tr := t.trace
	if !w.adaptive {
		op := "MaxPool"
		if reduce == "ReduceMean" {
			op = "AveragePool"
		}
		pooled := tr.node(op, []string{tr.channelsFirst(tr.of(x), w.steps, x.Cols)}, func(n *onnx.Node) {
			n.Ints("kernel_shape", int64(w.Kernel)).Ints("strides", int64(w.Stride)).Ints("pads", int64(w.Left), int64(w.Right))
			if op == "AveragePool" {
				n.Int("count_include_pad", 1)
			}
		})
		tr.names[y] = tr.fromChannelsFirst(pooled, x.Cols)
		return
	}
	all := tr.blocks(tr.of(x), w.steps, x.Cols)
	parts := make([]string, w.out)
	for u := range parts {
		lo, hi := w.span(u)
		part := tr.node("Slice", []string{all, tr.ints(int64(lo)), tr.ints(int64(hi)), tr.ints(1)})
		parts[u] = tr.node(reduce, []string{part}, func(n *onnx.Node) { n.Ints("axes", 1).Int("keepdims", 1) })
	}
	tr.names[y] = tr.matrix(tr.node("Concat", parts, axis(1)), x.Cols)
}

// traceInstanceNorm writes a norm of each channel over its steps and returns the
// names of mean and deviation.
func (t *Tape) traceInstanceNorm(y, x *Tensor, steps int, gain, bias *Param, eps float64) (mean, deviation string) {
	tr := t.trace
	over := func(n *onnx.Node) { n.Ints("axes", 1).Int("keepdims", 1) }
	all := tr.blocks(tr.of(x), steps, x.Cols)
	mean = tr.node("ReduceMean", []string{all}, over)
	centred := tr.node("Sub", []string{all, mean})
	square := tr.node("ReduceMean", []string{tr.node("Mul", []string{centred, centred})}, over)
	deviation = tr.node("Sqrt", []string{tr.node("Add", []string{square, tr.number(eps)})})
	name := tr.node("Div", []string{centred, deviation})
	if gain != nil {
		name = tr.node("Mul", []string{name, tr.param(gain)})
	}
	if bias != nil {
		name = tr.node("Add", []string{name, tr.param(bias)})
	}
	tr.names[y] = tr.matrix(name, x.Cols)
	return mean, deviation
}

func (t *Tape) traceDenormalise(x, y *Tensor, in *Instances, steps int, inverse, shift []float32) {
	tr := t.trace
	name := tr.node("Mul", []string{tr.node("Add", []string{tr.blocks(tr.of(y), steps, y.Cols), tr.floats(shift, y.Cols)}), tr.floats(inverse, y.Cols)})
	name = tr.node("Add", []string{tr.node("Mul", []string{name, in.deviationName}), in.meanName})
	tr.names[x] = tr.matrix(name, y.Cols)
}

func (t *Tape) tracePatch(y, x *Tensor, steps int, p Patches) {
	tr := t.trace
	var at []int64
	for k := range p.Count(steps) {
		for i := range p.Length {
			at = append(at, int64(min(k*p.Stride+i, steps-1)))
		}
	}
	cut := tr.node("Gather", []string{tr.channelsFirst(tr.of(x), steps, x.Cols), tr.ints(at...)}, axis(2))
	if p.ByStep { // samples × channels × (count·length)
		count := p.Count(steps)
		shape := tr.ints(-1, int64(x.Cols), int64(count), int64(p.Length))
		cut = tr.transpose(tr.node("Reshape", []string{cut, shape}), 0, 2, 1, 3)
	}
	tr.names[y] = tr.matrix(cut, p.Length)
}
