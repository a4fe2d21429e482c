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

// S4D configures a stack of diagonal state-space layers (Gu, Gupta, Goel and Ré
// 2022) as the authors' example has them: a linear map of the channels to the
// model's width, then for each layer
//
//	y = GLU(W·GELU(conv(x) + D·x) + b),  x = LayerNorm(x + y)
//
// where conv is the convolution of each channel with the kernel of its own linear
// system of state/2 complex modes and their conjugates (see [tape.Tape.S4DKernel]).
// The last bar (or the mean over the bars) and a linear map give the outputs. The modes' own
// parameters learn at a rate of at most 0.001 and do not decay.
type S4D struct {
	Common     `yaml:",inline"`
	Width      int     `yaml:"width" doc:"values a bar is mapped to, d_model" min:"1" max:"4096" search:"int 16 128"`
	Layers     int     `yaml:"layers" doc:"layers, one after the other" min:"1" max:"64" search:"int 1 4"`
	State      int     `yaml:"state" doc:"states of a channel: real ones, or half as many complex ones with their conjugates" min:"2" max:"1024" search:"int 8 64"`
	Start      string  `yaml:"start" doc:"the modes at the start: lin (frequencies πn), inv (of the Legendre measure) or real (decays 1, 2, …, that stay real)" enum:"lin,inv,real"`
	Discretise string  `yaml:"discretise" doc:"from continuous to discrete time: zoh holds the input over a bar, bilinear is the method of Tustin" enum:"zoh,bilinear"`
	DtMin      float64 `yaml:"dt_min" doc:"shortest step at the start, in units of the modes' time" min:"1e-6" max:"10"`
	DtMax      float64 `yaml:"dt_max" doc:"longest step at the start" min:"1e-6" max:"10"`
	PreNorm    bool    `yaml:"pre_norm" doc:"normalise what enters a layer instead of what leaves it"`
	Pool       string  `yaml:"pool" doc:"what the outputs see: the mean over the bars, or the last bar" enum:"mean,last"`
	Dropout    float64 `yaml:"dropout" doc:"share of the values inside and after each layer that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultS4D is two layers of width 64 with the paper's modes. The paper's steps,
// 0.001 to 0.1, are for sequences of thousands; these remember 2 to 200 bars.
func DefaultS4D() S4D {
	return S4D{Common: DefaultCommon(), Width: 64, Layers: 2, State: 64, Start: "lin", Discretise: "zoh", DtMin: 0.01, DtMax: 1, Pool: "last", Dropout: 0.1}
}

// Validate reports what the range of each parameter does not say.
func (c S4D) Validate() error {
	if c.DtMin > c.DtMax {
		return fmt.Errorf("dt_min: %v is more than dt_max, %v", c.DtMin, c.DtMax)
	}
	return c.Common.Validate()
}

// s4d is the network.
type s4d struct {
	cfg     *S4D
	steps   int
	encoder linear
	layers  []*s4dLayer
	norms   []layerNorm
	decoder linear
}

// s4dLayer is one layer, named as in the reference implementation.
type s4dLayer struct {
	kernel *tape.DiagonalKernel
	d      *tape.Param
	out    linear
}

func newS4D(cfg *S4D, in Shape, s rng.Stream) network {
	r := s.Rand()
	n := &s4d{cfg: cfg, steps: in.Streams[0].Steps, encoder: newLinear("encoder", in.Streams[0].Channels, cfg.Width, r)}
	for k := range cfg.Layers {
		n.layers = append(n.layers, newS4DLayer(fmt.Sprintf("s4_layers.%d", k), cfg, r))
		n.norms = append(n.norms, newLayerNorm(fmt.Sprintf("norms.%d", k), cfg.Width))
	}
	n.decoder = newLinear("decoder", cfg.Width, in.Outputs, r)
	return n
}

func newS4DLayer(name string, cfg *S4D, r *rand.Rand) *s4dLayer {
	h, modes := cfg.Width, cfg.State/2
	realModes := cfg.Start == "real"
	if realModes {
		modes = cfg.State
	}
	l := &s4dLayer{d: tape.NewParam(name+".D", h), out: newLinear(name+".output_linear.0", h, 2*h, r)}
	l.out.weight.Shape = []int{2 * h, h, 1} // a convolution over one bar
	normals(l.d.Value, 1, r)
	k := &tape.DiagonalKernel{LogDt: tape.NewParam(name+".kernel.log_dt", h), LogAReal: tape.NewParam(name+".kernel.log_A_real", h, modes), Bilinear: cfg.Discretise == "bilinear"}
	if realModes {
		k.C = tape.NewParam(name+".kernel.C", h, modes)
		normals(k.C.Value, 1, r)
	} else {
		k.C, k.AImag = tape.NewParam(name+".kernel.C", h, modes, 2), tape.NewParam(name+".kernel.A_imag", h, modes)
		normals(k.C.Value, math.Sqrt(0.5), r)
		slow(k.AImag, cfg.LearningRate)
	}
	drawSteps(k.LogDt.Value, cfg.DtMin, cfg.DtMax, 0, r, math.Log)
	slow(k.LogDt, cfg.LearningRate)
	slow(k.LogAReal, cfg.LearningRate)
	for i := range k.LogAReal.Value {
		n := float64(i % modes)
		switch k.LogAReal.Value[i] = float32(math.Log(0.5)); cfg.Start {
		case "lin": // A = −1/2 + iπn
			k.AImag.Value[i] = float32(math.Pi * n)
		case "inv": // A = −1/2 + i·N/π·(N/(2n+1) − 1)
			size := float64(2 * modes)
			k.AImag.Value[i] = float32(size / math.Pi * (size/(2*n+1) - 1))
		default: // A = −(n+1)
			k.LogAReal.Value[i] = float32(math.Log(n + 1))
		}
	}
	l.kernel = k
	return l
}

// slow keeps a parameter of a linear system from decay and from rates above 0.001.
func slow(p *tape.Param, rate float64) {
	p.NoDecay = true
	if rate > 1e-3 {
		p.Rate = 1e-3 / rate
	}
}

// normals fills v with normal numbers.
func normals(v []float32, deviation float64, r *rand.Rand) {
	for i := range v {
		v[i] = float32(deviation * r.NormFloat64())
	}
}

func (l *s4dLayer) params() []*tape.Param {
	p := []*tape.Param{l.d, l.kernel.C, l.kernel.LogDt, l.kernel.LogAReal}
	if l.kernel.AImag != nil {
		p = append(p, l.kernel.AImag)
	}
	return append(p, l.out.params()...)
}

func (n *s4d) Params() []*tape.Param {
	p := n.encoder.params()
	for _, l := range n.layers {
		p = append(p, l.params()...)
	}
	for _, l := range n.norms {
		p = append(p, l.params()...)
	}
	return append(p, n.decoder.params()...)
}

func (n *s4d) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := n.encoder.apply(t, in.Streams[0])
	for k, l := range n.layers {
		z := x
		if n.cfg.PreNorm {
			z = n.norms[k].apply(t, z)
		}
		z = t.LongConv(z, n.steps, t.S4DKernel(n.steps, l.kernel), l.d)
		z = l.out.apply(t, t.Dropout(t.Apply(z, tape.GELU), n.cfg.Dropout))
		x = t.Add(t.Dropout(glu(t, z), n.cfg.Dropout), x)
		if !n.cfg.PreNorm {
			x = n.norms[k].apply(t, x)
		}
	}
	return n.decoder.apply(t, pooled(t, x, n.steps, n.cfg.Pool))
}

// glu is the first half of the columns times the sigmoid of the second.
func glu(t *tape.Tape, x *tape.Tensor) *tape.Tensor {
	return t.Mul(t.Slice(x, 0, x.Cols/2), t.Apply(t.Slice(x, x.Cols/2, x.Cols), tape.Sigmoid))
}

// pooled is the mean over the steps or the last one.
func pooled(t *tape.Tape, x *tape.Tensor, steps int, pool string) *tape.Tensor {
	if pool == "last" {
		return t.Step(x, steps, -1)
	}
	return t.GlobalAverage(x, steps)
}

// s4dEntry is the registry entry of "s4d".
func s4dEntry() model.Entry {
	return entry("s4d", "state space", model.InputWindows, model.Abilities{}, "Diagonal linear state-space layers over a window of bars (Gu, Gupta, Goel & Ré 2022).", DefaultS4D, newS4D)
}
