package lightgbm

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Style is the name of the style in an ensemble.
const Style = "lightgbm"

// Options are what a fit may be given beside its configuration.
type Options struct {
	// Objective replaces the objective of the configuration.
	Objective core.Objective
	// Init is an ensemble to continue from: its trees come first, its base
	// scores stay, and num_iterations counts the new rounds. Its columns, scores
	// and link must be those of the fit. boost_from_average then has no effect.
	Init *ensemble.Ensemble
	// Rows are the rows of the training table to train on, ascending; nil: all.
	Rows []int
	// StopRows are the rows of the stop table to stop by, ascending; nil: all.
	StopRows []int
	// Ranked is the ranking of the training table, which spares sorting it again;
	// the model is the same with it and without. It is of no use where
	// zero_as_missing or use_missing change the table.
	Ranked *core.Ranked
	wide   bool // use wide sums in any case
}

// trainer is the state of a fit.
type trainer struct {
	cfg   Config
	loss  *loss
	pl    *core.Pool
	bin   *binner
	m     *core.Matrix
	from  *core.Ranked // that m is of, nil if none
	tg    core.Targets
	gr    *grower
	cat   []bool    // columns of categories
	score []float32 // n×k
	g, h  [][]float32
	gh    []uint64
	all   []uint32 // all rows
	rows  []uint32 // rows of the round
	left  []uint32 // rows that the round leaves out
	drop  *dropper // dart
	out   *ensemble.Ensemble
	first int // trees of the initial ensemble
}

// Train fits an ensemble. stop, unless it is the zero core.Data or has no rows,
// is used for early stopping and nothing else: training ends once the loss on
// its rows has not fallen for cfg.EarlyStoppingRound rounds, and the round of
// the lowest loss (at least the first) is the last that predicts. It also ends
// when no tree of a round finds a split.
//
// ctx is checked once for each tree. env.Stream draws what is random;
// env.Workers goroutines are used; env.Progress is called after every round.
//
// Complexity: about n·p·log₂(num_leaves)/2 additions for each balanced tree;
// memory 2·n·p bytes for the bins, 20·n·k for gradients and scores, and 2 KiB a
// column for each leaf.
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
	if stop.X != nil && stop.X.N > 0 && cfg.EarlyStoppingRound > 0 && cfg.Boosting != DART {
		if st, err = t.newStopper(stop, &o); err != nil {
			return nil, err
		}
	}
	if err := t.boost(ctx, env, st); err != nil {
		return nil, err
	}
	if t.from != nil {
		t.from.Release(t.m)
	}
	return t.out, nil
}

func newTrainer(env model.Env, d core.Data, cfg Config, o Options) (*trainer, error) {
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
	t := &trainer{cfg: cfg, loss: newLoss(&cfg), pl: core.NewPool(env.Workers)}
	switch {
	case o.Objective != nil:
		if t.loss.Loss, err = core.NewCustom(o.Objective); err != nil {
			return nil, err
		}
		t.loss.k, t.loss.name = t.loss.K, t.loss.Name
	case cfg.Objective == Multiclass:
		if t.loss.K, err = d.ClassCount(rows); err != nil {
			return nil, err
		}
		t.loss.k = t.loss.K
	}
	if t.tg, err = d.Targets(&t.loss.Loss, rows, "training"); err != nil {
		return nil, err
	}
	if t.loss.Classifies() {
		if err := t.tg.CheckClasses(); err != nil {
			return nil, err
		}
	}
	wide, err := core.NeedsWide(&t.loss.Loss, &t.tg)
	if err != nil {
		return nil, err
	}
	wide = wide || o.wide
	t.loss.prepare(&cfg, &t.tg)
	mono, groups, err := t.named(d.X.Names, seen)
	if err != nil {
		return nil, err
	}
	x, err := t.table(d.X, rows, "training")
	if err != nil {
		return nil, err
	}
	n := len(t.tg.Y)
	t.bin = newBinner(&t.cfg, n, d.X.P)
	if t.m, err = t.matrix(&o, &d, x, rows); err != nil {
		return nil, err
	}
	t.gr = newGrower(&t.cfg, t.m, t.pl, t.bin.col, mono, groups, wide)
	if err := t.begin(d.X, rows, o.Init); err != nil {
		return nil, err
	}
	k := t.loss.k
	t.g, t.h = make([][]float32, k), make([][]float32, k)
	for c := range k {
		t.g[c], t.h[c] = make([]float32, n), make([]float32, n)
	}
	t.gh = make([]uint64, n)
	t.gr.GH, t.gr.Ascending = t.gh, true
	if wide {
		t.gr.H = make([]uint64, n)
	}
	t.all = make([]uint32, n)
	for i := range t.all {
		t.all[i] = uint32(i) // #nosec G115 -- at most MaxRows
	}
	t.rows = t.all
	if cfg.Boosting == DART {
		t.drop = &dropper{cfg: &t.cfg}
	}
	return t, nil
}

