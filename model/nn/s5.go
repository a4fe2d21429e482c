package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// S5 configures a stack of simplified state-space layers (Smith, Warrington and
// Linderman 2023): a linear map of the channels to the model's width, then for
// each layer
//
//	z = GELU(SSM(LayerNorm(x))),  x = x + z ⊙ σ(W·z + b)
//
// where SSM is one linear system for all channels, of state/2 complex states and
// their conjugates (see [tape.Tape.S5]), that starts from the normal part of
// HiPPO-LegS in blocks. The last bar, or the mean over the bars, and a linear map
// give the outputs.
// The system's parameters but C and D learn at a rate of at most 0.001 and do not
// decay.
type S5 struct {
	Common     `yaml:",inline"`
	Width      int     `yaml:"width" doc:"values a bar is mapped to, d_model" min:"1" max:"4096" search:"int 16 128"`
	Layers     int     `yaml:"layers" doc:"layers, one after the other" min:"1" max:"64" search:"int 1 4"`
	State      int     `yaml:"state" doc:"states of a layer, conjugates included; a multiple of twice blocks" min:"2" max:"1024" search:"int 16 128"`
	Blocks     int     `yaml:"blocks" doc:"equal blocks that the states start from" min:"1" max:"512"`
	Discretise string  `yaml:"discretise" doc:"from continuous to discrete time: zoh holds the input over a bar, bilinear is the method of Tustin" enum:"zoh,bilinear"`
	DtMin      float64 `yaml:"dt_min" doc:"shortest step at the start, in units of the states' time" min:"1e-6" max:"10"`
	DtMax      float64 `yaml:"dt_max" doc:"longest step at the start" min:"1e-6" max:"10"`
	Pool       string  `yaml:"pool" doc:"what the outputs see: the mean over the bars, or the last bar" enum:"mean,last"`
	Dropout    float64 `yaml:"dropout" doc:"share of the values inside and after each layer that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultS5 is two layers of width and state 64. The paper's steps, 0.001 to 0.1,
// are for sequences of thousands; these remember 2 to 200 bars.
func DefaultS5() S5 {
	return S5{Common: DefaultCommon(), Width: 64, Layers: 2, State: 64, Blocks: 4, Discretise: "zoh", DtMin: 0.01, DtMax: 1, Pool: "last", Dropout: 0.1}
}

// Validate reports what the range of each parameter does not say.
func (c S5) Validate() error {
	if c.DtMin > c.DtMax {
		return fmt.Errorf("dt_min: %v is more than dt_max, %v", c.DtMin, c.DtMax)
	}
	if c.State%(2*c.Blocks) != 0 {
		return fmt.Errorf("state: %d is not a multiple of twice blocks, %d", c.State, 2*c.Blocks)
	}
	return c.Common.Validate()
}

// s5 is the network.
type s5 struct {
	cfg     *S5
	steps   int
	encoder linear
	layers  []*s5Layer
	decoder linear
}

// s5Layer is one layer, named as in the reference implementation, with PyTorch's
// words for norms and maps.
type s5Layer struct {
	norm layerNorm
	seq  *tape.Diagonal
	gate linear
}

func newS5(cfg *S5, in Shape, s rng.Stream) network {
	r := s.Rand()
	n := &s5{cfg: cfg, steps: in.Streams[0].Steps, encoder: newLinear("encoder", in.Streams[0].Channels, cfg.Width, r)}
	omega, vectors := hippo(cfg.State / cfg.Blocks)
	for k := range cfg.Layers {
		name := fmt.Sprintf("layers.%d", k)
		n.layers = append(n.layers, &s5Layer{norm: newLayerNorm(name+".norm", cfg.Width), seq: newDiagonal(name+".seq", cfg, omega, vectors, r), gate: newLinear(name+".out2", cfg.Width, cfg.Width, r)})
	}
	n.decoder = newLinear("decoder", cfg.Width, in.Outputs, r)
	return n
}

// newDiagonal starts from B = V*·b and C = c·V with normal b and c, where V are the
// eigenvectors of the blocks.
func newDiagonal(name string, cfg *S5, omega []float64, vectors [][]complex128, r *rand.Rand) *tape.Diagonal {
	h, p, block := cfg.Width, cfg.State/2, cfg.State/cfg.Blocks
	l := &tape.Diagonal{
		LambdaRe: tape.NewParam(name+".Lambda_re", p), LambdaIm: tape.NewParam(name+".Lambda_im", p),
		B: tape.NewParam(name+".B", p, h, 2), C: tape.NewParam(name+".C", h, p, 2), D: tape.NewParam(name+".D", h),
		LogStep: tape.NewParam(name+".log_step", p, 1), Bilinear: cfg.Discretise == "bilinear",
	}
	deviation := 1 / math.Sqrt(float64(cfg.State))
	for k := range p {
		l.LambdaRe.Value[k], l.LambdaIm.Value[k] = -0.5, float32(omega[k%(block/2)])
	}
	for first := 0; first < p; first += block / 2 {
		for j := range h {
			var b, c [2][]float64
			for i := range b {
				b[i], c[i] = make([]float64, block), make([]float64, block)
				for m := range block {
					b[i][m], c[i][m] = deviation*r.NormFloat64(), deviation*r.NormFloat64()
				}
			}
			for k, v := range vectors {
				var sumB, sumC complex128
				for m, x := range v {
					sumB += complex(real(x), -imag(x)) * complex(b[0][m], 0)
					sumC += complex(c[0][m], c[1][m]) * x
				}
				at := ((first+k)*h + j) * 2
				l.B.Value[at], l.B.Value[at+1] = float32(real(sumB)), float32(imag(sumB))
				at = (j*p + first + k) * 2
				l.C.Value[at], l.C.Value[at+1] = float32(real(sumC)), float32(imag(sumC))
			}
		}
	}
	normals(l.D.Value, 1, r)
	drawSteps(l.LogStep.Value, cfg.DtMin, cfg.DtMax, 0, r, math.Log)
	for _, q := range []*tape.Param{l.LambdaRe, l.LambdaIm, l.B, l.LogStep} {
		slow(q, cfg.LearningRate)
	}
	return l
}

// hippo is the positive half of the eigenvalues −1/2 ± iω of the normal part of
// HiPPO-LegS of size n (Gu et al. 2022; Smith et al. 2023, appendix B.1), and its
// eigenvectors, of length 1. The normal part is −1/2 plus a skew-symmetric K; K·v =
// iω·v for v = x + iy is the symmetric problem K·y = ω·x, −K·x = ω·y.
func hippo(n int) (omega []float64, vectors [][]complex128) {
	s := mat.NewSymDense(2*n, nil)
	for i := range n {
		for j := range n {
			if k := math.Sqrt(float64(2*i+1)*float64(2*j+1)) / 2; i > j {
				s.SetSym(i, n+j, -k)
			} else if i < j {
				s.SetSym(i, n+j, k)
			}
		}
	}
	var e mat.EigenSym
	if !e.Factorize(s, true) { // a symmetric matrix of finite numbers has eigenvalues
		panic("model/nn: no eigenvalues")
	}
	values := e.Values(nil)
	var v mat.Dense
	e.VectorsTo(&v)
	for k := n; k < 2*n; k += 2 { // ascending, and each twice
		omega = append(omega, values[k])
		x := make([]complex128, n)
		for i := range x {
			x[i] = complex(v.At(i, k), v.At(n+i, k))
		}
		vectors = append(vectors, x)
	}
	return omega, vectors
}

func (n *s5) Params() []*tape.Param {
	p := n.encoder.params()
	for _, l := range n.layers {
		q := l.seq
		p = append(append(p, l.norm.params()...), q.LambdaRe, q.LambdaIm, q.B, q.C, q.D, q.LogStep)
		p = append(p, l.gate.params()...)
	}
	return append(p, n.decoder.params()...)
}

func (n *s5) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := n.encoder.apply(t, in.Streams[0])
	for _, l := range n.layers {
		z := t.Apply(t.S5(l.norm.apply(t, x), n.steps, l.seq), tape.GELU)
		z = t.Dropout(z, n.cfg.Dropout)
		z = t.Mul(z, t.Apply(l.gate.apply(t, z), tape.Sigmoid))
		x = t.Add(x, t.Dropout(z, n.cfg.Dropout))
	}
	return n.decoder.apply(t, pooled(t, x, n.steps, n.cfg.Pool))
}

// s5Entry is the registry entry of "s5".
func s5Entry() model.Entry {
	return entry("s5", "state space", model.InputWindows, model.Abilities{}, "Simplified state-space layers, one linear system for all channels, over a window of bars (Smith, Warrington & Linderman 2023).", DefaultS5, newS5)
}
