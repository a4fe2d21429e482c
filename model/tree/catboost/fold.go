package catboost

import (
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model/tree/core"
)

// part is a stretch of a permutation in ordered boosting: its body, the first
// rows, fits leaf values, and the tail, the rows after it, is scored by a model
// that has not seen it. Plain boosting has one part whose body and tail are all
// rows.
type part struct {
	body   int       // rows of the body
	tail   int       // rows of body and tail together; plain: body
	weight float64   // sum of the weights of the body
	score  []float64 // k for each of the tail rows, in the order of the permutation
}

// l2 is the penalty scaled by the mean weight of the rows that fit.
func (p *part) l2(c *Config) float64 {
	r := float64(float32(c.L2LeafReg))
	if r == 0 {
		r = 1e-20
	}
	return r * (p.weight / float64(p.body))
}

// fold is a permutation of the rows with the scores of its parts.
type fold struct {
	perm    []uint32 // rows in order
	place   []uint32 // place of each row
	inOrder bool     // perm is the order of the rows
	parts   []part
	m       *core.Matrix // with the target statistics of the permutation
	gr      *grower      // on m; nil for a fold that chooses no splits
}

// newFold makes a fold whose parts begin with the given scores, k a row. r,
// unless nil, shuffles the rows, in runs of consecutive rows as long as the
// library's.
func newFold(t *core.Targets, k int, start []float64, r *rand.Rand, bounds [][2]int) *fold {
	n := len(t.Y)
	f := &fold{perm: make([]uint32, n), place: make([]uint32, n), inOrder: r == nil}
	if r == nil {
		for i := range f.perm {
			f.perm[i] = uint32(i)
		}
	} else {
		size := min(256, n/1000+1)
		at := 0
		for _, b := range r.Perm((n + size - 1) / size) {
			for i := b * size; i < min(n, (b+1)*size); i++ {
				f.perm[at] = uint32(i)
				at++
			}
		}
	}
	for i, row := range f.perm {
		f.place[row] = uint32(i)
	}
	for _, b := range bounds {
		p := part{body: b[0], tail: b[1], score: make([]float64, b[1]*k)}
		for i, row := range f.perm[:b[1]] {
			copy(p.score[i*k:i*k+k], start[int(row)*k:])
		}
		for _, row := range f.perm[:p.body] {
			p.weight += t.Weight(int(row))
		}
		f.parts = append(f.parts, p)
	}
	return f
}

// plainBounds are the bounds of plain boosting.
func plainBounds(n int) [][2]int { return [][2]int{{n, n}} }

// orderedBounds are the bounds of ordered boosting: bodies that begin with 1/50
// of the rows, at most 100 (one row below 500 rows), and grow by multiplier; the
// tail of a part ends where the next body does (fold.cpp of CatBoost 1.2).
func orderedBounds(n int, multiplier float64) [][2]int {
	body := 1
	if n > 500 {
		body = min(100, n/50)
	}
	var out [][2]int
	for len(out) == 0 || body < n {
		tail := min(n, max(body+1, ceil(float64(body)*multiplier)))
		out = append(out, [2]int{body, tail})
		body = tail
	}
	return out
}

func ceil(x float64) int {
	n := int(x)
	if float64(n) < x {
		n++
	}
	return n
}
