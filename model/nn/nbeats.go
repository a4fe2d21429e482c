package nn

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// NBEATS configures neural basis expansion (Oreshkin et al. 2020, figure 1) over
// all channels of a window. Each block is a perceptron with ReLU over what its
// predecessors have not explained; it returns coefficients of a basis, of which one
// part is the backcast, subtracted from the window, and one the forecast, added to
// those of the others. The basis of a stack is learnt (generic, section 3.1), a
// polynomial (trend) or waves (seasonality, section 3.3), for each channel. The sum
// of the forecasts goes through a linear map to the outputs, which takes the place
// of the forecast error that the paper trains. Blocks do not share weights.
type NBEATS struct {
	Common    `yaml:",inline"`
	Stacks    []string `yaml:"stacks" doc:"basis of each stack, from the input on" enum:"generic,trend,seasonality"`
	Blocks    int      `yaml:"blocks" doc:"blocks of a stack" min:"1" max:"32" search:"int 1 4"`
	Layers    int      `yaml:"layers" doc:"layers of a block" min:"1" max:"16" search:"int 1 4"`
	Hidden    int      `yaml:"hidden" doc:"units of a layer" min:"1" max:"8192" search:"int 32 512"`
	Theta     int      `yaml:"theta" doc:"generic: coefficients of backcast and of forecast" min:"1" max:"1024" search:"int 8 64"`
	Degree    int      `yaml:"degree" doc:"trend: highest power" min:"0" max:"8"`
	Harmonics int      `yaml:"harmonics" doc:"seasonality: waves that fit into the window, 1 to so many times" min:"1" max:"256"`
	Horizon   int      `yaml:"horizon" doc:"steps that are forecast of each channel" min:"1" max:"1024"`
}

// DefaultNBEATS has a stack of each kind, trend first as in the paper.
func DefaultNBEATS() NBEATS {
	return NBEATS{Common: DefaultCommon(), Stacks: []string{"trend", "seasonality", "generic"}, Blocks: 1, Layers: 2, Hidden: 128, Theta: 32, Degree: 3, Harmonics: 4, Horizon: 4}
}

// nbeatsBlock is one block.
type nbeatsBlock struct {
	layers             []linear
	thetaB, thetaF     *tape.Param // coefficients of backcast and forecast
	backcast, forecast *linear     // learnt bases, nil where there are fixed ones:
	coefficients       int         // of a channel
	basisB, basisF     []float32   // steps × coefficients, horizon × coefficients
}

// nbeats is the network.
type nbeats struct {
	cfg             *NBEATS
	steps, channels int
	blocks          []nbeatsBlock
	out             linear
}

func newNBEATS(cfg *NBEATS, in Shape, s rng.Stream) network {
	r, q := s.Rand(), in.Streams[0]
	n := &nbeats{cfg: cfg, steps: q.Steps, channels: q.Channels}
	for k, stack := range cfg.Stacks {
		for j := range cfg.Blocks {
			name := func(part string) string { return fmt.Sprintf("stacks.%d.%d.%s", k, j, part) }
			b, width := nbeatsBlock{}, q.Steps*q.Channels
			for i := range cfg.Layers {
				b.layers = append(b.layers, newLinear(name(fmt.Sprintf("fc.%d", i)), width, cfg.Hidden, r))
				width = cfg.Hidden
			}
			theta := func(part string, values int) *tape.Param {
				p := tape.NewParam(name(part)+".weight", values, width)
				uniform(p.Value, 1/math.Sqrt(float64(width)), r)
				return p
			}
			if stack == "generic" {
				b.thetaB, b.thetaF = theta("theta_b", cfg.Theta), theta("theta_f", cfg.Theta)
				back := newLinear(name("backcast"), cfg.Theta, q.Steps*q.Channels, r)
				fore := newLinear(name("forecast"), cfg.Theta, cfg.Horizon*q.Channels, r)
				b.backcast, b.forecast = &back, &fore
			} else {
				b.coefficients, b.basisB = nbeatsBasis(stack, q.Steps, cfg)
				_, b.basisF = nbeatsBasis(stack, cfg.Horizon, cfg)
				b.thetaB, b.thetaF = theta("theta_b", q.Channels*b.coefficients), theta("theta_f", q.Channels*b.coefficients)
			}
			n.blocks = append(n.blocks, b)
		}
	}
	n.out = newLinear("out", cfg.Horizon*q.Channels, in.Outputs, r)
	return n
}

// nbeatsBasis is the basis of a stack over steps t = 0, 1/n, … of n: the powers tᵖ
// (equation 2), or 1, cos 2πit and sin 2πit (equation 3).
func nbeatsBasis(stack string, n int, cfg *NBEATS) (coefficients int, basis []float32) {
	if stack == "trend" {
		coefficients = cfg.Degree + 1
	} else {
		coefficients = 2*cfg.Harmonics + 1
	}
	for s := range n {
		t := float64(s) / float64(n)
		for c := range coefficients {
			v := math.Pow(t, float64(c))
			if stack != "trend" {
				i := float64((c + 1) / 2)
				if v = math.Cos(2 * math.Pi * i * t); c > 0 && c%2 == 0 {
					v = math.Sin(2 * math.Pi * i * t)
				}
			}
			basis = append(basis, float32(v))
		}
	}
	return coefficients, basis
}

func (n *nbeats) Params() []*tape.Param {
	var p []*tape.Param
	for _, b := range n.blocks {
		for _, l := range b.layers {
			p = append(p, l.params()...)
		}
		p = append(p, b.thetaB, b.thetaF)
		if b.backcast != nil {
			p = append(append(p, b.backcast.params()...), b.forecast.params()...)
		}
	}
	return append(p, n.out.params()...)
}

func (n *nbeats) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	// A row a sample, channel by channel.
	x := t.Reshape(t.Turn(in.Streams[0], n.steps), in.Rows, n.channels*n.steps)
	var sum *tape.Tensor
	for k, b := range n.blocks {
		h := x
		for _, l := range b.layers {
			h = t.Apply(l.apply(t, h), tape.ReLU)
		}
		// expand is the basis times its coefficients.
		expand := func(theta *tape.Tensor, learnt *linear, basis []float32, steps int) *tape.Tensor {
			if learnt != nil {
				return learnt.apply(t, theta)
			}
			each := t.Reshape(theta, in.Rows*n.channels, b.coefficients)
			return t.Reshape(t.Fixed(each, steps, basis), in.Rows, n.channels*steps)
		}
		if k+1 < len(n.blocks) { // nobody sees what the last one leaves
			back := expand(t.Linear(h, b.thetaB, nil), b.backcast, b.basisB, n.steps)
			x = t.Add(x, t.Scale(back, -1))
		}
		forecast := expand(t.Linear(h, b.thetaF, nil), b.forecast, b.basisF, n.cfg.Horizon)
		if sum == nil {
			sum = forecast
		} else {
			sum = t.Add(sum, forecast)
		}
	}
	return n.out.apply(t, sum)
}

// nbeatsEntry is the registry entry of "nbeats".
func nbeatsEntry() model.Entry {
	return entry("nbeats", "basis", model.InputWindows, model.Abilities{}, "Blocks that explain a window by bases (polynomials, waves, learnt ones) and hand on what is left; the sum of their forecasts decides "+
		"(Oreshkin, Carpov, Chapados & Bengio 2020), over all channels.", DefaultNBEATS, newNBEATS)
}
