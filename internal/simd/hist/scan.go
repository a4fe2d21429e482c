package hist

import "math"

// Node holds what a scan needs to know of a node: the sums over all its rows,
// the missing ones included, the L2 penalty and the least hessian of a child,
// all in the units of the packed sums. MinH is at least 1.
type Node struct {
	G, H, Lambda, MinH float64
}

// Best is the best split found so far for each feature of a block. A split is
// compared by Num/Den, the sum of the scores G²/(H+λ) of its two children as a
// fraction, which needs no division. Bin is the last bin that goes left, 0
// while there is none; [MissingLeft] is added where missing values go left.
type Best struct {
	Num, Den [Lanes]float64
	Bin      [Lanes]uint64
}

// MissingLeft marks a split of a [Best] that sends missing values left.
const MissingLeft = Bins

// Start sets every feature to what a useful split must beat.
func (b *Best) Start(num, den float64) {
	for k := range Lanes {
		b.Num[k], b.Den[k], b.Bin[k] = num, den, 0
	}
}

// ScanUp tries to split after each of the bins 1 to n−1 of the features of a
// block, in this order, missing values right. If sub is not nil, its first n
// bins are first taken from h, so that the histogram of a parent becomes that
// of the other child. A split counts if both children have at least MinH, and
// replaces the best of its feature only if num·best.den > best.num·den, both
// products rounded to float64. n is between 2 and [Bins]; bins that a feature
// lacks must be zero.
func ScanUp(h, sub *Block, n int, nd *Node, best *Best) {
	_ = h[n*Lanes-1]
	scanUp(h, sub, n, nd, best)
}

// ScanDown tries to split before each of the bins n−1 to 2, in this order,
// missing values left, for the features of which lanes has the bit set. The
// rules of [ScanUp] hold.
func ScanDown(h *Block, n int, lanes uint8, nd *Node, best *Best) {
	_ = h[n*Lanes-1]
	if n > 2 && lanes != 0 {
		scanDown(h, n, lanes, nd, best)
	}
}

// Missing has a bit set for every feature with missing values in the node.
func Missing(h *Block) uint8 {
	m := uint8(0)
	for k, v := range h[:Lanes] {
		if v != 0 {
			m |= 1 << k
		}
	}
	return m
}

// LeftSum is the packed sum of what a split of feature k sends left: the bins 1
// to bin, and the missing bin where missingLeft says so.
func LeftSum(h *Block, k int, bin uint8, missingLeft bool) uint64 {
	sum := uint64(0)
	if missingLeft {
		sum = h[k]
	}
	for b := 1; b <= int(bin); b++ {
		sum += h[b*Lanes+k]
	}
	return sum
}

// scanUpGeneric is the plain twin of the assembly. Empty bins are passed over:
// they repeat the split before them.
func scanUpGeneric(h, sub *Block, n int, nd *Node, best *Best) {
	if sub != nil {
		Subtract(h, sub, n)
	}
	for k := range Lanes {
		num, den, bin := best.Num[k], best.Den[k], best.Bin[k]
		acc := uint64(0)
		for b := 1; b < n; b++ {
			v := h[(b*Lanes+k)&(len(h)-1)]
			if v == 0 {
				continue
			}
			acc += v
			hl := float64(int64(acc & math.MaxUint32)) // #nosec G115 -- 32 bits
			if hl < nd.MinH {
				continue
			}
			hr := nd.H - hl
			if hr < nd.MinH {
				break
			}
			gl := float64(int64(acc) >> 32) // #nosec G115 -- two's complement
			gr := nd.G - gl
			dl, dr := hl+nd.Lambda, hr+nd.Lambda
			x := float64(gl*gl*dr) + float64(gr*gr*dl)
			if y := dl * dr; float64(x*den) > float64(num*y) {
				num, den, bin = x, y, uint64(b) // #nosec G115 -- at most 255
			}
		}
		best.Num[k], best.Den[k], best.Bin[k] = num, den, bin
	}
}

// scanDownGeneric is the plain twin of the assembly.
func scanDownGeneric(h *Block, n int, lanes uint8, nd *Node, best *Best) {
	for k := range Lanes {
		if lanes>>k&1 == 0 {
			continue
		}
		num, den, bin := best.Num[k], best.Den[k], best.Bin[k]
		acc := uint64(0)
		for b := n - 1; b > 1; b-- {
			v := h[(b*Lanes+k)&(len(h)-1)]
			if v == 0 {
				continue
			}
			acc += v
			hr := float64(int64(acc & math.MaxUint32)) // #nosec G115 -- 32 bits
			if hr < nd.MinH {
				continue
			}
			hl := nd.H - hr
			if hl < nd.MinH {
				break
			}
			gr := float64(int64(acc) >> 32) // #nosec G115 -- two's complement
			gl := nd.G - gr
			dl, dr := hl+nd.Lambda, hr+nd.Lambda
			x := float64(gl*gl*dr) + float64(gr*gr*dl)
			if y := dl * dr; float64(x*den) > float64(num*y) {
				num, den, bin = x, y, uint64(b-1)|MissingLeft // #nosec G115 -- at most 255
			}
		}
		best.Num[k], best.Den[k], best.Bin[k] = num, den, bin
	}
}
