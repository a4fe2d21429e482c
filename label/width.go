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
	w := newWidth(cfg, stale)
	out := make([]float64, len(decisions))
	var b bar.Bar
	j := 0
	for i, d := range decisions {
		for ; j < s.Len() && s.End[j] <= d; j++ {
			s.At(j, &b)
			w.push(&b)
		}
		out[i] = w.at(d)
	}
	return out, nil
}

// Stale is the age beyond which a bar of the decision clock says nothing of the
// width: two bars of the clock, no limit on irregular bars and sessions.
func Stale(clock bar.Timeframe) int64 { return max(0, 2*int64(clock)) }

// width is the state of one unit of width, for history and live alike.
type width struct {
	atr        bool
	n          int
	staleAfter int64

	value float64 // of the last bar that was not late; NaN before the first
	end   int64   // of that bar
	close float64 // the same
	// The bar before the next one, valid where seen.
	seen             bool
	session, segment int32
	k                int     // values so far in this segment
	mean             float64 // atr: Wilder's average, or the sum of its seed
	sum, sq, w, w2   float64 // sigma: Σwx, Σwx², Σw, Σw²
}

func newWidth(cfg Config, stale int64) *width {
	return &width{atr: cfg.Width == ATR, n: cfg.Period, staleAfter: stale, value: math.NaN(), end: math.MinInt64}
}

// push takes the next bar; a late one is left out.
func (w *width) push(b *bar.Bar) {
	if b.Flags&bar.Late != 0 {
		return
	}
	if w.seen && b.Segment != w.segment {
		w.seen, w.k, w.mean, w.sum, w.sq, w.w, w.w2 = false, 0, 0, 0, 0, 0, 0
	}
	same := w.seen && b.Session == w.session
	if w.atr {
		w.value = w.wilder(b, same)
	} else {
		w.value = w.ewm(b, same)
	}
	w.seen, w.session, w.segment, w.close, w.end = true, b.Session, b.Segment, b.Close, b.End
}

// at is the width at a decision.
func (w *width) at(d int64) float64 {
	if !(w.value > 0) || w.staleAfter > 0 && d-w.end > w.staleAfter {
		return math.NaN()
	}
	return w.value
}

// wilder is Wilder's average true range as a fraction of the close.
func (w *width) wilder(b *bar.Bar, same bool) float64 {
	high, low := b.High, b.Low
	if same {
		high, low = max(high, w.close), min(low, w.close)
	}
	tr := high - low
	w.k++
	switch {
	case w.k < w.n:
		w.mean += tr
		return math.NaN()
	case w.k == w.n:
		w.mean = (w.mean + tr) / float64(w.n)
	default:
		w.mean += (tr - w.mean) / float64(w.n)
	}
	return w.mean / b.Close
}

// ewm is the exponentially weighted standard deviation of log returns, with
// weights (1−α)^age and the unbiased correction Σw²: v·(Σw)²/((Σw)²−Σw²).
func (w *width) ewm(b *bar.Bar, same bool) float64 {
	if same {
		x := stat.Log(b.Close / w.close)
		decay := 1 - 2/float64(w.n+1)
		w.sum = float64(w.sum*decay) + x
		w.sq = float64(w.sq*decay) + float64(x*x)
		w.w = float64(w.w*decay) + 1
		w.w2 = float64(w.w2*decay*decay) + 1
		w.k++
	}
	if w.k < w.n || w.k < 2 {
		return math.NaN()
	}
	// The bias-corrected deviation, as pandas' ewm(span).std().
	mean := w.sum / w.w
	v := max(0, w.sq/w.w-float64(mean*mean))
	den := float64(w.w*w.w) - w.w2
	return math.Sqrt(v * float64(w.w*w.w) / den)
}
