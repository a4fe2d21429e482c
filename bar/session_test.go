package bar_test

import (
	"math"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
)

// minutes makes one-minute bars that end at the given instants, of price 1, 2, 3, …
func minutes(t testing.TB, ends ...string) *bar.Series {
	s := bar.NewSeries(bar.Minute, 0)
	for i, e := range ends {
		x := at(t, e)
		p := float64(i + 1)
		s.Append(&bar.Bar{Begin: x - int64(bar.Minute), End: x, Known: x, Open: p, High: p, Low: p, Close: p, Volume: 1})
	}
	return s
}

// A day of the NSE as it is in the files: the pre-open print, the session, index
// values after the close; and Diwali on a Sunday that the calendar knows and one
// (2021) that it does not.
func TestIrregular(t *testing.T) {
	c := cal(t, "NSE")
	s := minutes(t,
		"2019-10-25T03:38:00Z", // 09:08 IST
		"2019-10-25T03:46:00Z", // 09:16, the first bar
		"2019-10-25T10:00:00Z", // 15:30, the last
		"2019-10-25T10:02:00Z", // 15:32
		"2019-10-27T12:46:00Z", // 18:16, Muhurat
		"2019-10-27T13:45:00Z", // 19:15
		"2019-10-28T03:46:00Z",
		"2021-11-04T12:50:00Z", // 18:20, Muhurat
		"2021-11-04T13:00:00Z",
		"2021-11-06T13:00:00Z", // a Saturday
	)
	bar.Assign(s, c, 0)
	type F = bar.Flag
	for i, want := range []F{
		bar.Irregular | bar.SessionStart | bar.SegmentStart, 0, bar.SessionEnd, bar.Irregular,
		bar.SessionStart, bar.SessionEnd, bar.SessionStart,
		bar.Irregular | bar.SessionStart, bar.Irregular, bar.Irregular | bar.SessionStart,
	} {
		if s.Flags[i] != want {
			t.Errorf("bar %d: flags %b, want %b", i, s.Flags[i], want)
		}
	}
	if s.Session[0] != s.Session[3] || s.Session[4] != s.Session[0]+2 || s.Session[7] != s.Session[8] {
		t.Errorf("sessions %v", s.Session)
	}
	type want struct {
		begin, end  string
		open, close float64
		flags       F
	}
	check := func(tf bar.Timeframe, list []want) {
		t.Helper()
		got := bars(resample(t, s, tf, c))
		if len(got) != len(list) {
			t.Fatalf("%v: %d bars, want %d: %+v", tf, len(got), len(list), got)
		}
		for i, w := range list {
			g := got[i]
			if g.Begin != at(t, w.begin) || g.End != at(t, w.end) || g.Open != w.open || g.Close != w.close || g.Flags&^bar.SegmentStart != w.flags {
				t.Errorf("%v: bar %d is %+v, want %+v", tf, i, g, w)
			}
		}
	}
	check(15*bar.Minute, []want{
		{"2019-10-25T03:30:00Z", "2019-10-25T03:45:00Z", 1, 1, bar.Irregular | bar.SessionStart},
		{"2019-10-25T03:45:00Z", "2019-10-25T04:00:00Z", 2, 2, 0},
		{"2019-10-25T09:45:00Z", "2019-10-25T10:00:00Z", 3, 3, bar.SessionEnd},
		{"2019-10-25T10:00:00Z", "2019-10-25T10:15:00Z", 4, 4, bar.Irregular},
		{"2019-10-27T12:45:00Z", "2019-10-27T13:00:00Z", 5, 5, bar.SessionStart},
		{"2019-10-27T13:30:00Z", "2019-10-27T13:45:00Z", 6, 6, bar.SessionEnd},
		{"2019-10-28T03:45:00Z", "2019-10-28T04:00:00Z", 7, 7, bar.SessionStart},
		{"2021-11-04T12:45:00Z", "2021-11-04T13:00:00Z", 8, 9, bar.Irregular | bar.SessionStart},
		{"2021-11-06T12:45:00Z", "2021-11-06T13:00:00Z", 10, 10, bar.Irregular | bar.SessionStart},
	})
	check(bar.Session, []want{
		{"2019-10-25T03:45:00Z", "2019-10-25T10:00:00Z", 1, 3, bar.SessionStart | bar.SessionEnd},
		{"2019-10-27T12:45:00Z", "2019-10-27T13:45:00Z", 5, 6, bar.SessionStart | bar.SessionEnd},
		{"2019-10-28T03:45:00Z", "2019-10-28T10:00:00Z", 7, 7, bar.SessionStart | bar.SessionEnd},
		{"2021-11-04T10:00:00Z", "2021-11-04T18:30:00Z", 8, 9, bar.Irregular | bar.SessionStart},
	})
}

