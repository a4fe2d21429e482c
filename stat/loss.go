package stat

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// MinProbability is the floor that [LogLosses] puts under a probability, so
// that one confident mistake costs 34.5 nats and not infinity.
const MinProbability = 1e-15

// checkProbs panics on mismatched lengths and returns an error for a class
// outside [0, k).
func checkProbs(prob []float64, k int, class []int) error {
	if k < 2 || len(prob) != k*len(class) {
		panic("stat: probabilities are not rows × classes")
	}
	for i, c := range class {
		if c < 0 || c >= k {
			return fmt.Errorf("stat: row %d has class %d, outside 0..%d", i, c, k-1)
		}
	}
	return nil
}

// LogLosses writes −log p of each row's true class (nats) into dst, which is
// grown as needed and returned. prob is n×k row-major, class[i] in [0, k).
// Probabilities below [MinProbability] count as that; a NaN stays NaN. Panics
// on mismatched lengths. O(n).
func LogLosses(dst, prob []float64, k int, class []int) ([]float64, error) {
	if err := checkProbs(prob, k, class); err != nil {
		return nil, err
	}
	if cap(dst) < len(class) {
		dst = make([]float64, len(class))
	}
	dst = dst[:len(class)]
	for i, c := range class {
		p := prob[i*k+c]
		if p < MinProbability {
			p = MinProbability
		}
		dst[i] = -Log(p)
	}
	return dst, nil
}

// BrierScores writes Σ_c (p_c − [c is true])² of each row into dst (0 to 2 for
// any k; Brier 1950). Shapes and errors as for [LogLosses]. O(n·k).
func BrierScores(dst, prob []float64, k int, class []int) ([]float64, error) {
	if err := checkProbs(prob, k, class); err != nil {
		return nil, err
	}
	if cap(dst) < len(class) {
		dst = make([]float64, len(class))
	}
	dst = dst[:len(class)]
	for i, c := range class {
		s := 0.0
		for j, p := range prob[i*k : (i+1)*k] {
			if j == c {
				p--
			}
			s += float64(p * p)
		}
		dst[i] = s
	}
	return dst, nil
}

// WeightedMean is Σwx/Σw; w nil means all 1. NaN when the weights sum to 0.
// Panics on different lengths. O(n).
func WeightedMean(x, w []float64) float64 {
	if w == nil {
		return Mean(x)
	}
	if len(x) != len(w) {
		panic("stat: WeightedMean of slices of different lengths")
	}
	var s, t float64
	for i := range x {
		s += float64(w[i] * x[i])
		t += w[i]
	}
	return s / t
}

// Bin is one bin of a calibration curve.
type Bin struct {
	N         int
	Predicted float64 // mean forecast probability
	Observed  float64 // share of rows where it happened
}

// CalibrationCurve sorts rows by forecast p (ties by row) and cuts them into
// bins of equal count (sizes differ by at most one). happened[i] says whether
// the event of row i came true. Fewer rows than bins gives one bin a row.
// Panics on different lengths or bins < 1; NaN in p is an error. O(n log n).
func CalibrationCurve(p []float64, happened []bool, bins int) ([]Bin, error) {
	if len(p) != len(happened) || bins < 1 {
		panic("stat: CalibrationCurve of slices of different lengths or without bins")
	}
	n := len(p)
	order := make([]int, n)
	for i := range order {
		order[i] = i
		if p[i] != p[i] {
			return nil, fmt.Errorf("stat: forecast of row %d is NaN", i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(p[a], p[b]), a-b) })
	bins = min(bins, n)
	out := make([]Bin, bins)
	for b := range out {
		rows := order[b*n/bins : (b+1)*n/bins]
		for _, i := range rows {
			out[b].Predicted += p[i]
			if happened[i] {
				out[b].Observed++
			}
		}
		out[b].N = len(rows)
		out[b].Predicted /= float64(len(rows))
		out[b].Observed /= float64(len(rows))
	}
	return out, nil
}

// CalibrationError is the expected calibration error with bins of equal mass:
// Σ_b (n_b/n)|predicted_b − observed_b| over [CalibrationCurve]. It is biased
// upwards by about √(2p(1−p)·bins/(πn)) for a perfectly calibrated forecast.
// NaN for no rows. Source: Nguyen and O'Connor (2015); Nixon et al. (2019).
func CalibrationError(p []float64, happened []bool, bins int) (float64, error) {
	curve, err := CalibrationCurve(p, happened, bins)
	if err != nil {
		return math.NaN(), err
	}
	if len(p) == 0 {
		return math.NaN(), nil
	}
	e := 0.0
	for _, b := range curve {
		e += float64(float64(b.N) * math.Abs(b.Predicted-b.Observed))
	}
	return e / float64(len(p)), nil
}
