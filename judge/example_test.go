package judge_test

import (
	"fmt"
	"math"
	"strings"

	"github.com/mlfactory/mlfactory/judge"
)

// The worked example of Bailey and López de Prado (2014): an annual Sharpe
// ratio of 2.5 over five years, the best of 100.
func ExampleDSR() {
	s := judge.Sample{Sharpe: 2.5 / math.Sqrt(250), N: 1250, Skew: -3, Kurtosis: 10}
	dsr, err := judge.DSR(s, 100, 0.5/250)
	fmt.Printf("%.4f %v\n", dsr, err)
	// Output: 0.9004 <nil>
}

func ExampleFromReturns() {
	var csv strings.Builder
	csv.WriteString("date,return\n")
	for i := range 28 {
		fmt.Fprintf(&csv, "2024-02-%02d,%.4f\n", i+1, 0.001+0.01*math.Sin(float64(7*i*i)))
	}
	record, err := judge.ReadReturns(strings.NewReader(csv.String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := judge.FromReturns(judge.Default(), record, judge.Declared{Trials: 40})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Status)
	fmt.Println(v.Sentence)
	// Output:
	// not_enough_evidence
	// not enough evidence: net Sharpe 9.5 [3.7, 15.3], DSR 0.65 with 40 trials; 28 days out of sample, 120 asked; to see a Sharpe of 1 you would need 18.4 years
}
