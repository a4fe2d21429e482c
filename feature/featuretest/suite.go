// Package featuretest is the conformance suite of feature kernels: every law
// that a kernel must keep, run over every registered entry.
//
// The laws, each on generated bars with sessions, breaks and absent minutes:
//
//	names      one or more, distinct, without "@"
//	block      PushBlock, in blocks of any size, gives the bits of Push
//	prefix     bars that are cut off change no value before the cut
//	future     bars that are replaced by garbage change no value before them
//	first      First is the first bar at which every value is finite, and all are from then on
//	memory     after Memory bars, older history changes nothing beyond 1e-12, nor does having none
//	state      a state restored in mid-stream continues bit for bit; a cut or foreign one is refused and changes nothing
//	reset      after Reset a kernel is new
//	scale      prices × 1000 change nothing (ScaleNone) or multiply the values (ScalePrice), to 1e-9
//	flat       one price for ever gives finite values, the same at any price
//	jump       prices × 10 from one bar on give finite values, and leave no trace after Memory bars
//	sign       prices that fall through zero give finite values or NaN, and leave no trace after Memory bars
//	volume     without the Volume flag volume is not looked at; with it, zero and missing volumes give NaN or finite values, and a missing one leaves no trace after Memory bars
//	allocation Push allocates nothing
//
// A kernel that reads one bar ahead breaks block, prefix and future; [Leaky] is
// one, for testing this suite and whatever else claims to find leaks.
package featuretest

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/param"
)

// Problem is a broken law.
type Problem struct{ Law, Detail string }

// String returns "law: detail".
func (p Problem) String() string { return p.Law + ": " + p.Detail }

// Run checks every entry of r with its default config on minutes with
// sessions, on session bars, and on bars of no fixed length, as subtests.
func Run(t *testing.T, r *feature.Registry) {
	t.Helper()
	for _, place := range []struct {
		calendar  string
		timeframe bar.Timeframe
	}{{calendar.Synth, bar.Minute}, {calendar.Synth, bar.Session}, {calendar.Always, bar.Native}} {
		cal, err := calendar.ByName(place.calendar)
		if err != nil {
			t.Fatal(err)
		}
		env := feature.Env{Timeframe: place.timeframe, Calendar: cal}
		for _, e := range r.Entries() {
			t.Run(e.Name+"@"+place.timeframe.String(), func(t *testing.T) {
				for _, p := range Check(e, e.Default(), env) {
					t.Error(p)
				}
			})
		}
	}
}

// Check runs every law over one entry with one config in one place and returns
// what is broken, in the order of the laws.
func Check(e feature.Entry, cfg any, env feature.Env) []Problem {
	s := &suite{entry: e, cfg: cfg, env: env}
	k, err := e.New(cfg, env)
	if err != nil {
		return []Problem{{"names", err.Error()}}
	}
	s.first, s.memory, s.names = k.First(), k.Memory(), k.Names()
	n := 1500 + s.first + 2*max(s.memory, 0)
	if s.bars, err = Bars(11, n, env.Timeframe, env.Calendar); err != nil {
		return []Problem{{"names", err.Error()}}
	}
	for _, law := range []struct {
		name string
		run  func()
	}{
		{"names", s.checkNames}, {"block", s.checkBlock}, {"prefix", s.checkPrefix}, {"future", s.checkFuture}, {"first", s.checkFirst},
		{"memory", s.checkMemory}, {"state", s.checkState}, {"reset", s.checkReset}, {"scale", s.checkScale}, {"flat", s.checkFlat},
		{"jump", s.checkJump}, {"sign", s.checkSign}, {"volume", s.checkVolume}, {"allocation", s.checkAllocation},
	} {
		s.law = law.name
		s.guard(law.run)
	}
	return s.problems
}

type suite struct {
	entry    feature.Entry
	cfg      any
	env      feature.Env
	bars     *bar.Series
	names    []string
	first    int
	memory   int
	law      string
	problems []Problem
}

func (s *suite) fail(format string, args ...any) {
	s.problems = append(s.problems, Problem{s.law, fmt.Sprintf(format, args...)})
}

// guard turns a panic of the kernel into a problem.
func (s *suite) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			s.fail("panic: %v", r)
		}
	}()
	f()
}

// kernel makes a new kernel; New succeeded before with the same config.
func (s *suite) kernel() feature.Kernel {
	k, err := s.entry.New(s.cfg, s.env)
	if err != nil {
		panic(err)
	}
	return k
}

