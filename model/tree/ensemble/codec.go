package ensemble

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
)

// The file is an artifact (model.WriteArtifact: magic, kind, version, length,
// payload, SHA-256). Integers and floats of the payload are little-endian:
//
//	style, objective                  text: length, bytes
//	link, flags (1 mean, 2 single)    a byte each
//	columns, classes, categorical     count, then texts, bytes, uint32
//	base                              count, float64
//	extra                             count, then text and float64, sorted by name
//	trees                             count, then for each
//	    class, width                  uint32
//	    flags (1 symmetric, 2 values are float32)
//	    sets                          count, then for each count and uint64
//	    nodes                         count, then for each
//	        what follows              uint16, see the constants below
//	        feature, threshold, set, value, gain, cover, count   those that follow
//	    values                        nodes·width floats, if width > 1
//
// A node says what is not zero, and a float64 that is a float32 is written as
// one, so that a model costs about 25 bytes a node. Children are not written:
// breadth-first order says where they are.
const (
	kind    = "tree ensemble"
	version = 1
)

// What follows for a node.
const (
	hasChildren = 1 << iota
	hasDefaultLeft
	hasZeroMissing
	hasFeature
	hasThreshold
	hasSet
	hasCount
	hasValue // for value, gain and cover two bits each: 1 float32, 2 float64
	_
	hasGain
	_
	hasCover
	_
	beyond
)

// Encode writes the ensemble, which must pass [Ensemble.Check]. Equal
// ensembles give equal bytes. [Decode] gives everything back, with nil for an
// empty slice or map.
func (e *Ensemble) Encode(w io.Writer) error {
	if err := e.Check(); err != nil {
		return fmt.Errorf("ensemble: writing: %w", err)
	}
	if err := model.WriteArtifact(w, kind, version, e.appendBody(nil)); err != nil {
		return fmt.Errorf("ensemble: writing: %w", err)
	}
	return nil
}

// writer appends to a payload.
type writer struct{ d []byte }

func (w *writer) u8(v byte)      { w.d = append(w.d, v) }
func (w *writer) u32(v uint32)   { w.d = binary.LittleEndian.AppendUint32(w.d, v) }
func (w *writer) u64(v uint64)   { w.d = binary.LittleEndian.AppendUint64(w.d, v) }
func (w *writer) f32(v float32)  { w.u32(math.Float32bits(v)) }
func (w *writer) f64(v float64)  { w.u64(math.Float64bits(v)) }
func (w *writer) count(n int)    { w.u32(uint32(n)) } // #nosec G115 -- lengths of slices in memory, far below 4 G
func (w *writer) text(s string)  { w.count(len(s)); w.d = append(w.d, s...) }
func (w *writer) flag(b ...bool) { w.u8(flags(b...)) }

func flags(b ...bool) (f byte) {
	for i, v := range b {
		if v {
			f |= 1 << i
		}
	}
	return f
}

func (e *Ensemble) appendBody(d []byte) []byte {
	w := &writer{d}
	w.text(e.Style)
	w.text(e.Objective)
	w.u8(byte(e.Link))
	w.flag(e.Mean, e.Single)
	w.count(len(e.Columns))
	for _, c := range e.Columns {
		w.text(c)
	}
	w.count(len(e.Classes))
	for _, c := range e.Classes {
		w.u8(byte(c)) // #nosec G115 -- two's complement on purpose
	}
	w.count(len(e.Categorical))
	for _, c := range e.Categorical {
		w.count(c)
	}
	w.count(len(e.Base))
	for _, b := range e.Base {
		w.f64(b)
	}
	w.count(len(e.Extra))
	for _, k := range slices.Sorted(maps.Keys(e.Extra)) {
		w.text(k)
		w.f64(e.Extra[k])
	}
	w.count(len(e.Trees))
	for i := range e.Trees {
		w.tree(&e.Trees[i])
	}
	return w.d
}

