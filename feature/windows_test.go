package feature_test

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/view"
)

func sameBit(x, y float32) bool {
	return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
}

func TestWindowsEqualExhaustiveSearch(t *testing.T) {
	const length = 20
	for _, name := range []string{calendar.Synth, calendar.Always} {
		c := cal(t, name)
		r, s := registry(t), market(t, 3000, c)
		store, err := feature.Compute(context.Background(), r, s, c, ladder(t, r), 1)
		if err != nil {
			t.Fatal(err)
		}
		first, last := s.Begin[0]-int64(bar.Hour), s.End[s.Len()-1]+3*int64(bar.Hour)
		decisions := slices.Clone(s.End[10:1800])
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			decisions = append(decisions, first+random.Int64N(last-first))
		}
		for _, tf := range []bar.Timeframe{5 * bar.Minute, bar.Hour} {
			columns := []string{"rsi_14@" + tf.String(), "minutes_to_close@" + tf.String(), "log_return_1@" + tf.String()}
			w, err := feature.Windows(store, decisions, tf, columns, length, c)
			if err != nil {
				t.Fatal(err)
			}
			if err := (view.View{Streams: []*view.Windows{w}}).Check(); err != nil {
				t.Fatal(err)
			}
			m := store.Matrix(tf)
			if &w.Data[0] != &m.Data[0] || w.Timeframe != tf.String() || !slices.Equal(w.Names, columns) {
				t.Errorf("the windows of %q, %v, do not look into the matrix of %v", w.Timeframe, w.Names, tf)
			}
			got := make([]float32, length*len(columns))
			whole, cut, none := 0, 0, 0
			for i, x := range decisions {
				w.Copy(i, got)
				// The bars of the decision's segment that were known by then, newest last.
				var rows []int
				if end := asOf(store, m, x, c); end >= 0 {
					for k := range m.Rows() {
						if k <= int(end) && m.Known[k] <= x && m.Segment[k] == m.Segment[end] {
							rows = append(rows, k)
						}
					}
				}
				rows = rows[max(0, len(rows)-length):]
				switch {
				case len(rows) == 0:
					none++
				case len(rows) < length:
					cut++
				default:
					whole++
				}
				for k := range length {
					for j, column := range columns {
						want := float32(math.NaN())
						if at := k - (length - len(rows)); at >= 0 {
							want = m.Row(rows[at])[slices.Index(m.Names, strings.TrimSuffix(column, "@"+tf.String()))]
						}
						if !sameBit(got[k*len(columns)+j], want) {
							t.Fatalf("%s %v decision %d, bar %d of %s is %v, want %v", name, tf, i, k, column, got[k*len(columns)+j], want)
						}
					}
				}
			}
			if cut == 0 || none == 0 || whole == 0 && tf < bar.Hour {
				t.Errorf("%s %v: %d whole windows, %d cut, %d without a bar: not all of them were tested", name, tf, whole, cut, none)
			}
		}
	}
}

// What comes after a decision changes no bit of its window.
func TestWindowsSeeNothingOfTheFuture(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 1500, c)
	const cut, length = 900, 12
	other := bar.NewSeries(s.Timeframe, s.Len())
	var b bar.Bar
	for i := range s.Len() {
		s.At(i, &b)
		if b.Known > s.End[cut] {
			b.Open, b.High, b.Low, b.Close, b.Volume = 2*b.Open, 5*b.High, b.Low/3, 3*b.Close, 7*b.Volume
		}
		other.Append(&b)
	}
	set := ladder(t, r)
	var got [2][]float32
	decisions := slices.Clone(s.End[200 : cut+1])
	for k, series := range []*bar.Series{s, other} {
		store, err := feature.Compute(context.Background(), r, series, c, set, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, tf := range []bar.Timeframe{bar.Minute, 15 * bar.Minute} {
			var columns []string
			for _, n := range store.Matrix(tf).Names {
				columns = append(columns, feature.ColumnName(n, tf))
			}
			w, err := feature.Windows(store, decisions, tf, columns, length, c)
			if err != nil {
				t.Fatal(err)
			}
			one := make([]float32, length*len(columns))
			for i := range decisions {
				w.Copy(i, one)
				got[k] = append(got[k], one...)
			}
		}
	}
	for i, x := range got[0] {
		if !sameBit(x, got[1][i]) {
			t.Fatalf("value %d is %v, and %v when later bars are others", i, x, got[1][i])
		}
	}
}

