package forest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// A forest to pure leaves is sure of itself: on random labels it is worse than
// the class shares by more than the default bound, as scikit-learn's is.
func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		name   string
		entry  model.Entry
		config func(*forest.Config)
		skip   string
		noise  float64
	}{
		{"random_forest", forest.Entry(), func(*forest.Config) {}, "weight-two", 0.6}, // a weight of 2 is one row drawn twice as often
		{"random_forest, all rows", forest.Entry(), func(c *forest.Config) {
			c.Bootstrap, c.Trees, c.MinWeightFractionLeaf, c.MaxFeatures = false, 20, 0.01, "2"
		}, "", 0},
		{"random_forest, small leaves", forest.Entry(), func(c *forest.Config) {
			c.Trees, c.MinSamplesLeaf, c.ClassWeight, c.OOBScore, c.Criterion = 40, 40, "balanced_subsample", true, "entropy"
		}, "weight-two", 0.1}, // balanced: not the class shares
		{"extra_trees", forest.EntryExtra(), func(c *forest.Config) {}, "", 0.6},
		{"extra_trees, bootstrap", forest.EntryExtra(), func(c *forest.Config) {
			c.Bootstrap, c.Trees, c.MinSamplesLeaf, c.MaxFeatures, c.MaxSamples = true, 40, 20, "0.8", "0.7"
		}, "weight-two", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := modeltest.Options{NoiseExcess: tc.noise, Config: func() any {
				c := tc.entry.Default().(*forest.Config)
				if tc.config(c); c.Trees == 100 {
					c.Trees = 50
				}
				return c
			}}
			for _, law := range modeltest.Laws(tc.entry, o) {
				if law.Name == tc.skip {
					continue
				}
				t.Run(law.Name, func(t *testing.T) {
					if err := law.Check(); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// sample is n rows of p columns with three classes, a number, a share nan of
// missing cells, and labels that live for five decisions.
func sample(n, p int, seed uint64, nan float64) (view.View, []float64) {
	r := rand.New(rand.NewPCG(seed, 7))
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprintf("f%d", j)
	}
	v := view.View{Table: view.NewTable(n, names), Class: make([]int8, n), Spans: make([]view.Span, n)}
	y := make([]float64, n)
	for i := range n {
		for j := range p {
			v.Table.Col(j)[i] = float32(r.NormFloat64())
		}
		x := func(j int) float64 { return float64(v.Table.Col(j % p)[i]) }
		y[i] = x(0)*x(1) + 0.7*x(2) + 0.8*r.NormFloat64()
		switch {
		case y[i] < -0.5:
			v.Class[i] = -1
		case y[i] > 0.5:
			v.Class[i] = 1
		}
		for j := range p {
			if r.Float64() < nan {
				v.Table.Col(j)[i] = float32(math.NaN())
			}
		}
		v.Spans[i] = view.Span{Decision: int64(i) * 10, Entry: int64(i)*10 + 1, Outcome: int64(i)*10 + 50}
	}
	return v, y
}

func env(workers int) model.Env { return model.Env{Stream: rng.New(1), Workers: workers} }

func data(v view.View) core.Data {
	d := core.Data{X: v.Table, Y: make([]float64, v.Len()), Weight: v.Weight, Classes: 3}
	for i, c := range v.Class {
		d.Y[i] = float64(c) + 1
	}
	return d
}

func train(t testing.TB, kind forest.Kind, d core.Data, spans []view.Span, c forest.Config, workers int) *forest.Forest {
	t.Helper()
	f, err := forest.Train(context.Background(), env(workers), kind, d, spans, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func file(t testing.TB, e *ensemble.Ensemble) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Large nodes are searched by column and small ones by row: the table is large
// enough for both.
func TestWorkersDoNotMatter(t *testing.T) {
	v, y := sample(6000, 12, 1, 0.05)
	v.Weight = make([]float64, v.Len())
	for i := range v.Weight {
		v.Weight[i] = float64(i%5) * 0.3
	}
	for _, kind := range []forest.Kind{forest.Random, forest.Extra} {
		for _, criterion := range []string{forest.Gini, forest.SquaredError} {
			c := forest.Default()
			c.Trees, c.Criterion, c.OOBScore, c.OOBPurge, c.Sampling, c.MaxSamples = 9, criterion, true, true, "sequential", "0.05"
			d := data(v)
			if criterion == forest.SquaredError {
				d.Y, d.Classes = y, 0
			}
			want := train(t, kind, d, v.Spans, c, 1)
			for _, workers := range []int{2, 4, 8} {
				got := train(t, kind, d, v.Spans, c, workers)
				if !bytes.Equal(file(t, got.Ensemble), file(t, want.Ensemble)) {
					t.Errorf("%v, %s: %d workers give other bytes than 1", kind, criterion, workers)
				}
				for i, q := range want.OOB.Pred {
					if math.Float64bits(q) != math.Float64bits(got.OOB.Pred[i]) {
						t.Fatalf("%v, %s: %d workers give another prediction out of bag", kind, criterion, workers)
					}
				}
			}
		}
	}
}

func TestEveryParameterHasAnEffect(t *testing.T) {
	v, _ := sample(800, 9, 2, 0)
	v.Weight = make([]float64, v.Len())
	for i := range v.Weight {
		v.Weight[i] = 1
	}
	for _, kind := range []forest.Kind{forest.Random, forest.Extra} {
		base := forest.Default()
		base.Trees, base.OOBScore, base.MaxSamples = 4, true, "300"
		want := file(t, train(t, kind, data(v), v.Spans, base, 1).Ensemble)
		for name, change := range map[string]func(*forest.Config){
			"n_estimators":             func(c *forest.Config) { c.Trees = 5 },
			"criterion":                func(c *forest.Config) { c.Criterion = forest.Entropy },
			"max_depth":                func(c *forest.Config) { c.MaxDepth = 3 },
			"min_samples_split":        func(c *forest.Config) { c.MinSamplesSplit = 20 },
			"min_samples_leaf":         func(c *forest.Config) { c.MinSamplesLeaf = 5 },
			"min_weight_fraction_leaf": func(c *forest.Config) { c.MinWeightFractionLeaf = 0.02 },
			"max_features":             func(c *forest.Config) { c.MaxFeatures = "5" },
			"max_leaf_nodes":           func(c *forest.Config) { c.MaxLeafNodes = 10 },
			"min_impurity_decrease":    func(c *forest.Config) { c.MinImpurityDecrease = 0.01 },
			"ccp_alpha":                func(c *forest.Config) { c.CCPAlpha = 0.01 },
			"class_weight":             func(c *forest.Config) { c.ClassWeight = "balanced" },
			"class_weight 2":           func(c *forest.Config) { c.ClassWeight = "balanced_subsample" },
			"bootstrap":                func(c *forest.Config) { c.Bootstrap, c.MaxSamples, c.OOBScore = false, "all", false },
			"max_samples":              func(c *forest.Config) { c.MaxSamples = "0.5" },
			"max_samples 2":            func(c *forest.Config) { c.MaxSamples = "uniqueness" },
			"sampling":                 func(c *forest.Config) { c.Sampling = "sequential" },
			"oob_score":                func(c *forest.Config) { c.OOBScore = false },
			"oob_purge":                func(c *forest.Config) { c.MaxSamples, c.OOBPurge = "100", true },
		} {
			c := base
			change(&c)
			reference := want
			if name == "oob_purge" {
				r := c
				r.OOBPurge = false
				reference = file(t, train(t, kind, data(v), v.Spans, r, 1).Ensemble)
			}
			if bytes.Equal(file(t, train(t, kind, data(v), v.Spans, c, 1).Ensemble), reference) {
				t.Errorf("%v: %s changes nothing", kind, name)
			}
		}
		// Without bootstrap the weights are those of the rows.
		c := forest.DefaultExtra()
		c.Trees = 3
		a := file(t, train(t, kind, data(v), nil, c, 1).Ensemble)
		v.Weight[0] = 7
		if bytes.Equal(a, file(t, train(t, kind, data(v), nil, c, 1).Ensemble)) {
			t.Errorf("%v: a weight changes nothing", kind)
		}
		v.Weight[0] = 1
	}
}

// Out of bag by brute force: which trees drew a row is seen by growing each
// tree on a table whose only column is the row's number.
func TestOutOfBagTwin(t *testing.T) {
	const n = 120
	v, _ := sample(n, 4, 3, 0)
	c := forest.Default()
	c.Trees, c.MaxSamples, c.OOBScore, c.OOBPurge = 20, "36", true, true
	f := train(t, forest.Random, data(v), v.Spans, c, 1)

	// The draws do not depend on the columns, and a tree to pure leaves of a
	// regression on the row's number has a leaf for every row drawn.
	ids := view.NewTable(n, []string{"row"})
	y := make([]float64, n)
	for i := range y {
		ids.Col(0)[i], y[i] = float32(i), float64(i)
	}
	r := c
	r.Criterion, r.OOBScore, r.OOBPurge = forest.SquaredError, false, false
	who := train(t, forest.Random, core.Data{X: ids, Y: y}, nil, r, 1).Ensemble

	right, rows := 0.0, 0
	for i := range n {
		var sum [3]float64
		trees := 0.0
		for k := range who.Trees {
			seen := false
			for _, nd := range who.Trees[k].Nodes {
				if nd.Leaf() {
					j := int(math.Round(nd.Value + who.Base[0]))
					seen = seen || v.Spans[i].Overlaps(v.Spans[j])
				}
			}
			if seen {
				continue
			}
			trees++
			tree := &f.Ensemble.Trees[k]
			row := make([]float32, 4)
			for j := range row {
				row[j] = v.Table.Col(j)[i]
			}
			l := tree.LeafOf(row)
			for q := range sum {
				sum[q] += tree.Values[l*3+q]
			}
		}
		got := f.OOB.Pred[i*3 : i*3+3]
		if trees == 0 {
			if got[0] == got[0] {
				t.Fatalf("row %d has a prediction, but no tree may judge it", i)
			}
			continue
		}
		rows++
		best := 0
		for q := range sum {
			if got[q] != sum[q]/trees {
				t.Fatalf("row %d: %v, want %v/%v", i, got, sum, trees)
			}
			if sum[q] > sum[best] {
				best = q
			}
		}
		if best == int(v.Class[i])+1 {
			right++
		}
	}
	if rows == 0 || rows == n {
		t.Fatalf("%d of %d rows are judged: the test compares nothing", rows, n)
	}
	if f.OOB.Rows != rows || f.OOB.Score != right/float64(rows) {
		t.Errorf("%d rows with score %v, want %d and %v", f.OOB.Rows, f.OOB.Score, rows, right/float64(rows))
	}
	if e := f.Ensemble.Extra; e["oob_score"] != f.OOB.Score || e["oob_rows"] != float64(rows) {
		t.Errorf("the ensemble has %v", e)
	}
}

// Labels that overlap make the plain out-of-bag score too good: here the
// columns say nothing but when a row is, and neighbours share their class.
func TestOutOfBagIsHonestForLabelsInTime(t *testing.T) {
	const n, life = 2000, 20
	r := rand.New(rand.NewPCG(9, 9))
	v := view.View{Table: view.NewTable(n, []string{"clock"}), Class: make([]int8, n), Spans: make([]view.Span, n)}
	for i := range n {
		if i%life == 0 {
			v.Class[i] = int8(r.IntN(3)) - 1
		} else {
			v.Class[i] = v.Class[i-1]
		}
		v.Table.Col(0)[i] = float32(i)
		v.Spans[i] = view.Span{Decision: int64(i), Outcome: int64(i/life+1) * life}
	}
	c := forest.Default()
	c.Trees, c.OOBScore, c.MaxSamples = 200, true, "60"
	plain := train(t, forest.Random, data(v), v.Spans, c, 2).OOB
	c.OOBPurge = true
	purged := train(t, forest.Random, data(v), v.Spans, c, 2).OOB
	if plain.Score < 0.55 {
		t.Errorf("the plain score is %.2f, and should be flattered", plain.Score)
	}
	if purged.Score > 0.45 || purged.Rows < n/2 {
		t.Errorf("the purged score is %.2f over %d rows; nothing can be known here", purged.Score, purged.Rows)
	}
}

func TestRefusals(t *testing.T) {
	v, _ := sample(200, 4, 4, 0)
	fit := func(v view.View, change func(*forest.Config)) error {
		c := forest.Default()
		c.Trees = 2
		change(&c)
		l, err := forest.New(forest.Random, c)
		if err != nil {
			return err
		}
		_, err = l.Fit(context.Background(), env(1), v, view.View{})
		return err
	}
	none := func(*forest.Config) {}
	bare := v
	bare.Spans = nil
	late := v
	late.Spans = append([]view.Span(nil), v.Spans...)
	late.Spans[17].Outcome = 0
	wide := v
	wide.Weight = make([]float64, 200)
	for i := range wide.Weight {
		wide.Weight[i] = 1
	}
	wide.Weight[3] = 1e-12
	for _, tc := range []struct {
		name, want string
		err        error
	}{
		{"sequential without spans", "needs the spans", fit(bare, func(c *forest.Config) { c.Sampling = "sequential" })},
		{"uniqueness without spans", "needs the spans", fit(bare, func(c *forest.Config) { c.MaxSamples = "uniqueness" })},
		{"purge without spans", "needs the spans", fit(bare, func(c *forest.Config) { c.OOBScore, c.OOBPurge = true, true })},
		{"span that ends before it begins", "row 17", fit(late, func(c *forest.Config) { c.Sampling = "sequential" })},
		{"number", "squared_error", fit(v, func(c *forest.Config) { c.Criterion = forest.SquaredError })},
		{"max_features", "max_features", fit(v, func(c *forest.Config) { c.MaxFeatures = "many" })},
		{"too many features", "there are 4", fit(v, func(c *forest.Config) { c.MaxFeatures = "5" })},
		{"share of features", "more than 1.0", fit(v, func(c *forest.Config) { c.MaxFeatures = "1.5" })},
		{"max_samples", "max_samples", fit(v, func(c *forest.Config) { c.MaxSamples = "-1" })},
		{"max_samples without bootstrap", "max_samples", fit(v, func(c *forest.Config) { c.Bootstrap, c.MaxSamples = false, "0.5" })},
		{"oob without bootstrap", "oob_score", fit(v, func(c *forest.Config) { c.Bootstrap, c.OOBScore = false, true })},
		{"purge without oob", "oob_purge", fit(v, func(c *forest.Config) { c.OOBPurge = true })},
		{"one leaf", "max_leaf_nodes", fit(v, func(c *forest.Config) { c.MaxLeafNodes = 1 })},
		{"weights too wide", "2³⁶", fit(wide, none)},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", tc.name, tc.err, tc.want)
		}
	}
	one := v
	one.Class = make([]int8, 200)
	if err := fit(one, none); !errors.Is(err, model.ErrOneClass) {
		t.Errorf("one class: %v", err)
	}
	d := data(v)
	d.Classes = 4
	if _, err := forest.Train(context.Background(), env(1), forest.Random, d, nil, forest.Default()); err == nil || !strings.Contains(err.Error(), "two or three") {
		t.Errorf("four classes: %v", err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		d := data(v)
		d.Y[5] = bad
		if _, err := forest.Train(context.Background(), env(1), forest.Random, d, nil, forest.DefaultRegression()); err == nil || !strings.Contains(err.Error(), "row 5") {
			t.Errorf("target %v: %v", bad, err)
		}
		if _, err := forest.Train(context.Background(), env(1), forest.Random, d, nil, forest.Default()); err == nil || !strings.Contains(err.Error(), "row 5") {
			t.Errorf("label %v: %v", bad, err)
		}
	}
}

// A tree over columns with more values than bins separates rows as well as one
// over the values: on a threshold in continuous data it is off by a bin at most.
func TestManyValues(t *testing.T) {
	const n = 20000
	x := view.NewTable(n, []string{"a"})
	y := make([]float64, n)
	r := rand.New(rand.NewPCG(10, 1))
	for i := range n {
		v := r.Float64()
		x.Col(0)[i] = float32(v)
		if v > 0.3217 {
			y[i] = 1
		}
	}
	c := forest.Default()
	c.Trees, c.Bootstrap, c.MaxDepth = 1, false, 1
	tree := train(t, forest.Random, core.Data{X: x, Y: y}, nil, c, 1).Ensemble.Trees[0]
	if d := math.Abs(float64(tree.Nodes[0].Threshold) - 0.3217); d > 1.0/255 {
		t.Errorf("the threshold is %v, want 0.3217", tree.Nodes[0].Threshold)
	}
}

// Missing values may say all there is to say.
func TestMissingAgainstPresent(t *testing.T) {
	const n = 300
	x := view.NewTable(n, []string{"noise", "a"})
	y := make([]float64, n)
	r := rand.New(rand.NewPCG(11, 1))
	for i := range n {
		x.Col(0)[i], x.Col(1)[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		if i%3 == 0 {
			x.Col(1)[i], y[i] = float32(math.NaN()), 1
		}
	}
	c := forest.Default()
	c.Trees, c.Bootstrap, c.MaxFeatures = 1, false, "all"
	e := train(t, forest.Random, core.Data{X: x, Y: y}, nil, c, 1).Ensemble
	if n := e.Trees[0].Nodes; len(n) != 3 || n[0].Feature != 1 || !math.IsInf(float64(n[0].Threshold), 1) || n[0].DefaultLeft {
		t.Fatalf("%+v, want one split of present and missing", n)
	}
	out := make([]float64, 2)
	for _, tc := range []struct {
		v    float32
		want float64
	}{{math.MaxFloat32, 0}, {-math.MaxFloat32, 0}, {float32(math.NaN()), 1}} {
		if e.Score([]float32{0, tc.v}, out); out[1] != tc.want {
			t.Errorf("P(1) of %v is %v, want %v", tc.v, out[1], tc.want)
		}
	}
}

func TestCancel(t *testing.T) {
	v, _ := sample(500, 4, 5, 0)
	ctx, cancel := context.WithCancel(context.Background())
	e := env(1)
	trees := 0
	e.Progress = func(done, total int, _ string) {
		trees = done
		if done == 3 {
			cancel()
		}
		if total != 100 {
			t.Errorf("%d trees in all, want 100", total)
		}
	}
	if _, err := forest.Train(ctx, e, forest.Random, data(v), nil, forest.Default()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if trees != 3 {
		t.Errorf("%d trees were grown after a cancel at 3", trees)
	}
}
