package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// encoderSize is what the layers of a transformer encoder have in common.
type encoderSize struct {
	heads, width, hidden      int // width is that of all heads together
	dropout, attentionDropout float64
	activation                string
	post                      bool // normalise after each part, as the paper of 2017 did
}

// encoderLayer is a layer of the transformer's encoder (Vaswani et al. 2017,
// figure 1 left) with the normalisations first (Xiong et al. 2020, figure 1b):
//
//	x ← x + Attention(LayerNorm(x));  x ← x + FeedForward(LayerNorm(x)),
//
// or, where size.post is set, as it was:
//
//	x ← LayerNorm(x + Attention(x));  x ← LayerNorm(x + FeedForward(x)).
//
// Names and shapes are those of torch.nn.TransformerEncoderLayer.
type encoderLayer struct {
	size           *encoderSize
	in, out        linear // queries, keys and values; what joins the heads
	up, down       linear
	before, middle layerNorm
}

func newEncoderLayer(name string, size *encoderSize, r *rand.Rand) *encoderLayer {
	d := size.width
	l := &encoderLayer{size: size,
		in: linear{tape.NewParam(name+".self_attn.in_proj_weight", 3*d, d), tape.NewParam(name+".self_attn.in_proj_bias", 3*d)}}
	l.in.bias.NoDecay = true
	uniform(l.in.weight.Value, math.Sqrt(6/float64(4*d)), r) // Glorot and Bengio 2010, as PyTorch
	l.out = newLinear(name+".self_attn.out_proj", d, d, r)
	clear(l.out.bias.Value)
	l.up, l.down = newLinear(name+".linear1", d, size.hidden, r), newLinear(name+".linear2", size.hidden, d, r)
	l.before, l.middle = newLayerNorm(name+".norm1", d), newLayerNorm(name+".norm2", d)
	return l
}

func (l *encoderLayer) params() []*tape.Param {
	var p []*tape.Param
	for _, m := range []linear{l.in, l.out, l.up, l.down} {
		p = append(p, m.params()...)
	}
	return append(append(p, l.before.params()...), l.middle.params()...)
}

// apply runs the layer over sequences of the given number of steps. With last it
// returns the last step of each sample alone, which is all that a network whose
// output is read there needs of its highest layer.
func (l *encoderLayer) apply(t *tape.Tape, x *tape.Tensor, steps int, at *positions, causal, last bool) *tape.Tensor {
	first, after := x, func(y *tape.Tensor, _ layerNorm) *tape.Tensor { return y }
	if l.size.post {
		after = func(y *tape.Tensor, n layerNorm) *tape.Tensor { return n.apply(t, y) }
	} else {
		first = l.before.apply(t, x)
	}
	qkv := at.rotate(t, l.in.apply(t, first), steps, l.size)
	a := tape.Attention{Heads: l.size.heads, QuerySteps: steps, KeySteps: steps, Causal: causal, Dropout: l.size.attentionDropout}
	a.Q, a.K, a.V = tape.SelfHeads(qkv, l.size.heads)
	if last {
		a.Q.X, a.QuerySteps = t.Step(qkv, steps, -1), 1
		x = t.Step(x, steps, -1)
	}
	a.Bias = at.bias(t, a.QuerySteps, steps)
	y, _ := t.Attend(a)
	x = after(l.out.add(t, y, x, l.size.dropout), l.before)
	second := x
	if !l.size.post {
		second = l.middle.apply(t, x)
	}
	y = t.Dropout(l.up.activated(t, second, activation(l.size.activation)), l.size.dropout)
	return after(l.down.add(t, y, x, l.size.dropout), l.middle)
}

// encoder is a stack of layers and a normalisation of its output, without which
// what pre-norm layers add up would have any size.
type encoder struct {
	layers []*encoderLayer
	norm   layerNorm
}

func newEncoder(name string, count int, size *encoderSize, r *rand.Rand) *encoder {
	e := &encoder{norm: newLayerNorm(name+".norm", size.width)}
	for k := range count {
		e.layers = append(e.layers, newEncoderLayer(fmt.Sprintf("%s.layers.%d", name, k), size, r))
	}
	return e
}

func (e *encoder) params() []*tape.Param {
	var p []*tape.Param
	for _, l := range e.layers {
		p = append(p, l.params()...)
	}
	return append(p, e.norm.params()...)
}

// apply is the normalised output of the stack: of all steps, or with last of the
// last alone.
func (e *encoder) apply(t *tape.Tape, x *tape.Tensor, steps int, at *positions, causal, last bool) *tape.Tensor {
	for k, l := range e.layers {
		x = l.apply(t, x, steps, at, causal, last && k == len(e.layers)-1)
	}
	return e.norm.apply(t, x)
}

// positions is how attention learns where a step is.
type positions struct {
	kind  string
	heads int
	table []float32   // sinusoidal, rotary
	param *tape.Param // learned, relative
}

// relativeBuckets and relativeFar are those of T5 (Raffel et al. 2020).
const (
	relativeBuckets = 32
	relativeFar     = 128
)

func newPositions(kind string, steps int, size *encoderSize, r *rand.Rand) *positions {
	p := &positions{kind: kind, heads: size.heads}
	switch kind {
	case "sinusoidal":
		p.table = tape.Sinusoid(steps, size.width)
	case "rotary":
		p.table = tape.Rotation(steps, rotaryWidth(size))
	case "learned":
		p.param = tape.NewParam("position", steps, size.width)
		normal(p.param.Value, 0.02, r)
	case "relative":
		p.param = tape.NewParam("relative_attention_bias.weight", relativeBuckets, size.heads)
		normal(p.param.Value, 0.02, r)
	}
	if p.param != nil {
		p.param.NoDecay = true
	}
	return p
}

// rotaryWidth is the channels of a head that are turned: all but a last odd one.
func rotaryWidth(size *encoderSize) int { return size.width / size.heads &^ 1 }

func (p *positions) params() []*tape.Param {
	if p.param == nil {
		return nil
	}
	return []*tape.Param{p.param}
}

// add adds positions to the inputs of the first layer, where they belong there.
func (p *positions) add(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	switch p.kind {
	case "sinusoidal":
		return t.AddConstant(x, steps, p.table)
	case "learned":
		return t.AddSteps(x, steps, p.param)
	}
	return x
}

// nowhere is for sets, whose elements have no order.
func nowhere() *positions { return &positions{kind: "none"} }

// rotate turns queries and keys, where that is how positions are told.
func (p *positions) rotate(t *tape.Tape, qkv *tape.Tensor, steps int, size *encoderSize) *tape.Tensor {
	if p.kind != "rotary" {
		return qkv
	}
	return t.Rotate(qkv, steps, 2*size.heads, size.width/size.heads, rotaryWidth(size), p.table)
}

// bias is what is added to the scores, nil if nothing.
func (p *positions) bias(t *tape.Tape, queries, keys int) *tape.Tensor {
	switch p.kind {
	case "linear":
		return t.Input(p.heads*keys, queries, tape.LinearBias(p.heads, queries, keys))
	case "relative":
		return t.RelativeBias(p.param, queries, keys, relativeFar)
	}
	return nil
}

// normal draws from a normal distribution of mean 0.
func normal(v []float32, deviation float64, r *rand.Rand) {
	for i := range v {
		v[i] = float32(r.NormFloat64() * deviation)
	}
}
