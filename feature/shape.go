package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

type meanConfig struct {
	Window int `yaml:"window" doc:"bars in the mean; 1 for the bar alone" min:"1" max:"5000"`
}

const barAlone = "each bar stands for itself; no break enters"

func shapeEntries() []Entry {
	return []Entry{
		define(about{name: "clv", family: "shape", overnight: barAlone,
			doc: "Close location value (2C − H − L)/(H − L) in [−1, 1], 0 on a bar of one price; its plain mean over the window."},
			meanConfig{Window: 1}, func(c meanConfig, _ Env) (built, error) {
				return built{&clv{n: float64(c.Window), sum: roll.NewSum(c.Window)}, one("clv", c.Window), c.Window, c.Window}, nil
			}),
		define(about{name: "wick", family: "shape", overnight: barAlone,
			doc: "Upper wick (H − max(O,C))/(H − L), lower wick (min(O,C) − L)/(H − L) and body (C − O)/(H − L), each 0 on a bar of one price; plain means over the window."},
			meanConfig{Window: 10}, func(c meanConfig, _ Env) (built, error) {
				n := c.Window
				return built{&wick{n: float64(n), upper: roll.NewSum(n), lower: roll.NewSum(n), body: roll.NewSum(n)},
					[]string{label("wick_upper", n), label("wick_lower", n), label("body", n)}, n, n}, nil
			}),
		define(about{name: "range_atr", family: "shape", overnight: spansBreaks,
			doc: "(H − L)/ATR of this bar, Wilder's ATR; 0 when nothing moved."},
			unitConfig{ATR: 14}, func(c unitConfig, _ Env) (built, error) {
				return built{&rangeATR{newATR(c.ATR)}, one("range_atr", c.ATR), c.ATR + 1, atrMemory(c.ATR)}, nil
			}),
		define(about{name: "channel_position", family: "shape", overnight: spansBreaks,
			doc: "Position of the close between the extremes of the window, (C − LL)/(HH − LL) − ½ (Donchian); 0 when HH = LL."},
			windowConfig{Window: 55}, func(c windowConfig, _ Env) (built, error) {
				return built{&channelPosition{newChannel(c.Window)}, one("channel_position", c.Window), c.Window, c.Window}, nil
			}),
	}
}

type clv struct {
	n   float64
	sum roll.Sum
}

func (k *clv) next(h, l, c float64) float64 {
	sum := k.sum.Push(closeLocation(h, l, c))
	if !k.sum.Full() {
		return math.NaN()
	}
	return sum / k.n
}

func (k *clv) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *clv) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *clv) fields(c *codec) { k.sum.Fields(c) }

type wick struct {
	n                  float64
	upper, lower, body roll.Sum
}

func (k *wick) next(o, h, l, c float64) (upper, lower, body float64) {
	if h > l {
		top, bottom := o, c
		if c > o {
			top, bottom = c, o
		}
		upper, lower, body = (h-top)/(h-l), (bottom-l)/(h-l), (c-o)/(h-l)
	}
	upper, lower, body = k.upper.Push(upper)/k.n, k.lower.Push(lower)/k.n, k.body.Push(body)/k.n
	if !k.upper.Full() {
		return math.NaN(), math.NaN(), math.NaN()
	}
	return upper, lower, body
}

func (k *wick) push(b *bar.Bar, out []float64) {
	out[0], out[1], out[2] = k.next(b.Open, b.High, b.Low, b.Close)
}

func (k *wick) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1, o2 := out[0], out[1], out[2]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo], o2[i-lo] = k.next(s.Open[i], s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *wick) fields(c *codec) {
	k.upper.Fields(c)
	k.lower.Fields(c)
	k.body.Fields(c)
}

type rangeATR struct{ unit atr }

func (k *rangeATR) next(h, l, c float64) float64 { return inUnits(h-l, k.unit.next(h, l, c), c) }

func (k *rangeATR) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *rangeATR) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *rangeATR) fields(c *codec) { k.unit.fields(c) }

type channelPosition struct{ channel channel }

func positionIn(top, bottom, c float64) float64 {
	if top == bottom {
		return 0
	}
	return (c-bottom)/(top-bottom) - 0.5
}

func (k *channelPosition) push(b *bar.Bar, out []float64) { k.channel.each(b, out, positionIn) }

func (k *channelPosition) block(s *bar.Series, lo, hi int, out [][]float64) {
	k.channel.all(s, lo, hi, out, positionIn)
}

func (k *channelPosition) fields(c *codec) { k.channel.fields(c) }
