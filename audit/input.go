package audit

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/recipe"
)

// openChecks lets every row pass that can be read.
func openChecks(c ingest.Config) ingest.Config {
	c.Checks.Jump, c.Checks.Confirm, c.Checks.Hold = 10, 1, 1
	c.Checks.ZeroVolume, c.Checks.OutOfOrder, c.Checks.MissingShare = "keep", 1, 1
	return c
}

// readRaw reads a market's rows before the reader's checks, as far as these can
// be opened, and its bars after them; the bars of a generated market pass no
// checks and are nil.
func readRaw(ctx context.Context, f *factory.Factory, m recipe.Market) (raw, bars *bar.Series, err error) {
	inst, err := f.Catalogue.Instruments.Find(m.Instrument)
	if err != nil {
		return nil, nil, err
	}
	if m.Synth != nil {
		g, err := synth.Generate(ctx, *m.Synth, inst)
		if err != nil {
			return nil, nil, err
		}
		return g.Base, nil, nil
	}
	if bars, _, err = ingest.Read(ctx, m.Data, m.Read, inst); err != nil {
		return nil, nil, err
	}
	raw, _, err = ingest.Read(ctx, m.Data, openChecks(m.Read), inst)
	return raw, bars, err
}

// copied is the market as a file that writeRows makes: the same checks, stamps
// stated.
func copied(m recipe.Market, raw *bar.Series) recipe.Market {
	read := ingest.Default()
	read.Stamps, read.Zone, read.Timeframe, read.Checks = "end", "UTC", raw.Timeframe.String(), m.Read.Checks
	if m.Synth != nil {
		read.Checks = ingest.DefaultChecks()
	}
	m.Synth, m.Read = nil, read
	return m
}

// writeRows writes rows as CSV; every number is exact.
func writeRows(path string, s *bar.Series) (err error) {
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(w, 1<<20)
	line := []byte("time,open,high,low,close,volume\n")
	if _, err := buf.Write(line); err != nil {
		return fmt.Errorf("%w (closing: %v)", err, w.Close())
	}
	for i := range s.Len() {
		line = time.Unix(0, s.End[i]).UTC().AppendFormat(line[:0], time.RFC3339Nano)
		for _, x := range [...]float64{s.Open[i], s.High[i], s.Low[i], s.Close[i], s.Volume[i]} {
			line = append(line, ',')
			if x == x {
				line = strconv.AppendFloat(line, x, 'f', -1, 64)
			}
		}
		if _, err := buf.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("%w (closing: %v)", err, w.Close())
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("%w (closing: %v)", err, w.Close())
	}
	return w.Close()
}

// until is the rows that ended by the cut.
func until(s *bar.Series, cut int64) *bar.Series {
	out := bar.NewSeries(s.Timeframe, s.Len())
	var b bar.Bar
	for i := range s.Len() {
		if s.At(i, &b); b.End <= cut {
			out.Append(&b)
		}
	}
	return out
}

// compareCopy reads the copy of the input back and compares its rows with those
// that were to be written, and the bars that a run made of it with those of the
// input itself (nil: there are none).
func (a *auditor) compareCopy(ctx context.Context, bars *bar.Series, list *culprits) int {
	m := a.rec.Markets[0]
	inst, err := a.f.Catalogue.Instruments.Find(m.Instrument)
	if err != nil {
		list.add("ingest", "copy", err.Error())
		return 0
	}
	rows, _, err := ingest.Read(ctx, m.Data, openChecks(m.Read), inst)
	if err != nil {
		list.add("ingest", "copy", err.Error())
		return 0
	}
	// What is known when is a matter of the checks.
	x, y := *a.raw, *rows
	x.Known, y.Known, x.Flags, y.Flags = x.End, y.End, make([]bar.Flag, x.Len()), make([]bar.Flag, y.Len())
	n := compareBars(&x, &y, lastKnown(&x, &y), "in the copy of the input", list)
	if bars != nil {
		now := a.base.outcome().Base
		n += compareBars(bars, now, lastKnown(bars, now), "in the run on the copy of the input", list)
	}
	return n
}

// lastKnown is an instant by which all bars of both were known.
func lastKnown(a, b *bar.Series) int64 {
	t := int64(math.MinInt64)
	for _, s := range []*bar.Series{a, b} {
		for _, k := range s.Known {
			t = max(t, k)
		}
	}
	return t
}

// compareBars compares the bars known at the cut; it returns how many there are.
func compareBars(was, now *bar.Series, cut int64, at string, list *culprits) int {
	var x, y bar.Bar
	next := func(s *bar.Series, from int, b *bar.Bar) (int, bool) {
		for ; from < s.Len(); from++ {
			if s.Known[from] <= cut {
				s.At(from, b)
				return from + 1, true
			}
		}
		return from, false
	}
	same := func(a, b float64) bool { return a == b || a != a && b != b }
	for i, j, n := 0, 0, 0; ; n++ {
		var more, too bool
		i, more = next(was, i, &x)
		j, too = next(now, j, &y)
		if !more && !too {
			return n
		}
		switch {
		case more != too:
			end := x.End
			if too {
				end = y.End
			}
			list.add("ingest", "bars", fmt.Sprintf("bar %d, ended %s, is in one world only %s", n, stamp(end), at))
			return n + 1
		case x.End != y.End || x.Begin != y.Begin || x.Known != y.Known:
			list.add("ingest", "times", fmt.Sprintf("bar %d was [%s, %s) known %s and is [%s, %s) known %s %s",
				n, stamp(x.Begin), stamp(x.End), stamp(x.Known), stamp(y.Begin), stamp(y.End), stamp(y.Known), at))
			return n + 1
		case x.Session != y.Session || x.Segment != y.Segment || x.Flags != y.Flags:
			list.add("ingest", "sessions", fmt.Sprintf("bar %d, ended %s, was session %d segment %d flags %b and is %d, %d, %b %s",
				n, stamp(x.End), x.Session, x.Segment, x.Flags, y.Session, y.Segment, y.Flags, at))
		}
		for _, v := range [...]struct {
			name string
			a, b float64
		}{{"open", x.Open, y.Open}, {"high", x.High, y.High}, {"low", x.Low, y.Low}, {"close", x.Close, y.Close}, {"volume", x.Volume, y.Volume}} {
			if !same(v.a, v.b) {
				list.add("ingest", v.name, fmt.Sprintf("bar %d, ended %s, was %v and is %v %s", n, stamp(x.End), v.a, v.b, at))
			}
		}
	}
}
