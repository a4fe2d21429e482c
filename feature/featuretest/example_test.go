package featuretest_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
)

func ExampleCheck() {
	cal, err := calendar.ByName(calendar.Synth)
	if err != nil {
		fmt.Println(err)
		return
	}
	e := featuretest.Leaky()
	seen := map[string]bool{}
	for _, p := range featuretest.Check(e, e.Default(), feature.Env{Timeframe: bar.Minute, Calendar: cal}) {
		if !seen[p.Law] {
			fmt.Println("broken:", p.Law)
		}
		seen[p.Law] = true
	}
	// Output:
	// broken: block
	// broken: prefix
	// broken: future
}
