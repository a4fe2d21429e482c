package label_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/label"
)

// TestFilter_StreamEqualsBatch: pushed bar by bar, moved through its state at a
// random place, the filter keeps the decisions that Events keeps, on bars with
// sessions, outages, holes and late bars.
func TestFilter_StreamEqualsBatch(t *testing.T) {
	const tf = 5 * bar.Minute
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "bars")
		s := bar.NewSeries(tf, n)
		price, at, session, segment := 100.0, int64(0), int32(0), int32(0)
		for range n {
			at += int64(tf) * int64(rapid.SampledFrom([]int{1, 1, 1, 1, 2, 5}).Draw(t, "step"))
			if rapid.IntRange(0, 20).Draw(t, "session") == 0 {
				session++
			}
			if rapid.IntRange(0, 40).Draw(t, "segment") == 0 {
				segment++
			}
			b := bar.Bar{Begin: at - int64(tf), End: at, Known: at, Open: price, Session: session, Segment: segment}
			price *= math.Exp(rapid.Float64Range(-0.01, 0.01).Draw(t, "move"))
			b.Close = price
			b.High, b.Low = max(b.Open, price)*1.001, min(b.Open, price)*0.999
			if rapid.IntRange(0, 15).Draw(t, "late") == 0 {
				b.Flags, b.Known = bar.Late, at+int64(tf)
			}
			s.Append(&b)
		}
		cfg := label.Default()
		cfg.Width = rapid.SampledFrom([]string{label.ATR, label.Sigma}).Draw(t, "width")
		cfg.Period = rapid.IntRange(2, 8).Draw(t, "period")
		ev := label.EventConfig{Kind: rapid.SampledFrom([]string{label.CUSUMFilter, label.CUSUMFilter, label.AllDecisions}).Draw(t, "kind"), Multiple: 0.7}
		decisions := slices.Clone(s.End)
		width, err := label.Width(s, decisions, cfg, label.Stale(tf))
		if err != nil {
			t.Fatal(err)
		}
		want, err := label.Events(s, decisions, width, ev)
		if err != nil {
			t.Fatal(err)
		}
		f := must(label.NewFilter(tf, cfg, ev))(t)
		moved := rapid.IntRange(0, n-1).Draw(t, "moved")
		var got []int
		var b bar.Bar
		for i := range n {
			if i == moved {
				state := f.State(nil)
				f = must(label.NewFilter(tf, cfg, ev))(t)
				if err := f.Restore(state); err != nil {
					t.Fatal(err)
				}
			}
			s.At(i, &b)
			f.Push(&b)
			if f.Keep(b.End) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("streamed %v, batch %v", got, want)
		}
	})
}

func must[T any](x T, err error) func(interface{ Fatal(...any) }) T {
	return func(t interface{ Fatal(...any) }) T {
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func TestFilter_Refusals(t *testing.T) {
	bad := label.Default()
	bad.Period = 0
	if _, err := label.NewFilter(bar.Minute, bad, label.DefaultEvents()); err == nil {
		t.Error("a period of 0 was taken")
	}
	if _, err := label.NewFilter(bar.Minute, label.Default(), label.EventConfig{Kind: "sometimes", Multiple: 1}); err == nil {
		t.Error("an unknown kind was taken")
	}
	f := must(label.NewFilter(bar.Minute, label.Default(), label.DefaultEvents()))(t)
	state := f.State(nil)
	flag := slices.Clone(state)
	flag[len(flag)-8] = 2
	for name, src := range map[string][]byte{"empty": nil, "short": state[1:], "long": append(slices.Clone(state), 0), "flag": flag} {
		if err := f.Restore(src); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	if !slices.Equal(f.State(nil), state) {
		t.Error("a refused state left a mark")
	}
}
