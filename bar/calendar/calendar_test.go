package calendar_test

import (
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar/calendar"
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

// breaks of the built-in calendars in the months of TestTwin.
func breaks(cal *calendar.Calendar, s calendar.Session) [][2]int64 {
	if cal.Name() != "CME" || s.ID >= 18806 || s.Close-s.Open < int64(20*time.Hour) { // 2021-06-28; early closes
		return nil
	}
	return [][2]int64{{s.Close - int64(45*time.Minute), s.Close - int64(30*time.Minute)}}
}
