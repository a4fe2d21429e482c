package linear

import (
	"math"

	"github.com/mlfactory/mlfactory/view"
)

// scaler standardises columns; see the package comment for the rule.
type scaler struct {
	mean, inv []float64 // inv is 1/σ, or 0 for a column that says nothing
	sd        []float64
	missing   []float64 // weighted share of missing values
	clip      float64   // > 0
}

// noClip is where inputs are cut when the user wants no cut, so that no float32
// overflows.
const noClip = 1e30

// bound is where inputs are cut for a configured clip.
func bound(clip float64) float64 {
	if clip == 0 {
		return noClip
	}
	return clip
}

// value is the standardised x.
func (s *scaler) value(j int, x float32) float32 {
	if x != x || s.inv[j] == 0 {
		return 0
	}
	z := (float64(x) - s.mean[j]) * s.inv[j]
	if z > s.clip {
		z = s.clip
	} else if z < -s.clip {
		z = -s.clip
	}
	return float32(z)
}

// fitScaler measures mean and population standard deviation of each column
// over the given rows by two passes (weighted; weights nil means 1), missing
// values left out. A column whose σ is below 1e-9 of its mean's size is
// constant.
func fitScaler(t *view.Table, rows []int, weight []float64, clip float64, workers int) *scaler {
	p := t.P
	s := &scaler{
		mean: make([]float64, p), inv: make([]float64, p), sd: make([]float64, p),
		missing: make([]float64, p), clip: clip,
	}
	parallel(workers, p, func(j int) {
		col := t.Col(j)
		var sum, present, total float64
		for _, i := range rows {
			w := 1.0
			if weight != nil {
				w = weight[i]
			}
			total += w
			if x := col[i]; x == x {
				sum += float64(w * float64(x))
				present += w
			}
		}
		if total > present {
			s.missing[j] = (total - present) / total
		}
		if !(present > 0) {
			return
		}
		m := sum / present
		var ss float64
		for _, i := range rows {
			x := col[i]
			if x != x {
				continue
			}
			w := 1.0
			if weight != nil {
				w = weight[i]
			}
			d := float64(x) - m
			ss += float64(w * float64(d*d))
		}
		sd := math.Sqrt(ss / present)
		s.mean[j], s.sd[j] = m, sd
		if sd > 1e-9*math.Abs(m) {
			s.inv[j] = 1 / sd
		} else {
			s.sd[j] = 0
		}
	})
	return s
}