// push gives the values of bars lo..hi-1, by column, one Push at a time.
func push(k feature.Kernel, b *bar.Series, lo, hi int) [][]float64 {
	out := columns(len(k.Names()), hi-lo)
	row := make([]float64, len(k.Names()))
	var v bar.Bar
	for i := lo; i < hi; i++ {
		b.At(i, &v)
		k.Push(&v, row)
		for j, x := range row {
			out[j][i-lo] = x
		}
	}
	return out
}

// block gives the same by PushBlock, in blocks of the sizes given, over and over.
func block(k feature.Kernel, b *bar.Series, lo, hi int, sizes ...int) [][]float64 {
	out := columns(len(k.Names()), hi-lo)
	part := make([][]float64, len(out))
	for i, q := lo, 0; i < hi; q++ {
		to := min(hi, i+sizes[q%len(sizes)])
		for j := range out {
			part[j] = out[j][i-lo : to-lo]
		}
		k.PushBlock(b, i, to, part)
		i = to
	}
	return out
}

func columns(p, n int) [][]float64 {
	out := make([][]float64, p)
	for j := range out {
		out[j] = make([]float64, n)
	}
	return out
}

func clone(b *bar.Series) *bar.Series {
	c := bar.NewSeries(b.Timeframe, b.Len())
	var v bar.Bar
	for i := range b.Len() {
		b.At(i, &v)
		c.Append(&v)
	}
	return c
}

func sameBits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

func near(a, b, tolerance float64) bool {
	return a != a && b != b || math.Abs(a-b) <= tolerance*max(1, math.Abs(b))
}

// compare reports the first difference of got and want on rows lo..hi-1 of
// want; got begins with row offset.
func (s *suite) compare(what string, got [][]float64, offset int, want [][]float64, lo, hi int, same func(a, b float64) bool) {
	for j := range want {
		for i := lo; i < hi; i++ {
			if a, b := got[j][i-offset], want[j][i]; !same(a, b) {
				s.fail("%s: %s at bar %d is %v, want %v", what, s.names[j], i, a, b)
				return
			}
		}
	}
}

// finite reports the first infinity, and the first NaN from row lo on.
func (s *suite) finite(what string, v [][]float64, lo int) {
	for j := range v {
		for i, x := range v[j] {
			if math.IsInf(x, 0) {
				s.fail("%s: %s at bar %d is %v", what, s.names[j], i, x)
				return
			}
			if i >= lo && x != x {
				s.fail("%s: %s at bar %d is missing", what, s.names[j], i)
				return
			}
		}
	}
}

func (s *suite) checkNames() {
	seen := map[string]bool{}
	for _, n := range s.names {
		if n == "" || strings.ContainsAny(n, "@ \t\n") || seen[n] {
			s.fail("%q is empty, has a blank or an @, or occurs twice", n)
		}
		seen[n] = true
	}
	if len(s.names) == 0 {
		s.fail("the kernel has no values")
	}
}

func (s *suite) checkBlock() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, 0, n)
	for _, sizes := range [][]int{{n}, {1}, {3, 64, 1, 17}} {
		s.compare(fmt.Sprintf("blocks of %v", sizes), block(s.kernel(), s.bars, 0, n, sizes...), 0, want, 0, n, sameBits)
	}
}

func (s *suite) checkPrefix() {
	n := s.bars.Len()
	want := block(s.kernel(), s.bars, 0, n, n)
	for _, cut := range []int{1, s.first, n / 2, n - 1} {
		short := clone(s.bars).Slice(0, cut)
		s.compare(fmt.Sprintf("bars from %d on cut off", cut), block(s.kernel(), short, 0, cut, cut), 0, want, 0, cut, sameBits)
	}
}

func (s *suite) checkFuture() {
	n := s.bars.Len()
	want := block(s.kernel(), s.bars, 0, n, n)
	for _, cut := range []int{s.first, n / 2, n * 7 / 10, n * 9 / 10} {
		for _, f := range []float64{math.NaN(), 0, 1e6} {
			c := clone(s.bars)
			for i := cut; i < n; i++ {
				for _, col := range [][]float64{c.Open, c.High, c.Low, c.Close, c.Volume} {
					col[i] *= f
				}
				c.Flags[i] ^= bar.SessionStart
				c.Session[i]++
			}
			s.compare(fmt.Sprintf("bars from %d on times %v", cut, f), block(s.kernel(), c, 0, n, n), 0, want, 0, cut, sameBits)
		}
	}
}

