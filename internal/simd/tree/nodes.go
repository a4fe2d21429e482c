package tree

import "fmt"

// Node is a node of a tree of any shape: [Node32], and the place of its left child; the right one follows. A leaf is its own left child,
// with a cut of 255, which no code exceeds.
type Node struct{ Code, Left uint32 }

// WalkNodes sends one row through len(place) trees (a multiple of [Together]), which begin at the given places of nodes, for so many steps
// or until it is in a leaf, and writes where it is then. O(trees·steps).
func WalkNodes(nodes []Node, codes []byte, steps int, place []uint32) {
	if len(place)%Together != 0 {
		panic(fmt.Sprintf("tree: a walk of %d trees", len(place)))
	}
	if steps > 0 && len(place) > 0 {
		walkNodesPath(nodes, codes, steps, place)
	}
}

func walkNodesGeneric(nodes []Node, codes []byte, steps int, place []uint32) {
	for t, i := range place {
		for range steps {
			nd := nodes[i]
			i = nd.Left + uint32(above(nd.Code, codes)) // #nosec G115 -- 0 or 1
		}
		place[t] = i
	}
}

// Leaves is the largest number of nodes of a tree for [BlockNodes].
const Leaves = 256

// BlockNode is an inner node for [BlockNodes]: 64 times the slot, the places of what its left and right children give and of what it
// gives itself ([LeafPlace], [NodePlace]), and the [Cut].
type BlockNode struct {
	Slot, Left, Right, To uint32
	Cut                   byte
}

// LeafPlace is where the number of leaf i stands in the room of [BlockNodes], NodePlace where inner node i writes.
func LeafPlace(i int) uint32 { return uint32(i * Rows) } // #nosec G115 -- i is below 256

// NodePlace is the counterpart of [LeafPlace].
func NodePlace(i int) uint32 { return uint32((Leaves + i) * Rows) } // #nosec G115 -- i is below 256

// Room makes room for [BlockNodes].
func Room() []byte {
	r := make([]byte, 2*Leaves*Rows)
	for i := range Leaves * Rows {
		r[i] = byte(i / Rows) // #nosec G115 -- below 256
	}
	return r
}

// BlockNodes sends 64 rows through one tree of any shape with at most 256 nodes, and writes the numbers of their leaves. The list has the
// inner nodes, children before parents, the root last and at least that; codes are as for [Block], room comes from [Room]. O(nodes).
func BlockNodes(list []BlockNode, codes, room []byte, leaf *[Rows]byte) {
	if len(list) == 0 || len(room) != 2*Leaves*Rows {
		panic(fmt.Sprintf("tree: a block of %d nodes and room of %d", len(list), len(room)))
	}
	blockNodesPath(list, codes, room, leaf)
}

func blockNodesGeneric(list []BlockNode, codes, room []byte, leaf *[Rows]byte) {
	for i := range list {
		nd := &list[i]
		left, right, to := room[nd.Left:][:Rows], room[nd.Right:][:Rows], room[nd.To:][:Rows]
		for r, c := range codes[nd.Slot:][:Rows] {
			to[r] = right[r]
			if int8(nd.Cut) > int8(c) { // #nosec G115 -- bits
				to[r] = left[r]
			}
		}
	}
	copy(leaf[:], room[list[len(list)-1].To:])
}
