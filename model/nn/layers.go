package nn

import (
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// linear is a fully connected layer.
type linear struct{ weight, bias *tape.Param }

// newLinear draws weights and biases uniformly from ±1/√in, as PyTorch does (He
// et al. 2015 with a = √5).
func newLinear(name string, in, out int, r *rand.Rand) linear {
	l := linear{tape.NewParam(name+".weight", out, in), tape.NewParam(name+".bias", out)}
	l.bias.NoDecay = true
	bound := 1 / math.Sqrt(float64(in))
	uniform(l.weight.Value, bound, r)
	uniform(l.bias.Value, bound, r)
	return l
}

func (l linear) params() []*tape.Param { return []*tape.Param{l.weight, l.bias} }

func (l linear) apply(t *tape.Tape, x *tape.Tensor) *tape.Tensor {
	return t.Linear(x, l.weight, l.bias)
}

// activated is the layer followed by an activation.
func (l linear) activated(t *tape.Tape, x *tape.Tensor, a tape.Activation) *tape.Tensor {
	return t.LinearApply(x, l.weight, l.bias, a)
}

// add is z plus the layer's result with dropout, the end of a residual part.
func (l linear) add(t *tape.Tape, x, z *tape.Tensor, dropout float64) *tape.Tensor {
	if t.Train() && dropout > 0 {
		return t.Add(z, t.Dropout(l.apply(t, x), dropout))
	}
	return t.LinearAdd(x, l.weight, l.bias, z)
}

func uniform(v []float32, bound float64, r *rand.Rand) {
	for i := range v {
		v[i] = float32((2*r.Float64() - 1) * bound)
	}
}

// layerNorm is a layer normalisation with gain 1 and bias 0 at the start.
type layerNorm struct{ gain, bias *tape.Param }

func newLayerNorm(name string, n int) layerNorm {
	l := layerNorm{tape.NewParam(name+".weight", n), tape.NewParam(name+".bias", n)}
	l.gain.NoDecay, l.bias.NoDecay = true, true
	for i := range l.gain.Value {
		l.gain.Value[i] = 1
	}
	return l
}

func (l layerNorm) params() []*tape.Param { return []*tape.Param{l.gain, l.bias} }

func (l layerNorm) apply(t *tape.Tape, x *tape.Tensor) *tape.Tensor {
	return t.LayerNorm(x, l.gain, l.bias, 1e-5)
}

// activation is the tape's name of a configuration's word.
func activation(word string) tape.Activation {
	switch word {
	case "relu":
		return tape.ReLU
	case "silu":
		return tape.SiLU
	case "tanh":
		return tape.Tanh
	}
	return tape.GELU
}

// newProjection draws a linear map without bias as [newLinear] does.
func newProjection(name string, in, out int, r *rand.Rand) *tape.Param {
	p := tape.NewParam(name, out, in)
	uniform(p.Value, 1/math.Sqrt(float64(in)), r)
	return p
}

// newGain is the gain of a norm, 1 at the start.
func newGain(name string, n int) *tape.Param {
	p := tape.NewParam(name, n)
	p.NoDecay = true
	for i := range p.Value {
		p.Value[i] = 1
	}
	return p
}

// shortConv is a causal convolution of every channel with a few taps of its own,
// as PyTorch's Conv1d with as many groups as channels.
type shortConv struct{ weight, bias *tape.Param }

func newShortConv(name string, channels, taps int, r *rand.Rand) shortConv {
	c := shortConv{tape.NewParam(name+".weight", channels, 1, taps), tape.NewParam(name+".bias", channels)}
	c.bias.NoDecay = true
	bound := 1 / math.Sqrt(float64(taps))
	uniform(c.weight.Value, bound, r)
	uniform(c.bias.Value, bound, r)
	return c
}

func (c shortConv) params() []*tape.Param { return []*tape.Param{c.weight, c.bias} }

func (c shortConv) apply(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	return t.ShortConv(x, steps, c.weight, c.bias)
}

// drawSteps fills v with step lengths, log-uniform between lo and hi but at least
// floor, each passed through f.
func drawSteps(v []float32, lo, hi, floor float64, r *rand.Rand, f func(dt float64) float64) {
	for i := range v {
		v[i] = float32(f(max(floor, math.Exp(math.Log(lo)+r.Float64()*(math.Log(hi)-math.Log(lo))))))
	}
}

// inverseSoftplus is x with log(1 + eˣ) = y.
func inverseSoftplus(y float64) float64 { return y + math.Log(-math.Expm1(-y)) }
