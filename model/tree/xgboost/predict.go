package xgboost

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/view"
)

// flatNode is a node as the predictor walks it. Values and thresholds are
// compared as ordered integers (core.OrderedKey), which needs no branch. A row is
// laid out twice: its keys with missing as the largest, then with missing as
// the smallest, so that the default direction is a choice of half and costs
// nothing. A leaf points to itself: nothing lies below its threshold 0, so the
// walk goes to left+1.
type flatNode struct {
	threshold uint32
	at        uint32 // index in the doubled row
	left      uint32
}

// predictor holds all trees in one array.
type predictor struct {
	p     int
	nodes []flatNode
	value []float32 // of every node
	trees []flatTree
	bufs  *sync.Pool // of *predictBuf
}

// predictBuf is what predicting a block of rows needs.
type predictBuf struct {
	rows   []uint32 // doubled
	scores []float32
}

type flatTree struct {
	root  uint32
	depth int
}

// rowsAtOnce rows are laid out together and sent through each tree in turn.
const rowsAtOnce = 64

func newPredictor(b *Booster) predictor {
	p := predictor{p: len(b.names)}
	for _, t := range b.trees {
		root := uint32(len(p.nodes))
		depth := make([]int, len(t))
		most := 0
		for i, nd := range t {
			f := flatNode{left: root + uint32(i) - 1}
			if nd.left != 0 {
				f = flatNode{core.OrderedKey(nd.threshold), uint32(nd.feature), root + uint32(nd.left)}
				if nd.defaultLeft {
					f.at += uint32(p.p)
				}
				depth[nd.left], depth[nd.left+1] = depth[i]+1, depth[i]+1
				most = max(most, depth[i]+1)
			}
			p.nodes = append(p.nodes, f)
			p.value = append(p.value, nd.value)
		}
		p.trees = append(p.trees, flatTree{root, most})
	}
	width, k := 2*p.p, b.loss.K
	p.bufs = &sync.Pool{New: func() any {
		return &predictBuf{make([]uint32, rowsAtOnce*width), make([]float32, rowsAtOnce*k)}
	}}
	return p
}

// put writes x to the doubled row.
func put(row []uint32, j, p int, x float32) {
	hi := core.OrderedKey(x)
	lo := hi
	if x != x {
		hi, lo = math.MaxUint32, 0
	}
	row[j], row[p+j] = hi, lo
}

// step walks one node down.
func (p *predictor) step(at uint32, row []uint32) uint32 {
	nd := &p.nodes[at]
	below := uint64(int64(row[nd.at])-int64(nd.threshold)) >> 63 // 1 if the value is less
	return nd.left + 1 - uint32(below)
}

// add adds the trees to the scores of the rows laid out in rows. Four rows
// walk side by side, so that their memory accesses overlap.
func (p *predictor) add(rows []uint32, n int, scores []float32, k int) {
	w := 2 * p.p
	for ti, t := range p.trees {
		c := ti % k
		i := 0
		for ; i+4 <= n; i += 4 {
			r0, r1, r2, r3 := rows[i*w:i*w+w], rows[(i+1)*w:(i+1)*w+w], rows[(i+2)*w:(i+2)*w+w], rows[(i+3)*w:(i+3)*w+w]
			a0, a1, a2, a3 := t.root, t.root, t.root, t.root
			for range t.depth {
				a0, a1, a2, a3 = p.step(a0, r0), p.step(a1, r1), p.step(a2, r2), p.step(a3, r3)
			}
			scores[i*k+c] += p.value[a0]
			scores[(i+1)*k+c] += p.value[a1]
			scores[(i+2)*k+c] += p.value[a2]
			scores[(i+3)*k+c] += p.value[a3]
		}
		for ; i < n; i++ {
			r, a := rows[i*w:i*w+w], t.root
			for range t.depth {
				a = p.step(a, r)
			}
			scores[i*k+c] += p.value[a]
		}
	}
}

// addRow is add for one row; four trees walk side by side.
func (p *predictor) addRow(row []uint32, scores []float32) {
	k, ti := len(scores), 0
	for ; ti+4 <= len(p.trees); ti += 4 {
		t := p.trees[ti : ti+4 : ti+4]
		a0, a1, a2, a3 := t[0].root, t[1].root, t[2].root, t[3].root
		for range max(t[0].depth, t[1].depth, t[2].depth, t[3].depth) {
			a0, a1, a2, a3 = p.step(a0, row), p.step(a1, row), p.step(a2, row), p.step(a3, row)
		}
		scores[ti%k] += p.value[a0]
		scores[(ti+1)%k] += p.value[a1]
		scores[(ti+2)%k] += p.value[a2]
		scores[(ti+3)%k] += p.value[a3]
	}
	for ; ti < len(p.trees); ti++ {
		a := p.trees[ti].root
		for range p.trees[ti].depth {
			a = p.step(a, row)
		}
		scores[ti%k] += p.value[a]
	}
}

