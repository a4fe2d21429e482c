package bar

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/bar/calendar"
)

// Builder makes bars of one timeframe from finer ones.
//
// # Intervals
//
// Inside a scheduled session intervals are counted from its open (in a
// continuous market from 00:00 UTC); the last one ends with the session and is
// Short when that cuts it. Irregular bars, outside of every session, fall into
// intervals counted from local midnight that no session's open or close lies
// in; what is built from them is Irregular. Nothing depends on the first row.
// An interval without a trade makes no bar.
//
// A session bar ([Session]) is one bar per trading date that ends at the close
// and is never Short. Irregular bars earlier on the date of a session, such as a
// pre-open print, are part of it (its Begin is the open all the same); irregular
// bars after the close of a session that traded are left out (Left counts them);
// on a date without a session they make a bar that ends at local midnight, or at
// the next open.
//
// # Clock
//
// Advance(t) ends every bar due by t; a bar never ends because another one
// arrives. Push first every base bar known by t, then Advance to t. A base bar
// belongs to the interval that contains its last instant. One that becomes known
// after its interval has ended (released from quarantine) is left out: Left
// counts it. That depends on its Known alone, not on when Advance was called.
//
// # Aggregation
//
// Open is the earliest base bar's, Close the latest's, High and Low the
// extremes. Volume is the sum over those base bars that have one, NaN if none
// has. Known is End, or later if a base bar was. When an outage lies inside an
// interval (a base bar of a later segment arrives) the bar holds only what came
// after it, so that nothing crosses an outage; Left counts what was left out.
//
// SessionStart and SegmentStart mark the first bar emitted of a session and of
// a segment. A builder whose timeframe is its base hands its bars through.
type Builder struct {
	base, tf Timeframe
	cal      *calendar.Calendar

	has  bool
	cur  interval
	done []interval // ended by a later interval, not yet by the clock

	region    region
	watermark int64
	opened    bool  // an interval was ever opened
	newest    int32 // session of the latest interval opened
	emitted   bool
	session   int32
	segment   int32
	left      int
	bar       Bar // what emit sees
}

// interval is a bar in the making; b.Flags holds what the interval alone says.
type interval struct {
	b           Bar
	from, to    int64 // base bars whose last instant lies here need no look-up
	first, last int64 // Begin of the earliest and End of the latest base bar
	n           int   // base bars
}

// region is a stretch of time whose intervals share an anchor.
type region struct {
	from, to, anchor int64
	id               int32
	regular          bool
	after            bool // irregular, after the close of its date's session
	before           bool // irregular, before the open of its date's session
	open, close      int64
}

// NewBuilder makes a builder of tf bars from base bars. A timeframe that is not
// a multiple of the base is an error ([CheckMultiple]).
func NewBuilder(base, tf Timeframe, cal *calendar.Calendar) (*Builder, error) {
	if err := CheckMultiple(base, tf); err != nil {
		return nil, err
	}
	if cal == nil {
		return nil, errors.New("bar: a builder needs a calendar")
	}
	return &Builder{base: base, tf: tf, cal: cal, watermark: math.MinInt64}, nil
}

// Timeframe is the timeframe of the bars that are built.
func (u *Builder) Timeframe() Timeframe { return u.tf }

// Left counts the base bars that are in no bar: known too late, or after the
// close of a session bar, or before an outage inside an interval.
func (u *Builder) Left() int { return u.left }

// Push adds a base bar. It does not keep b and allocates only when bars pile up
// between calls of Advance.
func (u *Builder) Push(b *Bar) {
	x := b.End - 1
	if u.base == u.tf {
		u.start(interval{b: *b, from: b.End, to: b.End, first: b.Begin, last: b.End, n: 1})
		return
	}
	if u.has && x >= u.cur.from && x < u.cur.to && b.Known <= u.cur.b.End && u.cur.b.Segment == b.Segment {
		u.fold(b)
		return
	}
	u.pushSlow(b, x)
}

