package tree

import (
	"context"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// Data is what [Train] is given.
type Data struct {
	X *view.Table
	// Y is the target of every row: the class 0…Classes−1 for multi:softprob,
	// 0 or 1 for binary:logistic, a number for reg:squarederror.
	Y []float64
	// Weight is ≥ 0 and finite; nil means all 1. A row of weight 0 is the same
	// as no row.
	Weight []float64
	// Classes is the number of classes for multi:softprob; 0 means one more
	// than the largest label of the training rows.
	Classes int
}

// kept lists the rows of positive weight, nil if all are.
func (d *Data) kept(what string) (rows []int, err error) {
	if d.X == nil {
		return nil, fmt.Errorf("model/tree: %s has no table", what)
	}
	n := d.X.N
	if len(d.X.Names) != d.X.P || len(d.X.Data) != n*d.X.P {
		return nil, fmt.Errorf("model/tree: %s table has %d names and %d values for %d×%d", what, len(d.X.Names), len(d.X.Data), n, d.X.P)
	}
	if len(d.Y) != n {
		return nil, fmt.Errorf("model/tree: %s has %d targets for %d rows", what, len(d.Y), n)
	}
	if d.Weight == nil {
		return nil, nil
	}
	if len(d.Weight) != n {
		return nil, fmt.Errorf("model/tree: %s has %d weights for %d rows", what, len(d.Weight), n)
	}
	zeros := 0
	for i, w := range d.Weight {
		if !(w >= 0) || math.IsInf(w, 1) {
			return nil, fmt.Errorf("model/tree: %s weight of row %d is %v; weights must be finite and not negative", what, i, w)
		}
		if float32(w) == 0 {
			zeros++
		}
	}
	if zeros == n && n > 0 {
		return nil, fmt.Errorf("model/tree: all %d %s weights are zero: %w", n, what, model.ErrNoRows)
	}
	if zeros == 0 {
		return nil, nil
	}
	rows = make([]int, 0, n-zeros)
	for i, w := range d.Weight {
		if float32(w) != 0 {
			rows = append(rows, i)
		}
	}
	return rows, nil
}

// targets are the labels and weights of the kept rows, checked for the loss.
func (d *Data) targets(l *loss, rows []int, what string) (targets, error) {
	n := len(d.Y)
	if rows != nil {
		n = len(rows)
	}
	t := targets{y: make([]float32, n)}
	if d.Weight != nil {
		t.w = make([]float32, n)
	}
	for k := range n {
		i := k
		if rows != nil {
			i = rows[k]
		}
		y := d.Y[i]
		switch l.name {
		case SquaredError:
			if !finite32(float32(y)) || math.Abs(y) > 1e18 {
				return t, fmt.Errorf("model/tree: %s target of row %d is %v; it must be finite and at most 1e18 in size", what, i, y)
			}
		default:
			limit := max(l.k, 2)
			if !(y >= 0 && y < float64(limit)) || y != math.Trunc(y) {
				return t, fmt.Errorf("model/tree: %s label of row %d is %v; %s wants 0 to %d", what, i, y, l.name, limit-1)
			}
		}
		t.y[k] = float32(y)
		if t.w != nil {
			t.w[k] = float32(d.Weight[i])
			if math.IsInf(float64(t.w[k]), 0) {
				return t, fmt.Errorf("model/tree: %s weight of row %d is %g, more than a float32 holds", what, i, d.Weight[i])
			}
		}
	}
	return t, nil
}

// maxRows bounds the rows of a fit, so that row numbers and packed sums fit.
const maxRows = 1 << 28

// trainer is the state of a fit.
type trainer struct {
	cfg   Config
	loss  loss
	pl    *pool
	m     *matrix
	tg    targets
	gr    *grower
	score []float32 // n×k
	g, h  [][]float32
	gh    []uint64
	rows  []uint32 // rows of the round
	left  []uint32 // rows that the round leaves out
	b     *Booster
}

// Train fits an ensemble. stop, unless it is the zero Data or has no rows, is
// used for early stopping and nothing else: training ends once the loss on its
// rows has not fallen for cfg.EarlyStoppingRounds rounds, and the round of the
// lowest loss (at least the first) is the last that predicts.
//
// ctx is checked once for each tree. env.Stream draws the samples of subsample
// and colsample_bytree; env.Workers goroutines are used; env.Progress is
// called after every round.
//
// Complexity: O(n·p·depth) additions for each tree in the worst case, about
// n·p·(1+(depth−1)/2); memory 2·n·p bytes for the bins and 20·n·k for gradients and scores.
func Train(ctx context.Context, env model.Env, train, stop Data, cfg Config) (*Booster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	t, err := newTrainer(env, train, cfg)
	if err != nil {
		return nil, err
	}
	var st *stopper
	if stop.X != nil && stop.X.N > 0 && cfg.EarlyStoppingRounds > 0 {
		if st, err = t.newStopper(stop); err != nil {
			return nil, err
		}
	}
	if err := t.boost(ctx, env, st); err != nil {
		return nil, err
	}
	t.b.pred = newPredictor(t.b)
	return t.b, nil
}

func newTrainer(env model.Env, d Data, cfg Config) (*trainer, error) {
	rows, err := d.kept("training")
	if err != nil {
		return nil, err
	}
	if d.X.P == 0 {
		return nil, fmt.Errorf("model/tree: the training table has no columns")
	}
	if d.X.N == 0 {
		return nil, fmt.Errorf("model/tree: %w", model.ErrNoRows)
	}
	seen := make(map[string]int, d.X.P)
	for j, name := range d.X.Names {
		if i, ok := seen[name]; ok {
			return nil, fmt.Errorf("model/tree: columns %d and %d are both named %q", i, j, name)
		}
		seen[name] = j
	}
	if d.X.N > maxRows {
		return nil, fmt.Errorf("model/tree: %d training rows, at most %d are possible", d.X.N, maxRows)
	}
	t := &trainer{cfg: cfg, loss: loss{name: cfg.Objective, k: 1, spw: float32(cfg.ScalePosWeight)}, pl: newPool(env.Workers)}
	if cfg.Objective == Softprob {
		if t.loss.k, err = d.classCount(rows); err != nil {
			return nil, err
		}
	}
	if t.tg, err = d.targets(&t.loss, rows, "training"); err != nil {
		return nil, err
	}
	if cfg.Objective != SquaredError {
		if err := t.tg.checkClasses(); err != nil {
			return nil, err
		}
	}
	given, auto, err := cfg.baseScore()
	if err != nil {
		return nil, err
	}
	k, n := t.loss.k, len(t.tg.y)
	t.b = &Booster{loss: t.loss, names: append([]string(nil), d.X.Names...), base: t.loss.base(&t.tg, given, auto)}
	if err := checkSpan(&t.loss, &t.tg); err != nil {
		return nil, err
	}
	if t.m, err = newMatrix(d.X, rows, t.tg.w, cfg.MaxBin, t.pl); err != nil {
		return nil, err
	}
	t.gr = newGrower(t.m, t.pl, cfg.MaxDepth)
	t.gr.useAll()
	t.score = make([]float32, n*k)
	for i := range n {
		copy(t.score[i*k:], t.b.base)
	}
	t.g, t.h = make([][]float32, k), make([][]float32, k)
	for c := range k {
		t.g[c], t.h[c] = make([]float32, n), make([]float32, n)
	}
	t.gh = make([]uint64, n)
	t.gr.gh = t.gh
	t.rows = make([]uint32, n)
	for i := range t.rows {
		t.rows[i] = uint32(i)
	}
	return t, nil
}

// classCount is the number of classes for multi:softprob; rows are the kept
// ones, nil for all.
func (d *Data) classCount(rows []int) (int, error) {
	const most = 1000
	k := d.Classes
	if k == 0 {
		k = 2
		for i, y := range d.Y {
			if rows != nil && d.Weight[i] == 0 {
				continue
			}
			if y < most {
				k = max(k, int(y)+1)
			}
		}
	}
	if k < 2 || k > most {
		return 0, fmt.Errorf("model/tree: %d classes; %s takes 2 to %d", k, Softprob, most)
	}
	return k, nil
}

// checkClasses refuses labels that are all the same.
func (t *targets) checkClasses() error {
	for _, y := range t.y {
		if y != t.y[0] {
			return nil
		}
	}
	return &oneClassError{len(t.y), int(t.y[0])}
}

// oneClassError says that all training rows have one class.
type oneClassError struct{ rows, class int }

// Is makes errors.Is find [model.ErrOneClass].
func (e *oneClassError) Is(target error) bool { return target == model.ErrOneClass }

func (e *oneClassError) Error() string {
	return fmt.Sprintf("model/tree: all %d training rows have class %d; a classifier needs at least two classes", e.rows, e.class)
}

// boost runs the rounds.
func (t *trainer) boost(ctx context.Context, env model.Env, st *stopper) error {
	for round := range t.cfg.Rounds {
		t.sample(env, round)
		sums := t.gradients()
		for c := range t.loss.k {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("model/tree: round %d: %w", round, err)
			}
			t.columns(env, round, c)
			tree := t.tree(c, sums[c], sums[t.loss.k+c])
			t.b.trees = append(t.b.trees, tree)
			if st != nil {
				st.add(t.m, tree, c)
			}
		}
		note, done := "", false
		if st != nil {
			done = st.judge(&t.loss, round, t.cfg.EarlyStoppingRounds)
			note = fmt.Sprintf("stop loss %.5f", st.loss)
		}
		if env.Progress != nil {
			env.Progress(round+1, t.cfg.Rounds, note)
		}
		if done {
			break
		}
	}
	if st != nil {
		t.b.trees = t.b.trees[: (st.bestRound+1)*t.loss.k : (st.bestRound+1)*t.loss.k]
	}
	return nil
}

