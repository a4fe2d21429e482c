package nn

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// ITransformer configures the inverted transformer of Liu et al. (2024, figure
// 4): each channel's whole window is a token, embedded by one linear map, and
// attention runs between channels, which have no order. Layers are normalised
// after each part, as in the authors' code, whose head for classes this is:
// activation, dropout and a linear map of all tokens side by side. Their
// normalisation of each window belongs to forecasts and is left out, as there.
type ITransformer struct {
	Common           `yaml:",inline"`
	Heads            int     `yaml:"heads" doc:"heads of attention" min:"1" max:"64" search:"int 1 8"`
	HeadWidth        int     `yaml:"head_width" doc:"channels of a head; a token is heads × head_width wide" min:"1" max:"512" search:"int 4 32"`
	Layers           int     `yaml:"layers" doc:"encoder layers" min:"1" max:"48" search:"int 1 4"`
	Hidden           int     `yaml:"hidden" doc:"units of the feed-forward part of a layer" min:"1" max:"65536" search:"int 32 512"`
	Activation       string  `yaml:"activation" doc:"between the two maps of the feed-forward part, and before the output" enum:"relu,gelu,silu,tanh"`
	Dropout          float64 `yaml:"dropout" doc:"share of the values that are set to zero while training: of tokens, inside and after both parts of a layer, and before the output" min:"0" max:"0.95" search:"lin 0 0.5"`
	AttentionDropout float64 `yaml:"attention_dropout" doc:"share of the attention weights that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.3"`
}

// DefaultITransformer is two layers of 64 channels; the paper's smallest have 128.
func DefaultITransformer() ITransformer {
	return ITransformer{Common: DefaultCommon(), Heads: 4, HeadWidth: 16, Layers: 2, Hidden: 128, Activation: "gelu", Dropout: 0.1}
}

// itransformer is the network.
type itransformer struct {
	cfg     *ITransformer
	shape   Sequence
	in, out linear
	encoder *encoder
}

func newITransformer(cfg *ITransformer, in Shape, s rng.Stream) network {
	r, q := s.Rand(), in.Streams[0]
	size := &encoderSize{heads: cfg.Heads, width: cfg.Heads * cfg.HeadWidth, hidden: cfg.Hidden,
		dropout: cfg.Dropout, attentionDropout: cfg.AttentionDropout, activation: cfg.Activation, post: true}
	return &itransformer{cfg: cfg, shape: q,
		in:      newLinear("value_embedding", q.Steps, size.width, r),
		encoder: newEncoder("encoder", cfg.Layers, size, r),
		out:     newLinear("projection", q.Channels*size.width, in.Outputs, r)}
}

func (n *itransformer) Params() []*tape.Param {
	return append(append(n.in.params(), n.encoder.params()...), n.out.params()...)
}

// Stepwise says that few windows at a time are enough.
func (n *itransformer) Stepwise() {}

func (n *itransformer) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := t.Patch(in.Streams[0], n.shape.Steps, tape.Patches{Length: n.shape.Steps, Stride: 1})
	x = t.Dropout(n.in.apply(t, x), n.cfg.Dropout)
	x = n.encoder.apply(t, x, n.shape.Channels, nowhere(), false, false)
	x = t.Dropout(t.Apply(x, activation(n.cfg.Activation)), n.cfg.Dropout)
	return n.out.apply(t, t.Reshape(x, in.Rows, n.shape.Channels*x.Cols))
}

// itransformerEntry is the registry entry of "itransformer".
func itransformerEntry() model.Entry {
	return entry("itransformer", "attention", model.InputWindows, model.Abilities{}, "Inverted transformer: the whole window of a channel is a token and attention runs between channels (Liu et al. 2024).", DefaultITransformer, newITransformer)
}
