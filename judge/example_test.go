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
	// not enough evidence: net Sharpe 9.5 [3.7, 15.3], DSR 0.65 with 40 trials; 28 days out of sample, 120 asked; 28 active days, 30 asked: the interval is too narrow to trust; to see a Sharpe of 1 you would need 18.4 years
}

// Three strategies were tried on 500 days; the one named beforehand is judged.
func ExampleJudge() {
	const n = 500
	e := judge.Evidence{
		Candidate: "stack h20", Key: "k1", Instrument: "ES", PeriodsPerYear: 252, Bets: 900,
		Net: make([]float64, n), NetMultiple: make([]float64, n), SameExposure: make([]float64, n),
		Lockbox: judge.Lockbox{State: judge.LockboxUnopened},
	}
	other := judge.Trial{Key: "k2", Instrument: "ES", Returns: make([]float64, n)}
	for i := range n {
		e.Days = append(e.Days, int32(19000+i))
		wave := math.Sin(float64(i * i))
		e.Net[i] = 0.0001 + 0.008*wave
		e.NetMultiple[i] = e.Net[i] - 0.0003
		e.SameExposure[i] = 0.004 * math.Cos(float64(3*i*i))
		other.Returns[i] = 0.006 * math.Cos(float64(i*i))
	}
	other.Days = e.Days
	for i := range 100 {
		e.RandomEntry = append(e.RandomEntry, float64(i)/25-2)
	}
	e.Trials = judge.Snapshot{Digest: judge.Digest([]judge.Trial{other}), Trials: []judge.Trial{other}}
	v, err := judge.Judge(judge.Default(), e)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Sentence)
	for _, r := range v.Reasons {
		if !r.OK {
			fmt.Println(r.Gate, r.Blocks)
		}
	}
	// Output:
	// no evidence of an edge after costs: net Sharpe 0.3 [−1.1, 1.6], DSR 0.45 with 2 trials; to see a Sharpe of 1 you would need 8.3 years
	// cost_multiple fail
	// excess_dsr fail
	// random_entry fail
	// dsr not_enough_evidence
}
