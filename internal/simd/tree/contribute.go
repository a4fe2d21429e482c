package tree

import "fmt"

// Edge is what an edge of a tree does at four points, in one of its states: the product above is multiplied by Times, and the part of the
// edge takes the sum below multiplied by Takes.
type Edge struct{ Times, Takes [4]float64 }

// EdgeStates is the number of states of an edge.
const EdgeStates = 3

// Contribute takes a tree down and up again, at four points side by side. Node 0 is the root, children come after their parents:
//
//	down  prod[c] = prod[parent[c]] · times of edge c in its state, from prod[0], which the caller sets
//	up    s = value[c]·prod[c] + Σ of s over the children; parts[part[c]] += s · takes of edge c
//
// edges[3c+state[c]] is the edge above node c. sum is room for one value for each node. All slices but parts have a value, or edges three,
// for every node; the caller promises that parents and parts exist. O(nodes). It is half of what SHAP values of a tree are.
func Contribute(parent, part []int32, state []byte, edges []Edge, value []float64, prod, sum, parts [][4]float64) {
	n := len(parent)
	if len(part) != n || len(state) != n || len(edges) != EdgeStates*n || len(value) != n || len(prod) != n || len(sum) != n {
		panic(fmt.Sprintf("tree: contributions of %d nodes, %d parts, %d states, %d edges, %d values and room for %d and %d", n, len(part), len(state),
			len(edges), len(value), len(prod), len(sum)))
	}
	if n > 1 {
		contributePath(parent, part, state, edges, value, prod, sum, parts)
	}
}

func contributeGeneric(parent, part []int32, state []byte, edges []Edge, value []float64, prod, sum, parts [][4]float64) {
	for c := 1; c < len(prod); c++ {
		e := &edges[EdgeStates*c+int(state[c])]
		a := &prod[parent[c]]
		prod[c] = [4]float64{a[0] * e.Times[0], a[1] * e.Times[1], a[2] * e.Times[2], a[3] * e.Times[3]}
	}
	clear(sum)
	for c := len(prod) - 1; c > 0; c-- {
		e, v, q, s := &edges[EdgeStates*c+int(state[c])], value[c], &prod[c], sum[c]
		u, a := &sum[parent[c]], &parts[part[c]]
		for i := range s {
			s[i] += float64(v * q[i])
			u[i] += s[i]
			a[i] += float64(s[i] * e.Takes[i])
		}
	}
}
