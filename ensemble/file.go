package ensemble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

const (
	oofKind    = "oof"
	oofVersion = 1
)

// Encode writes the set. Equal sets give equal bytes.
func (o *OOF) Encode(w io.Writer) error {
	var b []byte
	num := func(x int64) { b = binary.AppendVarint(b, x) }
	ints := func(x []int) {
		num(int64(len(x)))
		last := 0
		for _, v := range x {
			num(int64(v - last))
			last = v
		}
	}
	f64 := func(x []float64) {
		for _, v := range x {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	b = append(b, byte(o.Provenance.Use))
	num(o.Provenance.TestStart)
	num(int64(len(o.Bases)))
	for _, s := range o.Bases {
		num(int64(len(s)))
		b = append(b, s...)
	}
	ints(o.Rows)
	last := int64(0)
	for _, s := range o.Spans {
		num(s.Decision - last)
		num(s.Entry - s.Decision)
		num(s.Outcome - s.Decision)
		last = s.Decision
	}
	for _, c := range o.Class {
		b = append(b, byte(c+1))
	}
	f64(o.Weight)
	num(int64(len(o.Folds)))
	for _, f := range o.Folds {
		ints(f.Train)
		ints(f.Stop)
		ints(f.Test)
	}
	for _, p := range o.Prob {
		f64(p.Prob)
	}
	return model.WriteArtifact(w, oofKind, oofVersion, b)
}

// DecodeOOF reads what [OOF.Encode] wrote and proves its claim again.
func DecodeOOF(r io.Reader) (*OOF, error) {
	b, err := model.ReadArtifact(r, oofKind, oofVersion)
	if err != nil {
		return nil, err
	}
	d := &decoder{b: b}
	o := &OOF{}
	o.Provenance.Use = Use(d.bytes(1)[0])
	o.Provenance.TestStart = d.num()
	for range d.count() {
		o.Bases = append(o.Bases, string(d.bytes(d.count())))
	}
	o.Rows = d.ints()
	n := len(o.Rows)
	last := int64(0)
	for range n {
		var s view.Span
		s.Decision = last + d.num()
		s.Entry = s.Decision + d.num()
		s.Outcome = s.Decision + d.num()
		last = s.Decision
		o.Spans = append(o.Spans, s)
		if d.err != nil {
			break
		}
	}
	for _, c := range d.bytes(n) {
		o.Class = append(o.Class, int8(c)-1)
	}
	o.Weight = d.f64(n)
	for range d.count() {
		o.Folds = append(o.Folds, split.Fold{Train: d.ints(), Stop: d.ints(), Test: d.ints()})
	}
	for range o.Bases {
		o.Prob = append(o.Prob, &model.Prediction{N: n, K: model.K, Prob: d.f64(n * model.K)})
	}
	if d.err == nil && len(d.b) != 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.b))
	}
	if d.err != nil {
		return nil, fmt.Errorf("ensemble: decoding out-of-fold predictions: %w", d.err)
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return o, nil
}

// decoder reads a byte string; after the first error it returns zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errors.New("cut short")
	}
	d.b = nil
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.fail()
		return make([]byte, min(n, 1))
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) num() int64 {
	x, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return x
}

// count is a length: no larger than the bytes that are left.
func (d *decoder) count() int {
	x := d.num()
	if x < 0 || x > int64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(x)
}

func (d *decoder) ints() []int {
	n := d.count()
	if n == 0 {
		return nil
	}
	out := make([]int, n)
	last := 0
	for i := range out {
		last += int(d.num())
		out[i] = last
	}
	return out
}

func (d *decoder) f64(n int) []float64 {
	if n > len(d.b)/8 {
		d.fail()
		return nil
	}
	raw := d.bytes(8 * n)
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return out
}
