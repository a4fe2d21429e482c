package xgboost_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/internal/treetest"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/view"
)

func TestLearnsAnInteractionOutOfSample(t *testing.T) {
	s := treetest.Synth(4000, 8, 1, 0, 0, 0.05)
	train, stop, test := s.Part(0, 2500), s.Part(2500, 3000), s.Part(3000, 4000)
	f := fit(t, xgboost.Default(), train, stop, 1)
	prior := treetest.Prior(train, test)
	if got := treetest.LogLoss(treetest.Probs(t, f, test), test.Class); got > prior-0.15 {
		t.Errorf("log-loss %.4f on fresh rows, the prior has %.4f: want 0.15 less", got, prior)
	}
	if n := rounds(f); n < 3 || n > 150 {
		t.Errorf("early stopping kept %d rounds of 300", n)
	}
}

func TestSameBytesForAnyNumberOfWorkers(t *testing.T) {
	s := treetest.Synth(17000, 37, 2, 0, 0, 0.05)
	c := small()
	c.Rounds, c.Subsample, c.ColsampleByTree = 5, 0.7, 0.6
	train, stop := s.Part(0, 16000), s.Part(16000, 17000)
	want := treetest.File(t, fit(t, c, train, stop, 1))
	for _, w := range []int{2, 3, 4, 8} {
		if !bytes.Equal(want, treetest.File(t, fit(t, c, train, stop, w))) {
			t.Errorf("%d workers give another model", w)
		}
	}
}

func TestSameBytesOnEveryKernelPath(t *testing.T) {
	s := treetest.Synth(3000, 20, 13, 0, 0, 0.05)
	v := s.Part(0, 3000)
	c := small()
	c.Rounds = 5
	simd.Force(t, simd.Generic)
	want := treetest.File(t, fit(t, c, v, v, 2))
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		if !bytes.Equal(want, treetest.File(t, fit(t, c, v, v, 2))) {
			t.Errorf("path %v gives another model than the generic one", p)
		}
	}
}

func TestZeroWeightIsARemovedRow(t *testing.T) {
	s := treetest.Synth(900, 6, 3, 0, 0, 0.1)
	full := s.Part(0, 900)
	full.Weight = make([]float64, 900)
	var kept []int
	for i := range full.Weight {
		if i%3 != 0 {
			full.Weight[i] = 0.5 + float64(i%5)
			kept = append(kept, i)
		} else if i%2 == 0 {
			// Extremes in removed rows must not move a bin edge.
			full.Table.Col(0)[i] = 1e6
			full.Table.Col(1)[i] = float32(math.Inf(1))
		}
	}
	less := view.View{Table: full.Table.Select(kept)}
	for _, i := range kept {
		less.Class = append(less.Class, full.Class[i])
		less.Weight = append(less.Weight, full.Weight[i])
	}
	c := small()
	c.Subsample, c.ColsampleByTree = 0.8, 0.7
	stop := s.Part(600, 900)
	stop.Weight = append([]float64(nil), full.Weight[600:900]...)
	stop.Table.Col(1)[0] = float32(math.Inf(1)) // weight 0 too
	var keptStop []int
	less2 := view.View{}
	for i, w := range stop.Weight {
		if w > 0 {
			keptStop = append(keptStop, i)
			less2.Class = append(less2.Class, stop.Class[i])
			less2.Weight = append(less2.Weight, w)
		}
	}
	less2.Table = stop.Table.Select(keptStop)
	if !bytes.Equal(treetest.File(t, fit(t, c, full, stop, 2)), treetest.File(t, fit(t, c, less, less2, 1))) {
		t.Error("a model with rows of weight 0 differs from one without these rows")
	}
}

// On few levels, where bins do not depend on counts, a row of weight 2 is two
// rows. Quantisation rounds the two cases differently, hence the tolerance.
func TestWeightTwoIsADuplicatedRow(t *testing.T) {
	s := treetest.Synth(600, 5, 4, 5, 0, 0.1)
	weighted := s.Part(0, 600)
	weighted.Weight = make([]float64, 600)
	var rows []int
	var double view.View
	for i := range weighted.Weight {
		weighted.Weight[i] = float64(1 + i%2)
		for range 1 + i%2 {
			rows = append(rows, i)
			double.Class = append(double.Class, s.Class[i])
		}
	}
	double.Table = s.X.Select(rows)
	a, b := fit(t, small(), weighted, view.View{}, 1), fit(t, small(), double, view.View{}, 1)
	p, q := treetest.Probs(t, a, weighted), treetest.Probs(t, b, weighted)
	for i := range p {
		if math.Abs(p[i]-q[i]) > 1e-5 {
			t.Fatalf("probability %d: %v with weight 2, %v with the row twice", i, p[i], q[i])
		}
	}
}

