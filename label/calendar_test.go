package label_test

import (
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// On the Friday before a change of the clocks, four bars before the close of New York, a horizon of twenty 5-minute bars
// reaches sixteen bars into Monday.
func TestTriple_OverAWeekendByTheCalendar(t *testing.T) {
	cal, err := calendar.ByName("NYSE")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) int64 {
		x, err := time.ParseInLocation("2006-01-02 15:04", text, cal.Zone())
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixNano()
	}
	s := bar.NewSeries(bar.Minute, 800)
	for _, day := range []string{"2023-03-10 09:30", "2023-03-13 09:30"} {
		for m := range int64(390) {
			b := at(day) + m*minute
			s.Append(&bar.Bar{Begin: b, End: b + minute, Known: b + minute, Open: 100, High: 100, Low: 100, Close: 100})
		}
	}
	bar.Assign(s, cal, bar.OutageLimit(bar.Minute, cal))
	in := label.Input{Base: s, Clock: cal, Timeframe: 5 * bar.Minute, Cost: paid(),
		Decisions: []int64{at("2023-03-10 15:40"), at("2023-03-10 16:00"), at("2023-03-13 09:35")}, Width: []float64{.01, .01, .01}}
	set := triple(t, in, label.Default(), 1)
	if got, want := set.Long.ExitTime[0], at("2023-03-13 10:50"); set.Why[0] != "" || got != want {
		t.Errorf("%q: left at %v, want %v", set.Why[0], time.Unix(0, got).UTC(), time.Unix(0, want).UTC())
	}
	if set.Why[1] != label.WhyNoEntry {
		t.Errorf("decision at the close: %q", set.Why[1])
	}

	// The purge's floor of 60 bars (five hours of open time) before Monday's first decision begins on Friday at 11:05.
	p := split.Purging{FloorBars: 60, MaxLost: 100, MinRows: 1}
	spans := []view.Span{{Decision: at("2023-03-10 10:00"), Outcome: at("2023-03-10 11:05")}, {Decision: at("2023-03-10 10:00"), Outcome: at("2023-03-10 11:06")}}
	l, err := split.Lockbox(spans, at("2023-03-13 09:35"), p, split.Market{Clock: cal, Bar: 5 * time.Minute})
	if err != nil || len(l.Dev) != 1 || l.Dev[0] != 0 || len(l.Purged) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}
