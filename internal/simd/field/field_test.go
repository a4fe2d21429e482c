package field

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// plainIndex restates what Index finds, one byte at a time.
func plainIndex(text []byte, sep byte) (places []uint32, lines int, quoted bool) {
	for i, c := range text {
		if c == sep || c == '\n' {
			places = append(places, uint32(i))
		}
		if c == '\n' {
			lines++
		}
		quoted = quoted || c == '"'
	}
	return places, lines, quoted
}

func checkIndex(t *testing.T, text []byte, from int, sep byte, room int) {
	t.Helper()
	ends := make([]uint32, room)
	f := Index(ends, text, from, sep)
	places, lines, quoted := plainIndex(text[from:f.Next], sep)
	for i := range places {
		places[i] += uint32(from)
	}
	if f.Lines != lines || f.Quoted != quoted || !slices.Equal(ends[:f.N], places) {
		t.Fatalf("%v: %q from %d, %q, room for %d: %+v, %v; want %v, %d lines, quoted %v", simd.Current(), text, from, sep, room, f, ends[:f.N], places, lines, quoted)
	}
	if f.Next < len(text) && room-f.N >= Block {
		t.Fatalf("%v: stopped at %d of %d bytes with %d places free", simd.Current(), f.Next, len(text), room-f.N)
	}
}

func TestIndex(t *testing.T) {
	for _, p := range []simd.Path{simd.Generic, simd.AVX2, simd.AVX512} {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(1, 2))
			const common = ",\n\";\t|0\x00\x8a\xac\xff+-"
			for n := range 400 {
				text := make([]byte, n)
				for i := range text {
					text[i] = byte(r.IntN(256))
					if r.IntN(8) < n%9 {
						text[i] = common[r.IntN(len(common)-n%7)]
					}
				}
				for _, sep := range []byte(",;\t|") {
					checkIndex(t, text, 0, sep, n+Block)
					checkIndex(t, text, r.IntN(n+1), sep, r.IntN(n+Block))
				}
			}
			for _, c := range []string{",", "\n", "\"", "1"} {
				for _, n := range []int{0, 1, 63, 64, 65, 640} {
					checkIndex(t, []byte(strings.Repeat(c, n)), n/3, ',', n+Block)
				}
			}
		})
	}
}

// plainForm says whether s is of the form that Decimals reads, in other words than its code.
func plainForm(s string) bool {
	digits := strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	if len(digits) == 0 || len(s) > 16 || strings.Trim(digits, "0123456789") != "" || s[len(s)-1] == '.' {
		return false
	}
	m, err := strconv.ParseUint(digits, 10, 64)
	return err == nil && m <= 1<<53
}

// checkDecimal reads s alone, behind junk that must not matter, and holds the value to strconv, bit by bit.
func checkDecimal(t *testing.T, s string, junk byte, trim int) {
	t.Helper()
	text := append(bytes.Repeat([]byte{junk}, 20), s...)
	end := len(text) + trim
	text = append(text, "9.,1"...)
	dst := [2]float64{7, 7}
	n := Decimals(dst[:1], text, []uint32{19, uint32(end)}, 5, trim)
	if want := plainForm(s); (n == 1) != want {
		t.Fatalf("%v: %q: read %d, plain form %v", simd.Current(), s, n, want)
	}
	want := 7.0
	if n == 1 {
		var err error
		if want, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatal(err)
		}
	}
	if math.Float64bits(dst[0]) != math.Float64bits(want) || dst[1] != 7 {
		t.Fatalf("%v: %q: %v, want %v", simd.Current(), s, dst, want)
	}
}

var numbers = []string{
	"0", "1", "9", "0.1", "29374.15", "1676.75", ".5", "5.", ".", "..", "1.2.3", "1.23456.78", "12345678", "123456789", "1234567.8", "12345678.1234567",
	"9007199254740993", "9007199254740992", "9007199254740991", "9999999999999999", "999999999999999", "1234567890123456", "12345678901234567",
	"0.00000000000001", "00000000000000.1", ".000000000000001", "0000000000000000", "123456789012345.", "1e5", "-1", "-0", "-", "--1", "-.5", "-1.", "-.", "-12345678.12", "-123456789012345", "-1234567890123456", "1-", "-9.007199254740992", "+1", "", " 1", "1 ", "1:", "1/", "1;", "1\x80", "\xb01",
	"2.675", "0.3", "1,5", "8.1", "10000.", "x", "12345678.", "1234567.", ".12345678", ".1234567",
}

