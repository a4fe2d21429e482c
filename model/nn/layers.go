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
