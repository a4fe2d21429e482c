package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// probe is the number of rows from which the length of a bar is inferred.
const probe = 20000

// builder turns rows into checked bars. It holds back the first rows until the
// length of a bar is known.
type builder struct {
	cfg     Config
	begin   bool         // stamps mark the begin
	trusted bool         // a file of accepted bars: no jump is held, no volume judged
	expect  func() int64 // rows of the whole source, about; 0: unknown
	rep     *Report
	inst    bar.Instrument
	cal     *calendar.Calendar

	waiting *block
	tf      bar.Timeframe
	known   bool
	check   *Checker
	out     *bar.Series
	prevEnd int64 // native bars: the latest stamp so far
	any     bool
}

// block takes the next rows.
func (b *builder) block(x *block) error {
	b.rep.Rows += int64(x.n)
	if b.known {
		return b.push(x)
	}
	if b.waiting == nil {
		if x.n >= probe && !b.cfg.Sort {
			b.waiting = x // enough at once
			return b.start()
		}
		b.waiting = newBlock(probe+x.n, x.begin != nil)
	}
	b.waiting.add(x)
	if b.waiting.n < probe || b.cfg.Sort {
		return nil
	}
	return b.start()
}

// start infers the timeframe and pushes the rows that waited.
func (b *builder) start() error {
	w := b.waiting
	if b.cfg.Sort {
		perm := make([]int, w.n)
		for i := range perm {
			perm[i] = i
		}
		slices.SortStableFunc(perm, func(i, k int) int { return cmp.Compare(w.stamp[i], w.stamp[k]) })
		w.order(perm)
	}
	if err := b.timeframe(w); err != nil {
		return err
	}
	b.known = true
	b.rep.Timeframe = b.tf.String()
	b.out = bar.NewSeries(b.tf, max(w.n, int(min(b.expect(), 1<<24))))
	b.check = NewChecker(b.cfg.Checks, b.inst, b.rep, b.out.Append)
	if b.trusted {
		b.check.trust()
	}
	b.waiting = nil
	return b.push(w)
}

// timeframe sets the length of the bars: as stated, or the commonest distance of
// stamps where most bars have it or all distances are multiples of it.
func (b *builder) timeframe(w *block) error {
	if b.cfg.Timeframe != "auto" && b.cfg.Timeframe != "" {
		tf, err := bar.ParseTimeframe(b.cfg.Timeframe)
		if err != nil {
			return err
		}
		b.tf = tf
		return b.native()
	}
	if w.n < 2 && w.begin == nil {
		return fmt.Errorf("%d row of data is too few to see how long a bar is; state timeframe: 1m (or --timeframe 1m)", w.n)
	}
	var steps []int64
	back := 0
	for i := range w.n {
		switch {
		case w.begin != nil && w.stamp[i] <= w.begin[i]:
			return fmt.Errorf("line %d: the begin of a bar must lie before its end", w.line[i])
		case w.begin != nil:
			steps = append(steps, w.stamp[i]-w.begin[i])
		case i == 0:
		case w.stamp[i] > w.stamp[i-1]:
			steps = append(steps, w.stamp[i]-w.stamp[i-1])
		case w.stamp[i] < w.stamp[i-1]:
			back++
		}
	}
	if back > w.n/2 {
		return errors.New("the rows run backwards in time, newest first; read them with sort: true (or --sort)")
	}
	if len(steps) == 0 {
		return errors.New("all rows have the same stamp")
	}
	slices.Sort(steps)
	mode, most, run := steps[0], 0, 0
	for i, d := range steps {
		if i == 0 || d != steps[i-1] {
			run = 0
		}
		if run++; run > most {
			mode, most = d, run
		}
	}
	odd := slices.ContainsFunc(steps, func(d int64) bool { return d%mode != 0 })
	if w.begin != nil { // lengths, not distances: a bar may be shorter, none longer
		odd = mode < steps[len(steps)-1]
	}
	if mode < int64(time.Second) || mode%int64(time.Second) != 0 || mode > int64(bar.Session) || odd && (most*2 < len(steps) || w.begin != nil) {
		b.tf = bar.Native
		b.rep.Notes = append(b.rep.Notes, fmt.Sprintf("the distances of stamps have no common value (the commonest, %s, is %.0f %% of them): read as irregular bars", time.Duration(mode), 100*float64(most)/float64(len(steps))))
		return b.native()
	}
	b.tf = bar.Timeframe(mode)
	return nil
}

func (b *builder) native() error {
	if b.tf == bar.Native && b.begin {
		return errors.New("irregular bars need end stamps: from begin stamps the end of a bar would only be known when the next one begins; say --stamps end, or state --timeframe if the bars are regular")
	}
	return nil
}

