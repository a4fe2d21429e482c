package nn

import (
	"fmt"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
)

// TCN configures a temporal convolutional network (Bai, Kolter and Koltun 2018,
// figure 1): residual blocks of causal dilated convolutions, the dilation
// doubling from block to block,
//
//	x ← ReLU(x·W + dropout(ReLU(conv(… dropout(ReLU(conv x)) …))))
//
// where W, a convolution of one tap, stands only where the numbers of channels
// differ. The receptive field is 1 + convolutions·(kernel−1)·(2^layers − 1) bars
// and must cover the window. Convolutions start as PyTorch's do, not from the
// authors' N(0, 0.01).
//
// The preset has the sizes of a network of 4 blocks that saw 61 of its 120 bars;
// here the blocks cover them.
type TCN struct {
	Common       `yaml:",inline"`
	Channels     int     `yaml:"channels" doc:"channels of every convolution" min:"1" max:"4096" search:"int 16 128"`
	Kernel       int     `yaml:"kernel" doc:"taps of a convolution" min:"2" max:"64" search:"int 2 7"`
	Layers       int     `yaml:"layers" doc:"residual blocks; 0: as many as cover the window" min:"0" max:"16"`
	Convolutions int     `yaml:"convolutions" doc:"convolutions of a block" min:"1" max:"4"`
	WeightNorm   bool    `yaml:"weight_norm" doc:"train direction and length of each filter apart (Salimans and Kingma 2016)"`
	Pool         string  `yaml:"pool" doc:"what goes to the outputs: the last bar's channels, or their mean over bars" enum:"last,mean"`
	Dropout      float64 `yaml:"dropout" doc:"share of the values after each convolution that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultTCN is 64 channels, kernel 3, as many blocks as cover the window.
func DefaultTCN() TCN {
	return TCN{Common: DefaultCommon(), Channels: 64, Kernel: 3, Convolutions: 2, WeightNorm: true, Pool: "last", Dropout: 0.1}
}

// reach is the receptive field of so many blocks.
func (c *TCN) reach(layers int) int { return 1 + c.Convolutions*(c.Kernel-1)*(1<<layers-1) }

// layers is the number of blocks for windows of so many bars.
func (c *TCN) layers(steps int) int {
	if c.Layers > 0 {
		return c.Layers
	}
	n := 1
	for c.reach(n) < steps {
		n++
	}
	return n
}

func (c *TCN) fits(steps int) error {
	if r := c.reach(c.layers(steps)); r < steps {
		return &param.Error{Path: "layers", Problem: fmt.Sprintf("%d layers see %d bars; 0 takes as many as needed", c.Layers, r)}
	}
	return nil
}

// tcn is the network.
type tcn struct {
	cfg    *TCN
	steps  int
	blocks []tcnBlock
	out    linear
}

type tcnBlock struct {
	convs []tcnConv
	down  *tape.Conv // nil: the channels stay
}

// tcnConv is a convolution whose filters are scaled to a length where that is set.
type tcnConv struct {
	conv   *tape.Conv
	length *tape.Param
}

func newTCN(cfg *TCN, in Shape, s rng.Stream) network {
	r := s.Rand()
	n, width := &tcn{cfg: cfg, steps: in.Streams[0].Steps}, in.Streams[0].Channels
	for b := range cfg.layers(n.steps) {
		name := fmt.Sprintf("network.%d.", b)
		var block tcnBlock
		if width != cfg.Channels {
			block.down = newConv(name+"downsample", width, cfg.Channels, 1, 1, true, r)
		}
		for k := range cfg.Convolutions {
			block.convs = append(block.convs, newTCNConv(fmt.Sprintf("%sconv%d", name, k+1), width, cfg, 1<<b, r))
			width = cfg.Channels
		}
		n.blocks = append(n.blocks, block)
	}
	n.out = newLinear("linear", width, in.Outputs, r)
	return n
}

func newTCNConv(name string, in int, cfg *TCN, dilation int, r *rand.Rand) tcnConv {
	c := tcnConv{conv: newConv(name, in, cfg.Channels, cfg.Kernel, 1, true, r)}
	c.conv.Dilation = dilation
	c.conv.Causal()
	if cfg.WeightNorm {
		c.length = tape.FilterLengths(name+".weight_g", c.conv.Weight)
		c.conv.Weight.Name, c.conv.Weight.NoDecay = name+".weight_v", true // its length has no effect
	}
	return c
}

func (c tcnConv) apply(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	if c.length == nil {
		return t.Conv(x, steps, c.conv, tape.ReLU)
	}
	scaled := *c.conv
	scaled.Weight = t.WeightNorm(c.conv.Weight, c.length)
	return t.Conv(x, steps, &scaled, tape.ReLU)
}

func (n *tcn) Params() []*tape.Param {
	var p []*tape.Param
	for _, b := range n.blocks {
		for _, c := range b.convs {
			p = append(p, convParams(c.conv)...)
			if c.length != nil {
				p = append(p, c.length)
			}
		}
		if b.down != nil {
			p = append(p, convParams(b.down)...)
		}
	}
	return append(p, n.out.params()...)
}

func (n *tcn) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Streams[0]
	for _, b := range n.blocks {
		y := x
		for _, c := range b.convs {
			y = t.Dropout(c.apply(t, y, n.steps), n.cfg.Dropout)
		}
		if b.down != nil {
			x = t.Conv(x, n.steps, b.down, tape.None)
		}
		x = t.AddReLU(y, x)
	}
	if n.cfg.Pool == "mean" {
		return n.out.apply(t, t.GlobalAverage(x, n.steps))
	}
	return n.out.apply(t, t.Step(x, n.steps, -1))
}

// tcnEntry is the registry entry of "tcn".
func tcnEntry() model.Entry {
	return entry("tcn", "convolutional", model.InputWindows, model.Abilities{}, "Temporal convolutional network: residual blocks of causal dilated convolutions "+
		"whose receptive field covers the window (Bai, Kolter & Koltun 2018).", DefaultTCN, newTCN)
}
