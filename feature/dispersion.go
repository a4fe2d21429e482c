package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

func dispersionEntries() []Entry {
	return []Entry{
		define(about{name: "realised_vol", family: "volatility", overnight: leavesGapOut,
			doc: "√(mean r² · bars per year) of the last window log returns, annualised with the calendar's open time. A session's first return is ln(C/O). 0 when nothing moved."},
			windowConfig{Window: 20}, func(c windowConfig, env Env) (built, error) {
				return built{&realisedVol{step: newStep(env), n: float64(c.Window), sum: roll.NewSum(c.Window), annual: newAnnual(env, c.Window)}, one("realised_vol", c.Window), c.Window, c.Window + 1}, nil
			}),
		define(about{name: "vol_ratio", family: "volatility", overnight: leavesGapOut,
			doc: "√(mean r² over fast bars / mean r² over slow bars) of log returns; a session's first return is ln(C/O). 1 when nothing moved."},
			pairConfig{Fast: 10, Slow: 100}, func(c pairConfig, env Env) (built, error) {
				return built{&volRatio{step: newStep(env), ratio: float64(c.Slow) / float64(c.Fast), fast: roll.NewSum(c.Fast), slow: roll.NewSum(c.Slow)}, one("vol_ratio", c.Fast, c.Slow), c.Slow, c.Slow + 1}, nil
			}),
		define(about{name: "down_share", family: "volatility", overnight: leavesGapOut,
			doc: "Share of falls in the realised variance, Σ_{r<0} r² / Σ r² over the window (Barndorff-Nielsen, Kinnebrock, Shephard 2010); a session's first return is ln(C/O). 0.5 when nothing moved."},
			windowConfig{Window: 30}, func(c windowConfig, env Env) (built, error) {
				return built{&downShare{step: newStep(env), down: roll.NewSum(c.Window), all: roll.NewSum(c.Window)}, one("down_share", c.Window), c.Window, c.Window + 1}, nil
			}),
		define(about{name: "return_moments", family: "volatility", overnight: leavesGapOut,
			doc: "Skewness m3/m2^1.5 and excess kurtosis m4/m2² − 3 of the window's log returns, central moments with divisor n; a session's first return is ln(C/O). Both 0 when the returns are equal to each other within one part in a thousand."},
			windowConfig{Window: 60}, func(c windowConfig, env Env) (built, error) {
				n := c.Window
				return built{&returnMoments{step: newStep(env), n: float64(n), s: [4]roll.Sum{roll.NewSum(n), roll.NewSum(n), roll.NewSum(n), roll.NewSum(n)}},
					[]string{label("return_skew", n), label("return_kurt", n)}, n, n + 1}, nil
			}),
	}
}

// step makes log returns that leave out the jump over a break: the first
// return of a session, and of all, is ln(C/O).
type step struct {
	gaps bool
	last float64
}

func newStep(env Env) step { return step{gaps: env.Timeframe == bar.Session, last: math.NaN()} }

func (k *step) next(o, c float64, opens bool) float64 {
	from := k.last
	if from != from || (opens && !k.gaps) {
		from = o
	}
	k.last = c
	return logRatio(c, from)
}

type realisedVol struct {
	step   step
	n      float64
	sum    roll.Sum
	annual annual
}

func (k *realisedVol) next(o, c float64, begin, end int64, opens bool) float64 {
	r := k.step.next(o, c, opens)
	sum := k.sum.Push(float64(r * r))
	year := k.annual.perYear(begin, end)
	if !k.sum.Full() {
		return math.NaN()
	}
	return math.Sqrt(sum / k.n * year)
}

func (k *realisedVol) push(b *bar.Bar, out []float64) {
	out[0] = k.next(b.Open, b.Close, b.Begin, b.End, b.Has(bar.SessionStart))
}

func (k *realisedVol) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Open[i], s.Close[i], s.Begin[i], s.End[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *realisedVol) fields(c *codec) {
	c.Float(&k.step.last)
	k.sum.Fields(c)
	k.annual.fields(c)
}

type volRatio struct {
	step       step
	ratio      float64
	fast, slow roll.Sum
}

func (k *volRatio) next(o, c float64, opens bool) float64 {
	r := k.step.next(o, c, opens)
	fast, slow := k.fast.Push(float64(r*r)), k.slow.Push(float64(r*r))
	switch {
	case !k.slow.Full():
		return math.NaN()
	case slow == 0:
		return 1
	}
	return math.Sqrt(fast / slow * k.ratio)
}

func (k *volRatio) push(b *bar.Bar, out []float64) {
	out[0] = k.next(b.Open, b.Close, b.Has(bar.SessionStart))
}

func (k *volRatio) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Open[i], s.Close[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *volRatio) fields(c *codec) {
	c.Float(&k.step.last)
	k.fast.Fields(c)
	k.slow.Fields(c)
}

type downShare struct {
	step      step
	down, all roll.Sum
}

func (k *downShare) next(o, c float64, opens bool) float64 {
	r := k.step.next(o, c, opens)
	x := float64(r * r)
	down := 0.0
	if r < 0 {
		down = x
	}
	down, all := k.down.Push(down), k.all.Push(x)
	switch {
	case !k.all.Full():
		return math.NaN()
	case all == 0:
		return 0.5
	}
	return down / all
}

func (k *downShare) push(b *bar.Bar, out []float64) {
	out[0] = k.next(b.Open, b.Close, b.Has(bar.SessionStart))
}

func (k *downShare) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Open[i], s.Close[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *downShare) fields(c *codec) {
	c.Float(&k.step.last)
	k.down.Fields(c)
	k.all.Fields(c)
}

// returnMoments forms central moments from raw ones. Returns lie near 0, so
// little is lost, unless they hardly differ from their mean; that case is
// called no dispersion.
type returnMoments struct {
	step step
	n    float64
	s    [4]roll.Sum
}

func (k *returnMoments) next(o, c float64, opens bool) (skew, kurt float64) {
	r := k.step.next(o, c, opens)
	q := float64(r * r)
	a, b := k.s[0].Push(r)/k.n, k.s[1].Push(q)/k.n
	d, e := k.s[2].Push(float64(q*r))/k.n, k.s[3].Push(float64(q*q))/k.n
	if !k.s[0].Full() {
		return math.NaN(), math.NaN()
	}
	aa := float64(a * a)
	m2 := b - aa
	if m2 <= 1e-6*b {
		return 0, 0
	}
	m3 := d - float64(3*a*b) + float64(2*a*aa)
	m4 := e - float64(4*a*d) + float64(6*aa*b) - float64(3*aa*aa)
	return m3 / (m2 * math.Sqrt(m2)), m4/float64(m2*m2) - 3
}

func (k *returnMoments) push(b *bar.Bar, out []float64) {
	out[0], out[1] = k.next(b.Open, b.Close, b.Has(bar.SessionStart))
}

func (k *returnMoments) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1 := out[0], out[1]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo] = k.next(s.Open[i], s.Close[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *returnMoments) fields(c *codec) {
	c.Float(&k.step.last)
	for i := range k.s {
		k.s[i].Fields(c)
	}
}
