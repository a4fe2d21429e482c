package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

type stochasticConfig struct {
	Window int `yaml:"window" doc:"bars of the highest high and the lowest low" min:"2" max:"5000"`
	Smooth int `yaml:"smooth" doc:"bars of the mean that makes %D of %K" min:"2" max:"5000"`
}

func momentumEntries() []Entry {
	return []Entry{
		define(about{name: "rsi", family: "momentum", overnight: spansBreaks,
			doc: "Relative strength index of Wilder (1978), 100·U/(U+D) with Wilder means of rises and falls, begun with the plain mean of the first window changes; equal to TA-Lib RSI. " +
				"100 without falls, 0 without rises, 50 when nothing ever moved (TA-Lib gives 0 there)."},
			windowConfig{Window: 14}, func(c windowConfig, _ Env) (built, error) {
				n := c.Window
				return built{&rsi{n: n, inv: 1 / float64(n), last: math.NaN()}, one("rsi", n), n + 1, roll.Memory(1/float64(n)) + n + 1}, nil
			}),
		define(about{name: "stoch", family: "momentum", overnight: spansBreaks,
			doc: "Stochastic %K = 100·(C − LL)/(HH − LL) over the window and %D, its plain mean; equal to TA-Lib STOCHF. 50 when HH = LL (TA-Lib gives 0 there)."},
			stochasticConfig{Window: 14, Smooth: 3}, func(c stochasticConfig, _ Env) (built, error) {
				return built{&stochastic{channel: newChannel(c.Window), mean: roll.NewSum(c.Smooth), n: float64(c.Smooth)},
					[]string{label("stoch_k", c.Window), label("stoch_d", c.Window, c.Smooth)}, c.Window + c.Smooth - 1, c.Window + c.Smooth}, nil
			}),
		define(about{name: "williams_r", family: "momentum", overnight: spansBreaks,
			doc: "Williams %R = −100·(HH − C)/(HH − LL) over the window; equal to TA-Lib WILLR. −50 when HH = LL (TA-Lib gives 0 there)."},
			windowConfig{Window: 14}, func(c windowConfig, _ Env) (built, error) {
				return built{&williams{newChannel(c.Window)}, one("williams_r", c.Window), c.Window, c.Window}, nil
			}),
		define(about{name: "cci", family: "momentum", overnight: spansBreaks,
			doc: "Commodity channel index of Lambert (1980), (TP − mean TP)/(0.015·mean|TP − mean TP|) with TP = (H+L+C)/3; equal to TA-Lib CCI. 0 when nothing moved. O(window) a bar."},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&cci{n: float64(c.Window), mom: roll.NewMoments(c.Window), ring: roll.NewRing(c.Window)}, one("cci", c.Window), c.Window, 2 * c.Window}, nil
			}),
		define(about{name: "cmo", family: "momentum", overnight: spansBreaks,
			doc: "Chande momentum oscillator (1994), 100·(U − D)/(U + D) with plain sums of rises and falls over the window, in [−100, 100]; 0 when nothing moved. (TA-Lib's CMO uses Wilder means and is 2·RSI − 100.)"},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&cmo{last: math.NaN(), up: roll.NewSum(c.Window), down: roll.NewSum(c.Window)}, one("cmo", c.Window), c.Window + 1, c.Window + 1}, nil
			}),
	}
}

type rsi struct {
	n              int
	inv            float64
	last, up, down float64
	count          int
}

func (k *rsi) next(c float64) float64 {
	d := c - k.last
	k.last = c
	if k.count <= k.n {
		return k.seed(max(d, 0), max(-d, 0))
	}
	k.up, k.down = roll.Decay(k.up, k.inv, max(d, 0)), roll.Decay(k.down, k.inv, max(-d, 0))
	return strength(k.up, k.down)
}

// strength is 100·U/(U + D), 50 when nothing moved.
func strength(up, down float64) float64 {
	sum := up + down
	if sum == 0 {
		return 50
	}
	return 100 * (up / sum)
}

func (k *rsi) seed(up, down float64) float64 {
	k.count++
	if k.count == 1 {
		return math.NaN()
	}
	k.up += up
	k.down += down
	if k.count <= k.n {
		return math.NaN()
	}
	k.up *= k.inv
	k.down *= k.inv
	return strength(k.up, k.down)
}

func (k *rsi) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

// block is a loop over next that keeps the means in registers once they are
// seeded.
func (k *rsi) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0][:hi-lo]
	for lo < hi && k.count <= k.n {
		o[0] = k.next(s.Close[lo])
		o, lo = o[1:], lo+1
	}
	up, down, last, inv := k.up, k.down, k.last, k.inv
	for i, c := range s.Close[lo:hi] {
		d := c - last
		last = c
		up, down = roll.Decay(up, inv, max(d, 0)), roll.Decay(down, inv, max(-d, 0))
		o[i] = strength(up, down)
	}
	k.up, k.down, k.last = up, down, last
}

func (k *rsi) fields(c *codec) {
	c.Float(&k.last)
	c.Float(&k.up)
	c.Float(&k.down)
	c.Int(&k.count)
}

// channel is the highest high and the lowest low of the last n bars.
type channel struct {
	n, count int
	top      roll.Max
	bottom   roll.Min
}

func newChannel(n int) channel { return channel{n: n, top: roll.NewMax(n), bottom: roll.NewMin(n)} }

