package feature_test

import (
	"math"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
	"github.com/mlfactory/mlfactory/internal/floats"
)

// window is bars i−n+1..i of a series, with the definitions that the kernels
// compute incrementally.
type window struct {
	s    *bar.Series
	i, n int
}

func (w window) mean(f func(i int) float64) float64 {
	sum := 0.0
	for i := w.i - w.n + 1; i <= w.i; i++ {
		sum += f(i)
	}
	return sum / float64(w.n)
}

// moment is the k-th central moment with divisor n.
func (w window) moment(k float64, f func(i int) float64) float64 {
	m := w.mean(f)
	return w.mean(func(i int) float64 { return math.Pow(f(i)-m, k) })
}

// sample is the variance with divisor n−1.
func (w window) sample(f func(i int) float64) float64 {
	return w.moment(2, f) * float64(w.n) / float64(w.n-1)
}

func (w window) with(n int) window { return window{w.s, w.i, n} }

// within is the step from the bar before, or from the open where a session
// begins.
func (w window) within(i int) float64 {
	if w.s.Flags[i]&bar.SessionStart != 0 {
		return math.Log(w.s.Close[i] / w.s.Open[i])
	}
	return w.step(i)
}

func (w window) step(i int) float64 { return math.Log(w.s.Close[i] / w.s.Close[i-1]) }

func (w window) sign(i int) float64 {
	switch d := w.s.Close[i] - w.s.Close[i-1]; {
	case d > 0:
		return 1
	case d < 0:
		return -1
	}
	return 0
}

func (w window) location(i int) float64 {
	s := w.s
	if s.High[i] == s.Low[i] {
		return 0
	}
	return (2*s.Close[i] - s.High[i] - s.Low[i]) / (s.High[i] - s.Low[i])
}

func square(f func(i int) float64) func(int) float64 {
	return func(i int) float64 { return f(i) * f(i) }
}

// minutesPerYear of the SYNTH calendar: 390 minutes on every weekday, 261.0714
// weekdays a year (7305 of 28 years).
const minutesPerYear = 390 * 7305.0 / 28

