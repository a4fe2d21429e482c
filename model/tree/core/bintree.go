package core

import "github.com/mlfactory/mlfactory/model/tree/ensemble"

// BinTree is a tree over bins: what training uses to score rows that took no
// part in it.
type BinTree []binNode

type binNode struct {
	left        int32
	word        int32
	shift       uint8
	limit       uint8 // bins 1 to limit go left
	defaultLeft bool
	value       float32
}

// BinTree turns the numeric nodes of a tree whose thresholds are edges of m
// into a tree over bins.
func (m *Matrix) BinTree(tree []ensemble.Node) BinTree {
	out := make(BinTree, len(tree))
	for i, nd := range tree {
		out[i] = binNode{left: nd.Left, value: float32(nd.Value), defaultLeft: nd.DefaultLeft}
		if nd.Left != 0 {
			out[i].word, out[i].shift = nd.Feature/8, uint8(nd.Feature%8*8)
			out[i].limit = m.Cut[nd.Feature].limit(nd.Threshold)
		}
	}
	return out
}

// limit is the bin after which threshold splits.
func (c *Cuts) limit(threshold float32) uint8 {
	lo, hi := 0, len(c.Edge)
	for lo < hi {
		mid := (lo + hi) / 2
		if c.Edge[mid] < threshold {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint8(lo + 1)
}

// Value is the leaf value of a row of words.
func (t BinTree) Value(row []uint64) float32 {
	nd := &t[0]
	for nd.left != 0 {
		b := uint8(row[nd.word] >> nd.shift)
		i := nd.left + 1
		if b-1 < nd.limit || b == MissingBin && nd.defaultLeft {
			i = nd.left
		}
		nd = &t[i]
	}
	return nd.value
}
