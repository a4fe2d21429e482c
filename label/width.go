package label

import (
	"fmt"
	"math"
	"sort"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/stat"
)

// Width is the barrier unit at each decision: the average true range or the
// standard deviation of one bar of s, as a fraction of its close, known by the
// decision.
//
//	atr:   TR = max(high, prev close) − min(low, prev close); Wilder's average:
//	       the mean of the first n TRs, then A ← A + (TR − A)/n; width = A/close
//	sigma: r = ln(close/prev close); m and v are exponentially weighted with
//	       α = 2/(n+1) and bias-corrected by the sum of weights; width = √v
//
// n is cfg.Period; both need n values after the start of a segment, where the
// state begins anew. At the start of a session no previous close is used: atr
// takes high − low, sigma skips the return, so an overnight gap never widens a
// barrier. Bars released late from quarantine are left out.
//
// s holds bars of the decision timeframe. A decision takes the last bar with
// End ≤ decision, if that bar is in the last `stale` nanoseconds (0 or less: no
// limit); NaN before the first value, on a stale bar and at a width of 0.
// decisions must not descend. Cost: O(bars + decisions).
//
// Source: Wilder (1978), New Concepts in Technical Trading Systems; RiskMetrics
// Technical Document (1996), §5.2, with the mean kept.
func Width(s *bar.Series, decisions []int64, cfg Config, stale int64) ([]float64, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("label: width: %w", err)
	}
	if !sort.SliceIsSorted(decisions, func(i, j int) bool { return decisions[i] < decisions[j] }) {
		return nil, fmt.Errorf("label: width: %d decisions are not in order of time; sort them", len(decisions))
	}
	var step func(j int) float64
	if cfg.Width == ATR {
		step = (&wilder{s: s, n: cfg.Period}).push
	} else {
		step = (&ewm{s: s, n: cfg.Period}).push
	}
	out := make([]float64, len(decisions))
	value, end := math.NaN(), int64(math.MinInt64)
	j := 0
	for i, d := range decisions {
		for ; j < s.Len() && s.End[j] <= d; j++ {
			if s.Flags[j]&bar.Late != 0 {
				continue
			}
			value, end = step(j), s.End[j]
		}
		out[i] = value
		if !(value > 0) || stale > 0 && d-end > stale {
			out[i] = math.NaN()
		}
	}
	return out, nil
}

// wilder is Wilder's average true range as a fraction of the close.
type wilder struct {
	s     *bar.Series
	n     int
	k     int // values in the seed so far
	prev  int // last bar pushed, valid where k > 0
	value float64
}

func (w *wilder) push(j int) float64 {
	s := w.s
	if w.k > 0 && s.Segment[j] != s.Segment[w.prev] {
		w.k, w.value = 0, 0
	}
	high, low := s.High[j], s.Low[j]
	if w.k > 0 && s.Session[j] == s.Session[w.prev] {
		high, low = max(high, s.Close[w.prev]), min(low, s.Close[w.prev])
	}
	tr := high - low
	w.k, w.prev = w.k+1, j
	switch {
	case w.k < w.n:
		w.value += tr
		return math.NaN()
	case w.k == w.n:
		w.value = (w.value + tr) / float64(w.n)
	default:
		w.value += (tr - w.value) / float64(w.n)
	}
	return w.value / s.Close[j]
}

// ewm is the exponentially weighted standard deviation of log returns, with
// weights (1−α)^age and the unbiased correction Σw²: v·(Σw)²/((Σw)²−Σw²).
type ewm struct {
	s              *bar.Series
	n              int
	k              int // returns seen in this segment
	prev           int
	seen           bool
	sum, sq, w, w2 float64 // Σwx, Σwx², Σw, Σw²
}

func (e *ewm) push(j int) float64 {
	s := e.s
	if e.seen && s.Segment[j] != s.Segment[e.prev] {
		*e = ewm{s: s, n: e.n}
	}
	if e.seen && s.Session[j] == s.Session[e.prev] {
		e.add(stat.Log(s.Close[j] / s.Close[e.prev]))
	}
	e.prev, e.seen = j, true
	if e.k < e.n {
		return math.NaN()
	}
	return e.std()
}

func (e *ewm) add(x float64) {
	decay := 1 - 2/float64(e.n+1)
	e.sum = float64(e.sum*decay) + x
	e.sq = float64(e.sq*decay) + float64(x*x)
	e.w = float64(e.w*decay) + 1
	e.w2 = float64(e.w2*decay*decay) + 1
	e.k++
}

// std is the bias-corrected deviation, as pandas' ewm(span).std().
func (e *ewm) std() float64 {
	if e.k < 2 {
		return math.NaN()
	}
	mean := e.sum / e.w
	v := max(0, e.sq/e.w-float64(mean*mean))
	den := float64(e.w*e.w) - e.w2
	return math.Sqrt(v * float64(e.w*e.w) / den)
}
