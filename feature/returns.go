package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

// lagConfig is the config of kernels that look back a number of bars.
type lagConfig struct {
	Lag int `yaml:"lag" doc:"bars looked back" min:"1" max:"5000"`
}

// windowConfig is the config of kernels over a window of bars.
type windowConfig struct {
	Window int `yaml:"window" doc:"bars in the window" min:"2" max:"5000"`
}

const spansBreaks = "the break between sessions counts like any other step between two bars"

func returnEntries() []Entry {
	return []Entry{
		define(about{name: "log_return", family: "return", overnight: spansBreaks,
			doc: "ln(C_t / C_{t−lag})."},
			lagConfig{Lag: 1}, func(c lagConfig, _ Env) (built, error) {
				return built{&logReturn{past: roll.NewRing(c.Lag)}, one("log_return", c.Lag), c.Lag + 1, c.Lag + 1}, nil
			}),
		define(about{name: "roc", family: "return", overnight: spansBreaks,
			doc: "Rate of change in percent, 100·(C_t / C_{t−lag} − 1); equal to TA-Lib ROC."},
			lagConfig{Lag: 10}, func(c lagConfig, _ Env) (built, error) {
				return built{&roc{past: roll.NewRing(c.Lag)}, one("roc", c.Lag), c.Lag + 1, c.Lag + 1}, nil
			}),
		define(about{name: "return_sharpe", family: "return", overnight: spansBreaks,
			doc: "Mean over standard deviation (n−1) of the last window one-bar log returns, not annualised; 0 when no price moved."},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&returnSharpe{n: float64(c.Window), last: math.NaN(), mom: roll.NewMoments(c.Window)},
					one("return_sharpe", c.Window), c.Window + 1, 2*c.Window + 1}, nil
			}),
		define(about{name: "autocorr", family: "return", overnight: spansBreaks,
			doc: "Lag-one autocorrelation of one-bar log returns over the window, mean taken as 0: Σ r_t·r_{t−1} / Σ r_t²; 0 when no price moved."},
			windowConfig{Window: 60}, func(c windowConfig, _ Env) (built, error) {
				return built{&autocorr{last: math.NaN(), prev: math.NaN(), cross: roll.NewSum(c.Window), square: roll.NewSum(c.Window)},
					one("autocorr", c.Window), c.Window + 2, c.Window + 3}, nil
			}),
		define(about{name: "efficiency", family: "return", overnight: spansBreaks,
			doc: "Kaufman's efficiency ratio with sign, (C_t − C_{t−lag}) / Σ|C_i − C_{i−1}| over the last lag steps, in [−1, 1]; 0 when no price moved. Kaufman (1995), Smarter Trading."},
			lagConfig{Lag: 20}, func(c lagConfig, _ Env) (built, error) {
				return built{&efficiency{last: math.NaN(), past: roll.NewRing(c.Lag), path: roll.NewSum(c.Lag)},
					one("efficiency", c.Lag), c.Lag + 1, c.Lag + 1}, nil
			}),
	}
}

// logRatio is ln(a/b), NaN unless both prices are positive: some futures have
// traded at and below zero, where no logarithm says anything.
func logRatio(a, b float64) float64 {
	if a > 0 && b > 0 {
		return math.Log(a / b)
	}
	return math.NaN()
}

// toPrice is x/price, NaN unless the price is positive.
func toPrice(x, price float64) float64 {
	if price > 0 {
		return x / price
	}
	return math.NaN()
}

type logReturn struct{ past roll.Ring }

func (k *logReturn) next(c float64) float64 { return logRatio(c, k.past.Push(c)) }

func (k *logReturn) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *logReturn) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *logReturn) fields(c *codec) { k.past.Fields(c) }

type roc struct{ past roll.Ring }

func (k *roc) next(c float64) float64 { return (toPrice(c, k.past.Push(c)) - 1) * 100 }

func (k *roc) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *roc) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *roc) fields(c *codec) { k.past.Fields(c) }

type returnSharpe struct {
	n    float64
	last float64
	mom  roll.Moments
}

func (k *returnSharpe) next(c float64) float64 {
	r := logRatio(c, k.last)
	first := math.IsNaN(k.last)
	k.last = c
	if first {
		return math.NaN()
	}
	mean, m2 := k.mom.Push(r)
	if m2 == 0 {
		return 0
	}
	return mean / math.Sqrt(m2/(k.n-1))
}

func (k *returnSharpe) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *returnSharpe) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *returnSharpe) fields(c *codec) {
	c.Float(&k.last)
	k.mom.Fields(c)
}

type autocorr struct {
	last, prev    float64 // close and return of the bar before
	cross, square roll.Sum
}

func (k *autocorr) next(c float64) float64 {
	r := logRatio(c, k.last)
	p := k.prev
	k.last, k.prev = c, r
	if math.IsNaN(p) {
		return math.NaN()
	}
	cross, square := k.cross.Push(float64(r*p)), k.square.Push(float64(r*r))
	switch {
	case !k.cross.Full():
		return math.NaN()
	case square == 0:
		return 0
	}
	return cross / square
}

func (k *autocorr) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *autocorr) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *autocorr) fields(c *codec) {
	c.Float(&k.last)
	c.Float(&k.prev)
	k.cross.Fields(c)
	k.square.Fields(c)
}

type efficiency struct {
	last float64
	past roll.Ring
	path roll.Sum
}

func (k *efficiency) next(c float64) float64 {
	old := k.past.Push(c)
	last := k.last
	k.last = c
	if math.IsNaN(last) {
		return math.NaN()
	}
	path := k.path.Push(math.Abs(c - last))
	switch {
	case math.IsNaN(old):
		return old
	case path == 0:
		return 0
	}
	return (c - old) / path
}

func (k *efficiency) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close) }

func (k *efficiency) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, c := range s.Close[lo:hi] {
		o[i] = k.next(c)
	}
}

func (k *efficiency) fields(c *codec) {
	c.Float(&k.last)
	k.past.Fields(c)
	k.path.Fields(c)
}
