package nn

import (
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// newConv draws a convolution uniformly from ±1/√(in/groups·kernel), as PyTorch
// does (He et al. 2015 with a = √5). The caller sets its padding.
func newConv(name string, in, out, kernel, groups int, bias bool, r *rand.Rand) *tape.Conv {
	c := &tape.Conv{Weight: tape.NewParam(name+".weight", out, in/groups, kernel), Groups: groups}
	bound := 1 / math.Sqrt(float64(in/groups*kernel))
	uniform(c.Weight.Value, bound, r)
	if bias {
		c.Bias = tape.NewParam(name+".bias", out)
		c.Bias.NoDecay = true
		uniform(c.Bias.Value, bound, r)
	}
	return c
}

// convParams are the parameters of a convolution.
func convParams(c *tape.Conv) []*tape.Param {
	if c.Bias == nil {
		return []*tape.Param{c.Weight}
	}
	return []*tape.Param{c.Weight, c.Bias}
}

// convNorm is a convolution without bias and a batch normalisation.
type convNorm struct {
	conv *tape.Conv
	norm *tape.BatchNorm
}

func newConvNorm(conv, norm string, in, out, kernel, groups int, r *rand.Rand) convNorm {
	c := convNorm{newConv(conv, in, out, kernel, groups, false, r), tape.NewBatchNorm(norm, out)}
	c.conv.Same()
	return c
}

func (c convNorm) params() []*tape.Param { return append(convParams(c.conv), c.norm.Params()...) }

func (c convNorm) apply(t *tape.Tape, x *tape.Tensor, steps int, a tape.Activation) *tape.Tensor {
	return t.BatchNorm(t.Conv(x, steps, c.conv, tape.None), c.norm, a)
}
