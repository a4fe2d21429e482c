package ingest_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/internal/shareddata"
)

// TestRead_Real reads the real files and compares rows, spans and what is known of
// their flaws with the notes that came with them.
func TestRead_Real(t *testing.T) {
	for _, x := range []struct {
		file, inst, stamps, zone, where string
		rows                            int64
		first, last, timeframe          string // begin of the first bar, end of the last
		volume                          int64
		counts                          map[ingest.Kind]int64
	}{
		{"btcusd_bitfinex_1m_2016_2021.parquet", "BTCUSD", "begin", "UTC", "", 2269210, "2016-09-01T00:00:00Z", "2021-03-20T21:07:00Z", "1m", 2269210, nil},
		{"nifty50_1m_2012_2021.parquet", "NIFTY", "end", "UTC", "", 741430, "2012-11-01T03:45:00Z", "2021-01-29T10:02:00Z", "1m", 248465, map[ingest.Kind]int64{ingest.ZeroVolume: 492965}},
		{"fesx_1m_2006q1.csv.gz", "FESX", "end", "", "", 30889, "2006-01-02T08:00:00Z", "2006-02-27T21:00:00Z", "1m", 30889, nil},
		{"btcperp_1m_202201.csv.gz", "BTCUSD", "assume-begin", "", "", 45031, "2021-12-31T23:01:00Z", "2022-02-01T05:32:00Z", "1m", 45031, nil},
		{"es_1m_lean_contracts.csv.gz", "ES", "begin", "", "expiry=201312", 16673, "2013-10-07T03:00:00Z", "2013-12-20T20:30:00Z", "1m", 16673, nil},
		{"spy_1m_lean.csv.gz", "SPY", "begin", "", "", 5786, "2013-10-04T08:06:00Z", "2023-08-04T00:00:00Z", "1m", 5786, map[ingest.Kind]int64{ingest.Jump: 1, ingest.Released: 2}},
		{"nasdaq100_cfd_1h_2013_2023.csv.gz", "MNQ", "begin", "", "", 53527, "2013-05-22T15:00:00Z", "2023-09-11T10:00:00Z", "1h", 53527, nil},
		{"es_dollar_bars_2015_2016.csv.gz", "ES", "end", "UTC", "", 24079, "2015-01-01T23:00:23.722999999Z", "2016-12-30T21:13:31.99Z", "native", 24079, nil},
	} {
		t.Run(x.file, func(t *testing.T) {
			cfg := ingest.Default()
			cfg.Stamps, cfg.Zone, cfg.Where = x.stamps, x.zone, x.where
			s, rep, err := ingest.Read(context.Background(), shareddata.Path(t, x.file), cfg, find(t, x.inst))
			if err != nil {
				t.Fatal(err)
			}
			if rep.Rows != x.rows || int64(s.Len()) != x.rows || rep.Accepted != x.rows {
				t.Errorf("%d rows, %d bars; want %d", rep.Rows, s.Len(), x.rows)
			}
			if rep.First != x.first || rep.Last != x.last || rep.Timeframe != x.timeframe || rep.Volume != x.volume {
				t.Errorf("%s .. %s, %s, %d with volume", rep.First, rep.Last, rep.Timeframe, rep.Volume)
			}
			for k := ingest.MissingPrice; k <= ingest.Unconfirmed; k++ {
				if rep.N(k) != x.counts[k] {
					t.Errorf("%v: %d, want %d", k, rep.N(k), x.counts[k])
				}
			}
			if rep.Assumed != (x.stamps == "assume-begin") {
				t.Error("assumed:", rep.Assumed)
			}
			switch x.inst {
			case "FESX":
				if rep.Sessions != 41 {
					t.Error(rep.Sessions, "sessions")
				}
			case "NIFTY":
				if rep.Outages < 2 { // 2016-09 and 2016-10 in one, 2018-05
					t.Error(rep.Outages, "outages")
				}
			}
		})
	}
}

// TestRead_RealContracts shows that a file of several contracts is not read as one.
func TestRead_RealContracts(t *testing.T) {
	_, _, err := ingest.Read(context.Background(), shareddata.Path(t, "es_1m_lean_contracts.csv.gz"), stated(), find(t, "ES"))
	if err == nil {
		t.Error("several contracts in one series")
	}
}

// TestRead_RealWorkers reads a Parquet file with one and with several processors.
func TestRead_RealWorkers(t *testing.T) {
	path := shareddata.Path(t, "nifty50_1m_2012_2021.parquet")
	cfg := stated()
	cfg.Stamps = "end"
	var all [2]*bar.Series
	for i, n := range []int{1, 4} {
		old := runtime.GOMAXPROCS(n)
		s, _, err := ingest.Read(context.Background(), path, cfg, find(t, "NIFTY"))
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = s
	}
	same(t, all[0], all[1])
}
