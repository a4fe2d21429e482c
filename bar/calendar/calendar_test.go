package calendar_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/internal/race"
)

func mustCal(t testing.TB, name string) *calendar.Calendar {
	t.Helper()
	c, err := calendar.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t testing.TB, s string) int64 {
	t.Helper()
	x, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return x.UnixNano()
}

func TestSessions(t *testing.T) {
	for _, c := range []struct{ cal, t, date, open, close string }{
		// New York is at −4 on one side of the change to standard time and at −5 on the other.
		{"NYSE", "2021-11-05T14:00:00Z", "2021-11-05", "2021-11-05T13:30:00Z", "2021-11-05T20:00:00Z"},
		{"NYSE", "2021-11-08T15:00:00Z", "2021-11-08", "2021-11-08T14:30:00Z", "2021-11-08T21:00:00Z"},
		{"NYSE", "2021-11-26T15:00:00Z", "2021-11-26", "2021-11-26T14:30:00Z", "2021-11-26T18:00:00Z"},
		// Sunday evening is Monday's session, also over the change.
		{"CME", "2021-11-07T23:30:00Z", "2021-11-08", "2021-11-07T23:00:00Z", "2021-11-08T22:00:00Z"},
		{"CME", "2021-03-14T22:00:00Z", "2021-03-15", "2021-03-14T22:00:00Z", "2021-03-15T21:00:00Z"},
		{"CME", "2013-10-11T21:14:00Z", "2013-10-11", "2013-10-10T22:00:00Z", "2013-10-11T21:15:00Z"},
		{"CME", "2021-12-26T23:00:00Z", "2021-12-27", "2021-12-26T23:00:00Z", "2021-12-27T22:00:00Z"},
		{"EUREX", "2006-02-27T20:59:00Z", "2006-02-27", "2006-02-27T08:00:00Z", "2006-02-27T21:00:00Z"},
		{"EUREX", "2021-06-01T00:00:00Z", "2021-06-01", "2021-05-31T23:10:00Z", "2021-06-01T20:00:00Z"},
		{"NSE", "2019-10-27T13:00:00Z", "2019-10-27", "2019-10-27T12:45:00Z", "2019-10-27T13:45:00Z"},
		{"NSE", "2019-10-25T03:45:00Z", "2019-10-25", "2019-10-25T03:45:00Z", "2019-10-25T10:00:00Z"},
		{"24/7", "1969-12-31T23:59:59Z", "1969-12-31", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"SYNTH", "2021-11-25T15:00:00Z", "2021-11-25", "2021-11-25T14:30:00Z", "2021-11-25T21:00:00Z"},
	} {
		s, ok := mustCal(t, c.cal).At(at(t, c.t))
		if !ok || s.Date() != c.date || s.Open != at(t, c.open) || s.Close != at(t, c.close) {
			t.Errorf("%s at %s: %v %s [%s, %s)", c.cal, c.t, ok, s.Date(), time.Unix(0, s.Open).UTC(), time.Unix(0, s.Close).UTC())
		}
	}
	for _, c := range []struct{ cal, t string }{
		{"NYSE", "2021-11-05T13:29:59Z"}, {"NYSE", "2021-11-05T20:00:00Z"}, {"NYSE", "2021-11-25T15:00:00Z"},
		{"NYSE", "2021-12-24T15:00:00Z"}, {"NYSE", "2012-10-29T15:00:00Z"}, {"NYSE", "2021-11-06T15:00:00Z"},
		{"CME", "2021-11-05T21:00:00Z"}, {"CME", "2021-11-07T22:59:59Z"}, {"CME", "2022-04-15T15:00:00Z"},
		{"NSE", "2019-10-25T03:38:00Z"}, {"NYSE", "1950-01-03T15:00:00Z"}, {"NYSE", "2090-01-03T15:00:00Z"},
	} {
		if s, ok := mustCal(t, c.cal).At(at(t, c.t)); ok {
			t.Errorf("%s at %s: session of %s", c.cal, c.t, s.Date())
		}
	}
}