// next returns the extremes, and whether n bars were seen.
func (k *channel) next(h, l float64) (top, bottom float64, ok bool) {
	top, bottom = k.top.Push(h), k.bottom.Push(l)
	if k.count < k.n {
		k.count++
		return top, bottom, k.count == k.n
	}
	return top, bottom, true
}

// blocks is a loop over next in pieces: f gets the first row of a piece, its
// highs and lows of the window, and the number of rows before n bars were seen.
func (k *channel) blocks(s *bar.Series, lo, hi int, f func(at int, top, bottom []float64, early int)) {
	var top, bottom [128]float64
	for i := lo; i < hi; i += len(top) {
		n := min(len(top), hi-i)
		k.top.PushAll(top[:n], s.High[i:i+n])
		k.bottom.PushAll(bottom[:n], s.Low[i:i+n])
		early := min(n, max(0, k.n-1-k.count))
		k.count = min(k.n, k.count+n)
		f(i, top[:n], bottom[:n], early)
	}
}

// each writes f of the channel and the close, NaN before n bars were seen.
func (k *channel) each(b *bar.Bar, out []float64, f func(top, bottom, close float64) float64) {
	top, bottom, ok := k.next(b.High, b.Low)
	if out[0] = math.NaN(); ok {
		out[0] = f(top, bottom, b.Close)
	}
}

// all is a loop over each.
func (k *channel) all(s *bar.Series, lo, hi int, out [][]float64, f func(top, bottom, close float64) float64) {
	k.blocks(s, lo, hi, func(at int, top, bottom []float64, early int) {
		o := out[0][at-lo:]
		for i := range early {
			o[i] = math.NaN()
		}
		for i := early; i < len(top); i++ {
			o[i] = f(top[i], bottom[i], s.Close[at+i])
		}
	})
}

func (k *channel) fields(c *codec) {
	c.Int(&k.count)
	k.top.Fields(c)
	k.bottom.Fields(c)
}

type stochastic struct {
	channel channel
	mean    roll.Sum
	n       float64
}

func (k *stochastic) next(top, bottom, c float64) (fast, slow float64) {
	fast = 50
	if top > bottom {
		fast = float64(100 * ((c - bottom) / (top - bottom)))
	}
	sum := k.mean.Push(fast)
	if !k.mean.Full() {
		return fast, math.NaN()
	}
	return fast, sum / k.n
}

func (k *stochastic) push(b *bar.Bar, out []float64) {
	if top, bottom, ok := k.channel.next(b.High, b.Low); ok {
		out[0], out[1] = k.next(top, bottom, b.Close)
	} else {
		out[0], out[1] = math.NaN(), math.NaN()
	}
}

func (k *stochastic) block(s *bar.Series, lo, hi int, out [][]float64) {
	k.channel.blocks(s, lo, hi, func(at int, top, bottom []float64, early int) {
		o0, o1 := out[0][at-lo:], out[1][at-lo:]
		for i := range early {
			o0[i], o1[i] = math.NaN(), math.NaN()
		}
		for i := early; i < len(top); i++ {
			o0[i], o1[i] = k.next(top[i], bottom[i], s.Close[at+i])
		}
	})
}

func (k *stochastic) fields(c *codec) {
	k.channel.fields(c)
	k.mean.Fields(c)
}

type williams struct{ channel channel }

func williamsR(top, bottom, c float64) float64 {
	if top > bottom {
		return -100 * ((top - c) / (top - bottom))
	}
	return -50
}

func (k *williams) push(b *bar.Bar, out []float64) { k.channel.each(b, out, williamsR) }

func (k *williams) block(s *bar.Series, lo, hi int, out [][]float64) {
	k.channel.all(s, lo, hi, out, williamsR)
}

func (k *williams) fields(c *codec) { k.channel.fields(c) }

type cci struct {
	n    float64
	mom  roll.Moments
	ring roll.Ring
}

func (k *cci) next(h, l, c float64) float64 {
	typical := (h + l + c) / 3
	k.ring.Push(typical)
	mean, _ := k.mom.Push(typical)
	if mean != mean {
		return mean
	}
	var s0, s1, s2, s3 float64 // four chains, so that additions overlap
	v := k.ring.Values()
	for len(v) >= 4 {
		s0 += math.Abs(v[0] - mean)
		s1 += math.Abs(v[1] - mean)
		s2 += math.Abs(v[2] - mean)
		s3 += math.Abs(v[3] - mean)
		v = v[4:]
	}
	for _, x := range v {
		s0 += math.Abs(x - mean)
	}
	return inUnits(typical-mean, 0.015*((s0+s1)+(s2+s3))/k.n, typical)
}

func (k *cci) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *cci) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *cci) fields(c *codec) {
	k.mom.Fields(c)
	k.ring.Fields(c)
}

type cmo struct {
	last     float64
	up, down roll.Sum
}

func (k *cmo) next(c float64) float64 {
	d := c - k.last
	k.last = c
	if d != d {
		return d
	}
	up, down := k.up.Push(max(d, 0)), k.down.Push(max(-d, 0))
	switch {
	case !k.up.Full():
		return math.NaN()
	case up+down == 0:
		return 0
	}
	return 100 * ((up - down) / (up + down))
}

func (k *cmo) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *cmo) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *cmo) fields(c *codec) {
	c.Float(&k.last)
	k.up.Fields(c)
	k.down.Fields(c)
}
