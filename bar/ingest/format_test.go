package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
)

// table writes a Parquet file by way of Arrow, as other programs do.
func table(t testing.TB, groupRows int64, fields []arrow.Field, fill func(*array.RecordBuilder)) []byte {
	t.Helper()
	sc := arrow.NewSchema(fields, nil)
	rb := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	defer rb.Release()
	fill(rb)
	rec := rb.NewRecordBatch()
	defer rec.Release()
	var b bytes.Buffer
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(groupRows), parquet.WithDataPageSize(2000))
	w, err := pqarrow.NewFileWriter(sc, &b, props, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteBuffered(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type column struct {
	typ arrow.DataType
	set func(array.Builder, float64)
}

var (
	doubles  = column{arrow.PrimitiveTypes.Float64, func(b array.Builder, x float64) { b.(*array.Float64Builder).Append(x) }}
	texts    = column{arrow.BinaryTypes.String, func(b array.Builder, x float64) { b.(*array.StringBuilder).Append(fmt.Sprint(x)) }}
	wholes   = column{arrow.PrimitiveTypes.Int64, func(b array.Builder, x float64) { b.(*array.Int64Builder).Append(int64(x)) }}
	shorts   = column{arrow.PrimitiveTypes.Int32, func(b array.Builder, x float64) { b.(*array.Int32Builder).Append(int32(x)) }}
	unsigned = column{arrow.PrimitiveTypes.Uint64, func(b array.Builder, x float64) { b.(*array.Uint64Builder).Append(uint64(x)) }}
	singles  = column{arrow.PrimitiveTypes.Float32, func(b array.Builder, x float64) { b.(*array.Float32Builder).Append(float32(x)) }}
	decimals = column{&arrow.Decimal128Type{Precision: 30, Scale: 3}, func(b array.Builder, x float64) {
		if err := b.AppendValueFromString(fmt.Sprintf("%.3f", x)); err != nil {
			panic(err)
		}
	}}
)

// TestRead_Formats reads the same bars from CSV, gzip, zstd and Parquet files with
// columns of every type and small row groups and pages.
func TestRead_Formats(t *testing.T) {
	const n = 3000
	at := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
	price := func(i int) float64 { return float64(1000 + i%37) }
	var l []string
	for i := range n {
		volume := fmt.Sprint(i%5 + 1)
		if i%7 == 0 {
			volume = ""
		}
		p := price(i)
		l = append(l, fmt.Sprintf("%s,%g,%g,%g,%g,%s", at.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), p, p+1, p-1, p, volume))
	}
	text := []byte(join(l))
	want, wantRep := mustRead(t, string(text), stated())
	files := map[string][]byte{"gzip": gz(t, text), "zstd": zst(t, text)}
	stamps := map[string]struct {
		typ arrow.DataType
		set func(array.Builder, time.Time)
	}{
		"UTC ms":   {&arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, func(b array.Builder, t time.Time) { b.(*array.TimestampBuilder).Append(arrow.Timestamp(t.UnixMilli())) }},
		"local us": {&arrow.TimestampType{Unit: arrow.Microsecond}, func(b array.Builder, t time.Time) { b.(*array.TimestampBuilder).Append(arrow.Timestamp(t.UnixMicro())) }},
		"local ns": {&arrow.TimestampType{Unit: arrow.Nanosecond}, func(b array.Builder, t time.Time) { b.(*array.TimestampBuilder).Append(arrow.Timestamp(t.UnixNano())) }},
		"epoch ms": {arrow.PrimitiveTypes.Int64, func(b array.Builder, t time.Time) { b.(*array.Int64Builder).Append(t.UnixMilli()) }},
		"epoch s":  {arrow.PrimitiveTypes.Float64, func(b array.Builder, t time.Time) { b.(*array.Float64Builder).Append(float64(t.Unix())) }},
		"text":     {arrow.BinaryTypes.String, func(b array.Builder, t time.Time) { b.(*array.StringBuilder).Append(t.Format(time.DateTime)) }},
	}
	for stamp, s := range stamps {
		for name, c := range map[string]column{"double": doubles, "text": texts, "int64": wholes, "int32": shorts, "uint64": unsigned, "float32": singles, "decimal": decimals} {
			files[stamp+" "+name] = table(t, 700, []arrow.Field{
				{Name: "close", Type: c.typ}, {Name: "other", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "time", Type: s.typ, Nullable: true},
				{Name: "open", Type: c.typ}, {Name: "high", Type: c.typ, Nullable: true}, {Name: "low", Type: c.typ}, {Name: "volume", Type: c.typ, Nullable: true},
			}, func(rb *array.RecordBuilder) {
				for i := range n {
					p := price(i)
					c.set(rb.Field(0), p)
					rb.Field(1).AppendNull()
					s.set(rb.Field(2), at.Add(time.Duration(i)*time.Minute))
					c.set(rb.Field(3), p)
					c.set(rb.Field(4), p+1)
					c.set(rb.Field(5), p-1)
					if i%7 == 0 {
						rb.Field(6).AppendNull()
					} else {
						c.set(rb.Field(6), float64(i%5+1))
					}
				}
			})
		}
	}
	for name, content := range files {
		got, rep, err := ingest.Read(context.Background(), file(t, "bars", content), stated(), find(t, "BTCUSD"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, got, want)
		if rep.Rows != n || rep.Volume != wantRep.Volume || rep.Timeframe != "1m" {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

func TestRead_ParquetRefused(t *testing.T) {
	full := func(typ arrow.DataType, put func(array.Builder), stamp arrow.DataType, stampPut func(array.Builder)) []byte {
		fields := []arrow.Field{{Name: "time", Type: stamp, Nullable: true}}
		for _, n := range []string{"open", "high", "low", "close"} {
			fields = append(fields, arrow.Field{Name: n, Type: typ, Nullable: true})
		}
		return table(t, 100, fields, func(rb *array.RecordBuilder) {
			for range 3 {
				stampPut(rb.Field(0))
				for k := range 4 {
					put(rb.Field(k + 1))
				}
			}
		})
	}
	local := &arrow.TimestampType{Unit: arrow.Second}
	now := func(b array.Builder) { b.(*array.TimestampBuilder).Append(1600000000) }
	one := func(b array.Builder) { b.(*array.Float64Builder).Append(1) }
	f64 := arrow.PrimitiveTypes.Float64
	for name, x := range map[string]struct {
		content []byte
		zone    string
		want    string
	}{
		"zone":       {full(f64, one, local, now), "", ingest.ErrZone.Error()},
		"no time":    {full(f64, one, local, func(b array.Builder) { b.AppendNull() }), "UTC", `row 1, column "time": the time is missing`},
		"infinite":   {full(f64, func(b array.Builder) { b.(*array.Float64Builder).Append(math.Inf(1)) }, local, now), "UTC", `row 1, column "open": the value is infinite`},
		"words":      {full(arrow.BinaryTypes.String, func(b array.Builder) { b.(*array.StringBuilder).Append("x1") }, local, now), "UTC", `row 1, column "open": "x1" is not a number`},
		"truth":      {full(arrow.FixedWidthTypes.Boolean, func(b array.Builder) { b.(*array.BooleanBuilder).Append(true) }, local, now), "UTC", `column "open" has the type BOOLEAN None; want numbers, a timestamp or text`},
		"time price": {full(local, now, local, now), "UTC", `column "open" has the type INT64 Timestamp(`},
	} {
		cfg := stated()
		cfg.Zone = x.zone
		path := file(t, "f.parquet", x.content)
		_, _, err := ingest.Read(context.Background(), path, cfg, find(t, "BTCUSD"))
		if err == nil || !strings.HasPrefix(strings.TrimPrefix(err.Error(), path+": "), x.want) {
			t.Errorf("%s: %v\nwant %s", name, err, x.want)
		}
	}
}

// TestRead_DamagedParquet flips bytes all over a file: an error or bars, never a
// panic.
func TestRead_DamagedParquet(t *testing.T) {
	s, _ := mustRead(t, join(lines(300)), stated())
	var b bytes.Buffer
	if err := ingest.Write(&b, s, "parquet"); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := 0; i < b.Len(); i += 23 {
		x := bytes.Clone(b.Bytes())
		x[i] ^= 0x55
		if _, _, err := ingest.Read(context.Background(), file(t, "f", x), stated(), find(t, "BTCUSD")); err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no damage was seen")
	}
}

// TestRead_Where reads one contract out of a file with two, from CSV and Parquet,
// with text and whole numbers.
func TestRead_Where(t *testing.T) {
	l := lines(40)
	want, _ := mustRead(t, join(l), stated())
	var mixed []string
	for _, x := range l {
		mixed = append(mixed, x+",202112", x+",202203")
	}
	mixed = append(mixed, "not a stamp,of,another,contract,x,1,202206")
	text := strings.Replace(header, "\n", ",expiry\n", 1) + strings.Join(mixed, "\n")
	cfg := stated()
	cfg.Where = "expiry = 202112"
	got, rep := mustRead(t, text, cfg)
	same(t, got, want)
	if rep.Rows != 40 {
		t.Error(rep.Rows)
	}
	for name, c := range map[string]column{"int64": wholes, "int32": shorts, "double": doubles, "text": texts} {
		fields := []arrow.Field{{Name: "expiry", Type: c.typ}, {Name: "ts", Type: arrow.BinaryTypes.String}}
		for _, n := range []string{"open", "high", "low", "close", "volume"} {
			fields = append(fields, arrow.Field{Name: n, Type: arrow.BinaryTypes.String})
		}
		content := table(t, 30, fields, func(rb *array.RecordBuilder) {
			for _, m := range mixed {
				f := strings.Split(m, ",")
				var expiry float64
				if _, err := fmt.Sscan(f[6], &expiry); err != nil {
					t.Fatal(err)
				}
				c.set(rb.Field(0), expiry)
				for k := range 6 {
					rb.Field(k + 1).(*array.StringBuilder).Append(f[k])
				}
			}
		})
		got, rep, err := ingest.Read(context.Background(), file(t, "f.parquet", content), cfg, find(t, "BTCUSD"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, got, want)
		if rep.Rows != 40 {
			t.Error(name, rep.Rows)
		}
	}
}

// series makes bars with holes, a late bar and missing volumes.
func series(t testing.TB, tf bar.Timeframe, n int) *bar.Series {
	t.Helper()
	s := bar.NewSeries(tf, n)
	at := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	step := max(int64(tf), int64(time.Minute))
	for i := range n {
		p := 100 * math.Exp(0.3*math.Sin(float64(i)/9))
		b := bar.Bar{Begin: at, End: at + step, Open: p, High: p * 1.01, Low: p / 1.01, Close: p * 1.001, Volume: float64(i) / 3}
		if tf == bar.Native {
			b.End += int64(i*i) * 1e6
		}
		b.Known = b.End
		if i == n/2 {
			b.Known += step
		}
		if i%4 == 1 {
			b.Volume = math.NaN()
		}
		s.Append(&b)
		at = b.End
		if i%10 == 9 {
			at += 3 * step
		}
	}
	inst := find(t, "BTCUSD")
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	bar.Assign(s, cal, inst.Limit(tf, cal))
	return s
}

// TestWrite_RoundTrip writes series and reads them back without saying anything.
func TestWrite_RoundTrip(t *testing.T) {
	for _, tf := range []bar.Timeframe{bar.Minute, 5 * bar.Minute, bar.Hour, bar.Native} {
		s := series(t, tf, 400)
		for _, format := range ingest.Formats() {
			var a, b bytes.Buffer
			if err := errors.Join(ingest.Write(&a, s, format), ingest.Write(&b, s, format)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Errorf("%v, %s: two writes differ", tf, format)
			}
			cfg := ingest.Config{Checks: ingest.DefaultChecks()}
			got, rep, err := ingest.Read(context.Background(), file(t, "bars."+format, a.Bytes()), cfg, find(t, "BTCUSD"))
			if err != nil {
				t.Fatalf("%v, %s: %v", tf, format, err)
			}
			same(t, got, s)
			if rep.Assumed || len(rep.Counts) > 0 || rep.Stamps != "end" {
				t.Errorf("%v, %s: %+v", tf, format, rep)
			}
		}
	}
	// Session bars: the length is in Parquet, for CSV it is said.
	s := series(t, bar.Session, 30)
	for _, format := range ingest.Formats() {
		var a bytes.Buffer
		if err := ingest.Write(&a, s, format); err != nil {
			t.Fatal(err)
		}
		cfg := ingest.Config{Checks: ingest.DefaultChecks()}
		if format != "parquet" {
			cfg.Timeframe = "1d"
		}
		got, _, err := ingest.Read(context.Background(), file(t, "bars", a.Bytes()), cfg, find(t, "BTCUSD"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, s)
	}
}

// TestWrite_ReadByChecks: what Read accepted from a flawed file comes back as it was.
func TestWrite_ReadByChecks(t *testing.T) {
	l := lines(200)
	l[50] = strings.Replace(l[50], ",101.", ",10.", 1)
	l[51] = strings.ReplaceAll(l[51], ",1", ",9")
	for i := 100; i < 200; i++ {
		l[i] = strings.ReplaceAll(strings.ReplaceAll(l[i], ",10", ",20"), ",9", ",19")
	}
	s, rep := mustRead(t, join(l), stated())
	if rep.N(ingest.Jump) == 0 || rep.N(ingest.Released) == 0 {
		t.Fatal("no jump in the file", rep.Counts)
	}
	for _, format := range ingest.Formats() {
		var b bytes.Buffer
		if err := ingest.Write(&b, s, format); err != nil {
			t.Fatal(err)
		}
		got, _, err := ingest.Read(context.Background(), file(t, "f", b.Bytes()), ingest.Default(), find(t, "BTCUSD"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, s)
	}
}

func TestWrite_Refused(t *testing.T) {
	s := series(t, bar.Minute, 10)
	if err := ingest.Write(io.Discard, s, "xlsx"); err == nil || err.Error() != `ingest: write: format "xlsx" is not one of csv, csv.gz, csv.zst, parquet` {
		t.Error(err)
	}
	s.Low[3] = math.NaN()
	if err := ingest.Write(io.Discard, s, "csv"); err == nil || err.Error() != "ingest: write: bar 3 at 2021-03-01T00:04:00Z has a price that is absent or infinite" {
		t.Error(err)
	}
	s = series(t, bar.Minute, 10)
	s.End[3] = s.End[2]
	if err := ingest.Write(io.Discard, s, "csv"); err == nil || err.Error() != "ingest: write: bar 3 at 2021-03-01T00:03:00Z does not end after the one before" {
		t.Error(err)
	}
	full := errors.New("disk full")
	for _, format := range ingest.Formats() {
		if err := ingest.Write(failing{full}, series(t, bar.Minute, 10), format); !errors.Is(err, full) {
			t.Errorf("%s: %v", format, err)
		}
	}
	for name, want := range map[string]string{"a.CSV": "csv", "b.csv.gz": "csv.gz", "c.csv.zst": "csv.zst", "d.parquet": "parquet", "e.txt": ""} {
		if got, err := ingest.FormatOf(name); got != want || (err != nil) != (want == "") {
			t.Error(name, got, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
