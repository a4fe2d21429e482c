package bar

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar/calendar"
)

// OutageLimit is the default for the longest unscheduled absence, in open-market
// time, that does not end a segment: 60 minutes, or 12 bars where those are
// longer; five sessions for session bars; one session for native bars, which
// come as seldom as the market is quiet.
func OutageLimit(base Timeframe, cal *calendar.Calendar) time.Duration {
	switch base {
	case Native:
		return cal.Typical()
	case Session:
		return 5 * cal.Typical()
	}
	return max(time.Hour, 12*base.Duration())
}

// Sessioner gives bars their Session, Segment and Flags, one at a time and in
// order of arrival (Known), the same for history and live.
//
// A bar belongs to the session that contains its last instant, or failing that
// its first. A bar outside of every scheduled session (a pre-open print, a
// special session that the calendar does not know) is Irregular and belongs to
// its local date; if that date has a session it is part of the same one, so a
// pre-open print starts the day.
//
//   - SessionStart: the first bar to arrive of its session.
//   - SessionEnd: the bar's End is the session's close, or later. It comes from
//     the clock, never from the next bar; a session whose last minute has no
//     trade has no bar with this flag at that timeframe.
//   - SegmentStart: the first bar of all, and the first after an unscheduled
//     absence (in open-market time, see [calendar.Calendar.Absence]) longer than
//     the limit.
//   - Late: Known > End. A late bar changes nothing for the bars after it: it
//     neither ends an absence nor starts a session, and it belongs to the segment
//     in which it ended (one released from an earlier segment than the last two
//     is counted to the last but one).
//
// Short is left as it is.
type Sessioner struct {
	cal      *calendar.Calendar
	limit    time.Duration
	region   calendar.Session // stretch of time with one answer
	regular  bool
	any      bool
	session  int32
	segment  int32
	lastEnd  int64
	segStart int64
}

// NewSessioner makes a Sessioner; a limit of 0 or less never ends a segment.
func NewSessioner(cal *calendar.Calendar, limit time.Duration) *Sessioner {
	return &Sessioner{cal: cal, limit: limit}
}

// Push sets Session, Segment and Flags of b.
func (s *Sessioner) Push(b *Bar) {
	session, regular, end := s.find(b)
	flags := b.Flags & Short
	if !regular {
		flags |= Irregular
	} else if b.End >= end {
		flags |= SessionEnd
	}
	if b.Known > b.End {
		flags |= Late
	}
	b.Session = session
	if s.any && b.End <= s.lastEnd { // arrived after a bar that ends later
		b.Segment = s.segment
		if b.Begin < s.segStart {
			b.Segment = max(0, s.segment-1)
		}
		b.Flags = flags
		return
	}
	switch {
	case !s.any:
		flags |= SegmentStart
		s.segStart = b.Begin
	case s.limit > 0 && time.Duration(b.Begin-s.lastEnd) > s.limit && s.cal.Absence(s.lastEnd, b.Begin) > s.limit:
		flags |= SegmentStart
		s.segment++
		s.segStart = b.Begin
	}
	if !s.any || session != s.session {
		flags |= SessionStart
	}
	s.any, s.session, s.lastEnd = true, session, b.End
	b.Segment, b.Flags = s.segment, flags
}

// find is the session of a bar, whether it is a scheduled one, and its close.
func (s *Sessioner) find(b *Bar) (session int32, regular bool, end int64) {
	x := b.End - 1
	if s.region.Contains(x) && s.regular {
		return s.region.ID, true, s.region.Close
	}
	if c, ok := s.cal.At(x); ok {
		s.region, s.regular = c, true
		return c.ID, true, c.Close
	}
	if c, ok := s.cal.At(b.Begin); ok {
		return c.ID, true, c.Close
	}
	return s.cal.LocalDate(x), false, 0
}

// Segment counts the outages so far.
func (s *Sessioner) Segment() int32 { return s.segment }

const sessionerState = "bar.Sessioner/1"

// State appends the state to dst.
func (s *Sessioner) State(dst []byte) []byte {
	e := encoder{dst}
	e.string(sessionerState)
	e.string(s.cal.Name())
	e.int(int64(s.limit))
	e.bool(s.any)
	e.int(int64(s.session))
	e.int(int64(s.segment))
	e.int(s.lastEnd)
	e.int(s.segStart)
	return e.b
}

// Restore reads what State wrote. A state of another calendar, limit or version
// is refused and changes nothing.
func (s *Sessioner) Restore(src []byte) error {
	d := decoder{b: src}
	d.expect(sessionerState, "state")
	d.expect(s.cal.Name(), "calendar")
	d.expectInt(int64(s.limit), "outage limit")
	n := Sessioner{cal: s.cal, limit: s.limit, any: d.bool(), session: int32(d.int()), segment: int32(d.int()), lastEnd: d.int(), segStart: d.int()}
	if err := d.end(); err != nil {
		return fmt.Errorf("bar: restore sessions: %w", err)
	}
	*s = n
	return nil
}

// Assign sets Session, Segment and Flags of every bar of s: a loop over
// [Sessioner.Push] in order of arrival. It costs some 30 ns a bar.
func Assign(s *Series, cal *calendar.Calendar, limit time.Duration) {
	m := NewSessioner(cal, limit)
	var b Bar
	for i := range s.Arrivals() {
		b.Begin, b.End, b.Known, b.Flags = s.Begin[i], s.End[i], s.Known[i], s.Flags[i]
		m.Push(&b)
		s.Session[i], s.Segment[i], s.Flags[i] = b.Session, b.Segment, b.Flags
	}
}

// encoder and decoder are the plain little-endian form of saved states.
type encoder struct{ b []byte }

func (e *encoder) int(v int64) { e.b = binary.LittleEndian.AppendUint64(e.b, uint64(v)) }
func (e *encoder) float(v float64) {
	e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v))
}
func (e *encoder) bool(v bool) {
	var x byte
	if v {
		x = 1
	}
	e.b = append(e.b, x)
}
func (e *encoder) string(s string) {
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, a...)
	}
	d.b = nil
}

func (d *decoder) int() int64 {
	if len(d.b) < 8 {
		d.fail("the state is cut short")
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return int64(v)
}

func (d *decoder) float() float64 { return math.Float64frombits(uint64(d.int())) }

func (d *decoder) bool() bool {
	if len(d.b) < 1 || d.b[0] > 1 {
		d.fail("the state is cut short or damaged")
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func (d *decoder) expect(want, what string) {
	n, k := binary.Uvarint(d.b)
	if k <= 0 || uint64(len(d.b)-k) < n {
		d.fail("the state is cut short")
		return
	}
	got := string(d.b[k : k+int(n)])
	if got != want {
		d.fail("the %s is %q, want %q", what, got, want)
		return
	}
	d.b = d.b[k+int(n):]
}

func (d *decoder) expectInt(want int64, what string) {
	if got := d.int(); d.err == nil && got != want {
		d.fail("the %s is %d, want %d", what, got, want)
	}
}

func (d *decoder) end() error {
	if len(d.b) > 0 {
		d.fail("%d bytes are left over", len(d.b))
	}
	return d.err
}
