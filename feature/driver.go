package feature

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// Driver turns a stream of base bars into a [Store], one row at a time.
//
// Push takes the base bars in the order in which they become known; Advance(t)
// says that no bar known before t is still to come, and ends every longer bar
// due by t. Features of the base timeframe have their row at once. Values are
// rounded once, to float32. When a timeframe's bars enter a new segment its
// kernels are reset; a bar released from quarantine into a segment that has
// been left is not used.
//
// ±Inf (also from rounding) is an error that names the kernel, the column and
// the bar; the driver then refuses further work. A Driver is not safe for
// concurrent use.
type Driver struct {
	base   bar.Timeframe
	cal    *calendar.Calendar
	tracks []*track
	store  Store
	known  int64 // of the latest base bar
	err    error
}

// track is one timeframe: its builder (nil for the base), kernels and rows.
type track struct {
	tf      bar.Timeframe
	builder *bar.Builder
	kernels []Kernel
	specs   []string // entry of each kernel
	first   []int    // column of each kernel's first value
	out     []float64
	m       *Matrix
	keep    int // rows that Forget keeps
	begun   bool
	segment int32
}

// NewDriver makes a driver for base bars of one timeframe. A timeframe that
// cannot be built from the base, or occurs twice, is an error.
func NewDriver(r *Registry, set Set, base bar.Timeframe, cal *calendar.Calendar) (*Driver, error) {
	d := &Driver{base: base, cal: cal, known: math.MinInt64}
	if cal == nil {
		return nil, fmt.Errorf("feature: a driver needs a calendar")
	}
	if len(set.Frames) == 0 {
		return nil, fmt.Errorf("feature: the set is empty")
	}
	for _, f := range set.Frames {
		if d.store.Matrix(f.Timeframe) != nil {
			return nil, fmt.Errorf("feature: the set has two frames of %v", f.Timeframe)
		}
		t, err := newTrack(r, f, cal)
		if err != nil {
			return nil, err
		}
		if f.Timeframe != base {
			if t.builder, err = bar.NewBuilder(base, f.Timeframe, cal); err != nil {
				return nil, fmt.Errorf("feature: %w", err)
			}
		}
		d.tracks = append(d.tracks, t)
		d.store.Matrices = append(d.store.Matrices, t.m)
	}
	return d, nil
}

func newTrack(r *Registry, f Frame, cal *calendar.Calendar) (*track, error) {
	t := &track{tf: f.Timeframe, keep: 1, m: &Matrix{Timeframe: f.Timeframe}}
	for _, spec := range f.Features {
		k, err := r.New(spec, Env{Timeframe: f.Timeframe, Calendar: cal})
		if err != nil {
			return nil, err
		}
		t.kernels, t.specs = append(t.kernels, k), append(t.specs, spec.Name)
		t.first = append(t.first, len(t.m.Names))
		t.m.Names = append(t.m.Names, k.Names()...)
	}
	if len(t.kernels) == 0 {
		return nil, fmt.Errorf("feature: the set has no feature on %v", f.Timeframe)
	}
	t.out = make([]float64, len(t.m.Names))
	return t, nil
}

// Push takes the next base bar. Bars must not become known earlier than the one
// before.
func (d *Driver) Push(b *bar.Bar) error {
	if d.err != nil {
		return d.err
	}
	if b.Known < d.known {
		return d.fail(fmt.Errorf("feature: the bar that ended at %s was known at %s, before the one pushed last (%s)", stamp(b.End), stamp(b.Known), stamp(d.known)))
	}
	d.known = b.Known
	d.store.mark(b.Known, b.Segment)
	for _, t := range d.tracks {
		if t.builder != nil {
			t.builder.Push(b)
		} else if err := t.push(b); err != nil {
			return d.fail(err)
		}
	}
	return nil
}

