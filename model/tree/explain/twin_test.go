package explain_test

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func random(seed uint64) *rand.Rand { return rng.New(seed).Stream("explain/test").Rand() }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kind says what a random ensemble is like.
type kind struct {
	name                          string
	columns, trees, scores, depth int
	vector, sets, mean, single    bool
	full                          bool // every node above depth is split
	empty                         bool // some children have no cover
	style                         string
}

// const
var kinds = []kind{
	{name: "softmax", columns: 8, trees: 9, scores: 3, depth: 4, single: true},
	{name: "vectors", columns: 6, trees: 5, scores: 3, depth: 3, vector: true},
	{name: "sets", columns: 7, trees: 6, scores: 1, depth: 5, sets: true, style: "lightgbm"},
	{name: "few columns, again and again", columns: 3, trees: 6, scores: 1, depth: 7, full: true},
	{name: "mean of vectors", columns: 5, trees: 4, scores: 2, depth: 4, vector: true, mean: true},
	{name: "empty children", columns: 4, trees: 6, scores: 1, depth: 5, full: true, empty: true},
	{name: "more columns on a path than four points bear", columns: 12, trees: 2, scores: 1, depth: 12},
}

func (s kind) make(r *rand.Rand) *ensemble.Ensemble {
	e := &ensemble.Ensemble{Style: s.style, Base: make([]float64, s.scores), Mean: s.mean, Single: s.single}
	for j := range s.columns {
		e.Columns = append(e.Columns, fmt.Sprintf("c%d", j))
		if s.sets && j%2 == 0 {
			e.Categorical = append(e.Categorical, j)
		}
	}
	for c := range e.Base {
		e.Base[c] = r.NormFloat64()
	}
	for i := range s.trees {
		e.Trees = append(e.Trees, s.tree(r, i))
	}
	return e
}

func (s kind) tree(r *rand.Rand, i int) ensemble.Tree {
	t := ensemble.Tree{Width: 1, Class: i % s.scores, Nodes: make([]ensemble.Node, 1)}
	depth := []int{0}
	for i := 0; i < len(t.Nodes); i++ {
		nd := &t.Nodes[i]
		nd.Value = float64(float32(r.NormFloat64()))
		if depth[i] == s.depth || !s.full && depth[i] > 1 && r.IntN(3) == 0 {
			continue
		}
		nd.Feature, nd.Left, nd.DefaultLeft = int32(r.IntN(s.columns)), int32(len(t.Nodes)), r.IntN(2) == 0
		nd.Threshold = float32(r.NormFloat64())
		if s.sets && nd.Feature%2 == 0 {
			t.Sets = append(t.Sets, ensemble.Set{r.Uint64() & 0xffff})
			nd.Set = int32(len(t.Sets))
		}
		t.Nodes = append(t.Nodes, ensemble.Node{}, ensemble.Node{})
		depth = append(depth, depth[i]+1, depth[i]+1)
	}
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		nd := &t.Nodes[i]
		nd.Cover, nd.Count = 0.1+r.ExpFloat64(), 1+int32(r.IntN(50))
		if s.empty && r.IntN(2) == 0 {
			nd.Cover = 0
		}
		if l := nd.Left; l != 0 {
			nd.Cover, nd.Count = t.Nodes[l].Cover+t.Nodes[l+1].Cover, t.Nodes[l].Count+t.Nodes[l+1].Count
			if nd.Cover == 0 && i == 0 {
				t.Nodes[l].Cover, nd.Cover = 1, 1
			}
		}
	}
	if s.vector {
		t.Width, t.Class = s.scores, 0
		for range len(t.Nodes) * s.scores {
			t.Values = append(t.Values, r.NormFloat64())
		}
	}
	return t
}

func (s kind) table(r *rand.Rand, e *ensemble.Ensemble, n int) *view.Table {
	t := view.NewTable(n, e.Columns)
	for j := range t.P {
		for i := range n {
			t.Col(j)[i] = float32(r.NormFloat64())
			if s.sets && j%2 == 0 {
				t.Col(j)[i] = float32(r.IntN(20))
			}
			if r.IntN(7) == 0 {
				t.Col(j)[i] = float32(math.NaN())
			}
		}
	}
	return t
}

func row(t *view.Table, i int) []float32 {
	x := make([]float32, t.P)
	for j := range x {
		x[j] = t.Col(j)[i]
	}
	return x
}

// weight is the measure that NewPath takes by itself.
func weight(e *ensemble.Ensemble, nd *ensemble.Node) float64 {
	if e.Style == "lightgbm" {
		return float64(nd.Count)
	}
	return nd.Cover
}

