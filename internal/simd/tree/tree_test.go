package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// byHand sends a row of codes down a complete tree: at node i of a level in
// heap order, right if the code is above the cut.
func byHand(slot, cut []int, depth int, code func(slot int) int) int {
	i := 1
	for range depth {
		right := 0
		if code(slot[i]) > cut[i] {
			right = 1
		}
		i = 2*i + right
	}
	return i - 1<<depth
}

// postOrder lists the nodes of a heap as Block wants them.
func postOrder(depth int) []int {
	var out []int
	var visit func(i int)
	visit = func(i int) {
		if i >= 1<<depth {
			return
		}
		visit(2 * i)
		visit(2*i + 1)
		out = append(out, i)
	}
	visit(1)
	return out
}

func paths(t *testing.T, f func(t *testing.T)) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			f(t)
		})
	}
}

func TestTrees(t *testing.T) {
	paths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a test
		for depth := 1; depth <= Depth; depth++ {
			for _, slots := range []int{1, 3, 256, 5000} {
				const trees = 3 * Together
				block := make([]byte, slots*Rows)
				rows := make([][]byte, Rows)
				for i := range rows {
					rows[i] = make([]byte, slots)
					for s := range slots {
						c := r.IntN(256)
						if r.IntN(8) == 0 {
							c = 255 * r.IntN(2)
						}
						rows[i][s], block[s*Rows+i] = byte(c), Code(c)
					}
				}
				for _, symmetric := range []bool{false, true} {
					var n16 []uint16
					var n32 []uint32
					want := make([][]int, trees)
					for k := range trees {
						slot, cut := make([]int, 1<<depth), make([]int, 1<<depth)
						for i := 1; i < 1<<depth; i++ {
							slot[i], cut[i] = r.IntN(slots), r.IntN(255)
							if symmetric && i&(i-1) != 0 {
								slot[i], cut[i] = slot[i-1], cut[i-1]
							}
						}
						list := postOrder(depth)
						heap := make([]int, 1<<depth)
						for i := range heap {
							heap[i] = i
						}
						if symmetric {
							list, heap = nil, nil
							for l := range depth {
								list, heap = append(list, 1<<l), append(heap, 1<<l)
							}
						}
						var bs []uint32
						var bc []byte
						for _, i := range list {
							bs, bc = append(bs, uint32(slot[i]*Rows)), append(bc, Cut(cut[i]))
						}
						for _, i := range heap {
							n16, n32 = append(n16, Node16(slot[i]&255, cut[i])), append(n32, Node32(slot[i], cut[i]))
						}
						var leaf [Rows]byte
						if symmetric {
							BlockLevels(bs, bc, depth, block, &leaf)
						} else {
							Block(bs, bc, depth, block, &leaf)
						}
						for i := range rows {
							w := byHand(slot, cut, depth, func(s int) int { return int(rows[i][s]) })
							want[k] = append(want[k], w)
							if int(leaf[i]) != w {
								t.Fatalf("depth %d, %d slots, symmetric %v: row %d is in leaf %d of a block, want %d", depth, slots, symmetric, i, leaf[i], w)
							}
						}
					}
					for i := range rows {
						leaf := make([]uint32, trees)
						walk := Walk32
						if symmetric {
							walk = Levels32
						}
						walk(n32, rows[i], depth, leaf)
						for k := range trees {
							if int(leaf[k]) != 1<<depth+want[k][i] {
								t.Fatalf("depth %d, %d slots, symmetric %v, 32 bits: leaf %d, want %d", depth, slots, symmetric, leaf[k], 1<<depth+want[k][i])
							}
						}
						if slots > 256 {
							continue
						}
						clear(leaf)
						if symmetric {
							Levels16(n16, rows[i], depth, leaf)
						} else {
							Walk16(n16, rows[i], depth, leaf)
						}
						for k := range trees {
							if int(leaf[k]) != 1<<depth+want[k][i] {
								t.Fatalf("depth %d, %d slots, symmetric %v, 16 bits: leaf %d, want %d", depth, slots, symmetric, leaf[k], 1<<depth+want[k][i])
							}
						}
					}
				}
			}
		}
	})
}

