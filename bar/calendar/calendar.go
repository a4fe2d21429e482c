// Package calendar says when a market is open.
//
// A [Calendar] knows a market's zone, its weekly sessions, its holidays and
// early closes, and answers four questions about instants (int64 nanoseconds
// UTC, as everywhere): which session is it in ([Calendar.At]), which comes next
// ([Calendar.Next]), which came last ([Calendar.Last]), and how much open-market
// time lies between two instants ([Calendar.OpenTime], [Calendar.AddOpenTime]).
//
// A session is named by its trading date, the local date of its close: the CME
// session that opens on Sunday at 17:00 in Chicago is Monday's. Local times are
// turned into instants by the zone's rules of that day, so a daylight-saving
// week has its 23 or 25 hours where they belong. The zone database is embedded;
// the machine's own is used when it has one.
//
// Holidays are computed by rules (the third Monday of January, two days before
// Easter, observed on Monday) and hold for all years as far as rules can. What
// rules cannot know (a day of mourning, next year's Diwali) is listed by date
// where it is known and otherwise tolerated: see [Spec.MissingDays].
//
// A calendar describes the schedule, not the data. A bar outside of every
// session is not an error here: At reports false, and package bar files it
// under its local date.
//
// Calendars cover the trading dates 1980-01-01 to 2079-12-31. Before and after
// that there are no sessions, except for a continuous market.
package calendar

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a machine without a zone database still knows New York
)

const (
	day       = int64(24 * time.Hour)
	firstYear = 1980
	lastYear  = 2079
)

// Session is one trading session, open in [Open, Close) but for its breaks. The
// zero Session means that there is none.
type Session struct {
	ID          int32 // trading date, days since 1970-01-01
	Open, Close int64
}

// Contains reports whether t lies in [Open, Close).
func (s Session) Contains(t int64) bool { return t >= s.Open && t < s.Close }

// Date is the trading date as yyyy-mm-dd.
func (s Session) Date() string { return DateOf(s.ID) }

// DateOf writes a trading date (days since 1970-01-01) as yyyy-mm-dd.
func DateOf(id int32) string {
	return time.Unix(int64(id)*86400, 0).UTC().Format(time.DateOnly)
}

// Calendar answers questions about the sessions of one market. It is safe for
// concurrent use. Make one with [ByName] or [New].
type Calendar struct {
	spec  Spec
	loc   *time.Location
	build func() *table // nil table when continuous
}

// Name is the calendar's name.
func (c *Calendar) Name() string { return c.spec.Name }

// Zone is the zone in which the sessions are stated.
func (c *Calendar) Zone() *time.Location { return c.loc }

// Continuous reports whether the market never closes; its sessions are UTC days.
func (c *Calendar) Continuous() bool { return c.spec.Continuous }

// Spec is the description that the calendar was made from.
func (c *Calendar) Spec() Spec { return c.spec.clone() }

// LocalDate is the date of t in the calendar's zone, as days since 1970-01-01.
func (c *Calendar) LocalDate(t int64) int32 {
	if c.spec.Continuous {
		return int32(floorDiv(t, day))
	}
	u := time.Unix(0, t).In(c.loc)
	return dateID(u.Year(), u.Month(), u.Day())
}

// DayBounds is the first instant of a local date and the first of the next one.
func (c *Calendar) DayBounds(id int32) (from, to int64) {
	if c.spec.Continuous {
		return int64(id) * day, (int64(id) + 1) * day
	}
	y, m, d := time.Unix(int64(id)*86400, 0).UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, c.loc).UnixNano(), time.Date(y, m, d+1, 0, 0, 0, 0, c.loc).UnixNano()
}

// At is the session that contains t, if one does. Scheduled breaks inside a
// session belong to it.
func (c *Calendar) At(t int64) (Session, bool) {
	if c.spec.Continuous {
		return utcDay(floorDiv(t, day)), true
	}
	tab := c.build()
	s := tab.sessions[tab.sessionAfter(t)]
	if t < s.Open {
		return Session{}, false
	}
	return s, true
}

