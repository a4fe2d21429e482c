package tree

import "fmt"

// Sum adds value[from[i]+leaf[i]] (modulo 2³²) to sum[i mod len(sum)], in the order of i, for every tree i: the scores of one row from its
// leaves. The caller promises that the values exist. O(trees).
func Sum[F float32 | float64](from, leaf []uint32, value, sum []F) {
	if len(leaf) < len(from) || len(sum) == 0 {
		panic(fmt.Sprintf("tree: %d leaves and %d sums of %d trees", len(leaf), len(sum), len(from)))
	}
	leaf = leaf[:len(from)]
	done := sumPath(from, leaf, value, sum)
	sumGeneric(from[done:], leaf[done:], value, sum)
}

func sumGeneric[F float32 | float64](from, leaf []uint32, value, sum []F) {
	c := 0
	for i, f := range from {
		sum[c] += value[f+leaf[i]]
		if c++; c == len(sum) {
			c = 0
		}
	}
}
