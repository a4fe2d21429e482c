package view_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/view"
)

// A training row may be used for a test block when its span shares no instant with it.
func ExampleSpan_Overlaps() {
	test := view.Span{Decision: 100, Entry: 101, Outcome: 120}
	for _, s := range []view.Span{{Decision: 80, Entry: 81, Outcome: 99}, {Decision: 80, Entry: 81, Outcome: 100}, {Decision: 120, Entry: 121, Outcome: 140}} {
		fmt.Println(s.Decision, s.Outcome, s.Overlaps(test))
	}
	// Output:
	// 80 99 false
	// 80 100 true
	// 120 140 true
}

func TestOverlapsIsSymmetric(t *testing.T) {
	for a := range int64(5) {
		for b := a; b < 5; b++ {
			for c := range int64(5) {
				for d := c; d < 5; d++ {
					x, y := view.Span{Decision: a, Outcome: b}, view.Span{Decision: c, Outcome: d}
					want := false
					for i := a; i <= b; i++ {
						want = want || c <= i && i <= d
					}
					if x.Overlaps(y) != want || y.Overlaps(x) != want {
						t.Errorf("[%d, %d] and [%d, %d]: %v and %v, want %v", a, b, c, d, x.Overlaps(y), y.Overlaps(x), want)
					}
				}
			}
		}
	}
}

func TestTable(t *testing.T) {
	x := view.NewTable(3, []string{"a", "b"})
	copy(x.Col(0), []float32{1, 2, 3})
	copy(x.Col(1), []float32{4, 5, 6})
	s := x.Select([]int{2, 0, 2})
	if s.N != 3 || !slices.Equal(s.Col(0), []float32{3, 1, 3}) || !slices.Equal(s.Col(1), []float32{6, 4, 6}) {
		t.Errorf("rows 2, 0, 2: %+v", s)
	}
	c := x.Columns([]int{1})
	if c.P != 1 || c.Names[0] != "b" || !slices.Equal(c.Col(0), []float32{4, 5, 6}) {
		t.Errorf("column 1: %+v", c)
	}
	s.Col(0)[0], c.Col(0)[0] = 9, 9
	if !slices.Equal(x.Data, []float32{1, 2, 3, 4, 5, 6}) {
		t.Errorf("a copy shares memory with its table: %v", x.Data)
	}
	if col := x.Col(0); cap(col) != 3 {
		t.Errorf("appending to a column would write into the next: capacity %d", cap(col))
	}
}

func TestViewCheck(t *testing.T) {
	full := func() view.View {
		return view.View{Table: view.NewTable(2, []string{"a"}), Rows: make([]int, 2), Spans: make([]view.Span, 2), Class: make([]int8, 2),
			Target: make([]float64, 2), Weight: make([]float64, 2), NetLong: make([]float64, 2), NetShort: make([]float64, 2)}
	}
	if err := full().Check(); err != nil {
		t.Fatal(err)
	}
	if v := (view.View{Rows: make([]int, 4)}); v.Len() != 4 || v.Check() != nil {
		t.Errorf("a view without inputs has %d rows, %v", v.Len(), v.Check())
	}
	for want, spoil := range map[string]func(*view.View){
		"names":        func(v *view.View) { v.Table.Names = nil },
		"values":       func(v *view.View) { v.Table.Data = v.Table.Data[:1] },
		"row index":    func(v *view.View) { v.Rows = v.Rows[:1] },
		"spans":        func(v *view.View) { v.Spans = v.Spans[:1] },
		"class":        func(v *view.View) { v.Class = v.Class[:1] },
		"target":       func(v *view.View) { v.Target = v.Target[:1] },
		"weight":       func(v *view.View) { v.Weight = v.Weight[:1] },
		"long return":  func(v *view.View) { v.NetLong = v.NetLong[:1] },
		"short return": func(v *view.View) { v.NetShort = v.NetShort[:1] },
	} {
		v := full()
		spoil(&v)
		if err := v.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
