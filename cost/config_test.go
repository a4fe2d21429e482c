package cost_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/internal/floats"
	"github.com/mlfactory/mlfactory/param"
)

func TestNew_BuiltInInstruments(t *testing.T) {
	all := bar.NewInstruments()
	for _, x := range []struct {
		name         string
		price, ticks float64 // round trip by market orders
	}{
		// 2·(half-spread + slippage) ticks + 2·commission/(point value·tick)
		{"MES", 5000, 2 + 2*0.62/1.25},
		{"ES", 5000, 2 + 2*2.25/12.5},
		{"MGC", 2000, 4 + 2*0.87/1},
		{"SI", 25, 4 + 2*2.49/25},
		{"ZN", 110, 2 + 2*1.72/15.625},
		{"FESX", 4000, 2 + 2*1.7/10},
		// 2·(0.5 + 1 + 20) bps of 40,000
		{"BTCUSD", 40000, 43e-4 * 40000 / 0.01},
	} {
		i, err := all.Find(x.name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := cost.New(i, cost.Default())
		if err != nil {
			t.Fatal(err)
		}
		if got := m.RoundTripTicks(x.price); !floats.Close(got, x.ticks, floats.Rel(1e-12)) {
			t.Errorf("%s: round trip of %v ticks, want %v", x.name, got, x.ticks)
		}
		if got, want := m.HalfSpread(x.price)+m.Slippage(x.price), i.HalfSpread(x.price)+i.Slippage(x.price); !floats.Close(got, want, floats.Rel(1e-12)) {
			t.Errorf("%s: an aggressive fill costs %v, the instrument says %v", x.name, got, want)
		}
		units := 100000 / (x.price * i.PointValue)
		if got, want := m.Fee(x.price)*units, i.Fee(units, x.price); !floats.Close(got, want, floats.Rel(1e-12)) {
			t.Errorf("%s: an order of 100,000 pays %v, the instrument says %v", x.name, got, want)
		}
	}
}

func TestNew_EveryFieldHasItsEffect(t *testing.T) {
	i, err := bar.NewInstruments().Find("SPY")
	if err != nil {
		t.Fatal(err)
	}
	base, err := cost.New(i, cost.Default())
	if err != nil {
		t.Fatal(err)
	}
	fields, err := param.Fields(cost.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		cfg, text := cost.Default(), "7"
		if f.Path == "profit_take" {
			text = "next_open"
		}
		if err := param.Set(&cfg, f.Path, text); err != nil {
			t.Fatal(err)
		}
		m, err := cost.New(i, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(base, m) {
			t.Errorf("%s = %s changes nothing", f.Path, text)
		}
	}
	cfg := cost.Default()
	cfg.Multiplier = -1
	if _, err := cost.New(i, cfg); err == nil || !strings.Contains(err.Error(), "multiplier") {
		t.Errorf("negative multiplier: %v", err)
	}
	if _, err := param.Canonical(cost.Default()); err != nil {
		t.Errorf("the default has no canonical text: %v", err)
	}
}