// definitions are what each feature's documentation says, computed afresh for
// each bar of one-minute series with sessions.
var definitions = []struct {
	name, column string
	of           func(w window) float64
}{
	{"log_return", "log_return_1", func(w window) float64 { return w.step(w.i) }},
	{"return_sharpe", "return_sharpe_20", func(w window) float64 { return w.with(20).mean(w.step) / math.Sqrt(w.with(20).sample(w.step)) }},
	{"autocorr", "autocorr_60", func(w window) float64 {
		return w.with(60).mean(func(i int) float64 { return w.step(i) * w.step(i-1) }) / w.with(60).mean(square(w.step))
	}},
	{"efficiency", "efficiency_20", func(w window) float64 {
		return (w.s.Close[w.i] - w.s.Close[w.i-20]) / (20 * w.with(20).mean(func(i int) float64 { return math.Abs(w.s.Close[i] - w.s.Close[i-1]) }))
	}},
	{"cmo", "cmo_20", func(w window) float64 {
		d := func(i int) float64 { return w.s.Close[i] - w.s.Close[i-1] }
		return 100 * w.with(20).mean(d) / w.with(20).mean(func(i int) float64 { return math.Abs(d(i)) })
	}},
	{"parkinson", "parkinson_20", func(w window) float64 {
		v := w.with(20).mean(func(i int) float64 { return math.Pow(math.Log(w.s.High[i]/w.s.Low[i]), 2) })
		return math.Sqrt(v / (4 * math.Log(2)) * minutesPerYear)
	}},
	{"garman_klass", "garman_klass_20", func(w window) float64 {
		v := w.with(20).mean(func(i int) float64 {
			return 0.5*math.Pow(math.Log(w.s.High[i]/w.s.Low[i]), 2) - (2*math.Log(2)-1)*math.Pow(math.Log(w.s.Close[i]/w.s.Open[i]), 2)
		})
		return math.Sqrt(v * minutesPerYear)
	}},
	{"rogers_satchell", "rogers_satchell_20", func(w window) float64 { return math.Sqrt(w.with(20).mean(w.rogersSatchell) * minutesPerYear) }},
	{"yang_zhang", "yang_zhang_20", func(w window) float64 {
		k := 0.34 / (1.34 + 21.0/19)
		jump := func(i int) float64 {
			if w.s.Flags[i]&bar.SessionStart != 0 {
				return 0
			}
			return math.Log(w.s.Open[i] / w.s.Close[i-1])
		}
		body := func(i int) float64 { return math.Log(w.s.Close[i] / w.s.Open[i]) }
		n := w.with(20)
		return math.Sqrt((n.sample(jump) + k*n.sample(body) + (1-k)*n.mean(w.rogersSatchell)) * minutesPerYear)
	}},
	{"realised_vol", "realised_vol_20", func(w window) float64 { return math.Sqrt(w.with(20).mean(square(w.within)) * minutesPerYear) }},
	{"vol_ratio", "vol_ratio_10_100", func(w window) float64 {
		return math.Sqrt(w.with(10).mean(square(w.within)) / w.with(100).mean(square(w.within)))
	}},
	{"down_share", "down_share_30", func(w window) float64 {
		return w.with(30).mean(func(i int) float64 { return math.Pow(min(0, w.within(i)), 2) }) / w.with(30).mean(square(w.within))
	}},
	{"return_moments", "return_skew_60", func(w window) float64 {
		return w.with(60).moment(3, w.within) / math.Pow(w.with(60).moment(2, w.within), 1.5)
	}},
	{"return_moments", "return_kurt_60", func(w window) float64 {
		return w.with(60).moment(4, w.within)/math.Pow(w.with(60).moment(2, w.within), 2) - 3
	}},
	{"volume_ratio", "volume_ratio_20", func(w window) float64 { return w.s.Volume[w.i] / w.with(20).mean(w.volume) }},
	{"volume_z", "volume_z_50", func(w window) float64 {
		return (w.s.Volume[w.i] - w.with(50).mean(w.volume)) / math.Sqrt(w.with(50).sample(w.volume))
	}},
	{"volume_balance", "volume_balance_20", func(w window) float64 {
		return w.with(20).mean(func(i int) float64 { return w.sign(i) * w.volume(i) }) / w.with(20).mean(w.volume)
	}},
	{"obv_slope", "obv_slope_20", func(w window) float64 {
		obv, x := make([]float64, 20), 0.0
		for k := range obv {
			x += w.sign(w.i-19+k) * w.volume(w.i-19+k)
			obv[k] = x
		}
		var xy, xx float64
		for k, y := range obv {
			xy += (float64(k) - 9.5) * y
			xx += (float64(k) - 9.5) * (float64(k) - 9.5)
		}
		return xy / xx / w.with(20).mean(w.volume)
	}},
	{"illiquidity", "illiquidity_10_100", func(w window) float64 {
		impact := func(i int) float64 { return math.Abs(w.step(i)) / (w.s.Close[i] * w.s.Volume[i]) }
		return w.with(10).mean(impact) / (w.with(10).mean(impact) + w.with(100).mean(impact))
	}},
	{"clv", "clv_1", func(w window) float64 { return w.location(w.i) }},
	{"wick", "wick_upper_10", func(w window) float64 {
		return w.with(10).mean(func(i int) float64 { return w.part(i, w.s.High[i]-max(w.s.Open[i], w.s.Close[i])) })
	}},
	{"wick", "wick_lower_10", func(w window) float64 {
		return w.with(10).mean(func(i int) float64 { return w.part(i, min(w.s.Open[i], w.s.Close[i])-w.s.Low[i]) })
	}},
	{"wick", "body_10", func(w window) float64 {
		return w.with(10).mean(func(i int) float64 { return w.part(i, w.s.Close[i]-w.s.Open[i]) })
	}},
	{"channel_position", "channel_position_55", func(w window) float64 {
		low, high := w.extremes(w.i - 54)
		return (w.s.Close[w.i]-low)/(high-low) - 0.5
	}},
	{"session", "session_return", func(w window) float64 { return math.Log(w.s.Close[w.i] / w.s.Open[w.opened(w.i)]) }},
	{"session", "session_position", func(w window) float64 {
		if low, high := w.extremes(w.opened(w.i)); high > low {
			return (w.s.Close[w.i]-low)/(high-low) - 0.5
		}
		return 0
	}},
	{"session", "overnight_gap", func(w window) float64 {
		if o := w.opened(w.i); o > 0 {
			return math.Log(w.s.Open[o] / w.s.Close[o-1])
		}
		return 0
	}},
}

func (w window) volume(i int) float64 { return w.s.Volume[i] }

