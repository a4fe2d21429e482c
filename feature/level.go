package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

// levelEntries are indicators in units of price or volume. They are no default
// features, since a model that learns a price level learns a date; they serve
// charts, comparison with other programs and users' own formulas.
func levelEntries() []Entry {
	level := func(name, doc string) about {
		return about{name: name, family: "level", overnight: spansBreaks, scale: ScalePrice, doc: doc}
	}
	return []Entry{
		define(level("sma", "Plain mean of the last window closes; equal to TA-Lib SMA."),
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&sma{inv: 1 / float64(c.Window), sum: roll.NewSum(c.Window)}, one("sma", c.Window), c.Window, c.Window}, nil
			}),
		define(level("ema", "Exponential mean of closes, α = 2/(window+1), begun with the plain mean of the first window closes; equal to TA-Lib EMA."),
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&ema{roll.NewEMA(c.Window)}, one("ema", c.Window), c.Window, roll.Memory(2/float64(c.Window+1)) + c.Window}, nil
			}),
		define(level("stddev", "Standard deviation of the last window closes, divisor n; TA-Lib STDDEV, but right at any price level."),
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&stddev{n: float64(c.Window), mom: roll.NewMoments(c.Window)}, one("stddev", c.Window), c.Window, 2 * c.Window}, nil
			}),
		define(level("bollinger_bands", "Upper, middle and lower Bollinger band, mean ± width·σ of closes, divisor n; TA-Lib BBANDS, but right at any price level."),
			bollingerConfig{Window: 20, Width: 2}, func(c bollingerConfig, _ Env) (built, error) {
				n := c.Window
				return built{&bollingerBands{n: float64(n), width: c.Width, mom: roll.NewMoments(n)},
					[]string{label("bb_upper", n), label("bb_middle", n), label("bb_lower", n)}, n, 2 * n}, nil
			}),
		define(level("atr", "Average true range of Wilder (1978), begun with the plain mean of the first window true ranges; equal to TA-Lib ATR."),
			windowConfig{Window: 14}, func(c windowConfig, _ Env) (built, error) {
				return built{&atrLevel{newATR(c.Window)}, one("atr", c.Window), c.Window + 1, atrMemory(c.Window)}, nil
			}),
		define(level("macd_level", "MACD line, signal and histogram in units of price; equal to TA-Lib MACD."),
			macdLevelConfig{Fast: 12, Slow: 26, Signal: 9}, func(c macdLevelConfig, _ Env) (built, error) {
				n := []int{c.Fast, c.Slow, c.Signal}
				return built{&macdLevel{newMACD(c.Fast, c.Slow, c.Signal)},
					[]string{label("macd_level", n...), label("macd_level_signal", n...), label("macd_level_hist", n...)},
					c.Slow + c.Signal - 1, macdMemory(macdConfig{Fast: c.Fast, Slow: c.Slow, Signal: c.Signal})}, nil
			}),
		define(about{name: "obv", family: "level", overnight: spansBreaks, volume: true,
			doc: "On-balance volume (Granville 1963), begun with the first bar's volume like TA-Lib OBV. A bar without volume adds nothing. Its level depends on where the data begin."},
			noConfig{}, func(noConfig, Env) (built, error) {
				return built{&obv{last: math.NaN()}, []string{"obv"}, 1, -1}, nil
			}),
	}
}

type macdLevelConfig struct {
	Fast   int `yaml:"fast" doc:"bars of the fast mean" min:"2" max:"5000"`
	Slow   int `yaml:"slow" doc:"bars of the slow mean" min:"3" max:"5000"`
	Signal int `yaml:"signal" doc:"bars of the signal's mean" min:"2" max:"5000"`
}

// Validate checks the order of the two means.
func (c macdLevelConfig) Validate() error { return pairConfig{Fast: c.Fast, Slow: c.Slow}.Validate() }

type sma struct {
	inv float64
	sum roll.Sum
}

func (k *sma) next(c float64) float64 {
	sum := k.sum.Push(c)
	if !k.sum.Full() {
		return math.NaN()
	}
	return sum * k.inv
}

func (k *sma) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *sma) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0][:hi-lo]
	for lo < hi && !k.sum.Full() {
		o[0] = k.next(s.Close[lo])
		o, lo = o[1:], lo+1
	}
	k.sum.PushAll(o, s.Close[lo:hi])
	for i := range o {
		o[i] *= k.inv
	}
}

func (k *sma) fields(c *codec) { k.sum.Fields(c) }

type ema struct{ mean roll.EMA }

func (k *ema) push(b *bar.Bar, out []float64) { out[0] = k.mean.Push(b.Close) }

func (k *ema) block(s *bar.Series, lo, hi int, out [][]float64) {
	k.mean.PushAll(out[0], s.Close[lo:hi])
}

func (k *ema) fields(c *codec) { k.mean.Fields(c) }

type stddev struct {
	n   float64
	mom roll.Moments
}

func (k *stddev) next(c float64) float64 {
	_, m2 := k.mom.Push(c)
	return math.Sqrt(m2 / k.n)
}

func (k *stddev) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *stddev) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *stddev) fields(c *codec) { k.mom.Fields(c) }

type bollingerBands struct {
	n, width float64
	mom      roll.Moments
}

func (k *bollingerBands) next(c float64) (upper, middle, lower float64) {
	mean, m2 := k.mom.Push(c)
	half := float64(k.width * math.Sqrt(m2/k.n))
	return mean + half, mean, mean - half
}

func (k *bollingerBands) push(b *bar.Bar, out []float64) { out[0], out[1], out[2] = k.next(b.Close) }

func (k *bollingerBands) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1, o2 := out[0], out[1], out[2]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo], o2[i-lo] = k.next(s.Close[i])
	}
}

func (k *bollingerBands) fields(c *codec) { k.mom.Fields(c) }

type atrLevel struct{ atr }

func (k *atrLevel) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *atrLevel) block(s *bar.Series, lo, hi int, out [][]float64) { k.all(s, lo, hi, out[0]) }

type macdLevel struct{ macd }

func (k *macdLevel) values(c float64) (line, signal, hist float64) {
	line, signal = k.next(c)
	if signal != signal {
		return signal, signal, signal
	}
	return line, signal, line - signal
}

func (k *macdLevel) push(b *bar.Bar, out []float64) { out[0], out[1], out[2] = k.values(b.Close) }

func (k *macdLevel) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1, o2 := out[0], out[1], out[2]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo], o2[i-lo] = k.values(s.Close[i])
	}
}

type obv struct{ last, sum float64 }

func (k *obv) next(c, v float64) float64 {
	last := k.last
	k.last = c
	if v != v {
		v = 0
	}
	if last != last {
		k.sum = v
	} else {
		k.sum += signed(last, c, v)
	}
	return k.sum
}

func (k *obv) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close, b.Volume) }

func (k *obv) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Close[i], s.Volume[i])
	}
}

func (k *obv) fields(c *codec) {
	c.Float(&k.last)
	c.Float(&k.sum)
}
