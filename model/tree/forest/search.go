package forest

import (
	"math"
	"math/bits"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/stat"
)

// bins are those of a column that rows of a node are in, in ascending order,
// with their sums; the bin of missing values is apart.
type bins struct {
	len     int
	bin     [256]uint8
	sum     [256]sums
	missing sums
}

// byRow is the number of rows of a node below which bins are read from the
// rows of the matrix instead of its columns. A small node's rows stay in the
// cache for the whole of the tree below it, while a column has one of its rows
// in a cache line.
const byRow = 2048

// few is the number of rows of a node below which the bins in use are listed in
// a bit set instead of looking at all.
const few = 160

// candidates draws columns without replacement and calls try with each until
// there were max_features and try has called at least one of them not constant,
// or try says that none can be better.
func (g *grower) candidates(try func(f int32) (constant, enough bool)) {
	useful := false
	for i := range g.perm {
		if i >= g.mtry && useful {
			return
		}
		j := i + int(g.rnd.Uint32N(uint32(len(g.perm)-i))) // #nosec G115 -- columns are far fewer
		g.perm[i], g.perm[j] = g.perm[j], g.perm[i]
		f := g.perm[i]
		if g.oneVal[f] {
			continue
		}
		constant, enough := try(f)
		useful = useful || !constant
		if enough {
			return
		}
	}
}

// search finds the best split of a node over bins.
func (g *grower) search(nd *node) {
	// No split is better than one into two pure nodes.
	perfect := math.Inf(1)
	if g.y == nil && g.cfg.Criterion == Gini {
		perfect = nd.sum.w
	}
	g.candidates(func(f int32) (constant, enough bool) {
		g.gather(nd, f)
		b := &g.bins
		if b.len == 0 || b.len == 1 && b.missing.n == 0 {
			return true, false
		}
		g.scan(nd, f, false)
		if b.missing.n > 0 {
			g.scan(nd, f, true)
		}
		return false, nd.split.score >= perfect
	})
}

// gather fills g.bins with the bins of column f in a node.
func (g *grower) gather(nd *node, f int32) {
	key, ent := g.key[nd.lo:nd.hi], g.ent[nd.lo:nd.hi]
	h, m, b := &g.hist, g.m, &g.bins
	var used [4]uint64
	wy := g.wy
	if wy != nil {
		wy = wy[nd.lo:nd.hi]
	}
	switch n := len(key); {
	case n >= byRow:
		col := m.Col[f]
		for i, k := range key {
			h[col[k>>2]][k&3] += ent[i]
		}
		for i, v := range wy {
			h[col[key[i]>>2]][0] += uint64(v) // #nosec G115 -- two's complement, read back as such
		}
	default:
		words, stride, shift := m.Words[f>>3:], uint(m.Stride), uint(f&7)*8
		for i, k := range key {
			v := uint8(words[uint(k>>2)*stride] >> shift)
			h[v][k&3] += ent[i]
			used[v>>6] |= 1 << (v & 63)
		}
		for i, v := range wy {
			h[uint8(words[uint(key[i]>>2)*stride]>>shift)][0] += uint64(v) // #nosec G115 -- as above
		}
	}
	n := 0
	if len(key) < few {
		b.missing = sums{}
		if used[0]&1 != 0 {
			b.missing = g.take(core.MissingBin)
			used[0] &^= 1
		}
		for q, word := range used {
			for word != 0 {
				v := uint8(q<<6 | bits.TrailingZeros64(word)) // #nosec G115 -- below 256
				word &= word - 1
				b.bin[n], b.sum[n] = v, g.take(v)
				n++
			}
		}
	} else {
		b.missing = g.take(core.MissingBin)
		for v := 1; v < m.NBin[f]; v++ {
			if e := &h[v]; e[0]|e[1]|e[2]|e[3] != 0 {
				b.bin[n], b.sum[n] = uint8(v), g.take(uint8(v)) // #nosec G115 -- below 256
				n++
			}
		}
	}
	b.len = n
}

