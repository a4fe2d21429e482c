package audit_test

import (
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/audit"
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
