package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

const leavesGapOut = "the jump over the break is left out, except on bars of whole sessions"

// annual turns a variance per bar into one per year of open-market time. Bars
// of a fixed length have a fixed factor, the calendar's open time in a year
// over the bar's length. For bars of no fixed length the factor is measured:
// the open time in a year over the mean open time of the window's bars.
type annual struct {
	factor float64
	year   float64
	cal    *calendar.Calendar
	time   roll.Sum
}

func newAnnual(env Env, window int) annual {
	a := annual{cal: env.Calendar, year: float64(window) * env.Calendar.DaysPerYear() * float64(env.Calendar.Typical())}
	switch env.Timeframe {
	case bar.Native:
		a.time = roll.NewSum(window)
	case bar.Session:
		a.factor = env.Calendar.DaysPerYear()
	default:
		a.factor = env.Calendar.DaysPerYear() * float64(env.Calendar.Typical()) / float64(env.Timeframe)
	}
	return a
}

// perYear is the number of such bars in a year; NaN when that is not known.
func (a *annual) perYear(begin, end int64) float64 {
	if a.factor != 0 {
		return a.factor
	}
	sum := a.time.Push(float64(a.cal.OpenTime(begin, end)))
	if !a.time.Full() || sum <= 0 {
		return math.NaN()
	}
	return a.year / sum
}

func (a *annual) fields(c *codec) {
	if a.factor == 0 {
		a.time.Fields(c)
	}
}

func rangeEntries() []Entry {
	overBars := func(name, doc string, f func(o, h, l, c float64) float64) Entry {
		return define(about{name: name, family: "volatility", overnight: "each bar stands for itself; no break enters", doc: doc + " Annualised with the calendar's open time: √(mean · bars per year). 0 when nothing moved."},
			windowConfig{Window: 20}, func(c windowConfig, env Env) (built, error) {
				return built{&barVariance{f: f, n: float64(c.Window), sum: roll.NewSum(c.Window), annual: newAnnual(env, c.Window)}, one(name, c.Window), c.Window, c.Window}, nil
			})
	}
	return []Entry{
		define(about{name: "atr_pct", family: "volatility", overnight: spansBreaks,
			doc: "Wilder's average true range in percent of the close, 100·ATR/C; equal to TA-Lib NATR."},
			windowConfig{Window: 14}, func(c windowConfig, _ Env) (built, error) {
				return built{&atrPct{newATR(c.Window)}, one("atr_pct", c.Window), c.Window + 1, atrMemory(c.Window)}, nil
			}),
		define(about{name: "atr_ratio", family: "volatility", overnight: spansBreaks,
			doc: "ATR_fast / ATR_slow, both Wilder's; 1 when nothing moved."},
			pairConfig{Fast: 7, Slow: 50}, func(c pairConfig, _ Env) (built, error) {
				return built{&atrRatio{fast: newATR(c.Fast), slow: newATR(c.Slow)}, one("atr_ratio", c.Fast, c.Slow), c.Slow + 1, atrMemory(c.Slow)}, nil
			}),
		overBars("parkinson", "Volatility from ranges, mean of ln²(H/L)/(4 ln 2) (Parkinson 1980, J. Business 53).", parkinson),
		overBars("garman_klass", "Volatility from ½·ln²(H/L) − (2 ln 2 − 1)·ln²(C/O) (Garman and Klass 1980, J. Business 53).", garmanKlass),
		overBars("rogers_satchell", "Volatility from ln(H/C)·ln(H/O) + ln(L/C)·ln(L/O), free of drift (Rogers and Satchell 1991, Ann. Appl. Probab. 1).", rogersSatchell),
		define(about{name: "yang_zhang", family: "volatility", overnight: leavesGapOut,
			doc: "Volatility of Yang and Zhang (2000, J. Business 73): var ln(O_t/C_{t−1}) + k·var ln(C/O) + (1−k)·Rogers–Satchell, k = 0.34/(1.34 + (n+1)/(n−1)), variances with divisor n−1. Annualised with the calendar's open time. 0 when nothing moved."},
			windowConfig{Window: 20}, func(c windowConfig, env Env) (built, error) {
				n := float64(c.Window)
				return built{&yangZhang{n: n, k: 0.34 / (1.34 + (n+1)/(n-1)), gaps: env.Timeframe == bar.Session, last: math.NaN(),
					jump: roll.NewMoments(c.Window), body: roll.NewMoments(c.Window), rs: roll.NewSum(c.Window), annual: newAnnual(env, c.Window)},
					one("yang_zhang", c.Window), c.Window + 1, 2*c.Window + 1}, nil
			}),
	}
}

