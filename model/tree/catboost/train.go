package catboost

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Options are what a fit may be given beside its configuration.
type Options struct {
	// Init is an ensemble whose scores training continues from; the result
	// holds its trees first. nil: none. Its columns, scores and link must be
	// those of the fit. boost_from_average then has no effect.
	Init *ensemble.Ensemble
	// Objective replaces the loss of the Config; nil: it does not. Its scores
	// have leaves of their own, without the Hessian between them.
	Objective core.Objective
	// Rows are the rows of the training table to train on, ascending; nil: all.
	Rows []int
	// StopRows are the rows of the stop table to stop by, ascending; nil: all.
	StopRows []int
	// Ranked is the ranking of the training table, which spares sorting it again;
	// the model is the same with it and without. It is of no use where there are
	// target statistics.
	Ranked *core.Ranked
	wide   bool // use wide sums in any case
}

// trainer is the state of a fit.
type trainer struct {
	cfg     Config // nothing automatic left
	l       *loss
	pl      *core.Pool
	tg      core.Targets
	stream  rng.Stream
	derived *deriver // nil: no categories
	folds   []*fold  // that choose splits
	final   *fold    // that gives the leaves of the model
	est     estimator
	init    *ensemble.Ensemble // training continues from it; nil: none
	out     *ensemble.Ensemble

	weight  []float32   // of the rows for choosing splits
	d       [][]float32 // derivatives of every row, k
	h       []float32   // their weights
	gh      [][]uint64  // both packed; where sums are wide, derivatives
	weights []uint64    // where sums are wide
	ordered *ordered    // nil: plain boosting
	leaf    float64     // mean absolute leaf value of the last tree
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
// about 50·n·k for the rest; the bins of columns with target statistics once
// for every permutation.
func Train(ctx context.Context, env model.Env, train, stop core.Data, cfg Config) (*ensemble.Model, error) {
	return TrainWith(ctx, env, train, stop, cfg, Options{})
}

// TrainWith is [Train] with options.
func TrainWith(ctx context.Context, env model.Env, train, stop core.Data, cfg Config, o Options) (*ensemble.Model, error) {
	e, err := fit(ctx, env, train, stop, cfg, o)
	if err != nil {
		return nil, err
	}
	return ensemble.NewModel(e)
}

func fit(ctx context.Context, env model.Env, train, stop core.Data, cfg Config, o Options) (*ensemble.Ensemble, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	stops := stop.X != nil && stop.X.N > 0
	t, err := newTrainer(env, train, cfg, stops, o)
	if err != nil {
		return nil, err
	}
	var st *stopper
	if stops && (cfg.UseBestModel || cfg.EarlyStoppingRounds > 0) {
		if st, err = t.newStopper(stop, o); err != nil {
			return nil, err
		}
	}
	if err := t.boost(ctx, env, st); err != nil {
		return nil, err
	}
	if o.Ranked != nil && t.derived == nil {
		o.Ranked.Release(t.final.m)
	}
	return t.out, nil
}

func newTrainer(env model.Env, d core.Data, cfg Config, stops bool, o Options) (*trainer, error) {
	rows, err := d.KeptOf(o.Rows, "training")
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
	t := &trainer{pl: core.NewPool(env.Workers), stream: env.Stream}
	if t.l, err = startLoss(&d, rows, &cfg, o.Objective); err != nil {
		return nil, err
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
	wide, err := core.NeedsWide(&l, &t.tg)
	if err != nil {
		return nil, err
	}
	n, k := len(t.tg.Y), t.l.k
	t.cfg = cfg.resolve(t.l, n, d.X.P, stops)
	t.est = estimator{l: t.l, cfg: &t.cfg, pl: t.pl}
	if err := t.begin(d.X.Names, o.Init); err != nil {
		return nil, err
	}
	if t.derived, err = newDeriver(&t.cfg, &d, rows, t.l, &t.tg); err != nil {
		return nil, err
	}
	if t.derived != nil {
		for _, c := range t.derived.cats {
			t.out.Categorical = append(t.out.Categorical, c.column)
		}
		slices.Sort(t.out.Categorical)
		t.out.Categorical = slices.Compact(t.out.Categorical)
	}
	t.newFolds(t.start(d.X, rows, n))
	channels := k
	if t.l.softmax() {
		channels-- // that of the last class is less the sum of the others
	}
	t.d, t.gh = make([][]float32, k), make([][]uint64, channels)
	for c := range t.d {
		t.d[c] = make([]float32, n)
	}
	for c := range t.gh {
		t.gh[c] = make([]uint64, n)
	}
	t.h, t.weight = make([]float32, n), make([]float32, n)
	if wide || o.wide {
		t.weights = make([]uint64, n)
	}
	return t, t.bin(d.X, rows, o.Ranked)
}

// startLoss is the loss of the fit.
func startLoss(d *core.Data, rows []int, cfg *Config, objective core.Objective) (*loss, error) {
	if objective != nil {
		return newCustom(objective)
	}
	classes := 0
	if name, _, _ := parseLoss(cfg.Loss); name == MultiClass {
		var err error
		if classes, err = d.ClassCount(rows); err != nil {
			return nil, err
		}
	}
	return newLoss(cfg.Loss, classes)
}

// begin makes the ensemble that trees are added to.
func (t *trainer) begin(names []string, init *ensemble.Ensemble) error {
	t.out = &ensemble.Ensemble{Style: "catboost", Objective: t.cfg.Loss, Link: t.l.link(), Columns: append([]string(nil), names...), Base: make([]float64, t.l.k)}
	if t.l.custom != nil {
		t.out.Objective = t.l.name
	}
	if init == nil {
		if t.cfg.BoostFromAverage == yes {
			t.out.Base = t.l.base(&t.tg)
		}
		return nil
	}
	switch {
	case !slices.Equal(init.Columns, names):
		return fmt.Errorf("model/tree: the initial ensemble has other columns than the training table")
	case init.Scores() != t.l.k || init.Link != t.out.Link:
		return fmt.Errorf("model/tree: the initial ensemble has %d scores and the link %d, the fit %d and %d", init.Scores(), init.Link, t.l.k, t.out.Link)
	case init.Mean || init.Single:
		return fmt.Errorf("model/tree: the initial ensemble of style %q sums its trees in another way", init.Style)
	}
	if err := init.Check(); err != nil {
		return fmt.Errorf("model/tree: the initial ensemble: %w", err)
	}
	t.init = init
	t.out.Base = append([]float64(nil), init.Base...)
	t.out.Trees = append([]ensemble.Tree(nil), init.Trees...)
	t.out.Categorical = append([]int(nil), init.Categorical...)
	return nil
}

// start are the scores that the given rows of x (nil: all n) begin with.
func (t *trainer) start(x *view.Table, rows []int, n int) []float64 {
	k := t.l.k
	out := make([]float64, n*k)
	t.chunks(n, func(_, lo, hi int) {
		row := make([]float32, x.P)
		for i := lo; i < hi; i++ {
			s := out[i*k : i*k+k]
			if t.init == nil {
				copy(s, t.out.Base)
				continue
			}
			r := i
			if rows != nil {
				r = rows[i]
			}
			for j := range row {
				row[j] = x.Data[j*x.N+r]
			}
			t.init.Score(row, s)
		}
	})
	return out
}

// newFolds makes the permutations that the fit needs. Where nothing depends on
// an order, or with has_time, there is the order of the rows. Otherwise
// permutation_count − 1 of them (at least one) choose splits and, if there are
// target statistics, one more serves the leaves.
func (t *trainer) newFolds(start []float64) {
	n, k := len(t.tg.Y), t.l.k
	online := t.derived.online()
	drawn := func(name string, i int) *rand.Rand {
		if t.cfg.HasTime {
			return nil
		}
		return t.stream.Stream(name, i).Rand()
	}
	var last *rand.Rand
	if online {
		last = drawn("final permutation", 0)
	}
	t.final = newFold(&t.tg, k, start, last, plainBounds(n))
	bounds, count := plainBounds(n), max(1, t.cfg.PermutationCount-1)
	if t.cfg.BoostingType != plain {
		bounds = orderedBounds(n, t.cfg.FoldLenMultiplier)
	} else if !online || t.cfg.HasTime {
		t.folds = []*fold{t.final}
		return
	}
	if t.cfg.HasTime {
		count = 1
	}
	for i := range count {
		t.folds = append(t.folds, newFold(&t.tg, k, start, drawn("permutation", i), bounds))
	}
}

// bin makes the matrix of each fold, one for all unless there are target
// statistics, and the growers. ranked is the ranking of x, or nil.
func (t *trainer) bin(x *view.Table, rows []int, ranked *core.Ranked) error {
	if ranked != nil && ranked.X != x {
		return fmt.Errorf("model/tree: the ranking is of another table")
	}
	n := len(t.tg.Y)
	cut := cutter(t.cfg.FeatureBorderType, t.cfg.BorderCount, n)
	var shared *core.Matrix
	for _, f := range append([]*fold{t.final}, t.folds...) {
		if f.m != nil {
			continue
		}
		if f.m = shared; f.m == nil {
			var err error
			switch {
			case t.derived != nil:
				f.m, err = t.derived.training(x, rows, f.perm, cut, t.pl)
			case ranked != nil:
				f.m, err = ranked.Matrix(rows, t.tg.W, cut, t.pl)
			default:
				f.m, err = core.NewMatrix(x, rows, t.tg.W, cut, t.pl)
			}
			if err != nil {
				return err
			}
			if !t.derived.online() {
				shared = f.m
			}
		}
	}
	missing := make([]bool, t.final.m.P)
	for j := range x.P {
		i := bytes.IndexByte(t.final.m.Col[j], core.MissingBin)
		if i < 0 || t.derived.has(j) {
			continue
		}
		if t.cfg.NanMode == nanForbid {
			if rows != nil {
				i = rows[i]
			}
			return fmt.Errorf("model/tree: training column %q row %d is missing and nan_mode is %s", x.Names[j], i, nanForbid)
		}
		missing[j] = true
	}
	var gr *grower
	for _, f := range t.folds {
		if gr == nil || gr.M != f.m {
			gr = newGrower(f.m, t.pl, &t.cfg, missing)
			gr.derive, gr.gh, gr.weights, gr.derived = t.l.softmax(), t.gh, t.weights, t.derived
			gr.H = t.weights // so that slots have room for both
		}
		f.gr = gr
	}
	return nil
}

// boost runs the rounds.
func (t *trainer) boost(ctx context.Context, env model.Env, st *stopper) error {
	for round := range t.cfg.Iterations {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("model/tree: tree %d: %w", round, err)
		}
		splits, value, err := t.tree(round)
		if err != nil {
			return fmt.Errorf("model/tree: tree %d: %w", round, err)
		}
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
		n := st.bestRound + 1
		if t.init != nil {
			n += len(t.init.Trees)
		}
		t.out.Trees = t.out.Trees[:n:n]
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

// tree grows a tree, adds it to the model and to all scores and returns its
// splits and leaf values.
func (t *trainer) tree(round int) ([]split, []float64, error) {
	stream, f := t.stream.Stream("tree", round), t.folds[0]
	if len(t.folds) > 1 {
		f = t.folds[stream.Stream("fold").Rand().IntN(len(t.folds))]
	}
	g := f.gr
	g.Idx, g.Ascending = append(g.Idx[:0], f.perm...), f.inOrder
	if t.cfg.BoostingType == plain {
		t.derive(f, &f.parts[0], 0, len(f.perm))
		size, total, root := t.size()
		if !(total < math.MaxFloat32) {
			return nil, nil, t.badGradient()
		}
		g.sc = t.pack(f.perm, 0, t.sample(round, size, root), t.gh, t.weights)
		g.lambda = f.parts[0].l2(&t.cfg) * g.sc.H
		g.grow(t.noise(round, total/float64(len(f.perm))), stream)
	} else {
		square := t.prepareOrdered(f, round)
		if !(square < math.MaxFloat32) {
			return nil, nil, t.badGradient()
		}
		g.growOrdered(t.noise(round, square), stream)
	}
	leaves, k := g.leaves, t.l.k
	rows := g.Idx
	if f != t.final {
		t.advance(f, rows, leaves)
		leaf := leafOf(rows, leaves)
		for _, o := range append([]*fold{t.final}, t.folds...) {
			if o == f {
				continue
			}
			if o.m != f.m {
				leaf = t.route(o.m, g.splits)
			}
			r, x := arrange(o.perm, leaf, len(leaves))
			if o == t.final {
				rows, leaves = r, x
			} else {
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
	t.out.Trees = append(t.out.Trees, g.tree(g.splits, &stats, k, t.final.parts[0].l2(&t.cfg)))
	return g.splits, value, nil
}

// leafOf is the leaf of every row.
func leafOf(rows []uint32, leaves []extent) []uint16 {
	out := make([]uint16, len(rows))
	for l, x := range leaves {
		for _, r := range rows[x.lo:x.hi] {
			out[r] = uint16(l)
		}
	}
	return out
}

// route is the leaf of every row by the bins of m.
func (t *trainer) route(m *core.Matrix, splits []split) []uint16 {
	out := make([]uint16, m.N)
	t.chunks(m.N, func(_, lo, hi int) {
		for j := range splits {
			col := m.Col[splits[j].feature]
			for i := lo; i < hi; i++ {
				out[i] *= 2
				if !splits[j].left.Has(col[i]) {
					out[i]++
				}
			}
		}
	})
	return out
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
