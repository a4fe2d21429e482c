package report_test

import (
	"fmt"
	"os"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/report"
)

func ExampleText() {
	o := &factory.Outcome{Market: "fesx", Verdict: judge.Refuse("stack", "FESX", "purge and embargo would take 18 % of a fold; give more data")}
	if err := report.Text(os.Stdout, []*factory.Outcome{o}, 72); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ┌────────┬─────────────────────┬────────────┬──────────┬─────┬────────┐
	// │ market │ verdict             │ net Sharpe │ interval │ DSR │ trials │
	// ├────────┼─────────────────────┼────────────┼──────────┼─────┼────────┤
	// │ fesx   │ not enough evidence │          – │        – │   – │      – │
	// └────────┴─────────────────────┴────────────┴──────────┴─────┴────────┘
	// DSR: confidence (1 − p) that the Sharpe ratio exceeds what the best of
	// that many trials without skill would show
	//
	// ? fesx: not enough evidence: purge and embargo would take 18 % of a
	//   fold; give more data
}

func ExampleSummarize() {
	o := &factory.Outcome{Market: "fesx", Verdict: judge.Refuse("stack", "FESX", "give more data")}
	run := report.Summarize([]*factory.Outcome{o}).Runs[0]
	fmt.Println(run.Market, run.Verdict.Status, run.NetSharpe.Value.Exists())
	// Output: fesx not_enough_evidence false
}
