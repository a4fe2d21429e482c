package catboost

import (
	"math"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// sampleBlock is the number of rows whose expected sample MVS holds to the
// share.
const sampleBlock = 8192

// bayesianWeights fills w with (−ln u)^temperature for uniform u (the Bayesian
// bootstrap of Rubin 1981 at temperature 1).
func bayesianWeights(w []float32, temperature float64, stream rng.Stream) {
	r := stream.Rand()
	for i := range w {
		v := -stat.Log((float64(r.Uint64()>>12) + 0.5) / (1 << 52))
		if temperature != 1 {
			v = stat.Exp(temperature * stat.Log(v))
		}
		w[i] = float32(v)
	}
}

// bernoulliWeights draws rows with probability share; at least one is drawn.
func bernoulliWeights(w []float32, share float64, stream rng.Stream) {
	r := stream.Rand()
	drawn := false
	for i := range w {
		w[i] = 0
		if r.Float64() < share {
			w[i], drawn = 1, true
		}
	}
	if !drawn {
		w[r.IntN(len(w))] = 1
	}
}

// mvsWeights draws row i with the probability p = min(1, s/µ), where s is the
// square root of size[i] + lambda and µ makes the expected number of rows of a
// block the given share of it, and gives it the weight 1/p (minimal variance
// sampling, Ibragimov and Gusev 2019). size are squared gradients.
func mvsWeights(w []float32, size []float64, lambda, share float64, stream rng.Stream) {
	r := stream.Rand()
	s := make([]float64, 0, sampleBlock)
	drawn := false
	for lo := 0; lo < len(w); lo += sampleBlock {
		hi := min(len(w), lo+sampleBlock)
		s = s[:0]
		for _, v := range size[lo:hi] {
			s = append(s, math.Sqrt(v+lambda))
		}
		mu := mvsThreshold(append([]float64(nil), s...), share*float64(hi-lo))
		for i := lo; i < hi; i++ {
			p := 1.0
			if s[i-lo] < mu {
				p = s[i-lo] / mu
			}
			w[i] = 0
			if u := r.Float64(); p > 2.2e-16 && u < p {
				w[i], drawn = float32(1/p), true
			}
		}
	}
	if !drawn {
		w[r.IntN(len(w))] = 1
	}
}

// mvsThreshold is the µ at which Σ min(1, s/µ) is want, 0 where all rows are
// wanted. It reorders s. O(n) on average.
func mvsThreshold(s []float64, want float64) float64 {
	small, large := 0.0, 0.0 // sum of those known to be below µ, number of those above
	for {
		// Values less than, equal to and greater than a pivot.
		a, b, c := s[0], s[len(s)/2], s[len(s)-1]
		pivot := max(min(a, b), min(max(a, b), c))
		lo, eq, hi, below := 0, 0, len(s), 0.0
		for eq < hi {
			switch v := s[eq]; {
			case v < pivot:
				below += v
				s[lo], s[eq] = v, s[lo]
				lo++
				eq++
			case v > pivot:
				hi--
				s[hi], s[eq] = v, s[hi]
			default:
				eq++
			}
		}
		above, same := float64(len(s)-eq), float64(eq-lo)
		sum, rest := 0.0, 0.0
		switch estimate := (small+below)/pivot + large + above + same; {
		case estimate > want && eq < len(s):
			small += below + float64(same*pivot)
			s = s[eq:]
			continue
		case estimate > want:
			sum, rest = small+below+float64(same*pivot), want-large
		case lo > 0:
			large += above + same
			s = s[:lo]
			continue
		default:
			sum, rest = small, want-large-above-same
		}
		if rest <= 0 {
			return 0
		}
		return sum / rest
	}
}
