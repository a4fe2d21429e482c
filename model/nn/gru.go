package nn

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// GRU configures a stack of gated recurrent units (Cho et al. 2014, equations 5
// to 8) in the form of PyTorch and cuDNN, where the reset gate multiplies the
// state's product and not the state. The state after the last bar goes through
// dropout and a linear map to the outputs.
type GRU struct {
	Common     `yaml:",inline"`
	Hidden     int     `yaml:"hidden" doc:"units of a layer" min:"1" max:"4096" search:"int 16 256"`
	Layers     int     `yaml:"layers" doc:"layers, each fed by the one below" min:"1" max:"16" search:"int 1 3"`
	Dropout    float64 `yaml:"dropout" doc:"share of the values between layers and before the output that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
	ForgetBias float64 `yaml:"forget_bias" doc:"added at the start to the bias of the update gate, so that states last longer (what Jozefowicz et al. 2015 do to the forget gate of an LSTM), longer windows want more, 40 bars 3; 0: PyTorch's start" min:"-10" max:"10" search:"lin 0 3"`
}

// DefaultGRU is one layer of 64 units that start to keep their state, as [DefaultLSTM]'s do.
func DefaultGRU() GRU {
	return GRU{Common: DefaultCommon(), Hidden: 64, Layers: 1, Dropout: 0.1, ForgetBias: 1}
}

// gru is the network.
type gru struct {
	cfg    *GRU
	steps  int
	layers []*tape.Recurrent
	out    linear
}

func newGRU(cfg *GRU, in Shape, s rng.Stream) network {
	r := s.Rand()
	n, width := &gru{cfg: cfg, steps: in.Streams[0].Steps}, in.Streams[0].Channels
	for k := range cfg.Layers {
		n.layers = append(n.layers, newRecurrent("gru", k, 3, width, cfg.Hidden, r))
		lasting(n.layers[k], cfg.ForgetBias)
		width = cfg.Hidden
	}
	n.out = newLinear("out", width, in.Outputs, r)
	return n
}

func (n *gru) Params() []*tape.Param {
	var p []*tape.Param
	for _, l := range n.layers {
		p = append(p, l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias)
	}
	return append(p, n.out.params()...)
}

func (n *gru) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Streams[0]
	for k, l := range n.layers {
		if k > 0 {
			x = t.Dropout(x, n.cfg.Dropout)
		}
		if k < len(n.layers)-1 {
			x = t.GRU(x, n.steps, l)
		} else {
			x = t.GRULast(x, n.steps, l)
		}
	}
	return n.out.apply(t, t.Dropout(x, n.cfg.Dropout))
}

// gruEntry is the registry entry of "gru".
func gruEntry() model.Entry {
	return entry("gru", "recurrent", model.InputWindows, model.Abilities{}, "Gated recurrent units over a window of bars; their last state decides (Cho et al. 2014).", DefaultGRU, newGRU)
}
