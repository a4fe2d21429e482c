package ensemble_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

func TestProvenanceIsKept(t *testing.T) {
	v, folds := world(300, 3, 1)
	diag := collect(t, kfold, v, folds)
	stack := method(t, "stack_logistic", nil)
	var pe *ensemble.ProvenanceError
	if _, err := stack.Fit(ctx, env(), baseNames, diag, forward); !errors.As(err, &pe) || pe.Got != kfold || pe.Want != forward {
		t.Errorf("k-fold predictions in the walk-forward: %v", err)
	}
	step := collect(t, forward, v, folds)
	if _, err := stack.Fit(ctx, env(), baseNames, step, kfold); !errors.As(err, &pe) {
		t.Errorf("walk-forward predictions as diagnostics: %v", err)
	}
	other := forward
	other.TestStart++
	if _, err := stack.Fit(ctx, env(), baseNames, step, other); !errors.As(err, &pe) {
		t.Errorf("another step's predictions: %v", err)
	}
	if _, err := stack.Fit(ctx, env(), baseNames, step, ensemble.Provenance{}); err == nil {
		t.Error("no use at all is accepted")
	}
	// Under a false name the spans speak: a test start inside the data.
	early := ensemble.Provenance{Use: ensemble.WalkForward, TestStart: v.Spans[200].Decision}
	forged := *diag
	forged.Provenance = early
	var ce *ensemble.CoverageError
	if _, err := stack.Fit(ctx, env(), baseNames, &forged, early); !errors.As(err, &ce) || ce.Rows[0] != 196 || ce.N != 104 {
		t.Errorf("k-fold predictions renamed: %v", err)
	}
	if _, err := ensemble.NewCollector(early, baseNames, v, folds); !errors.As(err, &ce) {
		t.Errorf("rows after the test start are collected: %v", err)
	}
}

func TestCoverageNamesTheRows(t *testing.T) {
	v, good := world(90, 3, 1)
	if err := ensemble.Coverage(v.Spans, good); err != nil {
		t.Fatalf("good folds: %v", err)
	}
	clone := func() []split.Fold {
		var out []split.Fold
		for _, f := range good {
			out = append(out, split.Fold{Train: slices.Clone(f.Train), Stop: slices.Clone(f.Stop), Test: slices.Clone(f.Test)})
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change func(f []split.Fold)
		what   string
		rows   []int
	}{
		{"a row never predicted", func(f []split.Fold) { f[1].Test = f[1].Test[1:] }, "never predicted", []int{30}},
		{"a row predicted twice", func(f []split.Fold) { f[1].Test, f[1].Train = append(f[1].Test, 5), nil }, "more than once", []int{5}},
		{"trained on a test row", func(f []split.Fold) { f[0].Train = append(f[0].Train, 7) }, "also predicts", []int{7}},
		{"trained on a neighbour before", func(f []split.Fold) { f[1].Train = append(f[1].Train, 25, 26) }, "training rows whose span overlaps", []int{26}},
		{"trained on a neighbour after", func(f []split.Fold) { f[1].Train = append(f[1].Train, 63, 64) }, "training rows whose span overlaps", []int{63}},
		{"stopped on a neighbour", func(f []split.Fold) { f[1].Stop = append(f[1].Stop, 61) }, "stop rows whose span overlaps", []int{61}},
		{"an index too large", func(f []split.Fold) { f[2].Test = append(f[2].Test, 90) }, "outside", []int{90}},
		{"a negative index", func(f []split.Fold) { f[2].Train = append(f[2].Train, -1) }, "outside", []int{-1}},
		{"no folds", func(f []split.Fold) {
			for i := range f {
				f[i] = split.Fold{}
			}
		}, "never predicted", all(10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			folds := clone()
			c.change(folds)
			err := ensemble.Coverage(v.Spans, folds)
			var ce *ensemble.CoverageError
			if !errors.As(err, &ce) || !strings.Contains(ce.What, c.what) || !slices.Equal(ce.Rows, c.rows) {
				t.Fatalf("error %v, want %q of rows %v", err, c.what, c.rows)
			}
			if _, err := ensemble.NewCollector(kfold, baseNames, v, folds); !errors.As(err, &ce) {
				t.Errorf("the collector accepts it: %v", err)
			}
		})
	}
}

// The proof against its brute-force twin, over random spans and folds.
func TestCoverageAgainstBruteForce(t *testing.T) {
	r := rng.New(3).Stream("coverage").Rand()
	seen := map[bool]int{}
	for range 3000 {
		n := 3 + r.IntN(8)
		spans := make([]view.Span, n)
		for i := range spans {
			d := int64(r.IntN(60))
			spans[i] = view.Span{Decision: d, Entry: d, Outcome: d + int64(r.IntN(12))}
		}
		folds := make([]split.Fold, 2)
		for i := range n {
			f := r.IntN(2)
			folds[f].Test = append(folds[f].Test, i)
			if r.IntN(3) == 0 {
				folds[1-f].Train = append(folds[1-f].Train, i)
			}
		}
		ok := true
		for _, f := range folds {
			for _, a := range f.Train {
				for _, b := range f.Test {
					ok = ok && !spans[a].Overlaps(spans[b])
				}
			}
		}
		if err := ensemble.Coverage(spans, folds); (err == nil) != ok {
			t.Fatalf("spans %v folds %v: error %v, brute force says %v", spans, folds, err, ok)
		}
		seen[ok]++
	}
	if seen[true] < 100 || seen[false] < 100 {
		t.Errorf("cases too one-sided to test anything: %v", seen)
	}
}

func TestCollectorRefuses(t *testing.T) {
	v, folds := world(90, 3, 1)
	one := func(n int) *model.Prediction {
		p := &model.Prediction{}
		p.Resize(n, 3)
		for i := range n {
			copy(p.Row(i), []float64{0.2, 0.3, 0.5})
		}
		return p
	}
	c, err := ensemble.NewCollector(kfold, baseNames, v, folds)
	if err != nil {
		t.Fatal(err)
	}
	bad := one(30)
	bad.Prob[4] = math.NaN()
	for name, err := range map[string]error{
		"unknown base": c.Add("middle", 0, one(30)),
		"unknown fold": c.Add("left", 3, one(30)),
		"too few rows": c.Add("left", 0, one(29)),
		"no simplex":   c.Add("left", 0, bad),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for f := range 3 {
		for _, b := range []string{"left", "noise"} {
			if err := c.Add(b, f, one(30)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Add("left", 1, one(30)); err == nil {
		t.Error("a fold is added twice")
	}
	if err := c.Add("right", 0, one(30)); err != nil {
		t.Fatal(err)
	}
	var ce *ensemble.CoverageError
	if _, err := c.Finish(); !errors.As(err, &ce) || ce.N != 60 || ce.Rows[0] != 30 || !strings.Contains(err.Error(), `"right"`) {
		t.Errorf("60 rows without a prediction by right: %v", err)
	}
	for name, bases := range map[string][]string{"unsorted": {"b", "a"}, "twice": {"a", "a"}, "none": {}, "nameless": {""}} {
		if _, err := ensemble.NewCollector(kfold, bases, v, folds); err == nil {
			t.Errorf("bases %s are accepted", name)
		}
	}
	noSpans := v
	noSpans.Spans = nil
	if _, err := ensemble.NewCollector(kfold, baseNames, noSpans, folds); err == nil {
		t.Error("a view without spans is accepted")
	}
}
