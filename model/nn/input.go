package nn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"sync"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/view"
)

// Shape is what a network is built for: the sizes of a [trainer.Batch] and the
// number of values it returns for a row.
type Shape struct {
	Table   int        // columns of the table, 0 without one
	Streams []Sequence // of each stream
	Known   Sequence   // of the known future, zero without one
	Outputs int
}

// Sequence is the size of a window.
type Sequence struct{ Steps, Channels int }

// inputs is how the parts of a view become inputs of a network. Parts that the
// fit did not have are nil.
type inputs struct {
	table   *scale
	streams []*windowScale
	known   *windowScale
}

// newInputs measures the given rows of v.
func newInputs(v view.View, rows []int, b bound) *inputs {
	in := &inputs{}
	if v.Table != nil {
		in.table = newScale(v.Table, rows, v.Weight, b)
	}
	for _, w := range v.Streams {
		in.streams = append(in.streams, newWindowScale(w, rows, b))
	}
	if v.Known != nil {
		in.known = newWindowScale(v.Known, rows, b)
	}
	return in
}

// shape is what a network for these inputs is built for.
func (in *inputs) shape(outputs int) Shape {
	s := Shape{Outputs: outputs}
	if in.table != nil {
		s.Table = in.table.width()
	}
	for _, w := range in.streams {
		s.Streams = append(s.Streams, Sequence{w.length, w.width()})
	}
	if in.known != nil {
		s.Known = Sequence{in.known.length, in.known.width()}
	}
	return s
}

// check refuses a view whose parts are not those of the fit.
func (in *inputs) check(v view.View) error {
	if in.table != nil {
		if err := model.CheckColumns(in.table.names, v); err != nil {
			return err
		}
		if err := model.CheckValues(v.Table, true); err != nil {
			return err
		}
	} else if err := v.Check(); err != nil {
		return err
	}
	if len(v.Streams) != len(in.streams) {
		return fmt.Errorf("model/nn: the view has %d streams of windows, the fit had %d", len(v.Streams), len(in.streams))
	}
	for k, w := range in.streams {
		if err := w.check(v.Streams[k]); err != nil {
			return err
		}
	}
	if in.known == nil {
		return nil
	}
	if v.Known == nil {
		return errors.New("model/nn: the view has no known future, the fit had one")
	}
	return in.known.check(v.Known)
}

// buffer is what predicting needs, kept from call to call.
type buffer struct {
	tape  *tape.Tape
	batch trainer.Batch
	table view.Table // of one row
}

// put lays rows lo to hi−1 of v out on the buffer's tape.
func (in *inputs) put(b *buffer, v view.View, lo, hi int) *trainer.Batch {
	n := hi - lo
	b.batch = trainer.Batch{Rows: n, Streams: b.batch.Streams[:0]}
	if in.table != nil {
		x := b.tape.Blank(n, in.table.width())
		in.table.lay(v.Table, nil, lo, hi, x.Value)
		b.batch.Table = x
	}
	for k, s := range in.streams {
		b.batch.Streams = append(b.batch.Streams, s.putAll(b.tape, v.Streams[k], lo, hi))
	}
	if in.known != nil {
		b.batch.Known = in.known.putAll(b.tape, v.Known, lo, hi)
	}
	return &b.batch
}

// windowScale is [scale] for windows: it measures every bar that a training
// window holds, once. A missing value becomes 0, the mean. Where training
// windows miss any, a further channel says which share of a bar's values is
// missing.
type windowScale struct {
	timeframe string
	length    int
	names     []string
	mean, inv []float32
	missing   bool
	bound     bound

	repeat      sync.Once // makes what follows
	means, invs []float32 // mean and inv for barsAtOnce bars
}

func (s *windowScale) width() int {
	if s.missing {
		return len(s.names) + 1
	}
	return len(s.names)
}

