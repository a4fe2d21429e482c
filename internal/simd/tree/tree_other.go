//go:build !amd64

package tree

func walk16Path(nodes []uint16, codes []byte, depth int, leaf []uint32) {
	walkGeneric(nodes, codes, depth, leaf)
}

func walk32Path(nodes []uint32, codes []byte, depth int, leaf []uint32) {
	walkGeneric(nodes, codes, depth, leaf)
}

func levels16Path(nodes []uint16, codes []byte, depth int, leaf []uint32) {
	levelsGeneric(nodes, codes, depth, leaf)
}

func levels32Path(nodes []uint32, codes []byte, depth int, leaf []uint32) {
	levelsGeneric(nodes, codes, depth, leaf)
}

func blockPath(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	blockGeneric(slot, cut, depth, codes, leaf)
}

func blockLevelsPath(slot []uint32, cut []byte, depth int, codes []byte, leaf *[Rows]byte) {
	blockLevelsGeneric(slot, cut, depth, codes, leaf)
}

func addFloat32Path(leaf *[Rows]byte, value []float32, width int, sum *[Rows]float32) {
	add(leaf, value, width, sum)
}

func addFloat64Path(leaf *[Rows]byte, value []float64, width int, sum *[Rows]float64) {
	add(leaf, value, width, sum)
}

func rankRowPath(x []float32, scales []Scale, cuts []float32, rank []uint32) {
	rankRowGeneric(x, scales, cuts, rank)
}

func rankColumnPath(x []float32, s Scale, cuts []float32, rank []uint32) {
	rankColumnGeneric(x, s, cuts, rank)
}

func contributePath(parent, part []int32, state []byte, edges []Edge, value []float64, prod, sum, parts [][4]float64) {
	contributeGeneric(parent, part, state, edges, value, prod, sum, parts)
}

func walkNodesPath(nodes []Node, codes []byte, steps int, place []uint32) {
	walkNodesGeneric(nodes, codes, steps, place)
}

func blockNodesPath(list []BlockNode, codes, room []byte, leaf *[Rows]byte) {
	blockNodesGeneric(list, codes, room, leaf)
}

func sumPath[F float32 | float64](_, _ []uint32, _, _ []F) int { return 0 }