// take reads and clears bin v of the histogram.
func (g *grower) take(v uint8) (t sums) {
	e := g.hist[v]
	g.hist[v] = [4]uint64{}
	if g.y != nil {
		t.s[0], t.w, t.n = float64(int64(e[0])), float64(e[3]>>countBits), float64(e[3]&countMask) // #nosec G115 -- as in gather
		return t
	}
	all := e[0] + e[1] + e[2]
	t.s[0], t.s[1], t.s[2] = float64(e[0]>>countBits), float64(e[1]>>countBits), float64(e[2]>>countBits)
	t.w, t.n = float64(all>>countBits), float64(all&countMask)
	return t
}

// scan tries every border between bins, with missing values on one side.
func (g *grower) scan(nd *node, f int32, missLeft bool) {
	b, best := &g.bins, &nd.split
	last, at := b.len-1, -1
	t, left := nd.sum, sums{}
	if missLeft {
		left = b.missing
	} else if b.missing.n > 0 {
		last++ // all values left, the missing ones right
	}
	minN, minW, entropy := float64(g.cfg.MinSamplesLeaf), g.minLeaf, g.y == nil && g.cfg.Criterion != Gini
	score, mono := best.score, int8(0)
	if g.mono != nil {
		mono = g.mono[f]
	}
	for k := range last {
		v := &b.sum[k]
		left.s[0] += v.s[0]
		left.s[1] += v.s[1]
		left.s[2] += v.s[2]
		left.w += v.w
		left.n += v.n
		rw := t.w - left.w
		if left.n < minN || t.n-left.n < minN || left.w < minW || rw < minW {
			continue
		}
		if mono != 0 && !nd.bounds.allow(mono, left.s[0]/left.w, (t.s[0]-left.s[0])/rw) {
			continue
		}
		var s float64
		if entropy {
			s = entropyScore(&left, &t)
		} else {
			r0, r1, r2 := t.s[0]-left.s[0], t.s[1]-left.s[1], t.s[2]-left.s[2]
			s = (float64(left.s[0]*left.s[0])+float64(left.s[1]*left.s[1])+float64(left.s[2]*left.s[2]))/left.w +
				(float64(r0*r0)+float64(r1*r1)+float64(r2*r2))/rw
		}
		if s > score {
			score, at = s, k
			best.left = left
		}
	}
	if at < 0 {
		return
	}
	best.feature, best.score, best.missLeft = f, score, missLeft
	if b.missing.n == 0 {
		best.missLeft = best.left.n > t.n-best.left.n
	}
	if at == b.len-1 {
		best.limit, best.threshold = maxBins, float32(math.Inf(1))
		return
	}
	best.limit = b.bin[at]
	best.threshold = middle(g.hi[f][b.bin[at]], g.lo[f][b.bin[at+1]])
}

// middle is the threshold in the middle of two values, as scikit-learn rounds
// it, for x < threshold.
func middle(a, b float32) float32 {
	return ensemble.Above(float64(a)/2 + float64(b)/2)
}

// score is what the criterion maximises: up to a constant and a factor of the
// node, the negative weighted impurity of the children.
func (g *grower) score(left, t *sums) float64 {
	if g.y == nil && g.cfg.Criterion != Gini {
		return entropyScore(left, t)
	}
	l, r := 0.0, 0.0
	for c, s := range left.s {
		l += float64(s * s)
		d := t.s[c] - s
		r += float64(d * d)
	}
	return l/left.w + r/(t.w-left.w)
}

func entropyScore(left, t *sums) float64 {
	right := t.less(*left)
	return negEntropy(left) + negEntropy(&right)
}

// negEntropy is −w·H in nats: Σ s·ln(s/w).
func negEntropy(t *sums) float64 {
	out := 0.0
	for _, s := range t.s {
		if s > 0 {
			out += float64(s * stat.Log(s/t.w))
		}
	}
	return out
}

// decide says for each row of a node whether it goes left.
func (g *grower) decide(s *split, key []uint32) []uint8 {
	out := g.left[:len(key)]
	if g.kind == Extra {
		for i, v := range g.values(key, s.feature) {
			out[i] = uint8(s.goes(v)) // #nosec G115 -- 0 or 1
		}
		return out
	}
	var goes [256]uint8
	if s.missLeft {
		goes[core.MissingBin] = 1
	}
	for v := 1; v <= int(s.limit); v++ {
		goes[v] = 1
	}
	if len(key) >= byRow {
		col := g.m.Col[s.feature]
		for i, k := range key {
			out[i] = goes[col[k>>2]]
		}
		return out
	}
	words, stride, shift := g.m.Words[s.feature>>3:], uint(g.m.Stride), uint(s.feature&7)*8
	for i, k := range key {
		out[i] = goes[uint8(words[uint(k>>2)*stride]>>shift)]
	}
	return out
}

