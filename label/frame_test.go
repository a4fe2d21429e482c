package label_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/internal/floats"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

func TestFrame_RoundTrip(t *testing.T) {
	in := input(market(9, 500, 200), 5*minute)
	for _, side := range [][]int8{nil, make([]int8, len(in.Decisions))} {
		for i := range side {
			side[i] = int8(i%3 - 1)
		}
		in.Side = side
		set := triple(t, in, config(), 1)
		f, err := set.Frame()
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := f.WriteParquet(&file); err != nil {
			t.Fatal(err)
		}
		back, err := frame.ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := label.FromFrame(back)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(set, got, cmpopts.EquateNaNs()); d != "" {
			t.Fatal(d)
		}
		for want, change := range map[string]func(f *frame.Frame){
			"long_net":     func(f *frame.Frame) { f.Columns = f.Columns[:len(f.Columns)-8] },
			"short_net":    func(f *frame.Frame) { f.Columns[len(f.Columns)-1].Name = "other" },
			"label.config": func(f *frame.Frame) { f.Meta = nil },
			"class 5":      func(f *frame.Frame) { f.Column("class").Int8[3] = 5 },
			"exit code 9":  func(f *frame.Frame) { f.Column("long_exit").Int8[3] = 9 },
		} {
			x, _ := frame.ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len()))
			change(x)
			if _, err := label.FromFrame(x); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want an error about %q", err, want)
			}
		}
	}
}

func TestView_OfRows(t *testing.T) {
	set := triple(t, input(market(9, 500, 200), 5*minute), config(), 1)
	rows := set.Rows()
	v := set.View(rows)
	if err := v.Check(); err != nil || v.Len() != len(rows) {
		t.Fatal(err)
	}
	for k, i := range rows {
		if v.Class[k] != set.Class[i] || v.NetLong[k] != set.Long.Net[i] || v.NetShort[k] != set.Short.Net[i] || v.Spans[k] != set.Spans[i] {
			t.Fatalf("row %d differs", i)
		}
	}
	c := set.Count()
	total := c.Class[0] + c.Class[1] + c.Class[2]
	if total != len(rows) {
		t.Errorf("%d classes counted, %d valid rows", total, len(rows))
	}
	for _, n := range c.Invalid {
		total += n
	}
	if total != set.Len() {
		t.Errorf("%d rows counted of %d", total, set.Len())
	}
}

func TestWeigh(t *testing.T) {
	// Twenty labels of ten hours, one an hour: ten alive at once in the middle.
	var begin []int64
	for h := range int64(20) {
		begin = append(begin, h)
	}
	spans := hours(begin, 9)
	w, err := label.Weigh(spans, label.DefaultWeights())
	if err != nil {
		t.Fatal(err)
	}
	// 200 hours of life in 29 are 6.9 at once; every second makes 100 in 28, which is 3.57.
	if d := cmp.Diff([]int{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}, w.Rows); d != "" || w.Every != 2 || !floats.Close(w.Concurrency, 100.0/28, floats.Rel(1e-12)) {
		t.Errorf("%+v", w)
	}
	kept := make([]view.Span, len(w.Rows))
	for k, i := range w.Rows {
		kept[k] = spans[i]
	}
	if d := cmp.Diff(label.Uniqueness(kept), w.Weight); d != "" {
		t.Errorf("weights are not the uniqueness of the kept rows: %s", d)
	}
	if !floats.Close(w.Effective, 2.8, floats.Rel(1e-12)) { // 28 hours of at least one label, each label ten hours long
		t.Errorf("effective n %v, want 2.8", w.Effective)
	}
	cfg := label.WeightConfig{MaxConcurrency: 1000, Decay: 0}
	all, err := label.Weigh(spans, cfg)
	if err != nil || len(all.Rows) != 20 || all.Every != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if !(all.Weight[5] < label.Uniqueness(spans)[5]/2) {
		t.Error("the decay has no effect")
	}
	cfg.MaxConcurrency = 0.5
	if _, err := label.Weigh(spans, cfg); err == nil {
		t.Error("a concurrency below 1 was accepted")
	}
}

func TestEvents(t *testing.T) {
	s := straight(60, 0)
	for j := range s.End {
		s.Close[j] = 100
		if j >= 20 {
			s.Close[j] = 104 // one step, an event
		}
		if j >= 40 {
			s.Close[j], s.Segment[j] = 150, 1 // a step over an outage, none
		}
	}
	s.Flags[9], s.Close[9] = bar.Late, 200 // not seen
	var decisions []int64
	var width []float64
	for m := int64(5); m <= 60; m += 5 {
		decisions, width = append(decisions, m*minute), append(width, .02)
	}
	cfg := label.DefaultEvents()
	if got, err := label.Events(s, decisions, width, cfg); err != nil || len(got) != len(decisions) {
		t.Errorf("all: %v, %v", got, err)
	}
	cfg.Kind = label.CUSUMFilter
	got, err := label.Events(s, decisions, width, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{4}, got); d != "" { // decided at minute 25, the first after the step
		t.Error(d)
	}
	cfg.Multiple = 2
	if got, err = label.Events(s, decisions, width, cfg); err != nil || len(got) != 0 {
		t.Errorf("at twice the threshold: %v, %v", got, err)
	}
	if _, err := label.Events(s, decisions, width[1:], cfg); err == nil {
		t.Error("too few widths were accepted")
	}
	cfg.Kind = "some"
	if _, err := label.Events(s, decisions, width, cfg); err == nil {
		t.Error("an unknown kind was accepted")
	}
}
