package view

import (
	"fmt"
	"math"
)

// Windows is the 3D shape: n windows of Length bars × C channels. A window is
// the bars of one timeframe up to the last one that had ended, and was known, at
// the decision. All windows look into one matrix of bars, row-major with Width
// values a bar, of which the channels are the values at Columns: windows that
// overlap share their memory.
//
// A bar before the first of the matrix, or of another segment than the window's
// last bar, is missing: a window never reaches across an outage. NaN is a
// missing value; ±Inf never occurs.
type Windows struct {
	Timeframe string   // "5m"
	Length    int      // bars of a window
	Names     []string // of the channels
	Data      []float32
	Width     int
	Columns   []int32 // position of each channel in a bar
	Segment   []int32 // of each bar; nil: all are of one
	Last      []int32 // the bar each window ends with; −1: there is none
}

// NewWindows makes n windows that share no bar, all values zero. Bar k of window
// i is bar i·length+k.
func NewWindows(n, length int, names []string) *Windows {
	w := &Windows{Length: length, Names: names, Width: len(names), Data: make([]float32, n*length*len(names)),
		Columns: make([]int32, len(names)), Segment: make([]int32, n*length), Last: make([]int32, n)}
	for j := range w.Columns {
		w.Columns[j] = int32(j) // #nosec G115 -- channels are few
	}
	for i := range n {
		w.Last[i] = int32(i*length + length - 1) // #nosec G115 -- below 2³¹ bars
		for k := range length {
			w.Segment[i*length+k] = int32(i) // #nosec G115 -- below 2³¹ bars
		}
	}
	return w
}

// Len is the number of windows.
func (w *Windows) Len() int { return len(w.Last) }

// Bars is the number of bars of the matrix.
func (w *Windows) Bars() int {
	if w.Width == 0 {
		return 0
	}
	return len(w.Data) / w.Width
}

// First is the first bar that window i has, and Last[i]+1 if it has none: bars
// before it are missing.
func (w *Windows) First(i int) int {
	last := int(w.Last[i])
	if last < 0 {
		return 0
	}
	first := max(0, last+1-w.Length)
	if w.Segment != nil {
		for s := w.Segment[last]; w.Segment[first] != s; {
			first++
		}
	}
	return first
}

// Copy writes window i to dst, Length×C row-major, oldest bar first, NaN for
// missing bars.
func (w *Windows) Copy(i int, dst []float32) {
	c := len(w.Columns)
	missing := float32(math.NaN())
	first, last := w.First(i), int(w.Last[i])
	lead := (w.Length - (last + 1 - first)) * c
	for k := range dst[:lead] {
		dst[k] = missing
	}
	for bar := first; bar <= last; bar++ {
		row, out := w.Data[bar*w.Width:(bar+1)*w.Width], dst[lead+(bar-first)*c:]
		for j, at := range w.Columns {
			out[j] = row[at]
		}
	}
}

// Select is the given windows, in the given order. It shares the bars with w.
func (w *Windows) Select(rows []int) *Windows {
	out := *w
	out.Last = make([]int32, len(rows))
	for k, i := range rows {
		out.Last[k] = w.Last[i]
	}
	return &out
}

// Channels is the windows with the given channels, in the given order. It shares
// the bars with w.
func (w *Windows) Channels(channels []int) *Windows {
	out := *w
	out.Names, out.Columns = make([]string, len(channels)), make([]int32, len(channels))
	for k, j := range channels {
		out.Names[k], out.Columns[k] = w.Names[j], w.Columns[j]
	}
	return &out
}

// check reports the first part that does not fit n windows.
func (w *Windows) check(part string, n int) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("view: %s of %q "+format, append([]any{part, w.Timeframe}, args...)...)
	}
	switch {
	case len(w.Last) != n:
		return bad("has %d rows, the input has %d", len(w.Last), n)
	case w.Length < 1:
		return bad("has windows of %d bars", w.Length)
	case len(w.Names) != len(w.Columns):
		return bad("has %d names for %d channels", len(w.Names), len(w.Columns))
	case w.Width < 1 || len(w.Data)%w.Width != 0:
		return bad("has %d values, which are no rows of %d", len(w.Data), w.Width)
	case w.Segment != nil && len(w.Segment) != w.Bars():
		return bad("has segments of %d bars, values of %d", len(w.Segment), w.Bars())
	}
	for _, at := range w.Columns {
		if at < 0 || int(at) >= w.Width {
			return bad("has a channel at position %d of %d", at, w.Width)
		}
	}
	for i, last := range w.Last {
		if last < -1 || int(last) >= w.Bars() {
			return bad("row %d ends with bar %d of %d", i, last, w.Bars())
		}
	}
	return nil
}