func newWindowScale(w *view.Windows, rows []int, cut bound) *windowScale {
	s := &windowScale{timeframe: w.Timeframe, length: w.Length, names: append([]string(nil), w.Names...),
		mean: make([]float32, len(w.Names)), inv: make([]float32, len(w.Names)), bound: cut}
	used := make([]bool, w.Bars())
	for _, i := range rows {
		first, last := w.First(i), int(w.Last[i])
		s.missing = s.missing || last+1-first < w.Length
		for b := first; b <= last; b++ {
			used[b] = true
		}
	}
	for j, at := range w.Columns {
		sum, n := 0.0, 0.0
		for b, u := range used {
			if !u {
				continue
			}
			if x := float64(w.Data[b*w.Width+int(at)]); x == x {
				sum += x
				n++
			} else {
				s.missing = true
			}
		}
		if n == 0 {
			continue
		}
		mean, square := sum/n, 0.0
		for b, u := range used {
			if !u {
				continue
			}
			if d := float64(w.Data[b*w.Width+int(at)]) - mean; d == d {
				square += float64(d * d)
			}
		}
		s.mean[j], s.inv[j] = moments(mean, math.Sqrt(square/n))
		if cut.robust {
			var values []float64
			for b, u := range used {
				if x := float64(w.Data[b*w.Width+int(at)]); u && x == x {
					values = append(values, x)
				}
			}
			s.mean[j], s.inv[j] = quartiles(values)
		}
	}
	return s
}

// check refuses windows that are not those of the fit.
func (s *windowScale) check(w *view.Windows) error {
	if w.Timeframe != s.timeframe || w.Length != s.length {
		return fmt.Errorf("model/nn: windows of %d bars of %q; the fit had %d of %q", w.Length, w.Timeframe, s.length, s.timeframe)
	}
	return model.CheckNames(s.names, w.Names)
}

// putAll lays windows lo to hi−1 of w out on a tape.
func (s *windowScale) putAll(t *tape.Tape, w *view.Windows, lo, hi int) *tape.Tensor {
	if x := s.putShared(t, w, lo, hi); x != nil {
		return x
	}
	n := s.length * s.width()
	x := t.Blank((hi-lo)*s.length, s.width())
	for i := lo; i < hi; i++ {
		s.put(w, i, x.Value[(i-lo)*n:(i-lo+1)*n])
	}
	return x
}

// putShared is putAll where windows have more bars together than there are between
// the first and the last of them, and none lacks any: each is scaled once. Else it
// is nil.
func (s *windowScale) putShared(t *tape.Tape, w *view.Windows, lo, hi int) *tape.Tensor {
	if hi-lo < 2 {
		return nil
	}
	from, end := w.Bars(), 0
	for i := lo; i < hi; i++ {
		first, last := w.First(i), int(w.Last[i])
		if last+1-first < s.length {
			return nil
		}
		from, end = min(from, first), max(end, last+1)
	}
	if end-from >= (hi-lo)*s.length {
		return nil
	}
	bars := t.Blank(end-from, s.width())
	s.bars(w, from, end, bars.Value)
	first := make([]int32, hi-lo)
	for i := lo; i < hi; i++ {
		first[i-lo] = int32(w.First(i) - from) // #nosec G115 -- below 2³¹ bars
	}
	return t.Windows(s.length, s.width(), bars.Value, first)
}

// put writes window i of w, scaled, to dst.
func (s *windowScale) put(w *view.Windows, i int, dst []float32) {
	first, end := w.First(i), int(w.Last[i])+1
	s.bars(w, first, end, dst[s.lead(dst, end-first):])
}

// barsAtOnce are scaled in a call where they lie as they will: calls for a few
// values each take longer than the values.
const barsAtOnce = 16

