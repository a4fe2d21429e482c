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

// LSTM configures a stack of long short-term memory layers (Hochreiter and
// Schmidhuber 1997; with forget gates, Gers et al. 2000). The state after the
// last bar goes through dropout and a linear map to the classes.
type LSTM struct {
	Common     `yaml:",inline"`
	Hidden     int     `yaml:"hidden" doc:"units of a layer" min:"1" max:"4096" search:"int 16 256"`
	Layers     int     `yaml:"layers" doc:"layers, each fed by the one below" min:"1" max:"16" search:"int 1 3"`
	Dropout    float64 `yaml:"dropout" doc:"share of the values between layers and before the output that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
	ForgetBias float64 `yaml:"forget_bias" doc:"added at the start to the bias of the forget gate, so that states last longer (Jozefowicz et al. 2015); 0: PyTorch's start" min:"-10" max:"10" search:"lin 0 3"`
}

// DefaultLSTM is one layer of 64 units whose forget gates start half open: with
// PyTorch's start it does not learn in as many epochs what the first bars of a window
// tell (TestRecurrentNetworksRemember).
func DefaultLSTM() LSTM {
	return LSTM{Common: DefaultCommon(), Hidden: 64, Layers: 1, Dropout: 0.1, ForgetBias: 1}
}

// lstm is the network.
type lstm struct {
	cfg    *LSTM
	steps  int
	layers []*tape.Recurrent
	out    linear
}

func newLSTM(cfg *LSTM, in Shape, s rng.Stream) network {
	r := s.Rand()
	n, width := &lstm{cfg: cfg, steps: in.Streams[0].Steps}, in.Streams[0].Channels
	for k := range cfg.Layers {
		n.layers = append(n.layers, newRecurrent("lstm", k, 4, width, cfg.Hidden, r))
		lasting(n.layers[k], cfg.ForgetBias)
		width = cfg.Hidden
	}
	n.out = newLinear("out", width, in.Outputs, r)
	return n
}

func (n *lstm) Params() []*tape.Param {
	var p []*tape.Param
	for _, l := range n.layers {
		p = append(p, l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias)
	}
	return append(p, n.out.params()...)
}

// Gains reports whether bars that windows share are multiplied once. No loss by
// blocks of neighbours could be measured (docs/networks.md).
func (n *lstm) Gains() bool { return n.layers[0].Shares() }

func (n *lstm) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Streams[0]
	for k, l := range n.layers {
		if k > 0 {
			x = t.Dropout(x, n.cfg.Dropout)
		}
		if k < len(n.layers)-1 {
			x = t.LSTM(x, n.steps, l)
		} else {
			x = t.LSTMLast(x, n.steps, l)
		}
	}
	return n.out.apply(t, t.Dropout(x, n.cfg.Dropout))
}

// newRecurrent draws a layer of an LSTM (4 gates) or GRU (3) uniformly from
// ±1/√hidden and names it as PyTorch does: lstm.weight_ih_l0.
func newRecurrent(name string, layer, gates, in, hidden int, r *rand.Rand) *tape.Recurrent {
	param := func(part string, shape ...int) *tape.Param {
		p := tape.NewParam(fmt.Sprintf("%s.%s_l%d", name, part, layer), shape...)
		p.NoDecay = len(shape) == 1
		uniform(p.Value, 1/math.Sqrt(float64(hidden)), r)
		return p
	}
	return &tape.Recurrent{
		InputWeight: param("weight_ih", gates*hidden, in), HiddenWeight: param("weight_hh", gates*hidden, hidden),
		InputBias: param("bias_ih", gates*hidden), HiddenBias: param("bias_hh", gates*hidden),
	}
}

// lasting adds to the bias of the gate that keeps the state, the second of an LSTM
// (input, forget, cell, output) and of a GRU (reset, update, new) as PyTorch orders
// them.
func lasting(l *tape.Recurrent, bias float64) {
	n := l.HiddenWeight.Shape[1]
	for i := n; i < 2*n; i++ {
		l.InputBias.Value[i] += float32(bias)
	}
}

// lstmEntry is the registry entry of "lstm".
func lstmEntry() model.Entry {
	return entry("lstm", "recurrent", model.InputWindows, model.Abilities{}, "Long short-term memory over a window of bars; its last state decides "+
		"(Hochreiter & Schmidhuber 1997; Gers et al. 2000).", DefaultLSTM, newLSTM)
}
