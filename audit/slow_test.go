//go:build slow

package audit_test

import (
	"context"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/recipe"
)

// TestQuickOnRealBars holds the check to its time on the longest file.
func TestQuickOnRealBars(t *testing.T) {
	path := shareddata.Path(t, "btcusd_bitfinex_1m_2016_2021.parquet")
	c := newCatalogue(t, nil)
	r := factory.DefaultRecipe()
	read := ingest.Default()
	read.Stamps, read.Zone = "begin", "UTC"
	r.Markets = []recipe.Market{{Name: "BTCUSD", Instrument: "BTCUSD", Data: path, Read: read}}
	r.Models, r.Ensembles, r.Candidate = r.Models[:1], nil, "logistic"
	r.Split.WalkForward.Steps, r.Split.InnerFolds, r.Split.KFold.K = 1, 2, 2
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
		if !res.OK {
			t.Errorf("%+v", res.Culprits)
		}
	})
}