func (s *suite) checkFirst() {
	if s.first < 1 {
		s.fail("First is %d, the first bar is 1", s.first)
		return
	}
	v := push(s.kernel(), s.bars, 0, s.bars.Len())
	s.finite("ordinary bars", v, s.first-1)
	if s.first > 1 {
		missing := false
		for j := range v {
			missing = missing || v[j][s.first-2] != v[j][s.first-2]
		}
		if !missing {
			s.fail("First is %d, but every value is finite one bar before", s.first)
		}
	}
}

func (s *suite) checkMemory() {
	if s.memory < 0 {
		return
	}
	if s.memory < s.first {
		s.fail("Memory is %d, less than First, %d", s.memory, s.first)
		return
	}
	n := s.bars.Len()
	p := n - s.memory - 200
	want := push(s.kernel(), s.bars, 0, n)
	from := p + s.memory - 1
	same := func(a, b float64) bool { return near(a, b, 1e-12*s.unit(want, from)) }
	s.compare(fmt.Sprintf("begun %d bars before", s.memory), push(s.kernel(), s.bars, p, n), p, want, from, n, same)
	other, err := Bars(12, p, s.env.Timeframe, s.env.Calendar)
	if err != nil {
		s.fail("%v", err)
		return
	}
	c := clone(s.bars)
	f := c.Close[p-1] / other.Close[p-1]
	for i := range p {
		c.Open[i], c.High[i], c.Low[i], c.Close[i] = other.Open[i]*f, other.High[i]*f, other.Low[i]*f, other.Close[i]*f
		c.Volume[i] = other.Volume[i]
	}
	s.compare("another history", push(s.kernel(), c, 0, n), 0, want, from, n, same)
}

// unit is the size of the largest value from row lo on, at least 1: a value
// that happens to lie near 0 has the precision of its neighbours.
func (s *suite) unit(v [][]float64, lo int) float64 {
	u := 1.0
	for j := range v {
		for _, x := range v[j][lo:] {
			u = max(u, math.Abs(x))
		}
	}
	return u
}

func (s *suite) checkState() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, 0, n)
	for _, cut := range []int{0, 1, s.first - 1, n / 2} {
		k := s.kernel()
		push(k, s.bars, 0, cut)
		state := k.State([]byte("before"))
		if !bytes.HasPrefix(state, []byte("before")) {
			s.fail("State does not append to its argument")
			return
		}
		state = state[len("before"):]
		next := s.kernel()
		push(next, s.bars, 0, n/3) // Restore has to forget this
		if err := next.Restore(state); err != nil {
			s.fail("after %d bars: %v", cut, err)
			return
		}
		if !bytes.Equal(next.State(nil), state) {
			s.fail("after %d bars: the restored kernel has another state", cut)
		}
		s.compare(fmt.Sprintf("restored after %d bars", cut), push(next, s.bars, cut, n), cut, want, cut, n, sameBits)
	}
	s.checkRefusals()
}

func (s *suite) checkRefusals() {
	k := s.kernel()
	push(k, s.bars, 0, s.bars.Len()/2)
	state := k.State(nil)
	before := string(k.State(nil))
	refuse := func(what string, b []byte) {
		if err := k.Restore(b); err == nil {
			s.fail("%s was taken", what)
		}
		if string(k.State(nil)) != before {
			s.fail("%s was refused but changed the kernel", what)
			_ = k.Restore(state)
		}
	}
	for _, n := range []int{0, 1, len(state) / 2, len(state) - 1} {
		refuse(fmt.Sprintf("a state cut to %d of %d bytes", n, len(state)), state[:n])
	}
	refuse("a state with a byte too many", append(append([]byte(nil), state...), 0))
	for i := range min(len(state), len(s.entry.Name)+12) { // name, hash of the parameters, version
		b := append([]byte(nil), state...)
		b[i] ^= 0x11
		refuse(fmt.Sprintf("a state with byte %d changed", i), b)
	}
	fields, err := param.Fields(s.cfg)
	if err != nil {
		s.fail("the config's fields: %v", err)
		return
	}
	for _, f := range fields {
		cfg := s.entry.Default()
		if f.Max == nil || f.Min == nil || f.Default == nil {
			continue
		}
		set := param.Set(cfg, f.Path, fmt.Sprint(*f.Max-1))
		other, err := s.entry.New(cfg, s.env)
		if set != nil || err != nil {
			continue // not a number, or not allowed with the other fields
		}
		refuse("the state of a kernel with another "+f.Path, other.State(nil))
	}
}