// bars writes the bars first to end−1, scaled, to dst.
func (s *windowScale) bars(w *view.Windows, first, end int, dst []float32) {
	n, adjoin := len(s.names), adjoin(w)
	if n == 0 || n != w.Width || !adjoin || s.missing {
		for b := first; b < end; b++ {
			s.bar(w, b, dst[(b-first)*s.width():], adjoin)
		}
		return
	}
	s.repeat.Do(func() { s.means, s.invs = slices.Repeat(s.mean, barsAtOnce), slices.Repeat(s.inv, barsAtOnce) })
	for b := first; b < end; b += barsAtOnce {
		k := min(barsAtOnce, end-b) * n
		s.bound.standardize(w.Data[b*n:][:k], s.means[:k], s.invs[:k], dst[(b-first)*n:][:k])
	}
}

// lead writes the missing bars that come before the given number of present
// ones and returns where those begin.
func (s *windowScale) lead(dst []float32, present int) int {
	n := (s.length - present) * s.width()
	clear(dst[:n])
	if s.missing {
		for k := s.width() - 1; k < n; k += s.width() {
			dst[k] = 1
		}
	}
	return n
}

// adjoin reports whether the channels of w lie one after the other in a bar.
func adjoin(w *view.Windows) bool {
	for j, at := range w.Columns {
		if int(at) != int(w.Columns[0])+j {
			return false
		}
	}
	return true
}

// bar writes one bar, scaled, to dst. adjoin is that of w.
func (s *windowScale) bar(w *view.Windows, b int, dst []float32, adjoin bool) {
	row, n := w.Data[b*w.Width:(b+1)*w.Width], len(s.names)
	if adjoin && !s.missing && n > 0 {
		at := int(w.Columns[0])
		s.standardize(row[at:at+n], dst[:n])
		return
	}
	holes := 0
	for j, at := range w.Columns {
		v := row[at]
		if v != v {
			holes++
		}
		dst[j] = v
	}
	s.standardize(dst[:n], dst[:n])
	if s.missing {
		dst[n] = float32(holes) / float32(n)
	}
}

// standardize is standard of all values of a bar; z may be x.
func (s *windowScale) standardize(x, z []float32) { s.bound.standardize(x, s.mean, s.inv, z) }

// finite refuses ±Inf in the windows of rows (nil: all).
func finite(w *view.Windows, rows []int) error {
	n := w.Len()
	if rows != nil {
		n = len(rows)
	}
	var seen []bool // bars that an earlier window held
	if n > 1 {
		seen = make([]bool, w.Bars())
	}
	for k := range n {
		i := k
		if rows != nil {
			i = rows[k]
		}
		first := w.First(i)
		if all := w.Data[first*w.Width : (int(w.Last[i])+1)*w.Width]; n == 1 {
			if square := vec.Dot(all, all); square-square == 0 {
				continue // not even NaN
			}
		}
		for b := first; b <= int(w.Last[i]); b++ {
			if n > 1 {
				if seen[b] {
					continue
				}
				seen[b] = true
			}
			for j, at := range w.Columns {
				if v := w.Data[b*w.Width+int(at)]; v-v != 0 && v == v {
					return fmt.Errorf("model/nn: channel %q is %v in the window of row %d; infinite inputs are refused", w.Names[j], v, i)
				}
			}
		}
	}
	return nil
}

// source gives rows of a view to the trainer, scaled once.
type source struct {
	rows    int
	table   *tableSource
	streams []*windowSource
	known   *windowSource
}

// source scales the given rows of v.
func (in *inputs) source(v view.View, rows []int) *source {
	s := &source{rows: len(rows)}
	if in.table != nil {
		s.table = in.table.source(v.Table, rows)
	}
	for k, w := range in.streams {
		s.streams = append(s.streams, w.source(v.Streams[k], rows))
	}
	if in.known != nil {
		s.known = in.known.source(v.Known, rows)
	}
	return s
}

func (s *source) Len() int { return s.rows }