func TestAdd(t *testing.T) {
	paths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4)) // #nosec G404 -- a test
		for _, width := range []int{1, 3, 40} {
			var leaf [Rows]byte
			v32, v64 := make([]float32, 256*width), make([]float64, 256*width)
			for i := range v32 {
				v32[i], v64[i] = float32(r.NormFloat64()), r.NormFloat64()
			}
			var s32 [Rows]float32
			var s64 [Rows]float64
			for i := range leaf {
				leaf[i], s32[i], s64[i] = byte(r.IntN(256)), float32(r.NormFloat64()), r.NormFloat64()
			}
			g32, g64 := s32, s64
			AddFloat32(&leaf, v32, width, &g32)
			AddFloat64(&leaf, v64, width, &g64)
			for i, l := range leaf {
				if w := s32[i] + v32[int(l)*width]; math.Float32bits(g32[i]) != math.Float32bits(w) {
					t.Errorf("float32 row %d: %v, want %v", i, g32[i], w)
				}
				if w := s64[i] + v64[int(l)*width]; math.Float64bits(g64[i]) != math.Float64bits(w) {
					t.Errorf("float64 row %d: %v, want %v", i, g64[i], w)
				}
			}
		}
	})
}

func TestPanics(t *testing.T) {
	for i, f := range []func(){
		func() { Walk16(make([]uint16, 4*Together), make([]byte, 1), 2, make([]uint32, Together-1)) },
		func() { Walk16(make([]uint16, 4*Together-1), make([]byte, 1), 2, make([]uint32, Together)) },
		func() { Levels32(make([]uint32, 9*Together), make([]byte, 1), 9, make([]uint32, Together)) },
		func() { Block(make([]uint32, 3), make([]byte, 2), 2, make([]byte, 64), new([Rows]byte)) },
		func() { BlockLevels(make([]uint32, 3), make([]byte, 3), 3, make([]byte, 63), new([Rows]byte)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("case %d does not panic", i)
				}
			}()
			f()
		}()
	}
}

// BenchmarkKernels is one tree of depth 6 for one row, and for 64.
func BenchmarkKernels(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a benchmark
	const slots, trees, depth = 120, 137 * Together, 6
	n16 := make([]uint16, trees<<depth)
	for i := range n16 {
		n16[i] = Node16(r.IntN(slots), r.IntN(255))
	}
	codes, many := make([]byte, slots), make([]byte, slots*Rows)
	for i := range many {
		codes[i%slots], many[i] = byte(r.IntN(256)), byte(r.IntN(256))
	}
	slot, cut := make([]uint32, trees*63), make([]byte, trees*63)
	for i := range slot {
		slot[i], cut[i] = uint32(r.IntN(slots)*Rows), byte(r.IntN(256))
	}
	leaf := make([]uint32, trees)
	b.Run(fmt.Sprintf("row/%d", trees), func(b *testing.B) {
		for range b.N {
			Walk16(n16, codes, depth, leaf)
		}
	})
	var l64 [Rows]byte
	b.Run(fmt.Sprintf("block/%d", trees), func(b *testing.B) {
		for range b.N {
			for t := range trees {
				Block(slot[t*63:(t+1)*63], cut[t*63:(t+1)*63], depth, many, &l64)
			}
		}
	})
	values := make([]float32, 64)
	var sum [Rows]float32
	b.Run(fmt.Sprintf("add/%d", trees), func(b *testing.B) {
		for range b.N {
			for range trees {
				AddFloat32(&l64, values, 1, &sum)
			}
		}
	})
}

