package catboost

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
)

// trainer is the state of a fit.
type trainer struct {
	cfg    Config // nothing automatic left
	l      *loss
	pl     *core.Pool
	m      *core.Matrix
	tg     core.Targets
	stream rng.Stream
	folds  []*fold // that choose splits
	final  *fold   // that gives the leaves of the model
	gr     *grower
	est    estimator
	out    *ensemble.Ensemble

	weight []float32   // of the rows for choosing splits
	d      [][]float32 // derivatives of every row, k
	h      []float32   // their weights
	gh     [][]uint64  // both packed
	leaf   float64     // mean absolute leaf value of the last tree
}

// Train fits an ensemble. stop, unless it is the zero core.Data or has no rows,
// is used for early stopping and nothing else: training ends once the loss on
// its rows has not fallen for cfg.EarlyStoppingRounds trees, and with
// cfg.UseBestModel the tree of the lowest loss (at least the first) is the last
// that predicts.
//
// ctx is checked once for each tree. All random numbers come from env.Stream;
// env.Workers goroutines are used; env.Progress is called after every tree.
//
// Complexity: O(n·p) additions for the first level of a tree and at most half
// of that for each further one, 2^depth·p·borders divisions to score splits;
// memory 2·n·p bytes for the bins, 16 KiB·p/8·2^(depth−1) for histograms and
// about 50·n·k for the rest.
func Train(ctx context.Context, env model.Env, train, stop core.Data, cfg Config) (*ensemble.Ensemble, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	stops := stop.X != nil && stop.X.N > 0
	t, err := newTrainer(env, train, cfg, stops)
	if err != nil {
		return nil, err
	}
	var st *stopper
	if stops && (cfg.UseBestModel || cfg.EarlyStoppingRounds > 0) {
		if st, err = t.newStopper(stop); err != nil {
			return nil, err
		}
	}
	if err := t.boost(ctx, env, st); err != nil {
		return nil, err
	}
	return t.out, nil
}

func newTrainer(env model.Env, d core.Data, cfg Config, stops bool) (*trainer, error) {
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
	classes := 0
	if name, _, _ := parseLoss(cfg.Loss); name == MultiClass {
		if classes, err = d.ClassCount(rows); err != nil {
			return nil, err
		}
	}
	t := &trainer{pl: core.NewPool(env.Workers), stream: env.Stream}
	if t.l, err = newLoss(cfg.Loss, classes); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	l := t.l.core()
	if t.tg, err = d.Targets(&l, rows, "training"); err != nil {
		return nil, err
	}
	if t.l.classes() {
		if err := t.tg.CheckClasses(); err != nil {
			return nil, err
		}
	}
	if err := core.CheckSpan(&l, &t.tg); err != nil {
		return nil, err
	}
	n, k := len(t.tg.Y), t.l.k
	t.cfg = cfg.resolve(t.l, n, d.X.P, stops)
	if t.m, err = core.NewMatrix(d.X, rows, t.tg.W, cutter(cfg.FeatureBorderType, cfg.BorderCount, n), t.pl); err != nil {
		return nil, err
	}
	missing := make([]bool, d.X.P)
	for j, col := range t.m.Col {
		if i := bytes.IndexByte(col, core.MissingBin); i >= 0 {
			if cfg.NanMode == nanForbid {
				if rows != nil {
					i = rows[i]
				}
				return nil, fmt.Errorf("model/tree: training column %q row %d is missing and nan_mode is %s", d.X.Names[j], i, nanForbid)
			}
			missing[j] = true
		}
	}
	t.out = &ensemble.Ensemble{Style: "catboost", Objective: cfg.Loss, Link: t.l.link(), Columns: append([]string(nil), d.X.Names...), Base: make([]float64, k)}
	if t.cfg.BoostFromAverage == yes {
		t.out.Base = t.l.base(&t.tg)
	}
	t.newFolds(n)
	t.gr = newGrower(t.m, t.pl, &t.cfg, missing)
	t.gr.derive = t.l.name == MultiClass
	channels := k
	if t.gr.derive {
		channels--
	}
	t.est = estimator{l: t.l, cfg: &t.cfg, pl: t.pl}
	t.d, t.gh = make([][]float32, k), make([][]uint64, channels)
	for c := range t.d {
		t.d[c] = make([]float32, n)
	}
	for c := range t.gh {
		t.gh[c] = make([]uint64, n)
	}
	t.gr.gh = t.gh
	t.h, t.weight = make([]float32, n), make([]float32, n)
	return t, nil
}

