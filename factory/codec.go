package factory

import (
	"fmt"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/frame"
)

// metaKind is the metadata key that names what a frame holds.
const metaKind = "mlfactory.kind"

// columns reads typed columns of a frame by name and keeps the first problem.
type columns struct {
	f   *frame.Frame
	err error
}

func (c *columns) get(name string, k frame.Kind) *frame.Column {
	col := c.f.Column(name)
	if col == nil || col.Kind != k {
		if c.err == nil {
			c.err = fmt.Errorf("factory: stored %s lacks the column %q", c.f.Meta[metaKind], name)
		}
		return &frame.Column{}
	}
	return col
}

func (c *columns) float64s(name string) []float64 { return c.get(name, frame.KindFloat64).Float64 }
func (c *columns) int32s(name string) []int32     { return c.get(name, frame.KindInt32).Int32 }
func (c *columns) int8s(name string) []int8       { return c.get(name, frame.KindInt8).Int8 }
func (c *columns) times(name string) []int64      { return c.get(name, frame.KindTime).Int64 }

func wantKind(f *frame.Frame, kind string) error {
	if got := f.Meta[metaKind]; got != kind {
		return fmt.Errorf("factory: a stored frame holds %q where %q was expected", got, kind)
	}
	return nil
}

// barsFrame is a series as a frame; the time index is the end of each bar.
func barsFrame(s *bar.Series) *frame.Frame {
	flags := make([]int8, s.Len())
	for i, f := range s.Flags {
		flags[i] = int8(f)
	}
	return &frame.Frame{
		Time: s.End,
		Meta: map[string]string{metaKind: "bars", "mlfactory.timeframe": s.Timeframe.String(), "mlfactory.stamps": "end", "mlfactory.zone": "UTC"},
		Columns: []frame.Column{
			frame.Time("begin", s.Begin), frame.Time("known", s.Known),
			frame.Float64("open", s.Open), frame.Float64("high", s.High), frame.Float64("low", s.Low),
			frame.Float64("close", s.Close), frame.Float64("volume", s.Volume),
			frame.Int32("session", s.Session), frame.Int32("segment", s.Segment), frame.Int8("flags", flags),
		},
	}
}

func frameBars(f *frame.Frame) (*bar.Series, error) {
	if err := wantKind(f, "bars"); err != nil {
		return nil, err
	}
	tf, err := bar.ParseTimeframe(f.Meta["mlfactory.timeframe"])
	if err != nil {
		return nil, err
	}
	c := &columns{f: f}
	s := &bar.Series{
		Timeframe: tf, End: f.Time, Begin: c.times("begin"), Known: c.times("known"),
		Open: c.float64s("open"), High: c.float64s("high"), Low: c.float64s("low"), Close: c.float64s("close"),
		Volume: c.float64s("volume"), Session: c.int32s("session"), Segment: c.int32s("segment"),
	}
	flags := c.int8s("flags")
	s.Flags = make([]bar.Flag, len(flags))
	for i, x := range flags {
		s.Flags[i] = bar.Flag(x)
	}
	return s, c.err
}

// probabilities is predictions of decisions: Row[i] is a decision, Prob its
// distribution over −1, 0, +1.
type probabilities struct {
	Row  []int
	Prob []float64 // len(Row)×3, row-major
}

func (p *probabilities) frame(decisions []int64) *frame.Frame {
	n := len(p.Row)
	t, row := make([]int64, n), make([]int32, n)
	cols := [3][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
	for i, r := range p.Row {
		t[i], row[i] = decisions[r], int32(r)
		for k := range cols {
			cols[k][i] = p.Prob[i*3+k]
		}
	}
	return &frame.Frame{Time: t, Meta: map[string]string{metaKind: "probabilities"}, Columns: []frame.Column{
		frame.Int32("row", row), frame.Float64("p_short", cols[0]), frame.Float64("p_none", cols[1]), frame.Float64("p_long", cols[2]),
	}}
}

func frameProbabilities(f *frame.Frame) (*probabilities, error) {
	if err := wantKind(f, "probabilities"); err != nil {
		return nil, err
	}
	c := &columns{f: f}
	row, s, z, l := c.int32s("row"), c.float64s("p_short"), c.float64s("p_none"), c.float64s("p_long")
	if c.err != nil {
		return nil, c.err
	}
	p := &probabilities{Row: make([]int, len(row)), Prob: make([]float64, 3*len(row))}
	for i, r := range row {
		p.Row[i] = int(r)
		p.Prob[3*i], p.Prob[3*i+1], p.Prob[3*i+2] = s[i], z[i], l[i]
	}
	return p, nil
}
