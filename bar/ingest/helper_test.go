package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
)

func find(t testing.TB, name string) bar.Instrument {
	t.Helper()
	inst, err := bar.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

// stated is a config with begin stamps in UTC.
func stated() ingest.Config {
	cfg := ingest.Default()
	cfg.Stamps, cfg.Zone = "begin", "UTC"
	return cfg
}

func file(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads CSV text as bars of BTCUSD.
func read(t testing.TB, text string, cfg ingest.Config) (*bar.Series, *ingest.Report, error) {
	t.Helper()
	return ingest.Read(context.Background(), file(t, "bars.csv", []byte(text)), cfg, find(t, "BTCUSD"))
}

func mustRead(t testing.TB, text string, cfg ingest.Config) (*bar.Series, *ingest.Report) {
	t.Helper()
	s, rep, err := read(t, text, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, rep
}

// lines makes n minutes of plain CSV without a header, from 2021-03-01 on.
func lines(n int) []string {
	at := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
	out := make([]string, n)
	for i := range out {
		p := 100 + math.Sin(float64(i)/50)
		out[i] = fmt.Sprintf("%s,%.2f,%.2f,%.2f,%.3f,%d.%04d", at.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), p, p+1, p-1, p+0.1, 1+i%7, i%10000)
	}
	return out
}

const header = "ts,open,high,low,close,volume\n"

func join(l []string) string { return header + strings.Join(l, "\n") + "\n" }

func gz(t testing.TB, content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t testing.TB, content []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

// same compares two series bit by bit.
func same(t testing.TB, a, b *bar.Series) {
	t.Helper()
	if a.Len() != b.Len() || a.Timeframe != b.Timeframe {
		t.Fatalf("%d bars of %v, want %d of %v", a.Len(), a.Timeframe, b.Len(), b.Timeframe)
	}
	var x, y bar.Bar
	for i := range a.End {
		a.At(i, &x)
		b.At(i, &y)
		if !equal(&x, &y) {
			t.Fatalf("bar %d: %+v\nwant %+v", i, x, y)
		}
	}
}

func equal(x, y *bar.Bar) bool {
	eq := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	return x.Begin == y.Begin && x.End == y.End && x.Known == y.Known && x.Session == y.Session && x.Segment == y.Segment && x.Flags == y.Flags &&
		eq(x.Open, y.Open) && eq(x.High, y.High) && eq(x.Low, y.Low) && eq(x.Close, y.Close) &&
		(eq(x.Volume, y.Volume) || math.IsNaN(x.Volume) && math.IsNaN(y.Volume))
}
