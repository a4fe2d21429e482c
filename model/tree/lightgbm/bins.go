package lightgbm

import (
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// zero is LightGBM's kZeroThreshold: smaller values count as zero.
const zero = float64(float32(1e-35))

// column is what binning a column found out.
type column struct {
	missing  bool // it has a bin of missing values, and splits learn a direction for them
	zeros    bool // zeros are missing
	category bool
	unused   bool // no split can use it
	// residual: where values are scanned upwards, the rows of the first bin are
	// those that the other bins leave over, not an estimate of their own. So it
	// is in LightGBM, which does not store the first bin if it is the most
	// frequent.
	residual bool
}

// binner cuts columns as LightGBM does.
type binner struct {
	cfg  *Config
	rows int      // of the training set
	col  []column // of each column
	// filter is the least number of rows on both sides of a split.
	filter func(sample int) int
}

func newBinner(cfg *Config, rows, columns int) *binner {
	b := &binner{cfg: cfg, rows: rows, col: make([]column, columns)}
	b.filter = func(sample int) int {
		return int(float64(cfg.MinDataInLeaf) * float64(sample) / float64(rows))
	}
	return b
}

// thin returns at most bin_construct_sample_cnt of the sorted values, evenly
// spaced, and how many rows they stand for. LightGBM draws rows at random.
func (b *binner) thin(sorted []float32) (sample []float32, total int) {
	limit := b.cfg.BinConstructSampleCnt
	if b.rows <= limit {
		return sorted, b.rows
	}
	n := max(1, int(float64(len(sorted))*float64(limit)/float64(b.rows)))
	if len(sorted) == 0 {
		n = 0
	}
	sample = make([]float32, n)
	for i := range sample {
		sample[i] = sorted[int((float64(i)+0.5)*float64(len(sorted))/float64(n))]
	}
	return sample, limit
}

// run is a distinct value and how many rows have it.
type run struct {
	value float64
	count int
}

func runs(sorted []float32) []run {
	distinct := 0
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			distinct++
		}
	}
	out := make([]run, 0, distinct)
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			out = append(out, run{float64(v), 0})
		}
		out[len(out)-1].count++
	}
	return out
}

// numeric cuts column j (BinMapper::FindBin of LightGBM for numbers).
func (b *binner) numeric(j int) core.Cutter {
	return func(sorted, _ []float32) core.Cuts {
		sample, total := b.thin(sorted)
		col := &b.col[j]
		missing := total - len(sample)
		vals := runs(sample)
		k, held := b.cfg.MaxBin, total
		switch {
		case b.cfg.ZeroAsMissing: // zeros are NaN here and among the missing ones
			col.missing, col.zeros = true, true
		case missing > 0:
			col.missing = true
			k, held = k-1, total-missing
		}
		bounds := b.bounds(vals, k, held, col.zeros)
		counts := countBins(vals, bounds)
		if col.zeros {
			counts[binOf(0, bounds)] += missing
		} else if col.missing {
			counts = append(counts, missing)
		}
		col.unused = len(counts) <= 1 || b.cfg.FeaturePreFilter && filtered(counts, total, b.filter(total))
		col.residual = !col.unused && !col.zeros && mostFrequent(counts, total, binOf(0, bounds)) == 0
		cuts := core.Cuts{Last: float32(math.Inf(1))}
		for _, x := range bounds[:len(bounds)-1] {
			cuts.Edge = append(cuts.Edge, ensemble.Above(x))
		}
		return cuts
	}
}

// filtered reports whether no split leaves least rows on both sides.
func filtered(counts []int, total, least int) bool {
	left := 0
	for _, n := range counts[:len(counts)-1] {
		left += n
		if left >= least && total-left >= least {
			return false
		}
	}
	return true
}

// mostFrequent is the bin that LightGBM does not store: the most frequent one
// if it holds 70 % of the rows, else that of zero.
func mostFrequent(counts []int, total, zeroBin int) int {
	most := 0
	for b, n := range counts {
		if n > counts[most] {
			most = b
		}
	}
	if most != zeroBin && float64(counts[most])/float64(total) < 0.7 {
		return zeroBin
	}
	return most
}

func countBins(vals []run, bounds []float64) []int {
	counts := make([]int, len(bounds))
	i := 0
	for _, v := range vals {
		for v.value > bounds[i] && i < len(bounds)-1 {
			i++
		}
		counts[i] += v.count
	}
	return counts
}

func binOf(x float64, bounds []float64) int {
	i := 0
	for i < len(bounds)-1 && x > bounds[i] {
		i++
	}
	return i
}