// pushSlow finds the interval of a base bar.
func (u *Builder) pushSlow(b *Bar, x int64) {
	if x < u.region.from || x >= u.region.to {
		u.region = u.find(x)
	}
	r := &u.region
	n := interval{n: 1, first: b.Begin, last: b.End, b: Bar{
		Known: b.Known, Open: b.Open, High: b.High, Low: b.Low, Close: b.Close, Volume: b.Volume,
		Session: r.id, Segment: b.Segment,
	}}
	if !r.regular {
		n.b.Flags = Irregular
	}
	switch {
	case u.tf == Session && (r.before || r.regular):
		n.b.Begin, n.b.End = r.open, r.close
		n.b.Flags = SessionEnd
		n.from, n.to = r.from, r.close
	case u.tf == Session:
		if r.after && u.opened && u.newest == r.id && !(u.has && u.cur.b.End == r.to) {
			u.left++
			return
		}
		n.b.Begin, n.b.End = r.from, r.to
		n.from, n.to = r.from, r.to
	default:
		k := (x - r.anchor) / int64(u.tf)
		begin := r.anchor + k*int64(u.tf)
		end := begin + int64(u.tf)
		n.b.Begin, n.b.End = max(begin, r.from), min(end, r.to)
		n.from, n.to = n.b.Begin, n.b.End
		if n.b.End-n.b.Begin < int64(u.tf) {
			n.b.Flags |= Short
		}
		if r.regular && n.b.End == r.to {
			n.b.Flags |= SessionEnd
		}
	}
	end := n.b.End
	switch {
	case b.Known > end || end <= u.watermark || u.has && end < u.cur.b.End:
		u.left++
	case u.has && end == u.cur.b.End && b.Segment < u.cur.b.Segment:
		u.left++
	case u.has && end == u.cur.b.End && b.Segment == u.cur.b.Segment:
		u.fold(b)
	case u.has && end == u.cur.b.End: // an outage inside the interval
		u.left += u.cur.n
		u.cur = n
	default:
		u.start(n)
	}
}

func (u *Builder) start(n interval) {
	if u.has {
		u.done = append(u.done, u.cur)
	}
	u.cur, u.has = n, true
	u.opened, u.newest = true, n.b.Session
}

func (u *Builder) fold(b *Bar) {
	c := &u.cur
	if b.Begin < c.first {
		c.first, c.b.Open = b.Begin, b.Open
	}
	if b.End >= c.last {
		c.last, c.b.Close = b.End, b.Close
	}
	if b.High > c.b.High {
		c.b.High = b.High
	}
	if b.Low < c.b.Low {
		c.b.Low = b.Low
	}
	switch {
	case c.b.Volume != c.b.Volume:
		c.b.Volume = b.Volume
	case b.Volume == b.Volume:
		c.b.Volume += b.Volume
	}
	c.b.Known = max(c.b.Known, b.Known)
	c.n++
}

// find is the region of an instant.
func (u *Builder) find(x int64) region {
	if s, ok := u.cal.At(x); ok {
		return region{from: s.Open, to: s.Close, anchor: s.Open, id: s.ID, regular: true, open: s.Open, close: s.Close}
	}
	r := region{id: u.cal.LocalDate(x)}
	r.from, r.to = u.cal.DayBounds(r.id)
	r.anchor = r.from
	if s := u.cal.Last(x); s.Close != 0 {
		r.from = max(r.from, s.Close)
		r.after = s.ID == r.id
	}
	if s := u.cal.Next(x); s.Close != 0 {
		r.to = min(r.to, s.Open)
		if s.ID == r.id {
			r.before, r.open, r.close = true, s.Open, s.Close
		}
	}
	return r
}

// Advance ends every bar due by t and gives it to emit, in order of End. The
// bar that emit sees is valid only during the call.
func (u *Builder) Advance(t int64, emit func(*Bar)) {
	if t > u.watermark {
		u.watermark = t
	}
	if len(u.done) == 0 && (!u.has || u.cur.b.End > t) {
		return
	}
	k := 0
	for k < len(u.done) && u.done[k].b.End <= t {
		u.emit(&u.done[k], emit)
		k++
	}
	u.done = slices.Delete(u.done, 0, k)
	if u.has && len(u.done) == 0 && u.cur.b.End <= t {
		u.has = false
		u.emit(&u.cur, emit)
	}
}

func (u *Builder) emit(n *interval, emit func(*Bar)) {
	u.bar = n.b
	b := &u.bar
	if u.base != u.tf {
		b.Known = max(b.Known, b.End)
		if b.Known > b.End {
			b.Flags |= Late
		}
		if !u.emitted || b.Session != u.session {
			b.Flags |= SessionStart
		}
		if !u.emitted || b.Segment != u.segment {
			b.Flags |= SegmentStart
		}
	}
	u.emitted, u.session, u.segment = true, b.Session, b.Segment
	emit(b)
}

// Due is the End of the earliest bar that waits for its end, math.MaxInt64 if
// none does.
func (u *Builder) Due() int64 {
	switch {
	case len(u.done) > 0:
		return u.done[0].b.End
	case u.has:
		return u.cur.b.End
	}
	return math.MaxInt64
}

const builderState = "bar.Builder/1"

