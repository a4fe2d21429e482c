package xgboost

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// trainer is the state of a fit.
type trainer struct {
	cfg   Config
	loss  core.Loss
	pl    *core.Pool
	m     *core.Matrix
	tg    core.Targets
	gr    *grower
	score []float32 // n×k
	g, h  [][]float32
	gh    []uint64
	rows  []uint32 // rows of the round
	left  []uint32 // rows that the round leaves out
	b     *Booster
}

// Train fits an ensemble. stop, unless it is the zero core.Data or has no rows, is
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
func Train(ctx context.Context, env model.Env, train, stop core.Data, cfg Config) (*Booster, error) {
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

func newTrainer(env model.Env, d core.Data, cfg Config) (*trainer, error) {
	rows, err := d.Kept("training")
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
	if d.X.N > core.MaxRows {
		return nil, fmt.Errorf("model/tree: %d training rows, at most %d are possible", d.X.N, core.MaxRows)
	}
	t := &trainer{cfg: cfg, loss: cfg.loss(), pl: core.NewPool(env.Workers)}
	if cfg.Objective == core.Softprob {
		if t.loss.K, err = d.ClassCount(rows); err != nil {
			return nil, err
		}
	}
	if t.tg, err = d.Targets(&t.loss, rows, "training"); err != nil {
		return nil, err
	}
	if t.loss.Classifies() {
		if err := t.tg.CheckClasses(); err != nil {
			return nil, err
		}
	}
	given, auto, err := cfg.baseScore()
	if err != nil {
		return nil, err
	}
	k, n := t.loss.K, len(t.tg.Y)
	t.b = &Booster{loss: t.loss, names: append([]string(nil), d.X.Names...), base: t.loss.Base(&t.tg, given, auto)}
	if err := core.CheckSpan(&t.loss, &t.tg); err != nil {
		return nil, err
	}
	if t.m, err = core.NewMatrix(d.X, rows, t.tg.W, core.EqualWeight(cfg.MaxBin-1), t.pl); err != nil {
		return nil, err
	}
	t.gr = newGrower(t.m, t.pl, cfg.MaxDepth)
	t.gr.UseAll()
	t.score = make([]float32, n*k)
	for i := range n {
		copy(t.score[i*k:], t.b.base)
	}
	t.g, t.h = make([][]float32, k), make([][]float32, k)
	for c := range k {
		t.g[c], t.h[c] = make([]float32, n), make([]float32, n)
	}
	t.gh = make([]uint64, n)
	t.gr.GH = t.gh
	t.rows = make([]uint32, n)
	for i := range t.rows {
		t.rows[i] = uint32(i)
	}
	return t, nil
}

// boost runs the rounds.
func (t *trainer) boost(ctx context.Context, env model.Env, st *stopper) error {
	for round := range t.cfg.Rounds {
		t.sample(env, round)
		sums := t.gradients()
		for c := range t.loss.K {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("model/tree: round %d: %w", round, err)
			}
			t.columns(env, round, c)
			tree := t.tree(c, sums[c], sums[t.loss.K+c])
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
		t.b.trees = t.b.trees[: (st.bestRound+1)*t.loss.K : (st.bestRound+1)*t.loss.K]
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
	for i := range uint32(len(t.tg.Y)) {
		if r.Float64() < t.cfg.Subsample {
			t.rows = append(t.rows, i)
		} else {
			t.left = append(t.left, i)
		}
	}
	if len(t.rows) == 0 {
		t.rows = append(t.rows, uint32(r.IntN(len(t.tg.Y))))
		i := t.rows[0]
		t.left = append(t.left[:i], t.left[i+1:]...)
	}
}

// columns draws the columns of a tree, without replacement.
func (t *trainer) columns(env model.Env, round, c int) {
	if t.cfg.ColsampleByTree == 1 {
		return
	}
	n := max(1, int(t.cfg.ColsampleByTree*float64(t.m.P)))
	t.gr.Use(env.Stream.Stream("colsample_bytree", round, c).Rand().Perm(t.m.P)[:n])
}

// chunks divides the rows of the round among workers in pieces of fixed size.
func (t *trainer) chunks(f func(w, c int, rows []uint32)) int {
	n := (len(t.rows) + core.Chunk - 1) / core.Chunk
	t.pl.Run(n > 2, func(w int) {
		for c := n * w / t.pl.Workers; c < n*(w+1)/t.pl.Workers; c++ {
			f(w, c, t.rows[c*core.Chunk:min(len(t.rows), (c+1)*core.Chunk)])
		}
	})
	return n
}

// gradients computes the gradients of the round and returns the sums of |g|
// (first k) and of h (next k).
func (t *trainer) gradients() []float64 {
	k := t.loss.K
	parts := make([]float64, (len(t.rows)+core.Chunk-1)/core.Chunk*2*k)
	n := t.chunks(func(w, c int, rows []uint32) {
		t.loss.Gradients(rows, &t.tg, t.score, t.g, t.h, make([]float32, k), parts[c*2*k:(c+1)*2*k])
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
	sc := core.NewScales(sumAbsG, sumH, len(t.rows))
	parts := make([]uint64, (len(t.rows)+core.Chunk-1)/core.Chunk)
	t.chunks(func(_, i int, rows []uint32) {
		parts[i] = sc.Quantise(rows, t.g[c], t.h[c], t.gh)
	})
	tot := uint64(0)
	for _, p := range parts {
		tot += p
	}
	t.gr.srch = newSearch(&t.cfg, sc)
	t.gr.Idx = append(t.gr.Idx[:0], t.rows...)
	t.gr.grow(tot)
	tree, leaves := t.finish(t.g[c], t.h[c])
	if t.loss.Name == core.Quantile {
		t.quantiles(tree, leaves)
	}
	k := t.loss.K
	t.pl.Each(len(leaves), func(next func() int) {
		for i := next(); i < len(leaves); i = next() {
			lf := leaves[i]
			for _, r := range t.gr.Idx[lf.lo:lf.hi] {
				t.score[int(r)*k+c] += lf.value
			}
		}
	})
	if len(t.left) > 0 {
		bt := t.m.BinTree(nodes(tree))
		for _, r := range t.left {
			t.score[int(r)*k+c] += bt.Value(t.m.Words[int(r)*t.m.Stride:])
		}
	}
	return tree
}