func TestDecimals(t *testing.T) {
	for _, p := range []simd.Path{simd.Generic, simd.AVX2, simd.AVX512} {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(3, 4))
			for _, s := range numbers {
				for _, junk := range []byte(",.90-\x00\xff") {
					checkDecimal(t, s, junk, 0)
					checkDecimal(t, s, junk, 1)
				}
			}
			for range 100000 {
				s := strconv.FormatFloat(math.Exp(25*r.Float64()-5), 'f', r.IntN(12), 64)
				checkDecimal(t, s, ',', 0)
				checkDecimal(t, "-"+s, '-', 0)
				b := []byte(s)
				b[r.IntN(len(b))] = "0123456789..-+e \x00\xff"[r.IntN(18)]
				checkDecimal(t, string(b), '.', 0)
			}
		})
	}
}

// TestDecimals_Columns reads columns of whole lines and stops where it must.
func TestDecimals_Columns(t *testing.T) {
	for _, p := range []simd.Path{simd.Generic, simd.AVX2, simd.AVX512} {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			const head = "one,two,three\r\n_" // the places begin behind it
			text := []byte(head)
			const rows = 50
			for i := range rows {
				text = append(text, strconv.Itoa(i)+".5,"+strconv.Itoa(i*i)+",0."+strconv.Itoa(i)+"\r\n"...)
			}
			ends := make([]uint32, 4*rows+Block)
			f := Index(ends[1:], text, len(head), ',')
			if f.N != 3*rows || f.Lines != rows || f.Next != len(text) {
				t.Fatalf("%+v", f)
			}
			ends[0] = uint32(len(head) - 1)
			dst := make([]float64, rows)
			for c, want := range []func(i float64) float64{
				func(i float64) float64 { return i + 0.5 },
				func(i float64) float64 { return i * i },
				func(i float64) float64 { return i / math.Pow10(max(1, len(strconv.Itoa(int(i))))) },
			} {
				if n := Decimals(dst, text, ends[c:], 3, c/2); n != rows {
					t.Fatalf("column %d: %d rows", c, n)
				}
				for i, x := range dst {
					if x != want(float64(i)) {
						t.Fatalf("column %d, row %d: %v", c, i, x)
					}
				}
			}
			if n := Decimals(dst, text, ends[2:], 3, 0); n != 0 {
				t.Errorf("read %d numbers that end with a carriage return", n)
			}
			text[ends[3*17+1]-1] = 'x'
			if n := Decimals(dst, text, ends, 3, 0); n != 17 {
				t.Errorf("stopped at %d, want 17", n)
			}
			// Nothing is read beyond the text, nor before it.
			if n := Decimals(dst, text[:ends[31]-1], ends, 3, 0); n != 10 {
				t.Errorf("read %d of 10 numbers of a cut text", n)
			}
			if n := Decimals(dst[:1], text[:15], ends, 3, 0); n != 0 {
				t.Errorf("read a number of a text of 15 bytes")
			}
			if n := Decimals(dst[:1], []byte("12345678901234,99999"), []uint32{9, 14}, 1, 0); n != 0 {
				t.Errorf("read a number that ends in the first 16 bytes")
			}
			if n := Decimals(dst[:1], []byte("12345678901234,99999"), []uint32{14, 9}, 1, 0); n != 0 {
				t.Errorf("read a field that ends before it begins")
			}
		})
	}
}

func TestNoAllocation(t *testing.T) {
	text := []byte(strings.Repeat("1.5,2.5,", 100))
	ends, dst := make([]uint32, 400), make([]float64, 50)
	if n := testing.AllocsPerRun(10, func() {
		Index(ends, text, 0, ',')
		Decimals(dst, text, ends[20:], 2, 0)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzField(f *testing.F) {
	for _, s := range numbers {
		f.Add([]byte(s), byte(','))
	}
	f.Fuzz(func(t *testing.T, text []byte, sep byte) {
		for _, p := range simd.Supported() {
			simd.Force(t, p)
			checkIndex(t, text, len(text)/5, sep, len(text)+Block)
			if len(text) < 40 && !bytes.ContainsAny(text, "\n") {
				checkDecimal(t, string(text), sep, 0)
			}
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	text := bytes.Repeat([]byte("2016-09-01T00:00:00Z,30000.00,30000.95,29995.28,29996.92,56.2869\n"), 1000)
	ends := make([]uint32, 6000+Block)
	for _, p := range simd.Supported() {
		b.Run(p.String(), func(b *testing.B) {
			simd.Force(b, p)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Index(ends, text, 0, ',')
			}
		})
	}
}

func BenchmarkDecimals(b *testing.B) {
	text := bytes.Repeat([]byte("2016-09-01T00:00:00Z,30000.00,30000.95,29995.28,29996.92,56.2869\n"), 1000)
	ends := make([]uint32, 6000+Block)
	Index(ends, text, 0, ',')
	dst := make([]float64, 1000)
	for _, p := range simd.Supported() {
		b.Run(p.String(), func(b *testing.B) {
			simd.Force(b, p)
			for b.Loop() {
				if n := Decimals(dst, text, ends[4:], 6, 0); n != 999 && n != 1000 {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/number")
		})
	}
}
