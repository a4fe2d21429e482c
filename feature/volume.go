package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
	"github.com/mlfactory/mlfactory/param"
)

// pairConfig is the config of kernels that compare a short window with a long
// one.
type pairConfig struct {
	Fast int `yaml:"fast" doc:"bars of the short window" min:"2" max:"5000"`
	Slow int `yaml:"slow" doc:"bars of the long window" min:"3" max:"5000"`
}

// Validate checks the order of the two windows.
func (c pairConfig) Validate() error {
	if c.Fast >= c.Slow {
		return &param.Error{Path: "fast", Problem: "must be shorter than slow"}
	}
	return nil
}

func volumeEntries() []Entry {
	return []Entry{
		define(about{name: "volume_ratio", family: "volume", volume: true, overnight: spansBreaks,
			doc: "V_t / mean of the last window volumes (this bar's included); in [0, window]. NaN without any volume."},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&volumeRatio{n: float64(c.Window), volume: roll.NewSum(c.Window)}, one("volume_ratio", c.Window), c.Window, c.Window}, nil
			}),
		define(about{name: "volume_z", family: "volume", volume: true, overnight: spansBreaks,
			doc: "(V_t − mean)/σ of the last window volumes (this bar's included), σ with divisor n−1. 0 when all volumes are equal; NaN without any volume."},
			windowConfig{Window: 50}, func(c windowConfig, _ Env) (built, error) {
				return built{&volumeZ{n: float64(c.Window), mom: roll.NewMoments(c.Window)}, one("volume_z", c.Window), c.Window, 2 * c.Window}, nil
			}),
		define(about{name: "illiquidity", family: "volume", volume: true, overnight: spansBreaks,
			doc: "Amihud's (2002) price impact |r|/(C·V), a short mean against a long one: fast/(fast + slow), in [0, 1]. A bar without volume adds nothing; 0.5 when no price moved; NaN without any volume."},
			pairConfig{Fast: 10, Slow: 100}, func(c pairConfig, _ Env) (built, error) {
				return built{&illiquidity{last: math.NaN(), nFast: float64(c.Fast), nSlow: float64(c.Slow), fast: roll.NewSum(c.Fast), slow: roll.NewSum(c.Slow), volume: roll.NewSum(c.Slow)},
					one("illiquidity", c.Fast, c.Slow), c.Slow + 1, c.Slow + 1}, nil
			}),
	}
}

type volumeRatio struct {
	n      float64
	volume roll.Sum
}

func (k *volumeRatio) next(v float64) float64 {
	sum := k.volume.Push(v)
	return share(v*k.n, sum, k.volume.Full())
}

func (k *volumeRatio) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Volume) }

func (k *volumeRatio) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, v := range s.Volume[lo:hi] {
		o[i] = k.next(v)
	}
}

func (k *volumeRatio) fields(c *codec) { k.volume.Fields(c) }

type volumeZ struct {
	n   float64
	mom roll.Moments
}

func (k *volumeZ) next(v float64) float64 {
	mean, m2 := k.mom.Push(v)
	if mean == 0 {
		return math.NaN()
	}
	return inUnits(v-mean, math.Sqrt(m2/(k.n-1)), mean)
}

func (k *volumeZ) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Volume) }

func (k *volumeZ) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i, v := range s.Volume[lo:hi] {
		o[i] = k.next(v)
	}
}

func (k *volumeZ) fields(c *codec) { k.mom.Fields(c) }

type illiquidity struct {
	last, nFast, nSlow float64
	fast, slow, volume roll.Sum
}

func (k *illiquidity) next(c, v float64) float64 {
	last := k.last
	k.last = c
	if last != last {
		return last
	}
	impact := 0 * v
	if v > 0 {
		impact = math.Abs(logRatio(c, last)) / (c * v)
	}
	fast, slow := k.fast.Push(impact)/k.nFast, k.slow.Push(impact)/k.nSlow
	volume := k.volume.Push(v)
	switch {
	case !k.slow.Full() || volume == 0:
		return math.NaN()
	case fast+slow == 0:
		return 0.5
	}
	return fast / (fast + slow)
}

func (k *illiquidity) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close, b.Volume) }

func (k *illiquidity) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Close[i], s.Volume[i])
	}
}

func (k *illiquidity) fields(c *codec) {
	c.Float(&k.last)
	k.fast.Fields(c)
	k.slow.Fields(c)
	k.volume.Fields(c)
}
