package tree_test

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
	"github.com/mlfactory/mlfactory/model/tree"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// This file holds every learner to the same answers to bad input: an error that
// says what is wrong and where, or a result that is stated here, and no panic.

func badEnv() model.Env { return model.Env{Stream: rng.New(1), Workers: 2} }

// small makes a learner that is quick to fit.
func small(t *testing.T, e model.Entry) model.Learner {
	t.Helper()
	cfg := e.Default()
	switch c := cfg.(type) {
	case *xgboost.Config:
		c.Rounds, c.MaxDepth = 5, 3
	case *lightgbm.Config:
		c.NumIterations, c.NumLeaves, c.MinDataInLeaf = 5, 7, 3
	case *catboost.Config:
		c.Iterations, c.Depth = 5, 3
	case *forest.Config:
		c.Trees, c.MinSamplesLeaf = 5, 3
	default:
		t.Fatalf("the test does not know %T", cfg)
	}
	l, err := e.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// numbers fits each learner on a real target.
func numbers(name string, d, stop core.Data) (e *ensemble.Ensemble, err error) {
	ctx := context.Background()
	switch name {
	case "xgboost":
		c := xgboost.Default()
		c.Objective, c.Rounds = core.SquaredError, 5
		return xgboost.Train(ctx, badEnv(), d, stop, c)
	case "lightgbm":
		c := lightgbm.Default()
		c.Objective, c.NumIterations, c.MinDataInLeaf = lightgbm.Regression, 5, 3
		return lightgbm.Train(ctx, badEnv(), d, stop, c)
	case "catboost":
		c := catboost.Default()
		c.Loss, c.Iterations, c.Depth = catboost.RMSE, 5, 3
		m, err := catboost.Train(ctx, badEnv(), d, stop, c)
		if err != nil {
			return nil, err
		}
		return m.Ensemble(), nil
	case "random_forest", "extra_trees":
		kind := forest.Random
		if name == "extra_trees" {
			kind = forest.Extra
		}
		c := forest.DefaultRegression()
		c.Trees, c.Bootstrap = 5, kind == forest.Random
		f, err := forest.Train(ctx, badEnv(), kind, d, nil, c)
		if err != nil {
			return nil, err
		}
		return f.Ensemble, nil
	}
	return nil, fmt.Errorf("the test does not know %q", name)
}

// rows are n rows of four columns, with classes that the first two tell.
func rows(n int, seed uint64) view.View {
	r := rand.New(rand.NewPCG(seed, 2))
	v := view.View{Table: view.NewTable(n, []string{"a", "b", "c", "d"}), Class: make([]int8, n)}
	for i := range n {
		for j := range 4 {
			v.Table.Col(j)[i] = float32(r.NormFloat64())
		}
		switch z := v.Table.Col(0)[i] + v.Table.Col(1)[i]/2; {
		case z > 0.3:
			v.Class[i] = 1
		case z < -0.3:
			v.Class[i] = -1
		}
	}
	return v
}

func weights(n int, at int, w float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	out[at] = w
	return out
}

// safely turns a panic into an error that no case wants.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("PANIC: %v", p)
		}
	}()
	return f()
}

// says reports an error that lacks one of the words.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, w := range append(words, "") {
		if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "PANIC") {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}

// splitsOn lists the columns that an ensemble splits.
func splitsOn(e *ensemble.Ensemble) map[int32]bool {
	out := map[int32]bool{}
	for i := range e.Trees {
		for _, nd := range e.Trees[i].Nodes {
			if nd.Left != 0 {
				out[nd.Feature] = true
			}
		}
	}
	return out
}

