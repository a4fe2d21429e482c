package stat

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/rng"
)

// Scheme makes resampled row indices of a series of n rows; it keeps
// neighbours together so that dependence in time survives.
type Scheme interface {
	// Indices fills idx with rows in [0, n).
	Indices(idx []int, n int, r *rand.Rand)
}

// Stationary is the bootstrap of Politis and Romano (1994): blocks begin at a
// uniform row, wrap around the end, and have geometric lengths with mean Mean
// (at least 1), which makes the resampled series stationary.
type Stationary struct{ Mean float64 }

// Indices implements [Scheme].
func (s Stationary) Indices(idx []int, n int, r *rand.Rand) {
	p := 1 / max(s.Mean, 1)
	at := 0
	for i := range idx {
		if i == 0 || r.Float64() < p {
			at = r.IntN(n)
		} else if at++; at == n {
			at = 0
		}
		idx[i] = at
	}
}

// Circular is the circular block bootstrap of Politis and Romano (1992):
// blocks of Length rows (at least 1) begin at a uniform row and wrap around.
type Circular struct{ Length int }

// Indices implements [Scheme].
func (c Circular) Indices(idx []int, n int, r *rand.Rand) {
	l := max(c.Length, 1)
	at := 0
	for i := range idx {
		if i%l == 0 {
			at = r.IntN(n)
		} else if at++; at == n {
			at = 0
		}
		idx[i] = at
	}
}

// Bootstrap evaluates f on draws resamples of x. Draw d uses the stream
// s.Stream("draw", d), so a draw does not depend on how many others there are.
// f must not keep its argument. Nil for an empty x. O(draws·(n + f)).
func Bootstrap(x []float64, draws int, scheme Scheme, s rng.Stream, f func([]float64) float64) []float64 {
	if len(x) == 0 {
		return nil
	}
	out := make([]float64, draws)
	idx, y := make([]int, len(x)), make([]float64, len(x))
	for d := range out {
		scheme.Indices(idx, len(x), s.Stream("draw", d).Rand())
		for i, k := range idx {
			y[i] = x[k]
		}
		out[d] = f(y)
	}
	return out
}

// Interval is a point estimate with the bounds of a two-sided interval.
type Interval struct {
	Value, Low, High float64
}

// SpanBlock is the number of consecutive rows that always covers the longest
// span: the largest number of rows that begin within one longest span of each
// other (ends included). begin is ascending; end[i] ≥ begin[i]. O(n).
func SpanBlock(begin, end []int64) (int, error) {
	if len(begin) != len(end) {
		panic("stat: SpanBlock of slices of different lengths")
	}
	var longest int64
	for i := range begin {
		if end[i] < begin[i] || i > 0 && begin[i] < begin[i-1] {
			return 0, fmt.Errorf("stat: row %d begins at %d and ends at %d: rows must begin in ascending order and end after they begin", i, begin[i], end[i])
		}
		longest = max(longest, end[i]-begin[i])
	}
	block, lo := 0, 0
	for hi := range begin {
		for begin[hi]-begin[lo] > longest {
			lo++
		}
		block = max(block, hi-lo+1)
	}
	return block, nil
}

// MeanInterval is the mean of per-row losses with a percentile interval of
// that confidence from a circular block bootstrap, so that rows which share an
// outcome stay together. The block is three longest spans ([SpanBlock] of begin
// and end), less where that would leave fewer than 20 blocks, but never below
// one span: a block of b spans keeps 1 − 1/(3b) of the variance of a moving
// average as long as a span. Rows must be in order of begin. An error when
// there are fewer than two blocks of rows, for which no interval means
// anything, or when a loss is NaN. O(draws·n/block).
func MeanInterval(loss []float64, begin, end []int64, draws int, confidence float64, s rng.Stream) (Interval, error) {
	n := len(loss)
	if n != len(begin) {
		panic("stat: MeanInterval of slices of different lengths")
	}
	if draws < 1 || !(confidence > 0 && confidence < 1) {
		return Interval{}, fmt.Errorf("stat: %d draws at confidence %v: want at least one draw and a confidence inside (0, 1)", draws, confidence)
	}
	block, err := SpanBlock(begin, end)
	if err != nil {
		return Interval{}, err
	}
	if n < 2*block || n < 2 {
		return Interval{}, fmt.Errorf("stat: %d rows hold fewer than two blocks of %d rows (the longest span): no interval", n, block)
	}
	block *= min(max(n/(20*block), 1), 3)
	// Prefix sums over the series and its wrapped head make a block O(1).
	sum := make([]float64, n+block+1)
	for i := range n + block {
		v := loss[i%n]
		if math.IsNaN(v) {
			return Interval{}, fmt.Errorf("stat: loss of row %d is NaN", i%n)
		}
		sum[i+1] = sum[i] + v
	}
	out := make([]float64, draws)
	for d := range out {
		r := s.Stream("draw", d).Rand()
		t := 0.0
		for done := 0; done < n; done += block {
			at := r.IntN(n)
			t += sum[at+min(block, n-done)] - sum[at]
		}
		out[d] = t / float64(n)
	}
	a := (1 - confidence) / 2
	return Interval{Value: sum[n] / float64(n), Low: Quantile(out, a), High: Quantile(out, 1-a)}, nil
}
