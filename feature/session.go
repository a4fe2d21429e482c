package feature

import (
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// noConfig is the config of kernels without parameters.
type noConfig struct{}

func sessionEntries() []Entry {
	return []Entry{
		define(about{name: "clock", family: "session", overnight: "each bar stands for itself; no break enters",
			doc: "Sine and cosine of the bar's end within its session (one turn from open to close), of the session's weekday (one turn a week), and the minutes until the close. " +
				"Times are the calendar's, so daylight saving moves nothing. A bar belongs to the session of its last instant, or failing that of its first; NaN outside of every session."},
			noConfig{}, func(_ noConfig, env Env) (built, error) {
				return built{&clock{cal: env.Calendar}, []string{"session_sin", "session_cos", "week_sin", "week_cos", "minutes_to_close"}, 1, 1}, nil
			}),
		define(about{name: "session", family: "session", overnight: "begins anew with each session; the gap is the step over the break",
			doc: "Log return since the session's open, position (C − low)/(high − low) − ½ in the session's range so far (0 while it has none), and the gap ln(open / close before the break), 0 in the first session that the kernel sees."},
			noConfig{}, func(noConfig, Env) (built, error) {
				return built{&session{last: math.NaN()}, []string{"session_return", "session_position", "overnight_gap"}, 1, -1}, nil
			}),
	}
}

// clock keeps the values that last as long as the session, which follow from
// the calendar alone: they are no state.
type clock struct {
	cal         *calendar.Calendar
	open, close int64
	sin, cos    float64
}

func (k *clock) next(begin, end int64, out *[5]float64) {
	if end <= k.open || end > k.close {
		s, ok := k.cal.At(end - 1)
		if !ok {
			s, ok = k.cal.At(begin) // the bar outlasts its session
		}
		if !ok {
			*out = [5]float64{math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()}
			return
		}
		k.open, k.close = s.Open, s.Close
		weekday := int(time.Unix(int64(s.ID)*86400, 0).UTC().Weekday())
		k.sin, k.cos = math.Sincos(2 * math.Pi * float64(weekday) / 7)
	}
	end = min(end, k.close)
	out[0], out[1] = math.Sincos(2 * math.Pi * (float64(end-k.open) / float64(k.close-k.open)))
	out[2], out[3] = k.sin, k.cos
	out[4] = float64(k.close-end) / float64(time.Minute)
}

func (k *clock) push(b *bar.Bar, out []float64) {
	var v [5]float64
	k.next(b.Begin, b.End, &v)
	copy(out, v[:])
}

func (k *clock) block(s *bar.Series, lo, hi int, out [][]float64) {
	var v [5]float64
	for i := lo; i < hi; i++ {
		k.next(s.Begin[i], s.End[i], &v)
		for j, x := range v {
			out[j][i-lo] = x
		}
	}
}

func (k *clock) fields(*codec) {}

type session struct {
	begun                      bool
	open, high, low, last, gap float64
}

func (k *session) next(o, h, l, c float64, opens bool) (ret, position, gap float64) {
	if opens || !k.begun {
		if k.begun {
			k.gap = logRatio(o, k.last)
		}
		k.begun, k.open, k.high, k.low = true, o, h, l
	}
	k.high, k.low, k.last = max(k.high, h), min(k.low, l), c
	if k.high > k.low {
		position = (c-k.low)/(k.high-k.low) - 0.5
	}
	return logRatio(c, k.open), position, k.gap
}

func (k *session) push(b *bar.Bar, out []float64) {
	out[0], out[1], out[2] = k.next(b.Open, b.High, b.Low, b.Close, b.Has(bar.SessionStart))
}

func (k *session) block(s *bar.Series, lo, hi int, out [][]float64) {
	o0, o1, o2 := out[0], out[1], out[2]
	for i := lo; i < hi; i++ {
		o0[i-lo], o1[i-lo], o2[i-lo] = k.next(s.Open[i], s.High[i], s.Low[i], s.Close[i], s.Flags[i]&bar.SessionStart != 0)
	}
}

func (k *session) fields(c *codec) {
	c.Bool(&k.begun)
	for _, p := range []*float64{&k.open, &k.high, &k.low, &k.last, &k.gap} {
		c.Float(p)
	}
}