// The tables and indexes against a plain walk over the sessions.
func TestTwin(t *testing.T) {
	for _, name := range calendar.Names() {
		cal := mustCal(t, name)
		from, to := at(t, "2021-03-01T00:00:00Z"), at(t, "2021-07-15T00:00:00Z")
		sessions := cal.Sessions(from-30*86400e9, to+30*86400e9)
		step := int64(37 * time.Minute)
		prev := from
		for x := from; x < to; x += step {
			var in, last, next calendar.Session
			for _, s := range sessions {
				if s.Contains(x) {
					in = s
				}
				if s.Open <= x {
					last = s
				}
				if next.Close == 0 && s.Open >= x {
					next = s
				}
			}
			if s, ok := cal.At(x); s != in || ok != (in.Close != 0) {
				t.Fatalf("%s: At(%d) = %v, want %v", name, x, s, in)
			}
			if s := cal.Last(x); s != last {
				t.Fatalf("%s: Last(%d) = %v, want %v", name, x, s, last)
			}
			if s := cal.Next(x); s != next {
				t.Fatalf("%s: Next(%d) = %v, want %v", name, x, s, next)
			}
			var open int64
			for _, s := range sessions {
				open += max(0, min(x, s.Close)-max(prev, s.Open))
				for _, b := range breaks(cal, s) {
					open -= max(0, min(x, b[1])-max(prev, b[0]))
				}
			}
			if d := cal.OpenTime(prev, x); int64(d) != open {
				t.Fatalf("%s: OpenTime(%d, %d) = %v, want %v", name, prev, x, d, time.Duration(open))
			}
			if d := cal.OpenTime(x, prev); int64(d) != -open {
				t.Fatalf("%s: OpenTime backwards = %v", name, d)
			}
			for _, d := range []time.Duration{time.Minute, time.Hour, 7 * time.Hour, 23 * time.Hour} {
				y := cal.AddOpenTime(x, d)
				if cal.OpenTime(x, y) != d || cal.OpenTime(x, y-1) != d-1 {
					t.Fatalf("%s: AddOpenTime(%d, %v) = %d is not the first such instant", name, x, d, y)
				}
				y = cal.AddOpenTime(x, -d)
				if cal.OpenTime(y, x) != d || cal.OpenTime(y+1, x) != d-1 {
					t.Fatalf("%s: AddOpenTime(%d, %v) = %d is not the last such instant", name, x, -d, y)
				}
			}
			if x%(5*step) == 0 {
				prev = x
			}
		}
	}
}

func TestEdges(t *testing.T) {
	cal := mustCal(t, "NYSE")
	early, late := at(t, "1950-01-01T00:00:00Z"), at(t, "2200-01-01T00:00:00Z")
	first, last := cal.Next(early), cal.Last(late)
	if first.Date() != "1980-01-02" || last.Date() != "2079-12-29" {
		t.Errorf("the calendar goes from %s to %s", first.Date(), last.Date())
	}
	if (cal.Last(early) != calendar.Session{}) || (cal.Next(late) != calendar.Session{}) || (cal.Next(last.Open+1) != calendar.Session{}) {
		t.Error("a session beyond the ends")
	}
	if cal.OpenTime(early, first.Open) != 0 || cal.OpenTime(last.Close, late) != 0 || cal.OpenTime(math.MinInt64, math.MaxInt64) <= 0 {
		t.Error("open time beyond the ends")
	}
	if cal.AddOpenTime(last.Close, 1) != math.MaxInt64 || cal.AddOpenTime(first.Open, -1) != math.MinInt64 || cal.AddOpenTime(last.Open, time.Duration(last.Close-last.Open)) != last.Close {
		t.Error("time is added beyond the ends")
	}
	if x := cal.AddOpenTime(first.Close, -time.Duration(first.Close-first.Open)); x != first.Open {
		t.Errorf("the first session backwards ends at %d", x)
	}
}