// State appends the state to dst, bars that wait for their end included.
func (u *Builder) State(dst []byte) []byte {
	e := encoder{dst}
	e.string(builderState)
	e.string(u.cal.Name())
	e.int(int64(u.base))
	e.int(int64(u.tf))
	e.int(u.watermark)
	e.bool(u.opened)
	e.int(int64(u.newest))
	e.bool(u.emitted)
	e.int(int64(u.session))
	e.int(int64(u.segment))
	e.int(int64(u.left))
	e.bool(u.has)
	n := len(u.done)
	e.int(int64(n))
	for i := range n + 1 {
		v := &u.cur
		if i < n {
			v = &u.done[i]
		}
		for _, x := range []int64{v.b.Begin, v.b.End, v.b.Known, int64(v.b.Session), int64(v.b.Segment), int64(v.b.Flags), v.from, v.to, v.first, v.last, int64(v.n)} {
			e.int(x)
		}
		for _, x := range []float64{v.b.Open, v.b.High, v.b.Low, v.b.Close, v.b.Volume} {
			e.float(x)
		}
	}
	return e.b
}

// Restore reads what State wrote. A state of another calendar, base, timeframe
// or version is refused and changes nothing.
func (u *Builder) Restore(src []byte) error {
	d := decoder{b: src}
	d.expect(builderState, "state")
	d.expect(u.cal.Name(), "calendar")
	d.expectInt(int64(u.base), "base timeframe")
	d.expectInt(int64(u.tf), "timeframe")
	n := Builder{base: u.base, tf: u.tf, cal: u.cal}
	n.watermark = d.int()
	n.opened, n.newest = d.bool(), int32(d.int())
	n.emitted, n.session, n.segment = d.bool(), int32(d.int()), int32(d.int())
	n.left, n.has = int(d.int()), d.bool()
	for left := d.int(); left >= 0 && d.err == nil; left-- {
		var v interval
		v.b.Begin, v.b.End, v.b.Known = d.int(), d.int(), d.int()
		v.b.Session, v.b.Segment, v.b.Flags = int32(d.int()), int32(d.int()), Flag(d.int())
		v.from, v.to, v.first, v.last, v.n = d.int(), d.int(), d.int(), d.int(), int(d.int())
		v.b.Open, v.b.High, v.b.Low, v.b.Close, v.b.Volume = d.float(), d.float(), d.float(), d.float(), d.float()
		if left > 0 {
			n.done = append(n.done, v)
		} else {
			n.cur = v
		}
	}
	if err := d.end(); err != nil {
		return fmt.Errorf("bar: restore a builder: %w", err)
	}
	*u = n
	return nil
}

// Arrivals lists the rows of s in the order in which they became known: by
// Known, of equals the earlier row first. Without late bars that is 0, 1, 2, …
func (s *Series) Arrivals() iter.Seq[int] {
	return func(yield func(int) bool) {
		var late []int
		for i, k := range s.Known {
			if k > s.End[i] {
				late = append(late, i)
			}
		}
		slices.SortStableFunc(late, func(a, b int) int {
			if s.Known[a] < s.Known[b] {
				return -1
			}
			if s.Known[a] > s.Known[b] {
				return 1
			}
			return a - b
		})
		for i, k := range s.Known {
			if k > s.End[i] {
				continue
			}
			for len(late) > 0 && (s.Known[late[0]] < k || s.Known[late[0]] == k && late[0] < i) {
				if !yield(late[0]) {
					return
				}
				late = late[1:]
			}
			if !yield(i) {
				return
			}
		}
		for _, i := range late {
			if !yield(i) {
				return
			}
		}
	}
}

// Resample builds tf bars from s: a loop over [Builder.Push] and
// [Builder.Advance] in order of arrival, with the clock at each Known. The
// last bar is there only if its End had come by the time the last bar of s was
// known, so a longer s never changes a bar that a shorter one gave. It returns s
// itself when tf is the timeframe of s.
func Resample(s *Series, tf Timeframe, cal *calendar.Calendar) (*Series, error) {
	u, err := NewBuilder(s.Timeframe, tf, cal)
	if err != nil {
		return nil, err
	}
	if tf == s.Timeframe {
		return s, nil
	}
	room := 16
	if s.Timeframe > 0 {
		room += s.Len() / int(tf/s.Timeframe) * 9 / 8
	}
	out := NewSeries(tf, room)
	u.run(s, out.Append)
	return out, nil
}

// run pushes a whole series.
func (u *Builder) run(s *Series, emit func(*Bar)) {
	var b Bar
	now := int64(math.MinInt64)
	for i := range s.Arrivals() {
		b.Begin, b.End, b.Known = s.Begin[i], s.End[i], s.Known[i]
		b.Open, b.High, b.Low, b.Close, b.Volume = s.Open[i], s.High[i], s.Low[i], s.Close[i], s.Volume[i]
		b.Session, b.Segment, b.Flags = s.Session[i], s.Segment[i], s.Flags[i]
		if b.Known > now { // everything known by now has been pushed
			u.Advance(now, emit)
			now = b.Known
		}
		u.Push(&b)
	}
	u.Advance(now, emit)
}
