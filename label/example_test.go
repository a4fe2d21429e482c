package label_test

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
)

// Decisions every five minutes in a market that rises by ten cents a minute: each
// long reaches its profit-take of one per cent, each short its stop.
func ExampleTriple() {
	in := label.Input{
		Base: straight(60, 0.1), Clock: always{}, Timeframe: 5 * bar.Minute,
		Cost: &cost.Model{Tick: 0.01, PointValue: 1, HalfSpreadTicks: 1, Commission: 0.01, Multiplier: 1},
	}
	for m := int64(10); m <= 30; m += 10 {
		in.Decisions, in.Width = append(in.Decisions, m*minute), append(in.Width, 0.004)
	}
	cfg := label.Default() // barriers at 2.5 widths, 20 bars, latency of a second
	set, err := label.Triple(context.Background(), in, cfg, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range set.Rows() {
		fmt.Printf("minute %d: class %+d, long %s %+.3f%%, short %s %+.3f%%\n", in.Decisions[i]/minute, set.Class[i],
			set.Long.Exit[i], 100*set.Long.Net[i], set.Short.Exit[i], 100*set.Short.Net[i])
	}
	u := label.Uniqueness(set.Spans)
	fmt.Printf("%d labels are worth %.2f\n", len(u), label.EffectiveN(u))
	// Output:
	// minute 10: class +1, long profit-take +0.970%, short stop-loss -1.030%
	// minute 20: class +1, long profit-take +0.971%, short stop-loss -1.029%
	// minute 30: class +1, long profit-take +0.971%, short stop-loss -1.029%
	// 3 labels are worth 2.67
}