func (s *suite) checkReset() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, n/2, n)
	k := s.kernel()
	push(k, s.bars, 0, n/2)
	k.Reset()
	if !bytes.Equal(k.State(nil), s.kernel().State(nil)) {
		s.fail("the state after Reset is not that of a new kernel")
	}
	s.compare("after Reset", push(k, s.bars, n/2, n), 0, want, 0, n-n/2, sameBits)
}

// times is a copy with the prices from row lo on multiplied by f.
func times(b *bar.Series, lo int, f float64) *bar.Series {
	c := clone(b)
	for i := lo; i < c.Len(); i++ {
		c.Open[i], c.High[i], c.Low[i], c.Close[i] = c.Open[i]*f, c.High[i]*f, c.Low[i]*f, c.Close[i]*f
	}
	return c
}

func (s *suite) checkScale() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, 0, n)
	if s.entry.Scale == feature.ScalePrice {
		for j := range want {
			for i := range want[j] {
				want[j][i] *= 1000
			}
		}
	}
	s.compare("prices × 1000", push(s.kernel(), times(s.bars, 0, 1000), 0, n), 0, want, 0, n, func(a, b float64) bool { return near(a, b, 1e-9) })
}

func (s *suite) checkFlat() {
	n := s.bars.Len()
	flat := func(price float64) [][]float64 {
		c := clone(s.bars)
		for i := range n {
			c.Open[i], c.High[i], c.Low[i], c.Close[i] = price, price, price, price
		}
		return push(s.kernel(), c, 0, n)
	}
	a, b := flat(0.3), flat(12345.678)
	s.finite("one price", a, s.first-1)
	s.finite("one price", b, s.first-1)
	f := 1.0
	if s.entry.Scale == feature.ScalePrice {
		f = 12345.678 / 0.3
	}
	s.compare("one price, a higher one", b, 0, a, 0, n, func(x, y float64) bool { return near(x, y*f, 1e-9) })
}

func (s *suite) checkJump() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, 0, n)
	at := n / 3
	for _, f := range []float64{10, 0.1} {
		v := push(s.kernel(), times(s.bars, at, f), 0, n)
		s.finite(fmt.Sprintf("prices × %v from bar %d on", f, at), v, s.first-1)
		if s.memory >= 0 && s.entry.Scale == feature.ScaleNone {
			s.compare(fmt.Sprintf("long after prices × %v", f), v, 0, want, at+s.memory, n, func(a, b float64) bool { return near(a, b, 1e-9) })
		}
	}
}

func (s *suite) checkSign() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, 0, n)
	c := clone(s.bars)
	at := n / 3
	for i := at; i < at+20; i++ {
		for _, col := range [][]float64{c.Open, c.High, c.Low, c.Close} {
			col[i] -= s.bars.Low[at+i%10] // some prices become exactly 0, some less
		}
	}
	v := push(s.kernel(), c, 0, n)
	s.finite("prices at and below zero", v, n)
	if s.memory >= 0 {
		s.compare("long after prices below zero", v, 0, want, at+20+s.memory, n, func(a, b float64) bool { return near(a, b, 1e-9) })
	}
}

func (s *suite) checkVolume() {
	n := s.bars.Len()
	want := push(s.kernel(), s.bars, 0, n)
	with := func(f func(i int, v float64) float64) [][]float64 {
		c := clone(s.bars)
		for i, v := range c.Volume {
			c.Volume[i] = f(i, v)
		}
		return push(s.kernel(), c, 0, n)
	}
	zero := with(func(int, float64) float64 { return 0 })
	missing := with(func(int, float64) float64 { return math.NaN() })
	hole := with(func(i int, v float64) float64 {
		if i == n/3 {
			return math.NaN()
		}
		return v
	})
	s.finite("zero volume", zero, n)
	s.finite("missing volume", missing, n)
	if !s.entry.Volume {
		s.compare("zero volume", zero, 0, want, 0, n, sameBits)
		s.compare("missing volume", missing, 0, want, 0, n, sameBits)
		return
	}
	s.finite("one missing volume", hole, n)
	if s.memory >= 0 {
		s.compare("after one missing volume", hole, 0, want, n/3+s.memory, n, func(a, b float64) bool { return near(a, b, 1e-9) })
	}
}

func (s *suite) checkAllocation() {
	k := s.kernel()
	row := make([]float64, len(s.names))
	var v bar.Bar
	i := 0
	if a := testing.AllocsPerRun(500, func() {
		s.bars.At(i, &v)
		k.Push(&v, row)
		i++
	}); a > 0 && !race.Enabled {
		s.fail("Push allocates %v times a bar", a)
	}
}