// newFolds makes the permutations that the fit needs: one, in the order of the
// rows, where nothing depends on an order; for ordered boosting one more for
// choosing splits with has_time, else permutation_count − 1 (at least one).
func (t *trainer) newFolds(n int) {
	t.final = newFold(&t.tg, t.l.k, t.out.Base, nil, plainBounds(n))
	if t.cfg.BoostingType == plain {
		t.folds = []*fold{t.final}
		return
	}
	bounds := orderedBounds(n, t.cfg.FoldLenMultiplier)
	if t.cfg.HasTime {
		t.folds = []*fold{newFold(&t.tg, t.l.k, t.out.Base, nil, bounds)}
		return
	}
	for i := range max(1, t.cfg.PermutationCount-1) {
		r := t.stream.Stream("permutation", i).Rand()
		t.folds = append(t.folds, newFold(&t.tg, t.l.k, t.out.Base, r, bounds))
	}
}

// boost runs the rounds.
func (t *trainer) boost(ctx context.Context, env model.Env, st *stopper) error {
	for round := range t.cfg.Iterations {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("model/tree: tree %d: %w", round, err)
		}
		splits, value := t.tree(round)
		note, done := "", false
		if st != nil {
			st.add(splits, value, t.l.k, t.pl)
			done = st.judge(t.l, round, t.cfg.EarlyStoppingRounds, t.pl)
			note = fmt.Sprintf("stop loss %.5f", st.loss)
		}
		if env.Progress != nil {
			env.Progress(round+1, t.cfg.Iterations, note)
		}
		if done {
			break
		}
	}
	if st != nil && t.cfg.UseBestModel {
		t.out.Trees = t.out.Trees[: st.bestRound+1 : st.bestRound+1]
	}
	return nil
}

// chunks calls f for pieces of fixed size of n rows and returns their number.
func (t *trainer) chunks(n int, f func(c, lo, hi int)) int {
	k := (n + core.Chunk - 1) / core.Chunk
	t.pl.Each(k, func(next func() int) {
		for c := next(); c < k; c = next() {
			f(c, c*core.Chunk, min(n, (c+1)*core.Chunk))
		}
	})
	return k
}

// derive fills d with the derivatives, times the weights of the rows, of the
// rows at places lo to hi of a part.
func (t *trainer) derive(f *fold, p *part, lo, hi int) {
	k := t.l.k
	t.chunks(hi-lo, func(_, a, b int) {
		s := make([]float64, k)
		for i := lo + a; i < lo+b; i++ {
			r := f.perm[i]
			w := t.tg.Weight(int(r))
			if t.l.name != MultiClass {
				t.d[0][r] = float32(w * t.l.derivative(t.tg.Y[r], p.score[i]))
				continue
			}
			copy(s, p.score[i*k:i*k+k])
			softmax(s)
			y := int(t.tg.Y[r])
			for c, v := range s {
				if c == y {
					v--
				}
				t.d[c][r] = float32(-w * v)
			}
		}
	})
}

// size sums the squared derivatives of every row over the scores and returns
// them with their total; root is the mean of their roots.
func (t *trainer) size() (size []float64, total, root float64) {
	n := len(t.h)
	size = make([]float64, n)
	parts := make([][2]float64, (n+core.Chunk-1)/core.Chunk)
	t.chunks(n, func(c, lo, hi int) {
		for i := lo; i < hi; i++ {
			s := 0.0
			for _, d := range t.d {
				s += float64(float64(d[i]) * float64(d[i]))
			}
			size[i] = s
			parts[c][0] += s
			parts[c][1] += math.Sqrt(s)
		}
	})
	for _, p := range parts {
		total, root = total+p[0], root+p[1]
	}
	return size, total, root / float64(n)
}

// sample draws the weights of the rows for a round and reports whether they
// differ from 1. size are the squared derivatives.
func (t *trainer) sample(round int, size []float64, root float64) bool {
	c, stream := &t.cfg, t.stream.Stream("bootstrap", round)
	switch {
	case c.BootstrapType == bayesian && c.BaggingTemperature > 0:
		bayesianWeights(t.weight, c.BaggingTemperature, stream)
	case c.BootstrapType == bernoulli && c.Subsample < 1:
		bernoulliWeights(t.weight, c.Subsample, stream)
	case c.BootstrapType == mvs && c.Subsample < 1:
		lambda := c.MVSReg
		if lambda < 0 {
			if round > 0 {
				root = t.leaf
			}
			lambda = root * root
		}
		mvsWeights(t.weight, size, lambda, c.Subsample, stream)
	default:
		return false
	}
	return true
}

