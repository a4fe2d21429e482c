package nn

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// DLinear configures the decomposed linear forecaster (Zeng et al. 2023, section
// 4, "DLinear"): each channel is divided into its moving average and the rest, each
// of which a linear map, the same for all channels, takes from the window to the
// horizon; the sum is the forecast. What the paper leaves out, a decision, is made
// by a head that mixes the forecasts of all channels: one hidden layer with GELU,
// or a linear map alone where head is 0, in which case the whole network is linear.
type DLinear struct {
	Common  `yaml:",inline"`
	Horizon int     `yaml:"horizon" doc:"steps that are forecast of each channel" min:"1" max:"1024" search:"int 2 24"`
	Around  int     `yaml:"around" doc:"bars on either side in the moving average, which repeats the ends" min:"1" max:"512" search:"int 2 24"`
	Head    int     `yaml:"head" doc:"units of the layer that mixes the forecasts of the channels; 0: a linear map alone" min:"0" max:"4096" search:"int 16 256"`
	Dropout float64 `yaml:"dropout" doc:"share of the head's values that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultDLinear forecasts 8 steps with the paper's average over 25 bars.
func DefaultDLinear() DLinear {
	return DLinear{Common: DefaultCommon(), Horizon: 8, Around: 12, Head: 64, Dropout: 0.1}
}

// dlinear is the network.
type dlinear struct {
	cfg             *DLinear
	steps           int
	average         []float32 // of steps × steps
	seasonal, trend linear
	head            forecastHead
}

func newDLinear(cfg *DLinear, in Shape, s rng.Stream) network {
	r, q := s.Rand(), in.Streams[0]
	return &dlinear{
		cfg: cfg, steps: q.Steps, average: movingAverage(q.Steps, cfg.Around),
		seasonal: newLinear("Linear_Seasonal", q.Steps, cfg.Horizon, r),
		trend:    newLinear("Linear_Trend", q.Steps, cfg.Horizon, r),
		head:     newForecastHead(q.Channels*cfg.Horizon, cfg.Head, in.Outputs, r),
	}
}

func (n *dlinear) Params() []*tape.Param {
	return append(append(n.seasonal.params(), n.trend.params()...), n.head.params()...)
}

func (n *dlinear) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := t.Turn(in.Streams[0], n.steps) // a row a channel
	trend := t.Fixed(x, n.steps, n.average)
	rest := t.Add(x, t.Scale(trend, -1))
	y := t.Add(n.seasonal.apply(t, rest), n.trend.apply(t, trend))
	return n.head.apply(t, y, in.Rows, n.cfg.Dropout)
}

// movingAverage is the matrix that averages each of n steps with so many before and
// behind it, the ends repeated.
func movingAverage(n, around int) []float32 {
	m := make([]float32, n*n)
	for s := range n {
		for d := -around; d <= around; d++ {
			m[s*n+min(max(s+d, 0), n-1)] += 1 / float32(2*around+1)
		}
	}
	return m
}

// dlinearEntry is the registry entry of "dlinear".
func dlinearEntry() model.Entry {
	return entry("dlinear", "linear", model.InputWindows, model.Abilities{}, "A linear forecast of each channel from its moving average and the rest, whose decision is made by a layer over all channels "+
		"(Zeng, Chen, Zhang & Xu 2023).", DefaultDLinear, newDLinear)
}
