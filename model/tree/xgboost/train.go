package xgboost

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Style is the name of the style in an ensemble.
const Style = "xgboost"

// Options are what a fit may be given beside its configuration.
type Options struct {
	// Objective replaces the objective of the configuration.
	Objective core.Objective
	// Init is an ensemble of this package to continue from: its trees come
	// first, its base scores stay, and Config.Rounds counts the new rounds. A fit
	// continued after r rounds is the fit of all rounds at once.
	Init *ensemble.Ensemble
	// Rows are the rows of the training table to train on, ascending; nil: all.
	Rows []int
	// StopRows are the rows of the stop table to stop by, ascending; nil: all.
	StopRows []int
	// Ranked is the ranking of the training table, which spares sorting it again;
	// the model is the same with it and without.
	Ranked *core.Ranked
	wide   bool // use wide sums in any case
}

// Cutter chooses the bin edges of a configuration.
func (c Config) Cutter() core.Cutter { return core.EqualWeight(c.MaxBin - 1) }

// trainer is the state of a fit.
type trainer struct {
	cfg   Config
	loss  core.Loss
	pl    *core.Pool
	m     *core.Matrix
	tg    core.Targets
	gr    *grower
	mono  []int8
	base  []float32
	score []float32 // n×k
	g, h  [][]float32
	gh    []uint64
	rows  []uint32 // rows of the round
	left  []uint32 // rows that the round leaves out
	done  int      // rounds of Init
	e     *ensemble.Ensemble
}

// Train fits an ensemble. stop, unless it is the zero core.Data or has no rows, is
// used for early stopping and nothing else: training ends once the loss on its
// rows has not fallen for cfg.EarlyStoppingRounds rounds, and the round of the
// lowest loss (at least the first) is the last that predicts.
//
// ctx is checked once for each tree. env.Stream draws the samples of rows and
// columns; env.Workers goroutines are used; env.Progress is called after every
// round.
//
// Complexity: O(n·p·depth) additions for each tree in the worst case, about
// n·p·(1+(depth−1)/2); memory 2·n·p bytes for the bins and 20·n·k for gradients and scores.
func Train(ctx context.Context, env model.Env, train, stop core.Data, cfg Config) (*ensemble.Ensemble, error) {
	return TrainWith(ctx, env, train, stop, cfg, Options{})
}

// TrainWith is [Train] with options.
func TrainWith(ctx context.Context, env model.Env, train, stop core.Data, cfg Config, o Options) (*ensemble.Ensemble, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	t, err := newTrainer(env, train, cfg, o)
	if err != nil {
		return nil, err
	}
	var st *stopper
	if stop.X != nil && stop.X.N > 0 && cfg.EarlyStoppingRounds > 0 {
		if st, err = t.newStopper(stop, o); err != nil {
			return nil, err
		}
	}
	if err := t.boost(ctx, env, st); err != nil {
		return nil, err
	}
	if o.Ranked != nil {
		o.Ranked.Release(t.m)
	}
	return t.e, nil
}

