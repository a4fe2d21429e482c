package vec

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// LSTMRow is [LSTMRows] for a single row whose gates lie one after the other, four
// times as many values as c has; the cells c take the place of those before. It is
// for steps that are too short for nine matrices.
func LSTMRow(gates, c, t, h []float32) {
	n := len(c)
	if len(gates) != 4*n || len(t) != n || len(h) != n {
		panic(fmt.Sprintf("vec: LSTMRow of %d cells has %d gates, %d tangents and %d states", n, len(gates), len(t), len(h)))
	}
	if n == 0 || lstmRow(simd.Current(), gates, c, t, h) {
		return
	}
	gate := func(k int) Matrix { return Matrix{Data: gates, First: k * n, Stride: 4 * n} }
	cells := Matrix{Data: c, Stride: n}
	LSTMRows(1, n, gate(0), gate(1), gate(2), gate(3), cells, cells, Matrix{Data: t, Stride: n}, Matrix{Data: h, Stride: n})
}