func TestRank(t *testing.T) {
	paths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6)) // #nosec G404 -- a test
		inf, negZero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
		var scales []Scale
		var lists [][]float32
		var all []float32
		for _, n := range []int{0, 1, 2, 15, 16, 17, 127, 128, 254, 255, 256, 1000, 5000} {
			cuts := make([]float32, n)
			for i := range cuts {
				cuts[i] = float32(r.NormFloat64())
				if r.IntN(10) == 0 {
					cuts[i] = []float32{0, negZero, inf, math.MaxFloat32, -math.MaxFloat32, 1, 1}[r.IntN(7)]
				}
			}
			slices.Sort(cuts)
			var s Scale
			s, all = Append(all, len(scales), cuts)
			scales, lists = append(scales, s), append(lists, cuts)
		}
		for range 500 {
			x, got, want := make([]float32, len(scales)), make([]uint32, len(scales)), make([]uint32, len(scales))
			for i, cuts := range lists {
				x[i] = float32(r.NormFloat64())
				switch k := r.IntN(8); {
				case k == 0:
					x[i] = []float32{0, negZero, math.MaxFloat32, -math.MaxFloat32, float32(math.NaN())}[r.IntN(5)]
				case k < 4 && len(cuts) > 0:
					if x[i] = cuts[r.IntN(len(cuts))]; x[i] == inf {
						x[i] = 0
					}
				}
				for _, c := range cuts {
					if c <= x[i] {
						want[i]++
					}
				}
			}
			RankRow(x, scales, all, got)
			for i := range scales {
				if got[i] != want[i] {
					t.Fatalf("%d of %d cuts are at most %v, want %d", got[i], len(lists[i]), x[i], want[i])
				}
				column := make([]uint32, len(x))
				RankColumn(x, scales[i], all, column)
				if column[i] != want[i] {
					t.Fatalf("%d of %d cuts are at most %v, want %d", column[i], len(lists[i]), x[i], want[i])
				}
			}
		}
	})
}

// TestContribute: all paths give the bits of the twin, and the twin the numbers of sums over leaves.
func TestContribute(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8)) // #nosec G404 -- a test
	for _, n := range []int{1, 3, 5, 127, 301} {
		parent, part, state := make([]int32, n), make([]int32, n), make([]byte, n)
		edges, value := make([]Edge, EdgeStates*n), make([]float64, n)
		inner := make([]bool, n)
		for c := 1; c < n; c += 2 {
			p := int32(r.IntN(c))
			for inner[p] {
				p = int32(r.IntN(c))
			}
			inner[p] = true
			for _, i := range []int{c, c + 1} {
				parent[i], part[i], state[i] = p, int32(r.IntN(5)), byte(r.IntN(EdgeStates))
			}
		}
		for i := range value {
			if !inner[i] {
				value[i] = r.NormFloat64()
			}
		}
		for i := range edges {
			for k := range 4 {
				edges[i].Times[k], edges[i].Takes[k] = r.Float64(), r.NormFloat64()
			}
		}
		want := make([][4]float64, 5)
		for leaf := 1; leaf < n; leaf++ {
			if inner[leaf] {
				continue
			}
			s := [4]float64{value[leaf], value[leaf], value[leaf], value[leaf]}
			for c := int32(leaf); c != 0; c = parent[c] {
				for k := range s {
					s[k] *= edges[EdgeStates*int(c)+int(state[c])].Times[k]
				}
			}
			for c := int32(leaf); c != 0; c = parent[c] {
				for k := range s {
					want[part[c]][k] += s[k] * edges[EdgeStates*int(c)+int(state[c])].Takes[k]
				}
			}
		}
		var first [][4]float64
		paths(t, func(t *testing.T) {
			prod, sum, parts := make([][4]float64, n), make([][4]float64, n), make([][4]float64, 5)
			prod[0] = [4]float64{1, 1, 1, 1}
			for i := range sum {
				sum[i][2] = math.NaN() // what is left of another tree
			}
			Contribute(parent, part, state, edges, value, prod, sum, parts)
			if first == nil {
				first = parts
			}
			for i := range parts {
				for k := range 4 {
					if math.Float64bits(parts[i][k]) != math.Float64bits(first[i][k]) {
						t.Errorf("%d nodes: part %d at point %d is %v, on the plain path %v", n, i, k, parts[i][k], first[i][k])
					}
					// Some hundred terms of size 1 and below.
					if !(math.Abs(parts[i][k]-want[i][k]) <= 1e-13*float64(n)) {
						t.Errorf("%d nodes: part %d at point %d is %v, want %v", n, i, k, parts[i][k], want[i][k])
					}
				}
			}
		})
	}
}

