package bar_test

import (
	"bufio"
	"compress/gzip"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/internal/shareddata"
)

// real reads a file of real bars, without any check: rows of ts, open, high,
// low, close, volume. endStamp says that ts is the bar's End.
func real(t testing.TB, name string, tf bar.Timeframe, endStamp bool) *bar.Series {
	t.Helper()
	path := shareddata.Path(t, name)
	var cols [5][]float64
	var ts []int64
	if strings.HasSuffix(name, ".parquet") {
		r, err := file.OpenParquetFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for g := range r.NumRowGroups() {
			rg := r.RowGroup(g)
			n := rg.NumRows()
			for j := range 6 {
				c, err := rg.Column(j)
				if err != nil {
					t.Fatal(err)
				}
				switch c := c.(type) {
				case *file.Int64ColumnChunkReader:
					v, def := make([]int64, n), make([]int16, n)
					if _, _, err := c.ReadBatch(n, v, def, nil); err != nil {
						t.Fatal(err)
					}
					for _, x := range v {
						ts = append(ts, x*1e6)
					}
				case *file.Float64ColumnChunkReader:
					v, def := make([]float64, n), make([]int16, n)
					if _, _, err := c.ReadBatch(n, v, def, nil); err != nil {
						t.Fatal(err)
					}
					cols[j-1] = append(cols[j-1], v...)
				}
			}
		}
	} else {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Scan()
		for lines.Scan() {
			f := strings.Split(lines.Text(), ",")
			x, err := time.Parse(time.RFC3339, f[0])
			if err != nil {
				t.Fatal(err)
			}
			ts = append(ts, x.UnixNano())
			for j := range cols {
				v, err := strconv.ParseFloat(f[j+1], 64)
				if err != nil {
					t.Fatal(err)
				}
				cols[j] = append(cols[j], v)
			}
		}
	}
	s := bar.NewSeries(tf, len(ts))
	for i, x := range ts {
		if endStamp {
			x -= int64(tf)
		}
		s.Append(&bar.Bar{Begin: x, End: x + int64(tf), Known: x + int64(tf), Open: cols[0][i], High: cols[1][i], Low: cols[2][i], Close: cols[3][i], Volume: cols[4][i]})
	}
	return s
}

