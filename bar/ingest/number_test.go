package ingest

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd/field"
)

// checkFloat holds parseFloat and the fast way to strconv, bit by bit.
func checkFloat(t *testing.T, s string) {
	t.Helper()
	got, ok := parseFloat([]byte(s))
	want, err := strconv.ParseFloat(s, 64)
	plain := strings.Trim(s, "0123456789.+-eE") == ""
	if wantOK := err == nil && plain && !math.IsInf(want, 0); ok != wantOK || ok && math.Float64bits(got) != math.Float64bits(want) {
		t.Fatalf("%q: got %v, %v; strconv gives %v, %v", s, got, ok, want, err)
	}
	if fast, n := fastFloat(s); n && (!ok || math.Float64bits(fast) != math.Float64bits(want)) {
		t.Fatalf("%q: the fast way gives %v, want %v, %v", s, fast, want, ok)
	}
}

// fastFloat reads a number the way in which those of ordinary lines are read.
func fastFloat(s string) (float64, bool) {
	var x [1]float64
	text := append(make([]byte, padding), s+"\n"...)
	n := field.Decimals(x[:], text, []uint32{padding - 1, uint32(padding + len(s))}, 1, 0)
	return x[0], n == 1
}

var floats = []string{
	"0", "-0", "1", "-1", "0.1", "29374.15", "1676.75", ".5", "5.", "-.5", "12345678", "123456789", "1234567.8", "12345678.12345678",
	"9007199254740993", "9007199254740992", "0.000000000000000000000001", "1e5", "1E-5", "1e400", "1e-400", "2.2250738585072011e-308",
	"123456789012345678", "1234567890123456789", "999999999999999999", "0.12345678901234567", "8.1", "1.7976931348623157e308",
	"", ".", "-", "+", "+1.5", "1.2.3", "1,5", "0x10", "1_000", "Inf", "NaN", "1e", "--1", "1-", "1 ", "12345678901234567890.5", "0.3", "2.675",
	"00000000000000000000000001", "0.00000000", "1.00000000000000000",
}

func TestFloats(t *testing.T) {
	for _, s := range floats {
		checkFloat(t, s)
	}
	r := rand.New(rand.NewPCG(5, 6))
	fast := 0
	for range 200000 {
		s := strconv.FormatFloat(math.Exp(20*r.Float64()-5), 'f', r.IntN(10), 64)
		if r.IntN(2) == 0 {
			s = "-" + s
		}
		checkFloat(t, s)
		if _, ok := fastFloat(s); ok {
			fast++
		}
		checkFloat(t, strconv.FormatFloat(math.Float64frombits(r.Uint64()), 'g', -1, 64))
	}
	if fast < 150000 {
		t.Errorf("the fast way read %d of 200000 prices", fast)
	}
}

func FuzzFloat(f *testing.F) {
	for _, s := range floats {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 400 && !strings.ContainsAny(s, ",") {
			checkFloat(t, s)
		}
	})
}

func TestMissing(t *testing.T) {
	for s, want := range map[string]bool{"": true, "-": true, "NA": true, "nan": true, "NaN": true, "n/a": true, "NULL": true, "None": true, "0": false, "x": false, "nope": false} {
		if missing([]byte(s)) != want {
			t.Error(s)
		}
	}
}
