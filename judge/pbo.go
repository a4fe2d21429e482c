package judge

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/mlfactory/mlfactory/stat"
)

// Metric is the measure of performance that [PBO] ranks configurations by.
type Metric uint8

// Metrics of performance.
const (
	MetricSharpe Metric = iota // mean/StdDev, 0 for a configuration that never moves
	MetricMean
)

// Overfitting is the result of combinatorially symmetric cross-validation.
type Overfitting struct {
	PBO             float64   // share of splits whose logit is ≤ 0: the in-sample best is at or below the out-of-sample median
	Logits          []float64 // ln(ω/(1−ω)) of each split, in lexicographic order of the in-sample blocks
	ProbabilityLoss float64   // share of splits where the in-sample best loses out of sample
}

// PBO estimates the probability of backtest overfitting by combinatorially
// symmetric cross-validation. configs[j] is the return series of configuration
// j over the same T periods. The periods are cut into blocks contiguous parts
// (sizes differ by at most one); for each of the C(blocks, blocks/2) ways of
// taking half of them as in-sample, the configuration with the best metric
// there (the first of equals) is ranked out of sample among all N: ω =
// rank/(N+1), rank 1 the worst, ties sharing their mean rank, logit λ =
// ln(ω/(1−ω)). An error for fewer than two configurations, unequal lengths, a
// value that is not finite, an odd or too large number of blocks (2 to 20) or
// fewer periods than two a block. O(C(blocks, blocks/2)·N·blocks). Source:
// Bailey, Borwein, López de Prado and Zhu (2017), section 3; the paper prints
// 12,780 combinations for 16 blocks, C(16,8) is 12,870.
func PBO(configs [][]float64, blocks int, metric Metric) (Overfitting, error) {
	n := len(configs)
	if n < 2 {
		return Overfitting{}, fmt.Errorf("judge: overfitting of %d configurations: want at least 2", n)
	}
	if blocks < 2 || blocks > 20 || blocks%2 != 0 {
		return Overfitting{}, fmt.Errorf("judge: %d blocks: want an even number from 2 to 20", blocks)
	}
	t := len(configs[0])
	if t < 2*blocks {
		return Overfitting{}, fmt.Errorf("judge: %d periods in %d blocks: want at least two a block", t, blocks)
	}
	// count, sum and sum of squares of each block; a shift by the column's mean
	// keeps the squares accurate.
	mean := make([]float64, n)
	sum, sq := make([]float64, n*blocks), make([]float64, n*blocks)
	size := make([]float64, blocks)
	for j, x := range configs {
		if len(x) != t {
			return Overfitting{}, fmt.Errorf("judge: configuration %d has %d periods, the first has %d", j, len(x), t)
		}
		mean[j] = stat.Mean(x)
		if math.IsNaN(mean[j]) || math.IsInf(mean[j], 0) {
			return Overfitting{}, fmt.Errorf("judge: configuration %d has a return that is not finite", j)
		}
		for b := range blocks {
			part := x[b*t/blocks : (b+1)*t/blocks]
			size[b] = float64(len(part))
			for _, v := range part {
				d := v - mean[j]
				sum[j*blocks+b] += d
				sq[j*blocks+b] += float64(d * d)
			}
		}
	}
	perf := func(j int, mask uint) float64 {
		var c, s, q float64
		for b := range blocks {
			if mask>>b&1 == 1 {
				c += size[b]
				s += sum[j*blocks+b]
				q += sq[j*blocks+b]
			}
		}
		d := s / c
		m := mean[j] + d
		if metric == MetricMean {
			return m
		}
		v := (q - float64(s*d)) / (c - 1)
		if !(v > 1e-20*q) || v == 0 {
			return 0
		}
		return m / math.Sqrt(v)
	}
	var out Overfitting
	all := uint(1)<<blocks - 1
	outPerf := make([]float64, n)
	below, losses := 0, 0
	// Masks with bit 0 as the highest block in lexicographic order: reverse.
	for m := all; m > 0; m-- {
		if bits.OnesCount(m) != blocks/2 {
			continue
		}
		in := bits.Reverse(m) >> (bits.UintSize - blocks)
		best, bestPerf := 0, math.Inf(-1)
		for j := range n {
			if p := perf(j, in); p > bestPerf {
				best, bestPerf = j, p
			}
			outPerf[j] = perf(j, all&^in)
		}
		less, equal := 0, 0
		for _, p := range outPerf {
			switch {
			case p < outPerf[best]:
				less++
			case p == outPerf[best]:
				equal++
			}
		}
		rank := float64(less) + float64(equal+1)/2
		w := rank / float64(n+1)
		l := stat.Log(w / (1 - w))
		out.Logits = append(out.Logits, l)
		if l <= 0 {
			below++
		}
		if outPerf[best] < 0 {
			losses++
		}
	}
	out.PBO = float64(below) / float64(len(out.Logits))
	out.ProbabilityLoss = float64(losses) / float64(len(out.Logits))
	return out, nil
}
