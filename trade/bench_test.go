package trade_test

import (
	"context"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// BenchmarkRandom draws ten records of some 10,000 trades in 150,000 minutes.
func BenchmarkRandom(b *testing.B) {
	r := simulate(b, record(b, 1, 150000, paid()))
	for b.Loop() {
		if _, err := r.Random(context.Background(), 10, rng.New(1), 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10/float64(len(r.Trades)), "ns/trade")
}