// sample draws the rows of a round: each with probability subsample, at least
// one. The trees of a round share them.
func (t *trainer) sample(env model.Env, round int) {
	if t.cfg.Subsample == 1 {
		return
	}
	r := env.Stream.Stream("subsample", round).Rand()
	t.rows, t.left = t.rows[:0], t.left[:0]
	for i := range uint32(len(t.tg.y)) {
		if r.Float64() < t.cfg.Subsample {
			t.rows = append(t.rows, i)
		} else {
			t.left = append(t.left, i)
		}
	}
	if len(t.rows) == 0 {
		t.rows = append(t.rows, uint32(r.IntN(len(t.tg.y))))
		i := t.rows[0]
		t.left = append(t.left[:i], t.left[i+1:]...)
	}
}

// columns draws the columns of a tree, without replacement.
func (t *trainer) columns(env model.Env, round, c int) {
	if t.cfg.ColsampleByTree == 1 {
		return
	}
	n := max(1, int(t.cfg.ColsampleByTree*float64(t.m.p)))
	t.gr.use(env.Stream.Stream("colsample_bytree", round, c).Rand().Perm(t.m.p)[:n])
}

// chunks divides the rows of the round among workers in pieces of fixed size.
func (t *trainer) chunks(f func(w, c int, rows []uint32)) int {
	n := (len(t.rows) + chunk - 1) / chunk
	t.pl.run(n > 2, func(w int) {
		for c := n * w / t.pl.workers; c < n*(w+1)/t.pl.workers; c++ {
			f(w, c, t.rows[c*chunk:min(len(t.rows), (c+1)*chunk)])
		}
	})
	return n
}

