package feature_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/internal/shareddata"
)

// bitcoin is 2.27 million real minutes; stamps are begins.
func bitcoin(t testing.TB) *bar.Series {
	t.Helper()
	r, err := file.OpenParquetFile(shareddata.Path(t, "btcusd_bitfinex_1m_2016_2021.parquet"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := int(r.NumRows())
	begin := make([]int64, n)
	columns := map[string][]float64{}
	for j := range r.MetaData().Schema.NumColumns() {
		name := r.MetaData().Schema.Column(j).Name()
		if name != "ts" {
			columns[name] = make([]float64, n)
		}
		at := 0
		for g := range r.NumRowGroups() {
			group := r.RowGroup(g)
			c, err := group.Column(j)
			if err != nil {
				t.Fatal(err)
			}
			for end := at + int(group.NumRows()); at < end; {
				var k int64
				var read int
				switch c := c.(type) {
				case *file.Int64ColumnChunkReader:
					k, read, err = c.ReadBatch(int64(end-at), begin[at:end], nil, nil)
				case *file.Float64ColumnChunkReader:
					k, read, err = c.ReadBatch(int64(end-at), columns[name][at:end], nil, nil)
				}
				if err != nil || read == 0 || int(k) != read {
					t.Fatalf("column %s row %d: %d values, %v", name, at, read, err)
				}
				at += read
			}
		}
	}
	s := &bar.Series{
		Timeframe: bar.Minute, Begin: begin, End: make([]int64, n),
		Open: columns["open"], High: columns["high"], Low: columns["low"], Close: columns["close"], Volume: columns["volume"],
		Session: make([]int32, n), Segment: make([]int32, n), Flags: make([]bar.Flag, n),
	}
	for i := range begin {
		s.Begin[i] *= 1e6 // from milliseconds
		s.End[i] = s.Begin[i] + int64(bar.Minute)
	}
	s.Known = s.End
	c := cal(t, calendar.Always)
	bar.Assign(s, c, bar.OutageLimit(bar.Minute, c))
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

// TestNoDefaultFeatureTellsTheDate: a feature that rises with the years lets a
// model learn the calendar. Checked on bitcoin, which rose 100-fold.
func TestNoDefaultFeatureTellsTheDate(t *testing.T) {
	s, r, c := bitcoin(t), registry(t), cal(t, calendar.Always)
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

// TestBitcoinLiveEqualsHistory streams a stretch of real minutes with absent
// ones and an outage.
func TestBitcoinLiveEqualsHistory(t *testing.T) {
	all, r, c := bitcoin(t), registry(t), cal(t, calendar.Always)
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
