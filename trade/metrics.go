package trade

import (
	"math"
)

// SharpeAnnual is mean/stddev·√perYear of a series of returns, with the standard
// deviation dividing by n−1; 0 when the returns do not vary or are fewer than 2.
// It is a point estimate for display and for ranking draws; package judge has
// the interval. Cost: O(n).
func SharpeAnnual(returns []float64, perYear float64) float64 {
	mean, sd := meanStd(returns)
	if !(sd > 1e-14*math.Abs(mean)) {
		return 0
	}
	return mean / sd * math.Sqrt(perYear)
}

// meanStd is the mean and the standard deviation with n−1.
func meanStd(x []float64) (mean, sd float64) {
	if len(x) < 2 {
		return 0, 0
	}
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	ss := 0.0
	for _, v := range x {
		ss += float64((v - mean) * (v - mean))
	}
	return mean, math.Sqrt(ss / float64(len(x)-1))
}

// Equity is the running sum of returns.
func Equity(returns []float64) []float64 {
	out, sum := make([]float64, len(returns)), 0.0
	for i, r := range returns {
		sum += r
		out[i] = sum
	}
	return out
}

// Drawdown is one stretch below a high-water mark.
type Drawdown struct {
	Peak      int     // index of the high-water mark (its last point)
	Trough    int     // index of the lowest point (the first of equals)
	Recovered int     // index of the first point not below the mark; len(equity) if it never came back
	Depth     float64 // mark − lowest, in units of equity
}

// Drawdowns is every stretch of a series below its running maximum, in order.
// The time under water of one is the time from Peak to Recovered. Cost: O(n).
//
// Source: López de Prado (2018), §14.5.1; its snippet 14.4 measures the time to
// the mark from which the next drawdown falls, which is later.
func Drawdowns(equity []float64) []Drawdown {
	var out []Drawdown
	peak := 0
	under := false
	for i, x := range equity {
		if x >= equity[peak] {
			if under {
				out[len(out)-1].Recovered, under = i, false
			}
			peak = i
			continue
		}
		if !under {
			out, under = append(out, Drawdown{Peak: peak, Trough: i, Recovered: len(equity), Depth: equity[peak] - x}), true
		}
		if d := &out[len(out)-1]; equity[peak]-x > d.Depth {
			d.Trough, d.Depth = i, equity[peak]-x
		}
	}
	return out
}

// HHI is the normalised Herfindahl–Hirschman concentration of amounts of one
// sign: (Σw² − 1/n)/(1 − 1/n) with w the shares; 0 for equal amounts, 1 when one
// holds all. NaN for fewer than three amounts or a sum of 0.
//
// Source: López de Prado (2018), §14.5.2, snippet 14.3.
func HHI(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	if len(x) <= 2 || sum == 0 {
		return math.NaN()
	}
	hhi, n := 0.0, float64(len(x))
	for _, v := range x {
		hhi += float64((v / sum) * (v / sum))
	}
	return (hhi - 1/n) / (1 - 1/n)
}

// HoldingPeriod is the average time for which a position is held, in steps of
// the index: each reduction counts its size times the time since the average
// entry. NaN when nothing is closed.
//
// Source: López de Prado (2018), snippet 14.2.
func HoldingPeriod(position []float64) float64 {
	entry, weighted, size := 0.0, 0.0, 0.0
	for i := 1; i < len(position); i++ {
		was, now, t := position[i-1], position[i], float64(i)
		change := now - was
		switch {
		case change*was >= 0: // opened, increased or unchanged
			if now != 0 {
				entry = (float64(entry*was) + float64(t*change)) / now
			}
		case now*was < 0: // flipped
			weighted += float64((t - entry) * math.Abs(was))
			size += math.Abs(was)
			entry = t
		default: // reduced
			weighted += float64((t - entry) * math.Abs(change))
			size += math.Abs(change)
		}
	}
	if size == 0 {
		return math.NaN()
	}
	return weighted / size
}
