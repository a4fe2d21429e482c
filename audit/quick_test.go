package audit_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

func TestQuick(t *testing.T) {
	t.Run("honest", func(t *testing.T) {
		c := newCatalogue(t, nil)
		prepared(t, c, small(t, c), func(ctx context.Context, p factory.Prepared) {
			t0 := time.Now()
			res, err := audit.Quick(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(res.Checks, "checks", p.Base.Len(), "bars", time.Since(t0))
			if !res.OK || len(res.Culprits) > 0 {
				t.Errorf("an honest run is accused: %+v", res.Culprits)
			}
			if want := 2 * p.Table.P; res.Checks < want {
				t.Errorf("%d checks of %d columns at two cuts", res.Checks, p.Table.P)
			}
		})
	})
	t.Run("kernel that reads one bar ahead", func(t *testing.T) {
		c := newCatalogue(t, leakyFeature(t, "illiquidity"))
		prepared(t, c, small(t, c), func(ctx context.Context, p factory.Prepared) {
			res, err := audit.Quick(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if res.OK {
				t.Fatal("the leak was not found")
			}
			found := map[string]bool{}
			for _, c := range res.Culprits {
				t.Log(c)
				if c.Stage != "features" || !strings.HasPrefix(c.Name, "leaky@") {
					t.Errorf("an honest %s %s is accused: %s", c.Stage, c.Name, c.Detail)
				}
				found[c.Name] = true
			}
			for _, name := range []string{"leaky@5m", "leaky@15m", "leaky@1h"} {
				if !found[name] {
					t.Errorf("%s was not named", name)
				}
			}
		})
	})
}

// TestQuickFindsWhatMoves gives the check a world whose labels and rows
// move with the future in other ways than a kernel could.
func TestQuickFindsWhatMoves(t *testing.T) {
	c := newCatalogue(t, nil)
	prepared(t, c, small(t, c), func(ctx context.Context, p factory.Prepared) {
		remake := p.Remake
		for _, tc := range []struct {
			name, stage, culprit string
			change               func(*label.Set, *view.Table)
		}{
			{"class", "labels", "class", func(s *label.Set, _ *view.Table) { s.Class[510] ^= 1 }},
			{"outcome", "labels", "outcome", func(s *label.Set, _ *view.Table) { s.Spans[511].Outcome++ }},
			{"label lost", "labels", "valid", func(s *label.Set, _ *view.Table) { s.Valid[512], s.Why[512] = false, label.WhyEnd }},
			{"net return", "labels", "short_net", func(s *label.Set, _ *view.Table) { s.Short.Net[513] *= 1 + 1e-15 }},
			{"decision", "decisions", "clock", func(s *label.Set, _ *view.Table) { s.Spans[514].Decision++ }},
			{"one bit", "features", p.Table.Names[3], func(_ *label.Set, t *view.Table) {
				x := &t.Col(3)[515]
				*x = math.Float32frombits(math.Float32bits(*x) ^ 1)
			}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				p.Remake = func(ctx context.Context, b *bar.Series, w int) (*label.Set, *view.Table, error) {
					s, tab, err := remake(ctx, b, w)
					if err == nil {
						tc.change(s, tab)
					}
					return s, tab, err
				}
				res, err := audit.Quick(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				found := false
				for _, c := range res.Culprits {
					found = found || c.Stage == tc.stage && c.Name == tc.culprit
				}
				if res.OK || !found {
					t.Errorf("%s %s was not named: %+v", tc.stage, tc.culprit, res)
				}
			})
		}
		t.Run("error", func(t *testing.T) {
			p.Remake = func(context.Context, *bar.Series, int) (*label.Set, *view.Table, error) {
				return nil, nil, errors.New("no disk")
			}
			res, err := audit.Quick(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if res.OK || len(res.Culprits) == 0 || !strings.Contains(res.Culprits[0].Detail, "no disk") {
				t.Errorf("an error inside the check passed it: %+v", res)
			}
		})
		t.Run("nothing to check", func(t *testing.T) {
			p.Labels = &label.Set{}
			if res, err := audit.Quick(ctx, p); err == nil {
				t.Errorf("no decisions gave %+v", res)
			}
		})
	})
}
