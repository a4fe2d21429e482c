package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// TSMixer configures the all-MLP mixer (Chen et al. 2023, figure 1 and section 4):
// each block mixes time, by a linear map over the steps that all channels share,
// ReLU and dropout, and then channels, by a perceptron of one hidden layer that all
// steps share, each behind a normalisation and beside a residual. A linear map over
// the steps projects to a horizon, and one over all channels of it decides. The
// norm is over the steps and channels of a window together (the paper's
// alternative to batch normalisation over the same), so that a decision depends on
// its own window alone.
type TSMixer struct {
	Common  `yaml:",inline"`
	Blocks  int     `yaml:"blocks" doc:"mixing blocks" min:"1" max:"32" search:"int 1 6"`
	Hidden  int     `yaml:"hidden" doc:"hidden units where channels are mixed" min:"1" max:"4096" search:"int 16 128"`
	Horizon int     `yaml:"horizon" doc:"steps that the window is projected to" min:"1" max:"1024"`
	Dropout float64 `yaml:"dropout" doc:"share of mixed values that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.9"`
}

// DefaultTSMixer has two blocks.
func DefaultTSMixer() TSMixer {
	return TSMixer{Common: DefaultCommon(), Blocks: 2, Hidden: 64, Horizon: 4, Dropout: 0.1}
}

// tsmixerBlock is one block.
type tsmixerBlock struct {
	norm1, norm2   layerNorm
	time, fc1, fc2 linear
}

// tsmixer is the network.
type tsmixer struct {
	cfg     *TSMixer
	steps   int
	blocks  []tsmixerBlock
	project linear
	out     linear
}

func newTSMixer(cfg *TSMixer, in Shape, s rng.Stream) network {
	r, q := s.Rand(), in.Streams[0]
	n := &tsmixer{cfg: cfg, steps: q.Steps}
	for k := range cfg.Blocks {
		name := func(part string) string { return fmt.Sprintf("blocks.%d.%s", k, part) }
		n.blocks = append(n.blocks, tsmixerBlock{
			norm1: newLayerNorm(name("norm1"), q.Steps*q.Channels), norm2: newLayerNorm(name("norm2"), q.Steps*q.Channels),
			time: newLinear(name("time"), q.Steps, q.Steps, r),
			fc1:  newLinear(name("fc1"), q.Channels, cfg.Hidden, r),
			fc2:  newLinear(name("fc2"), cfg.Hidden, q.Channels, r),
		})
	}
	n.project = newLinear("project", q.Steps, cfg.Horizon, r)
	n.out = newLinear("out", q.Channels*cfg.Horizon, in.Outputs, r)
	return n
}

func (n *tsmixer) Params() []*tape.Param {
	var p []*tape.Param
	for _, b := range n.blocks {
		p = append(p, b.norm1.params()...)
		p = append(p, b.time.params()...)
		p = append(p, b.norm2.params()...)
		p = append(p, b.fc1.params()...)
		p = append(p, b.fc2.params()...)
	}
	return append(append(p, n.project.params()...), n.out.params()...)
}

func (n *tsmixer) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x, drop := in.Streams[0], n.cfg.Dropout
	rows, channels := x.Rows, x.Cols
	norm := func(l layerNorm, x *tape.Tensor) *tape.Tensor {
		return t.Reshape(l.apply(t, t.Reshape(x, in.Rows, n.steps*channels)), rows, channels)
	}
	for _, b := range n.blocks {
		y := t.Apply(b.time.apply(t, t.Turn(norm(b.norm1, x), n.steps)), tape.ReLU)
		x = t.Add(x, t.Turn(t.Dropout(y, drop), channels))
		y = t.Dropout(t.Apply(b.fc1.apply(t, norm(b.norm2, x)), tape.ReLU), drop)
		x = t.Add(x, t.Dropout(b.fc2.apply(t, y), drop))
	}
	y := n.project.apply(t, t.Turn(x, n.steps))
	return n.out.apply(t, t.Reshape(y, in.Rows, channels*n.cfg.Horizon))
}

// tsmixerEntry is the registry entry of "tsmixer".
func tsmixerEntry() model.Entry {
	return entry("tsmixer", "mixer", model.InputWindows, model.Abilities{}, "Linear maps over time and perceptrons over channels in turn, each beside a residual "+
		"(Chen, Li, Arik, Yoder & Pfister 2023).", DefaultTSMixer, newTSMixer)
}
