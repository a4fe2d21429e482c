package nn

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// valued has the target 50 + 20·|a| + 3·noise, meta labels of large targets and
// returns that follow the sign of b.
func valued(n int, seed uint64) view.View {
	r := rand.New(rand.NewPCG(seed, 31))
	v := view.View{Table: view.NewTable(n, []string{"a", "b", "c"}), Class: make([]int8, n), Target: make([]float64, n),
		NetLong: make([]float64, n), NetShort: make([]float64, n)}
	for i := range n {
		for j := range 3 {
			v.Table.Col(j)[i] = float32(r.NormFloat64() * 3)
		}
		a := math.Abs(float64(v.Table.Col(0)[i])) / 3
		v.Target[i] = 50 + 20*a + 3*r.NormFloat64()
		if a > 0.67 {
			v.Class[i] = 1
		}
		x := 0.001 * (math.Copysign(0.5, float64(v.Table.Col(1)[i])) + r.NormFloat64())
		v.NetLong[i], v.NetShort[i] = x-0.0001, -x-0.0001
	}
	return v
}

// perceptron is a small configuration.
func perceptron(change func(c *MLP)) *MLP {
	c := DefaultMLP()
	c.Epochs, c.Patience, c.Hidden, c.Batch, c.LearningRate, c.Dropout = 20, 20, 32, 64, 5e-3, 0
	change(&c)
	return &c
}