// nearShare is the largest share of a window's bars that the one before may lack, on
// the average, for windows to be near: of sixteen such windows three tenths of the
// bars are multiplied.
const nearShare = 0.25

// Near reports whether windows of rows that follow each other have most of their bars
// in common, in all streams.
func (s *source) Near() bool {
	for _, w := range s.streams {
		fresh, length := 0, w.scale.length
		for k := 1; k < s.rows; k++ {
			if d := int(w.from[k] - w.from[k-1]); d > 0 && d < length && int(w.present[k]) == length {
				fresh += d
			} else {
				fresh += length
			}
		}
		if float64(fresh) > nearShare*float64(length)*float64(s.rows-1) {
			return false
		}
	}
	return len(s.streams) > 0 && s.rows > 1
}

// Digest tells the rows from others.
func (s *source) Digest(h hash.Hash) {
	if s.table != nil {
		fmt.Fprintf(h, "table %d\n", s.table.width)
		digest(h, s.table.data)
	}
	for _, w := range append(s.streams[:len(s.streams):len(s.streams)], s.known) {
		if w == nil {
			continue
		}
		fmt.Fprintf(h, "windows %d×%d %v %v\n", w.scale.length, w.scale.width(), w.from, w.present)
		digest(h, w.data)
	}
}

// digest writes the bits of v.
func digest(h hash.Hash, v []float32) {
	var b []byte
	for len(v) > 0 {
		n := min(len(v), 1<<14)
		b = b[:0]
		for _, x := range v[:n] {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		h.Write(b)
		v = v[n:]
	}
}

func (s *source) Put(t *tape.Tape, rows []int) *trainer.Batch {
	b := &trainer.Batch{Rows: len(rows)}
	if s.table != nil {
		b.Table = s.table.put(t, rows)
	}
	for _, w := range s.streams {
		b.Streams = append(b.Streams, w.put(t, rows))
	}
	if s.known != nil {
		b.Known = s.known.put(t, rows)
	}
	return b
}

// windowSource holds the bars of some windows, scaled, one after the other.
type windowSource struct {
	scale   *windowScale
	data    []float32
	from    []int32 // first bar of each row's window, in data
	present []int32 // bars of it
}

func (s *windowScale) source(w *view.Windows, rows []int) *windowSource {
	src := &windowSource{scale: s, from: make([]int32, len(rows)), present: make([]int32, len(rows))}
	lo, hi := w.Bars(), 0
	for k, i := range rows {
		first, end := w.First(i), int(w.Last[i])+1
		src.from[k], src.present[k] = int32(first), int32(end-first) // #nosec G115 -- below 2³¹ bars
		if end > first {
			lo, hi = min(lo, first), max(hi, end)
		}
	}
	if lo >= hi {
		return src
	}
	src.data = make([]float32, (hi-lo)*s.width())
	s.bars(w, lo, hi, src.data)
	for k := range src.from {
		src.from[k] -= int32(lo) // #nosec G115 -- below 2³¹ bars
	}
	return src
}

// whole is the first bars of windows of which none lacks a bar, or nil.
func (s *windowSource) whole(rows []int) []int32 {
	first := make([]int32, len(rows))
	for k, i := range rows {
		if int(s.present[i]) < s.scale.length {
			return nil
		}
		first[k] = s.from[i]
	}
	return first
}

func (s *windowSource) put(t *tape.Tape, rows []int) *tape.Tensor {
	width := s.scale.width()
	if first := s.whole(rows); first != nil {
		return t.Windows(s.scale.length, width, s.data, first)
	}
	x := t.Blank(len(rows)*s.scale.length, width)
	n := s.scale.length * width
	for k, i := range rows {
		dst := x.Value[k*n : (k+1)*n]
		if present := int(s.present[i]); present > 0 {
			copy(dst[s.scale.lead(dst, present):], s.data[int(s.from[i])*width:])
		} else {
			s.scale.lead(dst, 0)
		}
	}
	return x
}
