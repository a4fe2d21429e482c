package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
	"github.com/mlfactory/mlfactory/param"
)

// distanceConfig is the config of distances in units of the average true range.
type distanceConfig struct {
	Window int `yaml:"window" doc:"bars in the mean" min:"2" max:"5000"`
	ATR    int `yaml:"atr" doc:"bars of the average true range that is the unit" min:"2" max:"5000"`
}

type macdConfig struct {
	Fast   int `yaml:"fast" doc:"bars of the fast mean" min:"2" max:"5000"`
	Slow   int `yaml:"slow" doc:"bars of the slow mean" min:"3" max:"5000"`
	Signal int `yaml:"signal" doc:"bars of the signal's mean" min:"2" max:"5000"`
	ATR    int `yaml:"atr" doc:"bars of the average true range that is the unit" min:"2" max:"5000"`
}

// Validate checks the order of the two means.
func (c macdConfig) Validate() error {
	if c.Fast >= c.Slow {
		return &param.Error{Path: "fast", Problem: "must be shorter than slow"}
	}
	return nil
}

// flatUnit is the share of the price below which a unit (average true range,
// band, deviation) is rounding noise and counts as no movement at all.
const flatUnit = 1e-12

// inUnits is x/unit, or 0 where the unit is no more than rounding noise of the
// price.
func inUnits(x, unit, price float64) float64 {
	if unit <= flatUnit*math.Abs(price) {
		return 0
	}
	return x / unit
}

// atr is Wilder's average true range, seeded like TA-Lib's: the mean of the
// true ranges of bars 2..n+1, then v ← v + (TR − v)/n.
type atr struct {
	last float64
	mean roll.Wilder
}

func newATR(n int) atr { return atr{last: math.NaN(), mean: roll.NewWilder(n)} }

func atrMemory(n int) int { return roll.Memory(1/float64(n)) + n + 1 }

func trueRange(high, low, last float64) float64 {
	return max(high, last) - min(low, last)
}

func (k *atr) next(high, low, close float64) float64 {
	last := k.last
	k.last = close
	if last != last {
		return last
	}
	return k.mean.Push(trueRange(high, low, last))
}

// all is a loop over next, in two passes: true ranges, then their mean.
func (k *atr) all(s *bar.Series, lo, hi int, out []float64) {
	if lo < hi && k.last != k.last {
		out[0] = k.next(s.High[lo], s.Low[lo], s.Close[lo])
		out, lo = out[1:], lo+1
	}
	high, low, close := s.High[lo:hi], s.Low[lo:hi], s.Close[lo:hi]
	out, low, close = out[:len(high)], low[:len(high)], close[:len(high)]
	last := k.last
	for i, h := range high {
		out[i] = trueRange(h, low[i], last)
		last = close[i]
	}
	k.last = last
	k.mean.PushAll(out, out)
}

func (k *atr) fields(c *codec) {
	c.Float(&k.last)
	k.mean.Fields(c)
}

func trendEntries() []Entry {
	return []Entry{
		define(about{name: "dist_sma", family: "trend", overnight: spansBreaks,
			doc: "(C − SMA_window) / ATR. SMA is the plain mean of closes, ATR is Wilder's, seeded like TA-Lib; 0 when there is no movement."},
			distanceConfig{Window: 20, ATR: 14}, func(c distanceConfig, _ Env) (built, error) {
				return built{&distSMA{mom: roll.NewMoments(c.Window), unit: newATR(c.ATR)}, one("dist_sma", c.Window),
					max(c.Window, c.ATR+1), max(2*c.Window, atrMemory(c.ATR))}, nil
			}),
		define(about{name: "dist_ema", family: "trend", overnight: spansBreaks,
			doc: "(C − EMA_window) / ATR. EMA has α = 2/(window+1) and, like TA-Lib's, begins with the plain mean of the first window closes; 0 when there is no movement."},
			distanceConfig{Window: 21, ATR: 14}, func(c distanceConfig, _ Env) (built, error) {
				return built{&distEMA{mean: roll.NewEMA(c.Window), unit: newATR(c.ATR)}, one("dist_ema", c.Window),
					max(c.Window, c.ATR+1), max(roll.Memory(2/float64(c.Window+1))+c.Window, atrMemory(c.ATR))}, nil
			}),
		define(about{name: "dist_vwap", family: "trend", volume: true, overnight: "the volume-weighted mean begins anew with each session; ATR spans the break",
			doc: "(C − VWAP) / ATR, VWAP the volume-weighted mean of (H+L+C)/3 since the session opened. Bars without volume add nothing; NaN while the session has no volume."},
			unitConfig{ATR: 14}, func(c unitConfig, _ Env) (built, error) {
				return built{&distVWAP{unit: newATR(c.ATR)}, one("dist_vwap"), c.ATR + 1, -1}, nil
			}),
		define(about{name: "macd", family: "trend", overnight: spansBreaks,
			doc: "MACD line, signal and histogram of Appel (1979) divided by ATR: (EMA_fast − EMA_slow)/ATR, EMA_signal of the line / ATR, their difference. " +
				"Seeding as TA-Lib MACD: both means begin at bar slow, the fast one with the mean of the last fast closes; 0 when there is no movement."},
			macdConfig{Fast: 12, Slow: 26, Signal: 9, ATR: 14}, func(c macdConfig, _ Env) (built, error) {
				n := []int{c.Fast, c.Slow, c.Signal}
				return built{&macdUnits{macd: newMACD(c.Fast, c.Slow, c.Signal), unit: newATR(c.ATR)},
					[]string{label("macd", n...), label("macd_signal", n...), label("macd_hist", n...)},
					max(c.Slow+c.Signal-1, c.ATR+1), max(macdMemory(c), atrMemory(c.ATR))}, nil
			}),
	}
}

