package nn

import (
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// NLinear configures the normalised linear forecaster (Zeng et al. 2023, section 4,
// "NLinear"): the last value of each channel is taken from its window, a linear map,
// the same for all channels, goes from the window to the horizon, and the last value
// is put back. The head is that of [DLinear].
type NLinear struct {
	Common  `yaml:",inline"`
	Horizon int     `yaml:"horizon" doc:"steps that are forecast of each channel" min:"1" max:"1024" search:"int 2 24"`
	Head    int     `yaml:"head" doc:"units of the layer that mixes the forecasts of the channels; 0: a linear map alone" min:"0" max:"4096" search:"int 16 256"`
	Dropout float64 `yaml:"dropout" doc:"share of the head's values that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultNLinear forecasts 8 steps.
func DefaultNLinear() NLinear {
	return NLinear{Common: DefaultCommon(), Horizon: 8, Head: 64, Dropout: 0.1}
}

// nlinear is the network.
type nlinear struct {
	cfg   *NLinear
	steps int
	last  []float32 // takes the last value from each step: steps × steps
	back  []float32 // the last value, horizon times: horizon × steps
	map1  linear
	head  forecastHead
}

func newNLinear(cfg *NLinear, in Shape, s rng.Stream) network {
	r, q := s.Rand(), in.Streams[0]
	n := &nlinear{
		cfg: cfg, steps: q.Steps, last: make([]float32, q.Steps*q.Steps), back: make([]float32, cfg.Horizon*q.Steps),
		map1: newLinear("Linear", q.Steps, cfg.Horizon, r),
		head: newForecastHead(q.Channels*cfg.Horizon, cfg.Head, in.Outputs, r),
	}
	for k := range q.Steps {
		n.last[k*q.Steps+k]++
		n.last[(k+1)*q.Steps-1]--
	}
	for k := range cfg.Horizon {
		n.back[(k+1)*q.Steps-1] = 1
	}
	return n
}

func (n *nlinear) Params() []*tape.Param { return append(n.map1.params(), n.head.params()...) }

func (n *nlinear) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := t.Turn(in.Streams[0], n.steps) // a row a channel
	y := t.Add(n.map1.apply(t, t.Fixed(x, n.steps, n.last)), t.Fixed(x, n.cfg.Horizon, n.back))
	return n.head.apply(t, y, in.Rows, n.cfg.Dropout)
}

// forecastHead turns forecasts of all channels into outputs.
type forecastHead struct {
	hidden *linear // nil: none
	out    linear
}

func newForecastHead(in, hidden, outputs int, r *rand.Rand) forecastHead {
	var h forecastHead
	if hidden > 0 {
		l := newLinear("head", in, hidden, r)
		h.hidden, in = &l, hidden
	}
	h.out = newLinear("out", in, outputs, r)
	return h
}

func (h forecastHead) params() []*tape.Param {
	if h.hidden == nil {
		return h.out.params()
	}
	return append(h.hidden.params(), h.out.params()...)
}

// apply takes forecasts, a row a channel, of so many samples.
func (h forecastHead) apply(t *tape.Tape, y *tape.Tensor, samples int, dropout float64) *tape.Tensor {
	y = t.Reshape(y, samples, len(y.Value)/samples)
	if h.hidden != nil {
		y = t.Apply(h.hidden.apply(t, t.Dropout(y, dropout)), tape.GELU)
	}
	return h.out.apply(t, t.Dropout(y, dropout))
}

// nlinearEntry is the registry entry of "nlinear".
func nlinearEntry() model.Entry {
	return entry("nlinear", "linear", model.InputWindows, model.Abilities{}, "A linear forecast of each channel from its distance to the last value, whose decision is made by a layer over all channels "+
		"(Zeng, Chen, Zhang & Xu 2023).", DefaultNLinear, newNLinear)
}