// gradients computes the gradients of the round and returns the sums of |g|
// (first k) and of h (next k).
func (t *trainer) gradients() []float64 {
	k := t.loss.k
	parts := make([]float64, (len(t.rows)+chunk-1)/chunk*2*k)
	n := t.chunks(func(w, c int, rows []uint32) {
		t.loss.gradients(rows, &t.tg, t.score, t.g, t.h, make([]float32, k), parts[c*2*k:(c+1)*2*k])
	})
	sums := make([]float64, 2*k)
	for c := range n {
		for j, v := range parts[c*2*k : (c+1)*2*k] {
			sums[j] += v
		}
	}
	return sums
}

// tree grows the tree of one score and adds it to the training scores.
func (t *trainer) tree(c int, sumAbsG, sumH float64) []node {
	sc := newScales(sumAbsG, sumH, len(t.rows))
	parts := make([]uint64, (len(t.rows)+chunk-1)/chunk)
	t.chunks(func(_, i int, rows []uint32) {
		parts[i] = sc.quantise(rows, t.g[c], t.h[c], t.gh)
	})
	tot := uint64(0)
	for _, p := range parts {
		tot += p
	}
	t.gr.srch = newSearch(&t.cfg, sc)
	t.gr.idx = append(t.gr.idx[:0], t.rows...)
	t.gr.grow(tot)
	tree, leaves := t.finish(t.g[c], t.h[c])
	k := t.loss.k
	t.pl.each(len(leaves), func(next func() int) {
		for i := next(); i < len(leaves); i = next() {
			lf := leaves[i]
			for _, r := range t.gr.idx[lf.lo:lf.hi] {
				t.score[int(r)*k+c] += lf.value
			}
		}
	})
	if len(t.left) > 0 {
		bt := t.m.binTree(tree)
		for _, r := range t.left {
			t.score[int(r)*k+c] += bt.value(t.m.words[int(r)*t.m.stride:])
		}
	}
	return tree
}