// Next is the first session that opens at or after t, the zero Session if the
// calendar ends before.
func (c *Calendar) Next(t int64) Session {
	if c.spec.Continuous {
		return utcDay(-floorDiv(-t, day))
	}
	tab := c.build()
	i := tab.sessionAfter(t)
	if tab.sessions[i].Open < t {
		i++
	}
	if i >= len(tab.sessions)-1 {
		return Session{}
	}
	return tab.sessions[i]
}

// Last is the latest session that opened at or before t, the zero Session if
// the calendar begins after.
func (c *Calendar) Last(t int64) Session {
	if c.spec.Continuous {
		return utcDay(floorDiv(t, day))
	}
	tab := c.build()
	i := tab.sessionAfter(t)
	if i == len(tab.sessions)-1 || tab.sessions[i].Open > t {
		i--
	}
	if i < 0 {
		return Session{}
	}
	return tab.sessions[i]
}

// Sessions lists the sessions that meet [a, b), in order.
func (c *Calendar) Sessions(a, b int64) []Session {
	var out []Session
	if s, ok := c.At(a); ok && a < b {
		out = append(out, s)
		a = s.Close
	}
	for s := c.Next(a); s.Close != 0 && s.Open < b; s = c.Next(s.Close) {
		out = append(out, s)
	}
	return out
}

// OpenTime is the time in [a, b) during which the market is open: the sessions'
// overlap with it, less their scheduled breaks. It is −OpenTime(b, a) when
// b < a. It costs some 10 ns and does not allocate.
func (c *Calendar) OpenTime(a, b int64) time.Duration {
	if c.spec.Continuous {
		return time.Duration(b - a)
	}
	tab := c.build()
	return time.Duration(tab.openUntil(b) - tab.openUntil(a))
}

// AddOpenTime is the instant at which d of open-market time has passed since t:
// the earliest x with OpenTime(t, x) = d, and t itself when d is 0. A negative d
// goes back: the latest x with OpenTime(x, t) = −d. It is math.MaxInt64 or
// math.MinInt64 when the calendar ends before.
func (c *Calendar) AddOpenTime(t int64, d time.Duration) int64 {
	if c.spec.Continuous || d == 0 {
		return t + int64(d)
	}
	tab := c.build()
	target := tab.openUntil(t) + int64(d)
	last := len(tab.spans) - 1 // the sentinel
	if target < 0 {
		return math.MinInt64
	}
	if target > tab.spans[last].before {
		return math.MaxInt64
	}
	// i is the first span that has at least target open time before it.
	i, equal := slices.BinarySearchFunc(tab.spans, target, func(s span, x int64) int {
		switch {
		case s.before < x:
			return -1
		case s.before > x:
			return 1
		}
		return 0
	})
	switch {
	case d > 0 && i > 0, !equal:
		i--
	case d < 0 && i == last:
		return math.MaxInt64 // after the last session: no latest instant
	}
	return tab.spans[i].from + (target - tab.spans[i].before)
}

// Absence is the open-market time in [a, b) that counts as an unscheduled
// absence when nothing traded in it: OpenTime(a, b), less whole sessions that
// the calendar tolerates to be missing ([Spec.MissingDays]; more than that in a
// row count in full).
func (c *Calendar) Absence(a, b int64) time.Duration {
	d := c.OpenTime(a, b)
	if c.spec.MissingDays == 0 || d <= 0 {
		return d
	}
	tab := c.build()
	var whole int64
	n := 0
	for i := tab.sessionAfter(a); i < len(tab.sessions)-1 && tab.sessions[i].Close <= b; i++ {
		if s := tab.sessions[i]; s.Open >= a {
			if n++; n > c.spec.MissingDays {
				return d
			}
			whole += tab.openUntil(s.Close) - tab.openUntil(s.Open)
		}
	}
	return d - time.Duration(whole)
}

// DaysPerYear is the mean number of sessions in a year: [Spec.DaysPerYear] if
// that is set, 365 for a continuous market, otherwise counted over the 28 years
// from 2000 to 2027, after which the weekdays repeat.
func (c *Calendar) DaysPerYear() float64 {
	if c.spec.DaysPerYear > 0 {
		return c.spec.DaysPerYear
	}
	if c.spec.Continuous {
		return 365
	}
	lo, hi := dateID(2000, 1, 1), dateID(2028, 1, 1)
	n := 0
	for _, s := range c.build().sessions {
		if s.ID >= lo && s.ID < hi {
			n++
		}
	}
	return float64(n) / 28
}