func (w window) rogersSatchell(i int) float64 {
	o, h, l, c := w.s.Open[i], w.s.High[i], w.s.Low[i], w.s.Close[i]
	return math.Log(h/c)*math.Log(h/o) + math.Log(l/c)*math.Log(l/o)
}

func (w window) part(i int, x float64) float64 {
	if w.s.High[i] == w.s.Low[i] {
		return 0
	}
	return x / (w.s.High[i] - w.s.Low[i])
}

func (w window) extremes(from int) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for i := from; i <= w.i; i++ {
		low, high = min(low, w.s.Low[i]), max(high, w.s.High[i])
	}
	return low, high
}

// opened is the first bar of bar i's session.
func (w window) opened(i int) int {
	for i > 0 && w.s.Session[i-1] == w.s.Session[i] {
		i--
	}
	return i
}

func minutes(t testing.TB, n int) *bar.Series {
	t.Helper()
	s, err := featuretest.Bars(5, n, bar.Minute, cal(t, calendar.Synth))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValuesFollowTheirDefinition(t *testing.T) {
	r, s := registry(t), minutes(t, 1500)
	for _, v := range definitions {
		t.Run(v.column, func(t *testing.T) {
			k, err := r.New(feature.Spec{Name: v.name}, feature.Env{Timeframe: bar.Minute, Calendar: cal(t, calendar.Synth)})
			if err != nil {
				t.Fatal(err)
			}
			row := make([]float64, len(k.Names()))
			column := -1
			for j, n := range k.Names() {
				if n == v.column {
					column = j
				}
			}
			if column < 0 {
				t.Fatalf("the kernel has columns %v", k.Names())
			}
			var b bar.Bar
			for i := range s.Len() {
				s.At(i, &b)
				k.Push(&b, row)
				if i >= k.First()-1 && i > 0 {
					// Both sides sum some hundred terms in another order.
					floats.Check(t, row[column], v.of(window{s, i, 1}), floats.Rel(1e-9).Or(floats.Abs(1e-11)), "bar %d", i)
				}
			}
		})
	}
}

// TestDistVWAP computes the session's mean afresh.
func TestDistVWAP(t *testing.T) {
	r, s := registry(t), minutes(t, 1500)
	_, atr := valuesOn(t, r, "atr", s)
	_, dist := valuesOn(t, r, "dist_vwap", s)
	for i := 20; i < s.Len(); i++ {
		w := window{s, i, 1}
		var pv, v float64
		for k := w.opened(i); k <= i; k++ {
			pv += (s.High[k] + s.Low[k] + s.Close[k]) / 3 * s.Volume[k]
			v += s.Volume[k]
		}
		floats.Check(t, dist[0][i]*atr[0][i], s.Close[i]-pv/v, floats.Abs(1e-10), "bar %d", i)
	}
}

func valuesOn(t *testing.T, r *feature.Registry, name string, s *bar.Series) (feature.Kernel, [][]float64) {
	t.Helper()
	k, err := r.New(feature.Spec{Name: name}, feature.Env{Timeframe: s.Timeframe, Calendar: cal(t, calendar.Synth)})
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(k.Names()))
	for j := range out {
		out[j] = make([]float64, s.Len())
	}
	k.PushBlock(s, 0, s.Len(), out)
	return k, out
}

// TestClock pins the clock of a New York session on both sides of a change to
// daylight saving time: the market's clock does not move.
func TestClock(t *testing.T) {
	c := cal(t, calendar.NYSE)
	k, err := registry(t).New(feature.Spec{Name: "clock"}, feature.Env{Timeframe: 30 * bar.Minute, Calendar: c})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float64, 5)
	for _, v := range []struct {
		end     string
		turn    float64 // share of the session
		weekday float64
		minutes float64
	}{
		{"2024-03-08T15:00:00Z", 30.0 / 390, 5, 360}, // Friday 10:00 EST
		{"2024-03-11T14:00:00Z", 30.0 / 390, 1, 360}, // Monday 10:00 EDT
		{"2024-03-11T20:00:00Z", 1, 1, 0},
		{"2024-07-03T17:00:00Z", 1, 3, 0}, // closes at 13:00
	} {
		end, err := time.Parse(time.RFC3339, v.end)
		if err != nil {
			t.Fatal(err)
		}
		k.Push(&bar.Bar{Begin: end.UnixNano() - int64(30*bar.Minute), End: end.UnixNano()}, row)
		want := []float64{math.Sin(2 * math.Pi * v.turn), math.Cos(2 * math.Pi * v.turn), math.Sin(2 * math.Pi * v.weekday / 7), math.Cos(2 * math.Pi * v.weekday / 7), v.minutes}
		floats.CheckSlice(t, row, want, floats.Abs(1e-12), "%s", v.end)
	}
	night := time.Date(2024, 3, 11, 3, 0, 0, 0, time.UTC).UnixNano()
	k.Push(&bar.Bar{Begin: night - int64(30*bar.Minute), End: night}, row)
	for j, x := range row {
		if x == x {
			t.Errorf("%s is %v on a bar outside of every session", k.Names()[j], x)
		}
	}
}