func (w *writer) tree(t *Tree) {
	narrow := t.Width > 1
	for _, v := range t.Values {
		narrow = narrow && form(v) < 2
	}
	w.count(t.Class)
	w.count(t.Width)
	w.flag(t.Symmetric, narrow)
	w.count(len(t.Sets))
	for _, s := range t.Sets {
		w.count(len(s))
		for _, x := range s {
			w.u64(x)
		}
	}
	w.count(len(t.Nodes))
	for i := range t.Nodes {
		w.node(&t.Nodes[i])
	}
	if t.Width == 1 {
		return
	}
	for _, v := range t.Values {
		if narrow {
			w.f32(float32(v))
		} else {
			w.f64(v)
		}
	}
}

// form says how a float is written: 0 not at all, 1 as float32, 2 as float64.
func form(v float64) uint16 {
	switch {
	case math.Float64bits(v) == 0:
		return 0
	case math.Float64bits(float64(float32(v))) == math.Float64bits(v):
		return 1
	}
	return 2
}

func (w *writer) node(n *Node) {
	f := form(n.Value)*hasValue | form(n.Gain)*hasGain | form(n.Cover)*hasCover
	for _, c := range []struct {
		is  bool
		bit uint16
	}{
		{n.Left != 0, hasChildren}, {n.DefaultLeft, hasDefaultLeft}, {n.ZeroMissing, hasZeroMissing}, {n.Feature != 0, hasFeature},
		{math.Float32bits(n.Threshold) != 0, hasThreshold}, {n.Set != 0, hasSet}, {n.Count != 0, hasCount},
	} {
		if c.is {
			f |= c.bit
		}
	}
	w.d = binary.LittleEndian.AppendUint16(w.d, f)
	if f&hasFeature != 0 {
		w.u32(uint32(n.Feature)) // #nosec G115 -- bits
	}
	if f&hasThreshold != 0 {
		w.f32(n.Threshold)
	}
	if f&hasSet != 0 {
		w.u32(uint32(n.Set)) // #nosec G115 -- bits
	}
	for _, v := range []float64{n.Value, n.Gain, n.Cover} {
		switch form(v) {
		case 1:
			w.f32(float32(v))
		case 2:
			w.f64(v)
		}
	}
	if f&hasCount != 0 {
		w.u32(uint32(n.Count)) // #nosec G115 -- bits
	}
}

// Decode reads what [Ensemble.Encode] wrote. A file that is not an ensemble,
// of another version, cut short, changed in any byte, longer than it should be
// or inconsistent ([Ensemble.Check]) is refused. What it allocates is at most
// about 50 times the size of the file.
func Decode(r io.Reader) (*Ensemble, error) {
	body, err := model.ReadArtifact(r, kind, version)
	if err != nil {
		return nil, fmt.Errorf("ensemble: %w", err)
	}
	return decodeBody(body)
}

// reader reads the payload; after the first error it returns zeros.
type reader struct {
	d   []byte
	at  int
	err error
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("ensemble: payload at byte %d: %s: %w", r.at, fmt.Sprintf(format, a...), model.ErrDamaged)
	}
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || len(r.d)-r.at < n {
		r.fail("%d bytes wanted, %d left", n, len(r.d)-r.at)
		return nil
	}
	r.at += n
	return r.d[r.at-n : r.at]
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) f32() float32 { return math.Float32frombits(r.u32()) }
func (r *reader) f64() float64 { return math.Float64frombits(r.u64()) }

