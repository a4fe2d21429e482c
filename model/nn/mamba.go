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

// Mamba configures a stack of selective state-space blocks (Gu and Dao 2023,
// figure 3). After a linear map of the channels to the model's width, each layer
// adds Block(RMSNorm(x)) to x, where Block is
//
//	u, z = split(W_in·x)              twice the inner width, expand·width
//	u    = SiLU(conv(u))              causal, by channel
//	Δ, B, C = split(W_x·u)            Δ of rank dt_rank
//	y    = scan(u, W_Δ·Δ + b, B, C)   see [tape.Tape.SelectiveScan]
//	       W_out·(y ⊙ SiLU(z))
//
// A last norm, the state after the last bar and a linear map give the outputs.
type Mamba struct {
	Common  `yaml:",inline"`
	Width   int     `yaml:"width" doc:"values a bar is mapped to, d_model" min:"1" max:"4096" search:"int 16 128"`
	Layers  int     `yaml:"layers" doc:"blocks, one after the other" min:"1" max:"64" search:"int 1 4"`
	State   int     `yaml:"state" doc:"states of a channel, d_state" min:"1" max:"256" search:"int 8 32"`
	Expand  int     `yaml:"expand" doc:"channels of the scan are this many times width" min:"1" max:"8"`
	Conv    int     `yaml:"conv" doc:"bars that the convolution before the scan sees, d_conv" min:"1" max:"64"`
	DtRank  int     `yaml:"dt_rank" doc:"rank of the map to the step lengths; 0: a sixteenth of width, rounded up" min:"0" max:"4096"`
	Dropout float64 `yaml:"dropout" doc:"share of each block's results, and of the values before the output, that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultMamba is two blocks of width 64 with the paper's sizes of a block.
func DefaultMamba() Mamba {
	return Mamba{Common: DefaultCommon(), Width: 64, Layers: 2, State: 16, Expand: 2, Conv: 4, Dropout: 0.1}
}

// mamba is the network.
type mamba struct {
	cfg    *Mamba
	steps  int
	embed  linear
	layers []*mambaBlock
	norm   *tape.Param
	out    linear
}

// mambaBlock is one layer, named as in the reference implementation.
type mambaBlock struct {
	inner, state, rank int
	norm               *tape.Param
	in                 *tape.Param
	conv               shortConv
	x                  *tape.Param
	dt                 linear
	aLog, d            *tape.Param
	out                *tape.Param
}

func newMamba(cfg *Mamba, in Shape, s rng.Stream) network {
	r := s.Rand()
	n := &mamba{cfg: cfg, steps: in.Streams[0].Steps, embed: newLinear("embedding", in.Streams[0].Channels, cfg.Width, r)}
	for k := range cfg.Layers {
		n.layers = append(n.layers, newMambaBlock(fmt.Sprintf("layers.%d", k), cfg, r))
	}
	n.norm, n.out = newGain("norm_f.weight", cfg.Width), newLinear("out", cfg.Width, in.Outputs, r)
	return n
}

// newMambaBlock starts with Δ log-uniform in [0.001, 0.1], A = −1 to −state, D = 1,
// and a last map that is smaller the more layers there are.
func newMambaBlock(name string, cfg *Mamba, r *rand.Rand) *mambaBlock {
	inner, rank := cfg.Expand*cfg.Width, cfg.DtRank
	if rank == 0 {
		rank = (cfg.Width + 15) / 16
	}
	mixer := name + ".mixer."
	b := &mambaBlock{inner: inner, state: cfg.State, rank: rank,
		norm: newGain(name+".norm.weight", cfg.Width),
		in:   newProjection(mixer+"in_proj.weight", cfg.Width, 2*inner, r),
		conv: newShortConv(mixer+"conv1d", inner, cfg.Conv, r),
		x:    newProjection(mixer+"x_proj.weight", inner, rank+2*cfg.State, r),
		dt:   newLinear(mixer+"dt_proj", rank, inner, r),
		aLog: tape.NewParam(mixer+"A_log", inner, cfg.State),
		d:    newGain(mixer+"D", inner),
		out:  newProjection(mixer+"out_proj.weight", inner, cfg.Width, r),
	}
	drawSteps(b.dt.bias.Value, 1e-3, 0.1, 1e-4, r, inverseSoftplus)
	b.aLog.NoDecay = true
	for i := range b.aLog.Value {
		b.aLog.Value[i] = float32(math.Log(float64(i%cfg.State + 1)))
	}
	for i := range b.out.Value {
		b.out.Value[i] /= float32(math.Sqrt(float64(cfg.Layers)))
	}
	return b
}

func (b *mambaBlock) params() []*tape.Param {
	p := append([]*tape.Param{b.norm, b.in}, b.conv.params()...)
	p = append(append(p, b.x), b.dt.params()...)
	return append(p, b.aLog, b.d, b.out)
}

func (b *mambaBlock) apply(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	return b.mix(t, t.RMSNorm(x, b.norm, 1e-5), steps)
}

func (b *mambaBlock) mix(t *tape.Tape, x *tape.Tensor, steps int) *tape.Tensor {
	both := t.Linear(x, b.in, nil)
	u, z := t.Slice(both, 0, b.inner), t.Slice(both, b.inner, 2*b.inner)
	u = t.Apply(b.conv.apply(t, u, steps), tape.SiLU)
	chosen := t.Linear(u, b.x, nil)
	dt := b.dt.apply(t, t.Slice(chosen, 0, b.rank))
	y := t.SelectiveScan(u, dt, t.Slice(chosen, b.rank, b.rank+b.state), t.Slice(chosen, b.rank+b.state, b.rank+2*b.state), steps, b.aLog, b.d)
	return t.Linear(t.Mul(y, t.Apply(z, tape.SiLU)), b.out, nil)
}

func (n *mamba) Params() []*tape.Param {
	p := n.embed.params()
	for _, b := range n.layers {
		p = append(p, b.params()...)
	}
	return append(append(p, n.norm), n.out.params()...)
}

func (n *mamba) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := n.embed.apply(t, in.Streams[0])
	for _, b := range n.layers {
		x = t.Add(x, t.Dropout(b.apply(t, x, n.steps), n.cfg.Dropout))
	}
	last := t.RMSNorm(t.Step(x, n.steps, -1), n.norm, 1e-5)
	return n.out.apply(t, t.Dropout(last, n.cfg.Dropout))
}

// mambaEntry is the registry entry of "mamba".
func mambaEntry() model.Entry {
	return entry("mamba", "state space", model.InputWindows, model.Abilities{}, "Selective state-space blocks over a window of bars; the last state decides (Gu & Dao 2023).", DefaultMamba, newMamba)
}
