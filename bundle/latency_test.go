package bundle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/internal/race"
)

// BenchmarkDecision is the time from a bar to the decision that it makes due:
// every fifth bar, three bases' worth of features, the stack, the calibrator.
// p99_us is the 99th percentile over decisions in microseconds.
func BenchmarkDecision(b *testing.B) {
	tr := generated(b)
	o := tr.res.Outcomes[0]
	bd, err := tr.f.Bundle(tr.store, tr.res, o.Market, "stack", 0)
	if err != nil {
		b.Fatal(err)
	}
	rt, err := bd.Open(registries(tr.f))
	if err != nil {
		b.Fatal(err)
	}
	const warm = 5000
	stream(b, rt, o.Base.Slice(0, warm), func(int) bool { return true })
	state, err := rt.State()
	if err != nil {
		b.Fatal(err)
	}
	var x bar.Bar
	var took []time.Duration
	i := warm
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		if i == o.Base.Len() {
			b.StopTimer()
			if err := rt.Restore(state); err != nil {
				b.Fatal(err)
			}
			i = warm
			b.StartTimer()
		}
		o.Base.At(i, &x)
		i++
		t0 := time.Now()
		if err := rt.Push(&x); err != nil {
			b.Fatal(err)
		}
		ds, err := rt.Advance(b.Context(), x.Known)
		if err != nil {
			b.Fatal(err)
		}
		if len(ds) > 0 {
			took = append(took, time.Since(t0))
			n++
		}
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99_us")
}

// testAllocates bounds what a decision allocates: the decision itself and little
// beside it.
func testAllocates(t *testing.T, tr *trained) {
	o := tr.res.Outcomes[0]
	bd, err := tr.f.Bundle(tr.store, tr.res, o.Market, "stack", 0)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := bd.Open(registries(tr.f))
	if err != nil {
		t.Fatal(err)
	}
	i, decisions := 5000, 0
	stream(t, rt, o.Base.Slice(0, i), func(int) bool { return true })
	var x bar.Bar
	const runs, bars = 100, 50
	allocs := testing.AllocsPerRun(runs, func() {
		for range bars {
			o.Base.At(i, &x)
			i++
			if err := rt.Push(&x); err != nil {
				t.Fatal(err)
			}
			ds, err := rt.Advance(t.Context(), x.Known)
			if err != nil {
				t.Fatal(err)
			}
			decisions += len(ds)
		}
	})
	per := allocs * (runs + 1) / float64(decisions) // AllocsPerRun warms up once
	t.Logf("%.1f allocations a decision, %d decisions", per, decisions)
	if decisions < 500 || per > 25 && !race.Enabled {
		t.Errorf("%.1f allocations a decision over %d decisions, want at most 25", per, decisions)
	}
}