type unitConfig struct {
	ATR int `yaml:"atr" doc:"bars of the average true range that is the unit" min:"2" max:"5000"`
}

type distSMA struct {
	mom  roll.Moments
	unit atr
}

func (k *distSMA) next(h, l, c float64) float64 {
	unit := k.unit.next(h, l, c)
	mean, _ := k.mom.Push(c)
	return inUnits(c-mean, unit, c)
}

func (k *distSMA) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *distSMA) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *distSMA) fields(c *codec) {
	k.mom.Fields(c)
	k.unit.fields(c)
}

type distEMA struct {
	mean roll.EMA
	unit atr
}

func (k *distEMA) next(h, l, c float64) float64 {
	unit := k.unit.next(h, l, c)
	return inUnits(c-k.mean.Push(c), unit, c)
}

func (k *distEMA) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *distEMA) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *distEMA) fields(c *codec) {
	k.mean.Fields(c)
	k.unit.fields(c)
}

// distVWAP sums the typical price relative to the session's first one, so that
// a long session at a high price keeps its digits.
type distVWAP struct {
	ref, weighted, volume float64
	begun                 bool
	unit                  atr
}

func (k *distVWAP) next(h, l, c, v float64, opens bool) float64 {
	unit := k.unit.next(h, l, c)
	typical := (h + l + c) / 3
	if opens || !k.begun {
		k.ref, k.weighted, k.volume, k.begun = typical, 0, 0, true
	}
	if v > 0 {
		k.weighted += float64((typical - k.ref) * v)
		k.volume += v
	}
	if k.volume == 0 {
		return math.NaN()
	}
	return inUnits(c-(k.ref+k.weighted/k.volume), unit, c)
}

func (k *distVWAP) push(b *bar.Bar, out []float64) {
	out[0] = k.next(b.High, b.Low, b.Close, b.Volume, b.Has(bar.SessionStart))
}

func (k *distVWAP) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i], s.Volume[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *distVWAP) fields(c *codec) {
	c.Float(&k.ref)
	c.Float(&k.weighted)
	c.Float(&k.volume)
	c.Bool(&k.begun)
	k.unit.fields(c)
}

// macd is the line and its signal in units of price.
type macd struct {
	wait             int // bars before the fast mean begins
	fast, slow, mean roll.EMA
}

func newMACD(fast, slow, signal int) macd {
	return macd{wait: slow - fast, fast: roll.NewEMA(fast), slow: roll.NewEMA(slow), mean: roll.NewEMA(signal)}
}

func macdMemory(c macdConfig) int {
	return roll.Memory(2/float64(c.Slow+1)) + c.Slow + roll.Memory(2/float64(c.Signal+1)) + c.Signal
}

func (k *macd) next(c float64) (line, signal float64) {
	slow := k.slow.Push(c)
	if k.wait > 0 {
		k.wait--
		return math.NaN(), math.NaN()
	}
	line = k.fast.Push(c) - slow
	if line != line {
		return line, line
	}
	return line, k.mean.Push(line)
}

func (k *macd) fields(c *codec) {
	c.Int(&k.wait)
	k.fast.Fields(c)
	k.slow.Fields(c)
	k.mean.Fields(c)
}

type macdUnits struct {
	macd
	unit atr
}

func (k *macdUnits) next(h, l, c float64) (line, signal, hist float64) {
	unit := k.unit.next(h, l, c)
	line, signal = k.macd.next(c)
	if signal != signal {
		return signal, signal, signal
	}
	return inUnits(line, unit, c), inUnits(signal, unit, c), inUnits(line-signal, unit, c)
}

func (k *macdUnits) push(b *bar.Bar, out []float64) {
	out[0], out[1], out[2] = k.next(b.High, b.Low, b.Close)
}

func (k *macdUnits) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1, o2 := out[0], out[1], out[2]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo], o2[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *macdUnits) fields(c *codec) {
	k.macd.fields(c)
	k.unit.fields(c)
}
