package ensemble_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// table lays rows out by column.
func table(e *ensemble.Ensemble, rows [][]float32) *view.Table {
	t := view.NewTable(len(rows), e.Columns)
	for i, x := range rows {
		for j, v := range x {
			t.Col(j)[i] = v
		}
	}
	return t
}

// TestRawIsScore: single rows and tables give the bits of the plain walk.
func TestRawIsScore(t *testing.T) {
	for i, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			r := random(uint64(10 + i))
			e := s.make(r)
			m, err := ensemble.NewModel(e)
			check(t, err)
			rows := make([][]float32, 150) // two blocks and a part
			var want []float64
			for i := range rows {
				rows[i] = s.row(r, e)
				out := make([]float64, s.scores)
				e.Score(rows[i], out)
				want = append(want, out...)
				check(t, m.RawRow(rows[i], out))
				same(t, fmt.Sprintf("row %d", i), out, want[i*s.scores:])
			}
			got, err := m.Raw(context.Background(), table(e, rows), nil)
			check(t, err)
			same(t, "table", got, want)
			for _, n := range []int{1, 7, 31, 33, 64, 65} {
				got, err := m.Raw(context.Background(), table(e, rows[:n]), got)
				check(t, err)
				same(t, fmt.Sprintf("table of %d", n), got, want)
			}
			pick := map[string][]int{"none": {}, "a run": {}, "every other": {}, "runs with a gap": {}, "two of each ten swapped": {}}
			for i := range rows {
				if i >= 5 && i < 149 {
					pick["a run"] = append(pick["a run"], i)
				}
				if i%2 == 1 {
					pick["every other"] = append(pick["every other"], i)
				}
				if i != 70 {
					pick["runs with a gap"] = append(pick["runs with a gap"], i)
				}
				pick["two of each ten swapped"] = append(pick["two of each ten swapped"], i)
			}
			for swap := pick["two of each ten swapped"]; len(swap) > 0; swap = swap[10:] { // the ends of blocks stay where they are
				swap[4], swap[6] = swap[6], swap[4]
			}
			for name, of := range pick {
				got, err := m.RawOf(context.Background(), table(e, rows), of, nil)
				check(t, err)
				if len(got) != len(of)*s.scores {
					t.Fatalf("%s: %d scores for %d rows", name, len(got), len(of))
				}
				for k, r := range of {
					same(t, fmt.Sprintf("%s, row %d", name, r), got[k*s.scores:(k+1)*s.scores], want[r*s.scores:])
				}
			}
		})
	}
}

// same compares bits.
func same(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i, g := range got {
		if math.Float64bits(g) != math.Float64bits(want[i]) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, g, want[i])
		}
	}
}

// TestProbabilities: every link, by its formula.
func TestProbabilities(t *testing.T) {
	sigma := func(s float64) float64 { return 1 / (1 + math.Exp(-s)) }
	for _, c := range []struct {
		link   ensemble.Link
		scores []float64
		want   []float64
	}{
		{ensemble.Identity, []float64{3, -2}, []float64{3, -2}},
		{ensemble.Logistic, []float64{0.7}, []float64{1 - sigma(0.7), sigma(0.7)}},
		{ensemble.Logistic, []float64{-800}, []float64{1, 0}},
		{ensemble.Softmax, []float64{1, 2, 3}, []float64{0.09003057317038046, 0.24472847105479767, 0.6652409557748219}},
		{ensemble.Softmax, []float64{1000, 0}, []float64{1, 0}},
		{ensemble.OneVsAll, []float64{1, -1}, []float64{sigma(1) / (sigma(1) + sigma(-1)), sigma(-1) / (sigma(1) + sigma(-1))}},
		{ensemble.OneVsAll, []float64{-800, -800}, []float64{0.5, 0.5}},
		{ensemble.Shares, []float64{0.2, 0.6}, []float64{0.25, 0.75}},
		{ensemble.Shares, []float64{0, -1}, []float64{0.5, 0.5}},
	} {
		out := make([]float64, len(c.want))
		c.link.Probabilities(c.scores, out)
		for i := range out {
			if math.Abs(out[i]-c.want[i]) > 1e-15 { // a few roundings of values of at most 1
				t.Errorf("link %d of %v: %v, want %v", c.link, c.scores, out, c.want)
				break
			}
		}
	}
}