func TestEarlyStoppingUsesTheStopRowsOnly(t *testing.T) {
	s := treetest.Synth(1100, 5, 5, 0, 0, 0)
	train, stop := s.Part(0, 800), s.Part(800, 1100)
	c := small()
	c.Rounds, c.Eta, c.MaxDepth, c.EarlyStoppingRounds = 200, 0.4, 3, 8
	f := fit(t, c, train, stop, 1)
	best := rounds(f)
	// Without early stopping, the prefix of every length tells the loss; the
	// kept length must have the lowest.
	losses := make([]float64, 0, best+8)
	for r := 1; r <= best+8; r++ {
		d := c
		d.Rounds = r
		p := treetest.Probs(t, fit(t, d, train, view.View{}, 1), stop)
		losses = append(losses, treetest.LogLoss(p, stop.Class))
	}
	for r, l := range losses {
		if l < losses[best-1]-1e-12 {
			t.Errorf("%d rounds were kept at loss %.6f, but %d have %.6f", best, losses[best-1], r+1, l)
		}
	}
	// The trees themselves are those of the training rows.
	d := c
	d.Rounds = best
	if !bytes.Equal(treetest.File(t, f), treetest.File(t, fit(t, d, train, view.View{}, 1))) {
		t.Error("stop rows changed more than the number of rounds")
	}
	// Relabelled stop rows stop elsewhere.
	other := stop
	other.Class = make([]int8, len(stop.Class))
	for i, k := range stop.Class {
		other.Class[i] = -k
	}
	if n := rounds(fit(t, c, train, other, 1)); n >= best {
		t.Errorf("with turned labels %d rounds were kept, with true ones %d", n, best)
	}
	// A patience of 0 uses all rounds.
	c.Rounds, c.EarlyStoppingRounds = 40, 0
	if n := rounds(fit(t, c, train, other, 1)); n != 40 {
		t.Errorf("without early stopping %d of 40 rounds were kept", n)
	}
}

func TestMissingValuesTakeTheLearnedDirection(t *testing.T) {
	// Missing rows have the label of the large values in column a, of the small
	// ones in column b.
	x := view.NewTable(300, []string{"x"})
	for _, tc := range []struct {
		name  string
		class int8
	}{{"like the large", 1}, {"like the small", -1}} {
		v := view.View{Table: x, Class: make([]int8, 300)}
		for i := range 300 {
			switch i % 3 {
			case 0:
				x.Col(0)[i], v.Class[i] = float32(i), -1
			case 1:
				x.Col(0)[i], v.Class[i] = float32(1000+i), 1
			default:
				x.Col(0)[i], v.Class[i] = float32(math.NaN()), tc.class
			}
		}
		f := fit(t, small(), v, view.View{}, 1)
		var out [3]float64
		if err := f.PredictRow([]float32{float32(math.NaN())}, out[:]); err != nil {
			t.Fatal(err)
		}
		if out[model.ClassIndex(tc.class)] < 0.9 {
			t.Errorf("%s: a missing value has probabilities %v", tc.name, out)
		}
	}
	// Missing alone tells the class; no value can be split.
	v := view.View{Table: view.NewTable(100, []string{"x"}), Class: make([]int8, 100)}
	for i := range 100 {
		v.Class[i] = 1
		v.Table.Col(0)[i] = 7
		if i%2 == 0 {
			v.Class[i] = -1
			v.Table.Col(0)[i] = float32(math.NaN())
		}
	}
	f := fit(t, small(), v, view.View{}, 1)
	p := treetest.Probs(t, f, v)
	if p[0] < 0.9 || p[3+2] < 0.9 {
		t.Errorf("missing against present: probabilities %v and %v", p[:3], p[3:6])
	}
}

func TestConstantAndEmptyColumnsAreHarmless(t *testing.T) {
	s := treetest.Synth(500, 4, 6, 0, 0, 0)
	for i := range 500 {
		s.X.Col(1)[i] = 3
		s.X.Col(2)[i] = float32(math.NaN())
	}
	f := fit(t, small(), s.Part(0, 500), view.View{}, 1)
	for j, im := range f.Importance() {
		if (j == 1 || j == 2) != (im.Splits == 0) {
			t.Errorf("column %s has %d splits", im.Name, im.Splits)
		}
		if im.Splits > 0 && (im.Gain <= 0 || im.Cover <= 0) {
			t.Errorf("column %s: %+v", im.Name, im)
		}
	}
	// Only such columns: the model is the prior.
	f = fit(t, small(), view.View{Table: s.X.Columns([]int{1, 2}), Class: s.Class}, view.View{}, 1)
	var n [3]float64
	for _, c := range s.Class {
		n[model.ClassIndex(c)]++
	}
	p := treetest.Probs(t, f, view.View{Table: s.X.Columns([]int{1, 2})})
	for k := range 3 {
		if math.Abs(p[k]-n[k]/500) > 0.002 {
			t.Errorf("class %d has probability %v, its share is %v", k-1, p[k], n[k]/500)
		}
	}
}

