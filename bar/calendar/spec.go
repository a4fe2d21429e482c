package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Spec describes a market's schedule; [New] makes a calendar of it. The
// built-in calendars are Specs too, so a recipe can describe whatever they can.
type Spec struct {
	Name        string      `yaml:"name" doc:"name of the calendar"`
	Zone        string      `yaml:"zone" doc:"IANA zone of all local times, such as America/New_York"`
	Continuous  bool        `yaml:"continuous" doc:"open at all times; sessions are UTC days; the zone must be UTC and there are no sessions or exceptions"`
	Sessions    []Hours     `yaml:"sessions" doc:"weekly hours; of several that fit a date the last one holds"`
	Exceptions  []Exception `yaml:"exceptions" doc:"holidays, early closes and special sessions; of several that fit a date the last one holds"`
	MissingDays int         `yaml:"missing_days" min:"0" max:"30" doc:"up to this many whole sessions in a row may be missing from data without being an outage (markets whose holidays follow no rule)"`
	DaysPerYear float64     `yaml:"days_per_year" min:"0" max:"366" doc:"mean number of sessions in a year; 0: counted"`
}

// Hours are the weekly sessions of an era.
type Hours struct {
	Days    string   `yaml:"days" doc:"trading dates: weekdays, separated by commas, or a range such as mon-fri"`
	Open    string   `yaml:"open" doc:"local time of the open, hh:mm"`
	OpenDay int      `yaml:"open_day" min:"-1" max:"0" doc:"0: opens on the trading date; -1: on the evening before"`
	Close   string   `yaml:"close" doc:"local time of the close on the trading date, hh:mm up to 24:00"`
	Breaks  []string `yaml:"breaks" doc:"scheduled breaks inside the session on the trading date, hh:mm-hh:mm; an instant in a break is in the session but the market is not open"`
	From    string   `yaml:"from" doc:"first trading date, yyyy-mm-dd; empty: always"`
	Until   string   `yaml:"until" doc:"last trading date, yyyy-mm-dd; empty: always"`
}

// Exception is a trading date with other hours than its weekday's: closed if
// neither Open nor Close is given, an early close (or none, if it is not
// earlier) if only Close is, a late open if only Open is, a session of its own,
// on any weekday, if both are.
type Exception struct {
	Name     string `yaml:"name" doc:"what the day is, for the reader"`
	On       string `yaml:"on" doc:"the day: 2018-12-05, 12-25, easter-2, '3 mon jan', 'last mon may', '4 thu nov +1'"`
	Observed string `yaml:"observed" enum:",nearest,monday" doc:"a day on the weekend moves: nearest = Saturday to Friday and Sunday to Monday; monday = only Sunday to Monday; empty = it does not move"`
	Only     string `yaml:"only" doc:"holds only if the day (before it moves) is one of these weekdays; empty: any"`
	Open     string `yaml:"open" doc:"local time of the open, hh:mm"`
	Close    string `yaml:"close" doc:"local time of the close, hh:mm"`
	From     int    `yaml:"from" doc:"first year; 0: always"`
	Until    int    `yaml:"until" doc:"last year; 0: always"`
}

// Validate reports every problem of the description at once.
func (s Spec) Validate() error {
	p, err := s.parse()
	if err == nil {
		_, err = p.checked(s)
	}
	return err
}

func (s Spec) clone() Spec {
	s.Sessions = slices.Clone(s.Sessions)
	for i := range s.Sessions {
		s.Sessions[i].Breaks = slices.Clone(s.Sessions[i].Breaks)
	}
	s.Exceptions = slices.Clone(s.Exceptions)
	return s
}

// plan is a Spec understood.
type plan struct {
	loc        *time.Location
	hours      []hours
	exceptions []exception
}

type hours struct {
	days        [7]bool
	open, close int // minutes after midnight of the trading date; open may be negative
	breaks      [][2]int
	from, until int32
}

type exception struct {
	on          func(year int) (int32, bool)
	only        [7]bool
	observed    string
	open, close int // noTime where not given
	from, until int
}

const noTime = -1 << 20

