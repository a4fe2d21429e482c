package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// InceptionTime configures the network of Ismail Fawaz et al. (2020, figures 1
// and 2). A module narrows its input to a bottleneck, passes that through
// convolutions of three lengths and the input itself through a max-pool and a
// convolution of one tap, puts the four side by side and normalises:
//
//	m(x) = ReLU(norm(conv₄₀ b ‖ conv₂₀ b ‖ conv₁₀ b ‖ conv₁ pool₃ x)),  b = conv₁ x
//
// After every third module the input of the three is added through a convolution
// of one tap with a norm. The mean over bars decides. As in the PyTorch version
// of tsai kernels are odd, 39, 19 and 9 for a length of 40, so that they stand in
// the middle. The paper averages five such networks: seeds 5.
type InceptionTime struct {
	Common     `yaml:",inline"`
	Filters    int     `yaml:"filters" doc:"channels of each of a module's four branches" min:"1" max:"1024" search:"int 8 64"`
	Depth      int     `yaml:"depth" doc:"modules" min:"1" max:"60" search:"int 3 9"`
	Bottleneck int     `yaml:"bottleneck" doc:"channels that the long convolutions see; 0: all of the module's input" min:"0" max:"1024"`
	Kernel     int     `yaml:"kernel" doc:"taps of a module's longest convolution; the others have a half and a quarter" min:"8" max:"512" search:"int 12 60"`
	Residual   bool    `yaml:"residual" doc:"add the input of every three modules to their output"`
	Dropout    float64 `yaml:"dropout" doc:"share of the values before the output that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultInceptionTime is the network of the paper, one seed.
func DefaultInceptionTime() InceptionTime {
	return InceptionTime{Common: DefaultCommon(), Filters: 32, Depth: 6, Bottleneck: 32, Kernel: 40, Residual: true}
}

// inceptionTime is the network.
type inceptionTime struct {
	cfg       *InceptionTime
	steps     int
	modules   []inceptionModule
	shortcuts []convNorm // after every third module
	out       linear
}

type inceptionModule struct {
	bottleneck *tape.Conv // nil: none
	convs      [3]*tape.Conv
	pool       *tape.Conv
	norm       *tape.BatchNorm
}

func newInceptionTime(cfg *InceptionTime, in Shape, s rng.Stream) network {
	r := s.Rand()
	n, width := &inceptionTime{cfg: cfg, steps: in.Streams[0].Steps}, in.Streams[0].Channels
	first := width
	for d := range cfg.Depth {
		name := fmt.Sprintf("inceptionblock.inception.%d.", d)
		m, inner := inceptionModule{}, width
		if cfg.Bottleneck > 0 && width > 1 {
			m.bottleneck, inner = newConv(name+"bottleneck", width, cfg.Bottleneck, 1, 1, false, r), cfg.Bottleneck
		}
		for k := range m.convs {
			m.convs[k] = newConv(fmt.Sprintf("%sconvs.%d", name, k), inner, cfg.Filters, odd(cfg.Kernel>>k), 1, false, r)
			m.convs[k].Same()
		}
		m.pool = newConv(name+"maxconvpool.1", width, cfg.Filters, 1, 1, false, r)
		width = 4 * cfg.Filters
		m.norm = tape.NewBatchNorm(name+"bn", width)
		n.modules = append(n.modules, m)
		if cfg.Residual && d%3 == 2 {
			name := fmt.Sprintf("inceptionblock.shortcut.%d.", d/3)
			n.shortcuts = append(n.shortcuts, newConvNorm(name+"0", name+"1", first, width, 1, 1, r))
			first = width
		}
	}
	n.out = newLinear("fc", width, in.Outputs, r)
	return n
}

// odd is n or, for an even n, n−1.
func odd(n int) int { return n - 1 + n%2 }

func (n *inceptionTime) Params() []*tape.Param {
	var p []*tape.Param
	for _, m := range n.modules {
		if m.bottleneck != nil {
			p = append(p, m.bottleneck.Weight)
		}
		for _, c := range m.convs {
			p = append(p, c.Weight)
		}
		p = append(append(p, m.pool.Weight), m.norm.Params()...)
	}
	for _, s := range n.shortcuts {
		p = append(p, s.params()...)
	}
	return append(p, n.out.params()...)
}

func (n *inceptionTime) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Streams[0]
	first := x
	for d, m := range n.modules {
		x = m.apply(t, x, n.steps)
		if n.cfg.Residual && d%3 == 2 {
			x = t.AddReLU(x, n.shortcuts[d/3].apply(t, first, n.steps, tape.None))
			first = x
		}
	}
	return n.out.apply(t, t.Dropout(t.GlobalAverage(x, n.steps), n.cfg.Dropout))
}

func (m *inceptionModule) apply(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	inner := x
	if m.bottleneck != nil {
		inner = t.Conv(x, steps, m.bottleneck, tape.None)
	}
	pooled := t.MaxPool(x, steps, tape.Pool{Kernel: 3, Stride: 1, Left: 1, Right: 1})
	return t.BatchNorm(t.Concat(
		t.Conv(inner, steps, m.convs[0], tape.None),
		t.Conv(inner, steps, m.convs[1], tape.None),
		t.Conv(inner, steps, m.convs[2], tape.None),
		t.Conv(pooled, steps, m.pool, tape.None),
	), m.norm, tape.ReLU)
}

// inceptionTimeEntry is the registry entry of "inceptiontime".
func inceptionTimeEntry() model.Entry {
	return entry("inceptiontime", "convolutional", model.InputWindows, model.Abilities{}, "InceptionTime: modules of convolutions of three lengths and a max-pool, with shortcuts; "+
		"the mean over bars decides (Ismail Fawaz et al. 2020).", DefaultInceptionTime, newInceptionTime)
}