// stopper follows the loss on the stop rows.
type stopper struct {
	m         *matrix
	tg        targets
	score     []float32
	k         int
	loss      float64
	best      float64
	bestRound int
}

func (t *trainer) newStopper(d Data) (*stopper, error) {
	rows, err := d.kept("stop")
	if err != nil {
		return nil, err
	}
	if err := model.CheckColumns(t.b.names, view.View{Table: d.X}); err != nil {
		return nil, fmt.Errorf("model/tree: stop rows: %w", err)
	}
	s := &stopper{k: t.loss.k, best: math.Inf(1)}
	if s.tg, err = d.targets(&t.loss, rows, "stop"); err != nil {
		return nil, err
	}
	if s.m, err = t.m.like(d.X, rows, t.pl); err != nil {
		return nil, err
	}
	s.score = make([]float32, len(s.tg.y)*s.k)
	for i := range s.tg.y {
		copy(s.score[i*s.k:], t.b.base)
	}
	return s, nil
}

// add adds a tree to score c of every stop row.
func (s *stopper) add(m *matrix, tree []node, c int) {
	bt := m.binTree(tree)
	for i := range s.tg.y {
		s.score[i*s.k+c] += bt.value(s.m.words[i*s.m.stride:])
	}
}

// judge notes the loss after a round and reports whether patience has run out.
func (s *stopper) judge(l *loss, round, patience int) bool {
	s.loss = l.mean(&s.tg, s.score)
	if s.loss < s.best {
		s.best, s.bestRound = s.loss, round
	}
	return round-s.bestRound >= patience
}

// binTree is a tree over bins: what training uses to score rows that took no
// part.
type binTree []binNode

type binNode struct {
	left        int32
	word        int32
	shift       uint8
	limit       uint8 // bins 1 to limit go left
	defaultLeft bool
	value       float32
}

func (m *matrix) binTree(tree []node) binTree {
	out := make(binTree, len(tree))
	for i, nd := range tree {
		out[i] = binNode{left: nd.left, value: nd.value, defaultLeft: nd.defaultLeft}
		if nd.left != 0 {
			out[i].word, out[i].shift = nd.feature/8, uint8(nd.feature%8*8)
			out[i].limit = m.cut[nd.feature].limit(nd.threshold)
		}
	}
	return out
}

// limit is the bin after which threshold splits.
func (c *cuts) limit(threshold float32) uint8 {
	lo, hi := 0, len(c.edge)
	for lo < hi {
		mid := (lo + hi) / 2
		if c.edge[mid] < threshold {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint8(lo + 1)
}

// value is the leaf value of a row of words.
func (t binTree) value(row []uint64) float32 {
	nd := &t[0]
	for nd.left != 0 {
		b := uint8(row[nd.word] >> nd.shift)
		i := nd.left + 1
		if b-1 < nd.limit || b == missingBin && nd.defaultLeft {
			i = nd.left
		}
		nd = &t[i]
	}
	return nd.value
}
