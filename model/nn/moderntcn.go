package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
)

// ModernTCN configures the network of Luo and Wang (2024, figure 2). Patches of
// each channel are embedded in features by a map that all channels share. In
// each block a long convolution runs over the patches of each channel and
// feature on its own, a first feed-forward layer mixes the features of a channel
// (ConvFFN1), a second one the channels of a feature (ConvFFN2), and the block's
// input is added:
//
//	x ← x + ffn₂(ffn₁(norm(conv_large x + conv_small x)))
//
// The short convolution beside the long one (Ding et al. 2022) helps the long one
// to learn; at the end both could be one. GELU, all features of all channels and
// patches, dropout and a linear map decide. The authors normalise each window of
// a forecast (RevIN) but not here: levels tell.
//
// Sizes grow with channels × features, so that the defaults are small ones of
// the authors' for short windows.
type ModernTCN struct {
	Common   `yaml:",inline"`
	Features int     `yaml:"features" doc:"features of each channel" min:"1" max:"1024" search:"int 4 32"`
	Blocks   int     `yaml:"blocks" doc:"blocks" min:"1" max:"16" search:"int 1 3"`
	Patch    int     `yaml:"patch" doc:"bars of a patch" min:"1" max:"512"`
	Stride   int     `yaml:"stride" doc:"bars from patch to patch, at most patch" min:"1" max:"512"`
	Large    int     `yaml:"large" doc:"taps of the long convolution, odd" min:"1" max:"255" search:"int 5 51"`
	Small    int     `yaml:"small" doc:"taps of the short convolution beside it, odd; 0: there is none" min:"0" max:"255"`
	Ratio    int     `yaml:"ratio" doc:"hidden units of a feed-forward layer for each of its inputs" min:"1" max:"16"`
	Dropout  float64 `yaml:"dropout" doc:"share of the values in the feed-forward layers and before the output that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultModernTCN is one block of 8 features, patches of 8 bars every 4.
func DefaultModernTCN() ModernTCN {
	return ModernTCN{Common: DefaultCommon(), Features: 8, Blocks: 1, Patch: 8, Stride: 4, Large: 13, Small: 5, Ratio: 1, Dropout: 0.1}
}

// fits reports what does not suit windows of so many bars.
func (c *ModernTCN) fits(steps int) error {
	bad := func(path, format string, a ...any) error {
		return &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)}
	}
	switch {
	case c.Stride > c.Patch:
		return bad("stride", "%d bars from patch to patch leave out some of patches of %d", c.Stride, c.Patch)
	case c.Patch > steps:
		return bad("patch", "patches of %d bars are longer than a window", c.Patch)
	case c.Large%2 == 0:
		return bad("large", "%d taps have no middle", c.Large)
	case c.Small > 0 && c.Small%2 == 0:
		return bad("small", "%d taps have no middle", c.Small)
	case c.Small > c.Large:
		return bad("small", "%d taps are more than the %d of large", c.Small, c.Large)
	}
	return nil
}

// modernTCN is the network.
type modernTCN struct {
	cfg      *ModernTCN
	steps    int
	channels int
	patches  tape.Patches
	stem     linear
	stemNorm *tape.BatchNorm
	blocks   []modernBlock
	out      linear
}

type modernBlock struct {
	large, small convNorm // small.conv is nil without one
	norm         *tape.BatchNorm
	first        [2]*tape.Conv // groups: channels
	second       [2]*tape.Conv // groups: features
}

func newModernTCN(cfg *ModernTCN, in Shape, s rng.Stream) network {
	r := s.Rand()
	seq, d := in.Streams[0], cfg.Features
	n := &modernTCN{cfg: cfg, steps: seq.Steps, channels: seq.Channels,
		patches: tape.Patches{Length: cfg.Patch, Stride: cfg.Stride, End: cfg.Patch - cfg.Stride, ByStep: true}}
	n.stem = newLinear("stem.0", cfg.Patch, d, r)
	n.stem.weight.Shape = []int{d, 1, cfg.Patch} // a convolution of one channel
	n.stemNorm = tape.NewBatchNorm("stem.1", d)
	width, hidden := seq.Channels*d, seq.Channels*d*cfg.Ratio
	for b := range cfg.Blocks {
		name := fmt.Sprintf("blocks.%d.", b)
		m := modernBlock{norm: tape.NewBatchNorm(name+"norm", d)}
		m.large = newConvNorm(name+"dw.lkb_origin.conv", name+"dw.lkb_origin.bn", width, width, cfg.Large, width, r)
		if cfg.Small > 0 {
			m.small = newConvNorm(name+"dw.small_conv.conv", name+"dw.small_conv.bn", width, width, cfg.Small, width, r)
		}
		m.first = [2]*tape.Conv{newConv(name+"ffn1pw1", width, hidden, 1, seq.Channels, true, r), newConv(name+"ffn1pw2", hidden, width, 1, seq.Channels, true, r)}
		m.second = [2]*tape.Conv{newConv(name+"ffn2pw1", width, hidden, 1, d, true, r), newConv(name+"ffn2pw2", hidden, width, 1, d, true, r)}
		n.blocks = append(n.blocks, m)
	}
	n.out = newLinear("head_class", n.patches.Count(n.steps)*width, in.Outputs, r)
	return n
}

func (n *modernTCN) Params() []*tape.Param {
	p := append(n.stem.params(), n.stemNorm.Params()...)
	for _, b := range n.blocks {
		p = append(p, b.large.params()...)
		if b.small.conv != nil {
			p = append(p, b.small.params()...)
		}
		p = append(p, b.norm.Params()...)
		for _, c := range []*tape.Conv{b.first[0], b.first[1], b.second[0], b.second[1]} {
			p = append(p, convParams(c)...)
		}
	}
	return append(p, n.out.params()...)
}

// A row of x is a patch; its columns are channel by channel, the features of
// each together.
func (n *modernTCN) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	d, count := n.cfg.Features, n.patches.Count(n.steps)
	x := n.stem.apply(t, t.Patch(in.Streams[0], n.steps, n.patches))
	x = t.BatchNorm(x, n.stemNorm, tape.None)
	x = t.Reshape(x, in.Rows*count, n.channels*d)
	for _, b := range n.blocks {
		x = t.Add(x, n.block(t, &b, x, count))
	}
	x = t.Dropout(t.Apply(x, tape.GELU), n.cfg.Dropout)
	return n.out.apply(t, t.Reshape(x, in.Rows, count*n.channels*d))
}

func (n *modernTCN) block(t *tape.Tape, b *modernBlock, x *tape.Tensor, steps int) *tape.Tensor {
	d, drop := n.cfg.Features, n.cfg.Dropout
	y := b.large.apply(t, x, steps, tape.None)
	if b.small.conv != nil {
		y = t.Add(y, b.small.apply(t, x, steps, tape.None))
	}
	y = t.BatchNorm(t.Reshape(y, y.Rows*n.channels, d), b.norm, tape.None)
	y = t.Reshape(y, x.Rows, n.channels*d)
	feed := func(y *tape.Tensor, c [2]*tape.Conv) *tape.Tensor {
		y = t.Apply(t.Dropout(t.Conv(y, steps, c[0], tape.None), drop), tape.GELU)
		return t.Dropout(t.Conv(y, steps, c[1], tape.None), drop)
	}
	y = t.SwapColumns(feed(y, b.first), n.channels, d)
	return t.SwapColumns(feed(y, b.second), d, n.channels)
}

// modernTCNEntry is the registry entry of "moderntcn".
func modernTCNEntry() model.Entry {
	return entry("moderntcn", "convolutional", model.InputWindows, model.Abilities{}, "ModernTCN: patches of each channel, long convolutions of each feature, feed-forward layers over features and over channels "+
		"(Luo & Wang 2024).", DefaultModernTCN, newModernTCN)
}
