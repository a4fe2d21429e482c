package stat_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

func ExampleSharpeStdErr() {
	// Daily returns that follow each other: the robust error is larger than
	// that of independent returns.
	r := rng.New(1).Stream("example").Rand()
	x := make([]float64, 2000)
	last := 0.0
	for i := range x {
		last = 0.4*last + r.NormFloat64()
		x[i] = last
	}
	fmt.Printf("independent %.4f robust %.4f\n", stat.SharpeStdErr(x, 0), stat.SharpeStdErr(x, -1))
	// Output: independent 0.0224 robust 0.0351
}

func ExampleSpearman() {
	fmt.Printf("%.2f\n", stat.Spearman([]float64{1, 2, 3, 4}, []float64{1, 8, 27, 20}))
	// Output: 0.80
}
