package calendar_test

import (
	"testing"
	"time"
)

func BenchmarkOpenTime(b *testing.B) {
	cal := mustCal(b, "CME")
	x := at(b, "2016-01-01T00:00:00Z")
	n := int64(0)
	for b.Loop() {
		n = (n + 61) % 2_600_000
		t := x + n*int64(time.Minute)
		cal.OpenTime(t, t+int64(100*time.Minute))
	}
}

func BenchmarkTable(b *testing.B) {
	for b.Loop() {
		cal := mustCal(b, "CME")
		cal.At(0)
	}
}
