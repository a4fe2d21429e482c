package frame_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"pgregory.net/rapid"
)

// example has every kind, several row groups when rows is large, NaNs of several bit patterns and both zeros.
func example(rows int) *frame.Frame {
	f := &frame.Frame{Time: make([]int64, rows), Meta: map[string]string{"b": "2", "a": "1", "empty": ""}}
	f64, f32 := make([]float64, rows), make([]float32, rows)
	i64, i32, i8 := make([]int64, rows), make([]int32, rows), make([]int8, rows)
	b, s, at, local := make([]bool, rows), make([]string, rows), make([]int64, rows), make([]int64, rows)
	for i := range rows {
		f.Time[i] = 1_500_000_000_000_000_000 + int64(i/2)*60_000_000_000
		f64[i] = math.Sin(float64(i)) * 1e5
		f32[i] = float32(i) / 3
		switch i % 11 {
		case 3:
			f64[i], f32[i] = math.NaN(), float32(math.NaN())
		case 4:
			f64[i], f32[i] = math.Float64frombits(0xfff8000000000001), math.Float32frombits(0xffc00001)
		case 5:
			f64[i], f32[i] = math.Copysign(0, -1), 0
		case 6:
			f64[i], f32[i] = math.Inf(-1), float32(math.Inf(1))
		}
		i64[i] = int64(i)*(math.MaxInt64/int64(rows+1)) - 5
		i32[i] = int32(-i)
		i8[i] = int8(i%3 - 1)
		b[i] = i%7 == 0
		s[i] = []string{"long", "short", "", "é", "a longer reason for an exit"}[i%5]
		at[i] = math.MinInt64 + int64(i)
		local[i] = int64(i)
	}
	f.Columns = []frame.Column{
		frame.Float64("f64", f64), frame.Float32("f32", f32), frame.Int64("i64", i64), frame.Int32("i32", i32), frame.Int8("class", i8),
		frame.Bool("win", b), frame.String("reason", s), frame.Time("entry", at), {Name: "stamp", Kind: frame.KindLocalTime, Int64: local},
	}
	return f
}