// Typical is the open-market time of an ordinary session: the longest one of
// the latest schedule, 24 h for a continuous market.
func (c *Calendar) Typical() time.Duration {
	if c.spec.Continuous {
		return 24 * time.Hour
	}
	tab := c.build()
	var best int64
	for i := len(tab.sessions) - 2; i >= 0 && i > len(tab.sessions)-300; i-- {
		s := tab.sessions[i]
		best = max(best, tab.openUntil(s.Close)-tab.openUntil(s.Open))
	}
	return time.Duration(best)
}

// span is a stretch of open market with the open time before it.
type span struct{ from, to, before int64 }

// table is a calendar written out. Both lists end with a sentinel that lies
// after everything; the two indexes give, for each UTC day, the first session
// and the first span that ends after the day's beginning.
type table struct {
	base, end    int64 // instants covered by the indexes
	sessions     []Session
	spans        []span
	sessionIndex []int32
	spanIndex    []int32
}

func (t *table) sessionAfter(x int64) int {
	if x < t.base {
		return 0
	}
	if x >= t.end {
		return len(t.sessions) - 1
	}
	i := int(t.sessionIndex[(x-t.base)/day])
	for t.sessions[i].Close <= x {
		i++
	}
	return i
}

func (t *table) openUntil(x int64) int64 {
	if x < t.base {
		return 0
	}
	if x >= t.end {
		return t.spans[len(t.spans)-1].before
	}
	i := int(t.spanIndex[(x-t.base)/day])
	for t.spans[i].to <= x {
		i++
	}
	s := &t.spans[i]
	if x <= s.from {
		return s.before
	}
	return s.before + (x - s.from)
}

// index closes the lists with their sentinels and makes the indexes.
func (t *table) index() {
	var open int64
	for i := range t.spans {
		t.spans[i].before = open
		open += t.spans[i].to - t.spans[i].from
	}
	if n := len(t.sessions); n > 0 {
		t.base = floorDiv(t.sessions[0].Open, day) * day
		t.end = t.sessions[n-1].Close
	}
	t.sessions = append(t.sessions, Session{Open: math.MaxInt64, Close: math.MaxInt64})
	t.spans = append(t.spans, span{from: math.MaxInt64, to: math.MaxInt64, before: open})
	i, j := 0, 0
	for x := t.base; x < t.end; x += day {
		for t.sessions[i].Close <= x {
			i++
		}
		for t.spans[j].to <= x {
			j++
		}
		t.sessionIndex = append(t.sessionIndex, int32(i))
		t.spanIndex = append(t.spanIndex, int32(j))
	}
}

// New makes a calendar from its description. The error names every problem.
func New(spec Spec) (*Calendar, error) {
	spec = spec.clone()
	p, err := spec.parse()
	if err != nil {
		return nil, err
	}
	tab, err := p.checked(spec)
	if err != nil {
		return nil, err
	}
	return &Calendar{spec: spec, loc: p.loc, build: func() *table { return tab }}, nil
}

// ByName is the built-in calendar of that name, in any case of letters. Its table
// is written out at the first question, some 10 ms; keep the calendar.
func ByName(name string) (*Calendar, error) {
	for _, s := range builtin() {
		if strings.EqualFold(s.Name, name) {
			p, err := s.parse()
			if err != nil {
				return nil, err
			}
			return &Calendar{spec: s, loc: p.loc, build: sync.OnceValue(p.table)}, nil
		}
	}
	return nil, unknown(name)
}

// Names lists the built-in calendars.
func Names() []string {
	var out []string
	for _, s := range builtin() {
		out = append(out, s.Name)
	}
	return out
}

func utcDay(d int64) Session { return Session{ID: int32(d), Open: d * day, Close: (d + 1) * day} }

func dateID(y int, m time.Month, d int) int32 {
	return int32(floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), 86400))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
