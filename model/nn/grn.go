package nn

import (
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// grnEpsilon is added to the variance in the norms of gated residual networks.
const grnEpsilon = 1e-5

// glorot draws weights uniformly from ±√(6/(in + out)) and starts biases at 0
// (Glorot and Bengio 2010), as the authors' code does.
func glorot(name string, in, out int, r *rand.Rand) linear {
	l := newLinear(name, in, out, r)
	uniform(l.weight.Value, math.Sqrt(6/float64(in+out)), r)
	clear(l.bias.Value)
	return l
}

// glorotLSTM is a layer with weights by [glorot] and forget gates that start open,
// with a bias of 1 (Jozefowicz et al. 2015), as the authors' code has it.
func glorotLSTM(name string, width int, r *rand.Rand) *tape.Recurrent {
	l := newRecurrent(name, 0, 4, width, width, r)
	for _, w := range []*tape.Param{l.InputWeight, l.HiddenWeight} {
		uniform(w.Value, math.Sqrt(6/float64(2*width)), r)
	}
	clear(l.InputBias.Value)
	clear(l.HiddenBias.Value)
	for j := range width {
		l.InputBias.Value[width+j] = 1
	}
	return l
}

// grn is the gated residual network of Lim et al. (2021, eq. 2 to 5):
//
//	GRN(a, c) = LayerNorm(a + GLU(η₁)),  η₁ = W₁·η₂ + b₁,  η₂ = ELU(W₂·a + W₃·c + b₂),
//
// with dropout on η₁. fc1 is W₂, fc2 W₁ and context W₃, in the order of the
// computation; gate is W₅ above W₄ of the paper's gated linear unit.
type grn struct {
	fc1, fc2, gate linear
	context        *tape.Param // nil: no context
	norm           layerNorm
	dropout        float64
}

// newGRN makes a network of so many channels; a context, where there is one, has
// as many.
func newGRN(name string, width int, context bool, dropout float64, r *rand.Rand) *grn {
	g := &grn{fc1: glorot(name+".fc1", width, width, r), fc2: glorot(name+".fc2", width, width, r),
		gate: glorot(name+".gate", width, 2*width, r), norm: newLayerNorm(name+".norm", width), dropout: dropout}
	if context {
		g.context = newContext(name, width, r)
	}
	return g
}

// newContext is the map of a context, without a bias.
func newContext(name string, width int, r *rand.Rand) *tape.Param {
	p := tape.NewParam(name+".context.weight", width, width)
	uniform(p.Value, math.Sqrt(6/float64(2*width)), r)
	return p
}

func (g *grn) params() []*tape.Param {
	p := append(append(g.fc1.params(), g.fc2.params()...), g.gate.params()...)
	if g.context != nil {
		p = append(p, g.context)
	}
	return append(p, g.norm.params()...)
}

// apply is the network of x with context c, one row for the given number of rows
// of x each.
func (g *grn) apply(t *tape.Tape, x, c *tape.Tensor, steps int) *tape.Tensor {
	h := g.fc1.apply(t, x)
	if g.context != nil {
		h = t.AddRow(h, steps, t.Linear(c, g.context, nil))
	}
	h = t.Dropout(g.fc2.apply(t, t.ELU(h)), g.dropout)
	return t.AddGate(x, g.gate.apply(t, h), g.norm.gain, g.norm.bias, grnEpsilon)
}

// gatedSkip is LayerNorm(x + GLU(y)), the way around each part of the temporal
// fusion transformer.
type gatedSkip struct {
	gate    linear
	norm    layerNorm
	dropout float64
}

func newGatedSkip(name string, width int, dropout float64, r *rand.Rand) *gatedSkip {
	return &gatedSkip{glorot(name+".gate", width, 2*width, r), newLayerNorm(name+".norm", width), dropout}
}

func (g *gatedSkip) params() []*tape.Param { return append(g.gate.params(), g.norm.params()...) }

func (g *gatedSkip) apply(t *tape.Tape, x, y *tape.Tensor) *tape.Tensor {
	return t.AddGate(x, g.gate.apply(t, t.Dropout(y, g.dropout)), g.norm.gain, g.norm.bias, grnEpsilon)
}

// selection is a variable selection network (Lim et al. 2021, eq. 6 to 8): each
// variable is embedded and goes through a gated residual network of its own; a
// further one, of all embeddings and a context, weighs them.
type selection struct {
	vars           *tape.Variables
	fc1, fc2, gate linear // of the network that weighs
	skip           linear
	context        *tape.Param
	norm           layerNorm
	dropout        float64
}

// newSelection names the networks of the variables, stacked, as
// single_variable_grns and the one that weighs as flattened_grn.
func newSelection(name string, vars, width int, context bool, dropout float64, r *rand.Rand) *selection {
	stacked := func(part string, bound float64, decay bool, shape ...int) *tape.Param {
		p := tape.NewParam(name+"."+part, append([]int{vars}, shape...)...)
		p.NoDecay = !decay
		uniform(p.Value, bound, r)
		return p
	}
	b := math.Sqrt(6 / float64(2*width))
	const one = "single_variable_grns."
	s := &selection{dropout: dropout, vars: &tape.Variables{
		Embed: stacked("embedding.weight", math.Sqrt(6/float64(1+width)), false, width), EmbedBias: stacked("embedding.bias", 0, false, width),
		Fc1: stacked(one+"fc1.weight", b, true, width, width), Fc1Bias: stacked(one+"fc1.bias", 0, false, width),
		Fc2: stacked(one+"fc2.weight", b, true, width, width), Fc2Bias: stacked(one+"fc2.bias", 0, false, width),
		Gate: stacked(one+"gate.weight", math.Sqrt(6/float64(3*width)), true, 2*width, width), GateBias: stacked(one+"gate.bias", 0, false, 2*width),
		Gain: stacked(one+"norm.weight", 0, false, width), Bias: stacked(one+"norm.bias", 0, false, width),
	}}
	for j := range s.vars.Gain.Value {
		s.vars.Gain.Value[j] = 1
	}
	name += ".flattened_grn"
	s.fc1 = glorot(name+".fc1", vars*width, width, r)
	s.fc2 = glorot(name+".fc2", width, width, r)
	s.gate = glorot(name+".gate", width, 2*vars, r)
	s.skip = glorot(name+".skip", vars*width, vars, r)
	s.norm = newLayerNorm(name+".norm", vars)
	if context {
		s.context = newContext(name, width, r)
	}
	return s
}

func (s *selection) params() []*tape.Param {
	p := s.vars.Params()
	for _, l := range []linear{s.fc1, s.fc2, s.gate, s.skip} {
		p = append(p, l.params()...)
	}
	if s.context != nil {
		p = append(p, s.context)
	}
	return append(p, s.norm.params()...)
}

// apply returns the selected channels and the weight of each variable, both one
// row a row of x.
func (s *selection) apply(t *tape.Tape, x, c *tape.Tensor, steps int) (y, share *tape.Tensor) {
	h := t.EmbeddedLinear(x, s.vars, s.fc1.weight, s.fc1.bias)
	if s.context != nil {
		h = t.AddRow(h, steps, t.Linear(c, s.context, nil))
	}
	h = t.Dropout(s.fc2.apply(t, t.ELU(h)), s.dropout)
	skip := t.EmbeddedLinear(x, s.vars, s.skip.weight, s.skip.bias)
	share = t.Softmax(t.AddGate(skip, s.gate.apply(t, h), s.norm.gain, s.norm.bias, grnEpsilon))
	return t.SelectVariables(x, share, s.vars, grnEpsilon, s.dropout), share
}