func TestDaysPerYear(t *testing.T) {
	for name, want := range map[string][2]float64{"NYSE": {251, 252}, "CME": {257, 259}, "EUREX": {253, 256}, "NSE": {247, 247}, "24/7": {365, 365}, "SYNTH": {260, 261}} {
		if d := mustCal(t, name).DaysPerYear(); d < want[0] || d > want[1] {
			t.Errorf("%s: %v days a year", name, d)
		}
	}
}

func TestTypical(t *testing.T) {
	for name, want := range map[string]time.Duration{"NYSE": 390 * time.Minute, "CME": 23 * time.Hour, "EUREX": 1250 * time.Minute, "NSE": 375 * time.Minute, "24/7": 24 * time.Hour} {
		if d := mustCal(t, name).Typical(); d != want {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	cal := mustCal(t, "CME")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			// Monday from 19:00 on Sunday in Chicago, three days, and Friday to 16:00,
			// after which the evening of Friday is closed.
			if d := cal.OpenTime(at(t, "2021-06-28T00:00:00Z"), at(t, "2021-07-03T00:00:00Z")); d != (21+4*23)*time.Hour {
				t.Errorf("open for %v", d)
			}
		})
	}
	wg.Wait()
}

func TestNoAllocation(t *testing.T) {
	cal := mustCal(t, "CME")
	x := at(t, "2021-06-28T00:00:00Z")
	cal.At(x)
	if n := testing.AllocsPerRun(100, func() {
		x += int64(time.Hour)
		cal.At(x)
		cal.Next(x)
		cal.Last(x)
		cal.OpenTime(x, x+86400e9)
		cal.AddOpenTime(x, time.Hour)
		cal.Absence(x, x+86400e9)
	}); n != 0 && !race.Enabled {
		t.Errorf("%v allocations", n)
	}
}

func TestByName(t *testing.T) {
	if _, err := calendar.ByName("nyse"); err != nil {
		t.Error(err)
	}
	if _, err := calendar.ByName("LSE"); err == nil || !strings.Contains(err.Error(), "EUREX") {
		t.Errorf("unknown name: %v", err)
	}
	for _, name := range calendar.Names() {
		// What a recipe would hold makes the same calendar.
		c := mustCal(t, name)
		d, err := calendar.New(c.Spec())
		if err != nil {
			t.Fatal(err)
		}
		x := at(t, "2016-07-05T14:00:00Z")
		s := c.Last(x)
		if r := d.Last(x); r != s || s.Close == 0 || d.OpenTime(0, x) != c.OpenTime(0, x) {
			t.Errorf("%s: %v and %v", name, s, r)
		}
	}
}