func parquetBytes(t testing.TB, f *frame.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteParquet(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ipcBytes(t testing.TB, f *frame.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteIPC(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrips(t *testing.T) {
	for _, rows := range []int{0, 1, 2, 1000, 300_000} {
		f := example(rows)
		want := f.Digest()
		file := parquetBytes(t, f)
		p, err := frame.ReadParquet(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatalf("%d rows: %v", rows, err)
		}
		if got := p.Digest(); got != want {
			t.Errorf("%d rows: parquet digest %s, want %s", rows, got, want)
		}
		hot := ipcBytes(t, f)
		h, err := frame.ReadIPC(bytes.NewReader(hot), int64(len(hot)))
		if err != nil {
			t.Fatalf("%d rows: %v", rows, err)
		}
		if got := h.Digest(); got != want {
			t.Errorf("%d rows: arrow digest %s, want %s", rows, got, want)
		}
		if !bytes.Equal(parquetBytes(t, h), file) || !bytes.Equal(ipcBytes(t, p), hot) {
			t.Errorf("%d rows: equal content gave different bytes", rows)
		}
		if rows == 1000 && (p.Column("class").Int8[2] != 1 || p.Column("reason").String[3] != "é" || !math.IsNaN(p.Column("f64").Float64[4]) || p.Meta["b"] != "2") {
			t.Error("values are not where they belong")
		}
	}
}

func TestOpenIPC(t *testing.T) {
	f := example(1000)
	path := filepath.Join(t.TempDir(), "hot.arrow")
	if err := os.WriteFile(path, ipcBytes(t, f), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := frame.OpenIPC(path)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Mapped() {
		t.Log("files cannot be mapped here; the heap form is tested instead")
	}
	if got, want := o.Frame().Digest(), f.Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	reason := o.Frame().Column("reason").String
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if reason[4] != "a longer reason for an exit" {
		t.Error("texts must outlive the mapping")
	}
	if err := o.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	if _, err := frame.OpenIPC(path + ".absent"); err == nil || !strings.Contains(err.Error(), ".absent") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestDigest(t *testing.T) {
	base := func() *frame.Frame {
		return &frame.Frame{Time: []int64{1, 2}, Columns: []frame.Column{frame.Float64("x", []float64{0, math.NaN()}), frame.String("s", []string{"ab", "c"})}}
	}
	want := base().Digest()
	same := map[string]func(*frame.Frame){
		"another NaN":    func(f *frame.Frame) { f.Columns[0].Float64[1] = math.Float64frombits(0x7ff0000000000001) },
		"empty metadata": func(f *frame.Frame) { f.Meta = map[string]string{} },
		"a view": func(f *frame.Frame) {
			f.Time = []int64{0, 1, 2, 3}
			f.Columns = []frame.Column{frame.Float64("x", []float64{9, 0, math.NaN(), 9}), frame.String("s", []string{"", "ab", "c", ""})}
			*f = *f.Slice(1, 3)
		},
	}
	for name, change := range same {
		f := base()
		change(f)
		if f.Digest() != want {
			t.Errorf("%s changed the digest", name)
		}
	}
	other := map[string]func(*frame.Frame){
		"minus zero":   func(f *frame.Frame) { f.Columns[0].Float64[0] = math.Copysign(0, -1) },
		"value":        func(f *frame.Frame) { f.Columns[0].Float64[0] = 5e-324 },
		"time":         func(f *frame.Frame) { f.Time[1] = 3 },
		"no index":     func(f *frame.Frame) { f.Time = nil },
		"name":         func(f *frame.Frame) { f.Columns[0].Name = "y" },
		"order":        func(f *frame.Frame) { f.Columns[0], f.Columns[1] = f.Columns[1], f.Columns[0] },
		"kind":         func(f *frame.Frame) { f.Columns[0] = frame.Time("x", []int64{0, int64(0x7ff8000000000000)}) },
		"text borders": func(f *frame.Frame) { f.Columns[1].String = []string{"a", "bc"} },
		"metadata":     func(f *frame.Frame) { f.Meta = map[string]string{"zone": "UTC"} },
		"fewer rows":   func(f *frame.Frame) { *f = *f.Slice(0, 1) },
		"index as column": func(f *frame.Frame) {
			f.Columns = append([]frame.Column{frame.Time("time", f.Time)}, f.Columns...)
			f.Time = nil
		},
	}
	seen := map[string]string{want: "base"}
	for name, change := range other {
		f := base()
		change(f)
		d := f.Digest()
		if prev, clash := seen[d]; clash {
			t.Errorf("%s and %s have one digest", name, prev)
		}
		seen[d] = name
	}
	// The digest is an identity that outlives a release: this value may change only together with digestVersion.
	if want != "b3a658072815650a3bf5d19d38733c0ee154ff5b960ef5e579eec9ec4b8d0fed" {
		t.Errorf("digest of the example is %s", want)
	}
}

func TestValidateRefuses(t *testing.T) {
	x := []float64{1, 2}
	for want, f := range map[string]*frame.Frame{
		"no time index and no columns":             {},
		"runs backwards at row 1":                  {Time: []int64{2, 1}},
		`two columns are called "x"`:               {Columns: []frame.Column{frame.Float64("x", x), frame.Float64("x", x)}},
		`two columns are called "time"`:            {Time: []int64{1, 2}, Columns: []frame.Column{frame.Float64("time", x)}},
		"column 0 has no name":                     {Columns: []frame.Column{frame.Float64("", x)}},
		`column "y" has 1 values`:                  {Columns: []frame.Column{frame.Float64("x", x), frame.Float64("y", x[:1])}},
		`column "x" has 2 values, the frame has 0`: {Time: []int64{}, Columns: []frame.Column{frame.Float64("x", x)}},
		"unknown kind(0)":                          {Columns: []frame.Column{{Name: "x", Float64: x}}},
		"holds values of another kind":             {Columns: []frame.Column{{Name: "x", Kind: frame.KindFloat32, Float64: x}}},
	} {
		err := f.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if f.WriteParquet(&bytes.Buffer{}) == nil || f.WriteIPC(&bytes.Buffer{}) == nil {
			t.Errorf("%q was written", want)
		}
	}
	reserved := &frame.Frame{Columns: []frame.Column{frame.Float64("x", x)}, Meta: map[string]string{"mlfactory.index": "x"}}
	if reserved.WriteParquet(&bytes.Buffer{}) == nil || reserved.WriteIPC(&bytes.Buffer{}) == nil {
		t.Error("the reserved key was written")
	}
}

func TestReadParquetColumns(t *testing.T) {
	f := example(100)
	file := parquetBytes(t, f)
	got, err := frame.ReadParquet(bytes.NewReader(file), int64(len(file)), "win", "f64")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Columns) != 2 || got.Columns[0].Name != "win" || got.Columns[1].Name != "f64" || !reflect.DeepEqual(got.Time, f.Time) {
		t.Errorf("read %d columns", len(got.Columns))
	}
	if _, err := frame.ReadParquet(bytes.NewReader(file), int64(len(file)), "nope"); err == nil || !strings.Contains(err.Error(), `no column "nope"`) {
		t.Errorf("an unknown column: %v", err)
	}
}

// TestDamaged cuts and changes files: every outcome is an error or a frame, never a panic, and every truncation is an error.
func TestDamaged(t *testing.T) {
	f := example(50)
	dir := t.TempDir()
	for name, file := range map[string][]byte{"parquet": parquetBytes(t, f), "arrow": ipcBytes(t, f)} {
		read := func(b []byte) (*frame.Frame, error) {
			if name == "parquet" {
				return frame.ReadParquet(bytes.NewReader(b), int64(len(b)))
			}
			return frame.ReadIPC(bytes.NewReader(b), int64(len(b)))
		}
		for n := 0; n < len(file); n += 1 + len(file)/200 {
			if _, err := read(file[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes was read", name, n, len(file))
			}
		}
		step := 1 // every byte of the form that is mapped; its description must not reach the decoder damaged
		if name == "parquet" {
			step += len(file) / 800
		}
		for i := 0; i < len(file); i += step {
			b := bytes.Clone(file)
			b[i] ^= 0x15
			if got, err := read(b); err == nil {
				_ = got.Digest() // touches every value
			}
		}
		path := filepath.Join(dir, "cut."+name)
		if err := os.WriteFile(path, file[:len(file)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if name == "parquet" {
			_, err = frame.ReadParquetFile(path)
		} else {
			_, err = frame.OpenIPC(path)
		}
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("a cut %s file: %v", name, err)
		}
	}
	text := []byte("time,open,high,low,close\n2020-01-01,1,2,3,4\n")
	if _, err := frame.ReadParquet(bytes.NewReader(text), int64(len(text))); err == nil || !strings.Contains(err.Error(), "not a parquet file") {
		t.Errorf("a text file: %v", err)
	}
}

func drawFrame(t *rapid.T) *frame.Frame {
	rows := rapid.IntRange(0, 300).Draw(t, "rows")
	f := &frame.Frame{Columns: []frame.Column{
		frame.Float64("a", rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 { return math.Float64frombits(rapid.Uint64().Draw(t, "bits")) }), rows, rows).Draw(t, "f64")),
		frame.Float32("b", rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float32 { return math.Float32frombits(rapid.Uint32().Draw(t, "bits")) }), rows, rows).Draw(t, "f32")),
		frame.Int64("c", rapid.SliceOfN(rapid.Int64(), rows, rows).Draw(t, "i64")),
		frame.Int32("d", rapid.SliceOfN(rapid.Int32(), rows, rows).Draw(t, "i32")),
		frame.Int8("e", rapid.SliceOfN(rapid.Int8(), rows, rows).Draw(t, "i8")),
		frame.Bool("f", rapid.SliceOfN(rapid.Bool(), rows, rows).Draw(t, "bool")),
		frame.String("g", rapid.SliceOfN(rapid.String(), rows, rows).Draw(t, "text")),
	}}
	return f
}

func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFrame(rt)
		p := parquetBytes(t, f)
		a := ipcBytes(t, f)
		fp, err := frame.ReadParquet(bytes.NewReader(p), int64(len(p)))
		if err != nil {
			rt.Fatal(err)
		}
		fa, err := frame.ReadIPC(bytes.NewReader(a), int64(len(a)))
		if err != nil {
			rt.Fatal(err)
		}
		if d := f.Digest(); fp.Digest() != d || fa.Digest() != d {
			rt.Fatalf("digests %s, %s, %s", d, fp.Digest(), fa.Digest())
		}
	})
}

func FuzzReadParquet(f *testing.F) {
	f.Add(parquetBytes(f, example(20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := frame.ReadParquet(bytes.NewReader(b), int64(len(b))); err == nil {
			_ = got.Digest()
		}
	})
}

// TestReadRealFiles reads files written by other programs.
func TestReadRealFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shareddata.Dir(t), "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Skip("no parquet file among the real market data")
	}
	for _, path := range files {
		f, err := frame.ReadParquetFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if f.Rows() < 1000 {
			t.Errorf("%s: only %d rows", filepath.Base(path), f.Rows())
		}
	}
}
