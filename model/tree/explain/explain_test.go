package explain_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/explain"
	"github.com/mlfactory/mlfactory/view"
)

// near compares with a bound relative to the size of what was added.
func near(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	for i, g := range got {
		if !(math.Abs(g-want[i]) <= bound) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, g, want[i])
		}
	}
}

func scale(e *ensemble.Ensemble) float64 {
	if e.Mean {
		return 1 / float64(len(e.Trees))
	}
	return 1
}

// TestPathIsShapley compares contributions, interactions and bias with all
// coalitions, and the sum with the raw score.
func TestPathIsShapley(t *testing.T) {
	ctx := context.Background()
	for i, s := range kinds {
		t.Run(s.name, func(t *testing.T) {
			r := random(uint64(i))
			e := s.make(r)
			m, err := ensemble.NewModel(e)
			check(t, err)
			x, err := explain.NewPath(m, explain.ByStyle)
			check(t, err)
			tab := s.table(r, e, 5)
			got, err := x.Rows(ctx, tab, 2)
			check(t, err)
			inter, err := x.Interactions(ctx, tab, 2)
			check(t, err)
			raw := make([]float64, s.scores)
			for i := range tab.N {
				xs := row(tab, i)
				check(t, m.RawRow(xs, raw))
				for c := range s.scores {
					phi, pairs := shapley(s.columns, func(known uint) float64 {
						v := 0.0
						for k := range e.Trees {
							v += value(e, &e.Trees[k], 0, xs, known, c) * scale(e)
						}
						return v
					})
					// The bound: sums of some hundred leaves of size 1, weights of up to 2^12 coalitions.
					near(t, fmt.Sprintf("row %d score %d", i, c), got.Of(i, c)[:s.columns], phi, 1e-12)
					sum := 0.0
					for _, v := range got.Of(i, c) {
						sum += v
					}
					near(t, "sum", []float64{sum}, raw[c:], map[bool]float64{false: 1e-12, true: 1e-5}[s.single])
					w := s.columns + 1
					for j := range s.columns {
						near(t, fmt.Sprintf("interactions of column %d", j), inter.Of(i, c)[j*w:j*w+s.columns], pairs[j], 1e-12)
					}
					if b := inter.Of(i, c)[w*w-1]; b != x.Bias()[c] {
						t.Errorf("bias %v among the interactions, want %v", b, x.Bias()[c])
					}
				}
			}
		})
	}
}

// TestPathIsClassic compares with the algorithm of the paper on larger trees.
func TestPathIsClassic(t *testing.T) {
	for i, s := range []kind{
		{name: "six levels", columns: 30, trees: 20, scores: 1, depth: 6, full: true},
		{name: "few columns", columns: 4, trees: 10, scores: 3, depth: 8, full: true},
		{name: "deep", columns: 40, trees: 4, scores: 1, depth: 24},
	} {
		r := random(uint64(40 + i))
		e := s.make(r)
		m, err := ensemble.NewModel(e)
		check(t, err)
		x, err := explain.NewPath(m, explain.Cover)
		check(t, err)
		tab := s.table(r, e, 4)
		w := s.columns + 1
		out := make([]float64, s.scores*w)
		for i := range tab.N {
			xs := row(tab, i)
			check(t, x.Row(xs, out))
			for c := range s.scores {
				phi := make([]float64, s.columns)
				for k := range e.Trees {
					if t := &e.Trees[k]; t.Class == c {
						a := classic{e, t, xs, c, phi, func(i int32) float64 { return t.Nodes[i].Value }}
						a.node(0, nil, 1, 1, -1)
					}
				}
				// UNWIND subtracts and so loses digits: 1e-9 for 24 levels.
				near(t, s.name, out[c*w:c*w+s.columns], phi, 1e-9)
			}
		}
	}
}