// Advance ends every longer bar due by t.
func (d *Driver) Advance(t int64) error {
	if d.err != nil {
		return d.err
	}
	for _, tr := range d.tracks {
		if tr.builder == nil || tr.builder.Due() > t {
			continue
		}
		var err error
		tr.builder.Advance(t, func(b *bar.Bar) {
			if err == nil {
				err = tr.push(b)
			}
		})
		if err != nil {
			return d.fail(err)
		}
	}
	return nil
}

func (d *Driver) fail(err error) error {
	d.err = err
	return err
}

// Store is the rows so far. It shares memory with the driver and is valid until
// the next Push, Advance, Forget or Restore.
func (d *Driver) Store() *Store { return &d.store }

// Keep makes Forget keep the last rows rows of a timeframe that were known by
// then, for windows of as many bars; less than one, or than an earlier call, or
// a timeframe that the set does not have changes nothing.
func (d *Driver) Keep(tf bar.Timeframe, rows int) {
	for _, t := range d.tracks {
		if t.tf == tf {
			t.keep = max(t.keep, rows)
		}
	}
}

// Forget drops the rows known before t, but always keeps the last row of each
// timeframe (see Keep). A live process calls it now and then; what later
// decisions see does not change, as long as they come after t.
func (d *Driver) Forget(t int64) {
	for _, tr := range d.tracks {
		m := tr.m
		n := 0
		for n < m.Rows()-tr.keep && m.Known[n+tr.keep] <= t {
			n++
		}
		if n == 0 {
			continue
		}
		m.End, m.Known = append(m.End[:0], m.End[n:]...), append(m.Known[:0], m.Known[n:]...)
		m.Session, m.Segment = append(m.Session[:0], m.Session[n:]...), append(m.Segment[:0], m.Segment[n:]...)
		m.Data = append(m.Data[:0], m.Data[n*len(m.Names):]...)
	}
	s := &d.store
	for len(s.Marks) > 1 && s.Marks[1].Known <= t {
		s.Marks = append(s.Marks[:0], s.Marks[1:]...)
	}
}

// mark notes the first bar of a segment. A late bar of an earlier segment does
// not bring that back.
func (s *Store) mark(known int64, segment int32) {
	if n := len(s.Marks); n == 0 || segment > s.Marks[n-1].Segment {
		s.Marks = append(s.Marks, Mark{known, segment})
	}
}

// push adds a row.
func (t *track) push(b *bar.Bar) error {
	if t.begun && b.Segment != t.segment {
		if b.Segment < t.segment {
			return nil
		}
		for _, k := range t.kernels {
			k.Reset()
		}
	}
	t.begun, t.segment = true, b.Segment
	for i, k := range t.kernels {
		k.Push(b, t.out[t.first[i]:])
	}
	m := t.m
	for j, x := range t.out {
		v := float32(x)
		if isInf(v) {
			return t.infinite(j, x, b.End)
		}
		m.Data = append(m.Data, v)
	}
	m.stamp(b.End, b.Known, b.Session, b.Segment)
	return nil
}

func (m *Matrix) stamp(end, known int64, session, segment int32) {
	if n := len(m.Known); n > 0 {
		known = max(known, m.Known[n-1])
	}
	m.End, m.Known = append(m.End, end), append(m.Known, known)
	m.Session, m.Segment = append(m.Session, session), append(m.Segment, segment)
}

func isInf(v float32) bool { return v-v != 0 && v == v }

// infinite is the error for value x of column j.
func (t *track) infinite(j int, x float64, end int64) error {
	i := 0
	for i+1 < len(t.first) && t.first[i+1] <= j {
		i++
	}
	return fmt.Errorf("feature: %s, column %s, gave %v on the bar that ended at %s; look at that bar and the ones before it, or leave the feature out",
		t.specs[i], ColumnName(t.m.Names[j], t.tf), x, stamp(end))
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }

const driverState = "feature.Driver/1"

