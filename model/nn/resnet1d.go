package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// ResNet1D configures the residual network for time series of Wang, Yan and
// Oates (2017, figure 1c): in each block convolutions of 8, 5 and 3 taps with
// batch norms, the block's input added before the last ReLU through a
// convolution of one tap with a norm, or a norm alone where the channels stay,
//
//	x ← ReLU(norm₃ conv₃ ReLU(norm₂ conv₅ ReLU(norm₁ conv₈ x)) + shortcut x)
//
// with 64, 128 and 128 channels; the mean over bars decides.
//
// A stem, four stages of two blocks and strides make the form of He et al. (2016),
// which is the preset's.
type ResNet1D struct {
	Common   `yaml:",inline"`
	Channels int     `yaml:"channels" doc:"channels of the first stage; each further stage has twice those of the one before" min:"1" max:"4096" search:"int 16 128"`
	Widest   int     `yaml:"widest" doc:"most channels of a stage" min:"1" max:"4096" search:"int 32 256"`
	Stages   int     `yaml:"stages" doc:"stages" min:"1" max:"8"`
	Blocks   int     `yaml:"blocks" doc:"residual blocks of a stage" min:"1" max:"8"`
	Kernel1  int     `yaml:"kernel1" doc:"taps of a block's first convolution" min:"1" max:"64"`
	Kernel2  int     `yaml:"kernel2" doc:"taps of its second" min:"1" max:"64"`
	Kernel3  int     `yaml:"kernel3" doc:"taps of its third; 0: there is none" min:"0" max:"64"`
	Stem     int     `yaml:"stem" doc:"taps of a convolution before the first block; 0: there is none" min:"0" max:"64"`
	Stride   int     `yaml:"stride" doc:"steps from bar to bar of the first convolution of every stage but the first" min:"1" max:"4"`
	Dropout  float64 `yaml:"dropout" doc:"share of the values before the output that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultResNet1D is the network of Wang et al.
func DefaultResNet1D() ResNet1D {
	return ResNet1D{Common: DefaultCommon(), Channels: 64, Widest: 128, Stages: 3, Blocks: 1, Kernel1: 8, Kernel2: 5, Kernel3: 3, Stride: 1}
}

// resNet1D is the network.
type resNet1D struct {
	cfg    *ResNet1D
	steps  int
	stem   []convNorm // one or none
	blocks []resBlock
	out    linear
}

// resBlock is a residual block. The shortcut has no convolution where channels
// and steps stay.
type resBlock struct {
	convs    []convNorm
	shortcut convNorm
}

func newResNet1D(cfg *ResNet1D, in Shape, s rng.Stream) network {
	r := s.Rand()
	n, width := &resNet1D{cfg: cfg, steps: in.Streams[0].Steps}, in.Streams[0].Channels
	if cfg.Stem > 0 {
		n.stem = append(n.stem, newConvNorm("stem.0", "stem.1", width, cfg.Channels, cfg.Stem, 1, r))
		width = cfg.Channels
	}
	kernels := []int{cfg.Kernel1, cfg.Kernel2, cfg.Kernel3}
	if cfg.Kernel3 == 0 {
		kernels = kernels[:2]
	}
	for stage := range cfg.Stages {
		channels := min(cfg.Channels<<stage, cfg.Widest)
		for k := range cfg.Blocks {
			name := fmt.Sprintf("resblock%d.", len(n.blocks)+1)
			stride := 1
			if stage > 0 && k == 0 {
				stride = cfg.Stride
			}
			var b resBlock
			if width != channels || stride > 1 {
				b.shortcut = newConvNorm(name+"shortcut.0", name+"shortcut.1", width, channels, 1, 1, r)
				b.shortcut.conv.Stride = stride
			} else {
				b.shortcut.norm = tape.NewBatchNorm(name+"shortcut", channels)
			}
			for c, kernel := range kernels {
				part := fmt.Sprintf("%sconvblock%d.", name, c+1)
				conv := newConvNorm(part+"0", part+"1", width, channels, kernel, 1, r)
				if c == 0 {
					conv.conv.Stride = stride
				}
				b.convs = append(b.convs, conv)
				width = channels
			}
			n.blocks = append(n.blocks, b)
		}
	}
	n.out = newLinear("fc", width, in.Outputs, r)
	return n
}

func (n *resNet1D) Params() []*tape.Param {
	var p []*tape.Param
	for _, s := range n.stem {
		p = append(p, s.params()...)
	}
	for _, b := range n.blocks {
		for _, c := range b.convs {
			p = append(p, c.params()...)
		}
		if b.shortcut.conv != nil {
			p = append(p, b.shortcut.params()...)
		} else {
			p = append(p, b.shortcut.norm.Params()...)
		}
	}
	return append(p, n.out.params()...)
}

func (n *resNet1D) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x, steps := in.Streams[0], n.steps
	for _, s := range n.stem {
		x = s.apply(t, x, steps, tape.ReLU)
	}
	for _, b := range n.blocks {
		x, steps = b.apply(t, x, steps)
	}
	return n.out.apply(t, t.Dropout(t.GlobalAverage(x, steps), n.cfg.Dropout))
}

func (b *resBlock) apply(t *tape.Tape, x *tape.Tensor, steps int) (*tape.Tensor, int) {
	var add *tape.Tensor
	if b.shortcut.conv != nil {
		add = b.shortcut.apply(t, x, steps, tape.None)
	} else {
		add = t.BatchNorm(x, b.shortcut.norm, tape.None)
	}
	last := len(b.convs) - 1
	for k, c := range b.convs {
		a := tape.ReLU
		if k == last {
			a = tape.None
		}
		x = c.apply(t, x, steps, a)
		steps = c.conv.Steps(steps)
	}
	return t.AddReLU(x, add), steps
}

// resNet1DEntry is the registry entry of "resnet1d".
func resNet1DEntry() model.Entry {
	return entry("resnet1d", "convolutional", model.InputWindows, model.Abilities{}, "Residual network of convolutions with batch norms; the mean over bars decides "+
		"(Wang, Yan & Oates 2017; He et al. 2016).", DefaultResNet1D, newResNet1D)
}