// value is what a tree gives a score when the columns of known are those of x
// and at other splits both children count by their weight.
func value(e *ensemble.Ensemble, t *ensemble.Tree, i int32, x []float32, known uint, score int) float64 {
	nd := &t.Nodes[i]
	if nd.Left == 0 {
		switch {
		case t.Width > 1:
			return t.Values[int(i)*t.Width+score]
		case t.Class == score:
			return nd.Value
		}
		return 0
	}
	l, r := value(e, t, nd.Left, x, known, score), value(e, t, nd.Left+1, x, known, score)
	if known>>nd.Feature&1 == 1 {
		if t.GoesLeft(nd, x[nd.Feature]) {
			return l
		}
		return r
	}
	a, b := weight(e, &t.Nodes[nd.Left]), weight(e, &t.Nodes[nd.Left+1])
	if a+b == 0 {
		a, b = 1, 1
	}
	return (a*l + b*r) / (a + b)
}

// shapley is the Shapley values of a game over p players, and the interaction
// values, by all 2^p coalitions.
func shapley(p int, v func(s uint) float64) ([]float64, [][]float64) {
	worth := make([]float64, 1<<p)
	for s := range worth {
		worth[s] = v(uint(s))
	}
	f := func(n int) float64 { return math.Gamma(float64(n + 1)) }
	phi, inter := make([]float64, p), make([][]float64, p)
	for i := range p {
		inter[i] = make([]float64, p)
		for s := range worth {
			if s>>i&1 == 1 {
				continue
			}
			k := bits.OnesCount(uint(s))
			phi[i] += f(k) * f(p-1-k) / f(p) * (worth[s|1<<i] - worth[s])
			for j := range p {
				if j != i && s>>j&1 == 0 {
					inter[i][j] += f(k) * f(p-2-k) / (2 * f(p-1)) * (worth[s|1<<i|1<<j] - worth[s|1<<i] - worth[s|1<<j] + worth[s])
				}
			}
		}
	}
	for i := range p {
		inter[i][i] = phi[i]
		for j := range p {
			if j != i {
				inter[i][i] -= inter[i][j]
			}
		}
	}
	return phi, inter
}

// classic is the path-dependent algorithm of Lundberg et al. 2020 (algorithm
// 2, as in the supplement: EXTEND and UNWIND on lists of columns, shares and
// weights of subset sizes).
type classic struct {
	e    *ensemble.Ensemble
	t    *ensemble.Tree
	x    []float32
	c    int
	phi  []float64
	leaf func(i int32) float64
}

type element struct {
	d       int32
	z, o, w float64
}

func extend(m []element, z, o float64, d int32) []element {
	l := len(m)
	m = append(append([]element(nil), m...), element{d, z, o, 0})
	if l == 0 {
		m[0].w = 1
	}
	for i := l - 1; i >= 0; i-- {
		m[i+1].w += o * m[i].w * float64(i+1) / float64(l+1)
		m[i].w = z * m[i].w * float64(l-i) / float64(l+1)
	}
	return m
}

func unwind(m []element, i int) []element {
	l := len(m) - 1
	n := m[l].w
	out := append([]element(nil), m[:l]...)
	o, z := m[i].o, m[i].z
	for j := l - 1; j >= 0; j-- {
		if o != 0 {
			t := m[j].w
			out[j].w = n * float64(l+1) / (float64(j+1) * o)
			n = t - out[j].w*z*float64(l-j)/float64(l+1)
		} else {
			out[j].w = m[j].w * float64(l+1) / (z * float64(l-j))
		}
	}
	for j := i; j < l; j++ {
		out[j].d, out[j].z, out[j].o = m[j+1].d, m[j+1].z, m[j+1].o
	}
	return out
}

func (a *classic) node(i int32, m []element, z, o float64, d int32) {
	m = extend(m, z, o, d)
	nd := &a.t.Nodes[i]
	if nd.Left == 0 {
		for k := 1; k < len(m); k++ {
			w := 0.0
			for _, el := range unwind(m, k) {
				w += el.w
			}
			a.phi[m[k].d] += w * (m[k].o - m[k].z) * a.leaf(i)
		}
		return
	}
	h, c := nd.Left+1, nd.Left
	if a.t.GoesLeft(nd, a.x[nd.Feature]) {
		h, c = c, h
	}
	iz, io := 1.0, 1.0
	for k := 1; k < len(m); k++ {
		if m[k].d == nd.Feature {
			iz, io = m[k].z, m[k].o
			m = unwind(m, k)
			break
		}
	}
	total := weight(a.e, &a.t.Nodes[h]) + weight(a.e, &a.t.Nodes[c])
	a.node(h, m, iz*weight(a.e, &a.t.Nodes[h])/total, io, nd.Feature)
	a.node(c, m, iz*weight(a.e, &a.t.Nodes[c])/total, 0, nd.Feature)
}
