package nn

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// Transformer configures the encoder of Vaswani et al. (2017, figure 1 left)
// over the bars of a window, with normalisations first (Xiong et al. 2020): a
// linear map of each bar, positions, layers of self-attention and feed-forward,
// a last normalisation, and a linear map of the last bar or of the mean of all.
// The model is heads·head_width wide.
type Transformer struct {
	Common           `yaml:",inline"`
	Heads            int     `yaml:"heads" doc:"heads of attention" min:"1" max:"64" search:"int 1 8"`
	HeadWidth        int     `yaml:"head_width" doc:"channels of a head; the model is heads × head_width wide" min:"2" max:"512" search:"int 4 32"`
	Layers           int     `yaml:"layers" doc:"encoder layers" min:"1" max:"48" search:"int 1 4"`
	Hidden           int     `yaml:"hidden" doc:"units of the feed-forward part of a layer" min:"1" max:"65536" search:"int 32 512"`
	Positions        string  `yaml:"positions" doc:"sinusoidal or learned: added to the bars; rotary: queries and keys are turned (Su et al. 2021); linear: scores fall with distance (Press et al. 2022); relative: a learned bias for each distance (Raffel et al. 2020); none" enum:"sinusoidal,learned,rotary,linear,relative,none"`
	Causal           bool    `yaml:"causal" doc:"a bar attends to itself and earlier ones only"`
	Pool             string  `yaml:"pool" doc:"what decides: the last bar, or the mean of all bars" enum:"last,mean"`
	Activation       string  `yaml:"activation" doc:"between the two maps of the feed-forward part" enum:"relu,gelu,silu,tanh"`
	Dropout          float64 `yaml:"dropout" doc:"share of the values that are set to zero while training: of the inputs, inside and after both parts of a layer" min:"0" max:"0.95" search:"lin 0 0.5"`
	AttentionDropout float64 `yaml:"attention_dropout" doc:"share of the attention weights that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.3"`
}

// DefaultTransformer is two layers of 64 channels: the proportions of the paper's
// base model (feed-forward four times as wide), a quarter of its heads' width and
// half of their number, for thousands and not millions of examples.
func DefaultTransformer() Transformer {
	return Transformer{Common: DefaultCommon(), Heads: 4, HeadWidth: 16, Layers: 2, Hidden: 256, Positions: "sinusoidal", Pool: "mean", Activation: "gelu", Dropout: 0.1}
}

// transformer is the network.
type transformer struct {
	cfg     *Transformer
	steps   int
	in, out linear
	at      *positions
	encoder *encoder
}

func newTransformer(cfg *Transformer, in Shape, s rng.Stream) network {
	r, q := s.Rand(), in.Streams[0]
	size := &encoderSize{heads: cfg.Heads, width: cfg.Heads * cfg.HeadWidth, hidden: cfg.Hidden,
		dropout: cfg.Dropout, attentionDropout: cfg.AttentionDropout, activation: cfg.Activation}
	return &transformer{cfg: cfg, steps: q.Steps,
		in:      newLinear("embedding", q.Channels, size.width, r),
		at:      newPositions(cfg.Positions, q.Steps, size, r),
		encoder: newEncoder("encoder", cfg.Layers, size, r),
		out:     newLinear("out", size.width, in.Outputs, r)}
}

func (n *transformer) Params() []*tape.Param {
	p := append(n.in.params(), n.at.params()...)
	return append(append(p, n.encoder.params()...), n.out.params()...)
}

// Stepwise says that few windows at a time are enough.
func (n *transformer) Stepwise() {}

func (n *transformer) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	last := n.cfg.Pool == "last"
	x := t.Dropout(n.at.add(t, n.in.apply(t, in.Streams[0]), n.steps), n.cfg.Dropout)
	x = n.encoder.apply(t, x, n.steps, n.at, n.cfg.Causal, last)
	if !last {
		x = t.MeanSteps(x, n.steps)
	}
	return n.out.apply(t, x)
}

// transformerEntry is the registry entry of "transformer".
func transformerEntry() model.Entry {
	return entry("transformer", "attention", model.InputWindows, model.Abilities{}, "Transformer encoder over a window of bars: self-attention of several heads and feed-forward layers, normalised first "+
		"(Vaswani et al. 2017; Xiong et al. 2020), with positions that are added, turned or learned as a bias.", DefaultTransformer, newTransformer)
}