// searchExtra finds the best of one random threshold for each column drawn.
func (g *grower) searchExtra(nd *node) {
	minN, best := float64(g.cfg.MinSamplesLeaf), &nd.split
	g.candidates(func(f int32) (constant, enough bool) {
		vals := g.values(g.key[nd.lo:nd.hi], f)
		lo, hi, missing := float32(math.Inf(1)), float32(math.Inf(-1)), 0
		for _, v := range vals {
			if v < lo {
				lo = v
			}
			if v > hi {
				hi = v
			}
			if v != v {
				missing++
			}
		}
		if missing == len(vals) || lo == hi && missing == 0 {
			return true, false
		}
		// rand_uniform of scikit-learn: (high − low)·u + low in float64.
		t := (float64(hi)-float64(lo))*g.rnd.Float64() + float64(lo)
		if t >= float64(hi) {
			t = float64(lo)
		}
		s := split{feature: f, threshold: ensemble.Above(t)}
		s.missLeft = missing > 0 && g.rnd.Uint32N(2) == 1
		s.left = g.leftOf(nd, vals, &s, missing > 0)
		right := nd.sum.n - s.left.n
		if s.left.n == 0 || right == 0 || s.left.n < minN || right < minN || s.left.w < g.minLeaf || nd.sum.w-s.left.w < g.minLeaf {
			return false, false
		}
		if g.mono != nil && g.mono[f] != 0 && !nd.bounds.allow(g.mono[f], s.left.s[0]/s.left.w, (nd.sum.s[0]-s.left.s[0])/(nd.sum.w-s.left.w)) {
			return false, false
		}
		if s.score = g.score(&s.left, &nd.sum); s.score > best.score {
			if missing == 0 {
				s.missLeft = s.left.n > right
			}
			*best = s
		}
		return false, false
	})
}

// values reads column f of the given rows: a large node from the columns, a
// small one from the rows, as in gather.
func (g *grower) values(key []uint32, f int32) []float32 {
	vals := g.vals[:len(key)]
	if len(key) >= byRow {
		col := g.x.Col(int(f))
		if g.rows != nil {
			for i, k := range key {
				vals[i] = col[g.rows[k>>2]]
			}
			return vals
		}
		for i, k := range key {
			vals[i] = col[k>>2]
		}
		return vals
	}
	cells, p := g.cells[f:], uint(g.x.P) // #nosec G115 -- not negative
	for i, k := range key {
		vals[i] = cells[uint(k>>2)*p]
	}
	return vals
}

// leftOf adds up the rows of a node that go left; vals are their values. The
// sign of v − threshold says without a branch, which no processor could
// predict, whether v is less: a difference of floats is 0 only if they are equal.
func (g *grower) leftOf(nd *node, vals []float32, s *split, missing bool) (t sums) {
	key, ent := g.key[nd.lo:nd.hi], g.ent[nd.lo:nd.hi]
	key, ent = key[:len(vals)], ent[:len(vals)]
	var lane [8]uint64 // right, left
	if !missing {
		for i, v := range vals {
			lane[math.Float32bits(v-s.threshold)>>31<<2|key[i]&3] += ent[i]
		}
	} else {
		for i, v := range vals {
			lane[s.goes(v)<<2|key[i]&3] += ent[i]
		}
	}
	all := lane[4] + lane[5] + lane[6] + lane[7]
	t.w, t.n = float64(all>>countBits), float64(all&countMask)
	if g.y == nil {
		for c := range t.s {
			t.s[c] = float64(lane[4+c] >> countBits)
		}
		return t
	}
	sum := int64(0)
	for i, v := range g.wy[nd.lo:nd.hi] {
		sum += v & -int64(s.goes(vals[i]))
	}
	t.s[0] = float64(sum)
	return t
}

// goes is 1 for a value that goes left.
func (s *split) goes(v float32) uint32 {
	if v != v {
		if s.missLeft {
			return 1
		}
		return 0
	}
	return math.Float32bits(v-s.threshold) >> 31
}
