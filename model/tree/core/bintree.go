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
	set         *BinSet // of a categorical node: the bins that go left
}

// BinTree turns the numeric nodes of a tree whose thresholds are edges of m
// into a tree over bins.
func (m *Matrix) BinTree(tree []ensemble.Node) BinTree {
	return m.BinTreeOf(&ensemble.Tree{Nodes: tree})
}

// BinTreeOf is BinTree for a tree that may have categorical nodes. Categories
// without a bin of m are left out.
func (m *Matrix) BinTreeOf(tree *ensemble.Tree) BinTree {
	out := make(BinTree, len(tree.Nodes))
	for i := range tree.Nodes {
		nd := &tree.Nodes[i]
		out[i] = binNode{left: nd.Left, value: float32(nd.Value), defaultLeft: nd.DefaultLeft}
		if nd.Left == 0 {
			continue
		}
		out[i].word, out[i].shift = nd.Feature/8, uint8(nd.Feature%8*8)
		if nd.Set == 0 {
			out[i].limit = m.Cut[nd.Feature].limit(nd.Threshold)
			continue
		}
		out[i].set = new(BinSet)
		for b, c := range m.Cut[nd.Feature].Category {
			if tree.Sets[nd.Set-1].Has(int(c)) {
				out[i].set.Add(uint8(b + 1))
			}
		}
	}
	return out
}

// limit is the bin after which threshold splits; 0 is that of missing values.
func (c *Cuts) limit(threshold float32) uint8 {
	if threshold <= c.First && c.First < c.Threshold(1) {
		return 0
	}
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
func (t BinTree) Value(row []uint64) float32 { return t[t.Leaf(row)].value }

// Leaf is the leaf that a row of words reaches.
func (t BinTree) Leaf(row []uint64) int {
	at := 0
	for nd := &t[0]; nd.left != 0; nd = &t[at] {
		b := uint8(row[nd.word] >> nd.shift)
		at = int(nd.left) + 1
		if nd.set != nil {
			if nd.set.Has(b) {
				at--
			}
		} else if b-1 < nd.limit || b == MissingBin && nd.defaultLeft {
			at--
		}
	}
	return at
}