// TestAnnualisation: white noise of a known size a minute has the volatility of
// the calendar's minutes a year, whatever the bars, also bars of no fixed length.
func TestAnnualisation(t *testing.T) {
	r := registry(t)
	for _, v := range []struct {
		calendar string
		tf       bar.Timeframe
		length   int64 // of a bar
		perYear  float64
	}{
		{calendar.Always, bar.Minute, int64(bar.Minute), 365 * 1440},
		{calendar.Always, bar.Native, 7 * int64(bar.Minute), 365 * 1440 / 7.0},
		{calendar.Synth, 5 * bar.Minute, 5 * int64(bar.Minute), minutesPerYear / 5},
		{calendar.Always, bar.Session, int64(bar.Session), 365},
	} {
		c := cal(t, v.calendar)
		k, err := r.New(feature.Spec{Name: "realised_vol"}, feature.Env{Timeframe: v.tf, Calendar: c})
		if err != nil {
			t.Fatal(err)
		}
		begin := c.Next(time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC).UnixNano()).Open
		price, out := 100.0, make([]float64, 1)
		for i := range 40 {
			b := bar.Bar{Begin: begin, End: begin + v.length, Open: price}
			price *= math.Exp(0.001 * float64(1-2*(i%2)))
			b.Close, begin = price, b.End
			k.Push(&b, out)
		}
		floats.Check(t, out[0], 0.001*math.Sqrt(v.perYear), floats.Rel(1e-9), "%s %v", v.calendar, v.tf)
	}
}

// raise multiplies all prices from bar at on.
func raise(s *bar.Series, at int, f float64) {
	for _, col := range [][]float64{s.Open, s.High, s.Low, s.Close} {
		for i := at; i < len(col); i++ {
			col[i] *= f
		}
	}
}

// TestOvernightRule: all prices from the opening of a session on are raised or
// lowered by a fifth. A kernel that leaves the gap out must not notice; one that spans the
// break must; on session bars the gap always counts.
func TestOvernightRule(t *testing.T) {
	r := registry(t)
	leavesOut := map[string]bool{}
	for _, name := range []string{"realised_vol", "vol_ratio", "down_share", "return_moments", "yang_zhang", "parkinson", "garman_klass", "rogers_satchell",
		"clv", "wick", "volume_ratio", "volume_z", "cmf", "clock"} {
		leavesOut[name] = true
	}
	for _, e := range r.Entries() {
		if e.Scale != feature.ScaleNone || e.Name == "obv" {
			continue // a level moves with the price
		}
		moved := false
		for _, f := range []float64{1.2, 0.8} {
			s := minutes(t, 2000)
			_, before := valuesOn(t, r, e.Name, s)
			at := 1000
			for s.Flags[at]&bar.SessionStart == 0 {
				at++
			}
			raise(s, at, f)
			_, after := valuesOn(t, r, e.Name, s)
			for j := range before {
				for i, x := range before[j] {
					moved = moved || x == x && !floats.Close(after[j][i], x, floats.Rel(1e-9).Or(floats.Abs(1e-9)))
				}
			}
		}
		if moved == leavesOut[e.Name] {
			t.Errorf("%s: values moved is %v after a gap; its rule is %q", e.Name, moved, e.Overnight)
		}
	}
	s, err := featuretestBars(t)
	if err != nil {
		t.Fatal(err)
	}
	_, before := values(t, r, feature.Spec{Name: "realised_vol"}, s)
	raise(s, 200, 1.2)
	if _, after := values(t, r, feature.Spec{Name: "realised_vol"}, s); after[0][200] == before[0][200] {
		t.Error("on session bars the step between two sessions must count")
	}
}