// bounds are the upper bounds of at most k bins, the last +Inf
// (FindBinWithZeroAsOneBin): zero has a bin of its own, the negative and the
// positive values share the others in proportion to their rows. held counts the
// rows that are binned; zerosOut says that zeros are not among vals.
func (b *binner) bounds(vals []run, k, held int, zerosOut bool) []float64 {
	lo := 0 // the first value that is not negative
	for lo < len(vals) && vals[lo].value <= -zero {
		lo++
	}
	hi := lo // the first value that is positive
	for hi < len(vals) && vals[hi].value <= zero {
		hi++
	}
	count := func(r []run) (n int) {
		for _, v := range r {
			n += v.count
		}
		return n
	}
	left, right := count(vals[:lo]), count(vals[hi:])
	none := count(vals[lo:hi])
	if zerosOut {
		none = held - left - right
	}
	var out []float64
	if lo > 0 && k > 1 {
		out = b.greedy(vals[:lo], max(1, int(float64(left)/float64(held-none)*float64(k-1))), left)
		out[len(out)-1] = -zero
	}
	if rest := k - 1 - len(out); hi < len(vals) && rest > 0 {
		out = append(out, zero)
		return append(out, b.greedy(vals[hi:], rest, right)...)
	}
	return append(out, math.Inf(1))
}

// greedy cuts values into at most k bins of about equal counts (GreedyFindBin).
// A value with more rows than a mean bin has a bin of its own.
func (b *binner) greedy(vals []run, k, total int) []float64 {
	var out []float64
	add := func(lower, upper float64) bool {
		x := math.Nextafter((lower+upper)/2, math.Inf(1))
		if len(out) > 0 && x <= math.Nextafter(out[len(out)-1], math.Inf(1)) {
			return false
		}
		out = append(out, x)
		return true
	}
	if len(vals) <= k {
		held := 0
		for i := range len(vals) - 1 {
			held += vals[i].count
			if held >= b.cfg.MinDataInBin && add(vals[i].value, vals[i+1].value) {
				held = 0
			}
		}
		return append(out, math.Inf(1))
	}
	k = max(1, min(k, total/b.cfg.MinDataInBin))
	mean := float64(total) / float64(k)
	big := make([]bool, len(vals))
	restBins, rest := k, total
	for i, v := range vals {
		if float64(v.count) >= mean {
			big[i] = true
			restBins--
			rest -= v.count
		}
	}
	mean = float64(rest) / float64(restBins)
	bins, held := 0, 0
	for i := range len(vals) - 1 {
		if !big[i] {
			rest -= vals[i].count
		}
		held += vals[i].count
		// mean is NaN where every value left is big
		if !big[i] && !(float64(held) >= mean) && !(big[i+1] && held >= 1 && !(float64(held) < mean*0.5)) {
			continue
		}
		bins++
		add(vals[i].value, vals[i+1].value)
		if bins >= k-1 {
			break
		}
		held = 0
		if !big[i] {
			restBins--
			mean = float64(rest) / float64(restBins)
		}
	}
	return append(out, math.Inf(1))
}

// categories cuts column j (BinMapper::FindBin for categories): the most
// frequent ones have bins, at most max_bin and 99 % of the rows; the others
// share bin 0 with the missing values. There are never more than 255.
func (b *binner) categories(j int) core.Cutter {
	return func(sorted, _ []float32) core.Cuts {
		sample, total := b.thin(sorted)
		col := &b.col[j]
		col.category = true
		var list []run
		for _, v := range runs(sample) {
			v.value = math.Trunc(v.value)
			if n := len(list); n > 0 && list[n-1].value == v.value {
				list[n-1].count += v.count
			} else if v.value >= 0 {
				list = append(list, v)
			}
		}
		slices.SortStableFunc(list, func(x, y run) int { return y.count - x.count })
		known := 0
		for _, v := range list {
			known += v.count
		}
		missing := total - known
		enough := int(float64(float32(known)*0.99) + 0.5)
		most := len(list)
		if missing > 0 {
			most++
		}
		most = min(most, b.cfg.MaxBin)
		cuts := core.Cuts{Category: []int32{}}
		counts, used := []int{0}, 0
		for i, v := range list {
			if used >= enough && len(counts) >= most || len(counts) > 255 || v.count < b.cfg.MinDataInBin && i > 1 {
				break
			}
			cuts.Category = append(cuts.Category, int32(v.value))
			counts = append(counts, v.count)
			used += v.count
		}
		counts[0] = total - used
		col.missing = len(cuts.Category) < len(list) || missing > 0
		col.unused = len(counts) <= 1 || b.cfg.FeaturePreFilter && len(counts) == 2 && filtered(counts, total, b.filter(total))
		return cuts
	}
}

// cutter is the cutter of column j.
func (b *binner) cutter(categorical []bool) func(j int) core.Cutter {
	return func(j int) core.Cutter {
		if categorical[j] {
			return b.categories(j)
		}
		return b.numeric(j)
	}
}
