package feature_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
)

func registry(t testing.TB) *feature.Registry {
	t.Helper()
	r := &feature.Registry{}
	if err := feature.Register(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func cal(t testing.TB, name string) *calendar.Calendar {
	t.Helper()
	c, err := calendar.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// market is generated minutes with an outage in the middle and two bars that
// were held in quarantine.
func market(t testing.TB, n int, c *calendar.Calendar) *bar.Series {
	t.Helper()
	all, err := featuretest.Bars(7, n, bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	s := bar.NewSeries(bar.Minute, n)
	var b bar.Bar
	for i := range all.Len() {
		all.At(i, &b)
		switch {
		case i > n/2 && i < n/2+150: // longer than an hour
			continue
		case i == n/3 || i == n/3+1:
			b.Known = all.End[n/3+2]
		}
		s.Append(&b)
	}
	bar.Assign(s, c, bar.OutageLimit(bar.Minute, c))
	return s
}

func ladder(t testing.TB, r *feature.Registry) feature.Set {
	t.Helper()
	set, err := r.Set([]feature.Choice{
		{Timeframes: []bar.Timeframe{5 * bar.Minute, bar.Minute, 15 * bar.Minute, bar.Hour, bar.Session},
			Families: []string{"return", "trend", "momentum", "volatility", "volume", "shape", "session"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// sameStore compares two stores bit for bit.
func sameStore(t *testing.T, got, want *feature.Store) {
	t.Helper()
	if len(got.Matrices) != len(want.Matrices) || len(got.Marks) != len(want.Marks) {
		t.Fatalf("%d matrices and %d marks, want %d and %d", len(got.Matrices), len(got.Marks), len(want.Matrices), len(want.Marks))
	}
	for i, m := range want.Marks {
		if got.Marks[i] != m {
			t.Errorf("mark %d is %v, want %v", i, got.Marks[i], m)
		}
	}
	for k, w := range want.Matrices {
		g := got.Matrices[k]
		if g.Rows() != w.Rows() || g.Timeframe != w.Timeframe {
			t.Fatalf("matrix %d has %d rows of %v, want %d of %v", k, g.Rows(), g.Timeframe, w.Rows(), w.Timeframe)
		}
		for i := range w.Rows() {
			if g.End[i] != w.End[i] || g.Known[i] != w.Known[i] || g.Session[i] != w.Session[i] || g.Segment[i] != w.Segment[i] {
				t.Fatalf("%v row %d has another time, session or segment", w.Timeframe, i)
			}
			for j, x := range w.Row(i) {
				if y := g.Row(i)[j]; math.Float32bits(x) != math.Float32bits(y) {
					t.Fatalf("%v row %d column %s is %v, want %v", w.Timeframe, i, w.Names[j], y, x)
				}
			}
		}
	}
}

func stream(t testing.TB, d *feature.Driver, s *bar.Series) {
	t.Helper()
	var b bar.Bar
	for i := range s.Arrivals() {
		s.At(i, &b)
		if err := d.Push(&b); err != nil {
			t.Fatal(err)
		}
		if err := d.Advance(b.Known - 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Advance(b.Known); err != nil {
		t.Fatal(err)
	}
}

func TestComputeEqualsDriver(t *testing.T) {
	for _, name := range []string{calendar.Synth, calendar.Always} {
		t.Run(name, func(t *testing.T) {
			c := cal(t, name)
			r, s := registry(t), market(t, 6000, cal(t, name))
			set := ladder(t, r)
			d, err := feature.NewDriver(r, set, bar.Minute, c)
			if err != nil {
				t.Fatal(err)
			}
			stream(t, d, s)
			for _, workers := range []int{1, 2, 4} {
				got, err := feature.Compute(context.Background(), r, s, c, set, workers)
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Marks) != 2 {
					t.Fatalf("%d marks, want 2: the outage is missing", len(got.Marks))
				}
				sameStore(t, got, d.Store())
			}
		})
	}
}

func TestDriverStateRoundTrip(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 4000, c)
	set := ladder(t, r)
	whole, err := feature.NewDriver(r, set, bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	stream(t, whole, s)
	for _, cut := range []int{1, 777, 1335, 2001, 3999} { // 1335 lies between the quarantined bars and their release
		first, _ := feature.NewDriver(r, set, bar.Minute, c)
		second, _ := feature.NewDriver(r, set, bar.Minute, c)
		var b bar.Bar
		n := 0
		for i := range s.Arrivals() {
			s.At(i, &b)
			d := first
			if n > cut {
				d = second
			}
			if err := d.Push(&b); err != nil {
				t.Fatal(err)
			}
			if err := d.Advance(b.Known - 1); err != nil {
				t.Fatal(err)
			}
			if n == cut {
				if err := second.Restore(first.State(nil)); err != nil {
					t.Fatal(err)
				}
			}
			n++
		}
		if err := second.Advance(b.Known); err != nil {
			t.Fatal(err)
		}
		if cut < n-1 {
			sameStore(t, second.Store(), whole.Store())
		}
	}
}

func TestDriverRestoreRefuses(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 500, c)
	make := func(set feature.Set, base bar.Timeframe, c *calendar.Calendar) *feature.Driver {
		d, err := feature.NewDriver(r, set, base, c)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	frame := func(tf bar.Timeframe, specs ...feature.Spec) feature.Set {
		return feature.Set{Frames: []feature.Frame{{Timeframe: tf, Features: specs}}}
	}
	rsi, macd := feature.Spec{Name: "rsi"}, feature.Spec{Name: "macd"}
	set := frame(5*bar.Minute, rsi, macd)
	d := make(set, bar.Minute, c)
	stream(t, d, s)
	state := d.State(nil)
	for _, v := range []struct {
		what  string
		other *feature.Driver
		state []byte
	}{
		{"another calendar", make(set, bar.Minute, cal(t, calendar.Always)), state},
		{"another timeframe", make(frame(15*bar.Minute, rsi, macd), bar.Minute, c), state},
		{"another order", make(frame(5*bar.Minute, macd, rsi), bar.Minute, c), state},
		{"other parameters", make(frame(5*bar.Minute, rsi, feature.Spec{Name: "macd", Params: map[string]float64{"slow": 27}}), bar.Minute, c), state},
		{"fewer kernels", make(frame(5*bar.Minute, rsi), bar.Minute, c), state},
		{"a cut state", make(set, bar.Minute, c), state[:len(state)-1]},
		{"an empty state", make(set, bar.Minute, c), nil},
	} {
		before := string(v.other.State(nil))
		if err := v.other.Restore(v.state); err == nil {
			t.Errorf("%s: taken", v.what)
		}
		if string(v.other.State(nil)) != before {
			t.Errorf("%s: refused, but the driver changed", v.what)
		}
	}
	damaged := append([]byte(nil), state...)
	damaged[len(damaged)/2] ^= 1
	if err := make(set, bar.Minute, c).Restore(damaged); err == nil {
		t.Error("a damaged state was taken")
	}
}

func TestDriverForget(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 3000, c)
	d, err := feature.NewDriver(r, ladder(t, r), bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	stream(t, d, s)
	decision := []int64{s.End[s.Len()-1]}
	want := map[bar.Timeframe][]float32{}
	for _, m := range d.Store().Matrices {
		if row := feature.AsOf(d.Store(), m, decision, c, nil)[0]; row >= 0 {
			want[m.Timeframe] = append([]float32(nil), m.Row(int(row))...)
		}
	}
	d.Forget(decision[0])
	for _, m := range d.Store().Matrices {
		if m.Rows() != 1 {
			t.Errorf("%v keeps %d rows", m.Timeframe, m.Rows())
		}
		row := feature.AsOf(d.Store(), m, decision, c, nil)[0]
		if (row >= 0) != (want[m.Timeframe] != nil) {
			t.Errorf("%v: row %d after Forget", m.Timeframe, row)
		}
		for j, x := range want[m.Timeframe] {
			if y := m.Row(int(row))[j]; math.Float32bits(x) != math.Float32bits(y) {
				t.Errorf("%v column %s is %v, want %v", m.Timeframe, m.Names[j], y, x)
			}
		}
	}
}

// explosive is a kernel whose value is infinite on the hundredth bar.
type explosive struct {
	feature.Kernel
	n int
}

func (k *explosive) Push(b *bar.Bar, out []float64) {
	k.Kernel.Push(b, out)
	if k.n++; k.n == 100 {
		out[0] = 1e39 // finite, until it is rounded to float32
	}
}

func (k *explosive) PushBlock(s *bar.Series, lo, hi int, out [][]float64) {
	var b bar.Bar
	for i := lo; i < hi; i++ {
		s.At(i, &b)
		k.Push(&b, out[0][i-lo:])
	}
}

func TestDriverNamesTheInfinity(t *testing.T) {
	c := cal(t, calendar.Always)
	r, s := registry(t), market(t, 300, c)
	good, _ := r.Entry("log_return")
	bad := good
	bad.Name = "explosive"
	bad.New = func(cfg any, env feature.Env) (feature.Kernel, error) {
		k, err := good.New(cfg, env)
		return &explosive{Kernel: k}, err
	}
	if err := r.Add(bad); err != nil {
		t.Fatal(err)
	}
	set := feature.Set{Frames: []feature.Frame{{Timeframe: bar.Minute, Features: []feature.Spec{{Name: "clv"}, {Name: "explosive"}}}}}
	_, err := feature.Compute(context.Background(), r, s, c, set, 1)
	d, _ := feature.NewDriver(r, set, bar.Minute, c)
	var live error
	var b bar.Bar
	for i := range s.Arrivals() {
		s.At(i, &b)
		if live = d.Push(&b); live != nil {
			break
		}
	}
	if err == nil || live == nil || err.Error() != live.Error() {
		t.Fatalf("history says %v, live says %v", err, live)
	}
	for _, workers := range []int{2, 4} { // each kernel is then a worker's own
		set.Frames[0].Features = append(set.Frames[0].Features, feature.Spec{Name: "explosive", Params: map[string]float64{"lag": float64(workers)}})
		if _, again := feature.Compute(context.Background(), r, s, c, set, workers); again == nil || again.Error() != err.Error() {
			t.Errorf("%d workers say %v, one says %v", workers, again, err)
		}
	}
	want := "feature: explosive, column log_return_1@1m, gave 1e+39 on the bar that ended at " + time.Unix(0, s.End[99]).UTC().Format(time.RFC3339Nano)
	if got := err.Error(); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("got %q", got)
	}
	if again := d.Push(&b); again == nil {
		t.Error("the driver goes on after an error")
	}
}

func TestComputeStopsWhenCancelled(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 3000, c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if store, err := feature.Compute(ctx, r, s, c, ladder(t, r), 2); !errors.Is(err, context.Canceled) || store != nil {
		t.Errorf("got %v, %v", store, err)
	}
}

func TestDriverRefusesStepsBackInTime(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 300, c)
	d, err := feature.NewDriver(r, ladder(t, r), bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	var b bar.Bar
	s.At(50, &b)
	if err := d.Push(&b); err != nil {
		t.Fatal(err)
	}
	s.At(49, &b)
	if err := d.Push(&b); err == nil {
		t.Error("a bar known before the last one was taken")
	}
}

func TestNewDriverRefuses(t *testing.T) {
	c := cal(t, calendar.Synth)
	r := registry(t)
	rsi := []feature.Spec{{Name: "rsi"}}
	frames := func(f ...feature.Frame) feature.Set { return feature.Set{Frames: f} }
	for what, v := range map[string]struct {
		set  feature.Set
		base bar.Timeframe
	}{
		"an empty set":            {frames(), bar.Minute},
		"a frame without feature": {frames(feature.Frame{Timeframe: bar.Hour}), bar.Minute},
		"a timeframe twice":       {frames(feature.Frame{Timeframe: bar.Hour, Features: rsi}, feature.Frame{Timeframe: bar.Hour, Features: rsi}), bar.Minute},
		"a shorter timeframe":     {frames(feature.Frame{Timeframe: bar.Minute, Features: rsi}), bar.Hour},
		"not a multiple":          {frames(feature.Frame{Timeframe: 45 * bar.Minute, Features: rsi}), 30 * bar.Minute},
		"an unknown feature":      {frames(feature.Frame{Timeframe: bar.Hour, Features: []feature.Spec{{Name: "rsy"}}}), bar.Minute},
	} {
		if _, err := feature.NewDriver(r, v.set, v.base, c); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// BenchmarkDriverMinute is the live cost of one minute: pushed into the default
// set, longer bars ended when due.
func BenchmarkDriverMinute(b *testing.B) {
	c := cal(b, calendar.Synth)
	r, s := registry(b), market(b, 20000, c)
	set, err := feature.DefaultSet(r, bar.Minute)
	if err != nil {
		b.Fatal(err)
	}
	d, err := feature.NewDriver(r, set, bar.Minute, c)
	if err != nil {
		b.Fatal(err)
	}
	var v bar.Bar
	i, shift := 0, int64(0)
	for b.Loop() {
		if i == s.Len() { // again, later
			i, shift = 0, shift+s.End[s.Len()-1]-s.Begin[0]
			d.Forget(v.End)
		}
		s.At(i, &v)
		v.Begin, v.End, v.Known = v.Begin+shift, v.End+shift, v.Known+shift
		v.Segment = 0
		if err := d.Push(&v); err != nil {
			b.Fatal(err)
		}
		if err := d.Advance(v.Known); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
