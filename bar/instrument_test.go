package bar_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/param"
)

func TestBuiltinInstruments(t *testing.T) {
	set := bar.NewInstruments()
	want := []string{"MES", "ES", "MNQ", "NQ", "MGC", "GC", "SI", "CL", "HG", "ZB", "ZN", "SPY", "FESX", "NIFTY", "BTCUSD", "ETHUSD", "SYNTH"}
	if got := set.Names(); !slices.Equal(got, want) {
		t.Errorf("instruments %v", got)
	}
	tick := map[string]float64{ // what a tick is worth, from the contract specifications
		"MES": 1.25, "ES": 12.5, "MNQ": 0.5, "NQ": 5, "MGC": 1, "GC": 10, "SI": 25, "CL": 10, "HG": 12.5, "ZB": 31.25, "ZN": 15.625, "FESX": 10, "SPY": 0.01,
	}
	for _, i := range set.All() {
		if err := param.Validate(&i); err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
		if _, err := i.NewCalendar(); err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
		if v, ok := tick[i.Name]; ok && math.Abs(i.TickSize*i.PointValue-v) > 1e-9 {
			t.Errorf("%s: a tick is worth %v, want %v", i.Name, i.TickSize*i.PointValue, v)
		}
		if i.SignedPrices != (i.Name == "CL") || i.Tradable() != (i.Name != "NIFTY" && i.Name != "SYNTH") {
			t.Errorf("%s: signed prices %v, tradable %v", i.Name, i.SignedPrices, i.Tradable())
		}
		// A round trip costs something, and less than one per cent.
		p := map[string]float64{"SPY": 450, "NIFTY": 21000, "BTCUSD": 42000, "ETHUSD": 2300, "SYNTH": 100, "ZB": 120, "ZN": 110, "HG": 3.9, "CL": 72, "SI": 24}[i.Name]
		if p == 0 {
			p = 4700
		}
		c := 2 * (i.HalfSpread(p) + i.Slippage(p) + i.Fee(100, p)/100/i.PointValue)
		if !(c > 0 && c/p < 0.01) {
			t.Errorf("%s: a round trip costs %v of %v", i.Name, c, p)
		}
	}
	if _, err := param.Fields(bar.Instrument{Hours: &calendar.Spec{}}); err != nil {
		t.Errorf("tags: %v", err)
	}
}

// A recipe can hold any instrument and any calendar: both are the same after
// being written to YAML and read strictly.
func TestYAML(t *testing.T) {
	for _, i := range bar.NewInstruments().All() {
		c, err := i.NewCalendar()
		if err != nil {
			t.Fatal(err)
		}
		spec := c.Spec()
		i.Calendar, i.Hours = "", &spec
		text, err := yaml.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		var back bar.Instrument
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&back); err != nil {
			t.Fatalf("%s: %v", i.Name, err)
		}
		if diff := cmp.Diff(i, back, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", i.Name, diff)
		}
		if err := param.Validate(&back); err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
	}
}

func TestFees(t *testing.T) {
	i := bar.Instrument{TickSize: 0.25, PointValue: 50, CommissionPerSide: 2, FeeBps: 1, FeeMin: 10, HalfSpreadTicks: 1, HalfSpreadBps: 2, SlippageTicks: 2, SlippageBps: 4}
	for _, c := range []struct{ got, want float64 }{
		{i.HalfSpread(1000), 0.25 + 0.2}, {i.Slippage(-1000), 0.5 + 0.4},
		{i.Fee(3, 1000), 3 * (2 + 5)}, {i.Fee(-3, 1000), 21}, {i.Fee(1, 1000), 10}, {i.Fee(0, 1000), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	if i, err := bar.Find("btcusd"); err != nil || i.Name != "BTCUSD" {
		t.Error(i, err)
	}
	if _, err := bar.Find("BTCUSDT"); err == nil || !strings.Contains(err.Error(), "nearest is BTCUSD") {
		t.Error(err)
	}
	set := bar.NewInstruments()
	own := bar.Instrument{Name: "6E", Calendar: "cme", TickSize: 0.00005, PointValue: 125000, Currency: "USD", FeesAsOf: "2024-01-02", OutageLimit: param.Duration(2 * time.Hour)}
	if err := set.Add(own); err != nil {
		t.Fatal(err)
	}
	got, err := set.Find("6e")
	if err != nil || got != own {
		t.Errorf("%+v, %v", got, err)
	}
	if err := set.Add(own); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Error(err)
	}
	c := cal(t, "CME")
	if own.Limit(bar.Minute, c) != 2*time.Hour {
		t.Error("the instrument's own outage limit does not hold")
	}
	own.OutageLimit = 0
	for tf, want := range map[bar.Timeframe]time.Duration{bar.Minute: time.Hour, 5 * bar.Minute: time.Hour, bar.Hour: 12 * time.Hour, bar.Session: 115 * time.Hour, bar.Native: 23 * time.Hour} {
		if d := own.Limit(tf, c); d != want {
			t.Errorf("%v: limit %v, want %v", tf, d, want)
		}
	}
}

func TestInstrumentProblems(t *testing.T) {
	err := bar.NewInstruments().Add(bar.Instrument{Name: " x", Calendar: "NISE", TickSize: -1, FeeBps: math.NaN(), FeesAsOf: "today", Hours: &calendar.Spec{Name: "y"}})
	for _, want := range []string{"name:", "calendar: give either", "tick_size: -1 is below", "point_value: is 0", "currency", "fee_bps: NaN", "fees_as_of", "hours:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	i := bar.Instrument{Calendar: "NYSEE"}
	if err := i.Validate(); err == nil || !strings.Contains(err.Error(), "nearest is NYSE") {
		t.Error(err)
	}
	own := bar.Instrument{Name: "TOPIX", Hours: &calendar.Spec{Name: "TSE", Zone: "Asia/Tokyo", Sessions: []calendar.Hours{{Days: "mon-fri", Open: "09:00", Close: "15:00"}}},
		TickSize: 0.5, PointValue: 10000, Currency: "JPY", FeesAsOf: "2024-01-02"}
	if err := bar.NewInstruments().Add(own); err != nil {
		t.Error(err)
	}
	if c, err := own.NewCalendar(); err != nil || c.Name() != "TSE" {
		t.Error(c, err)
	}
}
