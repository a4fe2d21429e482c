package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/recipe"
)

func TestFullHonest(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t, nil)
	t0 := time.Now()
	reports, err := audit.Full(t.Context(), newFactory(t, c), small(t, c), audit.Options{Dir: t.TempDir(), Progress: func(market, check string, ok bool) {
		t.Logf("%6.2fs %s %s %v", time.Since(t0).Seconds(), market, check, ok)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		for _, c := range r.Checks {
			t.Log(c.Name, c.OK, c.Compared)
			for _, x := range c.Culprits {
				t.Errorf("accused: %s %s: %s", x.Stage, x.Name, x.Detail)
			}
		}
		if !r.OK {
			t.Errorf("%s is not ok", r.Market)
		}
	}
}

// TestFullCannot has nothing to audit: a check that could not be made has failed.
func TestFullCannot(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t, nil)
	f := newFactory(t, c)
	missing := small(t, c)
	missing.Markets = []recipe.Market{{Name: "gone", Instrument: "BTCUSD", Data: "no/such/file.csv", Read: ingest.Default()}}
	stranger := small(t, c)
	stranger.Markets[0].Instrument = "MOON"
	short := small(t, c)
	few := *short.Markets[0].Synth
	few.Sessions = 8
	short.Markets[0].Synth = &few
	for _, tc := range []struct {
		name  string
		rec   recipe.Recipe
		check string
	}{{"no file", missing, "copy"}, {"no instrument", stranger, "copy"}, {"too short", short, "run"}} {
		reports, err := audit.Full(t.Context(), f, tc.rec, audit.Options{Dir: t.TempDir()})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		last := reports[0].Checks[len(reports[0].Checks)-1]
		if reports[0].OK || last.OK || last.Name != tc.check || len(last.Culprits) == 0 {
			t.Errorf("%s: %+v", tc.name, reports[0])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.Full(ctx, f, small(t, c), audit.Options{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled audit gave %v", err)
	}
	if _, err := audit.Full(t.Context(), f, small(t, c), audit.Options{Dir: "no/such/folder"}); err == nil {
		t.Error("an audit without a folder gave no error")
	}
}
