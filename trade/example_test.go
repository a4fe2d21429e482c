package trade_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/trade"
)

// One long over a session break: bought at 100 in the second minute of the first day,
// closed at 103 in the second minute of the next.
func ExampleSimulate() {
	in := byHand(&cost.Model{Tick: 0.5, PointValue: 2, HalfSpreadTicks: 1, Commission: 0.1, Multiplier: 1})
	r, err := trade.Simulate(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range r.Trades {
		fmt.Printf("%s: %.1f to %.1f, gross %.3f%%, net %.3f%%\n", t.Reason, t.Entry, t.Exit, 100*t.Gross, 100*t.Net)
	}
	for _, d := range r.Days {
		fmt.Printf("day %d: net %+.3f%%, market %+.3f%%, in a position for %.0f%%\n", d.ID, 100*d.Net, 100*d.Market, 100*d.Exposure)
	}
	fmt.Printf("at twice the cost: %.3f%%; breaks even at %.1f ticks a side\n", 100*r.AtCost(2).Trades[0].Net, r.Summarize().BreakEvenTicks)
	// Output:
	// expiry: 100.5 to 102.5, gross 3.000%, net 1.891%
	// day 0: net +0.697%, market +2.273%, in a position for 67%
	// day 1: net +1.194%, market +1.975%, in a position for 50%
	// at twice the cost: 0.792%; breaks even at 3.0 ticks a side
}
