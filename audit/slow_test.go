//go:build slow

package audit_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// TestQuickOnRealBars accuses nobody on real files, and holds the check to its
// time on the longest.
func TestQuickOnRealBars(t *testing.T) {
	for _, x := range []struct{ instrument, file, stamps, timeframe string }{
		{"BTCUSD", "btcusd_bitfinex_1m_2016_2021.parquet", "begin", "auto"},
		{"NIFTY", "nifty50_1m_2012_2021.parquet", "end", "auto"},
		{"FESX", "fesx_1m_2006q1.csv.gz", "end", "auto"},
		{"BTCUSD", "btcperp_1m_202201.csv.gz", "assume-begin", "auto"},
		{"NQ", "nasdaq100_cfd_1h_2013_2023.csv.gz", "begin", "auto"},
		{"ES", "es_dollar_bars_2015_2016.csv.gz", "end", "native"},
	} {
		t.Run(x.file, func(t *testing.T) {
			path := shareddata.Path(t, x.file)
			c := newCatalogue(t, nil)
			r := factory.DefaultRecipe()
			read := ingest.Default()
			read.Stamps, read.Zone, read.Timeframe = x.stamps, "UTC", x.timeframe
			r.Markets = []recipe.Market{{Name: x.instrument, Instrument: x.instrument, Data: path, Read: read}}
			r.Models, r.Ensembles, r.Candidate = r.Models[:1], nil, "logistic"
			r.Split.WalkForward.Steps, r.Split.InnerFolds, r.Split.KFold.K = 1, 2, 2
			r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 100, 100
			r.Split.KFold.Embargo = param.Duration(12 * time.Hour) // or the short files are too short
			if err := r.Complete(c); err != nil {
				t.Fatal(err)
			}
			prepared(t, c, r, func(ctx context.Context, p factory.Prepared) {
				t0 := time.Now()
				res, err := audit.Quick(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d bars, %d columns, %d checks: %v", p.Base.Len(), p.Table.P, res.Checks, time.Since(t0))
				for _, x := range res.Culprits {
					t.Errorf("accused: %s %s: %s", x.Stage, x.Name, x.Detail)
				}
			})
		})
	}
}

// TestFullOnRealBars takes seven weeks of real minutes with their holes, an
// outage and a jump that is held in quarantine across a cut.
func TestFullOnRealBars(t *testing.T) {
	path := shareddata.Path(t, "btcusd_bitfinex_1m_2016_2021.parquet")
	inst, err := bar.Find("BTCUSD")
	if err != nil {
		t.Fatal(err)
	}
	read := ingest.Default()
	read.Stamps, read.Zone = "begin", "UTC"
	all, _, err := ingest.Read(t.Context(), path, read, inst)
	if err != nil {
		t.Fatal(err)
	}
	s := all.Slice(900_000, 960_000)
	file := filepath.Join(t.TempDir(), "bars.csv")
	w, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	buf := bufio.NewWriter(w)
	fmt.Fprintln(buf, "time,open,high,low,close,volume")
	for i := range s.Len() {
		scale := 1.0
		switch {
		case i > 20_000 && i < 20_200:
			continue
		case i >= 45_000:
			scale = 1.6
		}
		fmt.Fprintf(buf, "%s,%v,%v,%v,%v,%v\n", time.Unix(0, s.Begin[i]).UTC().Format(time.RFC3339),
			s.Open[i]*scale, s.High[i]*scale, s.Low[i]*scale, s.Close[i]*scale, s.Volume[i])
		if i == 30_000 {
			fmt.Fprintf(buf, "%s,1,2,3,4,5\n", time.Unix(0, s.Begin[i]).UTC().Format(time.RFC3339)) // a row that is dropped
		}
	}
	if err := buf.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := newCatalogue(t, nil)
	r := small(t, c)
	r.Markets = []recipe.Market{{Name: "real", Instrument: "BTCUSD", Data: file, Read: read}}
	reports, err := audit.Full(t.Context(), newFactory(t, c), r, audit.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reports[0].Checks {
		t.Log(c.Name, c.OK, c.Compared)
		for _, x := range c.Culprits {
			t.Errorf("accused: %s %s: %s", x.Stage, x.Name, x.Detail)
		}
	}
}

// TestFullOnTheDefaultRun audits the planted market of the embedded pair with the
// default recipe.
func TestFullOnTheDefaultRun(t *testing.T) {
	c := newCatalogue(t, nil)
	r := factory.Pair()
	r.Markets = r.Markets[:1]
	if err := r.Complete(c); err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	reports, err := audit.Full(t.Context(), newFactory(t, c), r, audit.Options{Dir: t.TempDir(), Workers: 2, Progress: func(_, check string, ok bool) {
		t.Logf("%5.1f s %s %v", time.Since(t0).Seconds(), check, ok)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reports[0].Checks {
		t.Log(c.Name, c.OK, c.Compared)
		for _, x := range c.Culprits {
			t.Errorf("accused: %s %s: %s", x.Stage, x.Name, x.Detail)
		}
	}
}

// TestFullOnReadyMadeBars audits dollar bars, whose horizon counts bars: the purge
// of early folds once depended on the spacing of later bars.
func TestFullOnReadyMadeBars(t *testing.T) {
	c := newCatalogue(t, nil)
	r := small(t, c)
	read := ingest.Default()
	read.Stamps, read.Zone, read.Timeframe = "end", "UTC", "native"
	r.Features.Timeframes = []string{"auto"}
	r.Markets = []recipe.Market{{Name: "es", Instrument: "ES", Data: shareddata.Path(t, "es_dollar_bars_2015_2016.csv.gz"), Read: read}}
	reports, err := audit.Full(t.Context(), newFactory(t, c), r, audit.Options{Dir: t.TempDir(), Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reports[0].Checks {
		t.Log(c.Name, c.OK, c.Compared)
		for _, x := range c.Culprits {
			t.Errorf("accused: %s %s: %s", x.Stage, x.Name, x.Detail)
		}
	}
}
