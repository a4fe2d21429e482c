package ingest_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/internal/race"
)

// minute is a bar that ends at minute i with one price, moving a little around it.
func minute(i int, p float64) bar.Bar {
	end := int64(i) * int64(bar.Minute)
	return bar.Bar{Begin: end - int64(bar.Minute), End: end, Known: end, Open: p, High: p + 0.001*math.Abs(p), Low: p - 0.001*math.Abs(p), Close: p, Volume: 5}
}

// closes gives closes as minutes 1, 2, …
func closes(p ...float64) []bar.Bar {
	out := make([]bar.Bar, len(p))
	for i := range p {
		out[i] = minute(i+1, p[i])
	}
	return out
}

// judged shows what became of bars: for each emitted one "end:close", with "@"
// and the minute it was known where that is later.
func judged(t testing.TB, cfg ingest.Checks, inst bar.Instrument, bars []bar.Bar) (string, *ingest.Report, []bar.Bar) {
	t.Helper()
	var out []string
	var emitted []bar.Bar
	rep := &ingest.Report{}
	c := ingest.NewChecker(cfg, inst, rep, func(b *bar.Bar) {
		s := fmt.Sprintf("%d:%g", b.End/int64(bar.Minute), b.Close)
		if b.Known != b.End {
			s += fmt.Sprintf("@%d", b.Known/int64(bar.Minute))
		}
		if late := b.Flags&bar.Late != 0; late != (b.Known > b.End) {
			t.Errorf("%s: late is %v", s, late)
		}
		out = append(out, s)
		emitted = append(emitted, *b)
	})
	for i, b := range bars {
		c.Push(b, int64(i+2))
	}
	c.Close()
	if rep.Accepted != int64(len(out)) {
		t.Errorf("%d accepted, %d emitted", rep.Accepted, len(out))
	}
	return strings.Join(out, " "), rep, emitted
}

func TestChecker_Jumps(t *testing.T) {
	btc, cl := find(t, "BTCUSD"), find(t, "CL")
	if !cl.SignedPrices || btc.SignedPrices {
		t.Fatal("signed prices")
	}
	for _, x := range []struct {
		name   string
		inst   bar.Instrument
		closes []float64
		want   string
		counts map[ingest.Kind]int64
	}{
		{"calm", btc, []float64{100, 101, 102}, "1:100@2 2:101 3:102", nil},
		{"a print at a tenth", btc, []float64{100, 101, 10.1, 102, 103}, "1:100@2 2:101 4:102 5:103", map[ingest.Kind]int64{ingest.Jump: 1, ingest.BadPrint: 1}},
		{"two in a row", btc, []float64{100, 101, 10.1, 10.2, 102}, "1:100@2 2:101 5:102", map[ingest.Kind]int64{ingest.Jump: 1, ingest.BadPrint: 2}},
		{"ten times", btc, []float64{100, 101, 1010, 102}, "1:100@2 2:101 4:102", map[ingest.Kind]int64{ingest.Jump: 1, ingest.BadPrint: 1}},
		{"a genuine −19 % minute", btc, []float64{100, 101, 81.8, 82, 83}, "1:100@2 2:101 3:81.8 4:82 5:83", nil},
		{"a new level", btc, []float64{100, 101, 160, 161, 162, 163}, "1:100@2 2:101 3:160@5 4:161@5 5:162 6:163", map[ingest.Kind]int64{ingest.Jump: 1, ingest.Released: 2}},
		{"a bad print before a new level", btc, []float64{100, 101, 10, 160, 161, 162}, "1:100@2 2:101 4:160@6 5:161@6 6:162", map[ingest.Kind]int64{ingest.Jump: 1, ingest.Released: 2, ingest.BadPrint: 1}},
		{"a bad print inside a new level", btc, []float64{100, 101, 160, 16, 161, 162}, "1:100@2 2:101 3:160@6 5:161@6 6:162", map[ingest.Kind]int64{ingest.Jump: 1, ingest.Released: 2, ingest.BadPrint: 1}},
		{"a fall in steps", btc, []float64{100, 101, 60, 50, 45}, "1:100@2 2:101 3:60@5 4:50@5 5:45", map[ingest.Kind]int64{ingest.Jump: 1, ingest.Released: 2}},
		{"a bad first print", btc, []float64{10, 100, 101, 102}, "2:100@3 3:101 4:102", map[ingest.Kind]int64{ingest.BadPrint: 1}},
		{"a bad second print", btc, []float64{100, 10, 101, 102}, "1:100@3 3:101 4:102", map[ingest.Kind]int64{ingest.BadPrint: 1}},
		{"ended in doubt", btc, []float64{100, 101, 10}, "1:100@2 2:101", map[ingest.Kind]int64{ingest.Jump: 1, ingest.Unconfirmed: 1}},
		{"oil through zero", cl, []float64{18, 17, 12, 6, 2, 0.5, 0.2, -1, -5, -12, -19, -27, -37, -30, -22}, "1:18@2 2:17 3:12 4:6 5:2 6:0.5 7:0.2 8:-1 9:-5 10:-12 11:-19 12:-27 13:-37 14:-30 15:-22", nil},
		{"oil at a tenth", cl, []float64{60, 61, 6.1, 61}, "1:60@2 2:61 4:61", map[ingest.Kind]int64{ingest.Jump: 1, ingest.BadPrint: 1}},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, rep, _ := judged(t, ingest.DefaultChecks(), x.inst, closes(x.closes...))
			if got != x.want {
				t.Errorf("got  %s\nwant %s", got, x.want)
			}
			for k := ingest.MissingPrice; k <= ingest.Unconfirmed; k++ {
				if rep.N(k) != x.counts[k] {
					t.Errorf("%v: %d, want %d", k, rep.N(k), x.counts[k])
				}
			}
		})
	}
}