// TestInterventionalIsShapley compares with all coalitions of every row with
// every background row.
func TestInterventionalIsShapley(t *testing.T) {
	ctx := context.Background()
	for i, s := range kinds[:6] {
		r := random(uint64(20 + i))
		e := s.make(r)
		m, err := ensemble.NewModel(e)
		check(t, err)
		back, tab := s.table(r, e, 6), s.table(r, e, 4)
		x, err := explain.NewInterventional(m, back)
		check(t, err)
		got, err := x.Rows(ctx, tab, 2)
		check(t, err)
		one := make([]float64, s.scores)
		for i := range tab.N {
			xs := row(tab, i)
			for c := range s.scores {
				phi, _ := shapley(s.columns, func(known uint) float64 {
					v := 0.0
					for b := range back.N {
						mixed := row(back, b)
						for j := range mixed {
							if known>>j&1 == 1 {
								mixed[j] = xs[j]
							}
						}
						e.Score(mixed, one)
						v += one[c] / float64(back.N)
					}
					return v
				})
				bound := map[bool]float64{false: 1e-12, true: 1e-5}[s.single] // the score is a float32 there
				near(t, s.name, got.Of(i, c)[:s.columns], phi, bound)
				sum := 0.0
				for _, v := range got.Of(i, c) {
					sum += v
				}
				check(t, m.RawRow(xs, one))
				near(t, s.name+" sum", []float64{sum}, one[c:], bound)
			}
		}
		if _, err := x.Interactions(ctx, tab, 1); err == nil {
			t.Error("interactions against a background")
		}
	}
}

// TestWorkers: one row alone, blocks and any number of workers give the same
// bits.
func TestWorkers(t *testing.T) {
	ctx := context.Background()
	s := kinds[0]
	r := random(7)
	e := s.make(r)
	m, err := ensemble.NewModel(e)
	check(t, err)
	tab := s.table(r, e, 100)
	path, err := explain.NewPath(m, explain.ByStyle)
	check(t, err)
	inter, err := explain.NewInterventional(m, s.table(r, e, 7))
	check(t, err)
	for _, x := range []*explain.Explainer{path, inter} {
		want, err := x.Rows(ctx, tab, 1)
		check(t, err)
		for _, workers := range []int{0, 2, 5, 64} {
			got, err := x.Rows(ctx, tab, workers)
			check(t, err)
			near(t, fmt.Sprintf("%d workers", workers), got.Values, want.Values, 0)
		}
		out := make([]float64, 3*(s.columns+1))
		for i := range tab.N {
			check(t, x.Row(row(tab, i), out))
			near(t, "one row", out, want.Values[i*len(out):], 0)
		}
	}
}

func TestMeanAbsolute(t *testing.T) {
	c := &explain.Contributions{Rows: 2, Scores: 1, Columns: []string{"a", "b"}, Values: []float64{1, -2, 9, -3, 0, 9}}
	if got := c.MeanAbsolute(0); got[0] != 2 || got[1] != 1 {
		t.Errorf("mean absolute contributions %v, want [2 1]", got)
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	s := kinds[0]
	r := random(9)
	e := s.make(r)
	m, err := ensemble.NewModel(e)
	check(t, err)
	tab := s.table(r, e, 3)
	x, err := explain.NewPath(m, explain.ByStyle)
	check(t, err)
	want := func(err error, part string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %q", err, part)
		}
	}
	bad := s.table(r, e, 3)
	bad.Col(2)[1] = float32(math.Inf(-1))
	_, err = x.Rows(ctx, bad, 1)
	want(err, `column "c2" row 1 is -Inf`)
	_, err = explain.NewInterventional(m, bad)
	want(err, `column "c2" row 1 is -Inf`)
	_, err = explain.NewInterventional(m, view.NewTable(0, e.Columns))
	want(err, "no background rows")
	_, err = x.Rows(ctx, tab.Columns([]int{0, 1}), 1)
	want(err, "is missing")
	want(x.Row(row(bad, 1), make([]float64, 27)), "-Inf")
	want(x.Row(row(tab, 1), make([]float64, 26)), "want 9 for each of 3 scores")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = x.Rows(stopped, tab, 2)
	want(err, "canceled")
	e2 := s.make(random(10))
	for i := range e2.Trees[4].Nodes {
		e2.Trees[4].Nodes[i].Count = 0
	}
	m2, err := ensemble.NewModel(e2)
	check(t, err)
	_, err = explain.NewPath(m2, explain.Count)
	want(err, "tree 4: node 0 has children of row count 0 and 0")
}
