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

// Mamba2 configures a stack of state-space dual blocks (Dao and Gu 2024, figure
// 6): as [Mamba], but all inputs of the scan come from one map and one
// convolution, and each head of channels decays as a whole:
//
//	z, u, Δ = split(W_in·x)
//	v, B, C = split(SiLU(conv(u)))    causal, by channel
//	y       = SSD(v, Δ, B, C)         see [tape.Tape.SSD]
//	          W_out·RMSNorm(y ⊙ SiLU(z))
//
// B and C are shared by all heads.
type Mamba2 struct {
	Common  `yaml:",inline"`
	Width   int     `yaml:"width" doc:"values a bar is mapped to, d_model" min:"1" max:"4096" search:"int 16 128"`
	Layers  int     `yaml:"layers" doc:"blocks, one after the other" min:"1" max:"64" search:"int 1 4"`
	State   int     `yaml:"state" doc:"states of a channel, d_state" min:"1" max:"512" search:"int 16 128"`
	Head    int     `yaml:"head" doc:"channels of a head, headdim; divides expand times width" min:"1" max:"1024"`
	Expand  int     `yaml:"expand" doc:"channels of the scan are this many times width" min:"1" max:"8"`
	Conv    int     `yaml:"conv" doc:"bars that the convolution before the scan sees, d_conv" min:"1" max:"64"`
	Chunk   int     `yaml:"chunk" doc:"bars that are computed as one product; changes speed and rounding only" min:"1" max:"1024"`
	Dropout float64 `yaml:"dropout" doc:"share of each block's results, and of the values before the output, that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultMamba2 is two blocks of width 64 with four heads and 64 states.
func DefaultMamba2() Mamba2 {
	return Mamba2{Common: DefaultCommon(), Width: 64, Layers: 2, State: 64, Head: 32, Expand: 2, Conv: 4, Chunk: 64, Dropout: 0.1}
}

// Validate reports what the range of each parameter does not say.
func (c Mamba2) Validate() error {
	if c.Head > 0 && c.Expand*c.Width%c.Head != 0 {
		return fmt.Errorf("head: %d channels a head do not divide the %d channels of the scan", c.Head, c.Expand*c.Width)
	}
	return c.Common.Validate()
}

// mamba2 is the network.
type mamba2 struct {
	cfg    *Mamba2
	steps  int
	embed  linear
	layers []*mamba2Block
	norm   *tape.Param
	out    linear
}

// mamba2Block is one layer, named as in the reference implementation.
type mamba2Block struct {
	inner, state int
	before, in   *tape.Param
	conv         shortConv
	scan         *tape.Duality
	norm, out    *tape.Param
}

func newMamba2(cfg *Mamba2, in Shape, s rng.Stream) network {
	r := s.Rand()
	n := &mamba2{cfg: cfg, steps: in.Streams[0].Steps, embed: newLinear("embedding", in.Streams[0].Channels, cfg.Width, r)}
	for k := range cfg.Layers {
		n.layers = append(n.layers, newMamba2Block(fmt.Sprintf("layers.%d", k), cfg, r))
	}
	n.norm, n.out = newGain("norm_f.weight", cfg.Width), newLinear("out", cfg.Width, in.Outputs, r)
	return n
}

// newMamba2Block starts with Δ log-uniform in [0.001, 0.1], A uniform in [−16, −1]
// and D = 1.
func newMamba2Block(name string, cfg *Mamba2, r *rand.Rand) *mamba2Block {
	inner := cfg.Expand * cfg.Width
	heads, convolved := inner/cfg.Head, inner+2*cfg.State
	mixer := name + ".mixer."
	b := &mamba2Block{inner: inner, state: cfg.State,
		before: newGain(name+".norm.weight", cfg.Width),
		in:     newProjection(mixer+"in_proj.weight", cfg.Width, inner+convolved+heads, r),
		conv:   newShortConv(mixer+"conv1d", convolved, cfg.Conv, r),
		scan: &tape.Duality{Heads: heads, Groups: 1, Chunk: cfg.Chunk,
			ALog: tape.NewParam(mixer+"A_log", heads), D: newGain(mixer+"D", heads), DtBias: tape.NewParam(mixer+"dt_bias", heads)},
		norm: newGain(mixer+"norm.weight", inner),
		out:  newProjection(mixer+"out_proj.weight", inner, cfg.Width, r),
	}
	drawSteps(b.scan.DtBias.Value, 1e-3, 0.1, 1e-4, r, inverseSoftplus)
	for i := range b.scan.ALog.Value {
		b.scan.ALog.Value[i] = float32(math.Log(1 + 15*r.Float64()))
	}
	b.scan.ALog.NoDecay, b.scan.DtBias.NoDecay = true, true
	for i := range b.out.Value {
		b.out.Value[i] /= float32(math.Sqrt(float64(cfg.Layers)))
	}
	return b
}

func (b *mamba2Block) params() []*tape.Param {
	p := append([]*tape.Param{b.before, b.in}, b.conv.params()...)
	return append(p, b.scan.DtBias, b.scan.ALog, b.scan.D, b.norm, b.out)
}

func (b *mamba2Block) apply(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	all := t.Linear(t.RMSNorm(x, b.before, 1e-5), b.in, nil)
	end := b.inner + b.inner + 2*b.state
	z, dt := t.Slice(all, 0, b.inner), t.Slice(all, end, all.Cols)
	u := t.Apply(b.conv.apply(t, t.Slice(all, b.inner, end), steps), tape.SiLU)
	y := t.SSD(t.Slice(u, 0, b.inner), dt, t.Slice(u, b.inner, b.inner+b.state), t.Slice(u, b.inner+b.state, u.Cols), steps, b.scan)
	return t.Linear(t.RMSNorm(t.Mul(y, t.Apply(z, tape.SiLU)), b.norm, 1e-5), b.out, nil)
}

func (n *mamba2) Params() []*tape.Param {
	p := n.embed.params()
	for _, b := range n.layers {
		p = append(p, b.params()...)
	}
	return append(append(p, n.norm), n.out.params()...)
}

func (n *mamba2) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := n.embed.apply(t, in.Streams[0])
	for _, b := range n.layers {
		x = t.Add(x, t.Dropout(b.apply(t, x, n.steps), n.cfg.Dropout))
	}
	last := t.RMSNorm(t.Step(x, n.steps, -1), n.norm, 1e-5)
	return n.out.apply(t, t.Dropout(last, n.cfg.Dropout))
}

// mamba2Entry is the registry entry of "mamba2".
func mamba2Entry() model.Entry {
	return entry("mamba2", "state space", model.InputWindows, model.Abilities{}, "State-space dual blocks over a window of bars; the last state decides (Dao & Gu 2024).", DefaultMamba2, newMamba2)
}