// What the time patterns of the real files come to. The counts were made
// independently from the files (see the comments) or follow from the two rules.
func TestRealFiles(t *testing.T) {
	for _, f := range []struct {
		name, cal                     string
		tf                            bar.Timeframe
		end                           bool
		rows, outages, irregular, day int
		outage                        string // the Begin of the first bar after the longest one
	}{
		// 10 holes of more than 60 minutes of which the longest is 3.3 h.
		{"btcusd_bitfinex_1m_2016_2021.parquet", calendar.Always, bar.Minute, false, 2269210, 10, 0, 1661, "2019-01-07T13:18:00Z"},
		// Two stretches of missing months and one broken morning; 988 pre-open
		// prints, the rest after the close; a daily bar for each of 1975 dates.
		{"nifty50_1m_2012_2021.parquet", calendar.NSE, bar.Minute, true, 741430, 3, 3059, 1975, "2016-11-01T03:37:00Z"},
		// The first day ends at 20:04 local time, the others at 22:00.
		{"fesx_1m_2006q1.csv.gz", calendar.Eurex, bar.Minute, true, 30889, 1, 0, 41, "2006-01-03T08:00:00Z"},
		{"btcperp_1m_202201.csv.gz", calendar.Always, bar.Minute, false, 45031, 0, 0, 32, ""},
		// Six days and one ten years later; 390 minutes of each are regular.
		{"spy_1m_lean.csv.gz", calendar.NYSE, bar.Minute, false, 5786, 1, 3056, 7, "2023-08-03T08:00:00Z"},
		{"spy_1m_lean.csv.gz", calendar.NYSEExt, bar.Minute, false, 5786, 1, 0, 7, "2023-08-03T08:00:00Z"},
	} {
		t.Run(f.name+" "+f.cal, func(t *testing.T) {
			s := real(t, f.name, f.tf, f.end)
			c := cal(t, f.cal)
			bar.Assign(s, c, bar.OutageLimit(f.tf, c))
			outages, irregular := 0, 0
			longest, after := time.Duration(0), ""
			dates := map[int32]bool{}
			for i, x := range s.Flags {
				dates[s.Session[i]] = true
				if x&bar.Irregular != 0 {
					irregular++
				}
				if x&bar.SegmentStart != 0 && i > 0 {
					outages++
					if d := c.OpenTime(s.End[i-1], s.Begin[i]); d > longest {
						longest, after = d, time.Unix(0, s.Begin[i]).UTC().Format(time.RFC3339)
					}
				}
				if i > 0 && (s.Session[i] < s.Session[i-1] || (s.Session[i] != s.Session[i-1]) != (x&bar.SessionStart != 0)) {
					t.Fatalf("bar %d: session %s after %s, flags %b", i, calendar.DateOf(s.Session[i]), calendar.DateOf(s.Session[i-1]), x)
				}
			}
			if s.Len() != f.rows || outages != f.outages || irregular != f.irregular || after != f.outage || int(s.Segment[s.Len()-1]) != outages {
				t.Errorf("%d rows, %d outages, %d irregular bars; the longest outage ends at %s", s.Len(), outages, irregular, after)
			}
			daily := resample(t, s, bar.Session, c)
			if daily.Len() != f.day || len(dates) < f.day || len(dates) > f.day+1 {
				t.Errorf("%d session bars of %d dates, want %d", daily.Len(), len(dates), f.day)
			}
			// 1→5→15 = 1→15, and no volume is lost or made (exact sums: the
			// fifteen-minute bars hold whole minutes).
			five, quarter := resample(t, s, 5*bar.Minute, c), resample(t, s, 15*bar.Minute, c)
			tower := bars(resample(t, five, 15*bar.Minute, c))
			direct := bars(quarter)
			sum := func(v []float64) (x float64) {
				for _, a := range v {
					x += a
				}
				return x
			}
			// Volumes with decimals add up in another order; compare them apart.
			whole := s.Slice(0, sort.Search(s.Len(), func(i int) bool { return s.End[i] > quarter.End[quarter.Len()-1] }))
			if a, b := sum(quarter.Volume), sum(whole.Volume); math.Abs(a-b) > 1e-9*math.Abs(b) {
				t.Errorf("volume %v became %v", b, a)
			}
			for i := range min(len(tower), len(direct)) {
				if math.Abs(tower[i].Volume-direct[i].Volume) > 1e-12*direct[i].Volume {
					t.Fatalf("bar %d: volume %v, want %v", i, tower[i].Volume, direct[i].Volume)
				}
				tower[i].Volume = direct[i].Volume
			}
			same(t, tower, direct, "5m→15m")
		})
	}
}

// An hourly file whose market is not quite the calendar's.
func TestRealHourly(t *testing.T) {
	s := real(t, "nasdaq100_cfd_1h_2013_2023.csv.gz", bar.Hour, false)
	c := cal(t, calendar.CME)
	bar.Assign(s, c, bar.OutageLimit(bar.Hour, c))
	late := 0
	for i := sort.Search(s.Len(), func(i int) bool { return s.Begin[i] >= at(t, "2015-09-21T00:00:00Z") }); i < s.Len(); i++ {
		if s.Flags[i]&(bar.Irregular|bar.SegmentStart) != 0 {
			late++
		}
	}
	if late > 20 { // a few holidays
		t.Errorf("%d irregular bars and outages since the session ends at 16:00", late)
	}
	four := resample(t, s, 4*bar.Hour, c)
	if n := four.Len(); n < 14000 || n > 15000 {
		t.Errorf("%d bars of 4 hours", n)
	}
}