// TestChecker_BadLow drops a bar of which only the low is at a tenth.
func TestChecker_BadLow(t *testing.T) {
	bars := closes(100, 101, 102, 103)
	bars[2].Low = 10
	if got, _, _ := judged(t, ingest.DefaultChecks(), find(t, "BTCUSD"), bars); got != "1:100@2 2:101 4:103" {
		t.Error(got)
	}
}

// TestChecker_Hold releases what nothing confirms or refutes.
func TestChecker_Hold(t *testing.T) {
	cfg := ingest.DefaultChecks()
	cfg.Hold = 3
	got, rep, _ := judged(t, cfg, find(t, "BTCUSD"), closes(100, 101, 200, 400, 800, 1600, 1601))
	if got != "1:100@2 2:101 3:200@6 4:400@6 5:800@6 6:1600 7:1601" || rep.N(ingest.Released) != 3 {
		t.Error(got, rep.N(ingest.Released))
	}
}

// TestChecker_AcrossSessions holds a bar until the next session decides.
func TestChecker_AcrossSessions(t *testing.T) {
	bars := []bar.Bar{minute(1, 100), minute(2, 101), minute(3, 160), minute(5000, 161), minute(5001, 162)}
	if got, _, _ := judged(t, ingest.DefaultChecks(), find(t, "ES"), bars); got != "1:100@2 2:101 3:160@5001 5000:161@5001 5001:162" {
		t.Error(got)
	}
}

func TestChecker_Rules(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	type change = func(*bar.Bar)
	for _, x := range []struct {
		name   string
		change change
		kind   ingest.Kind
		text   string
		want   *[5]float64 // what is emitted; nil: dropped
	}{
		{"no close", func(b *bar.Bar) { b.Close = nan }, ingest.MissingPrice, "open, high, low or close is absent; dropped", nil},
		{"infinite high", func(b *bar.Bar) { b.High = inf }, ingest.MissingPrice, "open, high, low or close is absent; dropped", nil},
		{"zero low", func(b *bar.Bar) { b.Low = 0 }, ingest.NonPositive, "a price of 0 or below, which the instrument forbids; dropped", nil},
		{"high below low", func(b *bar.Bar) { b.High, b.Low = 99, 101 }, ingest.HighBelowLow, "high below low; dropped", nil},
		{"same stamp", func(b *bar.Bar) { b.End -= int64(bar.Minute) }, ingest.Duplicate, "same stamp as the row before; the first stays", nil},
		{"earlier", func(b *bar.Bar) { b.End -= 2 * int64(bar.Minute) }, ingest.OutOfOrder, "earlier than the row before; dropped", nil},
		{"close above high", func(b *bar.Bar) { b.Close = 102 }, ingest.Inconsistent, "high and low did not contain open and close; widened", &[5]float64{100, 102, 99, 102, 5}},
		{"open below low", func(b *bar.Bar) { b.Open = 98 }, ingest.Inconsistent, "high and low did not contain open and close; widened", &[5]float64{98, 101, 98, 100, 5}},
		{"negative volume", func(b *bar.Bar) { b.Volume = -1 }, ingest.NegativeVolume, "negative volume; now missing", &[5]float64{100, 101, 99, 100, nan}},
		{"infinite volume", func(b *bar.Bar) { b.Volume = inf }, ingest.NegativeVolume, "negative volume; now missing", &[5]float64{100, 101, 99, 100, nan}},
		{"zero volume, moved", func(b *bar.Bar) { b.Volume = 0 }, ingest.ZeroVolume, "volume 0; now missing", &[5]float64{100, 101, 99, 100, nan}},
	} {
		t.Run(x.name, func(t *testing.T) {
			bars := closes(100, 100, 100, 100)
			bars[2].High, bars[2].Low = 101, 99
			x.change(&bars[2])
			_, rep, out := judged(t, ingest.DefaultChecks(), find(t, "BTCUSD"), bars)
			if rep.N(x.kind) != 1 || len(rep.Findings) != 1 || rep.Findings[0].Text != x.text || rep.Findings[0].Line != 4 || rep.Findings[0].Kind != x.kind.String() {
				t.Errorf("%+v", rep.Findings)
			}
			if x.want == nil {
				if len(out) != 3 || out[2].End != 4*int64(bar.Minute) {
					t.Errorf("%d bars", len(out))
				}
				return
			}
			b := bar.Bar{Open: x.want[0], High: x.want[1], Low: x.want[2], Close: x.want[3], Volume: x.want[4], Begin: bars[2].Begin, End: bars[2].End, Known: bars[2].End}
			if len(out) != 4 || !equal(&out[2], &b) {
				t.Errorf("got %+v, want %+v", out[2], b)
			}
		})
	}
}

