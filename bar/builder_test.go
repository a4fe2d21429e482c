package bar_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/internal/race"
)

func cal(t testing.TB, name string) *calendar.Calendar {
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

// noise is one-minute bars between two instants: whole minutes of the sessions,
// of which each is left out with probability hole, some hours with an outage,
// and outside of the sessions one minute in a thousand. Late bars when late > 0.
func noise(c *calendar.Calendar, from, to int64, hole, late float64, seed uint64) *bar.Series {
	r := rand.New(rand.NewPCG(seed, 1))
	s := bar.NewSeries(bar.Minute, 0)
	p := 100.0
	skip := int64(0)
	for t := from; t < to; t += int64(bar.Minute) {
		_, in := c.At(t)
		if t < skip || in && r.Float64() < hole || !in && r.Float64() > 0.001 {
			continue
		}
		if r.Float64() < 0.0005 {
			skip = t + int64(time.Duration(r.IntN(200))*time.Minute)
		}
		b := bar.Bar{Begin: t, End: t + int64(bar.Minute), Known: t + int64(bar.Minute), Open: p}
		b.Close = math.Round((p+r.NormFloat64())*64) / 64 // sums of volumes and prices stay exact
		b.High, b.Low = max(p, b.Close)+float64(r.IntN(3))/64, min(p, b.Close)-float64(r.IntN(3))/64
		b.Volume = float64(r.IntN(1000))
		if r.Float64() < 0.2 {
			b.Volume = math.NaN()
		}
		if r.Float64() < late {
			b.Known += int64(time.Duration(1+r.IntN(12)) * time.Minute)
		}
		p = b.Close
		s.Append(&b)
	}
	bar.Assign(s, c, time.Hour)
	return s
}

func resample(t testing.TB, s *bar.Series, tf bar.Timeframe, c *calendar.Calendar) *bar.Series {
	t.Helper()
	out, err := bar.Resample(s, tf, c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func bars(s *bar.Series) []bar.Bar {
	out := make([]bar.Bar, s.Len())
	for i := range out {
		s.At(i, &out[i])
	}
	return out
}

// same compares bit by bit, NaN equal to NaN.
func same(t testing.TB, got, want []bar.Bar, what string) {
	t.Helper()
	key := func(b bar.Bar) [12]uint64 {
		f := math.Float64bits
		v := b.Volume
		if v != v {
			v = math.NaN()
		}
		return [12]uint64{uint64(b.Begin), uint64(b.End), uint64(b.Known), f(b.Open), f(b.High), f(b.Low), f(b.Close), f(v), uint64(b.Session), uint64(b.Segment), uint64(b.Flags)}
	}
	for i := range min(len(got), len(want)) {
		if key(got[i]) != key(want[i]) {
			t.Fatalf("%s: bar %d is\n%+v, want\n%+v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d bars, want %d", what, len(got), len(want))
	}
}

type week struct {
	name, cal, from, to string
}

var weeks = []week{
	{"New York, spring", "NYSE", "2021-03-10T00:00:00Z", "2021-03-18T00:00:00Z"},
	{"New York, autumn with an early close", "NYSE", "2021-11-03T00:00:00Z", "2021-11-30T00:00:00Z"},
	{"Chicago, spring", "CME", "2021-03-10T00:00:00Z", "2021-03-18T00:00:00Z"},
	{"Chicago, autumn", "CME", "2013-10-30T00:00:00Z", "2013-11-06T00:00:00Z"},
	{"Frankfurt, Easter and spring", "EUREX", "2021-03-24T00:00:00Z", "2021-04-08T00:00:00Z"},
	{"Mumbai, Diwali", "NSE", "2019-10-22T00:00:00Z", "2019-10-31T00:00:00Z"},
	{"always", "24/7", "2021-03-27T00:00:00Z", "2021-03-30T00:00:00Z"},
}

func TestTower(t *testing.T) {
	for k, w := range weeks {
		c := cal(t, w.cal)
		base := noise(c, at(t, w.from), at(t, w.to), 0.2, 0, uint64(k))
		five := resample(t, base, 5*bar.Minute, c)
		for _, tf := range []bar.Timeframe{10, 15, 20, 25, 30, 45, 60, 240, 1440} {
			tf *= bar.Minute
			same(t, bars(resample(t, five, tf, c)), bars(resample(t, base, tf, c)), w.name+" 5m→"+tf.String())
		}
	}
}

// A plain restatement of what a bar of a session is, for scheduled hours only.
func TestTwin(t *testing.T) {
	for k, w := range weeks {
		c := cal(t, w.cal)
		base := noise(c, at(t, w.from), at(t, w.to), 0.2, 0.01, uint64(k+100))
		for _, tf := range bar.Ladder() {
			var want []bar.Bar
			segment, session := int32(0), int32(math.MinInt32)
			now := int64(0)
			for _, k := range base.Known {
				now = max(now, k)
			}
			for _, s := range c.Sessions(at(t, w.from), at(t, w.to)) {
				for begin := s.Open; begin < s.Close; begin += int64(tf) {
					end := min(begin+int64(tf), s.Close)
					if tf == bar.Session {
						end = s.Close
					}
					n := bar.Bar{Begin: begin, End: end, Known: end, Session: s.ID, Volume: math.NaN()}
					any, last := false, int32(0)
					for i := range base.Len() { // the latest segment that is seen in time
						if base.Begin[i] >= begin && base.End[i] <= end && base.Known[i] <= end {
							last = max(last, base.Segment[i])
						}
					}
					for i := range base.Len() {
						if base.Begin[i] < begin || base.End[i] > end || base.Known[i] > end || base.Segment[i] != last {
							continue
						}
						if !any {
							n.Open, n.High, n.Low = base.Open[i], base.High[i], base.Low[i]
						}
						any = true
						n.High, n.Low, n.Close = max(n.High, base.High[i]), min(n.Low, base.Low[i]), base.Close[i]
						if v := base.Volume[i]; v == v {
							if n.Volume != n.Volume {
								n.Volume = 0
							}
							n.Volume += v
						}
						n.Segment = base.Segment[i]
					}
					if !any || end > now {
						continue
					}
					if tf != bar.Session && end-begin < int64(tf) {
						n.Flags |= bar.Short
					}
					if end == s.Close {
						n.Flags |= bar.SessionEnd
					}
					if n.Session != session {
						n.Flags |= bar.SessionStart
					}
					if n.Segment != segment {
						n.Flags |= bar.SegmentStart
					}
					segment, session = n.Segment, n.Session
					want = append(want, n)
					if tf == bar.Session {
						break
					}
				}
			}
			var got []bar.Bar
			for _, b := range bars(resample(t, base, tf, c)) {
				if b.Flags&bar.Irregular == 0 {
					got = append(got, b)
				}
			}
			// Irregular bars carry some of the starts, and a pre-open print is part of
			// the day's first bar: those are checked by name in TestIrregular.
			if w.cal != "24/7" {
				for i := range got {
					got[i].Flags &^= bar.SessionStart | bar.SegmentStart
				}
				for i := range want {
					want[i].Flags &^= bar.SessionStart | bar.SegmentStart
				}
				if tf == bar.Session {
					continue
				}
			} else {
				want[0].Flags |= bar.SegmentStart
			}
			same(t, got, want, w.name+" "+tf.String())
		}
	}
}

func TestFirstRowDoesNotMatter(t *testing.T) {
	for k, w := range weeks {
		c := cal(t, w.cal)
		base := noise(c, at(t, w.from), at(t, w.to), 0.1, 0.01, uint64(k+200))
		for _, tf := range bar.Ladder() {
			whole := bars(resample(t, base, tf, c))
			for _, lo := range []int{1, 7, 123, base.Len() / 3} {
				part := bars(resample(t, base.Slice(lo, base.Len()), tf, c))
				// From the second date on nothing may differ.
				cut := part[0].Session + 1
				for cut <= base.Session[lo]+1 {
					cut++
				}
				after := func(in []bar.Bar) (out []bar.Bar) {
					for _, b := range in {
						if b.Session >= cut {
							out = append(out, b)
						}
					}
					return out
				}
				same(t, after(part), after(whole), w.name+" "+tf.String())
			}
		}
	}
}

func TestPrefix(t *testing.T) {
	for k, w := range weeks {
		c := cal(t, w.cal)
		base := noise(c, at(t, w.from), at(t, w.to), 0.1, 0.02, uint64(k+300))
		r := rand.New(rand.NewPCG(uint64(k), 7))
		for _, tf := range bar.Ladder() {
			whole := bars(resample(t, base, tf, c))
			for range 5 {
				// Cut by what is known, as the world does.
				cut := base.Known[r.IntN(base.Len())]
				head := bar.NewSeries(bar.Minute, 0)
				for _, b := range bars(base) {
					if b.Known <= cut {
						head.Append(&b)
					}
				}
				part := bars(resample(t, head, tf, c))
				same(t, part, whole[:len(part)], w.name+" "+tf.String())
				if n := len(part); n < len(whole) && whole[n].End <= head.End[head.Len()-1] {
					t.Fatalf("%s %v: the bar that ended at %d is missing", w.name, tf, whole[n].End)
				}
			}
		}
	}
}

// Saving and restoring in mid-stream, and a clock that ticks often, change nothing.
func TestStateAndClock(t *testing.T) {
	for k, w := range weeks {
		c := cal(t, w.cal)
		base := noise(c, at(t, w.from), at(t, w.to), 0.1, 0.02, uint64(k+400))
		for _, tf := range bar.Ladder() {
			want := bars(resample(t, base, tf, c))
			u, err := bar.NewBuilder(bar.Minute, tf, c)
			if err != nil {
				t.Fatal(err)
			}
			var got []bar.Bar
			emit := func(b *bar.Bar) {
				got = append(got, *b)
			}
			var b bar.Bar
			last, n := int64(0), 0
			for i := range base.Arrivals() {
				base.At(i, &b)
				for x := last; last > 0 && x < b.Known && x < last+int64(100*bar.Minute); x += int64(bar.Minute) {
					u.Advance(x, emit)
				}
				last = b.Known
				u.Push(&b)
				if n++; n%97 == 0 {
					v, _ := bar.NewBuilder(bar.Minute, tf, c)
					if err := v.Restore(u.State(nil)); err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(v.State(nil), u.State(nil)) {
						t.Fatal("a restored state is written differently")
					}
					u = v
				}
			}
			u.Advance(last, emit)
			same(t, got, want, w.name+" "+tf.String())
		}
	}
}

// What becomes known too late, lies before an outage inside the interval, or
// comes after the close of a session bar, is left out and counted.
func TestLeft(t *testing.T) {
	c := cal(t, "24/7")
	u, err := bar.NewBuilder(bar.Minute, bar.Hour, c)
	if err != nil {
		t.Fatal(err)
	}
	t0 := at(t, "2021-01-01T00:00:00Z")
	push := func(minute, known int64, price float64, segment int32) {
		e := t0 + minute*int64(bar.Minute)
		u.Push(&bar.Bar{Begin: e - int64(bar.Minute), End: e, Known: t0 + known*int64(bar.Minute), Open: price, High: price, Low: price, Close: price, Volume: 1, Segment: segment})
	}
	var got []bar.Bar
	advance := func(minute int64) {
		u.Advance(t0+minute*int64(bar.Minute), func(b *bar.Bar) { got = append(got, *b) })
	}
	push(2, 2, 10, 0)
	push(3, 3, 11, 0)
	push(1, 60, 5, 0)  // released just in time: it is the open and the low
	push(4, 61, 99, 0) // one minute late
	advance(59)
	if len(got) != 0 || u.Due() != t0+int64(bar.Hour) {
		t.Fatal("a bar ended before its time")
	}
	advance(60)
	if b := got[0]; len(got) != 1 || u.Left() != 1 || b.Open != 5 || b.Low != 5 || b.High != 11 || b.Close != 11 || b.Volume != 3 || b.Known != b.End || b.Flags != bar.SessionStart|bar.SegmentStart {
		t.Fatalf("%d bars, %d left out: %+v", len(got), u.Left(), got)
	}
	push(50, 60, 99, 0) // the interval is over, whatever Known says
	push(61, 61, 1, 0)
	push(62, 62, 2, 0)
	push(118, 118, 3, 1) // an outage in between
	push(117, 118, 4, 0)
	advance(1000)
	if b := got[1]; len(got) != 2 || u.Left() != 5 || b.Open != 3 || b.High != 3 || b.Low != 3 || b.Volume != 1 || b.Segment != 1 || b.Flags != bar.SegmentStart {
		t.Fatalf("%d bars, %d left out: %+v", len(got), u.Left(), got)
	}
	if u.Due() != math.MaxInt64 {
		t.Error("something still waits")
	}
}

func TestPassThrough(t *testing.T) {
	c := cal(t, "CME")
	base := noise(c, at(t, "2021-03-12T00:00:00Z"), at(t, "2021-03-16T00:00:00Z"), 0.1, 0, 9)
	u, err := bar.NewBuilder(bar.Minute, bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	var got []bar.Bar
	for _, b := range bars(base) {
		u.Push(&b)
		u.Advance(b.Known, func(b *bar.Bar) { got = append(got, *b) })
	}
	same(t, got, bars(base), "1m→1m")
	if s := resample(t, base, bar.Minute, c); s != base {
		t.Error("a series is not its own resampling")
	}
}

// Dollar bars: no fixed length, and each belongs to the interval in which it ended.
func TestFromNative(t *testing.T) {
	c := cal(t, "24/7")
	s := bar.NewSeries(bar.Native, 0)
	t0 := at(t, "2021-01-01T00:00:00Z")
	begin := t0
	for i, e := range []int64{7, 50, 60, 61, 400, 419, 1000} {
		end := t0 + e*int64(time.Second)
		p := float64(i)
		s.Append(&bar.Bar{Begin: begin, End: end, Known: end, Open: p, High: p, Low: p, Close: p, Volume: 1})
		begin = end
	}
	bar.Assign(s, c, bar.OutageLimit(bar.Native, c))
	got := bars(resample(t, s, bar.Minute, c))
	var open, volume []float64
	for _, b := range got {
		open, volume = append(open, b.Open), append(volume, b.Volume)
	}
	if !reflect.DeepEqual(open, []float64{0, 3, 4}) || !reflect.DeepEqual(volume, []float64{3, 1, 2}) {
		t.Errorf("opens %v, volumes %v", open, volume)
	}
}

func TestDecisions(t *testing.T) {
	c := cal(t, "NSE")
	s := minutes(t, "2019-10-25T03:38:00Z", "2019-10-25T03:46:00Z", "2019-10-25T09:59:00Z", "2019-10-25T10:02:00Z", "2019-10-27T12:46:00Z", "2019-10-28T03:46:00Z", "2019-10-28T09:00:00Z")
	bar.Assign(s, c, 0)
	in := []string{"2019-10-25T03:50:00Z", "2019-10-27T12:50:00Z", "2019-10-28T03:50:00Z", "2019-10-28T09:00:00Z"}
	for _, x := range []struct {
		opt  bar.DecisionOptions
		want []string
	}{
		{bar.DecisionOptions{}, in},
		{bar.DecisionOptions{AtClose: true}, []string{in[0], "2019-10-25T10:00:00Z", in[1], in[2], in[3]}},
		{bar.DecisionOptions{Irregular: true}, []string{"2019-10-25T03:40:00Z", in[0], "2019-10-25T10:05:00Z", in[1], in[2], in[3]}},
	} {
		got, err := bar.Decisions(s, c, 5*bar.Minute, x.opt)
		if err != nil {
			t.Fatal(err)
		}
		var want []int64
		for _, w := range x.want {
			want = append(want, at(t, w))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %v, want %v", x.opt, got, want)
		}
	}
	if _, err := bar.Decisions(s, c, bar.Minute/2, bar.DecisionOptions{}); err == nil {
		t.Error("a timeframe shorter than the base is accepted")
	}
	// In a continuous market the end of the day is an instant like any other; a
	// base bar known late is no decision.
	c = cal(t, "24/7")
	s = minutes(t, "2021-01-01T23:58:00Z", "2021-01-02T00:00:00Z", "2021-01-02T00:05:00Z")
	s.Known[0] += int64(bar.Minute)
	bar.Assign(s, c, 0)
	if got, _ := bar.Decisions(s, c, 5*bar.Minute, bar.DecisionOptions{}); len(got) != 2 || got[0] != at(t, "2021-01-02T00:00:00Z") {
		t.Errorf("decisions %v", got)
	}
	if got, _ := bar.Decisions(s, c, bar.Minute, bar.DecisionOptions{}); len(got) != 2 || got[0] != at(t, "2021-01-02T00:00:00Z") {
		t.Errorf("decisions %v", got)
	}
}

func TestNoAllocation(t *testing.T) {
	c := cal(t, "CME")
	base := noise(c, at(t, "2021-03-10T00:00:00Z"), at(t, "2021-03-18T00:00:00Z"), 0.1, 0, 9)
	u, err := bar.NewBuilder(bar.Minute, 15*bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	m := bar.NewSessioner(c, time.Hour)
	i, n := 0, 0
	var b bar.Bar
	emit := func(*bar.Bar) { n++ }
	if a := testing.AllocsPerRun(base.Len()-2, func() {
		base.At(i, &b)
		m.Push(&b)
		u.Push(&b)
		u.Advance(b.Known, emit)
		i++
	}); a != 0 && !race.Enabled || n == 0 {
		t.Errorf("%v allocations a bar, %d bars", a, n)
	}
}
