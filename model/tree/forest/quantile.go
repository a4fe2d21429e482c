package forest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Quantile is a quantile forest (Meinshausen 2006): a regression forest that
// keeps, for every leaf, the training rows that fall into it, and so predicts a
// distribution and not its mean alone. It is safe for concurrent use.
type Quantile struct {
	e *ensemble.Ensemble
	// The training rows in order of target, and where they fall: the rows of
	// leaf l of tree t are row[t][from[t][l]:from[t][l+1]], ascending.
	y, w []float64
	from [][]int32
	row  [][]int32
}

// TrainQuantile grows a regression forest ([Train]) and drops all training rows
// of positive weight down every tree, drawn by it or not, as the paper does
// (§2.2). Memory: 4 bytes for every row and tree, besides the trees.
func TrainQuantile(ctx context.Context, env model.Env, kind Kind, d core.Data, spans []view.Span, cfg Config) (*Quantile, error) {
	if cfg.classifies() {
		return nil, fmt.Errorf("forest: criterion: a quantile forest needs %s, got %s", SquaredError, cfg.Criterion)
	}
	if len(cfg.MonotonicCst) > 0 {
		return nil, fmt.Errorf("forest: monotonic_cst bounds the means of leaves and not the quantiles of a quantile forest; leave it out")
	}
	f, err := Train(ctx, env, kind, d, spans, cfg)
	if err != nil {
		return nil, err
	}
	rows, err := d.Kept("training")
	if err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	if rows == nil {
		rows = make([]int, d.X.N)
		for i := range rows {
			rows[i] = i
		}
	}
	order := slices.Clone(rows) // by target, then by row
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case d.Y[a] < d.Y[b]:
			return -1
		case d.Y[a] > d.Y[b]:
			return 1
		}
		return 0
	})
	n, trees := len(order), len(f.Ensemble.Trees)
	q := &Quantile{e: f.Ensemble, y: make([]float64, n), w: make([]float64, n), from: make([][]int32, trees), row: make([][]int32, trees)}
	for k, i := range order {
		q.y[k], q.w[k] = d.Y[i], 1
		if d.Weight != nil {
			q.w[k] = d.Weight[i]
		}
	}
	core.NewPool(env.Workers).Each(trees, func(next func() int) {
		at := make([]int32, n)
		for t := next(); t < trees && ctx.Err() == nil; t = next() {
			tree := &q.e.Trees[t]
			from := make([]int32, len(tree.Nodes)+1)
			for k, i := range order {
				at[k] = int32(leaf(tree, d.X, i)) // #nosec G115 -- fewer than 2²⁷ nodes
				from[at[k]+1]++
			}
			for l := range tree.Nodes {
				from[l+1] += from[l]
			}
			row, fill := make([]int32, n), slices.Clone(from)
			for k, l := range at {
				row[fill[l]] = int32(k) // #nosec G115 -- rows are at most 2²⁶
				fill[l]++
			}
			q.from[t], q.row[t] = from, row
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	return q, nil
}

// Ensemble is the regression forest below; it must not be changed.
func (q *Quantile) Ensemble() *ensemble.Ensemble { return q.e }

// Predict writes the quantiles at the given levels (in (0, 1)) of every row of
// t, row-major, to dst, which is grown if it is too short and returned. Training
// row i has in row x the weight
//
//	w_i(x) = 1/T · Σ_t  w_i·[i in the leaf of x] / Σ_j w_j·[j in the leaf of x]
//
// and the quantile at level α is the least target at which the weights of it
// and all lesser ones reach α (equations 4 to 6). Columns must be those of the
// fit; NaN is missing; ±Inf is an error. O(T·(depth + rows of a leaf)) a row.
func (q *Quantile) Predict(ctx context.Context, t *view.Table, levels []float64, dst []float64) ([]float64, error) {
	for _, a := range levels {
		if !(a > 0 && a < 1) {
			return nil, fmt.Errorf("forest: quantile level %v is not strictly between 0 and 1", a)
		}
	}
	if err := model.CheckColumns(q.e.Columns, view.View{Table: t}); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	if err := model.CheckValues(t, true); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	need := t.N * len(levels)
	if cap(dst) < need {
		dst = make([]float64, need)
	}
	dst = dst[:need]
	order := make([]int, len(levels)) // of the levels
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int {
		if levels[a] < levels[b] {
			return -1
		}
		return 1
	})
	weight, touched := make([]float64, len(q.y)), []int32(nil)
	for i := range t.N {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("forest: %w", ctx.Err())
		}
		touched = q.weigh(t, i, weight, touched[:0])
		sum, k := 0.0, 0
		for _, r := range touched {
			sum += weight[r]
			// The weights sum to 1 up to rounding.
			for k < len(order) && sum >= levels[order[k]]-1e-12 {
				dst[i*len(levels)+order[k]] = q.y[r]
				k++
			}
			weight[r] = 0
		}
	}
	return dst, nil
}

