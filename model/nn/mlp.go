package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// MLP configures the multilayer perceptron: for each hidden layer a linear map,
// a layer normalisation (where set), an activation and dropout; then a linear
// map to the classes (Rumelhart, Hinton and Williams 1986; Ba, Kiros and Hinton
// 2016; Srivastava et al. 2014).
type MLP struct {
	Common     `yaml:",inline"`
	Hidden     int     `yaml:"hidden" doc:"units of a hidden layer" min:"1" max:"65536" search:"int 32 512"`
	Layers     int     `yaml:"layers" doc:"hidden layers" min:"1" max:"64" search:"int 1 4"`
	Activation string  `yaml:"activation" doc:"what follows each hidden layer" enum:"relu,gelu,silu,tanh"`
	Norm       bool    `yaml:"norm" doc:"normalise each hidden layer before its activation"`
	Dropout    float64 `yaml:"dropout" doc:"share of hidden values that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultMLP is two layers of 128 units with normalisation and some dropout.
func DefaultMLP() MLP {
	return MLP{Common: DefaultCommon(), Hidden: 128, Layers: 2, Activation: "gelu", Norm: true, Dropout: 0.1}
}

// mlp is the network.
type mlp struct {
	cfg   *MLP
	maps  []linear
	norms []layerNorm
	out   linear
}

func newMLP(cfg *MLP, in Shape, s rng.Stream) network {
	r, inputs := s.Rand(), in.Table
	m := &mlp{cfg: cfg}
	for k := range cfg.Layers {
		m.maps = append(m.maps, newLinear(fmt.Sprintf("hidden.%d", k), inputs, cfg.Hidden, r))
		if cfg.Norm {
			m.norms = append(m.norms, newLayerNorm(fmt.Sprintf("norm.%d", k), cfg.Hidden))
		}
		inputs = cfg.Hidden
	}
	m.out = newLinear("out", inputs, in.Outputs, r)
	return m
}

func (m *mlp) Params() []*tape.Param {
	var p []*tape.Param
	for k, l := range m.maps {
		p = append(p, l.params()...)
		if m.norms != nil {
			p = append(p, m.norms[k].params()...)
		}
	}
	return append(p, m.out.params()...)
}

func (m *mlp) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Table
	for k, l := range m.maps {
		if a := activation(m.cfg.Activation); m.norms != nil {
			x = t.Apply(m.norms[k].apply(t, l.apply(t, x)), a)
		} else {
			x = l.activated(t, x, a)
		}
		x = t.Dropout(x, m.cfg.Dropout)
	}
	return m.out.apply(t, x)
}

// mlpEntry is the registry entry of "mlp".
func mlpEntry() model.Entry {
	return entry("mlp", "neural", model.InputTable, model.Abilities{}, "Multilayer perceptron: linear layers with layer normalisation, activation and dropout, trained with AdamW "+
		"(Rumelhart, Hinton & Williams 1986; Loshchilov & Hutter 2019), averaged over seeds.", DefaultMLP, newMLP)
}

var _ trainer.Network = (*mlp)(nil)
