package cost_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/cost"
)

// A long of one micro E-mini contract, stopped out: half a tick of spread and half a
// tick of slippage on entry, half a tick of slippage on the stop, 35 cents a side.
func ExampleModel_Walk() {
	m := &cost.Model{Tick: 0.25, PointValue: 5, HalfSpreadTicks: 0.5, SlippageTicks: 0.5, Commission: 0.35, Multiplier: 1}
	bars := ohlc([4]float64{5000, 5002, 4999, 5001}, [4]float64{5001, 5001, 4989, 4990})
	o, _ := m.Walk(bars, cost.Position{Entry: 0, Side: 1, ProfitTake: 0.002, StopLoss: 0.002, Expiry: 60 * minute})
	fmt.Printf("%s: in at %.3f, out at %.3f, gross %.4f%%, net %.4f%%\n", o.Exit, o.Entry, o.Fills.Exit, 100*o.Gross, 100*o.Net)
	// Output: stop-loss: in at 5000.250, out at 4989.875, gross -0.2000%, net -0.2103%
}
