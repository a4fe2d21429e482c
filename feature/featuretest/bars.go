package featuretest

import (
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/rng"
)

// Bars generates n ordinary bars: a random walk whose volatility wanders, ticks
// of 0.01, volumes that follow the volatility, one bar in twenty without a
// trade and so absent, jumps over the breaks between sessions. Native bars have
// random lengths around five minutes. The bars carry sessions and flags and are
// all in one segment. Equal arguments give equal bars.
func Bars(seed uint64, n int, tf bar.Timeframe, cal *calendar.Calendar) (*bar.Series, error) {
	r := rng.New(seed).Stream("featuretest/bars").Rand()
	s := bar.NewSeries(tf, n)
	price, logVol := 100.0, 0.0
	begin := time.Date(2015, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()
	session := cal.Next(begin)
	if session.Close == 0 {
		return nil, fmt.Errorf("featuretest: calendar %s has no session after 2015", cal.Name())
	}
	begin = session.Open
	tick := func(x float64) float64 { return math.Round(x*100) / 100 }
	for s.Len() < n {
		length := int64(tf)
		switch tf {
		case bar.Native:
			length = int64(60+r.IntN(480)) * int64(time.Second)
		case bar.Session:
			length = session.Close - session.Open
		}
		end := min(begin+length, session.Close)
		if s.Len() == 0 || tf == bar.Session || r.IntN(20) > 0 {
			logVol = 0.95*logVol + 0.15*r.NormFloat64()
			sigma := 8e-4 * math.Exp(logVol)
			b := bar.Bar{Begin: begin, End: end, Known: end, Open: tick(price * math.Exp(0.2*sigma*r.NormFloat64()))}
			x := b.Open
			b.High, b.Low = x, x
			for range 4 {
				x = max(tick(x*math.Exp(0.5*sigma*r.NormFloat64())), 0.01)
				b.High, b.Low = max(b.High, x), min(b.Low, x)
			}
			b.Close, price = x, x
			b.Volume = math.Ceil(1000 * math.Exp(logVol+0.5*r.NormFloat64()))
			s.Append(&b)
		}
		if begin = end; begin >= session.Close {
			session = cal.Next(session.Close)
			if session.Close == 0 {
				return nil, fmt.Errorf("featuretest: calendar %s ends after %d bars", cal.Name(), s.Len())
			}
			begin = session.Open
			if !cal.Continuous() {
				price *= math.Exp(5e-3 * r.NormFloat64())
			}
		}
	}
	bar.Assign(s, cal, 0)
	return s, nil
}