func (s Spec) parse() (*plan, error) {
	p := &plan{}
	var errs []error
	bad := func(path, format string, a ...any) {
		errs = append(errs, fmt.Errorf("calendar: %s: %s: %s", cmpOr(s.Name, "unnamed"), path, fmt.Sprintf(format, a...)))
	}
	check := func(path string, err error) {
		if err != nil {
			bad(path, "%v", err)
		}
	}
	if s.Name == "" {
		bad("name", "is empty")
	}
	var err error
	if s.Zone == "" || s.Zone == "Local" {
		bad("zone", "%q is not a zone; give one such as America/New_York or UTC", s.Zone)
	} else if p.loc, err = time.LoadLocation(s.Zone); err != nil {
		bad("zone", "%v; give one such as America/New_York or UTC", err)
	}
	if s.MissingDays < 0 || s.MissingDays > 30 {
		bad("missing_days", "%d is not in 0..30", s.MissingDays)
	}
	if !(s.DaysPerYear >= 0 && s.DaysPerYear <= 366) {
		bad("days_per_year", "%v is not in 0..366", s.DaysPerYear)
	}
	if s.Continuous {
		if len(s.Sessions)+len(s.Exceptions) > 0 {
			bad("continuous", "a market that never closes has no sessions and no exceptions")
		}
		if p.loc != nil && p.loc.String() != "UTC" {
			bad("zone", "the sessions of a continuous market are UTC days; its zone is UTC, not %s", s.Zone)
		}
		return p, errors.Join(errs...)
	}
	if len(s.Sessions) == 0 {
		bad("sessions", "there are none; list at least one or set continuous")
	}
	for i, h := range s.Sessions {
		path := fmt.Sprintf("sessions[%d]", i)
		var x hours
		before := len(errs)
		x.days, err = parseDays(h.Days)
		check(path+".days", err)
		x.open, err = parseClock(h.Open)
		check(path+".open", err)
		x.close, err = parseClock(h.Close)
		check(path+".close", err)
		if h.OpenDay < -1 || h.OpenDay > 0 {
			bad(path+".open_day", "%d is neither 0 nor -1", h.OpenDay)
		}
		x.open += h.OpenDay * 24 * 60
		if len(errs) == before && x.open >= x.close {
			bad(path, "the open is not before the close; a session that opens on the evening before has open_day -1")
		}
		end := 0
		for j, b := range h.Breaks {
			from, to, _ := strings.Cut(b, "-")
			var r [2]int
			var e1, e2 error
			r[0], e1 = parseClock(from)
			r[1], e2 = parseClock(to)
			if err := errors.Join(e1, e2); err != nil {
				bad(fmt.Sprintf("%s.breaks[%d]", path, j), "%q is not hh:mm-hh:mm", b)
			} else if r[0] >= r[1] || r[0] <= x.open || r[1] >= x.close || r[0] < end {
				bad(fmt.Sprintf("%s.breaks[%d]", path, j), "%q is not inside the session and after the break before it", b)
			}
			end = r[1]
			x.breaks = append(x.breaks, r)
		}
		x.from, x.until = -1<<31, 1<<31-1
		if h.From != "" {
			x.from, err = parseDate(h.From)
			check(path+".from", err)
		}
		if h.Until != "" {
			x.until, err = parseDate(h.Until)
			check(path+".until", err)
		}
		p.hours = append(p.hours, x)
	}
	for i, e := range s.Exceptions {
		path := fmt.Sprintf("exceptions[%d]", i)
		x := exception{observed: e.Observed, open: noTime, close: noTime, from: e.From, until: e.Until}
		if x.until == 0 {
			x.until = lastYear + 1
		}
		x.on, err = parseOn(e.On)
		check(path+".on", err)
		if !slices.Contains([]string{"", "nearest", "monday"}, e.Observed) {
			bad(path+".observed", "%q is none of nearest, monday and empty", e.Observed)
		}
		x.only = [7]bool{true, true, true, true, true, true, true}
		if e.Only != "" {
			x.only, err = parseDays(e.Only)
			check(path+".only", err)
		}
		if e.Open != "" {
			x.open, err = parseClock(e.Open)
			check(path+".open", err)
		}
		if e.Close != "" {
			x.close, err = parseClock(e.Close)
			check(path+".close", err)
		}
		if e.Open != "" && e.Close != "" && x.open >= x.close {
			bad(path, "the open is not before the close")
		}
		p.exceptions = append(p.exceptions, x)
	}
	return p, errors.Join(errs...)
}

