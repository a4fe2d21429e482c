// Package tree holds kernels that send rows through decision trees.
//
// # Codes
//
// A row comes as one byte for every slot: how many of the slot's cuts its value has reached, so that a node compares bytes. The row goes
// right at a node if its code is greater than the node's cut. What a slot is (a column, a direction for missing values, a part of many
// thresholds, a set of categories) is the caller's affair.
//
// # Trees
//
// A complete tree of depth d has 2^d − 1 nodes and 2^d leaves, numbered from the left; d is 1 to 8. A symmetric tree has the same node at
// all places of a level, so that it is d nodes.
//
// # Bits
//
// The kernels compare integers, or add floats to separate sums, so that all paths give the same bits. They trust slots and leaf numbers:
// the caller promises that slots are those of the codes and that every leaf has its values. Slices of wrong lengths panic.
package tree

import (
	"fmt"
	"math"
)

//go:generate go run ../gen ..

// Depth is the largest depth of a tree.
const Depth = 8

// Rows is the number of rows of a block.
const Rows = 64

// Together is the number of trees that one row walks side by side; groups are of this size.
const Together = 11

// Node16 and Node32 are the forms of a node for one row: slots up to 255, and up to 2²⁴−1.
func Node16(slot, cut int) uint16 { return uint16(slot<<8 | cut) } // #nosec G115 -- documented range

// Node32 is [Node16] for more slots.
func Node32(slot, cut int) uint32 { return uint32(slot<<8 | cut) } // #nosec G115 -- documented range

// Cut is the form of a cut for a block of rows, Code that of a code: signed, so that a signed comparison does.
func Cut(cut int) byte { return byte(cut+1) ^ 0x80 } // #nosec G115 -- cuts are 0 to 254

// Code is the form of a code for a block of rows.
func Code(code int) byte { return byte(code) ^ 0x80 } // #nosec G115 -- codes are 0 to 255

// Scale is a sorted list of cuts for one column, ready to be searched: 8·Registers pivots from At on in the slice of all scales, then
// blocks of 16 cuts each. Pivot j is the last cut of block j. What is missing in the last places is +Inf, of which there is at least one.
type Scale struct{ Column, At, Registers uint32 }

// Append appends the layout of a scale for the ascending cuts of a column. All are kept, equal ones too; none is NaN.
func Append(all []float32, column int, cuts []float32) (Scale, []float32) {
	blocks := len(cuts)/16 + 1
	s := Scale{uint32(column), uint32(len(all)), uint32((blocks + 7) / 8)} // #nosec G115 -- sizes in memory
	at := func(i int) float32 {
		if i < len(cuts) {
			return cuts[i]
		}
		return float32(math.Inf(1))
	}
	for j := range 8 * s.Registers {
		all = append(all, at(int(16*j+15)))
	}
	for i := range 16 * blocks {
		all = append(all, at(i))
	}
	return s, all
}

// RankRow writes for every scale the number of its cuts that are ≤ x[Column], 0 for NaN. Infinite values are not allowed.
// O(scales·cuts/16).
func RankRow(x []float32, scales []Scale, cuts []float32, rank []uint32) {
	if len(scales) != len(rank) {
		panic(fmt.Sprintf("tree: %d ranks of %d scales", len(rank), len(scales)))
	}
	if len(scales) > 0 {
		rankRowPath(x, scales, cuts, rank)
	}
}

func rankRowGeneric(x []float32, scales []Scale, cuts []float32, rank []uint32) {
	for i, s := range scales {
		rank[i] = rankOne(x[s.Column], s, cuts)
	}
}

// rankOne counts the pivots and then the cuts of a block.
func rankOne(x float32, s Scale, cuts []float32) uint32 {
	pivots := cuts[s.At : s.At+8*s.Registers]
	// By halves; the last pivot is +Inf.
	lo, hi := 0, len(pivots)-1
	for lo < hi {
		if m := (lo + hi) / 2; pivots[m] <= x {
			lo = m + 1
		} else {
			hi = m
		}
	}
	n := uint32(0)
	block := cuts[int(s.At)+len(pivots)+16*lo:][:16]
	for _, c := range block {
		if c <= x {
			n++
		}
	}
	return uint32(16*lo) + n // #nosec G115 -- sizes in memory
}

// RankColumn is [RankRow] for many values and one scale, whose Column does not count.
func RankColumn(x []float32, s Scale, cuts []float32, rank []uint32) {
	if len(x) != len(rank) {
		panic(fmt.Sprintf("tree: %d ranks of %d values", len(rank), len(x)))
	}
	if len(x) > 0 {
		rankColumnPath(x, s, cuts, rank)
	}
}

func rankColumnGeneric(x []float32, s Scale, cuts []float32, rank []uint32) {
	for i, v := range x {
		rank[i] = rankOne(v, s, cuts)
	}
}

// node is what both forms can be.
type node interface{ ~uint16 | ~uint32 }

func checkWalk[N node](what string, nodes []N, size, depth int, leaf []uint32) {
	if depth < 1 || depth > Depth || len(leaf)%Together != 0 || len(nodes) != len(leaf)*size {
		panic(fmt.Sprintf("tree: %s of %d trees of depth %d with %d nodes", what, len(leaf), depth, len(nodes)))
	}
}

