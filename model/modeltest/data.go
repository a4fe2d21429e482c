package modeltest

import (
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// columnNames are not letters, so that an error that names one does so on
// purpose.
// const
var columnNames = []string{"momentum_5m", "distance_vwap", "range_15m", "volume_ratio", "clock_sin"}

// maker makes the rows of the laws in the form that a learner takes. A value of
// a column is a cell of a table or, in a window, how far the channel rises from
// the first bar to the last, on a zigzag that all windows share: a learner may
// take level and scale of a window away and still sees it.
type maker struct {
	input  model.Input
	length int // bars of a window
}

// second is the first column of the second stream of [model.InputStreams], which
// has half the bars.
const second = 3

// wrap turns a table into the form.
func (m maker) wrap(v view.View) view.View {
	t := v.Table
	switch m.input {
	case model.InputWindows:
		v.Table, v.Streams = nil, []*view.Windows{windows(t, 0, t.P, m.length, "5m")}
	case model.InputStreams:
		v.Table, v.Streams = nil, []*view.Windows{windows(t, 0, second, m.length, "5m"), windows(t, second, t.P, max(1, m.length/2), "15m")}
	}
	return v
}

// windows draws columns lo to hi−1 of a table as channels.
func windows(t *view.Table, lo, hi, length int, timeframe string) *view.Windows {
	w := view.NewWindows(t.N, length, slices.Clone(t.Names[lo:hi]))
	w.Timeframe = timeframe
	for i := range t.N {
		for j := lo; j < hi; j++ {
			x, scale, level := t.Col(j)[i], float32(1), float32(0)
			if t.Names[j] == columnNames[3] {
				x, scale, level = (x-1000)/200, 200, 1000
			}
			for k := range length {
				zigzag := float32(1 - 2*((length-1-k)%2))
				w.Data[(i*length+k)*w.Width+j-lo] = level + scale*(zigzag+x*float32(k+1)/float32(length))
			}
		}
	}
	return w
}

// place finds column j: its stream, −1 for the table, and its position there.
func (m maker) place(j int) (stream, channel int) {
	switch {
	case m.input == model.InputTable:
		return -1, j
	case m.input == model.InputStreams && j >= second:
		return 1, j - second
	}
	return 0, j
}

// set makes column j of row i equal to x, in every bar of a window.
func (m maker) set(v view.View, i, j int, x float32) {
	stream, channel := m.place(j)
	if stream < 0 {
		v.Table.Col(channel)[i] = x
		return
	}
	w := v.Streams[stream]
	for b := w.First(i); b <= int(w.Last[i]); b++ {
		w.Data[b*w.Width+int(w.Columns[channel])] = x
	}
}

// choose is v with the given columns, in the given order; those of one stream
// stand together.
func (m maker) choose(v view.View, columns []int) view.View {
	if m.input == model.InputTable {
		v.Table = v.Table.Columns(columns)
		return v
	}
	of := make([][]int, len(v.Streams))
	for _, j := range columns {
		stream, channel := m.place(j)
		of[stream] = append(of[stream], channel)
	}
	streams := v.Streams
	v.Streams = nil
	for k, channels := range of {
		v.Streams = append(v.Streams, streams[k].Channels(channels))
	}
	return v
}

// rename gives column j another name; the other views keep theirs.
func (m maker) rename(v view.View, j int, name string) view.View {
	stream, channel := m.place(j)
	if stream < 0 {
		t := *v.Table
		t.Names = slices.Clone(t.Names)
		t.Names[channel] = name
		v.Table = &t
		return v
	}
	w := *v.Streams[stream]
	w.Names = slices.Clone(w.Names)
	w.Names[channel] = name
	v.Streams = slices.Clone(v.Streams)
	v.Streams[stream] = &w
	return v
}

// toy is n rows of five columns. The class is the third of
// u = x0 + 0.7·x1 (cut at ±0.5), without noise: three classes, separable by
// three linear scores and by a few dozen splits. Different seeds give different
// rows of the same law. Column 3 is on another scale.
func (m maker) toy(n int, seed uint64) view.View {
	r := rng.New(seed).Stream("modeltest/toy").Rand()
	t := view.NewTable(n, append([]string(nil), columnNames...))
	v := view.View{Table: t, Class: make([]int8, n)}
	for i := range n {
		for j := range t.P {
			t.Col(j)[i] = float32(r.NormFloat64())
		}
		t.Col(3)[i] = 1000 + 200*t.Col(3)[i]
		switch u := float64(t.Col(0)[i]) + 0.7*float64(t.Col(1)[i]); {
		case u > 0.5:
			v.Class[i] = 1
		case u < -0.5:
			v.Class[i] = -1
		}
	}
	return m.wrap(v)
}

// random is toy with classes that have nothing to do with the columns, in
// shares of 0.3, 0.2 and 0.5.
func (m maker) random(n int, seed uint64) view.View {
	v := m.toy(n, seed)
	r := rng.New(seed).Stream("modeltest/random").Rand()
	for i := range v.Class {
		switch u := r.Float64(); {
		case u < 0.3:
			v.Class[i] = -1
		case u < 0.5:
			v.Class[i] = 0
		default:
			v.Class[i] = 1
		}
	}
	return v
}

// ramp is weights of a few sizes.
func ramp(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 0.25 * float64(1+i%7)
	}
	return w
}

// inputs is v without its targets.
func inputs(v view.View) view.View {
	return view.View{Table: v.Table, Streams: v.Streams, Known: v.Known}
}

// cloneView copies everything that a law's view has.
func cloneView(v view.View) view.View {
	rows := make([]int, v.Len())
	for i := range rows {
		rows[i] = i
	}
	out := pick(v, rows)
	if v.Table != nil {
		out.Table.Names = slices.Clone(v.Table.Names)
	}
	for k := range out.Streams {
		out.Streams[k] = cloneWindows(out.Streams[k])
	}
	if v.Known != nil {
		out.Known = cloneWindows(out.Known)
	}
	return out
}

func cloneWindows(w *view.Windows) *view.Windows {
	c := *w
	c.Names, c.Data, c.Columns = slices.Clone(w.Names), slices.Clone(w.Data), slices.Clone(w.Columns)
	c.Segment, c.Last = slices.Clone(w.Segment), slices.Clone(w.Last)
	return &c
}

// pick is the given rows. A table is copied; windows go on sharing their bars.
func pick(v view.View, rows []int) view.View {
	var out view.View
	if v.Table != nil {
		out.Table = v.Table.Select(rows)
	}
	for _, w := range v.Streams {
		out.Streams = append(out.Streams, w.Select(rows))
	}
	if v.Known != nil {
		out.Known = v.Known.Select(rows)
	}
	if v.Class != nil {
		out.Class = make([]int8, len(rows))
		for i, r := range rows {
			out.Class[i] = v.Class[r]
		}
	}
	if v.Weight != nil {
		out.Weight = make([]float64, len(rows))
		for i, r := range rows {
			out.Weight[i] = v.Weight[r]
		}
	}
	return out
}
