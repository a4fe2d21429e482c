package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// rows is everything that a csvReader gives, as text.
func rows(src io.Reader, cfg Config, loc *time.Location, fast bool) (string, error) {
	st := stamper{zone: zone{loc: loc}}
	c := &csvReader{src: src, stamps: st, others: [2]stamper{st, st}}
	if err := c.open(&cfg); err != nil {
		return "", err
	}
	if !fast {
		c.fast = nil
	}
	var out strings.Builder
	err := c.each(context.Background(), func(b *block) error {
		for i := range b.n {
			fmt.Fprint(&out, b.line[i], " ", b.stamp[i])
			if b.begin != nil {
				fmt.Fprint(&out, " ", b.begin[i], " ", b.known[i])
			}
			for q := range b.v {
				fmt.Fprintf(&out, " %x", math.Float64bits(b.v[q][i]))
			}
			out.WriteByte('\n')
		}
		return nil
	})
	return out.String(), err
}

// checkWays reads a text line by line, by columns on every kernel path, and in
// pieces of any size: the rows and the error are the same. (Rows before an error
// are not: a block is given when it is full.)
func checkWays(t *testing.T, text []byte) {
	t.Helper()
	cfg := Default()
	want, wantErr := rows(bytes.NewReader(text), cfg, time.UTC, false)
	same := func(way string, got string, err error) {
		t.Helper()
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || err == nil && got != want {
			t.Fatalf("%s: error %v, want %v; rows\n%s\nwant\n%s\nof %q", way, err, wantErr, clip([]byte(got)), clip([]byte(want)), text)
		}
	}
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		got, err := rows(bytes.NewReader(text), cfg, time.UTC, true)
		same(p.String(), got, err)
	}
	got, err := rows(iotest.OneByteReader(bytes.NewReader(text)), cfg, time.UTC, true)
	same("byte by byte", got, err)
	got, err = rows(iotest.HalfReader(bytes.NewReader(text)), cfg, time.UTC, true)
	same("in halves", got, err)
}

// odd makes a line that is not ordinary; some of them are errors.
func odd(r *rand.Rand, fields []string, sep string) string {
	f := slices.Clone(fields)
	i := r.IntN(len(f))
	switch r.IntN(14) {
	case 0:
		f[i] = `"` + f[i] + `"`
	case 1:
		f[i] = " " + f[i] + "  "
	case 2:
		f[len(f)-2] = ""
	case 3:
		f[len(f)-2] = []string{"nan", "N/A", "null", "-"}[r.IntN(4)]
	case 4:
		f[1] = "-" + f[1]
	case 5:
		f[1] = "1.25e2"
	case 6:
		f[2] += "0000000000000"
	case 7:
		return ""
	case 8:
		f = append(f, "")
	case 9:
		f[len(f)-1] = `"a` + sep + `b"`
	case 10:
		f[len(f)-1] = strings.Repeat("x", r.IntN(3000))
	case 11:
		f[len(f)-1] = "\r"
	case 12:
		if r.IntN(30) == 0 {
			f[i] = []string{"x", "1.2.3", "", "12:99", "1,5", "\x00"}[r.IntN(6)]
		}
	case 13:
		if r.IntN(30) == 0 {
			f = f[:r.IntN(len(f))]
		}
	}
	return strings.Join(f, sep)
}

func TestWays(t *testing.T) {
	for seed := range uint64(64) {
		r := rand.New(rand.NewPCG(seed, 21))
		sep := []string{",", ";", "\t", "|"}[seed%4]
		end := []string{"\n", "\r\n"}[seed/4%2]
		layout := []string{"2006-01-02T15:04:05Z", "2006-01-02 15:04", "epoch", "20060102 150405"}[seed/8%4]
		n, often := 1+r.IntN(4000), []int{1 << 30, 1000, 100, 10, 3}[r.IntN(5)]
		var text strings.Builder
		text.WriteString(strings.Join([]string{"ts", "open", "high", "low", "close", "volume", "note"}, sep) + end)
		at := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
		for i := range n {
			stamp := at.Format(layout)
			if layout == "epoch" {
				stamp = fmt.Sprint(at.Unix())
			}
			at = at.Add(time.Minute * time.Duration(1+r.IntN(2)))
			p := 100 + 10*r.NormFloat64()
			f := []string{stamp, fmt.Sprintf("%.2f", p), fmt.Sprintf("%.4f", p+1), fmt.Sprintf("%.0f", p), fmt.Sprintf("%v", p), fmt.Sprintf("%.8f", 100*r.ExpFloat64()), "t"}
			line := strings.Join(f, sep)
			if r.IntN(often) == 0 {
				line = odd(r, f, sep)
			}
			text.WriteString(line)
			switch {
			case i < n-1 && r.IntN(often) == 0:
				text.WriteString("\r\n")
			case i < n-1 || r.IntN(2) == 0:
				text.WriteString(end)
			}
		}
		checkWays(t, []byte(text.String()))
	}
}

func FuzzWays(f *testing.F) {
	f.Add([]byte("ts,open,high,low,close,volume\n2021-01-01T00:00:00Z,1,2,1,2,3\n2021-01-01T00:01:00Z,1,2,1,2,\n\n2021-01-01T00:02:00Z,1,2,1,2,-\n"))
	f.Add([]byte("t;o;h;l;c\r\n1609459200;1;2;1;1\r\n1609459260;1;2;1;1.5\n1609459320;1;2;1;\"1\"\r\n"))
	f.Add([]byte("bar_begin,bar_end,bar_known,open,high,low,close,volume\n2021-01-01T00:00:00Z,2021-01-01T00:01:00Z,2021-01-01T00:01:00Z,1,2,1,2,\n"))
	f.Fuzz(func(t *testing.T, text []byte) { checkWays(t, text) })
}