// TestNodes: trees of any shape, by a walk on the nodes themselves.
func TestNodes(t *testing.T) {
	paths(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10)) // #nosec G404 -- a test
		const slots = 300
		for _, size := range []int{3, 5, 61, 255} {
			block, rows := make([]byte, slots*Rows), make([][]byte, Rows)
			for i := range rows {
				rows[i] = make([]byte, slots)
				for s := range slots {
					c := r.IntN(256)
					rows[i][s], block[s*Rows+i] = byte(c), Code(c)
				}
			}
			var nodes []Node
			var roots []uint32
			room, want := Room(), make([][]uint32, Rows)
			for range 2 * Together {
				root := uint32(len(nodes))
				roots = append(roots, root)
				tree, inner := make([]Node, size), make([]bool, size)
				for i := range tree {
					tree[i] = Node{Node32(0, 255), root + uint32(i)}
				}
				var list []BlockNode
				for c := 1; c < size; c += 2 {
					p := r.IntN(c)
					for inner[p] {
						p = r.IntN(c)
					}
					inner[p] = true
					tree[p] = Node{Node32(r.IntN(slots), r.IntN(255)), root + uint32(c)}
				}
				place := func(i uint32) uint32 {
					if inner[i] {
						return NodePlace(int(i))
					}
					return LeafPlace(int(i))
				}
				for i := size - 1; i >= 0; i-- {
					if nd := tree[i]; inner[i] {
						l := nd.Left - root
						list = append(list, BlockNode{nd.Code >> 8 * Rows, place(l), place(l + 1), NodePlace(i), Cut(int(nd.Code & 255))})
					}
				}
				nodes = append(nodes, tree...)
				var leaf [Rows]byte
				BlockNodes(list, block, room, &leaf)
				for i := range rows {
					at := uint32(0)
					for inner[at] {
						nd := tree[at]
						if at = nd.Left - root; int(rows[i][nd.Code>>8]) > int(nd.Code&255) {
							at++
						}
					}
					want[i] = append(want[i], root+at)
					if uint32(leaf[i]) != at {
						t.Fatalf("%d nodes: row %d is in leaf %d of a block, want %d", size, i, leaf[i], at)
					}
				}
			}
			for i := range rows {
				got := slices.Clone(roots)
				WalkNodes(nodes, rows[i], size, got)
				if !slices.Equal(got, want[i]) {
					t.Fatalf("%d nodes: row %d is at %v, want %v", size, i, got, want[i])
				}
			}
		}
	})
}

func TestSum(t *testing.T) {
	paths(t, func(t *testing.T) {
		testSum[float32](t)
		testSum[float64](t)
	})
}

func testSum[F float32 | float64](t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12)) // #nosec G404 -- a test
	for _, k := range []int{1, 2, 3, 4} {
		for _, n := range []int{0, 1, 2, 3, 4, 100, 101} {
			value, from, leaf := make([]F, 64*n), make([]uint32, n), make([]uint32, n+3)
			sum, want := make([]F, k), make([]F, k)
			for i := range value {
				value[i] = F(r.NormFloat64())
			}
			for c := range sum {
				sum[c] = F(r.NormFloat64())
				want[c] = sum[c]
			}
			for i := range from {
				from[i], leaf[i] = uint32(64*i)-64, uint32(64+r.IntN(64))
				want[i%k] += value[from[i]+leaf[i]]
			}
			Sum(from, leaf, value, sum)
			for c := range sum {
				if math.Float64bits(float64(sum[c])) != math.Float64bits(float64(want[c])) {
					t.Errorf("%d trees, sum %d of %d: %v, want %v", n, c, k, sum[c], want[c])
				}
			}
		}
	}
}
