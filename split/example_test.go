package split_test

import (
	"fmt"
	"time"

	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// Hourly decisions of a market that never closes, each label known six hours
// later, in a walk-forward of two steps.
func ExampleWalkForward() {
	spans := make([]view.Span, 1000)
	for i := range spans {
		at := int64(i) * int64(time.Hour)
		spans[i] = view.Span{Decision: at, Entry: at, Outcome: at + int64(6*time.Hour)}
	}
	w := split.DefaultWalkForward()
	w.Steps, w.FloorBars = 2, 12
	w.Market = split.Market{Clock: always{}, Bar: time.Hour}
	folds, err := w.Split(spans)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range folds {
		fmt.Printf("train %d, stop %d, calib %d, test %d; last training row %d, first test row %d\n",
			len(f.Train), len(f.Stop), len(f.Calib), len(f.Test), f.Calib[len(f.Calib)-1], f.Test[0])
	}
	// Output:
	// train 273, stop 38, calib 38, test 300; last training row 382, first test row 400
	// train 513, stop 68, calib 68, test 300; last training row 682, first test row 700
}