// TestChecker_Unusable shows that a row which is dropped for its prices does not
// make its correction a duplicate.
func TestChecker_Unusable(t *testing.T) {
	bad := minute(3, 100)
	bad.High, bad.Low = 99, 101
	bars := []bar.Bar{minute(1, 100), minute(2, 100), bad, minute(3, 100), minute(4, 100)}
	if got, _, _ := judged(t, ingest.DefaultChecks(), find(t, "BTCUSD"), bars); got != "1:100@2 2:100 3:100 4:100" {
		t.Error(got)
	}
}

func TestChecker_ZeroVolume(t *testing.T) {
	flat := func(i int, p, v float64) bar.Bar {
		b := minute(i, p)
		b.High, b.Low, b.Volume = p, p, v
		return b
	}
	moved := func(i int, p, v float64) bar.Bar {
		b := minute(i, p)
		b.Volume = v
		return b
	}
	bars := []bar.Bar{moved(1, 100, 3), flat(2, 100, 0), moved(3, 100, 2), flat(4, 100, 0), flat(5, 101, 0), flat(6, 101, 0), moved(7, 101, 0), flat(8, 101, 0), moved(9, 101, 1), flat(10, 101, 0)}
	for mode, want := range map[string]string{
		"auto":    "3 0 2 0 . . . . 1 0",
		"keep":    "3 0 2 0 0 0 0 0 1 0",
		"missing": "3 . 2 . . . . . 1 .",
	} {
		cfg := ingest.DefaultChecks()
		cfg.ZeroVolume = mode
		_, rep, out := judged(t, cfg, find(t, "BTCUSD"), bars)
		var got []string
		for _, b := range out {
			got = append(got, strings.ReplaceAll(fmt.Sprint(b.Volume), "NaN", "."))
		}
		if s := strings.Join(got, " "); s != want || rep.N(ingest.ZeroVolume) != 7 {
			t.Errorf("%s: got %s, want %s; %d", mode, s, want, rep.N(ingest.ZeroVolume))
		}
	}
}

// stream draws bars with every flaw in them.
func stream(t *rapid.T) []bar.Bar {
	n := rapid.IntRange(1, 60).Draw(t, "n")
	out := make([]bar.Bar, 0, n)
	at, p := 1, 100.0
	for range n {
		p *= rapid.SampledFrom([]float64{1, 1, 1, 1.01, 0.99, 1.6, 0.6}).Draw(t, "step")
		b := minute(at, p)
		if k := rapid.SampledFrom([]float64{1, 1, 1, 1, 1, 0.1, 10, math.NaN(), 0, -1}).Draw(t, "flaw"); k != 1 {
			b.Open, b.High, b.Low, b.Close = b.Open*k, b.High*k, b.Low*k, b.Close*k
		}
		b.Volume = rapid.SampledFrom([]float64{1, 2, 0, 0, -1, math.NaN()}).Draw(t, "volume")
		if rapid.IntRange(0, 3).Draw(t, "flat") == 0 {
			b.High, b.Low = b.Close, b.Close
		}
		out = append(out, b)
		at += rapid.SampledFrom([]int{1, 1, 1, 1, 2, 600, 0, -1}).Draw(t, "gap")
	}
	return out
}

func anyChecks(t *rapid.T) ingest.Checks {
	cfg := ingest.DefaultChecks()
	cfg.Confirm = rapid.IntRange(1, 3).Draw(t, "confirm")
	cfg.Hold = rapid.IntRange(1, 6).Draw(t, "hold")
	cfg.ZeroVolume = rapid.SampledFrom([]string{"auto", "keep", "missing"}).Draw(t, "zero")
	return cfg
}

