package label_test

import (
	"context"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/label"
)

// BenchmarkTriple labels a decision every five minutes of 150,000 minutes; wide barriers make most rows live for the
// whole horizon of 100 minutes, twice.
func BenchmarkTriple(b *testing.B) {
	s := market(1, 150000, 0)
	in := input(s, 5*minute)
	in.Timeframe = 5 * bar.Minute
	for i := range in.Width {
		in.Width[i] = .2
	}
	cfg := config()
	cfg.Horizon = 20
	for b.Loop() {
		if _, err := label.Triple(context.Background(), in, cfg, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(in.Decisions)), "ns/row")
}