// named finds the columns that parameters name.
func (t *trainer) named(names []string, at map[string]int) (mono []int8, groups [][]int, err error) {
	missing := func(parameter, name string) error {
		return fmt.Errorf("model/tree: %s: the training table has no column %q", parameter, name)
	}
	t.cat = make([]bool, len(names))
	for _, name := range t.cfg.CategoricalFeature {
		j, ok := at[name]
		if !ok {
			return nil, nil, missing("categorical_feature", name)
		}
		t.cat[j] = true
	}
	for _, name := range sorted(t.cfg.MonotoneConstraints) {
		j, ok := at[name]
		if !ok {
			return nil, nil, missing("monotone_constraints", name)
		}
		if mono == nil {
			mono = make([]int8, len(names))
		}
		mono[j] = int8(t.cfg.MonotoneConstraints[name]) // #nosec G115 -- −1, 0 or 1
	}
	for _, group := range t.cfg.InteractionConstraints {
		var list []int
		for _, name := range group {
			j, ok := at[name]
			if !ok {
				return nil, nil, missing("interaction_constraints", name)
			}
			list = append(list, j)
		}
		groups = append(groups, list)
	}
	return mono, groups, nil
}

// table is x as the bins see it: categories are checked, and where
// zero_as_missing or use_missing say so, zeros become NaN or NaN zero.
func (t *trainer) table(x *view.Table, rows []int, what string) (*view.Table, error) {
	for j, cat := range t.cat {
		if !cat {
			continue
		}
		col := x.Col(j)
		check := func(i int) error {
			if v := col[i]; v == v && (v < 0 || v >= 1<<24 || v != float32(int32(v))) {
				return fmt.Errorf("model/tree: %s column %q row %d is %v; a category is a whole number from 0 to %d", what, x.Names[j], i, v, 1<<24-1)
			}
			return nil
		}
		if err := eachRow(x.N, rows, check); err != nil {
			return nil, err
		}
	}
	if !t.cfg.ZeroAsMissing && t.cfg.UseMissing {
		return x, nil
	}
	out := &view.Table{N: x.N, P: x.P, Names: x.Names, Data: slices.Clone(x.Data)}
	for j, cat := range t.cat {
		if cat {
			continue
		}
		col := out.Col(j)
		for i, v := range col {
			switch {
			case t.cfg.ZeroAsMissing && math.Abs(float64(v)) <= zero:
				col[i] = float32(math.NaN())
			case !t.cfg.UseMissing && v != v:
				col[i] = 0
			}
		}
	}
	return out, nil
}

// eachRow calls f with the given rows of n (nil: all) until it fails.
func eachRow(n int, rows []int, f func(i int) error) error {
	if rows == nil {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	for _, i := range rows {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the ensemble and the initial scores.
func (t *trainer) begin(x *view.Table, rows []int, init *ensemble.Ensemble) error {
	k, n := t.loss.k, len(t.tg.Y)
	t.out = &ensemble.Ensemble{Style: Style, Objective: t.loss.name, Link: t.loss.link(), Columns: slices.Clone(x.Names)}
	for j, cat := range t.cat {
		if cat {
			t.out.Categorical = append(t.out.Categorical, j)
		}
	}
	if t.loss.Custom == nil && (t.loss.name == Quantile || t.loss.name == Huber) {
		t.out.Extra = map[string]float64{"alpha": t.cfg.Alpha}
	}
	t.score = make([]float32, n*k)
	if init == nil {
		t.out.Base = make([]float64, k)
		if t.cfg.BoostFromAverage {
			t.out.Base = t.loss.base(&t.tg)
			if len(t.out.Base) != k {
				return fmt.Errorf("model/tree: objective %q gives %d initial scores, want %d", t.loss.name, len(t.out.Base), k)
			}
		}
		for i := range n {
			for c, b := range t.out.Base {
				t.score[i*k+c] = float32(b)
			}
		}
		return nil
	}
	if err := t.continues(x, init); err != nil {
		return err
	}
	t.out.Base = slices.Clone(init.Base)
	t.out.Trees = slices.Clone(init.Trees)
	t.first = len(init.Trees)
	return t.scores(init, x, rows, "training", t.score)
}

// continues reports why an ensemble is no start of this fit.
func (t *trainer) continues(x *view.Table, init *ensemble.Ensemble) error {
	if err := init.Check(); err != nil {
		return fmt.Errorf("model/tree: the initial ensemble: %w", err)
	}
	if err := model.CheckColumns(init.Columns, view.View{Table: x}); err != nil {
		return fmt.Errorf("model/tree: the initial ensemble: %w", err)
	}
	switch {
	case init.Mean || len(init.Base) != t.loss.k || init.Link != t.loss.link():
		return fmt.Errorf("model/tree: the initial ensemble (%s %s, %d scores) is no sum of %d scores for objective %s", init.Style, init.Objective, len(init.Base), t.loss.k, t.loss.name)
	case init.Single:
		return fmt.Errorf("model/tree: the initial ensemble (%s) is summed in single precision, this one is not", init.Style)
	case !slices.Equal(init.Categorical, t.out.Categorical):
		return fmt.Errorf("model/tree: the initial ensemble has other categorical columns")
	}
	return nil
}

// scores writes the raw scores of an ensemble for the given rows of x.
func (t *trainer) scores(e *ensemble.Ensemble, x *view.Table, rows []int, what string, dst []float32) error {
	m, err := ensemble.NewModel(e)
	if err != nil {
		return err
	}
	raw, err := m.RawOf(context.Background(), x, rows, nil)
	if err != nil {
		return fmt.Errorf("model/tree: %s: %w", what, err)
	}
	for i, v := range raw {
		dst[i] = float32(v)
	}
	return nil
}
