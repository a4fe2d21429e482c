package audit

import (
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/rng"
)

// replaceAfter is base with everything that was not known at the cut replaced,
// and with at most tail bars that end after it. Of bars of a fixed length those
// that end after the cut are left out with a chance of one in ten; the marks of
// their sessions and segments go to the next bar that stays. base is not changed.
func replaceAfter(base *bar.Series, cut int64, stream rng.Stream, tail int) *bar.Series {
	r := stream.Rand()
	w := newWalk(base, cut)
	out := bar.NewSeries(base.Timeframe, base.Len())
	var b bar.Bar
	var owed bar.Flag // marks of bars that were left out
	session, segment := int32(math.MinInt32), int32(math.MinInt32)
	after := 0
	drop := base.Timeframe > bar.Native && base.Timeframe < bar.Session
	for i := range base.Len() {
		base.At(i, &b)
		if b.Known <= cut {
			out.Append(&b)
			continue
		}
		if b.End > cut {
			if after == tail {
				break
			}
			if b.Session != session {
				owed &^= bar.SessionStart
			}
			if b.Segment != segment {
				owed &^= bar.SegmentStart
			}
			session, segment = b.Session, b.Segment
			if drop && r.IntN(10) == 0 {
				owed |= b.Flags & (bar.SessionStart | bar.SegmentStart)
				continue
			}
			b.Flags |= owed
			owed = 0
			after++
		}
		w.next(r, &b)
		out.Append(&b)
	}
	return out
}

// walk makes prices that have nothing to do with what really followed.
type walk struct {
	price, step float64
	relative    bool // all prices are positive: step is a fraction
	begun       bool
}

// newWalk takes the last price known at the cut and the mean absolute change of
// the closes before it.
func newWalk(base *bar.Series, cut int64) walk {
	const look = 1000
	w := walk{price: base.Open[0], relative: true}
	var closes []float64
	for i := base.Len() - 1; i >= 0 && len(closes) < look; i-- {
		if base.Known[i] <= cut {
			closes = append(closes, base.Close[i])
		}
	}
	if len(closes) > 0 {
		w.price = closes[0]
	}
	sum := 0.0
	for i, c := range closes {
		w.relative = w.relative && c > 0
		if i > 0 {
			sum += math.Abs(closes[i-1] - c)
		}
	}
	w.relative = w.relative && w.price > 0
	if len(closes) > 1 {
		w.step = sum / float64(len(closes)-1)
	}
	level := math.Abs(w.price)
	if !(w.step > 1e-5*level) {
		w.step = 1e-3 * max(level, 1e-3)
	}
	if w.relative {
		w.step /= level
	}
	return w
}

func (w *walk) add(price, move float64) float64 {
	if w.relative {
		return price * math.Exp(w.step*move)
	}
	return price + w.step*move
}

// next overwrites prices and volume of b. The first bar jumps, so that it cannot
// resemble the one that it replaces.
func (w *walk) next(r *rand.Rand, b *bar.Bar) {
	if !w.begun {
		w.begun = true
		move := 6 + 2*r.Float64()
		if b.Close > w.price {
			move = -move
		}
		w.price = w.add(w.price, move)
	}
	b.Open = w.add(w.price, 0.3*r.NormFloat64())
	b.Close = w.add(b.Open, 1.5*r.NormFloat64())
	b.High = w.add(max(b.Open, b.Close), math.Abs(r.NormFloat64()))
	b.Low = w.add(min(b.Open, b.Close), -math.Abs(r.NormFloat64()))
	w.price = b.Close
	scale := math.Exp(r.NormFloat64())
	if b.Volume == 0 && r.IntN(2) == 0 {
		b.Volume = 1
	}
	b.Volume *= scale
}