// State appends the driver's whole state to dst: builders with their unfinished
// bars, kernels, marks, and the rows it still has (see Forget).
func (d *Driver) State(dst []byte) []byte {
	start := len(dst)
	w := writer{dst}
	w.bytes([]byte(driverState))
	w.int(int64(d.base))
	w.bytes([]byte(d.cal.Name()))
	w.int(d.known)
	w.int(int64(len(d.store.Marks)))
	for _, m := range d.store.Marks {
		w.int(m.Known)
		w.int(int64(m.Segment))
	}
	w.int(int64(len(d.tracks)))
	for _, t := range d.tracks {
		w.int(int64(t.tf))
		if t.builder != nil {
			w.bytes(t.builder.State(nil))
		}
		w.bool(t.begun)
		w.int(int64(t.segment))
		w.int(int64(len(t.kernels)))
		for _, k := range t.kernels {
			w.bytes(k.State(nil))
		}
		w.int(int64(t.m.Rows()))
		for i := range t.m.Rows() {
			w.int(t.m.End[i])
			w.int(t.m.Known[i])
			w.int(int64(t.m.Session[i]))
			w.int(int64(t.m.Segment[i]))
		}
		for _, v := range t.m.Data {
			w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(v))
		}
	}
	return binary.LittleEndian.AppendUint32(w.buf, crc32.ChecksumIEEE(w.buf[start:]))
}

// Restore reads what State wrote into a driver of the same set, base and
// calendar. A state of another one, or a damaged one, is refused and changes
// nothing.
func (d *Driver) Restore(src []byte) error {
	fail := func(err error) error { return fmt.Errorf("feature: restore a driver: %w", err) }
	if len(src) < 4 || binary.LittleEndian.Uint32(src[len(src)-4:]) != crc32.ChecksumIEEE(src[:len(src)-4]) {
		return fail(fmt.Errorf("the state is cut short or damaged"))
	}
	// Kernels and builders are changed one by one, so that a refusal half way
	// puts the ones before it back.
	before := d.State(nil)
	if err := d.restore(src[:len(src)-4]); err != nil {
		if undo := d.restore(before[:len(before)-4]); undo != nil {
			d.err = undo
		}
		return fail(err)
	}
	d.err = nil
	return nil
}

func (d *Driver) restore(src []byte) error {
	r := reader{buf: src}
	r.expect(driverState, "kind of state")
	r.expectInt(int64(d.base), "base timeframe")
	r.expect(d.cal.Name(), "calendar")
	known := r.int()
	var marks []Mark
	for n := r.count(16); n > 0; n-- {
		marks = append(marks, Mark{r.int(), int32(r.int())})
	}
	r.expectInt(int64(len(d.tracks)), "number of timeframes")
	for _, t := range d.tracks {
		r.expectInt(int64(t.tf), "timeframe")
		if r.err != nil {
			return r.err
		}
		if t.builder != nil {
			if state := r.bytes(); r.err == nil {
				r.err = t.builder.Restore(state)
			}
		}
		t.begun, t.segment = r.bool(), int32(r.int())
		r.expectInt(int64(len(t.kernels)), "number of kernels")
		for _, k := range t.kernels {
			if state := r.bytes(); r.err == nil {
				r.err = k.Restore(state)
			}
		}
		rows := r.count(32 + 4*len(t.m.Names))
		m := &Matrix{Timeframe: t.tf, Names: t.m.Names}
		for range rows {
			m.End, m.Known = append(m.End, r.int()), append(m.Known, r.int())
			m.Session, m.Segment = append(m.Session, int32(r.int())), append(m.Segment, int32(r.int()))
		}
		for range rows * len(m.Names) {
			m.Data = append(m.Data, math.Float32frombits(r.uint32()))
		}
		if r.err != nil {
			return r.err
		}
		*t.m = *m
	}
	if len(r.buf) > 0 {
		return fmt.Errorf("%d bytes are left over", len(r.buf))
	}
	d.known, d.store.Marks = known, marks
	return r.err
}