// count reads the number of items of at least size bytes each.
func (r *reader) count(what string, size int) int {
	n := r.u32()
	if r.err == nil && int64(n)*int64(size) > int64(len(r.d)-r.at) {
		r.fail("%d %s do not fit in the %d bytes left", n, what, len(r.d)-r.at)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// list makes room for the items that count reads; none is nil.
func list[T any](r *reader, what string, size int) []T {
	if n := r.count(what, size); n > 0 {
		return make([]T, n)
	}
	return nil
}

func (r *reader) text() string { return string(r.take(r.count("letters", 1))) }

// flag reads a byte of at most n flags.
func (r *reader) flag(n int) byte {
	f := r.u8()
	if f>>n != 0 {
		r.fail("flags %#x", f)
	}
	return f
}

// index reads a number that must fit an int32.
func (r *reader) index(what string) int {
	v := r.u32()
	if v > math.MaxInt32 {
		r.fail("%s %d", what, v)
		return 0
	}
	return int(v)
}

func decodeBody(d []byte) (*Ensemble, error) {
	r := &reader{d: d}
	e := &Ensemble{Style: r.text(), Objective: r.text(), Link: Link(r.u8())}
	f := r.flag(2)
	e.Mean, e.Single = f&1 != 0, f&2 != 0
	e.Columns = list[string](r, "columns", 4)
	for j := range e.Columns {
		e.Columns[j] = r.text()
	}
	e.Classes = list[int8](r, "classes", 1)
	for j := range e.Classes {
		e.Classes[j] = int8(r.u8()) // #nosec G115 -- two's complement on purpose
	}
	e.Categorical = list[int](r, "categorical columns", 4)
	for j := range e.Categorical {
		e.Categorical[j] = r.index("categorical column")
	}
	e.Base = list[float64](r, "base scores", 8)
	for j := range e.Base {
		e.Base[j] = r.f64()
	}
	last := ""
	for j := range r.count("extra numbers", 12) {
		k := r.text()
		if j > 0 && k <= last {
			r.fail("extra number %q after %q", k, last)
			break
		}
		if j == 0 {
			e.Extra = map[string]float64{}
		}
		e.Extra[k], last = r.f64(), k
	}
	e.Trees = list[Tree](r, "trees", 4+4+1+4+4+2)
	for i := range e.Trees {
		if r.err != nil {
			break
		}
		r.tree(&e.Trees[i])
	}
	if r.err == nil && r.at != len(d) {
		r.fail("%d bytes too many", len(d)-r.at)
	}
	if r.err == nil {
		if err := e.Check(); err != nil {
			r.fail("%v", err)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return e, nil
}

func (r *reader) tree(t *Tree) {
	t.Class, t.Width = r.index("class"), r.index("width")
	f := r.flag(2)
	t.Symmetric = f&1 != 0
	t.Sets = list[Set](r, "sets", 4)
	for i := range t.Sets {
		t.Sets[i] = list[uint64](r, "words of a set", 8)
		for j := range t.Sets[i] {
			t.Sets[i][j] = r.u64()
		}
	}
	t.Nodes = list[Node](r, "nodes", 2)
	next := int32(1)
	for i := range t.Nodes {
		r.node(&t.Nodes[i], &next)
		if r.err != nil {
			return
		}
	}
	if t.Width == 1 {
		return
	}
	size := 8
	if f&2 != 0 {
		size = 4
	}
	if int64(t.Width)*int64(len(t.Nodes))*int64(size) > int64(len(r.d)-r.at) {
		r.fail("%d values for each of %d nodes do not fit in the %d bytes left", t.Width, len(t.Nodes), len(r.d)-r.at)
		return
	}
	t.Values = make([]float64, t.Width*len(t.Nodes))
	for i := range t.Values {
		if size == 4 {
			t.Values[i] = float64(r.f32())
		} else {
			t.Values[i] = r.f64()
		}
	}
}

func (r *reader) node(n *Node, next *int32) {
	f := r.u16()
	if f >= beyond {
		r.fail("a node of form %#x", f)
		return
	}
	if f&hasChildren != 0 {
		n.Left = *next
		*next += 2
	}
	n.DefaultLeft, n.ZeroMissing = f&hasDefaultLeft != 0, f&hasZeroMissing != 0
	if f&hasFeature != 0 {
		n.Feature = int32(r.index("column")) // #nosec G115 -- checked by index
	}
	if f&hasThreshold != 0 {
		n.Threshold = r.f32()
	}
	if f&hasSet != 0 {
		n.Set = int32(r.index("set")) // #nosec G115 -- checked by index
	}
	for _, v := range []struct {
		to  *float64
		bit uint16
	}{{&n.Value, hasValue}, {&n.Gain, hasGain}, {&n.Cover, hasCover}} {
		switch f / v.bit & 3 {
		case 1:
			*v.to = float64(r.f32())
		case 2:
			*v.to = r.f64()
		case 3:
			r.fail("a node of form %#x", f)
		}
	}
	if f&hasCount != 0 {
		n.Count = int32(r.index("count")) // #nosec G115 -- checked by index
	}
}