// weigh adds the weights of the training rows in row i of t to weight and lists
// those that are not 0 in ascending order of target.
func (q *Quantile) weigh(t *view.Table, i int, weight []float64, touched []int32) []int32 {
	for k := range q.e.Trees {
		l := leaf(&q.e.Trees[k], t, i)
		rows := q.row[k][q.from[k][l]:q.from[k][l+1]]
		total := 0.0
		for _, r := range rows {
			total += q.w[r]
		}
		total *= float64(len(q.e.Trees))
		for _, r := range rows {
			if weight[r] == 0 {
				touched = append(touched, r)
			}
			weight[r] += q.w[r] / total
		}
	}
	slices.Sort(touched)
	return touched
}

const (
	quantileKind    = "quantile forest"
	quantileVersion = 1
)

// Encode writes the forest with its training targets. Equal forests give equal
// bytes.
func (q *Quantile) Encode(w io.Writer) error {
	var b bytes.Buffer
	if err := q.e.Encode(&b); err != nil {
		return fmt.Errorf("forest: writing: %w", err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(b.Len())) // #nosec G115 -- a length
	out = append(out, b.Bytes()...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(q.y)))
	for k := range q.y {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(q.y[k]))
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(q.w[k]))
	}
	for t := range q.row {
		for l := range q.e.Trees[t].Nodes {
			for _, r := range q.row[t][q.from[t][l]:q.from[t][l+1]] {
				out = binary.LittleEndian.AppendUint32(out, uint32(r)) // #nosec G115 -- not negative
			}
			out = binary.LittleEndian.AppendUint32(out, endOfLeaf)
		}
	}
	if err := model.WriteArtifact(w, quantileKind, quantileVersion, out); err != nil {
		return fmt.Errorf("forest: writing: %w", err)
	}
	return nil
}

const endOfLeaf = math.MaxUint32

// DecodeQuantile reads what [Quantile.Encode] wrote. Anything else, and a file
// whose parts contradict each other, is refused.
func DecodeQuantile(r io.Reader) (*Quantile, error) {
	raw, err := model.ReadArtifact(r, quantileKind, quantileVersion)
	if err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	bad := func(what string) error {
		return fmt.Errorf("forest: reading a quantile forest: %s: %w", what, model.ErrDamaged)
	}
	number := func() (x uint64, ok bool) {
		if len(raw) < 8 {
			return 0, false
		}
		x, raw = binary.LittleEndian.Uint64(raw), raw[8:]
		return x, true
	}
	size, ok := number()
	if !ok || size > uint64(len(raw)) {
		return nil, bad("cut short")
	}
	q := &Quantile{}
	if q.e, err = ensemble.Decode(bytes.NewReader(raw[:size])); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	raw = raw[size:]
	n, ok := number()
	if !ok || n > uint64(len(raw)/16) {
		return nil, bad("cut short")
	}
	q.y, q.w = make([]float64, n), make([]float64, n)
	for k := range q.y {
		a, _ := number()
		b, _ := number()
		q.y[k], q.w[k] = math.Float64frombits(a), math.Float64frombits(b)
		if !(q.w[k] > 0) || math.IsInf(q.w[k], 1) || !(q.y[k]-q.y[k] == 0) || k > 0 && q.y[k] < q.y[k-1] {
			return nil, bad("targets out of order or weights that are not positive")
		}
	}
	for t := range q.e.Trees {
		nodes := q.e.Trees[t].Nodes
		from, row := make([]int32, len(nodes)+1), make([]int32, 0, n)
		for l := range nodes {
			for {
				if len(raw) < 4 {
					return nil, bad("cut short")
				}
				r := binary.LittleEndian.Uint32(raw)
				raw = raw[4:]
				if r == endOfLeaf {
					break
				}
				if uint64(r) >= n || uint64(len(row)) == n {
					return nil, bad("a leaf with rows that do not exist")
				}
				row = append(row, int32(r)) // #nosec G115 -- below n
			}
			from[l+1] = int32(len(row)) // #nosec G115 -- at most n
			if nodes[l].Leaf() != (from[l+1] > from[l]) {
				return nil, bad("a leaf without rows, or rows in an inner node")
			}
		}
		if uint64(len(row)) != n {
			return nil, bad("rows in no leaf")
		}
		q.from, q.row = append(q.from, from), append(q.row, row)
	}
	if len(raw) > 0 {
		return nil, bad("bytes after the end")
	}
	return q, nil
}