func TestNew(t *testing.T) {
	// Tokyo with its lunch break and a late open; the break does not count.
	cal, err := calendar.New(calendar.Spec{Name: "TSE", Zone: "Asia/Tokyo",
		Sessions:   []calendar.Hours{{Days: "mon-fri", Open: "09:00", Close: "15:00", Breaks: []string{"11:30-12:30"}}},
		Exceptions: []calendar.Exception{{On: "2020-10-01"}, {On: "2020-10-02", Open: "10:00"}, {On: "2020-10-05", Close: "12:00"}, {On: "2020-10-06", Close: "16:00"}}})
	if err != nil {
		t.Fatal(err)
	}
	for date, want := range map[string]time.Duration{
		"2020-09-30": 5 * time.Hour, "2020-10-01": 0, "2020-10-02": 4 * time.Hour, "2020-10-05": 150 * time.Minute, "2020-10-06": 5 * time.Hour, "2020-10-03": 0,
	} {
		x := at(t, date+"T00:00:00+09:00")
		if d := cal.OpenTime(x, x+86400e9); d != want {
			t.Errorf("%s: open for %v, want %v", date, d, want)
		}
	}
	if s, ok := cal.At(at(t, "2020-09-30T12:00:00+09:00")); !ok || s.Date() != "2020-09-30" {
		t.Error("the lunch break is not in the session")
	}
	for _, c := range []struct {
		want string
		spec calendar.Spec
	}{
		{"name: is empty", calendar.Spec{Zone: "UTC", Continuous: true}},
		{"zone", calendar.Spec{Name: "x", Continuous: true}},
		{"zone", calendar.Spec{Name: "x", Zone: "Asia/Tokyo", Continuous: true}},
		{"zone", calendar.Spec{Name: "x", Zone: "Mars/Olympus", Continuous: true}},
		{"sessions", calendar.Spec{Name: "x", Zone: "UTC"}},
		{"never closes", calendar.Spec{Name: "x", Zone: "UTC", Continuous: true, Sessions: hours("mon", "09:00", "10:00", 0)}},
		{"sessions[0].days", calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("monday", "09:00", "10:00", 0)}},
		{`sessions[0].open: "9am"`, calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("mon", "9am", "10:00", 0)}},
		{`sessions[0].close: "24:01"`, calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("mon", "09:00", "24:01", 0)}},
		{"open_day -1", calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("mon", "17:00", "16:00", 0)}},
		{"open_day", calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("mon", "17:00", "16:00", -2)}},
		{"opens before that of", calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("mon-fri", "15:00", "16:00", -1)}},
		{"missing_days", calendar.Spec{Name: "x", Zone: "UTC", MissingDays: -1, Sessions: hours("mon", "09:00", "10:00", 0)}},
		{"days_per_year", calendar.Spec{Name: "x", Zone: "UTC", DaysPerYear: math.NaN(), Sessions: hours("mon", "09:00", "10:00", 0)}},
		{"breaks[0]", calendar.Spec{Name: "x", Zone: "UTC", Sessions: []calendar.Hours{{Days: "mon", Open: "09:00", Close: "10:00", Breaks: []string{"09:30"}}}}},
		{"breaks[1]", calendar.Spec{Name: "x", Zone: "UTC", Sessions: []calendar.Hours{{Days: "mon", Open: "09:00", Close: "10:00", Breaks: []string{"09:30-09:40", "09:20-09:25"}}}}},
		{"from", calendar.Spec{Name: "x", Zone: "UTC", Sessions: []calendar.Hours{{Days: "mon", Open: "09:00", Close: "10:00", From: "yesterday"}}}},
		{"no session", calendar.Spec{Name: "x", Zone: "UTC", Sessions: []calendar.Hours{{Days: "mon", Open: "09:00", Close: "10:00", From: "2080-01-01"}}}},
		{"exceptions[0].on", exception("the day after")}, {"exceptions[0].on", exception("5 mon jan")}, {"exceptions[0].on", exception("2 mon janvier")},
		{"exceptions[0].on", exception("easter2")}, {"exceptions[0].on", exception("13-01")}, {"exceptions[0].on", exception("")}, {"exceptions[0].on", exception("1 mon jan x")},
	} {
		if _, err := calendar.New(c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
		if c.spec.Validate() == nil {
			t.Errorf("Validate accepts what New refuses: %s", c.want)
		}
	}
	_, err = calendar.New(calendar.Spec{Zone: "nowhere", Sessions: hours("never", "9", "25:00", 5)})
	if n := strings.Count(err.Error(), "\n") + 1; n != 6 {
		t.Errorf("%d problems at once, want 6: %v", n, err)
	}
}

func hours(days, open, shut string, openDay int) []calendar.Hours {
	return []calendar.Hours{{Days: days, Open: open, Close: shut, OpenDay: openDay}}
}

func exception(on string) calendar.Spec {
	return calendar.Spec{Name: "x", Zone: "UTC", Sessions: hours("mon", "09:00", "10:00", 0), Exceptions: []calendar.Exception{{On: on}}}
}

// breaks of the built-in calendars in the months of TestTwin.
func breaks(cal *calendar.Calendar, s calendar.Session) [][2]int64 {
	if cal.Name() != "CME" || s.ID >= 18806 || s.Close-s.Open < int64(20*time.Hour) { // 2021-06-28; early closes
		return nil
	}
	return [][2]int64{{s.Close - int64(45*time.Minute), s.Close - int64(30*time.Minute)}}
}