// pack quantises derivatives and weights of the rows to gh; from the row number
// drawn on they are those of the sample.
func (t *trainer) pack(rows []uint32, drawn int, sampled bool, dst [][]uint64) {
	k, n := t.l.k, len(rows)
	parts := make([]float64, (n+core.Chunk-1)/core.Chunk*(k+1))
	m := t.chunks(n, func(c, lo, hi int) {
		s := parts[c*(k+1) : (c+1)*(k+1)]
		for i, r := range rows[lo:hi] {
			w, draw := float32(1), sampled && lo+i >= drawn
			if t.tg.W != nil {
				w = t.tg.W[r]
			}
			if draw {
				w *= t.weight[r]
			}
			t.h[r] = w
			s[k] += float64(w)
			for c, d := range t.d {
				if draw {
					d[r] *= t.weight[r]
				}
				s[c] += math.Abs(float64(d[r]))
			}
		}
	})
	sums := make([]float64, k+1)
	for c := range m {
		for j := range sums {
			sums[j] += parts[c*(k+1)+j]
		}
	}
	most := 0.0
	for _, s := range sums[:k] {
		most = max(most, s)
	}
	t.gr.sc = core.NewScales(most, sums[k], n)
	for c, gh := range dst {
		t.chunks(n, func(_, lo, hi int) { t.gr.sc.Quantise(rows[lo:hi], t.d[c], t.h, gh) })
	}
}

// tree grows a tree, adds it to the model and to all scores and returns its
// splits and leaf values.
func (t *trainer) tree(round int) ([]split, []float64) {
	stream, f := t.stream.Stream("tree", round), t.folds[0]
	if len(t.folds) > 1 {
		f = t.folds[stream.Stream("fold").Rand().IntN(len(t.folds))]
	}
	t.gr.Idx = append(t.gr.Idx[:0], f.perm...)
	if t.cfg.BoostingType == plain {
		t.derive(f, &f.parts[0], 0, len(f.perm))
		size, total, root := t.size()
		t.pack(f.perm, 0, t.sample(round, size, root), t.gh)
		t.gr.lambda = f.parts[0].l2(&t.cfg) * t.gr.sc.H
		t.gr.grow(t.noise(round, total/float64(len(f.perm))), stream)
	} else {
		square := t.prepareOrdered(f, round)
		t.gr.growOrdered(t.noise(round, square), stream)
	}
	leaves, k := t.gr.leaves, t.l.k
	rows := t.gr.Idx
	if f != t.final {
		leaf := make([]uint16, len(rows))
		for l, x := range leaves {
			for _, r := range rows[x.lo:x.hi] {
				leaf[r] = uint16(l)
			}
		}
		t.advance(f, rows, leaves)
		for _, o := range t.folds {
			if o != f {
				r, x := arrange(o.perm, leaf, len(leaves))
				t.advance(o, r, x)
			}
		}
	}
	value, weight := t.finish(t.final, rows, leaves)
	t.leaf = 0
	for l := range weight {
		s := 0.0
		for _, v := range value[l*k : (l+1)*k] {
			s += float64(v * v)
		}
		t.leaf += math.Sqrt(s) / float64(len(weight))
	}
	stats := leafStats{value, t.est.slope[:len(value)], weight, leaves}
	t.out.Trees = append(t.out.Trees, t.gr.tree(t.gr.splits, &stats, k, t.final.parts[0].l2(&t.cfg)))
	return t.gr.splits, value
}

// noise is the standard deviation of the noise on scores, given the mean square
// of the derivatives. It fades with the length of the model
// (greedy_tensor_search.cpp of CatBoost 1.2).
func (t *trainer) noise(round int, square float64) float64 {
	if t.cfg.RandomStrength == 0 {
		return 0
	}
	left := float64(len(t.tg.Y)) * model.Exp(-float64(round)*t.cfg.LearningRate)
	return t.cfg.RandomStrength * math.Sqrt(square) * left / (1 + left)
}

// finish finds the leaf values of the model from all rows, which are given in
// the order of the leaves, and adds them to the scores of a plain fold.
func (t *trainer) finish(f *fold, rows []uint32, leaves []extent) (value, weight []float64) {
	p := &f.parts[0]
	t.est.load(&t.tg, rows, leaves, p.score, f.place)
	value, weight = t.est.values(leaves, p.l2(&t.cfg))
	for i := range value {
		value[i] *= t.cfg.LearningRate
	}
	t.update(p, f, rows, leaves, value)
	return value, weight
}

// update adds leaf values to the scores of a part.
func (t *trainer) update(p *part, f *fold, rows []uint32, leaves []extent, value []float64) {
	k := t.l.k
	t.pl.Each(len(leaves), func(next func() int) {
		for l := next(); l < len(leaves); l = next() {
			v := value[l*k : (l+1)*k]
			for _, r := range rows[leaves[l].lo:leaves[l].hi] {
				s := p.score[int(f.place[r])*k:]
				for c, x := range v {
					s[c] += x
				}
			}
		}
	})
}
