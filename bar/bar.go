// Package bar holds the values that everything else is computed from: bars,
// series of bars, timeframes, the builders that make longer bars from shorter
// ones, and the instruments the bars belong to.
//
// # Clock
//
// Every instant is an int64 of nanoseconds UTC. A [Bar] covers [Begin, End)
// and is complete at End; nothing may be computed from it before Known, which
// is End except for a bar that was held in quarantine and released later.
//
// # Absence
//
// Three kinds of absence are told apart. A minute without a trade is not a
// gap: nothing is filled in and nothing ends. A scheduled closure is a session
// break: the next bar carries [SessionStart]. An outage (unscheduled and longer
// than the limit) starts a new Segment: kernels reset, and no label or window
// crosses it.
//
// A [Sessioner] says which of these it is, and a [Builder] makes longer bars;
// both are pushed one bar at a time, the same for history and live. Bars outside
// of the scheduled sessions of their [calendar.Calendar] are kept and marked
// [Irregular]; a [Builder] keeps them apart too.
package bar

import (
	"fmt"
	"time"
)

// Flag marks what is special about a bar.
type Flag uint8

// Flags of a bar.
const (
	SessionStart Flag = 1 << iota // first bar of its session
	SessionEnd                    // the session ends with this bar
	SegmentStart                  // first bar after an outage, and the very first bar
	Short                         // ended by the session's end before its full length
	Late                          // released from quarantine: Known > End
	Irregular                     // outside the scheduled sessions of its calendar
)

// Bar is one finished bar. Volume is NaN where the source has none.
type Bar struct {
	Begin, End, Known              int64
	Open, High, Low, Close, Volume float64
	Session                        int32 // trading date as days since 1970-01-01; increasing
	Segment                        int32 // counts outages, from 0
	Flags                          Flag
}

// Has reports whether the bar carries all the flags of f.
func (b *Bar) Has(f Flag) bool { return b.Flags&f == f }

// Timeframe is the length of a bar in nanoseconds. Native (0) is the length
// that the input came in, when it is not regular (dollar bars); Session (1 day)
// is one bar per session.
type Timeframe int64

// Timeframes with names of their own.
const (
	Native  Timeframe = 0
	Minute  Timeframe = Timeframe(time.Minute)
	Hour    Timeframe = Timeframe(time.Hour)
	Session Timeframe = Timeframe(24 * time.Hour)
)

// String gives the short form: "native", "5m", "1h", "4h", "1d".
func (t Timeframe) String() string {
	switch {
	case t == Native:
		return "native"
	case t == Session:
		return "1d"
	case t%Hour == 0:
		return fmt.Sprintf("%dh", t/Hour)
	case t%Minute == 0:
		return fmt.Sprintf("%dm", t/Minute)
	}
	return time.Duration(t).String()
}

// Duration is the length as a time.Duration (0 for Native).
func (t Timeframe) Duration() time.Duration { return time.Duration(t) }

// Series is a run of bars of one timeframe, by column, in order of End. All
// slices have the same length. Known is not always sorted: a bar that was
// quarantined stands at its End and is known later.
type Series struct {
	Timeframe                      Timeframe
	Begin, End, Known              []int64
	Open, High, Low, Close, Volume []float64
	Session, Segment               []int32
	Flags                          []Flag
}

// Len is the number of bars.
func (s *Series) Len() int { return len(s.End) }

// At copies bar i into b. It panics when i is out of range.
func (s *Series) At(i int, b *Bar) {
	b.Begin, b.End, b.Known = s.Begin[i], s.End[i], s.Known[i]
	b.Open, b.High, b.Low, b.Close = s.Open[i], s.High[i], s.Low[i], s.Close[i]
	b.Volume = s.Volume[i]
	b.Session, b.Segment, b.Flags = s.Session[i], s.Segment[i], s.Flags[i]
}

// Append adds a bar at the end.
func (s *Series) Append(b *Bar) {
	s.Begin = append(s.Begin, b.Begin)
	s.End = append(s.End, b.End)
	s.Known = append(s.Known, b.Known)
	s.Open = append(s.Open, b.Open)
	s.High = append(s.High, b.High)
	s.Low = append(s.Low, b.Low)
	s.Close = append(s.Close, b.Close)
	s.Volume = append(s.Volume, b.Volume)
	s.Session = append(s.Session, b.Session)
	s.Segment = append(s.Segment, b.Segment)
	s.Flags = append(s.Flags, b.Flags)
}

// Slice is the view of bars lo..hi-1; it shares memory with s.
func (s *Series) Slice(lo, hi int) *Series {
	return &Series{
		Timeframe: s.Timeframe,
		Begin:     s.Begin[lo:hi:hi], End: s.End[lo:hi:hi], Known: s.Known[lo:hi:hi],
		Open: s.Open[lo:hi:hi], High: s.High[lo:hi:hi], Low: s.Low[lo:hi:hi], Close: s.Close[lo:hi:hi],
		Volume:  s.Volume[lo:hi:hi],
		Session: s.Session[lo:hi:hi], Segment: s.Segment[lo:hi:hi], Flags: s.Flags[lo:hi:hi],
	}
}

// Grow makes room for n more bars.
func (s *Series) Grow(n int) {
	c := NewSeries(s.Timeframe, s.Len()+n)
	c.Begin, c.End, c.Known = append(c.Begin, s.Begin...), append(c.End, s.End...), append(c.Known, s.Known...)
	c.Open, c.High = append(c.Open, s.Open...), append(c.High, s.High...)
	c.Low, c.Close, c.Volume = append(c.Low, s.Low...), append(c.Close, s.Close...), append(c.Volume, s.Volume...)
	c.Session, c.Segment, c.Flags = append(c.Session, s.Session...), append(c.Segment, s.Segment...), append(c.Flags, s.Flags...)
	*s = *c
}

// NewSeries makes an empty series with room for n bars.
func NewSeries(tf Timeframe, n int) *Series {
	f := func() []float64 { return make([]float64, 0, n) }
	i := func() []int64 { return make([]int64, 0, n) }
	return &Series{
		Timeframe: tf, Begin: i(), End: i(), Known: i(),
		Open: f(), High: f(), Low: f(), Close: f(), Volume: f(),
		Session: make([]int32, 0, n), Segment: make([]int32, 0, n), Flags: make([]Flag, 0, n),
	}
}
