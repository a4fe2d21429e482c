package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// RealMLP configures the perceptron with tuned defaults of Holzmüller et al. (2024,
// figure 1, "RealMLP-TD"). Taken from it are: robust scales and smooth bounds of the
// inputs; periodic embeddings of every column (PBLD); a factor on each value behind
// them (the scaling layer); linear layers in the neural tangent parametrisation,
// W·x/√in + b with weights drawn from N(0, 1); activations (1−α)·x + α·SELU(x) with
// α of each unit's own; rates of their own for the factors (6), for biases, α and
// embeddings (0.1); the schedule coslog4, β₂ = 0.95 and label smoothing of 0.1.
// Not taken are its schedules of dropout and weight decay, its starts of biases from
// the data (they are drawn from N(0, 1)), the activation Mish for regressions and
// one-hot inputs.
type RealMLP struct {
	Common    `yaml:",inline"`
	Hidden    int     `yaml:"hidden" doc:"units of a hidden layer" min:"1" max:"65536" search:"int 64 512"`
	Layers    int     `yaml:"layers" doc:"hidden layers" min:"1" max:"64" search:"int 1 4"`
	Waves     int     `yaml:"waves" doc:"waves of each column in its embedding" min:"1" max:"256"`
	Embedding int     `yaml:"embedding" doc:"values of each column in its embedding, itself included; 1: itself alone" min:"1" max:"64"`
	Frequency float64 `yaml:"frequency" doc:"deviation of the frequencies that waves begin with" min:"1e-6" max:"1000" search:"log 0.05 0.5"`
	Dropout   float64 `yaml:"dropout" doc:"share of hidden values that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultRealMLP has the paper's parameters with 128 units instead of 256 and a
// learning rate of 0.01 instead of 0.04.
func DefaultRealMLP() RealMLP {
	c := RealMLP{Common: DefaultCommon(), Hidden: 128, Layers: 3, Waves: 16, Embedding: 4, Frequency: 0.1, Dropout: 0.15}
	c.InputScale, c.InputClip = "robust", 3
	c.Schedule, c.Warmup, c.FinalRate, c.Beta2, c.LabelSmoothing = "coslog4", 0, 0, 0.95, 0.1
	c.LearningRate, c.WeightDecay, c.ClipNorm = 1e-2, 2e-2, 0
	return c
}

// realmlp is the network.
type realmlp struct {
	cfg     *RealMLP
	columns *tape.Periodic // nil: columns as they are
	scale   *tape.Param
	layers  []linear
	alphas  []*tape.Param
	out     linear
}

func newRealMLP(cfg *RealMLP, in Shape, s rng.Stream) network {
	r, width := s.Rand(), in.Table
	n := &realmlp{cfg: cfg}
	slow := func(p *tape.Param) *tape.Param {
		p.NoDecay, p.Rate = true, 0.1
		return p
	}
	if d := cfg.Embedding - 1; d > 0 {
		p := &tape.Periodic{
			Frequency: slow(tape.NewParam("num_emb.frequency", width, cfg.Waves)), Phase: slow(tape.NewParam("num_emb.phase", width, cfg.Waves)),
			Weight: slow(tape.NewParam("num_emb.weight", width, d, cfg.Waves)), Bias: slow(tape.NewParam("num_emb.bias", width, d)),
		}
		gaussian(p.Frequency.Value, cfg.Frequency, r)
		uniform(p.Phase.Value, math.Pi, r)
		uniform(p.Weight.Value, 1/math.Sqrt(float64(cfg.Waves)), r)
		uniform(p.Bias.Value, 1/math.Sqrt(float64(cfg.Waves)), r)
		n.columns, width = p, width*cfg.Embedding
	}
	n.scale = tape.NewParam("scale", width)
	n.scale.Rate, n.scale.NoDecay = 6, true
	for i := range n.scale.Value {
		n.scale.Value[i] = 1
	}
	tangent := func(name string, in, out int) linear {
		l := linear{tape.NewParam(name+".weight", out, in), slow(tape.NewParam(name+".bias", out))}
		gaussian(l.weight.Value, 1, r)
		gaussian(l.bias.Value, 1, r)
		return l
	}
	for k := range cfg.Layers {
		n.layers = append(n.layers, tangent(fmt.Sprintf("hidden.%d", k), width, cfg.Hidden))
		a := slow(tape.NewParam(fmt.Sprintf("act.%d.alpha", k), cfg.Hidden))
		for i := range a.Value {
			a.Value[i] = 1
		}
		n.alphas, width = append(n.alphas, a), cfg.Hidden
	}
	n.out = tangent("out", width, in.Outputs)
	clear(n.out.bias.Value)
	return n
}

// gaussian draws from N(0, deviation²).
func gaussian(v []float32, deviation float64, r *rand.Rand) {
	for i := range v {
		v[i] = float32(r.NormFloat64() * deviation)
	}
}

func (n *realmlp) Params() []*tape.Param {
	var p []*tape.Param
	if c := n.columns; c != nil {
		p = append(p, c.Frequency, c.Phase, c.Weight, c.Bias)
	}
	p = append(p, n.scale)
	for k, l := range n.layers {
		p = append(append(p, l.params()...), n.alphas[k])
	}
	return append(p, n.out.params()...)
}

func (n *realmlp) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Table
	if n.columns != nil {
		x = t.Periodic(x, n.columns)
	}
	x = t.MulSteps(x, 1, n.scale)
	tangent := func(l linear, x *tape.Tensor) *tape.Tensor {
		return l.apply(t, t.Scale(x, float32(1/math.Sqrt(float64(x.Cols)))))
	}
	for k, l := range n.layers {
		x = tangent(l, x)
		x = t.Add(x, t.MulSteps(t.Add(selu(t, x), t.Scale(x, -1)), 1, n.alphas[k]))
		x = t.Dropout(x, n.cfg.Dropout)
	}
	return tangent(n.out, x)
}

// selu is λ·(max(0, x) + α·min(0, eˣ − 1)) (Klambauer et al. 2017).
func selu(t *tape.Tape, x *tape.Tensor) *tape.Tensor {
	const lambda, alpha = 1.0507009873554805, 1.6732632423543772
	return t.Add(t.Scale(t.ELU(x), lambda*alpha), t.Scale(t.Apply(x, tape.ReLU), lambda*(1-alpha)))
}

// realmlpEntry is the registry entry of "realmlp".
func realmlpEntry() model.Entry {
	return entry("realmlp", "neural", model.InputTable, model.Abilities{}, "A perceptron with tuned defaults: robust inputs, periodic embeddings of columns, a factor on each input, neural tangent parametrisation and activations with parameters "+
		"(Holzmüller, Grinsztajn & Steinwart 2024).", DefaultRealMLP, newRealMLP)
}