func parkinson(_, h, l, _ float64) float64 {
	x := logRatio(h, l)
	return x * x / (4 * math.Ln2)
}

func garmanKlass(o, h, l, c float64) float64 {
	x, y := logRatio(h, l), logRatio(c, o)
	return float64(0.5*x*x) - float64((2*math.Ln2-1)*y*y)
}

func rogersSatchell(o, h, l, c float64) float64 {
	u, d, x := logRatio(h, o), logRatio(l, o), logRatio(c, o)
	return float64(u*(u-x)) + float64(d*(d-x))
}

// barVariance is the annualised root of the mean of a variance of single bars.
type barVariance struct {
	f      func(o, h, l, c float64) float64
	n      float64
	sum    roll.Sum
	annual annual
}

func (k *barVariance) next(o, h, l, c float64, begin, end int64) float64 {
	sum := k.sum.Push(k.f(o, h, l, c))
	year := k.annual.perYear(begin, end)
	if !k.sum.Full() {
		return math.NaN()
	}
	return math.Sqrt(max(sum, 0) / k.n * year)
}

func (k *barVariance) push(b *bar.Bar, out []float64) {
	out[0] = k.next(b.Open, b.High, b.Low, b.Close, b.Begin, b.End)
}

func (k *barVariance) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Open[i], s.High[i], s.Low[i], s.Close[i], s.Begin[i], s.End[i])
	}
}

func (k *barVariance) fields(c *codec) {
	k.sum.Fields(c)
	k.annual.fields(c)
}

type yangZhang struct {
	n, k       float64
	gaps       bool
	last       float64
	jump, body roll.Moments
	rs         roll.Sum
	annual     annual
}

func (k *yangZhang) next(o, h, l, c float64, begin, end int64, opens bool) float64 {
	year := k.annual.perYear(begin, end)
	last := k.last
	k.last = c
	if last != last {
		return last
	}
	jump := logRatio(o, last)
	if opens && !k.gaps {
		jump = 0
	}
	_, vo := k.jump.Push(jump)
	_, vc := k.body.Push(logRatio(c, o))
	rs := k.rs.Push(rogersSatchell(o, h, l, c))
	if !k.rs.Full() {
		return math.NaN()
	}
	variance := (vo+float64(k.k*vc))/(k.n-1) + float64((1-k.k)*max(rs, 0))/k.n
	return math.Sqrt(variance * year)
}

func (k *yangZhang) push(b *bar.Bar, out []float64) {
	out[0] = k.next(b.Open, b.High, b.Low, b.Close, b.Begin, b.End, b.Has(bar.SessionStart))
}

func (k *yangZhang) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Open[i], s.High[i], s.Low[i], s.Close[i], s.Begin[i], s.End[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *yangZhang) fields(c *codec) {
	c.Float(&k.last)
	k.jump.Fields(c)
	k.body.Fields(c)
	k.rs.Fields(c)
	k.annual.fields(c)
}

type atrPct struct{ unit atr }

func (k *atrPct) next(h, l, c float64) float64 { return 100 * toPrice(k.unit.next(h, l, c), c) }

func (k *atrPct) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *atrPct) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0][:hi-lo]
	k.unit.all(s, lo, hi, o)
	for i, c := range s.Close[lo:hi] {
		o[i] = 100 * toPrice(o[i], c)
	}
}

func (k *atrPct) fields(c *codec) { k.unit.fields(c) }

type atrRatio struct{ fast, slow atr }

func (k *atrRatio) next(h, l, c float64) float64 {
	fast, slow := k.fast.next(h, l, c), k.slow.next(h, l, c)
	if slow <= flatUnit*math.Abs(c) {
		return 1
	}
	return fast / slow
}

func (k *atrRatio) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close) }

func (k *atrRatio) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *atrRatio) fields(c *codec) {
	k.fast.fields(c)
	k.slow.fields(c)
}
