package command_test

import (
	"fmt"
	"log"

	"github.com/mlfactory/mlfactory/command"
)

// The same record, if it was the only one tried and if it was picked from forty.
func ExampleJudge() {
	for _, trials := range []int{1, 40} {
		v, err := command.Judge("../docs/examples/record.csv", command.JudgeOptions{Trials: trials})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d trials: net Sharpe %s, DSR %.2f: %s\n", trials, v.SharpeAnnual, float64(v.DSR), v.Status)
	}
	// Output:
	// 1 trials: net Sharpe 1.6 [0.4, 2.8], DSR 1.00: pass
	// 40 trials: net Sharpe 1.6 [0.4, 2.8], DSR 0.70: not_enough_evidence
}
