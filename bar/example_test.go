package bar_test

import (
	"fmt"
	"time"

	"github.com/mlfactory/mlfactory/bar"
)

// One-minute bars of a short day on the NYSE become bars of 45 minutes: counted
// from the open at 9:30, the last one cut by the early close at 13:00.
func ExampleResample() {
	spy, err := bar.Find("SPY")
	if err != nil {
		fmt.Println(err)
		return
	}
	cal, err := spy.NewCalendar()
	if err != nil {
		fmt.Println(err)
		return
	}
	open := time.Date(2021, 11, 26, 9, 30, 0, 0, cal.Zone())
	s := bar.NewSeries(bar.Minute, 0)
	for m := range 210 {
		t := open.Add(time.Duration(m) * time.Minute).UnixNano()
		p := 460 - float64(m)/100
		s.Append(&bar.Bar{Begin: t, End: t + int64(bar.Minute), Known: t + int64(bar.Minute), Open: p, High: p + 0.02, Low: p - 0.01, Close: p - 0.01, Volume: 100})
	}
	bar.Assign(s, cal, spy.Limit(s.Timeframe, cal))
	out, err := bar.Resample(s, 45*bar.Minute, cal)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b bar.Bar
	for i := range out.Len() {
		out.At(i, &b)
		from, to := time.Unix(0, b.Begin).In(cal.Zone()), time.Unix(0, b.End).In(cal.Zone())
		fmt.Printf("%s %s %.2f %.2f %.0f %v\n", from.Format("15:04"), to.Format("15:04"), b.Open, b.Close, b.Volume, b.Has(bar.Short|bar.SessionEnd))
	}
	// Output:
	// 09:30 10:15 460.00 459.55 4500 false
	// 10:15 11:00 459.55 459.10 4500 false
	// 11:00 11:45 459.10 458.65 4500 false
	// 11:45 12:30 458.65 458.20 4500 false
	// 12:30 13:00 458.20 457.90 3000 true
}

// Live: push every bar that is known by now, then move the clock. The clock ends
// a bar, not the arrival of the next one.
func ExampleBuilder() {
	btc, err := bar.Find("BTCUSD")
	if err != nil {
		fmt.Println(err)
		return
	}
	cal, err := btc.NewCalendar()
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions := bar.NewSessioner(cal, btc.Limit(bar.Minute, cal))
	five, err := bar.NewBuilder(bar.Minute, 5*bar.Minute, cal)
	if err != nil {
		fmt.Println(err)
		return
	}
	midnight := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	trades := map[int]float64{1: 29000, 2: 29010, 7: 28990} // by the minute in which they happened
	for now := 1; now <= 10; now++ {
		t := midnight.Add(time.Duration(now) * time.Minute).UnixNano()
		if p, ok := trades[now-1]; ok {
			b := bar.Bar{Begin: t - int64(bar.Minute), End: t, Known: t, Open: p, High: p, Low: p, Close: p, Volume: 1}
			sessions.Push(&b)
			five.Push(&b)
		}
		five.Advance(t, func(b *bar.Bar) {
			fmt.Println(now, "minutes past:", b.Open, b.High, b.Low, b.Close, b.Volume)
		})
	}
	// Output:
	// 5 minutes past: 29000 29010 29000 29010 2
	// 10 minutes past: 28990 28990 28990 28990 1
}
