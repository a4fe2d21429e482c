package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

type bollingerConfig struct {
	Window int     `yaml:"window" doc:"bars of the mean and the deviation" min:"2" max:"5000"`
	Width  float64 `yaml:"width" doc:"deviations between the mean and a band" min:"0.1" max:"10"`
}

type keltnerConfig struct {
	Window int     `yaml:"window" doc:"bars of the exponential mean" min:"2" max:"5000"`
	ATR    int     `yaml:"atr" doc:"bars of the average true range" min:"2" max:"5000"`
	Width  float64 `yaml:"width" doc:"average true ranges between the mean and a band" min:"0.1" max:"10"`
}

func bandEntries() []Entry {
	return []Entry{
		define(about{name: "bollinger", family: "volatility", overnight: spansBreaks,
			doc: "Position %b = (C − lower)/(upper − lower) and width (upper − lower)/mean of the bands mean ± width·σ of closes, σ with divisor n (Bollinger 2001; TA-Lib BBANDS). " +
				"%b is 0.5 when nothing moved. The deviation keeps its digits at any price level."},
			bollingerConfig{Window: 20, Width: 2}, func(c bollingerConfig, _ Env) (built, error) {
				return built{&bollinger{n: float64(c.Window), width: c.Width, mom: roll.NewMoments(c.Window)},
					[]string{label("bb_pctb", c.Window), label("bb_width", c.Window)}, c.Window, 2 * c.Window}, nil
			}),
		define(about{name: "keltner", family: "volatility", overnight: spansBreaks,
			doc: "Position (C − lower)/(upper − lower) and width (upper − lower)/mean of the channel EMA ± width·ATR (Keltner 1960, with Raschke's exponential mean). The position is 0.5 when nothing moved."},
			keltnerConfig{Window: 20, ATR: 10, Width: 2}, func(c keltnerConfig, _ Env) (built, error) {
				return built{&keltner{width: c.Width, mean: roll.NewEMA(c.Window), unit: newATR(c.ATR)},
					[]string{label("kc_position", c.Window), label("kc_width", c.Window)}, max(c.Window, c.ATR+1),
					max(roll.Memory(2/float64(c.Window+1))+c.Window, atrMemory(c.ATR))}, nil
			}),
	}
}

type bollinger struct {
	n, width float64
	mom      roll.Moments
}

func (k *bollinger) next(c float64) (position, width float64) {
	mean, m2 := k.mom.Push(c)
	half := float64(k.width * math.Sqrt(m2/k.n))
	if half == 0 {
		return 0.5, 0
	}
	return 0.5 + (c-mean)/(2*half), toPrice(2*half, mean)
}

func (k *bollinger) push(b *bar.Bar, out []float64) { out[0], out[1] = k.next(b.Close) }

func (k *bollinger) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1 := out[0], out[1]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo] = k.next(s.Close[i])
	}
}

func (k *bollinger) fields(c *codec) { k.mom.Fields(c) }

type keltner struct {
	width float64
	mean  roll.EMA
	unit  atr
}

func (k *keltner) next(h, l, c float64) (position, width float64) {
	half := float64(k.width * k.unit.next(h, l, c))
	mean := k.mean.Push(c)
	if half != half || mean != mean {
		return math.NaN(), math.NaN()
	}
	return 0.5 + inUnits(c-mean, 2*half, c), toPrice(2*half, mean)
}

func (k *keltner) push(b *bar.Bar, out []float64) { out[0], out[1] = k.next(b.High, b.Low, b.Close) }

func (k *keltner) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1 := out[0], out[1]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *keltner) fields(c *codec) {
	k.mean.Fields(c)
	k.unit.fields(c)
}