func TestBadTrainingInput(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	const n = 120
	for _, tc := range []struct {
		name   string
		change func(train, stop *view.View)
		want   []string // words of the error; nil: the fit succeeds
		is     error
		never  string // where the fit succeeds, a column that is never split
		boost  bool   // about the stop rows, which forests do not look at
	}{
		{name: "infinite feature", change: func(v, _ *view.View) { v.Table.Col(1)[17] = float32(inf) }, want: []string{`column "b"`, "row 17", "+Inf"}},
		{name: "negative infinite feature", change: func(v, _ *view.View) { v.Table.Col(3)[0] = float32(-inf) }, want: []string{`column "d"`, "row 0", "-Inf"}},
		{name: "column without a value", change: func(v, _ *view.View) {
			for i := range n {
				v.Table.Col(0)[i] = float32(nan)
			}
		}, never: "a"},
		{name: "constant column", change: func(v, _ *view.View) {
			for i := range n {
				v.Table.Col(1)[i] = 3
			}
		}, never: "b"},
		{name: "nothing to split", change: func(v, _ *view.View) { clear(v.Table.Data) }, never: "a"},
		{name: "one class", change: func(v, _ *view.View) { clear(v.Class) }, want: []string{"class 0", "at least two"}, is: model.ErrOneClass},
		{name: "one class among rows of weight", change: func(v, _ *view.View) {
			v.Weight = make([]float64, n)
			for i, c := range v.Class {
				if c == 1 {
					v.Weight[i] = 1
				}
			}
		}, want: []string{"class 1", "at least two"}, is: model.ErrOneClass},
		{name: "class 3", change: func(v, _ *view.View) { v.Class[4] = 3 }, want: []string{"row 4", "class 3"}},
		{name: "no weight", change: func(v, _ *view.View) { v.Weight = make([]float64, n) }, want: []string{"weight"}, is: model.ErrNoRows},
		{name: "negative weight", change: func(v, _ *view.View) { v.Weight = weights(n, 5, -1) }, want: []string{"row 5", "weight", "-1"}},
		{name: "weight not a number", change: func(v, _ *view.View) { v.Weight = weights(n, 6, nan) }, want: []string{"row 6", "weight", "NaN"}},
		{name: "infinite weight", change: func(v, _ *view.View) { v.Weight = weights(n, 7, inf) }, want: []string{"row 7", "weight", "+Inf"}},
		{name: "weights too far apart", change: func(v, _ *view.View) { v.Weight = weights(n, 8, 1e-18) }, want: []string{"weights", "least is 1", "e-18", "give"}},
		{name: "too few weights", change: func(v, _ *view.View) { v.Weight = make([]float64, n-1) }, want: []string{"119", "120"}},
		{name: "too few classes", change: func(v, _ *view.View) { v.Class = v.Class[:n-2] }, want: []string{"118", "120"}},
		{name: "no classes", change: func(v, _ *view.View) { v.Class = nil }, want: []string{"no", "classes"}},
		{name: "no table", change: func(v, _ *view.View) { v.Table = nil }, want: []string{"no table"}},
		{name: "empty table", change: func(v, _ *view.View) { *v = rows(0, 1) }, is: model.ErrNoRows, want: []string{"no"}},
		{name: "no columns", change: func(v, _ *view.View) { v.Table = view.NewTable(n, nil) }, want: []string{"no columns"}},
		{name: "one row", change: func(v, _ *view.View) { *v = rows(1, 1) }, is: model.ErrOneClass, want: []string{"class"}},
		{name: "two columns of a name", change: func(v, _ *view.View) { v.Table.Names[2] = "a" }, want: []string{"0 and 2", `"a"`}},
		{name: "values missing from the table", change: func(v, _ *view.View) { v.Table.Data = v.Table.Data[:len(v.Table.Data)-1] }, want: []string{"479"}},

		{name: "no stop rows", change: func(_, s *view.View) { *s = view.View{} }},
		{name: "empty stop table", change: func(_, s *view.View) { *s = rows(0, 1) }},
		{name: "stop rows of one class", change: func(_, s *view.View) { clear(s.Class) }},
		{name: "infinite stop feature", change: func(_, s *view.View) { s.Table.Col(2)[3] = float32(inf) }, boost: true, want: []string{"stop", `column "c"`, "row 3", "+Inf"}},
		{name: "a stop column less", change: func(_, s *view.View) { s.Table = view.NewTable(s.Table.N, []string{"a", "b", "c"}) }, boost: true, want: []string{"stop", `"d"`, "missing"}},
		{name: "another stop column", change: func(_, s *view.View) { s.Table.Names = []string{"a", "b", "x", "d"} }, boost: true, want: []string{"stop", `"c"`, "missing"}},
		{name: "stop columns in another order", change: func(_, s *view.View) { s.Table.Names = []string{"b", "a", "c", "d"} }, boost: true, want: []string{"stop", `column 0 is "b", was "a"`}},
		{name: "negative stop weight", change: func(_, s *view.View) { s.Weight = weights(s.Table.N, 2, -3) }, boost: true, want: []string{"stop", "row 2", "-3"}},
		{name: "no stop weight", change: func(_, s *view.View) { s.Weight = make([]float64, s.Table.N) }, boost: true, want: []string{"stop", "zero"}},
	} {
		for _, e := range tree.Entries() {
			t.Run(tc.name+"/"+e.Name, func(t *testing.T) {
				train, stop := rows(n, 1), rows(40, 2)
				tc.change(&train, &stop)
				want := tc.want
				if tc.boost && e.Family != "boosting" {
					want = nil
				}
				var f model.Fitted
				err := safely(func() (err error) {
					f, err = small(t, e).Fit(context.Background(), badEnv(), train, stop)
					return err
				})
				if want != nil {
					says(t, err, want...)
					if tc.is != nil && !errors.Is(err, tc.is) {
						t.Errorf("%v is not %v", err, tc.is)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				on := splitsOn(f.(*ensemble.Model).Ensemble())
				for j, name := range train.Table.Names {
					if name == tc.never && on[int32(j)] {
						t.Errorf("column %q is split", name)
					}
				}
				if tc.never == "" && len(on) == 0 {
					t.Error("no column is split")
				}
				var p model.Prediction
				if err := f.Predict(context.Background(), view.View{Table: train.Table}, &p); err != nil {
					t.Fatal(err)
				}
				if err := p.Check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestBadTargets(t *testing.T) {
	const n = 120
	for _, tc := range []struct {
		name   string
		change func(train, stop *core.Data)
		want   []string
		boost  bool
	}{
		{"not a number", func(d, _ *core.Data) { d.Y[7] = math.NaN() }, []string{"training", "row 7", "NaN"}, false},
		{"infinite", func(d, _ *core.Data) { d.Y[8] = math.Inf(1) }, []string{"training", "row 8", "+Inf"}, false},
		{"negative infinite", func(d, _ *core.Data) { d.Y[0] = math.Inf(-1) }, []string{"training", "row 0", "-Inf"}, false},
		{"beyond a float32", func(d, _ *core.Data) { d.Y[9] = 1e300 }, []string{"training", "row 9", "1e+300"}, false},
		{"too few", func(d, _ *core.Data) { d.Y = d.Y[:n-1] }, []string{"119", "120"}, false},
		{"all weights zero", func(d, _ *core.Data) { d.Weight = make([]float64, n) }, []string{"weights", "zero"}, false},
		{"bad stop target", func(_, s *core.Data) { s.Y[3] = math.NaN() }, []string{"stop", "row 3", "NaN"}, true},
		{"absent row", func(d, _ *core.Data) { d.Y[7], d.Weight = math.NaN(), weights(n, 7, 0) }, nil, false},
		{"all equal", func(d, _ *core.Data) {
			for i := range d.Y {
				d.Y[i] = 2.5
			}
		}, nil, false},
	} {
		for _, e := range tree.Entries() {
			t.Run(tc.name+"/"+e.Name, func(t *testing.T) {
				make := func(n int, seed uint64) core.Data {
					v := rows(n, seed)
					d := core.Data{X: v.Table, Y: make([]float64, n)}
					for i := range n {
						d.Y[i] = float64(v.Table.Col(0)[i])
					}
					return d
				}
				train, stop := make(n, 1), make(40, 2)
				tc.change(&train, &stop)
				var got *ensemble.Ensemble
				err := safely(func() (err error) {
					got, err = numbers(e.Name, train, stop)
					return err
				})
				if tc.want != nil && !(tc.boost && e.Family != "boosting") {
					says(t, err, tc.want...)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				m, err := ensemble.NewModel(got)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := m.Raw(context.Background(), train.X, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i, s := range raw {
					if math.IsNaN(s) || math.IsInf(s, 0) {
						t.Fatalf("row %d has the score %v", i, s)
					}
					if tc.name == "all equal" && math.Abs(s-2.5) > 1e-6 {
						t.Fatalf("row %d has the score %v, want that of all, 2.5", i, s)
					}
				}
			})
		}
	}
}

func TestPredictionRefusesOtherColumns(t *testing.T) {
	for _, e := range tree.Entries() {
		f, err := small(t, e).Fit(context.Background(), badEnv(), rows(120, 1), view.View{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			name   string
			change func(v *view.View)
			want   []string // nil: it succeeds
		}{
			{"a column less", func(v *view.View) { v.Table = view.NewTable(5, []string{"a", "b", "c"}) }, []string{`"d"`, "missing"}},
			{"a column more", func(v *view.View) { v.Table = view.NewTable(5, []string{"a", "b", "c", "d", "e"}) }, []string{`"e"`, "unknown"}},
			{"another name", func(v *view.View) { v.Table.Names[1] = "x" }, []string{`"b"`, "missing"}},
			{"another order", func(v *view.View) { v.Table.Names[0], v.Table.Names[1] = "b", "a" }, []string{"column 0", `"b"`, `"a"`}},
			{"infinite feature", func(v *view.View) { v.Table.Col(2)[4] = float32(math.Inf(-1)) }, []string{`"c"`, "row 4", "-Inf"}},
			{"no table", func(v *view.View) { v.Table = nil }, []string{"no table"}},
			{"no rows", func(v *view.View) { *v = rows(0, 1) }, nil},
			{"nothing but missing values", func(v *view.View) {
				for i := range v.Table.Data {
					v.Table.Data[i] = float32(math.NaN())
				}
			}, nil},
		} {
			t.Run(tc.name+"/"+e.Name, func(t *testing.T) {
				v := rows(5, 3)
				tc.change(&v)
				var p model.Prediction
				err := safely(func() error { return f.Predict(context.Background(), v, &p) })
				if tc.want != nil {
					says(t, err, tc.want...)
					return
				}
				if err == nil {
					err = p.Check()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A file that was cut or of which one bit was turned is refused, wherever that
// happened; its digest covers all of it.
func TestDamagedModelFiles(t *testing.T) {
	for _, e := range tree.Entries() {
		t.Run(e.Name, func(t *testing.T) {
			f, err := small(t, e).Fit(context.Background(), badEnv(), rows(120, 1), view.View{})
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := f.Encode(&file); err != nil {
				t.Fatal(err)
			}
			read := func(b []byte) error {
				return safely(func() error {
					_, err := e.Decode(bytes.NewReader(b))
					return err
				})
			}
			whole := file.Bytes()
			if err := read(whole); err != nil {
				t.Fatal(err)
			}
			for i := range whole {
				if i%3 == 0 || i < 64 {
					if err := read(whole[:i]); err == nil || strings.Contains(err.Error(), "PANIC") {
						t.Fatalf("%d of %d bytes: %v", i, len(whole), err)
					}
				}
				damaged := bytes.Clone(whole)
				damaged[i] ^= 1 << (i % 8)
				if err := read(damaged); err == nil || strings.Contains(err.Error(), "PANIC") {
					t.Fatalf("a bit of byte %d of %d: %v", i, len(whole), err)
				}
			}
			if err := read(append(bytes.Clone(whole), 0)); err == nil {
				t.Error("a byte after the end was accepted")
			}
		})
	}
}
