package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

func directionEntries() []Entry {
	return []Entry{
		define(about{name: "adx", family: "trend", overnight: spansBreaks,
			doc: "Average directional index and the two directional indicators of Wilder (1978), New Concepts in Technical Trading Systems; equal to TA-Lib ADX, PLUS_DI, MINUS_DI. " +
				"All in [0, 100]; DI is 0 while nothing moved, ADX keeps its value over a bar with no direction."},
			windowConfig{Window: 14}, func(c windowConfig, _ Env) (built, error) {
				n := c.Window
				return built{&adx{n: n, inv: 1 / float64(n), lastClose: math.NaN()},
					[]string{label("adx", n), label("plus_di", n), label("minus_di", n)}, 2 * n, 2*roll.Memory(1/float64(n)) + 2*n}, nil
			}),
		define(about{name: "aroon", family: "trend", overnight: spansBreaks,
			doc: "Aroon oscillator of Chande (1995) in [−100, 100]: 100·(bars since the lowest low − bars since the highest high)/window over window+1 bars, the latest of equals; equal to TA-Lib AROONOSC."},
			windowConfig{Window: 25}, func(c windowConfig, _ Env) (built, error) {
				return built{&aroon{n: c.Window, high: roll.NewRing(c.Window + 1), low: roll.NewRing(c.Window + 1)}, one("aroon", c.Window), c.Window + 1, 2*c.Window + 2}, nil
			}),
	}
}

// adx follows TA-Lib step by step: the sums of directional movement and true
// range begin with n−1 bars, the first indicator comes with the next one, and
// the first index is the mean of n of them.
type adx struct {
	n                            int
	inv                          float64
	lastHigh, lastLow, lastClose float64
	plus, minus, tr              float64
	sum, index                   float64
	steps                        int // bars after the first, up to 2n−1
}

func (k *adx) next(h, l, c float64) (index, plusDI, minusDI float64) {
	lh, ll, lc := k.lastHigh, k.lastLow, k.lastClose
	k.lastHigh, k.lastLow, k.lastClose = h, l, c
	if lc != lc {
		return lc, lc, lc
	}
	up, down := h-lh, ll-l
	var plus, minus float64
	tie := flatUnit * math.Abs(c) // two steps of a tick are equal, whatever their last bits say
	if down > 0 && down-up > tie {
		minus = down
	} else if up > 0 && up-down > tie {
		plus = up
	}
	tr := trueRange(h, l, lc)
	if k.steps < k.n-1 {
		k.steps++
		k.plus += plus
		k.minus += minus
		k.tr += tr
		return math.NaN(), math.NaN(), math.NaN()
	}
	k.plus += plus - float64(k.plus*k.inv)
	k.minus += minus - float64(k.minus*k.inv)
	k.tr += tr - float64(k.tr*k.inv)
	scale := 0.0
	if k.tr > flatUnit*math.Abs(c) {
		scale = 100 / k.tr
	}
	plusDI, minusDI = float64(k.plus*scale), float64(k.minus*scale)
	dx, any := 0.0, plusDI+minusDI > 0
	if any {
		dx = 100 * math.Abs(plusDI-minusDI) / (plusDI + minusDI)
	}
	if k.steps < 2*k.n-1 {
		k.steps++
		k.sum += dx
		k.index = float64(k.sum * k.inv)
		if k.steps < 2*k.n-1 {
			return math.NaN(), plusDI, minusDI
		}
		return k.index, plusDI, minusDI
	}
	if any {
		k.index += float64((dx - k.index) * k.inv)
	}
	return k.index, plusDI, minusDI
}

func (k *adx) push(b *bar.Bar, out []float64) {
	out[0], out[1], out[2] = k.next(b.High, b.Low, b.Close)
}

func (k *adx) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1, o2 := out[0], out[1], out[2]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo], o2[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i])
	}
}

func (k *adx) fields(c *codec) {
	for _, p := range []*float64{&k.lastHigh, &k.lastLow, &k.lastClose, &k.plus, &k.minus, &k.tr, &k.sum, &k.index} {
		c.Float(p)
	}
	c.Int(&k.steps)
}

// aroon remembers how long ago the extremes were and searches the window only
// when one of them leaves it.
type aroon struct {
	n                     int
	count                 int
	high, low             roll.Ring
	top, bottom           float64
	sinceTop, sinceBottom int
}

func (k *aroon) next(h, l float64) float64 {
	k.high.Push(h)
	k.low.Push(l)
	if k.count <= k.n {
		k.count++
	}
	k.sinceTop++
	k.sinceBottom++
	switch {
	case k.count == 1 || h >= k.top:
		k.top, k.sinceTop = h, 0
	case k.sinceTop > k.n:
		k.top, k.sinceTop = latest(&k.high, 1)
	}
	switch {
	case k.count == 1 || l <= k.bottom:
		k.bottom, k.sinceBottom = l, 0
	case k.sinceBottom > k.n:
		k.bottom, k.sinceBottom = latest(&k.low, -1)
		k.bottom = -k.bottom
	}
	if k.count <= k.n {
		return math.NaN()
	}
	return 100 * float64(k.sinceBottom-k.sinceTop) / float64(k.n)
}

// latest finds the latest of the largest values of sign·v in a full ring and
// how many pushes ago it was.
func latest(r *roll.Ring, sign float64) (float64, int) {
	v, n := r.Values(), len(r.Values())
	best, since := math.Inf(-1), 0
	for a := n - 1; a >= 0; a-- {
		i := r.Oldest() + n - 1 - a
		if i >= n {
			i -= n
		}
		if x := sign * v[i]; x >= best {
			best, since = x, a
		}
	}
	return best, since
}

func (k *aroon) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low) }

func (k *aroon) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i])
	}
}

func (k *aroon) fields(c *codec) {
	c.Int(&k.count)
	k.high.Fields(c)
	k.low.Fields(c)
	c.Float(&k.top)
	c.Float(&k.bottom)
	c.Int(&k.sinceTop)
	c.Int(&k.sinceBottom)
}
