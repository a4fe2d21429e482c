package feature_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/internal/shareddata"
)

// real reads a real file through the product's own reader and checks.
func real(t testing.TB, name, instrument, stamps, timeframe string) (*bar.Series, *calendar.Calendar) {
	t.Helper()
	i, err := bar.Find(instrument)
	if err != nil {
		t.Fatal(err)
	}
	cfg := ingest.Default()
	cfg.Stamps, cfg.Zone, cfg.Timeframe = stamps, "UTC", timeframe
	s, _, err := ingest.Read(context.Background(), shareddata.Path(t, name), cfg, i)
	if err != nil {
		t.Fatal(err)
	}
	c, err := i.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// bitcoin is 2.27 million real minutes.
func bitcoin(t testing.TB) *bar.Series {
	s, _ := real(t, "btcusd_bitfinex_1m_2016_2021.parquet", "BTCUSD", "begin", "auto")
	return s
}

// ranks are the ranks of x, ties at their mean.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
	r := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			r[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return r
}

// spearman is the rank correlation of x with its index.
func spearman(x []float64) float64 {
	r := ranks(x)
	m := float64(len(x)-1) / 2
	var xy, xx, yy float64
	for i, v := range r {
		xy += (v - m) * (float64(i) - m)
		xx += (v - m) * (v - m)
		yy += (float64(i) - m) * (float64(i) - m)
	}
	if xx == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func TestBitcoin(t *testing.T) {
	s := bitcoin(t)
	t.Run("NoDefaultFeatureTellsTheDate", func(t *testing.T) { noDefaultFeatureTellsTheDate(t, s) })
	t.Run("LiveEqualsHistory", func(t *testing.T) { bitcoinLiveEqualsHistory(t, s) })
}

// noDefaultFeatureTellsTheDate: a feature that rises with the years lets a
// model learn the calendar. Checked on bitcoin, which rose 100-fold.
func noDefaultFeatureTellsTheDate(t *testing.T, s *bar.Series) {
	r, c := registry(t), cal(t, calendar.Always)
	set, err := r.Set([]feature.Choice{
		{Timeframes: []bar.Timeframe{5 * bar.Minute, bar.Hour, bar.Session}, Families: []string{"return", "trend", "momentum", "volatility", "volume", "shape", "session"}},
		{Timeframes: []bar.Timeframe{bar.Hour}, Features: []feature.Spec{{Name: "sma"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := feature.Compute(context.Background(), r, s, c, set, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range store.Matrices {
		for j, name := range m.Names {
			var x []float64
			for i := 0; i < m.Rows(); i += max(1, m.Rows()/4000) {
				if v := m.Row(i)[j]; v == v {
					x = append(x, float64(v))
				}
			}
			rho := spearman(x)
			if name == "sma_20" {
				if rho < 0.5 {
					t.Errorf("the price itself has ρ %.2f with time, so nothing was tested", rho)
				}
				continue
			}
			if math.Abs(rho) > 0.9 {
				t.Errorf("%s has ρ %.2f with time", feature.ColumnName(name, m.Timeframe), rho)
			}
			if len(x) < 400 {
				t.Errorf("%s has only %d values", feature.ColumnName(name, m.Timeframe), len(x))
			}
		}
	}
}

// bitcoinLiveEqualsHistory streams a stretch of real minutes with absent
// ones and an outage.
func bitcoinLiveEqualsHistory(t *testing.T, all *bar.Series) {
	r, c := registry(t), cal(t, calendar.Always)
	at := 0
	for all.Segment[at] == 0 {
		at++
	}
	s := all.Slice(at-6000, at+6000)
	set := ladder(t, r)
	d, err := feature.NewDriver(r, set, bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	stream(t, d, s)
	store, err := feature.Compute(context.Background(), r, s, c, set, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(store.Marks) < 2 {
		t.Fatal("the stretch has no outage")
	}
	sameStore(t, store, d.Store())
}

// TestRealFiles computes the default set on sessions, thin trading, missing
// volume, hours and dollar bars: live equals history, and what is missing is
// what the data lack.
func TestRealFiles(t *testing.T) {
	for _, v := range []struct{ file, instrument, stamps, timeframe string }{
		{"fesx_1m_2006q1.csv.gz", "FESX", "end", "auto"},
		{"spy_1m_lean.csv.gz", "SPY", "begin", "auto"},
		{"btcperp_1m_202201.csv.gz", "BTCUSD", "assume-begin", "auto"},
		{"nasdaq100_cfd_1h_2013_2023.csv.gz", "NQ", "begin", "auto"},
		{"es_dollar_bars_2015_2016.csv.gz", "ES", "end", "native"},
	} {
		t.Run(v.file, func(t *testing.T) {
			s, c := real(t, v.file, v.instrument, v.stamps, v.timeframe)
			r := registry(t)
			set, err := feature.DefaultSet(r, s.Timeframe)
			if err != nil {
				t.Fatal(err)
			}
			store, err := feature.Compute(context.Background(), r, s, c, set, 2)
			if err != nil {
				t.Fatal(err)
			}
			d, err := feature.NewDriver(r, set, s.Timeframe, c)
			if err != nil {
				t.Fatal(err)
			}
			stream(t, d, s)
			sameStore(t, d.Store(), store)
			m := store.Matrices[0] // the finest
			for j, name := range m.Names {
				missing := 0
				for i := range m.Rows() {
					if _, ok := c.At(m.End[i] - 1); ok && math.IsNaN(float64(m.Row(i)[j])) {
						missing++ // inside of a session; outside there is no clock
					}
				}
				// The first 200 bars of each segment, and bars of one price.
				if limit := 200*len(store.Marks) + m.Rows()/10; missing > limit {
					t.Errorf("%s is missing on %d of %d bars", name, missing, m.Rows())
				}
			}
		})
	}
}

// BenchmarkComputeBitcoin is history over 2.27 million minutes with every
// default feature on nine timeframes, on one core.
func BenchmarkComputeBitcoin(b *testing.B) {
	s, r, c := bitcoin(b), registry(b), cal(b, calendar.Always)
	set, err := r.Set([]feature.Choice{{
		Timeframes: append([]bar.Timeframe{bar.Minute}, bar.Ladder()[:8]...),
		Families:   []string{"return", "trend", "momentum", "volatility", "volume", "shape", "session"},
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		store, err := feature.Compute(context.Background(), r, s, c, set, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(store.Columns())), "columns")
	}
}
