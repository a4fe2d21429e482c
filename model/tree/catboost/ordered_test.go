package catboost

import (
	"fmt"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// toy makes rows of three columns and a label of two classes.
func toy(n int) core.Data {
	d := core.Data{X: view.NewTable(n, []string{"a", "b", "c"}), Y: make([]float64, n)}
	r := rng.New(9).Rand()
	for i := range n {
		for j := range 3 {
			d.X.Col(j)[i] = float32(r.NormFloat64())
		}
		if d.X.Col(0)[i]*d.X.Col(1)[i]+float32(r.NormFloat64()) > 0 {
			d.Y[i] = 1
		}
	}
	return d
}

func TestOrderedBounds(t *testing.T) {
	for _, c := range []struct {
		n    int
		mul  float64
		want string
	}{
		{1, 2, "[[1 1]]"},
		{2, 2, "[[1 2]]"},
		{10, 2, "[[1 2] [2 4] [4 8] [8 10]]"},
		{1000, 2, "[[20 40] [40 80] [80 160] [160 320] [320 640] [640 1000]]"},
		{10000, 4, "[[100 400] [400 1600] [1600 6400] [6400 10000]]"},
	} {
		if got := fmt.Sprint(orderedBounds(c.n, c.mul)); got != c.want {
			t.Errorf("%d rows by %v: %s, want %s", c.n, c.mul, got, c.want)
		}
	}
}

// TestOrderedScoresComeFromEarlierRows: with has_time, given the same trees, the
// score by which a row's gradient is taken does not move when its own target or
// any later one changes, and does when an earlier one of the body changes.
func TestOrderedScoresComeFromEarlierRows(t *testing.T) {
	const n = 700
	c := Default()
	c.Loss, c.BoostingType, c.HasTime, c.LearningRate, c.LeafIterations = Logloss, inOrder, true, 0.3, 3
	run := func(from int) []part {
		d := toy(n)
		for i := from; i < n; i++ {
			d.Y[i] = 1 - d.Y[i]
		}
		tr, err := newTrainer(model.Env{Stream: rng.New(1), Workers: 2}, d, c, false, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f := tr.folds[0]
		for round := range 5 { // trees of four leaves by fixed columns
			leaf := make([]uint16, n)
			for i := range leaf {
				if d.X.Col(round % 3)[i] > 0.2 {
					leaf[i]++
				}
				if d.X.Col((round + 1) % 3)[i] > -0.3 {
					leaf[i] += 2
				}
			}
			rows, leaves := arrange(f.perm, leaf, 4)
			tr.advance(f, rows, leaves)
		}
		return f.parts
	}
	base := run(n)
	for _, from := range []int{1, 14, 100, 300, 699} {
		moved := false
		for p, q := range run(from) {
			for i := range q.score {
				same := math.Float64bits(q.score[i]) == math.Float64bits(base[p].score[i])
				if i >= q.body && q.body <= from && !same {
					t.Fatalf("targets from row %d on move the score of row %d in the part whose body has %d rows", from, i, q.body)
				}
				moved = moved || !same
			}
		}
		if from < 400 && !moved {
			t.Errorf("targets from row %d on move nothing at all", from)
		}
	}
}

// TestOrderedScoreByHand: two portions, one column, one level, computed in
// plain arithmetic.
func TestOrderedScoreByHand(t *testing.T) {
	const n = 40
	c := Default()
	c.Loss, c.BoostingType, c.HasTime, c.BootstrapType, c.RandomStrength, c.Depth = RMSE, inOrder, true, none, 0, 1
	c.FoldLenMultiplier, c.BoostFromAverage, c.LearningRate = 5, no, 0.1
	d := core.Data{X: view.NewTable(n, []string{"a"}), Y: make([]float64, n)}
	for i := range n {
		d.X.Col(0)[i] = float32(i * 7 % n)
		d.Y[i] = float64(i*i%17) - 8
	}
	tr, err := newTrainer(model.Env{Stream: rng.New(1), Workers: 1}, d, c, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := tr.folds[0]
	f.gr.Idx = append(f.gr.Idx[:0], f.perm...)
	tr.prepareOrdered(f, 0)
	f.gr.growOrdered(0, rng.New(1))
	got := f.gr.best[0]
	best, at := math.Inf(-1), -1
	for b := range n - 1 {
		num, den := 0.0, 1e-100
		for _, p := range orderedBounds(n, 5) {
			for side := range 2 {
				var sum, count, tail, weight float64
				for i := range p[1] {
					if (d.X.Col(0)[i] > float32(b)) != (side == 1) {
						continue
					}
					if i < p[0] {
						sum, count = sum+d.Y[i], count+1
					} else {
						tail, weight = tail+d.Y[i], weight+1
					}
				}
				if count > 0 {
					v := sum / (count + 3)
					num, den = num+v*tail, den+v*v*weight
				}
			}
		}
		if s := num / math.Sqrt(den); s > best {
			best, at = s, b+1
		}
	}
	if got.bin != at || math.Abs(got.score-best) > 1e-6*math.Abs(best) {
		t.Errorf("the best split is after bin %d with score %v, want %d with %v", got.bin, got.score, at, best)
	}
}
