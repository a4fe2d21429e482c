package tree

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func rankRow(x *float32, scales *Scale, n int, cuts *float32, rank *uint32)

//go:noescape
func rankColumn(x *float32, n int, cuts *float32, registers int, rank *uint32)

//go:noescape
func walk16(nodes *uint16, codes *byte, depth, groups int, leaf *uint32)

//go:noescape
func walk32(nodes *uint32, codes *byte, depth, groups int, leaf *uint32)

//go:noescape
func levels16(nodes *uint16, codes *byte, depth, groups int, leaf *uint32)

//go:noescape
func levels32(nodes *uint32, codes *byte, depth, groups int, leaf *uint32)

//go:noescape
func block(slot *uint32, cut *byte, depth int, codes *byte, leaf *byte)

//go:noescape
func blockLevels(slot *uint32, cut *byte, depth int, codes *byte, leaf *byte)

//go:noescape
func addFloat32(leaf *byte, value *float32, width int, sum *float32)

//go:noescape
func addFloat64(leaf *byte, value *float64, width int, sum *float64)

//go:noescape
func sum1Float32(from, leaf *uint32, value *float32, n int, sum *float32)

//go:noescape
func sum1Float64(from, leaf *uint32, value *float64, n int, sum *float64)

//go:noescape
func sum3Float32(from, leaf *uint32, value *float32, n int, sum *float32)

//go:noescape
func sum3Float64(from, leaf *uint32, value *float64, n int, sum *float64)

//go:noescape
func walkNodes(nodes *Node, codes *byte, steps int, place *uint32)

//go:noescape
func blockNodes(list *BlockNode, n int, codes, room, leaf *byte)

//go:noescape
func contribute(n int, parent, part *int32, state *byte, edges *Edge, value *float64, prod, sum, parts *[4]float64)

func walk16Path(nodes []uint16, codes []byte, depth int, leaf []uint32) {
	if simd.Current() == simd.Generic {
		walkGeneric(nodes, codes, depth, leaf)
		return
	}
	walk16(&nodes[0], &codes[0], depth, len(leaf)/Together, &leaf[0])
}

func walk32Path(nodes []uint32, codes []byte, depth int, leaf []uint32) {
	if simd.Current() == simd.Generic {
		walkGeneric(nodes, codes, depth, leaf)
		return
	}
	walk32(&nodes[0], &codes[0], depth, len(leaf)/Together, &leaf[0])
}

func levels16Path(nodes []uint16, codes []byte, depth int, leaf []uint32) {
	if simd.Current() == simd.Generic {
		levelsGeneric(nodes, codes, depth, leaf)
		return
	}
	levels16(&nodes[0], &codes[0], depth, len(leaf)/Together, &leaf[0])
}

func levels32Path(nodes []uint32, codes []byte, depth int, leaf []uint32) {
	if simd.Current() == simd.Generic {
		levelsGeneric(nodes, codes, depth, leaf)
		return
	}
	levels32(&nodes[0], &codes[0], depth, len(leaf)/Together, &leaf[0])
}

func blockPath(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	if simd.Current() == simd.Generic {
		blockGeneric(slot, cut, depth, codes, leaf)
		return
	}
	block(&slot[0], &cut[0], depth, &codes[0], &leaf[0])
}

func blockLevelsPath(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	if simd.Current() == simd.Generic {
		blockLevelsGeneric(slot, cut, depth, codes, leaf)
		return
	}
	blockLevels(&slot[0], &cut[0], depth, &codes[0], &leaf[0])
}

func addFloat32Path(leaf *[Rows]byte, value []float32, width int, sum *[Rows]float32) {
	if simd.Current() == simd.Generic {
		add(leaf, value, width, sum)
		return
	}
	addFloat32(&leaf[0], &value[0], width, &sum[0])
}

func addFloat64Path(leaf *[Rows]byte, value []float64, width int, sum *[Rows]float64) {
	if simd.Current() == simd.Generic {
		add(leaf, value, width, sum)
		return
	}
	addFloat64(&leaf[0], &value[0], width, &sum[0])
}

func rankRowPath(x []float32, scales []Scale, cuts []float32, rank []uint32) {
	if simd.Current() == simd.Generic {
		rankRowGeneric(x, scales, cuts, rank)
		return
	}
	rankRow(&x[0], &scales[0], len(scales), &cuts[0], &rank[0])
}

func rankColumnPath(x []float32, s Scale, cuts []float32, rank []uint32) {
	if simd.Current() == simd.Generic {
		rankColumnGeneric(x, s, cuts, rank)
		return
	}
	rankColumn(&x[0], len(x), &cuts[s.At], int(s.Registers), &rank[0])
}

func contributePath(parent, part []int32, state []byte, edges []Edge, value []float64, prod, sum, parts [][4]float64) {
	if simd.Current() == simd.Generic {
		contributeGeneric(parent, part, state, edges, value, prod, sum, parts)
		return
	}
	contribute(len(parent), &parent[0], &part[0], &state[0], &edges[0], &value[0], &prod[0], &sum[0], &parts[0])
}

func walkNodesPath(nodes []Node, codes []byte, steps int, place []uint32) {
	if simd.Current() == simd.Generic {
		walkNodesGeneric(nodes, codes, steps, place)
		return
	}
	for ; len(place) > 0; place = place[Together:] {
		walkNodes(&nodes[0], &codes[0], steps, &place[0])
	}
}

func blockNodesPath(list []BlockNode, codes, room []byte, leaf *[Rows]byte) {
	if simd.Current() == simd.Generic {
		blockNodesGeneric(list, codes, room, leaf)
		return
	}
	blockNodes(&list[0], len(list), &codes[0], &room[0], &leaf[0])
}

// sumPath handles the first trees, a multiple of the number of sums, and returns how many.
func sumPath[F float32 | float64](from, leaf []uint32, value, sum []F) int {
	k := len(sum)
	n := len(from) / k
	if simd.Current() == simd.Generic || n == 0 || k != 1 && k != 3 {
		return 0
	}
	switch v := any(value).(type) {
	case []float32:
		f := sum1Float32
		if k == 3 {
			f = sum3Float32
		}
		f(&from[0], &leaf[0], &v[0], n, &any(sum).([]float32)[0])
	case []float64:
		f := sum1Float64
		if k == 3 {
			f = sum3Float64
		}
		f(&from[0], &leaf[0], &v[0], n, &any(sum).([]float64)[0])
	}
	return n * k
}
