// Package treetest has what the tests of the tree styles share: data whose law is
// known, fits that end the test on an error, folds, and the laws that hold for
// every style alike. It is for tests only.
package treetest

import (
	"bytes"
	"context"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Env has a stream of its own and some workers.
func Env(workers int) model.Env { return model.Env{Stream: rng.New(1), Workers: workers} }

// Fit fits a learner, whose models are ensembles; err is what making it gave.
func Fit(t testing.TB, l model.Learner, err error, env model.Env, train, stop view.View) *ensemble.Model {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), env, train, stop)
	if err != nil {
		t.Fatal(err)
	}
	return f.(*ensemble.Model)
}

// File is what a model or an ensemble writes.
func File(t testing.TB, f interface{ Encode(w io.Writer) error }) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Probs are the probabilities of the rows of v.
func Probs(t testing.TB, f model.Fitted, v view.View) []float64 {
	t.Helper()
	var p model.Prediction
	if err := f.Predict(context.Background(), v, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p.Prob
}

// LogLoss is the mean log-loss of probabilities.
func LogLoss(p []float64, class []int8) float64 {
	s := 0.0
	for i, c := range class {
		s -= math.Log(p[i*model.K+model.ClassIndex(c)])
	}
	return s / float64(len(class))
}

// Prior is the mean log-loss on the rows of test of the class shares of train.
func Prior(train, test view.View) float64 {
	var count [model.K]float64
	for _, c := range train.Class {
		count[model.ClassIndex(c)]++
	}
	s := 0.0
	for _, c := range test.Class {
		s -= math.Log(count[model.ClassIndex(c)] / float64(len(train.Class)))
	}
	return s / float64(len(test.Class))
}

// SameTrees reports the first tree of two ensembles that differs.
func SameTrees(t testing.TB, what string, got, want []ensemble.Tree) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d trees, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !slices.Equal(got[i].Nodes, want[i].Nodes) || !slices.Equal(got[i].Values, want[i].Values) {
			t.Errorf("%s: tree %d differs", what, i)
			return
		}
	}
}

// Workers are the numbers of workers at which a model must be the same.
func Workers() []int { return []int{1, 2, 4, 8} }

// UpTo lists lo to hi−1.
func UpTo(lo, hi int) []int {
	var out []int
	for i := lo; i < hi; i++ {
		out = append(out, i)
	}
	return out
}

// Folds are k purged folds of n rows; the last tenth of the training rows, apart
// from the rest, stops.
func Folds(n, k int) []core.Fold {
	const purge = 7
	var out []core.Fold
	for i := range k {
		var f core.Fold
		for r := range n {
			switch {
			case r >= n*i/k && r < n*(i+1)/k:
				f.Test = append(f.Test, r)
			case r < n*i/k-purge || r >= n*(i+1)/k+purge:
				f.Train = append(f.Train, r)
			}
		}
		m := len(f.Train) * 9 / 10
		f.Train, f.Stop = f.Train[:m:m], f.Train[m+purge:]
		out = append(out, f)
	}
	return out
}

// Pairs are the combinatorial folds that hold out two of k groups.
func Pairs(n, k int) []core.Fold {
	var out []core.Fold
	for a := range k {
		for b := range a {
			var f core.Fold
			for r := range n {
				if g := r * k / n; g == a || g == b {
					f.Test = append(f.Test, r)
				} else {
					f.Train = append(f.Train, r)
				}
			}
			out = append(out, f)
		}
	}
	return out
}

// SeparateFits holds a cross-validation of three classes to what fits of the
// rows of each fold alone predict, bit for bit, and for several numbers of
// workers. all runs it; alone fits a table of rows that was never seen together
// with others.
func SeparateFits(t *testing.T, d core.Data, folds []core.Fold,
	all func(env model.Env) ([]core.Held, error), alone func(env model.Env, train, stop core.Data) (*ensemble.Ensemble, error)) {
	t.Helper()
	var first []core.Held
	for _, workers := range []int{1, 3} {
		held, err := all(Env(workers))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = held
		}
		for i, f := range folds {
			if !slices.Equal(held[i].Raw, first[i].Raw) || !slices.Equal(held[i].Prob, first[i].Prob) || held[i].Trees != first[i].Trees {
				t.Fatalf("fold %d depends on the number of workers", i)
			}
			if len(held[i].Raw) != 3*len(f.Test) || len(held[i].Prob) != len(held[i].Raw) {
				t.Fatalf("fold %d: %d scores and %d probabilities for %d rows", i, len(held[i].Raw), len(held[i].Prob), len(f.Test))
			}
		}
	}
	for i, f := range folds {
		part := func(rows []int) core.Data {
			o := core.Data{X: d.X.Select(rows), Classes: 3}
			for _, r := range rows {
				o.Y, o.Weight = append(o.Y, d.Y[r]), append(o.Weight, d.Weight[r])
			}
			return o
		}
		e := Env(2)
		e.Stream = e.Stream.Stream("fold", i)
		var stop core.Data
		if len(f.Stop) > 0 {
			stop = part(f.Stop)
		}
		m, err := alone(e, part(f.Train), stop)
		if err != nil {
			t.Fatal(err)
		}
		held, err := core.Hold(context.Background(), m, d.X, f.Test)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(held.Raw, first[i].Raw) {
			t.Errorf("fold %d: a fit of its rows alone predicts otherwise", i)
		}
	}
}
