package calendar_test

import (
	"fmt"
	"time"

	"github.com/mlfactory/mlfactory/bar/calendar"
)

func Example() {
	cme, err := calendar.ByName("CME")
	if err != nil {
		fmt.Println(err)
		return
	}
	sunday := time.Date(2021, 3, 14, 23, 0, 0, 0, time.UTC)
	s, open := cme.At(sunday.UnixNano())
	fmt.Println(open, s.Date(), time.Unix(0, s.Open).UTC().Format(time.DateTime), time.Unix(0, s.Close).UTC().Format(time.DateTime))
	friday := sunday.AddDate(0, 0, -2)
	fmt.Println(sunday.Sub(friday), cme.OpenTime(friday.UnixNano(), sunday.UnixNano()))
	// Output:
	// true 2021-03-15 2021-03-14 22:00:00 2021-03-15 21:00:00
	// 48h0m0s 1h0m0s
}

func ExampleNew() {
	tokyo, err := calendar.New(calendar.Spec{
		Name: "TSE", Zone: "Asia/Tokyo",
		Sessions:    []calendar.Hours{{Days: "mon-fri", Open: "09:00", Close: "15:00", Breaks: []string{"11:30-12:30"}}},
		Exceptions:  []calendar.Exception{{Name: "New Year", On: "01-01"}, {Name: "Coming of Age Day", On: "2 mon jan"}},
		MissingDays: 5,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	noon := time.Date(2021, 1, 12, 3, 0, 0, 0, time.UTC).UnixNano()
	fmt.Println(tokyo.OpenTime(noon, noon+int64(time.Hour)), tokyo.Next(noon).Date())
	// Output:
	// 30m0s 2021-01-13
}
