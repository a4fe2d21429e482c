package view_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/view"
)

// bars is a matrix of some segments, with windows that overlap, begin before the
// matrix, cross segments or are not there.
func bars() *view.Windows {
	r := rand.New(rand.NewPCG(3, 4))
	const n, width = 50, 5
	w := &view.Windows{Timeframe: "5m", Length: 6, Names: []string{"a", "b", "c"}, Width: width, Columns: []int32{4, 0, 2},
		Data: make([]float32, n*width), Segment: make([]int32, n)}
	for i := range w.Data {
		w.Data[i] = float32(i)
		if r.IntN(9) == 0 {
			w.Data[i] = float32(math.NaN())
		}
	}
	for b := range n {
		w.Segment[b] = int32(b / 11)
	}
	for range 80 {
		w.Last = append(w.Last, int32(r.IntN(n+1)-1))
	}
	return w
}

// naive is the value of channel j at place k of window i, from the definition.
func naive(w *view.Windows, i, k, j int) float32 {
	last := int(w.Last[i])
	b := last - (w.Length - 1 - k)
	if last < 0 || b < 0 || w.Segment != nil && w.Segment[b] != w.Segment[last] {
		return float32(math.NaN())
	}
	return w.Data[b*w.Width+int(w.Columns[j])]
}

func sameFloat(a, b float32) bool { return a == b || a != a && b != b }

func checkWindows(t *testing.T, w *view.Windows) {
	t.Helper()
	got := make([]float32, w.Length*len(w.Columns))
	for i := range w.Len() {
		w.Copy(i, got)
		missing := 0 // bars at the front
		for missing < w.Length && int(w.Last[i])-(w.Length-1-missing) < w.First(i) {
			missing++
		}
		for k := range w.Length {
			for j := range w.Columns {
				if x := naive(w, i, k, j); !sameFloat(x, got[k*len(w.Columns)+j]) {
					t.Fatalf("window %d, bar %d, channel %d: %v, want %v", i, k, j, got[k*len(w.Columns)+j], x)
				}
			}
			b := int(w.Last[i]) - (w.Length - 1 - k)
			inside := w.Last[i] >= 0 && b >= 0 && (w.Segment == nil || w.Segment[b] == w.Segment[w.Last[i]])
			if inside != (k >= missing) {
				t.Fatalf("window %d: First is %d, so bar %d of it is there or not against its definition", i, w.First(i), k)
			}
		}
	}
}

func TestWindowsEqualTheirDefinition(t *testing.T) {
	w := bars()
	checkWindows(t, w)
	w.Segment = nil
	checkWindows(t, w)
	checkWindows(t, view.NewWindows(4, 3, []string{"a", "b"}))
	if w := bars(); w.Bars() != 50 || w.Len() != 80 {
		t.Errorf("%d bars, %d windows", w.Bars(), w.Len())
	}
	if b := (&view.Windows{}).Bars(); b != 0 {
		t.Errorf("no windows have %d bars", b)
	}
	none := bars()
	none.Last[0] = -1
	if f := none.First(0); f != 0 {
		t.Errorf("a window that is not there begins with bar %d, want Last+1 = 0", f)
	}
}

func TestWindowsSelect(t *testing.T) {
	w := bars()
	rows, channels := []int{70, 3, 3, 12}, []int{2, 0, 2}
	s := w.Select(rows).Channels(channels)
	checkWindows(t, s)
	if !slices.Equal(s.Names, []string{"c", "a", "c"}) || &s.Data[0] != &w.Data[0] {
		t.Errorf("names %v; the bars are not shared", s.Names)
	}
	all, some := make([]float32, 6*3), make([]float32, 6*3)
	for k, i := range rows {
		w.Copy(i, all)
		s.Copy(k, some)
		for b := range 6 {
			for c, j := range channels {
				if !sameFloat(some[b*3+c], all[b*3+j]) {
					t.Fatalf("row %d bar %d channel %d: %v, want %v", k, b, c, some[b*3+c], all[b*3+j])
				}
			}
		}
	}
}

func TestCheckWindows(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(v *view.View)
	}{
		{"", func(*view.View) {}},
		{"", func(v *view.View) { v.Streams[0].Segment = nil }},
		{"stream of \"1h\" has 79 rows, the input has 80", func(v *view.View) { v.Streams[1].Last = v.Streams[1].Last[1:] }},
		{"known future of \"5m\" has 3 rows", func(v *view.View) { v.Known = v.Known.Select([]int{1, 2, 3}) }},
		{"class has 79 rows, the input has 80", func(v *view.View) { v.Class = make([]int8, 79) }},
		{"windows of 0 bars", func(v *view.View) { v.Streams[1].Length = 0 }},
		{"2 names for 3 channels", func(v *view.View) { v.Streams[0].Names = v.Streams[0].Names[1:] }},
		{"249 values, which are no rows of 5", func(v *view.View) { v.Streams[0].Data = v.Streams[0].Data[1:] }},
		{"which are no rows of 0", func(v *view.View) { v.Streams[0].Width = 0 }},
		{"segments of 49 bars, values of 50", func(v *view.View) { v.Streams[0].Segment = v.Streams[0].Segment[1:] }},
		{"a channel at position 5 of 5", func(v *view.View) { v.Streams[0].Columns[1] = 5 }},
		{"a channel at position -1 of 5", func(v *view.View) { v.Streams[0].Columns[1] = -1 }},
		{"row 7 ends with bar 50 of 50", func(v *view.View) { v.Streams[0].Last[7] = 50 }},
		{"row 7 ends with bar -2 of 50", func(v *view.View) { v.Streams[0].Last[7] = -2 }},
	} {
		a, b := bars(), bars()
		b.Timeframe = "1h"
		v := view.View{Streams: []*view.Windows{a, b}, Known: bars(), Class: make([]int8, 80)}
		tc.change(&v)
		err := v.Check()
		if tc.want == "" {
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want an error with %q", err, tc.want)
		}
	}
}

func ExampleWindows() {
	// One channel, five bars, an outage before the fourth.
	w := &view.Windows{Timeframe: "5m", Length: 3, Names: []string{"close"}, Data: []float32{1, 2, 3, 4, 5}, Width: 1, Columns: []int32{0},
		Segment: []int32{0, 0, 0, 1, 1}, Last: []int32{2, 4, -1}}
	row := make([]float32, 3)
	for i := range w.Len() {
		w.Copy(i, row)
		fmt.Println(row)
	}
	// Output:
	// [1 2 3]
	// [NaN 4 5]
	// [NaN NaN NaN]
}