// TestChecker_Prefix: more rows change nothing about what was emitted, nothing is
// emitted before it is known, and the order of End holds.
func TestChecker_Prefix(t *testing.T) {
	btc, cl := find(t, "BTCUSD"), find(t, "CL")
	rapid.Check(t, func(rt *rapid.T) {
		bars, cfg := stream(rt), anyChecks(rt)
		inst := rapid.SampledFrom([]bar.Instrument{btc, cl}).Draw(rt, "instrument")
		_, _, all := judged(t, cfg, inst, bars)
		for k := range bars {
			_, _, some := judged(t, cfg, inst, bars[:k+1])
			if len(some) > len(all) {
				rt.Fatalf("%d bars from %d rows, %d from all", len(some), k+1, len(all))
			}
			for i := range some {
				if !equal(&some[i], &all[i]) {
					rt.Fatalf("bar %d after %d rows: %+v, after all %+v", i, k+1, some[i], all[i])
				}
				if i > 0 && some[i].End <= some[i-1].End || some[i].Known > slices.MaxFunc(bars[:k+1], func(a, b bar.Bar) int { return int(a.End/1e9 - b.End/1e9) }).End {
					rt.Fatalf("bar %d: %+v", i, some[i])
				}
			}
		}
	})
}

// TestChecker_State: a checker that is saved and restored in mid-stream goes on as
// the first one does.
func TestChecker_State(t *testing.T) {
	btc, cl := find(t, "BTCUSD"), find(t, "CL")
	rapid.Check(t, func(rt *rapid.T) {
		bars, cfg := stream(rt), anyChecks(rt)
		inst := rapid.SampledFrom([]bar.Instrument{btc, cl}).Draw(rt, "instrument")
		cut := rapid.IntRange(0, len(bars)).Draw(rt, "cut")
		_, want, all := judged(t, cfg, inst, bars)
		var got []bar.Bar
		rep := &ingest.Report{}
		emit := func(b *bar.Bar) { got = append(got, *b) }
		a := ingest.NewChecker(cfg, inst, rep, emit)
		for i, b := range bars[:cut] {
			a.Push(b, int64(i+2))
		}
		state := a.State([]byte("before"))[len("before"):]
		b := ingest.NewChecker(cfg, inst, rep, emit)
		if err := b.Restore(state); err != nil {
			rt.Fatal(err)
		}
		if again := b.State(nil); string(again) != string(state) {
			rt.Fatal("the state does not give itself")
		}
		for i, x := range bars[cut:] {
			b.Push(x, int64(cut+i+2))
		}
		b.Close()
		if len(got) != len(all) {
			rt.Fatalf("%d bars, want %d", len(got), len(all))
		}
		for i := range got {
			if !equal(&got[i], &all[i]) {
				rt.Fatalf("bar %d: %+v, want %+v", i, got[i], all[i])
			}
		}
		if fmt.Sprint(rep.Findings) != fmt.Sprint(want.Findings) {
			rt.Fatal("other findings")
		}
	})
}

func TestChecker_StateRefused(t *testing.T) {
	btc := find(t, "BTCUSD")
	cfg := ingest.DefaultChecks()
	make := func(cfg ingest.Checks, inst bar.Instrument) *ingest.Checker {
		return ingest.NewChecker(cfg, inst, &ingest.Report{}, func(*bar.Bar) {})
	}
	c := make(cfg, btc)
	for i, b := range closes(100, 101, 10, 11) {
		c.Push(b, int64(i))
	}
	state := c.State(nil)
	other := cfg
	other.Jump = 1
	for name, x := range map[string]struct {
		c     *ingest.Checker
		state []byte
		want  string
	}{
		"other limits":     {make(other, btc), state, "ingest: restore checks: the state was written by another version or with other limits"},
		"other instrument": {make(cfg, find(t, "CL")), state, "ingest: restore checks: the state was written by another version or with other limits"},
		"nothing":          {make(cfg, btc), nil, "ingest: restore checks: the state was written by another version or with other limits"},
		"cut":              {make(cfg, btc), state[:len(state)-1], "ingest: restore checks: the state is damaged: 161 bytes for 2 held bars"},
		"longer":           {make(cfg, btc), append(slices.Clone(state), 1), "ingest: restore checks: the state is damaged: 163 bytes for 2 held bars"},
		"very short":       {make(cfg, btc), state[:60], "ingest: restore checks: the state is cut short"},
	} {
		before := string(x.c.State(nil))
		if err := x.c.Restore(x.state); err == nil || err.Error() != x.want {
			t.Errorf("%s: %v", name, err)
		}
		if string(x.c.State(nil)) != before {
			t.Errorf("%s: a refused state left a mark", name)
		}
	}
}

func TestChecker_Allocations(t *testing.T) {
	c := ingest.NewChecker(ingest.DefaultChecks(), find(t, "BTCUSD"), &ingest.Report{}, func(*bar.Bar) {})
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		c.Push(minute(i, 100), 1)
	}); n > 0 && !race.Enabled {
		t.Error(n)
	}
}