// checked is the table of a plan, or what is wrong with it.
func (p *plan) checked(s Spec) (*table, error) {
	if s.Continuous {
		return nil, nil
	}
	t := p.table()
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("calendar: %s: sessions: %w", s.Name, err)
	}
	return t, nil
}

// table writes the schedule out, date by date.
func (p *plan) table() *table {
	first, last := dateID(firstYear, 1, 1), dateID(lastYear+1, 1, 1)
	special := make([]int32, last-first) // 1 + the exception that holds
	for i, e := range p.exceptions {
		for y := max(firstYear, e.from) - 1; y <= min(lastYear, e.until)+1; y++ {
			if y < e.from || y > e.until {
				continue
			}
			id, ok := e.on(y)
			if !ok || !e.only[weekday(id)] {
				continue
			}
			switch wd := weekday(id); {
			case wd == time.Saturday && e.observed == "nearest":
				id--
			case wd == time.Sunday && e.observed != "":
				id++
			}
			if id >= first && id < last {
				special[id-first] = int32(i + 1)
			}
		}
	}
	t := &table{}
	for id := first; id < last; id++ {
		var h *hours
		for i := range p.hours {
			if x := &p.hours[i]; x.days[weekday(id)] && id >= x.from && id <= x.until {
				h = x
			}
		}
		var open, shut int
		var breaks [][2]int
		if h != nil {
			open, shut, breaks = h.open, h.close, h.breaks
		}
		if k := special[id-first]; k > 0 {
			e := &p.exceptions[k-1]
			switch {
			case e.open == noTime && e.close == noTime:
				continue
			case e.open != noTime && e.close != noTime:
				open, shut, breaks = e.open, e.close, nil
			case h == nil:
				continue
			case e.close != noTime:
				shut = min(shut, e.close)
			default:
				open = max(open, e.open)
			}
		} else if h == nil {
			continue
		}
		if open >= shut {
			continue
		}
		at := p.clock(id)
		s := Session{ID: id, Open: at(open), Close: at(shut)}
		t.sessions = append(t.sessions, s)
		from := s.Open
		for _, b := range breaks {
			if b[0] <= open || b[1] >= shut {
				if b[0] > open && b[0] < shut { // closes inside of the break
					t.spans = append(t.spans, span{from: from, to: at(b[0])})
					from = s.Close
				}
				continue
			}
			t.spans = append(t.spans, span{from: from, to: at(b[0])})
			from = at(b[1])
		}
		if from < s.Close {
			t.spans = append(t.spans, span{from: from, to: s.Close})
		}
	}
	t.index()
	return t
}

// clock turns minutes after local midnight of a date into instants.
func (p *plan) clock(id int32) func(minute int) int64 {
	y, m, d := time.Unix(int64(id)*86400, 0).UTC().Date()
	return func(minute int) int64 {
		k := int(floorDiv(int64(minute), 24*60))
		minute -= k * 24 * 60
		return time.Date(y, m, d+k, minute/60, minute%60, 0, 0, p.loc).UnixNano()
	}
}

// check refuses sessions that overlap.
func (t *table) check() error {
	for i := 1; i < len(t.sessions)-1; i++ {
		if a, b := t.sessions[i-1], t.sessions[i]; b.Open < a.Close {
			return fmt.Errorf("the session of %s opens before that of %s closes", b.Date(), a.Date())
		}
	}
	if len(t.sessions) == 1 {
		return errors.New("no session ever opens")
	}
	return nil
}

func weekday(id int32) time.Weekday {
	return time.Weekday(((int64(id)+4)%7 + 7) % 7) // 1970-01-01 was a Thursday
}

// const
var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func parseDay(s string) (int, error) {
	if i := slices.Index(dayNames[:], strings.ToLower(strings.TrimSpace(s))); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%q is none of mon tue wed thu fri sat sun", s)
}

