package bar_test

import (
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
)

// BenchmarkResample builds each timeframe from 2.27 million one-minute bars in a
// continuous market with holes.
func BenchmarkResample(b *testing.B) {
	c := cal(b, "24/7")
	from := at(b, "2017-01-01T00:00:00Z")
	s := noise(c, from, from+int64(2_390_000*time.Minute), 0.05, 0, 1)
	for _, tf := range []bar.Timeframe{5 * bar.Minute, bar.Hour, bar.Session} {
		b.Run(tf.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := bar.Resample(s, tf, c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s.Len()), "ns/row")
		})
	}
}

func BenchmarkAssign(b *testing.B) {
	c := cal(b, "CME")
	from := at(b, "2017-01-01T00:00:00Z")
	s := noise(c, from, from+int64(500_000*time.Minute), 0.05, 0, 1)
	for b.Loop() {
		bar.Assign(s, c, time.Hour)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s.Len()), "ns/row")
}
