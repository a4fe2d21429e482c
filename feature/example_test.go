package feature_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/view"
)

// climb is a day of minutes that rise by one a minute.
func climb() *bar.Series {
	s := bar.NewSeries(bar.Minute, 600)
	begin := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range 600 {
		p := 1000 + float64(i)
		b := bar.Bar{Begin: begin, End: begin + int64(bar.Minute), Open: p, High: p + 1.5, Low: p - 0.5, Close: p + 1, Volume: 10}
		b.Known, begin = b.End, b.End
		s.Append(&b)
	}
	return s
}

func Example() {
	var r feature.Registry
	if err := feature.Register(&r); err != nil {
		fmt.Println(err)
		return
	}
	cal, _ := calendar.ByName(calendar.Always)
	bars := climb()
	bar.Assign(bars, cal, time.Hour)

	set, err := r.Set([]feature.Choice{{
		Timeframes: []bar.Timeframe{5 * bar.Minute, bar.Hour},
		Features:   []feature.Spec{{Name: "rsi", Params: map[string]float64{"window": 5}}, {Name: "session"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := feature.Compute(context.Background(), &r, bars, cal, set, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	decisions := []int64{
		time.Date(2024, 5, 6, 1, 59, 59, 0, time.UTC).UnixNano(),
		time.Date(2024, 5, 6, 9, 0, 0, 0, time.UTC).UnixNano(),
	}
	var table view.Table
	if err := feature.Gather(store, decisions, []string{"rsi_5@5m", "rsi_5@1h", "session_return@1h"}, cal, &table); err != nil {
		fmt.Println(err)
		return
	}
	for i := range decisions {
		fmt.Printf("%.0f %.0f %.4f\n", table.Col(0)[i], table.Col(1)[i], table.Col(2)[i])
	}
	// Output:
	// 100 NaN 0.0583
	// 100 100 0.4318
}

func ExampleDriver() {
	var r feature.Registry
	if err := feature.Register(&r); err != nil {
		fmt.Println(err)
		return
	}
	cal, _ := calendar.ByName(calendar.Always)
	set := feature.Set{Frames: []feature.Frame{{Timeframe: 5 * bar.Minute, Features: []feature.Spec{{Name: "clv"}}}}}
	d, err := feature.NewDriver(&r, set, bar.Minute, cal)
	if err != nil {
		fmt.Println(err)
		return
	}
	bars := climb()
	bar.Assign(bars, cal, time.Hour)
	var b bar.Bar
	for i := range 7 {
		bars.At(i, &b)
		if err := d.Push(&b); err != nil {
			fmt.Println(err)
			return
		}
		if err := d.Advance(b.End); err != nil { // the clock ends the bar, not the next one
			fmt.Println(err)
			return
		}
		m := d.Store().Matrices[0]
		fmt.Print(m.Rows(), " ")
	}
	fmt.Printf("%.3f\n", d.Store().Matrices[0].Row(0)[0])
	// Output: 0 0 0 0 1 1 1 0.833
}