func TestAbsence(t *testing.T) {
	for _, c := range []struct {
		name, cal string
		segments  int32
		ends      []string
	}{
		{"an hour without a trade is no outage", "24/7", 0, []string{"2021-01-01T00:01:00Z", "2021-01-01T01:02:00Z"}},
		{"more is one", "24/7", 1, []string{"2021-01-01T00:01:00Z", "2021-01-01T01:02:01Z"}},
		{"a night is not", "NYSE", 0, []string{"2021-06-01T20:00:00Z", "2021-06-02T13:31:00Z"}},
		{"nor is a weekend with a holiday, at the edges of it", "NYSE", 0, []string{"2021-05-28T19:30:00Z", "2021-06-01T14:01:00Z"}},
		{"but the edges count together", "NYSE", 1, []string{"2021-05-28T19:30:00Z", "2021-06-01T14:02:00Z"}},
		{"the daily break", "CME", 0, []string{"2021-06-01T20:45:00Z", "2021-06-01T22:15:00Z"}},
		{"a missing day", "NYSE", 1, []string{"2021-06-01T20:00:00Z", "2021-06-03T13:31:00Z"}},
		{"a missing day where holidays follow no rule", "NSE", 0, []string{"2021-06-01T10:00:00Z", "2021-06-03T03:46:00Z"}},
		{"a missing month there", "NSE", 1, []string{"2018-04-30T10:00:00Z", "2018-06-01T03:46:00Z"}},
		{"a circuit breaker", "NSE", 1, []string{"2021-06-01T04:52:00Z", "2021-06-01T06:52:00Z"}},
	} {
		s := minutes(t, c.ends...)
		bar.Assign(s, cal(t, c.cal), time.Hour)
		last := s.Len() - 1
		if s.Segment[last] != c.segments || (s.Flags[last]&bar.SegmentStart != 0) != (c.segments > 0) {
			t.Errorf("%s: segment %d, flags %b", c.name, s.Segment[last], s.Flags[last])
		}
	}
}

// Bars one by one, with a restored state between them, get what Assign gives,
// and what comes later changes nothing.
func TestSessionerOnline(t *testing.T) {
	for k, w := range weeks {
		c := cal(t, w.cal)
		s := noise(c, at(t, w.from), at(t, w.to), 0.1, 0.02, uint64(k+500))
		m := bar.NewSessioner(c, time.Hour)
		n := 0
		for i := range s.Arrivals() {
			var b bar.Bar
			s.At(i, &b)
			want := b
			b.Session, b.Segment, b.Flags = 0, 0, 0
			m.Push(&b)
			same(t, []bar.Bar{b}, []bar.Bar{want}, w.name)
			if n++; n%50 == 0 {
				r := bar.NewSessioner(c, time.Hour)
				if err := r.Restore(m.State(nil)); err != nil {
					t.Fatal(err)
				}
				m = r
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	c, d := cal(t, "NYSE"), cal(t, "CME")
	m := bar.NewSessioner(c, time.Hour)
	state := m.State(nil)
	if bar.NewSessioner(d, time.Hour).Restore(state) == nil || bar.NewSessioner(c, 2*time.Hour).Restore(state) == nil || m.Restore(state[:20]) == nil || m.Restore(append(state, 0)) == nil {
		t.Error("a wrong state of sessions is taken")
	}
	u, _ := bar.NewBuilder(bar.Minute, bar.Hour, c)
	v, _ := bar.NewBuilder(bar.Minute, 4*bar.Hour, c)
	state = u.State(nil)
	if v.Restore(state) == nil || u.Restore(state[:len(state)-1]) == nil || u.Restore(append(state, 0)) == nil || u.Restore(nil) == nil {
		t.Error("a wrong state of a builder is taken")
	}
	for i := range state { // damaged anywhere: an error or another state, never a panic
		damaged := append([]byte(nil), state...)
		damaged[i] ^= 0xff
		w, _ := bar.NewBuilder(bar.Minute, bar.Hour, c)
		if err := w.Restore(damaged); err != nil && string(w.State(nil)) != string(state) {
			t.Errorf("byte %d: a refused state changed the builder", i)
		}
	}
}

func TestNewBuilder(t *testing.T) {
	c := cal(t, "NYSE")
	for _, x := range []struct{ base, tf bar.Timeframe }{
		{5 * bar.Minute, 7 * bar.Minute}, {5 * bar.Minute, bar.Minute}, {bar.Minute, bar.Native}, {bar.Minute, 48 * bar.Hour}, {bar.Session, bar.Hour}, {bar.Minute, -bar.Minute},
	} {
		if _, err := bar.NewBuilder(x.base, x.tf, c); err == nil {
			t.Errorf("%v from %v is accepted", x.tf, x.base)
		}
	}
	if _, err := bar.NewBuilder(bar.Minute, bar.Hour, nil); err == nil {
		t.Error("no calendar is accepted")
	}
}

func TestVolume(t *testing.T) {
	c := cal(t, "24/7")
	s := minutes(t, "2021-01-01T00:01:00Z", "2021-01-01T00:02:00Z", "2021-01-01T00:06:00Z", "2021-01-01T00:10:00Z")
	s.Volume = []float64{math.NaN(), 3, math.NaN(), math.NaN()}
	out := resample(t, s, 5*bar.Minute, c)
	if out.Len() != 2 || out.Volume[0] != 3 || !math.IsNaN(out.Volume[1]) {
		t.Errorf("volumes %v", out.Volume)
	}
}

func TestParseTimeframe(t *testing.T) {
	for s, want := range map[string]bar.Timeframe{"5m": 5 * bar.Minute, "1h": bar.Hour, "1d": bar.Session, "session": bar.Session, "native": bar.Native, "60m": bar.Hour, " 4H ": 4 * bar.Hour, "24h": bar.Session} {
		if got, err := bar.ParseTimeframe(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "5", "0m", "-5m", "2d", "1500m", "five", "1ms"} {
		if got, err := bar.ParseTimeframe(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
	for _, tf := range append(bar.Ladder(), bar.Native, bar.Minute, 90*bar.Minute) {
		if got, err := bar.ParseTimeframe(tf.String()); err != nil || got != tf {
			t.Errorf("%v is read back as %v, %v", tf, got, err)
		}
	}
}