func TestAbsentClass(t *testing.T) {
	s := treetest.Synth(600, 4, 7, 0, 0, 0)
	v := s.Part(0, 600)
	for i, c := range v.Class {
		if c == 1 {
			v.Class[i] = 0
		}
	}
	f := fit(t, small(), v, view.View{}, 1)
	p := treetest.Probs(t, f, v)
	for i := range 600 {
		if q := p[3*i+2]; !(q > 0 && q < 0.01) {
			t.Fatalf("row %d: the absent class has probability %v", i, q)
		}
	}
	c := small()
	c.Objective = core.Logistic
	f = fit(t, c, v, view.View{}, 1)
	p = treetest.Probs(t, f, v)
	for i := range 600 {
		if p[3*i+2] != 0 {
			t.Fatalf("row %d: binary:logistic gives the third class %v", i, p[3*i+2])
		}
	}
	if l := treetest.LogLoss(p, v.Class); l > 0.55 {
		t.Errorf("binary log-loss on the training rows %.3f", l)
	}
}

func TestCancelledContextStops(t *testing.T) {
	s := treetest.Synth(500, 4, 8, 0, 0, 0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := xgboost.New(small())
	if err != nil {
		t.Fatal(err)
	}
	e, rounds := treetest.Env(2), 0
	e.Progress = func(done, total int, note string) {
		rounds++
		if done != rounds || total != 20 {
			t.Errorf("progress %d of %d in call %d", done, total, rounds)
		}
		if done == 3 {
			cancel()
		}
	}
	if _, err = l.Fit(ctx, e, s.Part(0, 500), view.View{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit ended with %v", err)
	}
	if rounds != 3 {
		t.Errorf("%d rounds were made after the cancellation in round 3", rounds-3)
	}
	f := fit(t, small(), s.Part(0, 500), view.View{}, 1)
	if err := f.Predict(ctx, s.Part(0, 10), &model.Prediction{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Predict ended with %v", err)
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	base := func() (view.View, view.View) {
		s := treetest.Synth(100, 3, 9, 0, 0, 0)
		return s.Part(0, 80), s.Part(80, 100)
	}
	for _, tc := range []struct {
		name string
		make func(train, stop *view.View, c *xgboost.Config)
		want string
	}{
		{"one class", func(v, _ *view.View, _ *xgboost.Config) { clear(v.Class) }, "all 80 training rows have class 0;"},
		{"one class of two", func(v, _ *view.View, c *xgboost.Config) {
			for i := range v.Class {
				v.Class[i] = 1
			}
			c.Objective = core.Logistic
		}, "all 80 training rows have class 1;"},
		{"three classes for logistic", func(_, _ *view.View, c *xgboost.Config) { c.Objective = core.Logistic }, "three classes"},
		{"infinite", func(v, _ *view.View, _ *xgboost.Config) { v.Table.Col(1)[17] = float32(math.Inf(-1)) }, `training column "f1" row 17 is -Inf`},
		{"infinite stop", func(_, v *view.View, _ *xgboost.Config) { v.Table.Col(2)[3] = float32(math.Inf(1)) }, `stop column "f2" row 3 is +Inf`},
		{"negative weight", func(v, _ *view.View, _ *xgboost.Config) { v.Weight = make([]float64, 80); v.Weight[5] = -1 }, "training weight of row 5 is -1"},
		{"NaN weight", func(v, _ *view.View, _ *xgboost.Config) { v.Weight = make([]float64, 80); v.Weight[6] = math.NaN() }, "training weight of row 6 is NaN"},
		{"no weight", func(v, _ *view.View, _ *xgboost.Config) { v.Weight = make([]float64, 80) }, "all 80 training weights are zero"},
		{"no stop weight", func(_, v *view.View, _ *xgboost.Config) { v.Weight = make([]float64, 20) }, "all 20 stop weights are zero"},
		{"wild weights", func(v, _ *view.View, _ *xgboost.Config) {
			v.Weight = make([]float64, 80)
			for i := range v.Weight {
				v.Weight[i] = 1
			}
			v.Weight[0] = 1e-16
		}, "span too wide a range"},
		{"class 3", func(v, _ *view.View, _ *xgboost.Config) { v.Class[4] = 3 }, "training row 4 has class 3"},
		{"no class", func(v, _ *view.View, _ *xgboost.Config) { v.Class = nil }, "no classes"},
		{"no table", func(v, _ *view.View, _ *xgboost.Config) { v.Table = nil }, "no table"},
		{"short weight", func(v, _ *view.View, _ *xgboost.Config) { v.Weight = make([]float64, 3) }, "weight has 3 rows"},
		{"stop columns", func(_, v *view.View, _ *xgboost.Config) { v.Table.Names = []string{"f0", "g", "f2"} }, `stop rows: model: column "f1" is missing`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			train, stop := base()
			c := small()
			tc.make(&train, &stop, &c)
			l, err := xgboost.New(c)
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.Fit(context.Background(), treetest.Env(2), train, stop)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestPredictionRefusesOtherColumns(t *testing.T) {
	s := treetest.Synth(200, 3, 10, 0, 0, 0)
	f := fit(t, small(), s.Part(0, 200), view.View{}, 1)
	var p model.Prediction
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{[]string{"f0", "f2", "f1"}, `column 1 is "f2", was "f1" at the fit`},
		{[]string{"f0", "f1"}, `column "f2" is missing`},
		{[]string{"f0", "f1", "f2", "f3"}, `column "f3" is unknown`},
	} {
		err := f.Predict(context.Background(), view.View{Table: view.NewTable(5, tc.names)}, &p)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("columns %v: error %v, want %q", tc.names, err, tc.want)
		}
	}
	bad := s.Part(0, 100)
	bad.Table.Col(2)[70] = float32(math.Inf(1))
	if err := f.Predict(context.Background(), bad, &p); err == nil || !strings.Contains(err.Error(), `column "f2" row 70 is +Inf`) {
		t.Errorf("infinite input: %v", err)
	}
	if err := f.Predict(context.Background(), view.View{}, &p); err == nil {
		t.Error("a view without a table was predicted")
	}
	var out [3]float64
	if err := f.PredictRow([]float32{1, 2}, out[:]); err == nil {
		t.Error("a row of two values was predicted")
	}
	if err := f.PredictRow([]float32{1, 2, float32(math.Inf(1))}, out[:]); err == nil {
		t.Error("an infinite value was predicted")
	}
	if err := f.PredictRow([]float32{1, 2, 3}, out[:2]); err == nil {
		t.Error("three probabilities were written to two places")
	}
}

func TestRowAndBatchAgreeAndRowsDoNotAllocate(t *testing.T) {
	s := treetest.Synth(333, 11, 11, 0, 0, 0.2)
	v := s.Part(0, 333)
	f := fit(t, small(), v, view.View{}, 1)
	p := treetest.Probs(t, f, v)
	x, out := make([]float32, 11), make([]float64, 3)
	for i := range 333 {
		for j := range x {
			x[j] = v.Table.Col(j)[i]
		}
		if err := f.PredictRow(x, out); err != nil {
			t.Fatal(err)
		}
		for k := range out {
			if out[k] != p[3*i+k] {
				t.Fatalf("row %d class %d: %v alone, %v in the batch", i, k-1, out[k], p[3*i+k])
			}
		}
	}
	if n := testing.AllocsPerRun(200, func() { _ = f.PredictRow(x, out) }); n != 0 && !race.Enabled {
		t.Errorf("PredictRow allocates %v times", n)
	}
}

func TestRegistryEntry(t *testing.T) {
	var r model.Registry
	if err := r.Add(xgboost.Entry()); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(xgboost.Entry()); err == nil {
		t.Error("registered twice")
	}
	e, ok := r.Entry("xgboost")
	if !ok {
		t.Fatal("xgboost is not there")
	}
	c := e.Default().(*xgboost.Config)
	c.Rounds = 3
	l, err := e.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := treetest.Synth(200, 3, 12, 0, 0, 0)
	f, err := l.Fit(context.Background(), treetest.Env(1), s.Part(0, 200), view.View{})
	if err != nil {
		t.Fatal(err)
	}
	data := treetest.File(t, f)
	g, err := e.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, treetest.File(t, g)) {
		t.Error("encoding the decoded model gives other bytes")
	}
	p, q := treetest.Probs(t, f, s.Part(0, 200)), treetest.Probs(t, g, s.Part(0, 200))
	for i := range p {
		if p[i] != q[i] {
			t.Fatalf("value %d: %v before, %v after the file", i, p[i], q[i])
		}
	}
	c.Objective = core.SquaredError
	if _, err := e.New(c); err == nil {
		t.Error("reg:squarederror was accepted as a classifier")
	}
	if _, err := e.New(7); err == nil {
		t.Error("a number was accepted as a configuration")
	}
}
