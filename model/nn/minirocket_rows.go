package nn

import (
	"math"
	"slices"
	"sync"

	"github.com/mlfactory/mlfactory/internal/onnx"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// preparer is a network that looks at the rows before it is trained on them, and
// may give them another form.
type preparer interface {
	prepare(train, stop trainer.Source, s rng.Stream, workers int) (trainTo, stopTo trainer.Source)
}

// rocketRows is rows of windows as counts of bars, made once.
type rocketRows struct {
	net    *miniRocket
	rows   int
	of     []int    // bars that each feature counts
	bytes  []uint8  // rows × features, where a byte is enough
	shorts []uint16 // otherwise
}

// newRocketRows counts for all rows of a source. Rows are divided over workers;
// each writes its own.
func newRocketRows(n *miniRocket, from trainer.Source, workers int) *rocketRows {
	s := &rocketRows{net: n, rows: from.Len(), of: make([]int, n.width)}
	if n.steps <= math.MaxUint8 {
		s.bytes = make([]uint8, s.rows*n.width)
	} else {
		s.shorts = make([]uint16, s.rows*n.width)
	}
	n.each(func(dilation, kernel, first, count int) {
		bars := n.steps
		if (dilation+kernel)%2 == 1 {
			bars -= (rocketTaps - 1) * n.dilations[dilation]
		}
		for f := first; f < first+count; f++ {
			s.of[f] = bars
		}
	})
	workers = max(1, min(workers, s.rows))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			t, work := tape.New(0), make([]float32, n.workRoom())
			for i := s.rows * w / workers; i < s.rows*(w+1)/workers; i++ {
				t.Reset(false, rng.Stream{})
				n.count(from.Put(t, []int{i}).Streams[0].Value, work, func(f, above, _ int) {
					if s.bytes != nil {
						s.bytes[i*n.width+f] = uint8(above) // #nosec G115 -- at most steps
					} else {
						s.shorts[i*n.width+f] = uint16(above) // #nosec G115 -- windows are shorter
					}
				})
			}
		})
	}
	wg.Wait()
	return s
}

func (s *rocketRows) count(row, f int) int {
	if s.bytes != nil {
		return int(s.bytes[row*s.net.width+f])
	}
	return int(s.shorts[row*s.net.width+f])
}

// measure sets the network's means and inverse deviations to those of the rows.
// Counts are whole numbers: their sums are exact.
func (s *rocketRows) measure() {
	sum, square := make([]int, s.net.width), make([]int, s.net.width)
	for i := range s.rows {
		for f := range sum {
			c := s.count(i, f)
			sum[f] += c
			square[f] += c * c
		}
	}
	for f, total := range sum {
		mean := float64(total) / float64(s.rows)
		variance := float64(square[f])/float64(s.rows) - float64(mean*mean)
		of := float64(s.of[f])
		s.net.mean.Value[f], s.net.inverse.Value[f] = moments(mean/of, math.Sqrt(max(0, variance))/of)
	}
}

func (s *rocketRows) Len() int { return s.rows }

func (s *rocketRows) Put(t *tape.Tape, rows []int) *trainer.Batch {
	x := t.Blank(len(rows), s.net.width)
	for k, i := range rows {
		out := x.Row(k)
		for f := range out {
			out[f] = s.net.scaled(f, s.count(i, f), s.of[f])
		}
	}
	return &trainer.Batch{Rows: len(rows), Table: x}
}

// trace writes the features of windows as nodes: comparisons of the convolutions
// with the biases, and means over all bars or those that are not trimmed.
//
// A feature counts, and shares of missing values take few values, so that a sum that
// is rounded in another way may fall on the other side of a bias. So convolutions are
// written as the sums of convolve, in its order, and not as the operator Conv.
func (n *miniRocket) trace(tr *tape.Trace, windows *tape.Tensor) string {
	x := tr.ChannelsFirst(windows, n.steps)
	parts := make([]string, len(n.dilations))
	first := 0
	for i, d := range n.dilations {
		pad, count := int64(4*d), n.counts[i]
		c := n.traceConvolve(tr, x, i)
		trimmed := make([]float32, rocketKernels)
		for k := range trimmed {
			trimmed[k] = float32((i + k) % 2)
		}
		c = tr.Node("Reshape", []string{c, tr.Ints(-1, rocketKernels, 1, int64(n.steps))})
		biases := tr.Floats(n.biases.Value[first:first+rocketKernels*count], 1, rocketKernels, count, 1)
		above := tr.Node("Cast", []string{tr.Node("Greater", []string{c, biases})}, func(o *onnx.Node) { o.Int("to", int(onnx.Float)) })
		mean := func(v string) string {
			return tr.Node("ReduceMean", []string{v}, func(o *onnx.Node) { o.Ints("axes", 3).Int("keepdims", 0) })
		}
		inner := tr.Node("Slice", []string{above, tr.Ints(pad), tr.Ints(int64(n.steps) - pad), tr.Ints(3)})
		all, part := mean(above), mean(inner)
		use := tr.Floats(trimmed, 1, rocketKernels, 1)
		share := tr.Node("Add", []string{all, tr.Node("Mul", []string{use, tr.Node("Sub", []string{part, all})})})
		parts[i] = tr.Node("Reshape", []string{share, tr.Ints(-1, int64(rocketKernels*count))})
		first += rocketKernels * count
	}
	share := tr.Node("Concat", parts, func(o *onnx.Node) { o.Int("axis", 1) })
	centred := tr.Node("Sub", []string{share, tr.Floats(n.mean.Value, n.width)})
	return tr.Node("Mul", []string{centred, tr.Floats(n.inverse.Value, n.width)})
}

// traceConvolve writes [miniRocket.convolve] of all kernels with a dilation: rows ×
// kernels × bars.
func (n *miniRocket) traceConvolve(tr *tape.Trace, x string, dilation int) string {
	op := func(name string, in ...string) string { return tr.Node(name, in) }
	mask := func(on func(k int) bool) string {
		m := make([]float32, rocketKernels)
		for k := range m {
			if on(k) {
				m[k] = 1
			}
		}
		return tr.Floats(m, 1, rocketKernels, 1)
	}
	most := n.use.Shape[1]
	sum := ""
	for u := range most {
		at, some := make([]int64, rocketKernels), false
		for k := range at {
			if j := math.Round(float64(n.use.Value[(dilation*rocketKernels+k)*most+u])); j >= 0 {
				at[k], some = int64(j), true
			} else {
				at[k] = -1
			}
		}
		if !some {
			break
		}
		there := mask(func(k int) bool { return at[k] >= 0 })
		for k := range at {
			at[k] = max(at[k], 0)
		}
		one := tr.Node("Gather", []string{x, tr.Ints(at...)}, func(o *onnx.Node) { o.Int("axis", 1) })
		one = op("Mul", one, there)
		if sum == "" {
			sum = one
		} else {
			sum = op("Add", sum, one)
		}
	}
	d := int64(n.dilations[dilation])
	sum = op("Pad", sum, tr.Ints(0, 0, 4*d, 0, 0, 4*d))
	all, twos := "", ""
	for t := range rocketTaps {
		lo := int64(t) * d
		shifted := op("Slice", sum, tr.Ints(lo), tr.Ints(lo+int64(n.steps)), tr.Ints(2))
		part := op("Mul", shifted, mask(func(k int) bool { return slices.Contains(n.kernels[k][:], t) }))
		if t == 0 {
			all, twos = shifted, part
		} else {
			all, twos = op("Add", all, shifted), op("Add", twos, part)
		}
	}
	return op("Sub", op("Mul", tr.Floats([]float32{3}), twos), all)
}
