package label_test

import (
	"context"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
)

// In a market whose mid price is a martingale no fill rule may pay: at no cost, neither side earns more than chance
// (three standard errors, clustered by day), in either way of taking profits, while a look ahead earns a lot.
func TestTriple_NullMarketPaysNobody(t *testing.T) {
	inst, err := bar.NewInstruments().Find("SYNTH")
	if err != nil {
		t.Fatal(err)
	}
	gen := synth.Default().Null()
	gen.Sessions, gen.Seed = 250, 5
	m, err := synth.Generate(context.Background(), gen, inst)
	if err != nil {
		t.Fatal(err)
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	five, err := bar.Resample(m.Base, 5*bar.Minute, cal)
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := bar.Decisions(m.Base, cal, 5*bar.Minute, bar.DecisionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, take := range []string{"limit", "next_open"} {
		for _, kind := range []string{label.ATR, label.Sigma} {
			cfg := label.Default()
			cfg.Width = kind
			width, err := label.Width(five, decisions, cfg, 0)
			if err != nil {
				t.Fatal(err)
			}
			c := cost.Default()
			c.Multiplier, c.ProfitTake = 0, take
			model, err := cost.New(inst, c)
			if err != nil {
				t.Fatal(err)
			}
			set := triple(t, label.Input{Base: m.Base, Clock: cal, Timeframe: 5 * bar.Minute, Cost: model, Decisions: decisions, Width: width}, cfg, 2)
			z := func(pick func(i int) int8) float64 {
				var mean, ss, cluster float64
				day := int64(-1)
				rows := set.Rows()
				for _, i := range rows {
					side := pick(i)
					if side == 0 {
						continue
					}
					x := set.Of(side).Net[i]
					if d := set.Spans[i].Decision / 86400e9; d != day {
						ss, cluster, day = ss+cluster*cluster, 0, d
					}
					mean, cluster = mean+x, cluster+x
				}
				return mean / math.Sqrt(ss+cluster*cluster)
			}
			for _, side := range []int8{1, -1} {
				if got := z(func(int) int8 { return side }); got > 3 {
					t.Errorf("%s, %s: side %+d earns %v standard errors", take, kind, side, got)
				}
			}
			if got := z(func(i int) int8 { return set.Class[i] }); got < 10 {
				t.Errorf("%s, %s: knowing the class earns only %v standard errors", take, kind, got)
			}
		}
	}
}
