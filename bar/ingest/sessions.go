package ingest

import (
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// sessions gives the bars of the series their Session, Segment and Flags, as
// [bar.Assign] does, and counts sessions, bars outside of them and bars without a
// trade.
func (b *builder) sessions() {
	s, limit := b.out, b.inst.Limit(b.tf, b.cal)
	m := bar.NewSessioner(b.cal, limit)
	var x bar.Bar
	push := func(i int) {
		x.Begin, x.End, x.Known, x.Flags = s.Begin[i], s.End[i], s.Known[i], s.Flags[i]
		m.Push(&x)
		s.Session[i], s.Segment[i], s.Flags[i] = x.Session, x.Segment, x.Flags
	}
	var c calendar.Session // of the last instant of a bar
	for i := 0; i < s.Len(); {
		if s.Known[i] > s.End[i] {
			// Late bars and those that end before they are known come in another order.
			k := overtaken(s, i)
			for j := range s.Slice(i, k).Arrivals() {
				push(i + j)
			}
			for ; i < k; i++ {
				b.count(i)
			}
			continue
		}
		push(i)
		b.count(i)
		if i++; !c.Contains(x.End - 1) {
			var ok bool
			if c, ok = b.cal.At(x.End - 1); !ok {
				c = calendar.Session{}
				continue
			}
		}
		// Nothing changes with the bars that follow, up to one that is late, ends at
		// the close or comes after a long absence. To the Sessioner they are one bar.
		if k := run(s, i, c.Close, limit); k > i {
			b.alike(i, k, c.ID, x.Segment)
			x.Begin, x.End, x.Known = s.End[i-1], s.End[k-1], s.End[k-1]
			m.Push(&x)
			i = k
		}
	}
}

// overtaken is the first bar, from the late bar i on, that ends when all before
// it are known.
func overtaken(s *bar.Series, i int) int {
	known := s.Known[i]
	for i++; i < s.Len() && s.End[i] <= known; i++ {
		known = max(known, s.Known[i])
	}
	return i
}

// run is the first bar, from bar i on, that is late, ends at the close or later,
// or begins more than limit (0: any time) after the end of the one before.
func run(s *bar.Series, i int, shut int64, limit time.Duration) int {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	before := s.End[i-1]
	ends := s.End[i:]
	begin, known := s.Begin[i:][:len(ends)], s.Known[i:][:len(ends)]
	for k, end := range ends {
		if end >= shut || begin[k]-before > int64(limit) || known[k] > end {
			return i + k
		}
		before = end
	}
	return s.Len()
}

// alike gives bars i to k-1 what the bar before them has, but for its flags.
func (b *builder) alike(i, k int, session, segment int32) {
	s, length, idle := b.out, int64(b.tf), int64(0)
	before := s.End[i-1]
	begin, end := s.Begin[i:k], s.End[i:k]
	ids, segments, flags := s.Session[i:k], s.Segment[i:k], s.Flags[i:k]
	end, ids, segments, flags = end[:len(begin)], ids[:len(begin)], segments[:len(begin)], flags[:len(begin)]
	for j, t := range begin {
		ids[j], segments[j] = session, segment
		flags[j] &= bar.Short
		if t != before && length > 0 {
			idle += (t - before) / length
		}
		before = end[j]
	}
	b.rep.NoTrade += idle
}

// count takes bar i, whose flags are known, into the report.
func (b *builder) count(i int) {
	s, rep := b.out, b.rep
	off := s.Flags[i]&bar.Irregular != 0
	if off {
		rep.OffClock++
	}
	if i == 0 || s.Session[i] != s.Session[i-1] {
		rep.Sessions++
		return
	}
	if b.tf > 0 && s.Segment[i] == s.Segment[i-1] && !off && s.Flags[i-1]&bar.Irregular == 0 {
		rep.NoTrade += (s.Begin[i] - s.End[i-1]) / int64(b.tf)
	}
}
