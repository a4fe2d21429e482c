package feature

import (
	"context"
	"fmt"
	"sync"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// blockRows is how many bars a kernel is pushed with at a time in history: few
// enough that the rows of the store they fill, one column after the other, stay
// in the first cache.
const blockRows = 128

// Compute is history: the store that a [Driver] pushed with all of base, and
// advanced to the last bar's Known, would have, bit for bit. It loops over the
// same kernels; the kernels of all timeframes are shared out to workers (1 if
// less), which does not change a bit.
//
// base is in order of End; bars are used in the order in which they became
// known. The store's End, Session and Segment share memory with the bars. Cancelling ctx stops it within some thousand bars. Complexity O(bars ×
// kernels) for all kernels whose doc does not say otherwise.
func Compute(ctx context.Context, r *Registry, base *bar.Series, cal *calendar.Calendar, set Set, workers int) (*Store, error) {
	d, err := NewDriver(r, set, base.Timeframe, cal)
	if err != nil {
		return nil, err
	}
	var b bar.Bar
	for i := range base.Arrivals() {
		d.store.mark(base.Known[i], base.Segment[i])
	}
	var jobs []job
	for _, t := range d.tracks {
		series := base
		if t.builder != nil {
			if series, err = bar.Resample(base, t.tf, cal); err != nil {
				return nil, fmt.Errorf("feature: %w", err)
			}
		}
		series = arrived(series, &b)
		m, n, p := t.m, series.Len(), len(t.m.Names)
		m.End, m.Session, m.Segment = series.End, series.Session, series.Segment
		m.Known = make([]int64, n)
		for i, k := range series.Known {
			if i > 0 {
				k = max(k, m.Known[i-1])
			}
			m.Known[i] = k
		}
		m.Data = make([]float32, n*p)
		parts := max(1, min(workers, 4, len(t.kernels))) // more would fetch the rows more often
		for q := range parts {
			jobs = append(jobs, job{t, series, q * len(t.kernels) / parts, (q + 1) * len(t.kernels) / parts})
		}
	}
	faults := make([]fault, len(jobs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(1, min(workers, len(jobs))) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				faults[i] = jobs[i].run(ctx)
			}
		}()
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := 0; i < len(jobs); {
		first := faults[i]
		t := jobs[i].t
		for ; i < len(jobs) && jobs[i].t == t; i++ { // the first fault does not depend on the number of parts
			if f := faults[i]; f.err != nil && (first.err == nil || f.from < first.from) {
				first = f
			}
		}
		if first.err != nil {
			return nil, first.err
		}
	}
	return &d.store, nil
}

// arrived is s in the order in which its bars became known, without late bars
// of segments already left; s itself when that is its order.
func arrived(s *bar.Series, b *bar.Bar) *bar.Series {
	plain, n := true, 0
	for i := range s.Arrivals() {
		plain = plain && i == n && (i == 0 || s.Segment[i] >= s.Segment[i-1])
		n++
	}
	if plain {
		return s
	}
	out := bar.NewSeries(s.Timeframe, s.Len())
	for i := range s.Arrivals() {
		if k := out.Len(); k > 0 && s.Segment[i] < out.Segment[k-1] {
			continue
		}
		s.At(i, b)
		out.Append(b)
	}
	return out
}

// fault is an error and the first bar of the block in which it was found.
type fault struct {
	from int
	err  error
}

// job is some kernels of one timeframe over all its bars.
type job struct {
	t      *track
	s      *bar.Series
	lo, hi int // kernels
}

func (j job) run(ctx context.Context) fault {
	p := len(j.t.m.Names)
	width := 0
	for _, k := range j.t.kernels[j.lo:j.hi] {
		width = max(width, len(k.Names()))
	}
	out := make([][]float64, width)
	for i := range out {
		out[i] = make([]float64, blockRows)
	}
	for from := 0; from < j.s.Len(); {
		if err := ctx.Err(); err != nil {
			return fault{from, err}
		}
		if from > 0 && j.s.Segment[from] != j.s.Segment[from-1] {
			for _, k := range j.t.kernels[j.lo:j.hi] {
				k.Reset()
			}
		}
		to := min(from+blockRows, j.s.Len())
		for i := from + 1; i < to; i++ {
			if j.s.Segment[i] != j.s.Segment[from] {
				to = i
				break
			}
		}
		for i := j.lo; i < j.hi; i++ {
			k := j.t.kernels[i]
			k.PushBlock(j.s, from, to, out[:len(k.Names())])
			for c := range k.Names() {
				column := j.t.first[i] + c
				at := from*p + column
				data := j.t.m.Data
				for r, x := range out[c][:to-from] {
					v := float32(x)
					if v-v != 0 && v == v { // neither finite nor NaN
						return fault{from, j.t.infinite(column, x, j.s.End[from+r])}
					}
					data[at] = v
					at += p
				}
			}
		}
		from = to
	}
	return fault{}
}
