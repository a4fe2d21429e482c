package forest

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Forest is what [Train] makes.
type Forest struct {
	Ensemble *ensemble.Ensemble
	OOB      *OOB // nil unless oob_score is set
}

// Train grows a forest on the rows of positive weight: a classifier of the
// labels 0 … K−1 for K = 2 or 3, whose raw scores are class shares, or, with the
// criterion squared_error, a regression, whose score is the mean of the leaves.
// spans are the lives of the labels, one a row; nil where no option needs them.
// A node of the result has the rows of its tree's sample (a row drawn twice is
// one) as Count, their weight as Cover and the decrease of impurity times the
// node's share of the weight as Gain. Trees use the streams "tree" 0, 1, … of
// env. ctx is checked once a tree. O(trees·n·log n·max_features).
func Train(ctx context.Context, env model.Env, kind Kind, d core.Data, spans []view.Span, cfg Config) (*Forest, error) {
	pl := core.NewPool(env.Workers)
	p, err := newProblem(kind, d, spans, cfg, pl)
	if err != nil {
		return nil, err
	}
	e := &ensemble.Ensemble{
		Style: kind.String(), Objective: cfg.Criterion, Link: ensemble.Shares, Mean: true,
		Columns: append([]string(nil), d.X.Names...), Base: make([]float64, p.k), Trees: make([]ensemble.Tree, cfg.Trees),
	}
	if p.y != nil {
		e.Link, e.Base[0] = ensemble.Identity, p.mean
	}
	var oob *outOfBag
	if cfg.OOBScore {
		oob = newOutOfBag(p)
	}
	var at, done atomic.Int64
	pl.Run(true, func(w int) {
		var g *grower
		for {
			t := int(at.Add(1)) - 1
			if t >= cfg.Trees || ctx.Err() != nil {
				return
			}
			if g == nil {
				g = newGrower(p)
			}
			g.grow(env.Stream.Stream("tree", t).Rand())
			e.Trees[t] = g.finish()
			if oob != nil {
				oob.note(t, g.count)
			}
			n := int(done.Add(1))
			if w == 0 && env.Progress != nil {
				env.Progress(n, cfg.Trees, "trees")
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	f := &Forest{Ensemble: e}
	if oob != nil {
		if f.OOB, err = oob.judge(ctx, e, pl); err != nil {
			return nil, err
		}
		e.Extra = map[string]float64{"oob_score": f.OOB.Score, "oob_rows": float64(f.OOB.Rows)}
	}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	return f, nil
}

// finish makes a finished tree, breadth first, of the nodes that are in use.
func (g *grower) finish() ensemble.Tree {
	order := []int32{0} // breadth first
	for k := 0; k < len(order); k++ {
		if nd := &g.nodes[order[k]]; nd.left != 0 {
			order = append(order, nd.left, nd.right)
		}
	}
	t := ensemble.Tree{Nodes: make([]ensemble.Node, len(order)), Width: g.k}
	if g.k > 1 {
		t.Values = make([]float64, len(order)*g.k)
	}
	next := int32(1)
	for k, i := range order {
		nd, out := &g.nodes[i], &t.Nodes[k]
		out.Cover, out.Count = nd.sum.w/g.unit, int32(nd.sum.n) // #nosec G115 -- rows are at most 2²⁶
		if g.k > 1 {
			for c := range g.k {
				t.Values[k*g.k+c] = nd.sum.s[c] / nd.sum.w
			}
			if g.mono != nil { // two classes
				t.Values[k*g.k] = nd.bounds.clip(t.Values[k*g.k])
				t.Values[k*g.k+1] = 1 - t.Values[k*g.k]
			}
		} else {
			out.Value = nd.bounds.clip(nd.sum.s[0]/nd.sum.w) * (g.unit / g.unitY)
		}
		if nd.left == 0 {
			continue
		}
		out.Left, out.Feature, out.Threshold = next, nd.split.feature, nd.split.threshold
		out.DefaultLeft, out.Gain = nd.split.missLeft, nd.gain
		next += 2
	}
	return t
}

// leaf is the leaf of t that row i of the training table reaches.
func leaf(t *ensemble.Tree, x *view.Table, i int) int {
	k := 0
	for t.Nodes[k].Left != 0 {
		n := &t.Nodes[k]
		if k = int(n.Left); !t.GoesLeft(n, x.Data[int(n.Feature)*x.N+i]) {
			k++
		}
	}
	return k
}

// OOB is what the trees say of the rows that they did not draw.
type OOB struct {
	// Pred has the class shares (K a row) or the predicted number of every row
	// of the training table; NaN where no tree is left to judge it.
	Pred []float64
	K    int // values a row
	Rows int // rows with a prediction
	// Score is scikit-learn's oob_score_ over these rows: the share of rows
	// whose most probable class (the lowest of equal ones) is right, or R²; 0
	// without rows.
	Score float64
	// Loss is their mean log-loss in nats, with probabilities of at least
	// [model.MinProb], or mean squared error; 0 without rows.
	Loss float64
}

// outOfBag remembers which trees may judge a row.
type outOfBag struct {
	*problem
	meet *meeting
	may  [][]uint64 // by tree, a bit a row
}

func newOutOfBag(p *problem) *outOfBag {
	o := &outOfBag{problem: p, may: make([][]uint64, p.cfg.Trees)}
	if p.cfg.OOBPurge {
		o.meet = newMeeting(p.spans)
	}
	return o
}

// note records the draws of a tree.
func (o *outOfBag) note(t int, count []uint32) {
	bits := make([]uint64, (o.n+63)/64)
	var met []bool
	if o.meet != nil {
		met = make([]bool, o.n)
		o.meet.mark(count, make([]int64, o.n+1), met)
	}
	for i, c := range count {
		if c == 0 && (met == nil || !met[i]) {
			bits[i/64] |= 1 << (i % 64)
		}
	}
	o.may[t] = bits
}

// judge predicts every row with the trees that may, in their order.
func (o *outOfBag) judge(ctx context.Context, e *ensemble.Ensemble, pl *core.Pool) (*OOB, error) {
	const block = 1024
	out := &OOB{Pred: make([]float64, o.x.N*o.k), K: o.k}
	for i := range out.Pred {
		out.Pred[i] = math.NaN()
	}
	pl.Each((o.n+block-1)/block, func(next func() int) {
		sum := make([]float64, block*o.k)
		trees := make([]float64, block)
		for b := next(); b*block < o.n && ctx.Err() == nil; b = next() {
			lo := b * block
			hi := min(lo+block, o.n)
			clear(sum)
			clear(trees)
			for t := range e.Trees {
				tree := &e.Trees[t]
				for i := lo; i < hi; i++ {
					if o.may[t][i/64]>>(i%64)&1 == 0 {
						continue
					}
					l := leaf(tree, o.x, o.row(i))
					trees[i-lo]++
					if o.k == 1 {
						sum[i-lo] += tree.Nodes[l].Value
						continue
					}
					for c, v := range tree.Values[l*o.k : (l+1)*o.k] {
						sum[(i-lo)*o.k+c] += v
					}
				}
			}
			for i := lo; i < hi; i++ {
				if n := trees[i-lo]; n > 0 {
					for c := range o.k {
						out.Pred[o.row(i)*o.k+c] = sum[(i-lo)*o.k+c]/n + e.Base[c]
					}
				}
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	o.score(out)
	return out, nil
}

// score fills in the rows, score and loss.
func (o *outOfBag) score(out *OOB) {
	right, loss, y1, y2 := 0.0, 0.0, 0.0, 0.0
	for i := range o.n {
		q := out.Pred[o.row(i)*o.k : (o.row(i)+1)*o.k]
		if q[0] != q[0] {
			continue
		}
		out.Rows++
		if o.y != nil {
			d := q[0] - o.mean - o.y[i]
			loss += float64(d * d)
			y1, y2 = y1+o.y[i], y2+float64(o.y[i]*o.y[i])
			continue
		}
		most := 0
		for c := range q {
			if q[c] > q[most] {
				most = c
			}
		}
		if most == int(o.cls[i]) {
			right++
		}
		loss -= logProb(q[o.cls[i]])
	}
	if out.Rows == 0 {
		return
	}
	n := float64(out.Rows)
	out.Score, out.Loss = right/n, loss/n
	if o.y != nil {
		spread := y2 - float64(y1*y1)/n
		out.Score = 0
		if spread > 0 {
			out.Score = 1 - loss/spread
		}
	}
}
