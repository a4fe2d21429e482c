package trade_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/trade"
	"github.com/mlfactory/mlfactory/view"
)

// From real files to a record: dollar bars and hourly bars as they come, minutes of a future with five-minute decisions.
func TestReal_FromFileToRecord(t *testing.T) {
	for _, x := range []struct {
		file, instrument, stamps string
		tf                       bar.Timeframe
		rows, trades             int // at least
		short                    bool
	}{
		{"es_dollar_bars_2015_2016.csv.gz", "ES", "end", bar.Native, 20000, 900, false},
		{"nasdaq100_cfd_1h_2013_2023.csv.gz", "NQ", "begin", bar.Hour, 45000, 2000, false},
		{"fesx_1m_2006q1.csv.gz", "FESX", "end", 5 * bar.Minute, 6000, 250, true},
	} {
		t.Run(x.instrument, func(t *testing.T) {
			path := shareddata.Path(t, x.file)
			inst, err := bar.NewInstruments().Find(x.instrument)
			must(t, err)
			read := ingest.Default()
			read.Stamps, read.Zone = x.stamps, "UTC"
			s, _, err := ingest.Read(context.Background(), path, read, inst)
			must(t, err)
			cal, err := inst.NewCalendar()
			must(t, err)
			bars, err := bar.Resample(s, x.tf, cal)
			must(t, err)
			decisions, err := bar.Decisions(s, cal, x.tf, bar.DecisionOptions{})
			must(t, err)
			cfg := label.Default()
			width, err := label.Width(bars, decisions, cfg, 0)
			must(t, err)
			model, err := cost.New(inst, cost.Default())
			must(t, err)
			set, err := label.Triple(context.Background(), label.Input{Base: s, Clock: cal, Timeframe: x.tf, Cost: model, Decisions: decisions, Width: width}, cfg, 2)
			must(t, err)

			rows := set.Rows()
			if len(rows) < x.rows {
				t.Errorf("%d labels of %d decisions: %+v", len(rows), len(decisions), set.Count())
			}
			spans := make([]view.Span, len(rows))
			for k, i := range rows {
				spans[k] = set.Spans[i]
				if sp := spans[k]; !(sp.Decision < sp.Entry && sp.Entry < sp.Outcome) {
					t.Fatalf("row %d lives backwards: %+v", i, sp)
				}
			}
			w, err := label.Weigh(spans, label.DefaultWeights())
			must(t, err)
			if !(w.Concurrency <= label.MaxConcurrency && w.Effective > 0 && w.Effective < float64(len(w.Rows))) {
				t.Errorf("%d rows kept are worth %v at a concurrency of %v", len(w.Rows), w.Effective, w.Concurrency)
			}
			k := split.PurgedKFold{K: 5, Purging: split.DefaultPurging(), Market: split.Market{Clock: cal, Bar: max(time.Duration(x.tf), 5*time.Minute)}}
			_, err = k.Split(spans)
			if short := (*split.TooShort)(nil); errors.As(err, &short) != x.short {
				t.Errorf("five folds: %v, want too short: %v", err, x.short)
			}

			in := trade.Input{Base: s, Labels: set, Cost: model, Side: make([]int8, set.Len()), From: decisions[len(decisions)*4/10], To: decisions[len(decisions)-1] + 1, PerYear: cal.DaysPerYear()}
			for i := range in.Side {
				in.Side[i] = int8(i%5) - 2
				if i%5 == 0 || i%5 == 4 {
					in.Side[i] /= 2
				}
			}
			r := simulate(t, in) // fails where a trade is not its label
			if len(r.Trades) < x.trades {
				t.Errorf("%d trades", len(r.Trades))
			}
			// Signals by the number of the row know nothing: the record lies within its random entries, 4 deviations wide.
			d, err := r.Random(context.Background(), 200, rng.New(1), 2)
			must(t, err)
			mean, dev := meanStd(d.Sharpe)
			if z := (r.Summarize().SharpeAnnual - mean) / dev; z > 4 || z < -4 {
				t.Errorf("Sharpe ratio %v, %v deviations from random entries (%v ± %v)", r.Summarize().SharpeAnnual, z, mean, dev)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