func TestWindowReaderFollowsADriver(t *testing.T) {
	const length = 30
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 2500, c)
	set := ladder(t, r)
	d, err := feature.NewDriver(r, set, bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := feature.Compute(context.Background(), r, s, c, set, 1)
	if err != nil {
		t.Fatal(err)
	}
	frames := []bar.Timeframe{bar.Minute, 5 * bar.Minute}
	var live, history []*feature.WindowReader
	for k, tf := range frames {
		var columns []string
		for _, n := range whole.Matrix(tf).Names {
			columns = append(columns, feature.ColumnName(n, tf))
		}
		for store, list := range map[*feature.Store]*[]*feature.WindowReader{d.Store(): &live, whole: &history} {
			w, err := feature.NewWindowReader(store, tf, columns, length-10*k, c)
			if err != nil {
				t.Fatal(err)
			}
			*list = append(*list, w)
		}
		d.Keep(tf, live[k].Length())
	}
	var b bar.Bar
	var x, y view.Windows
	decision := make([]int64, 1)
	compared := 0
	for i := range s.Arrivals() {
		s.At(i, &b)
		if err := d.Push(&b); err != nil {
			t.Fatal(err)
		}
		if b.Known > b.End { // more bars may be released at this instant
			continue
		}
		if err := d.Advance(b.Known); err != nil {
			t.Fatal(err)
		}
		if i%7 > 0 {
			continue
		}
		d.Forget(b.Known)
		if i%70 == 0 { // a process that starts again from its state
			state := d.State(nil)
			again, err := feature.NewDriver(r, set, bar.Minute, c)
			if err != nil {
				t.Fatal(err)
			}
			for k, tf := range frames {
				again.Keep(tf, live[k].Length())
			}
			if err := again.Restore(state); err != nil {
				t.Fatal(err)
			}
			d = again
		}
		decision[0] = b.Known
		for k, tf := range frames {
			if err := live[k].Read(d.Store(), decision, &x); err != nil {
				t.Fatal(err)
			}
			if err := history[k].Read(whole, decision, &y); err != nil {
				t.Fatal(err)
			}
			if got := x.Bars(); got > 2*length {
				t.Fatalf("%d bars of %v are kept", got, tf)
			}
			p, q := make([]float32, x.Length*len(x.Columns)), make([]float32, y.Length*len(y.Columns))
			x.Copy(0, p)
			y.Copy(0, q)
			for v := range p {
				if !sameBit(p[v], q[v]) {
					t.Fatalf("decision %d of %v: value %d is %v live, %v in history", i, tf, v, p[v], q[v])
				}
				compared++
			}
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
	if a := testing.AllocsPerRun(20, func() { _ = live[0].Read(d.Store(), decision, &x) }); a > 0 && !race.Enabled {
		t.Errorf("a decision allocates %v times", a)
	}
}

func TestWindowsRefuse(t *testing.T) {
	c := cal(t, calendar.Always)
	r, s := registry(t), market(t, 300, c)
	store, err := feature.Compute(context.Background(), r, s, c, ladder(t, r), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		want   string
		tf     bar.Timeframe
		column string
		length int
		cal    *calendar.Calendar
	}{
		{"no timeframe 2m", 2 * bar.Minute, "rsi_14@2m", 10, c},
		{"not of 5m, the timeframe of the windows", 5 * bar.Minute, "rsi_14@15m", 10, c},
		{"no column \"rsi_15\" on 5m", 5 * bar.Minute, "rsi_15@5m", 10, c},
		{"window of 0 bars", 5 * bar.Minute, "rsi_14@5m", 0, c},
		{"needs a calendar", 5 * bar.Minute, "rsi_14@5m", 10, nil},
	} {
		if _, err := feature.Windows(store, nil, tc.tf, []string{tc.column}, tc.length, tc.cal); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want an error with %q", err, tc.want)
		}
	}
	w, err := feature.NewWindowReader(store, 5*bar.Minute, []string{"rsi_14@5m"}, 10, c)
	if err != nil {
		t.Fatal(err)
	}
	set := feature.Set{Frames: []feature.Frame{{Timeframe: 5 * bar.Minute, Features: []feature.Spec{{Name: "rsi"}}}}}
	other, err := feature.Compute(context.Background(), r, s, c, set, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Read(other, nil, &view.Windows{}); err == nil {
		t.Error("a store of another set was taken")
	}
}

// scheduled is the intervals of a timeframe between two instants, found by asking
// the calendar about every minute.
func scheduled(c *calendar.Calendar, tf bar.Timeframe, from, to int64) [][2]int64 {
	var out [][2]int64
	for x := from; x < to; x += int64(bar.Minute) {
		s, ok := c.At(x)
		if !ok || c.OpenTime(x, x+int64(bar.Minute)) == 0 {
			continue
		}
		i := [2]int64{s.Open, s.Close}
		if tf != bar.Session {
			k := (x - s.Open) / int64(tf)
			i = [2]int64{s.Open + k*int64(tf), min(s.Close, s.Open+(k+1)*int64(tf))}
		}
		if len(out) == 0 || out[len(out)-1] != i {
			out = append(out, i)
		}
	}
	return out
}

func TestKnownEqualsExhaustiveSearch(t *testing.T) {
	day := func(s string) int64 {
		x, err := time.Parse("2006-01-02", s)
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixNano()
	}
	for _, name := range []string{calendar.NYSE, calendar.CME, calendar.Always} {
		c := cal(t, name)
		from, to := day("2023-03-08"), day("2023-03-18") // daylight saving begins on the 12th
		for tf, ahead := range map[bar.Timeframe]int{5 * bar.Minute: 20, bar.Hour: 9, 4 * bar.Hour: 5, bar.Session: 2} {
			bars := scheduled(c, tf, from-9*86400e9, to+10*86400e9)
			random := rand.New(rand.NewPCG(1, 2))
			var decisions []int64
			for range 200 {
				decisions = append(decisions, from+random.Int64N(to-from))
			}
			for _, b := range bars[3:8] {
				decisions = append(decisions, b[1], b[1]-1, b[1]+1, b[0])
			}
			var w, one view.Windows
			if err := feature.Known(decisions, tf, ahead, c, &w); err != nil {
				t.Fatal(err)
			}
			if err := (view.View{Rows: make([]int, len(decisions)), Known: &w}).Check(); err != nil {
				t.Fatal(err)
			}
			p := len(feature.KnownChannels())
			got, alone := make([]float32, ahead*p), make([]float32, ahead*p)
			for i, x := range decisions {
				w.Copy(i, got)
				next := 0
				for bars[next][1] <= x {
					next++
				}
				for k := range ahead {
					b, before := bars[next+k], bars[next+k-1]
					s, _ := c.At(b[1] - 1)
					weekday := float64((int(s.ID) + 4) % 7) // the first day of 1970 was a Thursday
					turn := float64(b[1]-s.Open) / float64(s.Close-s.Open)
					shut := 0.0
					for m := before[1]; m < b[0]; m += int64(bar.Minute) {
						if c.OpenTime(m, m+int64(bar.Minute)) == 0 {
							shut++
						}
					}
					want := []float64{math.Sin(2 * math.Pi * turn), math.Cos(2 * math.Pi * turn), math.Sin(2 * math.Pi * weekday / 7), math.Cos(2 * math.Pi * weekday / 7), float64(s.Close-b[1]) / 60e9, shut}
					for j, x := range want {
						if math.Abs(float64(got[k*p+j])-x) > 1e-6*max(1, math.Abs(x)) {
							t.Fatalf("%s %v: %s of bar %d after %s is %v, want %v", name, tf, feature.KnownChannels()[j], k, time.Unix(0, decisions[i]).UTC(), got[k*p+j], x)
						}
					}
				}
				// One decision alone, as a live process asks.
				if err := feature.Known(decisions[i:i+1], tf, ahead, c, &one); err != nil {
					t.Fatal(err)
				}
				one.Copy(0, alone)
				if !reflect.DeepEqual(got, alone) {
					t.Fatalf("%s %v: decision %d is another one alone", name, tf, i)
				}
			}
		}
	}
}

// The known future is what the feature "clock" gives once the bars are there.
func TestKnownComesTrue(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 3000, c)
	tf, ahead := 15*bar.Minute, 4
	set := feature.Set{Frames: []feature.Frame{{Timeframe: tf, Features: []feature.Spec{{Name: "clock"}}}}}
	store, err := feature.Compute(context.Background(), r, s, c, set, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := store.Matrices[0]
	var w view.Windows
	if err := feature.Known(m.End, tf, ahead, c, &w); err != nil {
		t.Fatal(err)
	}
	p := len(feature.KnownChannels())
	got, same := make([]float32, ahead*p), 0
	for i := range m.Rows() - ahead {
		if m.Segment[i] != m.Segment[i+ahead] {
			continue // bars were missing
		}
		w.Copy(i, got)
		for k := range ahead {
			for j, x := range m.Row(i + 1 + k) {
				if !sameBit(got[k*p+j], x) {
					t.Fatalf("bar %d after %d: %s was to be %v, is %v", k, i, m.Names[j], got[k*p+j], x)
				}
				same++
			}
		}
	}
	if same < 1000 {
		t.Errorf("%d values compared", same)
	}
}

func TestKnownRefuses(t *testing.T) {
	c := cal(t, calendar.NYSE)
	var w view.Windows
	at := func(year int) []int64 { return []int64{time.Date(year, 12, 31, 20, 0, 0, 0, time.UTC).UnixNano()} }
	for want, err := range map[string]error{
		"needs a calendar":     feature.Known(at(2020), bar.Hour, 3, nil, &w),
		"of 0 bars":            feature.Known(at(2020), bar.Hour, 0, c, &w),
		"follow no schedule":   feature.Known(at(2020), bar.Native, 3, c, &w),
		"calendar NYSE ends":   feature.Known(at(2079), bar.Hour, 60, c, &w),
		"calendar NYSE ends ":  feature.Known(at(2090), bar.Hour, 1, c, &w),
		"before 40 bars of 1d": feature.Known(at(2079), bar.Session, 40, c, &w),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if err := feature.Known(nil, bar.Hour, 3, c, &w); err != nil || w.Len() != 0 {
		t.Errorf("no decisions: %v, %d windows", err, w.Len())
	}
}
