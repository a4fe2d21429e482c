package nn

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/view"
)

// scale turns the columns of a table into inputs of a network.
type scale struct {
	names   []string
	mean    []float32
	inv     []float32 // 1/deviation, 0 for a constant column
	missing []int32   // columns that get an indicator of missing values, ascending
	clip    float32
}

// newScale measures the rows (nil: all) of t with their weights (nil: all 1).
func newScale(t *view.Table, rows []int, weight []float64, clip float64) *scale {
	s := &scale{names: append([]string(nil), t.Names...), mean: make([]float32, t.P), inv: make([]float32, t.P), clip: float32(clip)}
	for j := range t.P {
		col := t.Col(j)
		sum, total := 0.0, 0.0
		holes := false
		for _, i := range rows {
			x, w := float64(col[i]), 1.0
			if weight != nil {
				w = weight[i]
			}
			if x != x {
				holes = true
				continue
			}
			sum += float64(w * x)
			total += w
		}
		if holes {
			s.missing = append(s.missing, int32(j)) // #nosec G115 -- columns are few
		}
		if total == 0 {
			continue
		}
		mean := sum / total
		square := 0.0
		for _, i := range rows {
			d, w := float64(col[i])-mean, 1.0
			if weight != nil {
				w = weight[i]
			}
			if d == d {
				square += float64(w * d * d)
			}
		}
		s.mean[j], s.inv[j] = moments(mean, math.Sqrt(square/total))
	}
	return s
}

// moments are what a column is scaled by: its mean and 1/deviation. Below a
// millionth of its size a deviation is rounding, and the column constant.
func moments(mean, deviation float64) (m, inverse float32) {
	if inv := 1 / deviation; deviation > 1e-6*math.Abs(mean) && !math.IsInf(float64(float32(inv)), 0) {
		inverse = float32(inv)
	}
	return float32(mean), inverse
}

// width is the number of inputs.
func (s *scale) width() int { return len(s.names) + len(s.missing) }

// put writes the inputs of column values x to out.
func (s *scale) put(x []float32, out []float32) {
	for j, v := range x {
		out[j] = standard(v, s.mean[j], s.inv[j], s.clip)
	}
	for k, j := range s.missing {
		out[len(x)+k] = 0
		if v := x[j]; v != v {
			out[len(x)+k] = 1
		}
	}
}

// standard is (v − mean)·inv, cut at ±clip (0: not), and 0 for a missing value.
func standard(v, mean, inv, clip float32) float32 {
	if v != v {
		return 0
	}
	z := float32(v-mean) * inv
	if clip > 0 {
		z = min(max(z, -clip), clip)
	}
	if z != z || math.IsInf(float64(z), 0) { // ±3e38 − 3e38 overflows
		return 0
	}
	return z
}

// tableSource gives rows of a table to a network.
type tableSource struct {
	width int
	data  []float32 // row-major
}

// source scales the rows (nil: all) of t.
func (s *scale) source(t *view.Table, rows []int) *tableSource {
	n := t.N
	if rows != nil {
		n = len(rows)
	}
	src := &tableSource{s.width(), make([]float32, n*s.width())}
	x := make([]float32, t.P)
	for k := range n {
		i := k
		if rows != nil {
			i = rows[k]
		}
		for j := range x {
			x[j] = t.Data[j*t.N+i]
		}
		s.put(x, src.data[k*src.width:])
	}
	return src
}

func (s *tableSource) put(t *tape.Tape, rows []int) *tape.Tensor {
	x := t.Blank(len(rows), s.width)
	for k, i := range rows {
		copy(x.Row(k), s.data[i*s.width:(i+1)*s.width])
	}
	return x
}

func (s *scale) checkRow(x []float32) error {
	if len(x) != len(s.names) {
		return fmt.Errorf("model/nn: a row of %d values; the fit had %d columns", len(x), len(s.names))
	}
	for j, v := range x {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("model/nn: column %q is %v; give NaN for a missing value", s.names[j], v)
		}
	}
	return nil
}