func predicted(t *testing.T, m model.Fitted, v view.View) *model.Prediction {
	t.Helper()
	p := &model.Prediction{}
	if err := m.Predict(context.Background(), v, p); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

// encoded is a model's file.
func encoded(t *testing.T, m model.Fitted) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tasks are the tasks and losses with the prediction that each promises.
func tasks() map[string]struct {
	change func(c *MLP)
	good   func(p *model.Prediction, v view.View) (float64, bool)
} {
	binary := func(p *model.Prediction, v view.View) (float64, bool) {
		loss := 0.0
		for i, c := range v.Class {
			if p.Row(i)[0] != 0 {
				return p.Row(i)[0], false
			}
			loss -= math.Log(p.Row(i)[model.ClassIndex(c)]) / float64(p.N)
		}
		return loss, loss < 0.25
	}
	squared := func(p *model.Prediction, v view.View) (float64, bool) {
		sum := 0.0
		for i, y := range v.Target {
			sum += math.Pow(y-p.Mean[i], 2) / float64(p.N)
		}
		return sum, sum < 13 && p.K == 0 // the noise has 9, the target 154
	}
	// earned is the mean return of positions over its deviation; sign(b) has 0.45.
	earned := func(position func(i int) float64, v view.View) (float64, bool) {
		sum, square := 0.0, 0.0
		for i := range v.NetLong {
			r := position(i) * (v.NetLong[i] - v.NetShort[i]) / 2
			sum += r
			square += r * r
		}
		n := float64(v.Len())
		ratio := sum / n / math.Sqrt(square/n-sum*sum/n/n)
		return ratio, ratio > 0.38
	}
	return map[string]struct {
		change func(c *MLP)
		good   func(p *model.Prediction, v view.View) (float64, bool)
	}{
		"binary": {func(c *MLP) { c.Task = "binary" }, binary},
		"focal": {func(c *MLP) { c.Task, c.Loss = "binary", "focal" }, func(p *model.Prediction, v view.View) (float64, bool) {
			loss, _ := binary(p, v)
			return loss, loss < 0.35 // focal loss shrinks probabilities
		}},
		"mse":   {func(c *MLP) { c.Task = "regression" }, squared},
		"huber": {func(c *MLP) { c.Task, c.Loss, c.HuberDelta = "regression", "huber", 0.5 }, squared},
		"quantiles": {func(c *MLP) { c.Task = "quantiles" }, func(p *model.Prediction, v view.View) (float64, bool) {
			inside := 0.0
			for i, y := range v.Target {
				if q := p.QuantilesRow(i); q[0] < y && y < q[2] {
					inside += 1 / float64(p.N)
				}
			}
			return inside, math.Abs(inside-0.8) < 0.08 && slices.Equal(p.Levels, []float64{0.1, 0.5, 0.9})
		}},
		"sharpe of classes": {func(c *MLP) { c.Loss, c.Order, c.Batch = "sharpe", "blocks", 200 }, func(p *model.Prediction, v view.View) (float64, bool) {
			return earned(func(i int) float64 { return p.Row(i)[2] - p.Row(i)[0] }, v)
		}},
		"sharpe of a position": {func(c *MLP) { c.Task, c.Loss, c.Order, c.Batch = "regression", "sharpe", "blocks", 200 }, func(p *model.Prediction, v view.View) (float64, bool) {
			return earned(func(i int) float64 { return p.Mean[i] }, v)
		}},
	}
}

// Each task learns what it promises, gives the same bytes for any number of
// workers, and predicts the same after a file and in single rows.
func TestTasks(t *testing.T) {
	notUnderRace(t)
	for name, c := range tasks() {
		t.Run(name, func(t *testing.T) {
			train, stop, test := valued(1500, 1), valued(400, 2), valued(1000, 3)
			if name == "sharpe of a position" {
				for _, v := range []view.View{train, stop, test} {
					copy(v.Target, v.NetLong)
				}
			}
			e := mlpEntry()
			l, err := e.New(perceptron(func(x *MLP) { c.change(x); x.Seeds = 2 }))
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			var m model.Fitted
			for _, workers := range []int{1, 2, 4} {
				if m, err = l.Fit(context.Background(), model.Env{Stream: rng.New(7), Workers: workers}, train, stop); err != nil {
					t.Fatal(err)
				}
				if b := encoded(t, m); want != nil && !bytes.Equal(b, want) {
					t.Fatalf("%d workers: other bytes", workers)
				} else {
					want = b
				}
			}
			p := predicted(t, m, test)
			if score, ok := c.good(p, test); !ok {
				t.Errorf("score %v", score)
			}
			again, err := e.Decode(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			if q := predicted(t, again, test); !slices.Equal(p.Prob, q.Prob) || !slices.Equal(p.Mean, q.Mean) || !slices.Equal(p.Quantiles, q.Quantiles) {
				t.Error("a file changes the predictions")
			}
			all := slices.Concat(p.Prob, p.Mean, p.Quantiles)
			k := len(all) / p.N
			row := make([]float64, k)
			x := []float32{test.Table.Col(0)[5], test.Table.Col(1)[5], test.Table.Col(2)[5]}
			if err := again.(*predictor).PredictRow(x, row); err != nil || !slices.Equal(row, all[5*k:6*k]) {
				t.Errorf("row %v, want %v, %v", row, all[5*k:6*k], err)
			}
			// Curves come back from the file.
			curves := again.(model.Learnt).Curves()
			if len(curves) != 2 || len(curves[1].Epochs) != 20 || curves[0].Best == 0 || curves[0].Epochs[3].Stop == nil {
				t.Errorf("curves %+v", curves)
			}
		})
	}
}

// What does not fit the task is refused with the row or key at fault.
func TestTasksRefuse(t *testing.T) {
	notUnderRace(t)
	for name, c := range map[string]struct {
		change func(c *MLP)
		spoil  func(train, stop *view.View)
		want   string
	}{
		"binary with three classes":          {func(c *MLP) { c.Task = "binary" }, func(v, _ *view.View) { v.Class[9] = -1 }, "the task binary takes two classes"},
		"binary with one class":              {func(c *MLP) { c.Task = "binary" }, func(v, _ *view.View) { clear(v.Class) }, "one class"},
		"binary, another class to stop":      {func(c *MLP) { c.Task = "binary" }, func(_, s *view.View) { s.Class[3] = -1 }, "stop row 3 has class -1"},
		"regression without targets":         {func(c *MLP) { c.Task = "regression" }, func(v, _ *view.View) { v.Target = nil }, "no targets"},
		"regression without targets to stop": {func(c *MLP) { c.Task = "regression" }, func(_, s *view.View) { s.Target = nil }, "stop view has no targets"},
		"a target that is missing":           {func(c *MLP) { c.Task = "regression" }, func(v, _ *view.View) { v.Target[7] = math.NaN() }, "row 7 has target NaN"},
		"a stop target that is infinite":     {func(c *MLP) { c.Task = "quantiles" }, func(_, s *view.View) { s.Target[2] = math.Inf(1) }, "row 2 has the target"},
		"one target":                         {func(c *MLP) { c.Task = "quantiles" }, func(v, _ *view.View) { clear(v.Target) }, "one target"},
		"sharpe without returns":             {func(c *MLP) { c.Loss, c.Order = "sharpe", "blocks" }, func(v, _ *view.View) { v.NetLong = nil }, "needs the returns"},
		"a loss of another task":             {func(c *MLP) { c.Loss = "mse" }, func(_, _ *view.View) {}, "loss: mse"},
	} {
		train, stop := valued(200, 1), valued(50, 2)
		c.spoil(&train, &stop)
		l, err := mlpEntry().New(perceptron(func(x *MLP) { x.Epochs, x.Patience = 1, 1; c.change(x) }))
		if err == nil {
			_, err = l.Fit(context.Background(), model.Env{Stream: rng.New(7), Workers: 1}, train, stop)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// keepMemory is a checkpoint in memory that ends a fit after so many states.
type keepMemory struct {
	states map[string][]byte
	left   int
	end    context.CancelFunc
}

func (m *keepMemory) Load(name string) ([]byte, error) { return m.states[name], nil }

func (m *keepMemory) Save(name string, state []byte) error {
	m.states[name] = slices.Clone(state)
	if m.left--; m.left == 0 {
		m.end()
	}
	return nil
}

// A fit of several seeds that is ended at any epoch of any seed and taken up again
// gives the bytes of one that went through; with other rows it starts afresh.
func TestFitsResume(t *testing.T) {
	cfg := perceptron(func(c *MLP) { c.Epochs, c.Patience, c.Seeds, c.Dropout = 3, 3, 3, 0.2 })
	l, err := mlpEntry().New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	train, stop := interaction(300, 1), interaction(100, 2)
	fit := func(ctx context.Context, c model.Checkpoint, v view.View) (model.Fitted, error) {
		return l.Fit(ctx, model.Env{Stream: rng.New(7), Workers: 1, Checkpoint: c}, v, stop)
	}
	through, err := fit(context.Background(), nil, train)
	if err != nil {
		t.Fatal(err)
	}
	want := encoded(t, through)
	for left := 1; left <= 9; left++ {
		ctx, cancel := context.WithCancel(context.Background())
		kept := &keepMemory{map[string][]byte{}, left, cancel}
		if _, err := fit(ctx, kept, train); left < 9 && !errors.Is(err, context.Canceled) {
			t.Fatalf("ended at state %d: %v", left, err)
		}
		again, err := fit(context.Background(), kept, train)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encoded(t, again), want) {
			t.Fatalf("ended at state %d and taken up: other bytes", left)
		}
		if len(kept.states) != 3 {
			t.Fatalf("%d states of 3 seeds", len(kept.states))
		}
		cancel()
	}
	kept := &keepMemory{states: map[string][]byte{}}
	if _, err := fit(context.Background(), kept, train); err != nil {
		t.Fatal(err)
	}
	moved := interaction(300, 1)
	moved.Table.Col(1)[17] += 0.5
	a, err := fit(context.Background(), nil, moved)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fit(context.Background(), kept, moved)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded(t, a), encoded(t, b)) {
		t.Error("a state of other rows was used")
	}
}