// Walk16 sends one row through len(leaf) complete trees (a multiple of [Together]) of equal depth and writes 2^depth + the leaf of each.
// A tree is 2^depth nodes in heap order: the children of i are 2i and 2i+1, the root is 1, and place 0 is unused. O(trees·depth).
func Walk16(nodes []uint16, codes []byte, depth int, leaf []uint32) {
	checkWalk("a walk", nodes, 1<<depth, depth, leaf)
	if len(leaf) > 0 {
		walk16Path(nodes, codes, depth, leaf)
	}
}

// Walk32 is [Walk16] for more slots.
func Walk32(nodes []uint32, codes []byte, depth int, leaf []uint32) {
	checkWalk("a walk", nodes, 1<<depth, depth, leaf)
	if len(leaf) > 0 {
		walk32Path(nodes, codes, depth, leaf)
	}
}

// Levels16 is [Walk16] for symmetric trees of depth nodes each, the root first.
func Levels16(nodes []uint16, codes []byte, depth int, leaf []uint32) {
	checkWalk("symmetric", nodes, depth, depth, leaf)
	if len(leaf) > 0 {
		levels16Path(nodes, codes, depth, leaf)
	}
}

// Levels32 is [Levels16] for more slots.
func Levels32(nodes []uint32, codes []byte, depth int, leaf []uint32) {
	checkWalk("symmetric", nodes, depth, depth, leaf)
	if len(leaf) > 0 {
		levels32Path(nodes, codes, depth, leaf)
	}
}

func walkGeneric[N node](nodes []N, codes []byte, depth int, leaf []uint32) {
	for t := range leaf {
		tree, i := nodes[t<<depth:(t+1)<<depth], 1
		for range depth {
			i = 2*i + above(tree[i], codes)
		}
		leaf[t] = uint32(i) // #nosec G115 -- below 512
	}
}

func levelsGeneric[N node](nodes []N, codes []byte, depth int, leaf []uint32) {
	for t := range leaf {
		i := 1
		for _, nd := range nodes[t*depth : (t+1)*depth] {
			i = 2*i + above(nd, codes)
		}
		leaf[t] = uint32(i) // #nosec G115 -- below 512
	}
}

// above is 1 if the row goes right.
func above[N node](nd N, codes []byte) int {
	return int(uint64(int64(uint8(nd))-int64(codes[nd>>8])) >> 63) // #nosec G115 -- the sign bit
}

func checkBlock(what string, slot []uint32, cut, codes []byte, size, depth int) {
	if depth < 1 || depth > Depth || len(slot) != size || len(cut) != size || len(codes)%Rows != 0 {
		panic(fmt.Sprintf("tree: %s of depth %d with %d slots, %d cuts and %d codes", what, depth, len(slot), len(cut), len(codes)))
	}
}

// Block sends 64 rows through one complete tree and writes their leaves. codes has 64 bytes ([Code]) for every slot. The nodes come in
// post-order (left child, right child, node): slot is 64 times the slot, cut the [Cut]. O(2^depth) operations on 32 rows.
func Block(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	checkBlock("a block", slot, cut, codes, 1<<depth-1, depth)
	blockPath(slot, cut, depth, codes, leaf)
}

func blockGeneric(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	for r := range leaf {
		// A node is the last of its subtree, its left subtree the first half
		// of what is left.
		lo, size, number := 0, 1<<depth-1, 0
		for range depth {
			last := lo + size - 1
			size /= 2
			number *= 2
			if int8(cut[last]) <= int8(codes[int(slot[last])+r]) { // #nosec G115 -- bits
				number++
				lo += size
			}
		}
		leaf[r] = byte(number)
	}
}

// BlockLevels is [Block] for a symmetric tree of depth nodes, the root first.
func BlockLevels(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	checkBlock("a symmetric block", slot, cut, codes, depth, depth)
	blockLevelsPath(slot, cut, depth, codes, leaf)
}

func blockLevelsGeneric(slot []uint32, cut []byte, _ int, codes []byte, leaf *[Rows]byte) {
	clear(leaf[:])
	for l, s := range slot {
		for r, c := range codes[s : s+Rows] {
			leaf[r] *= 2
			if int8(cut[l]) <= int8(c) { // #nosec G115 -- bits
				leaf[r]++
			}
		}
	}
}

// AddFloat32 adds value[leaf[i]·width] to sum[i] for 64 rows.
func AddFloat32(leaf *[Rows]byte, value []float32, width int, sum *[Rows]float32) {
	addFloat32Path(leaf, value, width, sum)
}

func add[F float32 | float64](leaf *[Rows]byte, value []F, width int, sum *[Rows]F) {
	for i, l := range leaf {
		sum[i] += value[int(l)*width]
	}
}

// AddFloat64 is [AddFloat32] for float64.
func AddFloat64(leaf *[Rows]byte, value []float64, width int, sum *[Rows]float64) {
	addFloat64Path(leaf, value, width, sum)
}
