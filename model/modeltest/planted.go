package modeltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// This file plants patterns in windows of bars. In each, the class (−1 or +1,
// equally likely) follows from the window, and no single value of it tells
// anything on average: a linear model of the flattened window stays at chance, a
// log-loss of [Chance]. What the class follows from survives when each channel
// of a window is centred and scaled on its own, but for what [Lag] loses near its
// median. Channels that the pattern does not need are noise of the same size.
// Equal arguments give equal bytes.

// Chance is the log-loss of a model that knows no more than that both classes
// are equally likely: ln 2.
const Chance = math.Ln2

// plant makes n windows; draw fills bars (length × channels, row-major, noise to
// begin with) and returns the class.
func plant(name string, n, length, channels, least, needs int, noise float64, seed uint64, draw func(r *rand.Rand, at func(bar, channel int) *float32) int8) view.View {
	if length < least || channels < needs {
		panic(fmt.Sprintf("modeltest: %s needs windows of %d bars × %d channels, got %d×%d", name, least, needs, length, channels))
	}
	names := make([]string, channels)
	for j := range names {
		names[j] = fmt.Sprintf("channel_%d", j)
	}
	w := view.NewWindows(n, length, names)
	w.Timeframe = "5m"
	v := view.View{Streams: []*view.Windows{w}, Class: make([]int8, n)}
	r := rng.New(seed).Stream("modeltest/planted").Stream(name).Rand()
	for i := range w.Data {
		w.Data[i] = float32(noise * r.NormFloat64())
	}
	for i := range n {
		v.Class[i] = draw(r, func(bar, channel int) *float32 { return &w.Data[(i*length+bar)*channels+channel] })
	}
	return v
}

// sign is −1 or +1.
func sign(r *rand.Rand) float32 { return float32(2*r.IntN(2) - 1) }

// Motif hides one of two shapes of four bars somewhere in channel 0: a step (up,
// up, down, down) is class +1, a zigzag (up, down, up, down) class −1, either of
// them upside down half of the time. Bars are at ±1, noise 0.25. The best
// possible log-loss is below 0.001 for windows of up to 64 bars. At least 4 bars
// and 1 channel, else Motif panics.
func Motif(n, length, channels int, seed uint64) view.View {
	shapes := [2][4]float32{{1, -1, 1, -1}, {1, 1, -1, -1}}
	return plant("Motif", n, length, channels, 4, 1, 0.25, seed, func(r *rand.Rand, at func(bar, channel int) *float32) int8 {
		c, s, first := r.IntN(2), sign(r), r.IntN(length-3)
		for k, x := range shapes[c] {
			*at(first+k, 0) += s * x
		}
		return int8(2*c - 1)
	})
}

// Lag asks how large channel 0 was lag bars before the last: further from 0 than
// the median is class +1, else −1. All else is noise. The class is a function of
// the window, so that the best possible log-loss is 0; what a model loses, it
// loses near the median. At least lag+1 bars and 1 channel, else Lag panics.
func Lag(n, length, channels, lag int, seed uint64) view.View {
	const median = 0.6744897501960817 // of |x|, x standard normal: Φ⁻¹(3/4)
	return plant("Lag", n, length, channels, lag+1, 1, 1, seed, func(_ *rand.Rand, at func(bar, channel int) *float32) int8 {
		if x := *at(length-1-lag, 0); x > median || x < -median {
			return 1
		}
		return -1
	})
}

// Interaction lets channels 0 and 1 rise or fall over the whole window, from ∓1
// to ±1, each as it likes: class +1 when both go the same way, −1 when they part.
// Noise is 0.5. The best possible log-loss is below 0.001 for windows of at
// least 12 bars. At least 2 bars and 2 channels, else Interaction panics.
func Interaction(n, length, channels int, seed uint64) view.View {
	return plant("Interaction", n, length, channels, 2, 2, 0.5, seed, func(r *rand.Rand, at func(bar, channel int) *float32) int8 {
		a, b := sign(r), sign(r)
		for k := range length {
			x := 2*float32(k)/float32(length-1) - 1
			*at(k, 0) += a * x
			*at(k, 1) += b * x
		}
		return int8(a * b)
	})
}

// LongRange sets channel 0 to ±2 in its first two bars and, independently, in its
// last two: class +1 when both have the same sign, −1 when not. Between them is
// noise of 0.5. The best possible log-loss is below 0.001. At least 5 bars and 1
// channel, else LongRange panics.
func LongRange(n, length, channels int, seed uint64) view.View {
	return plant("LongRange", n, length, channels, 5, 1, 0.5, seed, func(r *rand.Rand, at func(bar, channel int) *float32) int8 {
		a, b := sign(r), sign(r)
		for k := range 2 {
			*at(k, 0) += 2 * a
			*at(length-1-k, 0) += 2 * b
		}
		return int8(a * b)
	})
}

// RegimeFlip has a regime in channel 1, one of ±1, that flips once in the middle
// half of the window, and a predictor in channel 0, ±1 in the last four bars: in
// the regime +1 it is the class, in −1 the opposite. Noise is 0.25. The best
// possible log-loss is below 0.001. At least 8 bars and 2 channels, else
// RegimeFlip panics.
func RegimeFlip(n, length, channels int, seed uint64) view.View {
	return plant("RegimeFlip", n, length, channels, 8, 2, 0.25, seed, func(r *rand.Rand, at func(bar, channel int) *float32) int8 {
		predictor, regime, flip := sign(r), sign(r), length/4+r.IntN(length/2)
		for k := range length {
			if k < flip {
				*at(k, 1) -= regime
			} else {
				*at(k, 1) += regime
			}
		}
		for k := range 4 {
			*at(length-1-k, 0) += predictor
		}
		return int8(predictor * regime)
	})
}

// Shuffled is v with its classes dealt out anew: nothing tells them any more, and
// no model is better than the class prior on rows it was not fitted on.
func Shuffled(v view.View, seed uint64) view.View {
	r := rng.New(seed).Stream("modeltest/shuffled").Rand()
	v.Class = slices.Clone(v.Class)
	r.Shuffle(len(v.Class), func(i, j int) { v.Class[i], v.Class[j] = v.Class[j], v.Class[i] })
	return v
}