func newTrainer(env model.Env, d core.Data, cfg Config, o Options) (*trainer, error) {
	rows, err := d.KeptOf(o.Rows, "training")
	if err != nil {
		return nil, err
	}
	if err := checkShape(&d); err != nil {
		return nil, err
	}
	t := &trainer{cfg: cfg, loss: cfg.loss(), pl: core.NewPool(env.Workers)}
	if o.Objective != nil {
		if t.loss, err = core.NewCustom(o.Objective); err != nil {
			return nil, err
		}
	} else if cfg.Objective == core.Softprob {
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
	if t.mono, err = cfg.directions(d.X.Names); err != nil {
		return nil, err
	}
	groups, err := cfg.groups(d.X.Names)
	if err != nil {
		return nil, err
	}
	wide, err := core.NeedsWide(&t.loss, &t.tg)
	if err != nil {
		return nil, err
	}
	if t.m, err = o.matrix(&d, rows, t.tg.W, &cfg, t.pl); err != nil {
		return nil, err
	}
	if err := t.begin(&d, rows, o.Init); err != nil {
		return nil, err
	}
	t.gr = newGrower(t.m, t.pl)
	t.gr.depth, t.gr.leaves, t.gr.lossguide, t.gr.groups = cfg.MaxDepth, cfg.MaxLeaves, cfg.GrowPolicy == lossguide, groups
	t.gr.cols = columns{stream: env.Stream, byTree: cfg.ColsampleByTree, level: cfg.ColsampleByLevel, node: cfg.ColsampleByNode, p: t.m.P}
	if t.pl.Workers == 1 && cfg.ColsampleByNode == 1 { // one worker has no use for more, and finds a histogram in cache that it has just left
		t.gr.batch = 1
	}
	k, n := t.loss.K, len(t.tg.Y)
	t.g, t.h = make([][]float32, k), make([][]float32, k)
	for c := range k {
		t.g[c], t.h[c] = make([]float32, n), make([]float32, n)
	}
	t.gh = make([]uint64, n)
	t.gr.GH, t.gr.Ascending = t.gh, true
	if wide || o.wide {
		t.gr.H = make([]uint64, n)
	}
	t.rows = make([]uint32, n)
	for i := range t.rows {
		t.rows[i] = uint32(i) // #nosec G115 -- at most MaxRows
	}
	return t, nil
}

func checkShape(d *core.Data) error {
	switch {
	case d.X.P == 0:
		return fmt.Errorf("model/tree: the training table has no columns")
	case d.X.N == 0:
		return fmt.Errorf("model/tree: %w", model.ErrNoRows)
	case d.X.N > core.MaxRows:
		return fmt.Errorf("model/tree: %d training rows, at most %d are possible", d.X.N, core.MaxRows)
	}
	seen := make(map[string]int, d.X.P)
	for j, name := range d.X.Names {
		if i, ok := seen[name]; ok {
			return fmt.Errorf("model/tree: columns %d and %d are both named %q", i, j, name)
		}
		seen[name] = j
	}
	return nil
}

// begin sets the scores to the base scores, or to those of the ensemble that is
// continued, and makes the ensemble.
func (t *trainer) begin(d *core.Data, rows []int, init *ensemble.Ensemble) error {
	given, auto, err := t.cfg.baseScore()
	if err != nil {
		return err
	}
	k, n := t.loss.K, len(t.tg.Y)
	t.e = &ensemble.Ensemble{
		Style: Style, Objective: t.loss.Name, Link: t.loss.Link(),
		Columns: append([]string(nil), d.X.Names...), Single: true,
	}
	switch {
	case t.loss.Custom != nil:
	case t.loss.Name == core.Logistic:
		t.e.Extra = map[string]float64{"scale_pos_weight": t.cfg.ScalePosWeight}
	case t.loss.Name == core.Quantile:
		t.e.Extra = map[string]float64{"quantile_alpha": t.cfg.QuantileAlpha}
	case t.loss.Name == core.PseudoHuber:
		t.e.Extra = map[string]float64{"huber_slope": t.cfg.HuberSlope}
	}
	t.score = make([]float32, n*k)
	if init != nil {
		return t.resume(d, rows, init)
	}
	t.base = t.loss.Base(&t.tg, given, auto)
	for i := range n {
		copy(t.score[i*k:], t.base)
	}
	for _, b := range t.base {
		if !core.Finite32(b) {
			return fmt.Errorf("model/tree: objective %q begins at the score %v", t.loss.Name, b)
		}
		t.e.Base = append(t.e.Base, float64(b))
	}
	return nil
}

// resume begins where another ensemble ended.
func (t *trainer) resume(d *core.Data, rows []int, init *ensemble.Ensemble) error {
	k := t.loss.K
	if init.Style != Style || init.Objective != t.loss.Name || init.Scores() != k || !slices.Equal(init.Columns, d.X.Names) {
		return fmt.Errorf("model/tree: cannot continue a %s ensemble (%s, %d scores, %d columns) with %s, %d scores and %d columns; objective, scores and columns must be the same",
			init.Style, init.Objective, init.Scores(), len(init.Columns), t.loss.Name, k, d.X.P)
	}
	if err := init.Check(); err != nil {
		return fmt.Errorf("model/tree: the ensemble to continue: %w", err)
	}
	for i := range init.Trees {
		if tr := &init.Trees[i]; tr.Width != 1 || tr.Class != i%k || len(tr.Sets) > 0 {
			return fmt.Errorf("model/tree: cannot continue an ensemble whose tree %d is not one of this package", i)
		}
	}
	t.done = len(init.Trees) / k
	t.e.Base = slices.Clone(init.Base)
	t.e.Trees = slices.Clone(init.Trees[:t.done*k])
	for _, b := range t.e.Base {
		t.base = append(t.base, float32(b))
	}
	t.pl.Run(true, func(w int) {
		x, out := make([]float32, d.X.P), make([]float64, k)
		n := len(t.tg.Y)
		for i := n * w / t.pl.Workers; i < n*(w+1)/t.pl.Workers; i++ {
			row := i
			if rows != nil {
				row = rows[i]
			}
			for j := range x {
				x[j] = d.X.Col(j)[row]
			}
			init.Score(x, out)
			for c, v := range out {
				t.score[i*k+c] = float32(v)
			}
		}
	})
	return nil
}

// boost runs the rounds.
func (t *trainer) boost(ctx context.Context, env model.Env, st *stopper) error {
	for round := range t.cfg.Rounds {
		t.sample(env, t.done+round)
		sums := t.gradients()
		if err := t.loss.CheckGradients(t.rows, t.g, t.h, sums); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		for c := range t.loss.K {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("model/tree: round %d: %w", round, err)
			}
			if t.cfg.ColsampleByTree < 1 || round == 0 || t.cfg.ColsampleByLevel < 1 {
				t.gr.Use(t.gr.cols.start(t.done+round, c))
			} else {
				t.gr.cols.start(t.done+round, c)
			}
			tree := t.tree(c, sums[c], sums[t.loss.K+c])
			t.e.Trees = append(t.e.Trees, ensemble.Tree{Nodes: tree, Class: c, Width: 1})
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
		keep := (t.done + st.bestRound + 1) * t.loss.K
		t.e.Trees = t.e.Trees[:keep:keep]
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
	for i := range uint32(len(t.tg.Y)) { // #nosec G115 -- at most MaxRows
		if r.Float64() < t.cfg.Subsample {
			t.rows = append(t.rows, i)
		} else {
			t.left = append(t.left, i)
		}
	}
	if len(t.rows) == 0 {
		t.rows = append(t.rows, uint32(r.IntN(len(t.tg.Y)))) // #nosec G115 -- a row
		i := t.rows[0]
		t.left = append(t.left[:i], t.left[i+1:]...)
	}
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
	exps := make([][]float32, t.pl.Workers)
	n := t.chunks(func(w, c int, rows []uint32) {
		if exps[w] == nil && t.loss.Name == core.Softprob {
			exps[w] = make([]float32, hist.SoftmaxRoom(k))
		}
		t.loss.Gradients(rows, &t.tg, t.score, t.g, t.h, exps[w], parts[c*2*k:(c+1)*2*k])
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
func (t *trainer) tree(c int, sumAbsG, sumH float64) []ensemble.Node {
	wide := t.gr.H != nil
	sc := core.NewScales(sumAbsG, sumH, len(t.rows))
	if wide {
		sc = core.NewWideScales(sumAbsG, sumH, len(t.rows))
	}
	parts := make([]core.Sums, (len(t.rows)+core.Chunk-1)/core.Chunk)
	t.gr.Idx = slices.Grow(t.gr.Idx[:0], len(t.rows))[:len(t.rows)]
	t.chunks(func(_, i int, rows []uint32) {
		copy(t.gr.Idx[i*core.Chunk:], rows)
		if wide {
			parts[i].A, parts[i].B = sc.QuantiseWide(rows, t.g[c], t.h[c], t.gh, t.gr.H)
		} else {
			parts[i].A = sc.Quantise(rows, t.g[c], t.h[c], t.gh)
		}
	})
	var tot core.Sums
	for _, p := range parts {
		tot = tot.Plus(p)
	}
	t.gr.srch = newSearch(&t.cfg, t.mono, sc, wide)
	t.gr.grow(tot)
	tree, leaves, node := t.finish(t.g[c], t.h[c])
	if t.loss.Custom == nil && t.loss.Name == core.Quantile {
		t.quantiles(tree, leaves, node)
	}
	value := make([]float32, len(leaves))
	for i, k := range node {
		value[i] = float32(tree[k].Value)
	}
	k := t.loss.K
	t.gr.AddLeaves(leaves, value, t.score, k, c)
	if len(t.left) > 0 {
		bt := t.m.BinTree(tree)
		n := (len(t.left) + core.Chunk - 1) / core.Chunk
		t.pl.Each(n, func(next func() int) {
			for part := next(); part < n; part = next() {
				for _, r := range t.left[part*core.Chunk : min((part+1)*core.Chunk, len(t.left))] {
					t.score[int(r)*k+c] += bt.Value(t.m.Words[int(r)*t.m.Stride:])
				}
			}
		})
	}
	return tree
}