func parseDays(s string) (out [7]bool, err error) {
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := parseDay(from)
		if err != nil {
			return out, err
		}
		b := a
		if isRange {
			if b, err = parseDay(to); err != nil {
				return out, err
			}
		}
		for d := a; ; d = (d + 1) % 7 {
			out[d] = true
			if d == b {
				break
			}
		}
	}
	return out, nil
}

func parseClock(s string) (minutes int, err error) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hh, e1 := strconv.Atoi(h)
	mm, e2 := strconv.Atoi(m)
	if !ok || e1 != nil || e2 != nil || len(m) != 2 || len(h) > 2 || hh < 0 || mm < 0 || mm > 59 || hh*60+mm > 24*60 {
		return 0, fmt.Errorf("%q is not a time of day hh:mm", s)
	}
	return hh*60 + mm, nil
}

func parseDate(s string) (int32, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date yyyy-mm-dd", s)
	}
	return int32(floorDiv(t.Unix(), 86400)), nil
}

// const
var monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// parseOn understands the day of an exception.
func parseOn(s string) (func(int) (int32, bool), error) {
	wrong := fmt.Errorf("%q is none of yyyy-mm-dd, mm-dd, easter-2, '3 mon jan', 'last mon may' and '4 thu nov +1'", s)
	f := strings.Fields(strings.ToLower(s))
	if len(f) == 0 {
		return nil, wrong
	}
	if rest, ok := strings.CutPrefix(f[0], "easter"); ok && len(f) == 1 {
		k := 0
		if rest != "" {
			var err error
			if k, err = strconv.Atoi(rest); err != nil || (rest[0] != '+' && rest[0] != '-') {
				return nil, wrong
			}
		}
		return func(y int) (int32, bool) { return easter(y) + int32(k), true }, nil
	}
	if len(f) == 1 {
		if id, err := parseDate(f[0]); err == nil {
			year := time.Unix(int64(id)*86400, 0).UTC().Year()
			return func(y int) (int32, bool) { return id, y == year }, nil
		}
		t, err := time.Parse("2006-01-02", "2000-"+f[0])
		if err != nil {
			return nil, wrong
		}
		m, d := t.Month(), t.Day()
		return func(y int) (int32, bool) {
			id := dateID(y, m, d)
			return id, time.Unix(int64(id)*86400, 0).UTC().Month() == m // no 29 February
		}, nil
	}
	if len(f) < 3 || len(f) > 4 {
		return nil, wrong
	}
	wd, err := parseDay(f[1])
	month := slices.Index(monthNames, f[2])
	n, nerr := strconv.Atoi(f[0])
	if f[0] == "last" {
		n, nerr = 0, nil
	} else if n < 1 || n > 4 {
		return nil, wrong
	}
	shift := 0
	if len(f) == 4 {
		if shift, err = strconv.Atoi(f[3]); err != nil {
			return nil, wrong
		}
	}
	if err != nil || nerr != nil || month < 0 {
		return nil, wrong
	}
	return func(y int) (int32, bool) {
		if n == 0 {
			end := dateID(y, time.Month(month+2), 1) - 1
			return end - int32((int(weekday(end))-wd+7)%7) + int32(shift), true
		}
		start := dateID(y, time.Month(month+1), 1)
		return start + int32((wd-int(weekday(start))+7)%7+7*(n-1)+shift), true
	}, nil
}

// easter is Easter Sunday of the Gregorian calendar: the algorithm of J.-M.
// Oudin (1940), as printed in the Explanatory Supplement to the Astronomical
// Almanac (1992), section 12.
func easter(y int) int32 {
	c := y / 100
	n := y - 19*(y/19)
	k := (c - 17) / 25
	i := c - c/4 - (c-k)/3 + 19*n + 15
	i -= 30 * (i / 30)
	i -= (i / 28) * (1 - (i/28)*(29/(i+1))*((21-n)/11))
	j := y + y/4 + i + 2 - c + c/4
	j -= 7 * (j / 7)
	l := i - j
	m := 3 + (l+40)/44
	d := l + 28 - 31*(m/4)
	return dateID(y, time.Month(m), d)
}

func cmpOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

func unknown(name string) error {
	return fmt.Errorf("calendar: unknown calendar %q; there are %s", name, strings.Join(Names(), ", "))
}
