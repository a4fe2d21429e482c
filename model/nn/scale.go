package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/view"
)

// scale turns the columns of a table into inputs of a network.
type scale struct {
	names   []string
	mean    []float32
	inv     []float32 // 1/deviation, 0 for a constant column
	missing []int32   // columns that get an indicator of missing values, ascending
	bound   bound
}

// bound is how scaled values are kept near 0.
type bound struct {
	at     float32 // 0: not at all
	robust bool    // scales are medians and quartiles, bounds are smooth
}

// newScale measures the rows of t with their weights (nil: all 1; quartiles count
// rows).
func newScale(t *view.Table, rows []int, weight []float64, b bound) *scale {
	s := &scale{names: append([]string(nil), t.Names...), mean: make([]float32, t.P), inv: make([]float32, t.P), bound: b}
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
		if b.robust {
			values := make([]float64, 0, len(rows))
			for _, i := range rows {
				if x := float64(col[i]); x == x {
					values = append(values, x)
				}
			}
			s.mean[j], s.inv[j] = quartiles(values)
		}
	}
	return s
}

// quartiles are the median of values, of which there are some, and the inverse of
// the distance of their quartiles, or where that is 0 of half their range (Holzmüller
// et al. 2024, section 3). Quantiles are interpolated. values are sorted.
func quartiles(values []float64) (median, inverse float32) {
	slices.Sort(values)
	at := func(q float64) float64 {
		x := q * float64(len(values)-1)
		lo := int(x)
		hi := min(lo+1, len(values)-1)
		return values[lo] + float64((x-float64(lo))*(values[hi]-values[lo]))
	}
	mid := at(0.5)
	width := at(0.75) - at(0.25)
	if _, inv := moments(mid, width); inv > 0 {
		return float32(mid), inv
	}
	return moments(mid, (values[len(values)-1]-values[0])/2)
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

// finish turns a row that begins with column values into inputs.
func (s *scale) finish(row []float32) {
	x := row[:len(s.names)]
	for k, j := range s.missing {
		row[len(x)+k] = 0
		if v := x[j]; v != v {
			row[len(x)+k] = 1
		}
	}
	s.bound.standardize(x, s.mean, s.inv, x)
}

// layRows is how many rows are laid out at a time: few enough for a line of the cache
// of each to stay in the first level while columns go by.
const layRows = 128

// lay writes the inputs of rows lo to hi−1 of those listed (nil: all) of t to out, a
// row after the other.
func (s *scale) lay(t *view.Table, rows []int, lo, hi int, out []float32) {
	w := s.width()
	for ; lo < hi; lo += layRows {
		n := min(layRows, hi-lo)
		for j := range t.P {
			col := t.Col(j)
			if rows == nil {
				for k, v := range col[lo : lo+n] {
					out[k*w+j] = v
				}
				continue
			}
			for k, i := range rows[lo : lo+n] {
				out[k*w+j] = col[i]
			}
		}
		for range n {
			s.finish(out[:w])
			out = out[w:]
		}
	}
}

// standardize is standard of all of x; z may be x.
func (b bound) standardize(x, mean, inv, z []float32) {
	if b.robust {
		for j, v := range x {
			z[j] = standard(v, mean[j], inv[j], b)
		}
		return
	}
	inf := float32(math.Inf(1))
	cut := b.at
	if cut == 0 {
		cut = inf
	}
	vec.Standardize(x, mean, inv, z, cut, inf)
}

// standard is z = (v − mean)·inv, and 0 for a missing value. It is cut at the bound
// c, or where that is smooth z/√(1 + (z/c)²), which tends to it.
func standard(v, mean, inv float32, b bound) float32 {
	if v != v {
		return 0
	}
	z := float32(v-mean) * inv
	switch {
	case b.at == 0:
	case b.robust && math.IsInf(float64(z), 0):
		z = float32(math.Copysign(float64(b.at), float64(z)))
	case b.robust:
		r := float64(z) / float64(b.at)
		z = float32(float64(z) / math.Sqrt(1+float64(r*r)))
	default:
		z = min(max(z, -b.at), b.at)
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
	s.lay(t, rows, 0, n, src.data)
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
