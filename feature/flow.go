package feature

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

func flowEntries() []Entry {
	return []Entry{
		define(about{name: "mfi", family: "volume", volume: true, overnight: spansBreaks,
			doc: "Money flow index of Quong and Soudack (1989), 100·P/(P+N): flows TP·V with TP = (H+L+C)/3, summed over the last window changes of TP by their sign; equal to TA-Lib MFI. 50 without any flow (TA-Lib gives 0 there)."},
			windowConfig{Window: 14}, func(c windowConfig, _ Env) (built, error) {
				return built{&mfi{last: math.NaN(), up: roll.NewSum(c.Window), down: roll.NewSum(c.Window)}, one("mfi", c.Window), c.Window + 1, c.Window + 1}, nil
			}),
		define(about{name: "cmf", family: "volume", volume: true, overnight: spansBreaks,
			doc: "Chaikin money flow, Σ CLV·V / Σ V over the window with CLV = (2C − H − L)/(H − L), 0 on a bar of one price; in [−1, 1]. NaN without any volume."},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&cmf{flow: roll.NewSum(c.Window), volume: roll.NewSum(c.Window)}, one("cmf", c.Window), c.Window, c.Window}, nil
			}),
		define(about{name: "volume_balance", family: "volume", volume: true, overnight: spansBreaks,
			doc: "Σ sign(ΔC)·V / Σ V over the window, the tick-rule order imbalance of bars; in [−1, 1]. NaN without any volume."},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{&volumeBalance{last: math.NaN(), flow: roll.NewSum(c.Window), volume: roll.NewSum(c.Window)}, one("volume_balance", c.Window), c.Window + 1, c.Window + 1}, nil
			}),
		define(about{name: "obv_slope", family: "volume", volume: true, overnight: spansBreaks,
			doc: "Least-squares slope, a bar, of on-balance volume (Granville 1963) over the last window bars, divided by their mean volume: 1 when every bar rises on equal volume. " +
				"On-balance volume itself depends on where the file begins; its slope does not. NaN without any volume. O(window) a bar."},
			windowConfig{Window: 20}, func(c windowConfig, _ Env) (built, error) {
				return built{newOBVSlope(c.Window), one("obv_slope", c.Window), c.Window + 1, c.Window + 1}, nil
			}),
	}
}

type mfi struct {
	last     float64
	up, down roll.Sum
}

func (k *mfi) next(h, l, c, v float64) float64 {
	typical := (h + l + c) / 3
	last := k.last
	k.last = typical
	if last != last {
		return last
	}
	flow := float64(typical * v)
	up, down := flow, float64(0*v) // a missing volume stays missing on either side
	switch d := typical - last; {
	case math.Abs(d) <= flatUnit*math.Abs(typical): // equal, whatever the last bits say
		up = down
	case d < 0:
		up, down = down, up
	}
	up, down = k.up.Push(up), k.down.Push(down)
	switch {
	case !k.up.Full():
		return math.NaN()
	case up+down == 0:
		return 50
	}
	return 100 * (up / (up + down))
}

func (k *mfi) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close, b.Volume) }

func (k *mfi) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i], s.Volume[i])
	}
}

func (k *mfi) fields(c *codec) {
	c.Float(&k.last)
	k.up.Fields(c)
	k.down.Fields(c)
}

// closeLocation is (2C − H − L)/(H − L), 0 on a bar of one price.
func closeLocation(h, l, c float64) float64 {
	if h == l {
		return 0
	}
	return ((c - l) - (h - c)) / (h - l)
}

type cmf struct{ flow, volume roll.Sum }

func (k *cmf) next(h, l, c, v float64) float64 {
	flow, volume := k.flow.Push(float64(closeLocation(h, l, c)*v)), k.volume.Push(v)
	return share(flow, volume, k.volume.Full())
}

// share is part/whole, NaN when not ready or when the whole is 0.
func share(part, whole float64, ready bool) float64 {
	if !ready || whole == 0 {
		return math.NaN()
	}
	return part / whole
}

func (k *cmf) push(b *bar.Bar, out []float64) { out[0] = k.next(b.High, b.Low, b.Close, b.Volume) }

func (k *cmf) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.High[i], s.Low[i], s.Close[i], s.Volume[i])
	}
}

func (k *cmf) fields(c *codec) {
	k.flow.Fields(c)
	k.volume.Fields(c)
}

// signed is volume with the sign of the step from last to c.
func signed(last, c, v float64) float64 {
	switch {
	case c > last:
		return v
	case c < last:
		return -v
	}
	return 0 * v
}

type volumeBalance struct {
	last         float64
	flow, volume roll.Sum
}

func (k *volumeBalance) next(c, v float64) float64 {
	last := k.last
	k.last = c
	if last != last {
		return last
	}
	flow, volume := k.flow.Push(signed(last, c, v)), k.volume.Push(v)
	return share(flow, volume, k.volume.Full())
}

func (k *volumeBalance) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close, b.Volume) }

func (k *volumeBalance) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Close[i], s.Volume[i])
	}
}

func (k *volumeBalance) fields(c *codec) {
	c.Float(&k.last)
	k.flow.Fields(c)
	k.volume.Fields(c)
}

// obvSlope weighs the window's steps d_1 … d_n of on-balance volume: the slope
// of their running sum is Σ w_j d_j with w_j = (n−j+1)(j−1)/2 / (n(n²−1)/12).
type obvSlope struct {
	last    float64
	weights []float64
	steps   roll.Ring
	volume  roll.Sum
	n       float64
}

func newOBVSlope(n int) *obvSlope {
	k := &obvSlope{last: math.NaN(), weights: make([]float64, n), steps: roll.NewRing(n), volume: roll.NewSum(n), n: float64(n)}
	sxx := k.n * (float64(k.n*k.n) - 1) / 12
	for j := 1; j <= n; j++ {
		k.weights[j-1] = float64((n-j+1)*(j-1)) / 2 / sxx
	}
	return k
}

func (k *obvSlope) next(c, v float64) float64 {
	last := k.last
	k.last = c
	if last != last {
		return last
	}
	k.steps.Push(signed(last, c, v))
	volume := k.volume.Push(v)
	if !k.volume.Full() || volume == 0 {
		return math.NaN()
	}
	slope, w := 0.0, k.weights
	old := k.steps.Values()[k.steps.Oldest():]
	for i, d := range old {
		slope += float64(w[i] * d)
	}
	w = w[len(old):]
	for i, d := range k.steps.Values()[:k.steps.Oldest()] {
		slope += float64(w[i] * d)
	}
	return slope * k.n / volume
}

func (k *obvSlope) push(b *bar.Bar, out []float64) { out[0] = k.next(b.Close, b.Volume) }

func (k *obvSlope) block(s *bar.Series, lo, hi int, out [][]float64) {
	o := out[0]
	for i := lo; i < hi; i++ {
		o[i-lo] = k.next(s.Close[i], s.Volume[i])
	}
}

func (k *obvSlope) fields(c *codec) {
	c.Float(&k.last)
	k.steps.Fields(c)
	k.volume.Fields(c)
}