// TestPredict: classes are placed by what they are, rows and tables agree, and
// the file predicts the same.
func TestPredict(t *testing.T) {
	ctx := context.Background()
	for i, s := range shapes {
		e := s.make(random(uint64(30 + i)))
		m, err := ensemble.NewModel(e)
		check(t, err)
		var out model.Prediction
		rows := [][]float32{s.row(random(1), e), s.row(random(2), e), s.row(random(3), e)}
		v := view.View{Table: table(e, rows)}
		if e.Classes == nil {
			if err := m.Predict(ctx, v, &out); err == nil || !strings.Contains(err.Error(), "without classes") {
				t.Errorf("%s: %v", s.name, err)
			}
			var b bytes.Buffer
			check(t, m.Encode(&b))
			if _, err := ensemble.DecodeFitted(&b); err == nil {
				t.Errorf("%s: a model without classes is a classifier", s.name)
			}
			continue
		}
		check(t, m.Predict(ctx, v, &out))
		check(t, out.Check())
		two, err := m.Probabilities(ctx, v.Table, nil)
		check(t, err)
		var b bytes.Buffer
		check(t, m.Encode(&b))
		back, err := ensemble.DecodeFitted(&b)
		check(t, err)
		var again model.Prediction
		check(t, back.Predict(ctx, v, &again))
		same(t, s.name+" decoded", again.Prob, out.Prob)
		for i, x := range rows {
			row := make([]float64, 3)
			check(t, m.PredictRow(x, row))
			same(t, s.name, row, out.Row(i))
			if s.link == ensemble.Logistic && (row[1] != 0 || row[0] != two[2*i] || row[2] != two[2*i+1]) {
				t.Errorf("%s: classes -1 and 1 with %v give %v", s.name, two[2*i:2*i+2], row)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	s := shapes[3]
	e := s.make(random(5))
	m, err := ensemble.NewModel(e)
	check(t, err)
	rows := [][]float32{s.row(random(1), e), s.row(random(2), e)}
	wantError := func(err error, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if err == nil || !strings.Contains(err.Error(), p) {
				t.Errorf("error %v lacks %q", err, p)
			}
		}
	}
	for _, c := range []struct {
		column int
		x      float64
		want   string
	}{{4, math.Inf(1), "+Inf; give NaN"}, {4, math.Inf(-1), "-Inf; give NaN"}, {3, -1, "whole number"}, {3, 0.5, "whole number"}, {3, 1 << 24, "whole number"}} {
		tab := table(e, rows)
		tab.Col(c.column)[1] = float32(c.x)
		_, err := m.Raw(ctx, tab, nil)
		wantError(err, fmt.Sprintf("column \"column %d\" row 1 is", c.column), c.want)
		x := append([]float32(nil), rows[1]...)
		x[c.column] = float32(c.x)
		wantError(m.RawRow(x, make([]float64, 2)), fmt.Sprintf("\"column %d\"", c.column), c.want)
	}
	far := make([][]float32, 40)
	for i := range far {
		far[i] = rows[0]
	}
	tab := table(e, far)
	tab.Col(4)[33] = float32(math.Inf(1))
	_, err = m.RawOf(ctx, tab, []int{1, 30, 33}, nil)
	wantError(err, "row 33 is +Inf")
	_, err = m.RawOf(ctx, tab, []int{32, 33}, nil)
	wantError(err, "row 33 is +Inf")
	_, err = m.RawOf(ctx, tab, []int{1, 40}, nil)
	wantError(err, "row 40 at position 1 of a table of 40 rows")
	_, err = m.RawOf(ctx, tab, []int{-1}, nil)
	wantError(err, "row -1 at position 0")
	tab = table(e, rows)
	tab.Names = append([]string(nil), tab.Names...)
	tab.Names[2] = "other"
	_, err = m.Raw(ctx, tab, nil)
	wantError(err, "column 2", "missing")
	_, err = m.Raw(ctx, nil, nil)
	wantError(err, "no table")
	wantError(m.RawRow(rows[0][1:], make([]float64, 2)), "11 values")
	wantError(m.RawRow(rows[0], make([]float64, 3)), "3 scores")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.Raw(stopped, table(e, rows), nil)
	wantError(err, "predicting row 0", "canceled")
}

func TestImportance(t *testing.T) {
	e := &ensemble.Ensemble{Columns: []string{"a", "b", "c"}, Base: []float64{0}, Trees: []ensemble.Tree{
		{Width: 1, Nodes: []ensemble.Node{{Feature: 2, Left: 1, Gain: 3, Cover: 10}, {Feature: 0, Left: 3, Gain: 1, Cover: 4}, {}, {}, {}}},
		{Width: 1, Nodes: []ensemble.Node{{Feature: 2, Left: 1, Gain: 4, Cover: 8}, {Cover: 99}, {}}},
	}}
	m, err := ensemble.NewModel(e)
	check(t, err)
	want := []ensemble.Importance{{"a", 1, 1, 4}, {"b", 0, 0, 0}, {"c", 2, 7, 18}}
	for j, im := range m.Importance() {
		if im != want[j] {
			t.Errorf("column %d: %+v, want %+v", j, im, want[j])
		}
	}
	share := ensemble.Normalised(m.Importance(), func(i ensemble.Importance) float64 { return i.Gain })
	if share[0] != 0.125 || share[1] != 0 || share[2] != 0.875 {
		t.Errorf("shares of gain %v", share)
	}
}

// TestPaths: the kernels of every path, and the way without them, give the
// bits of the plain walk.
func TestPaths(t *testing.T) {
	for i, s := range shapes {
		r := random(uint64(50 + i))
		e := s.make(r)
		var rows [][]float32
		for range 40 {
			rows = append(rows, s.row(r, e))
		}
		check2 := func(name string, m *ensemble.Model) {
			t.Helper()
			got, err := m.Raw(context.Background(), table(e, rows), nil)
			check(t, err)
			for i, x := range rows {
				want, row := make([]float64, s.scores), make([]float64, s.scores)
				e.Score(x, want)
				same(t, s.name+", block, "+name, got[i*s.scores:(i+1)*s.scores], want)
				check(t, m.RawRow(x, row))
				same(t, s.name+", row, "+name, row, want)
			}
		}
		m, err := ensemble.NewModel(e)
		check(t, err)
		for _, p := range simd.Supported() {
			t.Run(p.String(), func(t *testing.T) {
				simd.Force(t, p)
				check2(p.String(), m)
			})
		}
		check2("plain", ensemble.NewPlain(e))
	}
}

func TestNoAllocation(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for i, s := range shapes {
		e := s.make(random(uint64(70 + i)))
		m, err := ensemble.NewModel(e)
		check(t, err)
		x, out := s.row(random(1), e), make([]float64, s.scores)
		tab := table(e, [][]float32{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x})
		dst := make([]float64, 16*s.scores)
		check(t, m.RawRow(x, out))
		if n := testing.AllocsPerRun(50, func() { _ = m.RawRow(x, out) }); n != 0 {
			t.Errorf("%s: %v allocations a row", s.name, n)
		}
		if n := testing.AllocsPerRun(50, func() { _, _ = m.Raw(context.Background(), tab, dst) }); n > 1 { // the function that takes the blocks
			t.Errorf("%s: %v allocations a table", s.name, n)
		}
		if e.Classes == nil {
			continue
		}
		three := make([]float64, 3)
		if n := testing.AllocsPerRun(50, func() { _ = m.PredictRow(x, three) }); n != 0 {
			t.Errorf("%s: %v allocations a prediction", s.name, n)
		}
	}
}

// The size of the goal: 500 rounds of 3 classes, depth 6, 120 columns.
func BenchmarkPredict(b *testing.B) {
	for _, s := range []shape{
		{name: "xgboost", columns: 120, trees: 1500, scores: 3, link: ensemble.Softmax, depth: 6, levels: 255, single: true},
		{name: "xgboost-exact", columns: 120, trees: 1500, scores: 3, link: ensemble.Softmax, depth: 6, single: true, missing: 0.1},
		{name: "lightgbm", columns: 120, trees: 1500, scores: 3, link: ensemble.Softmax, depth: 10, ragged: true, levels: 255},
		{name: "catboost", columns: 120, trees: 500, scores: 3, link: ensemble.Softmax, vector: true, depth: 6, symmetric: true, levels: 255},
	} {
		r := random(1)
		e := s.make(r)
		m, err := ensemble.NewModel(e)
		if err != nil {
			b.Fatal(err)
		}
		var rows [][]float32
		for range 64 {
			rows = append(rows, s.row(r, e))
		}
		tab, dst, out := table(e, rows), make([]float64, 64*s.scores), make([]float64, s.scores)
		b.Run(s.name+"/make", func(b *testing.B) {
			shortest(b, 1, func(int) { _, _ = ensemble.NewModel(e) })
		})
		b.Run(s.name+"/row", func(b *testing.B) {
			shortest(b, 1, func(i int) { _ = m.RawRow(rows[i%64], out) })
		})
		b.Run(s.name+"/64", func(b *testing.B) {
			shortest(b, 64, func(int) { _, _ = m.Raw(context.Background(), tab, dst) })
		})
	}
}

// shortest reports the shortest time of a row, which other work on the machine
// does not lengthen.
func shortest(b *testing.B, rows int, f func(i int)) {
	best := time.Duration(math.MaxInt64)
	for i := range b.N {
		start := time.Now()
		f(i)
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(best.Nanoseconds())/float64(rows), "least-ns/row")
}