// Raw writes the raw scores of every row of t, row-major, [Booster.Scores] a
// row, to dst (which is grown if it is too short and returned). Columns must
// be those of the fit by name and order; NaN is missing, ±Inf an error. ctx is
// checked for every block of rows. Complexity: O(rows·trees·depth).
func (b *Booster) Raw(ctx context.Context, t *view.Table, dst []float32) ([]float32, error) {
	if err := b.checkTable(t); err != nil {
		return nil, err
	}
	k := b.loss.K
	if cap(dst) < t.N*k {
		dst = make([]float32, t.N*k)
	}
	dst = dst[:t.N*k]
	return dst, b.blocks(ctx, t, func(lo, n int, scores []float32) {
		copy(dst[lo*k:], scores)
	})
}

// Probabilities writes the class probabilities of every row to dst, row-major:
// k a row for multi:softprob, (P(0), P(1)) for binary:logistic; an error for
// the regressions. The rules of [Booster.Raw] hold.
func (b *Booster) Probabilities(ctx context.Context, t *view.Table, dst []float64) ([]float64, error) {
	if !b.loss.Classifies() {
		return nil, fmt.Errorf("model/tree: %s has no probabilities; use Raw", b.loss.Name)
	}
	if err := b.checkTable(t); err != nil {
		return nil, err
	}
	k, c := b.loss.K, max(b.loss.K, 2)
	if cap(dst) < t.N*c {
		dst = make([]float64, t.N*c)
	}
	dst = dst[:t.N*c]
	return dst, b.blocks(ctx, t, func(lo, n int, scores []float32) {
		for i := range n {
			b.loss.Probabilities(scores[i*k:(i+1)*k], dst[(lo+i)*c:(lo+i+1)*c])
		}
	})
}

func (b *Booster) checkTable(t *view.Table) error {
	if err := model.CheckColumns(b.names, view.View{Table: t}); err != nil {
		return fmt.Errorf("model/tree: prediction: %w", err)
	}
	return nil
}

// blocks scores the table block by block.
func (b *Booster) blocks(ctx context.Context, t *view.Table, done func(lo, n int, scores []float32)) error {
	p, k := b.pred.p, b.loss.K
	buf := b.pred.bufs.Get().(*predictBuf)
	defer b.pred.bufs.Put(buf)
	rows, scores := buf.rows, buf.scores
	for lo := 0; lo < t.N; lo += rowsAtOnce {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("model/tree: predicting row %d: %w", lo, err)
		}
		n := min(rowsAtOnce, t.N-lo)
		for j := range p {
			for i, x := range t.Data[j*t.N+lo : j*t.N+lo+n] {
				if math.IsInf(float64(x), 0) {
					return fmt.Errorf("model/tree: column %q row %d is %v; give NaN for a missing value", t.Names[j], lo+i, x)
				}
				put(rows[i*2*p:(i+1)*2*p], j, p, x)
			}
		}
		for i := range n {
			copy(scores[i*k:], b.base)
		}
		b.pred.add(rows, n, scores, k)
		done(lo, n, scores[:n*k])
	}
	return nil
}

// RawRow writes the raw scores of one row, in the order of the columns of the
// fit, to out, which has [Booster.Scores] values. It does not allocate.
func (b *Booster) RawRow(x []float32, out []float32) error {
	p := b.pred.p
	if len(x) != p || len(out) != b.loss.K {
		return fmt.Errorf("model/tree: a row of %d values and %d scores; the fit had %d columns and gives %d scores", len(x), len(out), p, b.loss.K)
	}
	buf := b.pred.bufs.Get().(*predictBuf)
	defer b.pred.bufs.Put(buf)
	row := buf.rows[:2*p]
	for j, v := range x {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("model/tree: column %q is %v; give NaN for a missing value", b.names[j], v)
		}
		put(row, j, p, v)
	}
	copy(out, b.base)
	b.pred.addRow(row, out)
	return nil
}
