package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
)

// Bin is one step of a reliability table.
type Bin struct {
	Rows      int
	Weight    float64
	Low, High float64 // least and largest predicted probability in the bin
	Predicted float64 // weighted mean predicted probability
	Observed  float64 // weighted share of rows that have the class
}

// predicted is a row with its probability beside it, so that sorting does not
// look rows up.
type predicted struct {
	prob float64
	row  int
}

// Reliability is the reliability table of one class against the others: rows
// in order of the predicted probability (ties by row), cut into at most the
// given number of bins of equal weight. Rows of equal probability stay in one
// bin, so there may be fewer. weight may be nil; rows of weight 0 do not count.
// Bins below 1, unequal lengths and predictions that are no distributions are
// errors. O(n log n).
func Reliability(p *model.Prediction, class []int8, weight []float64, of int8, bins int) ([]Bin, error) {
	if bins < 1 {
		return nil, fmt.Errorf("calibrate: %d bins", bins)
	}
	k := model.ClassIndex(of)
	if k < 0 || k >= p.K || len(class) != p.N || weight != nil && len(weight) != p.N {
		return nil, fmt.Errorf("calibrate: reliability of class %d: %d predictions of %d classes, %d outcomes, %d weights", of, p.N, p.K, len(class), len(weight))
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	w := func(i int) float64 {
		if weight == nil {
			return 1
		}
		return weight[i]
	}
	order := make([]predicted, 0, p.N)
	total := 0.0
	for i := range p.N {
		if w(i) > 0 {
			order = append(order, predicted{p.Prob[i*p.K+k], i})
			total += w(i)
		}
	}
	slices.SortFunc(order, func(a, b predicted) int {
		switch {
		case a.prob < b.prob:
			return -1
		case a.prob > b.prob:
			return 1
		}
		return a.row - b.row
	})
	var out []Bin
	var cur Bin
	done := 0.0
	for n, at := range order {
		x, i := at.prob, at.row
		if cur.Rows == 0 {
			cur.Low = x
		}
		cur.Rows++
		cur.Weight += w(i)
		cur.High = x
		cur.Predicted += float64(w(i) * x)
		if class[i] == of {
			cur.Observed += w(i)
		}
		last := n == len(order)-1
		// The first of the even cuts that lies beyond the bins that are done.
		cut := total / float64(bins) * (math.Floor(done/total*float64(bins)+1e-9) + 1)
		full := done+cur.Weight >= cut*(1-1e-12)
		if last || full && order[n+1].prob != x {
			done += cur.Weight
			cur.Predicted /= cur.Weight
			cur.Observed /= cur.Weight
			out = append(out, cur)
			cur = Bin{}
		}
	}
	return out, nil
}

// ECE is the class-wise expected calibration error: the mean over the classes
// of Σ_b W_b/W · |predicted_b − observed_b| over the bins of [Reliability]
// (Kull et al. 2019, "Beyond temperature scaling", eq. 3, with bins of equal
// weight). It is biased upward by about the noise of a bin. Errors as there,
// and no weight at all.
func ECE(p *model.Prediction, class []int8, weight []float64, bins int) (float64, error) {
	tables := make([][]Bin, p.K)
	for k := range p.K {
		var err error
		if tables[k], err = Reliability(p, class, weight, int8(k-1), bins); err != nil {
			return 0, err
		}
	}
	return ECEOf(tables)
}

// ECEOf is [ECE] from the reliability tables of all classes.
func ECEOf(tables [][]Bin) (float64, error) {
	if len(tables) == 0 {
		return 0, fmt.Errorf("calibrate: no reliability table")
	}
	sum := 0.0
	for _, table := range tables {
		var e, total float64
		for _, b := range table {
			e += float64(b.Weight * math.Abs(b.Predicted-b.Observed))
			total += b.Weight
		}
		if !(total > 0) {
			return 0, fmt.Errorf("calibrate: no row with a positive weight")
		}
		sum += e / total
	}
	return sum / float64(len(tables)), nil
}

// Brier is the weighted mean of Σ_c (p_c − [c = class])²: 0 is perfect, 2 the
// worst, (K−1)/K uniform (Brier 1950). weight may be nil. Errors as [ECE].
func Brier(p *model.Prediction, class []int8, weight []float64) (float64, error) {
	if len(class) != p.N || weight != nil && len(weight) != p.N {
		return 0, fmt.Errorf("calibrate: %d predictions, %d outcomes, %d weights", p.N, len(class), len(weight))
	}
	if err := p.Check(); err != nil {
		return 0, fmt.Errorf("calibrate: %w", err)
	}
	var sum, total float64
	for i, c := range class {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		if !(w > 0) {
			continue
		}
		k := model.ClassIndex(c)
		if k < 0 || k >= p.K {
			return 0, fmt.Errorf("calibrate: row %d has class %d", i, c)
		}
		s := 0.0
		for j, x := range p.Row(i) {
			if j == k {
				x--
			}
			s += float64(x * x)
		}
		sum += float64(w * s)
		total += w
	}
	if !(total > 0) {
		return 0, fmt.Errorf("calibrate: no row with a positive weight")
	}
	return sum / total, nil
}
