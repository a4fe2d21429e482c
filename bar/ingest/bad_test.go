package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
)

// TestRead_BadInput gives every bad file and the whole message that its user
// sees, less the path.
func TestRead_BadInput(t *testing.T) {
	l := lines(100)
	with := func(i int, s string) []byte {
		x := append([]string(nil), l...)
		x[i] = s
		return []byte(join(x))
	}
	var parquet bytes.Buffer
	good, _ := mustRead(t, join(l), stated())
	if err := ingest.Write(&parquet, good, "parquet"); err != nil {
		t.Fatal(err)
	}
	zip := gz(t, []byte(join(lines(50000))))
	backwards := append([]string(nil), l...)
	for i, k := 0, len(l)-1; i < k; i, k = i+1, k-1 {
		backwards[i], backwards[k] = backwards[k], backwards[i]
	}
	var double []string
	for _, x := range l {
		double = append(double, x, x)
	}
	shuffled := append(append([]string(nil), l[50:]...), l[:50]...)
	for _, x := range []struct {
		name    string
		content []byte
		change  func(*ingest.Config)
		want    string // … at the end: the begin of the message
	}{
		{"empty", nil, nil, "the file is empty"},
		{"blank lines", []byte("\n\n  \n"), nil, "the file has only blank lines"},
		{"header only", []byte(header), nil, "the file has a header and no rows"},
		{"no header", []byte(strings.Join(l, "\n")), nil, "line 1 looks like data (2021-03-01T00:00:00Z,100.00,101.00,99.00…): the file has no header; put a first line such as time,open,high,low,close,volume"},
		{"one row", []byte(join(l[:1])), nil, "1 row of data is too few to see how long a bar is; state timeframe: 1m (or --timeframe 1m)"},
		{"one row, timeframe stated", []byte(join(l[:1])), func(c *ingest.Config) { c.Timeframe = "1m" },
			"none of 1 rows passed the checks; the first finding: line 2: jump never confirmed: the data ended before later bars confirmed it; dropped"},
		{"unknown columns", []byte("a,b,c\n1,2,3\n"), nil, "no column for time (looked for ts, timestamp, time,…"},
		{"nearly known column", []byte(join(l)), func(c *ingest.Config) { c.Columns.Close = "clse" },
			"column \"clse\" (for close) is not in the file; did you mean \"close\"?\nthe file has the columns \"ts\", \"open\", \"high\", \"low\", \"close\", \"volume\"; name the right ones with columns: in the recipe or --columns time=…,open=…"},
		{"column twice", []byte("ts,open,high,low,close,Close\n"), nil, "column \"close\" (for close) occurs more than once, as columns 5 and 6; rename one of them\n…"},
		{"text in a price", with(40, "2021-03-01T00:40:00Z,100,101,n0ne,100,1"), nil, `line 42, column "low": "n0ne" is not a number`},
		{"infinite price", with(40, "2021-03-01T00:40:00Z,100,inf,99,100,1"), nil, `line 42, column "high": "inf" is not a number`},
		{"NaN beyond the limit", []byte(join(append(strings.Split(strings.Repeat("2021-02-28T10:00:00Z,100,NaN,,100,1|", 10), "|")[:10], l...))), nil, "10 of 110 rows (9.1 %) lack a price, the first at line 2; the limit is 5.0 %: repair the file or raise checks.missing_share"},
		{"too few fields", with(7, "2021-03-01T00:07:00Z,100"), nil, "line 9 has 2 fields, the header has 6: 2021-03-01T00:07:00Z,100"},
		{"too many fields", with(7, l[7]+",1,2"), nil, "line 9 has 8 fields, the header has 6: 2021-03-01T00:07:00Z,100.14,101.14,99.14…"},
		{"open quote", with(7, `"2021-03-01T00:07:00Z,100,101,99,100,1`), nil, `line 9: a quote is not closed: "2021-03-01T00:07:00Z,100,101,99,100,1`},
		{"bad stamp", with(7, "yesterday,100,101,99,100,1"), nil, `line 9, column "ts": "yesterday" is not a date and time like the rows before`},
		{"no stamp", with(7, ",100,101,99,100,1"), nil, `line 9, column "ts": "" is not a date and time like the rows before`},
		{"mixed zones", with(7, "2021-03-01 00:07:00,100,101,99,100,1"), nil,
			`line 9, column "ts": "2021-03-01 00:07:00" has no offset while earlier rows have one: zones are mixed; write every stamp with its offset, or none`},
		{"unsorted", []byte(join(shuffled)), nil, "50 of 100 rows (50.0 %) come out of order, the first at line 52; the limit is 1.0 %: sort the file (--sort), choose one with where: column=value if it holds several contracts, or raise checks.out_of_order"},
		{"backwards", []byte(join(backwards)), nil, "the rows run backwards in time, newest first; read them with sort: true (or --sort)"},
		{"duplicates", []byte(join(double)), nil, "100 of 200 rows (50.0 %) repeat the stamp of the row before, the first at line 3; the limit is 10.0 %: choose one with where: column=value if the file holds several contracts or raise checks.duplicates"},
		{"one stamp", []byte(join([]string{l[0], l[0], l[0]})), nil, "all rows have the same stamp"},
		{"stamps not stated", []byte(join(l)), func(c *ingest.Config) { c.Stamps = "" }, ingest.ErrStamps.Error()},
		{"zone not stated", []byte(strings.ReplaceAll(join(l), "Z,", ",")), func(c *ingest.Config) { c.Zone = "" }, ingest.ErrZone.Error()},
		{"wrong stamp word", []byte(join(l)), func(c *ingest.Config) { c.Stamps = "start" }, `stamps "start" is not one of begin, end, assume-begin, assume-end`},
		{"wrong zone", []byte(join(l)), func(c *ingest.Config) { c.Zone = "Frankfurt" }, `zone "Frankfurt" is not known; use a name such as UTC, America/Chicago or Asia/Kolkata`},
		{"wrong timeframe", []byte(join(l)), func(c *ingest.Config) { c.Timeframe = "soon" }, `bar: "soon" is not a timeframe; write a length such as 5m, 1h or 1d, or session, or native`},
		{"wrong order", []byte(join(l)), func(c *ingest.Config) { c.DateOrder = "ydm" }, `date_order "ydm" is not one of ymd, dmy, mdy`},
		{"begin stamps of irregular bars", []byte(join(l)), func(c *ingest.Config) { c.Timeframe = "native" },
			"irregular bars need end stamps: from begin stamps the end of a bar would only be known when the next one begins; say --stamps end, or state --timeframe if the bars are regular"},
		{"column says end", []byte(strings.Replace(join(l), "ts,", "close_time,", 1)), nil,
			`the stamps are read from the column "close_time", which by its name marks the end of a bar, and it is stated that they mark the begin: say --stamps end, or name the right column with columns: time`},
		{"truncated gzip", zip[:len(zip)/2], nil, "after line …"},
		{"truncated gzip header", zip[:5], nil, "the gzip file is damaged or cut off: unexpected EOF"},
		{"truncated zstd", zst(t, []byte(join(lines(50000))))[:9000], nil, "after line …"},
		{"truncated Parquet", parquet.Bytes()[:parquet.Len()/2], nil, "the Parquet file is damaged or cut off: …"},
		{"only the mark of Parquet", []byte("PAR1"), nil, "the Parquet file is damaged or cut off: …"},
		{"binary", []byte("\x7fELF\x02\x01\x01\x00\x00\n\x00\x01"), nil, "the file is binary: neither CSV nor Parquet, gzip or zstd"},
		{"old Mac lines", []byte(strings.ReplaceAll(join(l), "\n", "\r")), nil, "the lines end with a lone carriage return (old Mac form); convert them to line feeds"},
		{"all below zero", []byte(strings.ReplaceAll(join(l), ",1", ",-1")), nil, "none of 100 rows passed the checks; the first finding: line 2: non-positive price: a price of 0 or below, which the instrument forbids; dropped"},
		{"where without value", []byte(join(l)), func(c *ingest.Config) { c.Where = "expiry" }, `where "expiry" is not of the form column=value`},
		{"where on no column", []byte(join(l)), func(c *ingest.Config) { c.Where = "opn=3" }, `where: column "opn" is not in the file; did you mean "open"?; it has "ts", "open", "high", "low", "close", "volume"`},
		{"where matches nothing", []byte(join(l[:2])), func(c *ingest.Config) { c.Where = "volume=3" }, `no row has volume = "3"; the column holds "1.0000", "2.0001"`},
	} {
		t.Run(x.name, func(t *testing.T) {
			cfg := stated()
			if x.change != nil {
				x.change(&cfg)
			}
			path := file(t, "f", x.content)
			s, rep, err := ingest.Read(context.Background(), path, cfg, find(t, "BTCUSD"))
			if err == nil || s != nil || rep != nil {
				t.Fatalf("no error, %v, %v", s, rep)
			}
			got, ok := strings.CutPrefix(err.Error(), path+": ")
			want, open := strings.CutSuffix(x.want, "…")
			if !ok || got != x.want && !(open && strings.HasPrefix(got, want)) {
				t.Errorf("got  %s\nwant %s", got, x.want)
			}
			if strings.HasPrefix(x.name, "truncated gzip") && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestRead_MissingAndFolder(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.csv"): "no such file or directory",
		dir:                            "is a folder; name one file of bars",
	} {
		_, _, err := ingest.Read(context.Background(), path, stated(), find(t, "BTCUSD"))
		if err == nil || err.Error() != path+": "+want {
			t.Error(err)
		}
	}
	if _, _, err := ingest.Read(context.Background(), filepath.Join(dir, "none.csv"), stated(), find(t, "BTCUSD")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the cause is lost")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	path := file(t, "bars.csv", []byte(join(lines(10))))
	if _, _, err := ingest.Read(ctx, path, stated(), find(t, "BTCUSD")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRead_LongLine reads lines of 100 MB, plain and compressed, which must fail
// at once and without the memory for them.
func TestRead_LongLine(t *testing.T) {
	long := bytes.Repeat([]byte("1"), 100<<20)
	for name, content := range map[string][]byte{
		"first line": long,
		"third line": append([]byte(join(lines(1))), long...),
		"gzip":       gz(t, long),
		"zstd":       zst(t, long),
	} {
		path := file(t, "long", content)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := ingest.Read(context.Background(), path, stated(), find(t, "BTCUSD"))
		runtime.ReadMemStats(&after)
		want := fmt.Sprintf("%s: line 1 is longer than 65536 bytes: this is not a file of bars", path)
		if name == "third line" {
			want = strings.Replace(want, "line 1", "line 3", 1)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 40<<20 {
			t.Errorf("%s: %d MB were allocated", name, used>>20)
		}
	}
}

// TestRead_Tolerated reads what is unusual and means something all the same.
func TestRead_Tolerated(t *testing.T) {
	l := lines(50)
	want, _ := mustRead(t, join(l), stated())
	plain := join(l)
	quotes := func(s string) string { return `"` + strings.ReplaceAll(s, ",", `","`) + `"` }
	var quoted, spaced, trailing []string
	for _, x := range l {
		quoted, spaced, trailing = append(quoted, quotes(x)), append(spaced, strings.ReplaceAll(x, ",", " , ")), append(trailing, x+",,")
	}
	local := func(layout, zone string) string {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]string, len(l))
		for i, x := range l {
			ts, rest, _ := strings.Cut(x, ",")
			at, err := time.Parse(time.RFC3339, ts)
			if err != nil {
				t.Fatal(err)
			}
			out[i] = at.In(loc).Format(layout) + "," + rest
		}
		return join(out)
	}
	for name, x := range map[string]struct {
		text   string
		change func(*ingest.Config)
	}{
		"byte order mark":        {"\ufeff" + plain, nil},
		"carriage returns":       {strings.ReplaceAll(plain, "\n", "\r\n"), nil},
		"no last line end":       {strings.TrimSuffix(plain, "\n"), nil},
		"blank lines":            {strings.ReplaceAll(plain, "\n", "\n\n"), nil},
		"comment before":         {"# made by someone\n" + plain, nil},
		"quotes":                 {quotes(strings.TrimSpace(header)) + "\n" + strings.Join(quoted, "\n"), nil},
		"spaces":                 {header + strings.Join(spaced, "\n"), nil},
		"semicolons":             {strings.ReplaceAll(plain, ",", ";"), nil},
		"tabs":                   {strings.ReplaceAll(plain, ",", "\t"), nil},
		"trailing blanks":        {header + strings.Join(trailing, "\n"), nil},
		"nameless last columns":  {strings.Replace(plain, "volume\n", "volume,,\n", 1), nil},
		"other columns":          {strings.Replace(strings.ReplaceAll(plain, "\n", ",x\n"), "volume,x", "volume,note", 1), nil},
		"quoted separator":       {strings.Replace(strings.ReplaceAll(plain, "\n", ",\"a, \"\"b\"\"\"\n"), "volume,\"a, \"\"b\"\"\"", "volume,note", 1), nil},
		"names in capitals":      {strings.Replace(plain, "ts,open,high,low,close,volume", "Time,Open,High,Low,Close,Vol", 1), nil},
		"MetaTrader names":       {strings.Replace(plain, "ts,open,high,low,close,volume", "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>", 1), nil},
		"named columns":          {strings.Replace(plain, "ts,open", "when,first price", 1), func(c *ingest.Config) { c.Columns.Time, c.Columns.Open = "when", "First Price" }},
		"open_time":              {strings.Replace(plain, "ts,", "open_time,", 1), nil},
		"New York":               {local("2006-01-02 15:04:05", "America/New_York"), func(c *ingest.Config) { c.Zone = "America/New_York" }},
		"offsets":                {local("2006-01-02T15:04:05-07:00", "Asia/Kolkata"), func(c *ingest.Config) { c.Zone = "" }},
		"day first":              {local("02/01/2006 15:04", "UTC"), func(c *ingest.Config) { c.DateOrder = "dmy" }},
		"date and time":          {strings.Replace(local("2006.01.02,15:04", "UTC"), "ts,", "Date,Time,", 1), nil},
		"sorted by request":      {header + l[9] + "\n" + strings.Join(l[:9], "\n") + "\n" + strings.Join(l[10:], "\n"), func(c *ingest.Config) { c.Sort = true }},
		"assumed":                {plain, func(c *ingest.Config) { c.Stamps = "assume-begin" }},
		"timeframe not in words": {plain, func(c *ingest.Config) { c.Timeframe = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := stated()
			if x.change != nil {
				x.change(&cfg)
			}
			got, rep := mustRead(t, x.text, cfg)
			same(t, got, want)
			if rep.Assumed != (name == "assumed") || rep.Assumed != (len(rep.Notes) > 0) {
				t.Error("assumed:", rep.Assumed, rep.Notes)
			}
		})
	}
	cfg := stated()
	cfg.Stamps = "end"
	got, _ := mustRead(t, plain, cfg)
	for i := range want.End {
		if got.End[i] != want.Begin[i] || got.Begin[i] != want.Begin[i]-int64(bar.Minute) {
			t.Fatal("end stamps", i)
		}
	}
}
