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

// XLSTM configures a stack of extended long short-term memory blocks (Beck et al.
// 2024, figures 9 and 10) as the authors' package has them, xLSTM[mlstm:slstm].
// After a linear map of the channels to the model's width, a block of the kind
// mLSTM adds to x, with u = LayerNorm(x),
//
//	a, z = split(W_up·u),  c = SiLU(conv(a))
//	h    = norm(mLSTM(W_q·c, W_k·c, W_v·a))      a matrix as memory
//	       W_down·((h + skip⊙c) ⊙ SiLU(z))
//
// and one of the kind sLSTM
//
//	c = SiLU(conv(u))
//	    norm(sLSTM(W_i·c, W_f·c, W_z·u, W_o·u))  a vector, heads that mix
//	    and after that a gated feed-forward layer of its LayerNorm(x)
//
// with exponential input gates, causal convolutions by channel, maps W_q to W_o in
// blocks, and norms by head. A last norm, the state after the last bar and a linear
// map give the outputs.
type XLSTM struct {
	Common  `yaml:",inline"`
	Width   int     `yaml:"width" doc:"values a bar is mapped to, embedding_dim; a multiple of heads" min:"2" max:"4096"`
	Blocks  int     `yaml:"blocks" doc:"blocks, one after the other" min:"1" max:"64" search:"int 1 4"`
	MLSTM   int     `yaml:"mlstm" doc:"of every mlstm + slstm blocks, so many are first of the kind mLSTM" min:"0" max:"64"`
	SLSTM   int     `yaml:"slstm" doc:"and then so many of the kind sLSTM" min:"0" max:"64"`
	Heads   int     `yaml:"heads" doc:"heads of both kinds" min:"1" max:"64"`
	Conv    int     `yaml:"conv" doc:"bars that a convolution sees" min:"1" max:"64"`
	Round   int     `yaml:"round" doc:"inner widths, twice width in an mLSTM and 1.3 times width in a feed-forward layer, are rounded up to a multiple of this and of 4" min:"1" max:"1024"`
	Dropout float64 `yaml:"dropout" doc:"share of each block's results, and of the values before the output, that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultXLSTM is xLSTM[1:1] of two blocks of width 64 with four heads.
func DefaultXLSTM() XLSTM {
	return XLSTM{Common: DefaultCommon(), Width: 64, Blocks: 2, MLSTM: 1, SLSTM: 1, Heads: 4, Conv: 4, Round: 64, Dropout: 0.1}
}

// Validate reports what the range of each parameter does not say.
func (c XLSTM) Validate() error {
	if inner := c.inner(2); c.Heads > 0 && (c.Width%c.Heads != 0 || inner%c.Heads != 0) {
		return fmt.Errorf("heads: %d heads do not divide the width %d and the %d channels of an mLSTM", c.Heads, c.Width, inner)
	}
	if c.MLSTM+c.SLSTM == 0 {
		return fmt.Errorf("slstm: mlstm and slstm are both 0")
	}
	return c.Common.Validate()
}

// qkvBlock is the number of columns of a block of W_q, W_k and W_v.
const qkvBlock = 4

// inner is factor times the width, rounded up.
func (c *XLSTM) inner(factor float64) int {
	step := max(1, c.Round)
	for step%qkvBlock != 0 {
		step += max(1, c.Round)
	}
	return step * int(math.Ceil(factor*float64(c.Width)/float64(step)))
}

// xlstm is the network.
type xlstm struct {
	cfg    *XLSTM
	steps  int
	embed  linear
	blocks []xlstmBlock
	norm   *tape.Param
	out    linear
}

// xlstmBlock is a block of either kind; apply returns the new x.
type xlstmBlock interface {
	params() []*tape.Param
	apply(t *tape.Tape, x *tape.Tensor, steps int, dropout float64) *tape.Tensor
}

func newXLSTM(cfg *XLSTM, in Shape, s rng.Stream) network {
	r := s.Rand()
	n := &xlstm{cfg: cfg, steps: in.Streams[0].Steps, embed: newLinear("embedding", in.Streams[0].Channels, cfg.Width, r)}
	for k := range cfg.Blocks {
		if name := fmt.Sprintf("blocks.%d", k); k%(cfg.MLSTM+cfg.SLSTM) < cfg.MLSTM {
			n.blocks = append(n.blocks, newMatrixBlock(name, cfg, r))
		} else {
			n.blocks = append(n.blocks, newScalarBlock(name, k, cfg, r))
		}
	}
	n.norm, n.out = newGain("post_blocks_norm.weight", cfg.Width), newLinear("out", cfg.Width, in.Outputs, r)
	return n
}

// normalParam is a parameter of normal numbers.
func normalParam(name string, deviation float64, r *rand.Rand, shape ...int) *tape.Param {
	p := tape.NewParam(name, shape...)
	normals(p.Value, deviation, r)
	return p
}

// matrixBlock is a block of the kind mLSTM, named as in the reference
// implementation, which stores the gains of norms less 1.
type matrixBlock struct {
	heads, inner  int
	norm, up      *tape.Param
	conv          shortConv
	q, k, v       *tape.Param
	in, forget    linear
	outNorm, skip *tape.Param
	down          *tape.Param
}

// newMatrixBlock starts with small maps (Nguyen and Salazar 2019), forget gates
// from σ(3) to σ(6) and a last map that is smaller the more blocks there are.
func newMatrixBlock(name string, cfg *XLSTM, r *rand.Rand) *matrixBlock {
	width, inner := cfg.Width, cfg.inner(2)
	small := math.Sqrt(2 / (5 * float64(width)))
	cell := name + ".xlstm.mlstm_cell"
	b := &matrixBlock{heads: cfg.Heads, inner: inner,
		norm:    newGain(name+".xlstm_norm.weight", width),
		up:      normalParam(name+".xlstm.proj_up.weight", small, r, 2*inner, width),
		conv:    newShortConv(name+".xlstm.conv1d.conv", inner, cfg.Conv, r),
		q:       normalParam(name+".xlstm.q_proj.weight", small, r, inner/qkvBlock, qkvBlock, qkvBlock),
		k:       normalParam(name+".xlstm.k_proj.weight", small, r, inner/qkvBlock, qkvBlock, qkvBlock),
		v:       normalParam(name+".xlstm.v_proj.weight", small, r, inner/qkvBlock, qkvBlock, qkvBlock),
		in:      newLinear(cell+".igate", 3*inner, cfg.Heads, r),
		forget:  newLinear(cell+".fgate", 3*inner, cfg.Heads, r),
		outNorm: newGain(cell+".outnorm.weight", inner),
		skip:    newGain(name+".xlstm.learnable_skip", inner),
		down:    normalParam(name+".xlstm.proj_down.weight", 2/float64(cfg.Blocks)/math.Sqrt(float64(width)), r, width, inner),
	}
	clear(b.in.weight.Value)
	clear(b.forget.weight.Value)
	normals(b.in.bias.Value, 0.1, r)
	for h := range b.forget.bias.Value {
		b.forget.bias.Value[h] = float32(3 + 3*float64(h)/max(1, float64(cfg.Heads-1)))
	}
	return b
}

func (b *matrixBlock) params() []*tape.Param {
	p := append([]*tape.Param{b.norm, b.up}, b.conv.params()...)
	p = append(append(append(p, b.q, b.k, b.v), b.in.params()...), b.forget.params()...)
	return append(p, b.outNorm, b.skip, b.down)
}

func (b *matrixBlock) apply(t *tape.Tape, x *tape.Tensor, steps int, dropout float64) *tape.Tensor {
	both := t.Linear(t.LayerNorm(x, b.norm, nil, 1e-5), b.up, nil)
	a, z := t.Slice(both, 0, b.inner), t.Slice(both, b.inner, 2*b.inner)
	c := t.Apply(b.conv.apply(t, a, steps), tape.SiLU)
	q, k, v := t.Headwise(c, b.q), t.Headwise(c, b.k), t.Headwise(a, b.v)
	all := t.Concat(q, k, v)
	h := t.MLSTM(q, k, v, b.in.apply(t, all), b.forget.apply(t, all), steps)
	h = t.Add(t.HeadNorm(h, b.heads, b.outNorm, 1e-5), t.ScaleColumns(c, b.skip))
	y := t.Linear(t.Mul(h, t.Apply(z, tape.SiLU)), b.down, nil)
	return t.Add(x, t.Dropout(y, dropout))
}

// scalarBlock is a block of the kind sLSTM, named as in the reference
// implementation.
type scalarBlock struct {
	heads, width, wide int
	norm               *tape.Param
	conv               shortConv
	gates              [4]*tape.Param // f i z o
	kernel, bias       *tape.Param
	groupNorm          *tape.Param
	ffnNorm, up, down  *tape.Param
}

// newScalarBlock starts with heads that do not mix and forget gates of many
// lengths.
func newScalarBlock(name string, at int, cfg *XLSTM, r *rand.Rand) *scalarBlock {
	width, n := cfg.Width, cfg.Width/cfg.Heads
	b := &scalarBlock{heads: cfg.Heads, width: width, wide: cfg.inner(1.3),
		norm:      newGain(name+".xlstm_norm.weight", width),
		conv:      newShortConv(name+".xlstm.conv1d.conv", width, cfg.Conv, r),
		kernel:    tape.NewParam(name+".xlstm.slstm_cell._recurrent_kernel_", cfg.Heads, n, 4, n),
		bias:      tape.NewParam(name+".xlstm.slstm_cell._bias_", cfg.Heads, 4, n),
		groupNorm: newGain(name+".xlstm.group_norm.weight", width),
		ffnNorm:   newGain(name+".ffn_norm.weight", width),
	}
	small := math.Sqrt(2 / (5 * float64(width)))
	for k, gate := range []string{"fgate", "igate", "zgate", "ogate"} {
		b.gates[k] = normalParam(name+".xlstm."+gate+".weight", small, r, cfg.Heads, n, n)
	}
	b.up = normalParam(name+".ffn.proj_up.weight", small, r, 2*b.wide, width)
	b.down = normalParam(name+".ffn.proj_down.weight", 2/float64(cfg.Blocks)/math.Sqrt(float64(width)), r, width, b.wide)
	b.bias.NoDecay = true
	depth := float64(at) / max(1, float64(cfg.Blocks-1))
	for h := range cfg.Heads {
		for j := range n {
			b.bias.Value[(h*4+1)*n+j] = float32(5 - 12*math.Pow(float64(j)/max(1, float64(n-1)), 0.3+1.3*depth))
		}
	}
	return b
}

func (b *scalarBlock) params() []*tape.Param {
	p := append([]*tape.Param{b.norm}, b.conv.params()...)
	p = append(p, b.gates[:]...)
	return append(p, b.kernel, b.bias, b.groupNorm, b.ffnNorm, b.up, b.down)
}

func (b *scalarBlock) apply(t *tape.Tape, x *tape.Tensor, steps int, dropout float64) *tape.Tensor {
	u := t.LayerNorm(x, b.norm, nil, 1e-5)
	c := t.Apply(b.conv.apply(t, u, steps), tape.SiLU)
	f, i, z, o := t.Headwise(c, b.gates[0]), t.Headwise(c, b.gates[1]), t.Headwise(u, b.gates[2]), t.Headwise(u, b.gates[3])
	y := t.Dropout(t.SLSTM(t.Concat(i, f, z, o), steps, b.kernel, b.bias), dropout)
	x = t.Add(x, t.HeadNorm(y, b.heads, b.groupNorm, 1e-5))
	both := t.Linear(t.LayerNorm(x, b.ffnNorm, nil, 1e-5), b.up, nil)
	wide := t.Mul(t.Apply(t.Slice(both, 0, b.wide), tape.GELU), t.Slice(both, b.wide, 2*b.wide))
	return t.Add(x, t.Dropout(t.Linear(wide, b.down, nil), dropout))
}

func (n *xlstm) Params() []*tape.Param {
	p := n.embed.params()
	for _, b := range n.blocks {
		p = append(p, b.params()...)
	}
	return append(append(p, n.norm), n.out.params()...)
}

func (n *xlstm) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := n.embed.apply(t, in.Streams[0])
	for _, b := range n.blocks {
		x = b.apply(t, x, n.steps, n.cfg.Dropout)
	}
	last := t.LayerNorm(t.Step(x, n.steps, -1), n.norm, nil, 1e-5)
	return n.out.apply(t, t.Dropout(last, n.cfg.Dropout))
}

// xlstmEntry is the registry entry of "xlstm".
func xlstmEntry() model.Entry {
	return entry("xlstm", "recurrent", model.InputWindows, model.Abilities{}, "Extended long short-term memory, blocks with exponential gates and matrices as memory, over a window of bars (Beck et al. 2024).", DefaultXLSTM, newXLSTM)
}