// push checks the rows as bars.
func (b *builder) push(x *block) error {
	open, high, low, closes, volume := x.v[0][:x.n], x.v[1][:x.n], x.v[2][:x.n], x.v[3][:x.n], x.v[4][:x.n]
	length := int64(b.tf)
	shift := int64(0)
	if b.begin {
		shift = length
	}
	var r bar.Bar
	for i := 0; i < x.n; i++ {
		if x.begin == nil && length > 0 {
			if k := b.check.clean(x, i, shift); k > i {
				b.take(x, i, k, shift)
				if i = k; i == x.n {
					break
				}
			}
		}
		t := x.stamp[i]
		r = bar.Bar{Open: open[i], High: high[i], Low: low[i], Close: closes[i], Volume: volume[i]}
		switch {
		case x.begin != nil:
			r.Begin, r.End, r.Known = x.begin[i], t, x.known[i]
			if r.Begin >= r.End || r.Known < r.End {
				return fmt.Errorf("line %d: the begin of a bar must lie before its end, and its end not after the instant it was known", x.line[i])
			}
			if r.End-r.Begin < length {
				r.Flags = bar.Short
			}
		case b.tf == bar.Native:
			r.Begin, r.End = b.nativeBegin(t), t
		default:
			r.Begin, r.End = t+shift-length, t+shift
		}
		if x.begin == nil {
			r.Known = r.End
		}
		b.check.push(&r, x.line[i])
	}
	return nil
}

// take puts rows lo to hi-1 into the series as they are.
func (b *builder) take(x *block, lo, hi int, shift int64) {
	s, k := b.out, hi-lo
	s.Open, s.High = append(s.Open, x.v[0][lo:hi]...), append(s.High, x.v[1][lo:hi]...)
	s.Low, s.Close = append(s.Low, x.v[2][lo:hi]...), append(s.Close, x.v[3][lo:hi]...)
	s.Volume = append(s.Volume, x.v[4][lo:hi]...)
	var begin, end, known []int64
	s.Begin, begin = longer(s.Begin, k)
	s.End, end = longer(s.End, k)
	s.Known, known = longer(s.Known, k)
	length := int64(b.tf)
	begin, end, known = begin[:k], end[:k], known[:k]
	for i, t := range x.stamp[lo:hi] {
		t += shift
		begin[i], end[i], known[i] = t-length, t, t
	}
	s.Session, _ = longer(s.Session, k) // finish fills these two
	s.Segment, _ = longer(s.Segment, k)
	var flags []bar.Flag
	s.Flags, flags = longer(s.Flags, k)
	clear(flags)
}

// longer makes s longer by n and gives the new part, with anything in it.
func longer[T any](s []T, n int) (all, part []T) {
	s = slices.Grow(s, n)
	return s[:len(s)+n], s[len(s) : len(s)+n]
}

// nativeBegin is the begin of an irregular bar that ends at t: the end of the one
// before. The first bar, and one after an outage, began nobody knows when; it is
// taken to be as short as can be, so that nothing is said about the time before.
func (b *builder) nativeBegin(t int64) int64 {
	prev := b.prevEnd
	first := !b.any
	if first || t > prev {
		b.prevEnd, b.any = t, true
	}
	limit := b.inst.Limit(bar.Native, b.cal)
	if first || t <= prev || time.Duration(t-prev) > limit && b.cal.Absence(prev, t) > limit {
		return t - 1
	}
	return prev
}

func (b *builder) finish() (*bar.Series, *Report, error) {
	rep := b.rep
	if !b.known {
		if b.waiting == nil || b.waiting.n == 0 {
			return nil, nil, errors.New("the file has a header and no rows")
		}
		if err := b.start(); err != nil {
			return nil, nil, err
		}
	}
	b.check.Close()
	rep.finish()
	if err := b.shares(); err != nil {
		return nil, nil, err
	}
	s := b.out
	if s.Len() == 0 {
		f := rep.Findings[0]
		return nil, nil, fmt.Errorf("none of %d rows passed the checks; the first finding: line %d: %s: %s", rep.Rows, f.Line, f.Kind, f.Text)
	}
	b.sessions()
	b.doubt()
	rep.First, rep.Last = stampText(s.Begin[0]), stampText(s.End[s.Len()-1])
	for _, v := range s.Volume {
		if !math.IsNaN(v) {
			rep.Volume++
		}
	}
	rep.Outages = int(slices.Max(s.Segment) - s.Segment[0])
	return s, rep, nil
}

// shares refuses a file of which too much is bad.
func (b *builder) shares() error {
	rep, checks := b.rep, b.cfg.Checks
	for _, x := range []struct {
		kind             Kind
		limit            float64
		what, then, name string
	}{
		{OutOfOrder, checks.OutOfOrder, "come out of order", "sort the file (--sort), choose one with where: column=value if it holds several contracts,", "out_of_order"},
		{Duplicate, checks.Duplicates, "repeat the stamp of the row before", "choose one with where: column=value if the file holds several contracts", "duplicates"},
		{MissingPrice, checks.MissingShare, "lack a price", "repair the file", "missing_share"},
	} {
		if n := rep.N(x.kind); float64(n) > x.limit*float64(rep.Rows) {
			return fmt.Errorf("%d of %d rows (%.1f %%) %s, the first at line %d; the limit is %.1f %%: %s or raise checks.%s",
				n, rep.Rows, 100*float64(n)/float64(rep.Rows), x.what, rep.firstLine(x.kind), 100*x.limit, x.then, x.name)
		}
	}
	return nil
}
