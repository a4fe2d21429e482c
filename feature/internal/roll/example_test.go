package roll_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/feature/internal/roll"
)

func ExampleMoments() {
	m := roll.NewMoments(3)
	for _, x := range []float64{1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4} {
		mean, m2 := m.Push(x)
		fmt.Println(mean-1e9, m2)
	}
	// Output:
	// NaN NaN
	// NaN NaN
	// 2 2
	// 3 2
}
