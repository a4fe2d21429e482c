package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// PatchTST configures the patch time series transformer of Nie et al. (2023,
// figure 1): each channel of a window has its last value repeated by one stride, is
// cut into overlapping patches, and runs through one encoder that all channels
// share; what it makes of the channels, side by side, goes through a linear map.
//
// Of several timeframes each is patched on its own and has positions of its own; the
// embedding of a patch and the encoder are shared, and one linear map reads all of
// them. The encoder's layers are normalised first.
//
// The head last is the authors' for classes, which reads the last patch of each
// channel; flatten, that of their forecasts, reads all patches. Inputs of a head are
// much alike, and AdamW moves the weights of all of them at once: a head of more
// than 1,024 inputs learns at a rate that falls with their number (Yang et al.
// 2022, table 3: Adam's rate of the weights of an output is one over their inputs).
//
// With revin each channel of a window is normalised by its own mean and deviation
// first (Kim et al. 2022). A forecast gets them back at its end, a decision does not:
// where the level of a feature tells something, as widths and volatilities do, it is
// lost.
type PatchTST struct {
	Common           `yaml:",inline"`
	Patch            int     `yaml:"patch" doc:"bars of a patch; at most those of the shortest window" min:"1" max:"4096" search:"int 4 32"`
	Stride           int     `yaml:"stride" doc:"bars from a patch to the next; at most those of a patch" min:"1" max:"4096" search:"int 2 16"`
	Heads            int     `yaml:"heads" doc:"heads of attention" min:"1" max:"64" search:"int 1 16"`
	HeadWidth        int     `yaml:"head_width" doc:"channels of a head; a patch is heads × head_width wide" min:"1" max:"512" search:"int 4 16"`
	Layers           int     `yaml:"layers" doc:"encoder layers" min:"1" max:"48" search:"int 1 4"`
	Hidden           int     `yaml:"hidden" doc:"units of the feed-forward part of a layer" min:"1" max:"65536" search:"int 32 256"`
	RevIN            bool    `yaml:"revin" doc:"normalise each channel of a window by its own mean and deviation, which the head does not see then"`
	Head             string  `yaml:"head" doc:"what decides: the last patch of each channel or all of them (flatten)" enum:"last,flatten"`
	Activation       string  `yaml:"activation" doc:"between the two maps of the feed-forward part" enum:"relu,gelu,silu,tanh"`
	Dropout          float64 `yaml:"dropout" doc:"share of the values that are set to zero while training: of patches, inside and after both parts of a layer" min:"0" max:"0.95" search:"lin 0 0.5"`
	AttentionDropout float64 `yaml:"attention_dropout" doc:"share of the attention weights that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.3"`
	HeadDropout      float64 `yaml:"head_dropout" doc:"share of the head's inputs that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultPatchTST is the paper's model for small data sets: 3 layers, 4 heads, 16
// channels, feed-forward 128, patches of 16 by 8. The paper's dropout of 0.3 for
// them is the head's here, 0.1 that of the encoder. As it decides and does not
// forecast, it reads the last patches and keeps the levels of its windows.
func DefaultPatchTST() PatchTST {
	return PatchTST{Common: DefaultCommon(), Patch: 16, Stride: 8, Heads: 4, HeadWidth: 4, Layers: 3, Hidden: 128,
		Head: "last", Activation: "gelu", Dropout: 0.1, HeadDropout: 0.3}
}

// patchTST is the network.
type patchTST struct {
	cfg     *PatchTST
	streams []patchStream
	in, out linear
	encoder *encoder
}

// patchStream is what a timeframe has of its own.
type patchStream struct {
	shape   Sequence
	patches tape.Patches
	count   int
	revin   *tape.RevIN
	at      *positions
}

func newPatchTST(cfg *PatchTST, in Shape, s rng.Stream) network {
	r := s.Rand()
	size := &encoderSize{heads: cfg.Heads, width: cfg.Heads * cfg.HeadWidth, hidden: cfg.Hidden,
		dropout: cfg.Dropout, attentionDropout: cfg.AttentionDropout, activation: cfg.Activation}
	n := &patchTST{cfg: cfg}
	length := cfg.Patch
	for _, q := range in.Streams {
		length = min(length, q.Steps)
	}
	stride := min(cfg.Stride, length)
	n.in = newLinear("W_P", length, size.width, r)
	n.encoder = newEncoder("encoder", cfg.Layers, size, r)
	inputs := 0
	for k, q := range in.Streams {
		p := patchStream{shape: q, patches: tape.Patches{Length: length, Stride: stride, End: stride}}
		p.count = p.patches.Count(q.Steps)
		p.at = newPositions("learned", p.count, size, r)
		p.at.param.Name = fmt.Sprintf("W_pos.%d", k)
		if cfg.RevIN {
			p.revin = &tape.RevIN{Gain: tape.NewParam(fmt.Sprintf("revin.%d.affine_weight", k), q.Channels),
				Bias: tape.NewParam(fmt.Sprintf("revin.%d.affine_bias", k), q.Channels), Epsilon: 1e-5}
			p.revin.Gain.NoDecay, p.revin.Bias.NoDecay = true, true
			for j := range p.revin.Gain.Value {
				p.revin.Gain.Value[j] = 1
			}
		}
		inputs += q.Channels * p.read(cfg) * size.width
		n.streams = append(n.streams, p)
	}
	n.out = newLinear("head.linear", inputs, in.Outputs, r)
	n.out.weight.Rate = min(1, float64(headInputs)/float64(inputs))
	return n
}

// headInputs is the number of inputs from which on a head learns at a smaller rate.
const headInputs = 1024

// read is the number of patches of a channel that the head sees.
func (p *patchStream) read(cfg *PatchTST) int {
	if cfg.Head == "last" {
		return 1
	}
	return p.count
}

func (n *patchTST) Params() []*tape.Param {
	var p []*tape.Param
	for _, s := range n.streams {
		if s.revin != nil {
			p = append(p, s.revin.Gain, s.revin.Bias)
		}
		p = append(p, s.at.params()...)
	}
	return append(append(append(p, n.in.params()...), n.encoder.params()...), n.out.params()...)
}

// Stepwise says that few windows at a time are enough.
func (n *patchTST) Stepwise() {}

func (n *patchTST) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	all := make([]*tape.Tensor, len(n.streams))
	for k, s := range n.streams {
		x := in.Streams[k]
		if s.revin != nil {
			x, _ = t.Normalise(x, s.shape.Steps, s.revin)
		}
		x = n.in.apply(t, t.Patch(x, s.shape.Steps, s.patches))
		x = t.Dropout(s.at.add(t, x, s.count), n.cfg.Dropout)
		x = n.encoder.apply(t, x, s.count, s.at, false, n.cfg.Head == "last")
		all[k] = t.Reshape(x, in.Rows, s.shape.Channels*s.read(n.cfg)*x.Cols)
	}
	x := all[0]
	if len(all) > 1 {
		x = t.Concat(all...)
	}
	return n.out.apply(t, t.Dropout(x, n.cfg.HeadDropout))
}

// patchtstEntry is the registry entry of "patchtst".
func patchtstEntry() model.Entry {
	return entry("patchtst", "attention", model.InputStreams, model.Abilities{}, "Patch time series transformer: every channel of every timeframe on its own, normalised, cut into patches, through one "+
		"encoder that all share (Nie et al. 2023).", DefaultPatchTST, newPatchTST)
}
