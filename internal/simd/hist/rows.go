package hist

import "math"

// RowNode is a [Node] whose children must also have a least number of rows,
// as LightGBM estimates it: every bin counts for its hessian times PerH rows,
// rounded. Rows is the number of rows of the node.
type RowNode struct {
	Node
	Rows, PerH, MinRows float64
}

// count is the estimated number of rows of a bin.
func (nd *RowNode) count(v uint64) float64 {
	return math.Trunc(float64(float64(int64(v&math.MaxUint32))*nd.PerH) + 0.5) // #nosec G115 -- 32 bits
}

// ScanRowsDown is [ScanDown] for a [RowNode] and all features: it tries to
// split before each of the bins n−1 to 2, missing values left. If sub is not
// nil, its first n bins are first taken from h.
func ScanRowsDown(h, sub *Block, n int, nd *RowNode, best *Best) {
	_ = h[n*Lanes-1]
	scanRowsDown(h, sub, n, nd, best)
}

// ScanRowsUp is [ScanUp] for a [RowNode] and the features of which lanes has
// the bit set. start is the number of rows that each feature's count begins
// with before bin 1 is added.
func ScanRowsUp(h *Block, n int, lanes uint8, nd *RowNode, start *[Lanes]float64, best *Best) {
	_ = h[n*Lanes-1]
	if lanes != 0 {
		scanRowsUp(h, n, lanes, nd, start, best)
	}
}

// Residual is the start at which the count of bin 1 of feature k becomes what
// the estimates of all other bins leave of the rows.
func Residual(h *Block, k, n int, nd *RowNode) float64 {
	left := nd.Rows
	for b := range n {
		left -= nd.count(h[b*Lanes+k])
	}
	return left
}

// rowScan is a scan of one feature in plain Go.
type rowScan struct {
	nd       *RowNode
	acc      uint64
	cnt      float64
	num, den float64
	bin      uint64
}

// add adds a bin and judges the split after it; mark is its Bin. It reports
// whether the other side has become too small.
func (s *rowScan) add(v, mark uint64) (done bool) {
	nd := s.nd
	s.acc += v
	s.cnt += nd.count(v)
	h1 := float64(int64(s.acc & math.MaxUint32)) // #nosec G115 -- 32 bits
	if h1 < nd.MinH || s.cnt < nd.MinRows {
		return false
	}
	h2 := nd.H - h1
	if h2 < nd.MinH || nd.Rows-s.cnt < nd.MinRows {
		return true
	}
	g1 := float64(int64(s.acc) >> 32) // #nosec G115 -- two's complement
	g2 := nd.G - g1
	d1, d2 := h1+nd.Lambda, h2+nd.Lambda
	x := float64(g1*g1*d2) + float64(g2*g2*d1)
	if y := d1 * d2; float64(x*s.den) > float64(s.num*y) {
		s.num, s.den, s.bin = x, y, mark
	}
	return false
}

// scanRowsDownGeneric is the plain twin of the assembly. Empty bins are passed
// over: they repeat the split before them.
func scanRowsDownGeneric(h, sub *Block, n int, nd *RowNode, best *Best) {
	if sub != nil {
		Subtract(h, sub, n)
	}
	for k := range Lanes {
		s := rowScan{nd: nd, num: best.Num[k], den: best.Den[k], bin: best.Bin[k]}
		for b := n - 1; b > 1; b-- {
			v := h[(b*Lanes+k)&(len(h)-1)]
			if v != 0 && s.add(v, uint64(b-1)|MissingLeft) { // #nosec G115 -- at most 255
				break
			}
		}
		best.Num[k], best.Den[k], best.Bin[k] = s.num, s.den, s.bin
	}
}

// scanRowsUpGeneric is the plain twin of the assembly.
func scanRowsUpGeneric(h *Block, n int, lanes uint8, nd *RowNode, start *[Lanes]float64, best *Best) {
	for k := range Lanes {
		if lanes>>k&1 == 0 {
			continue
		}
		s := rowScan{nd: nd, cnt: start[k], num: best.Num[k], den: best.Den[k], bin: best.Bin[k]}
		for b := 1; b < n; b++ {
			v := h[(b*Lanes+k)&(len(h)-1)]
			if v != 0 && s.add(v, uint64(b)) { // #nosec G115 -- at most 255
				break
			}
		}
		best.Num[k], best.Den[k], best.Bin[k] = s.num, s.den, s.bin
	}
}
