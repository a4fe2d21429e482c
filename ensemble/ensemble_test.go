package ensemble_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

var ctx = context.Background()

func env() model.Env { return model.Env{Stream: rng.New(1), Workers: 1} }

const testStart = 1_000_000

var (
	forward = ensemble.Provenance{Use: ensemble.WalkForward, TestStart: testStart}
	kfold   = ensemble.Provenance{Use: ensemble.KFold}
)

// world is n rows, one a minute, whose spans last five; and k purged folds.
func world(n, k int, seed uint64) (view.View, []split.Fold) {
	r := rng.New(seed).Stream("world").Rand()
	tab := view.NewTable(n, []string{"a", "b", "c"})
	v := view.View{Table: tab, Rows: make([]int, n), Spans: make([]view.Span, n), Class: make([]int8, n), Weight: make([]float64, n)}
	for i := range n {
		v.Rows[i] = 2 * i
		v.Spans[i] = view.Span{Decision: int64(i) * 60, Entry: int64(i)*60 + 1, Outcome: int64(i)*60 + 299}
		for j := range 3 {
			tab.Col(j)[i] = float32(r.NormFloat64())
		}
		u := float64(tab.Col(0)[i]) + float64(tab.Col(1)[i]) + 1.5*r.NormFloat64()
		if u > 0.7 {
			v.Class[i] = 1
		} else if u < -0.7 {
			v.Class[i] = -1
		}
		v.Weight[i] = 0.2 + 0.3*r.Float64()
	}
	folds := make([]split.Fold, k)
	for f := range folds {
		lo, hi := f*n/k, (f+1)*n/k
		for i := range n {
			switch {
			case i >= lo && i < hi:
				folds[f].Test = append(folds[f].Test, i)
			case i+4 < lo || i >= hi+4:
				folds[f].Train = append(folds[f].Train, i)
			}
		}
	}
	return v, folds
}

func pick(v view.View, rows []int, cols []int) view.View {
	out := view.View{Table: v.Table.Select(rows).Columns(cols)}
	for _, r := range rows {
		out.Class = append(out.Class, v.Class[r])
		out.Weight = append(out.Weight, v.Weight[r])
	}
	return out
}

// bases sees one column each: "left" a, "right" b, and "noise" c.
var baseNames = []string{"left", "noise", "right"}
var baseCols = map[string][]int{"left": {0}, "right": {1}, "noise": {2}}

func fitBase(t testing.TB, name string, v view.View, rows []int) model.Fitted {
	t.Helper()
	l, err := linear.New(*linear.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(ctx, env(), pick(v, rows, baseCols[name]), view.View{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func predictBase(t testing.TB, name string, f model.Fitted, v view.View, rows []int) *model.Prediction {
	t.Helper()
	p := &model.Prediction{}
	if err := f.Predict(ctx, pick(v, rows, baseCols[name]), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func collect(t testing.TB, use ensemble.Provenance, v view.View, folds []split.Fold) *ensemble.OOF {
	t.Helper()
	c, err := ensemble.NewCollector(use, baseNames, v, folds)
	if err != nil {
		t.Fatal(err)
	}
	for f, fold := range folds {
		for _, b := range slices.Backward(baseNames) { // the order of adding does not matter
			if err := c.Add(b, f, predictBase(t, b, fitBase(t, b, v, fold.Train), v, fold.Test)); err != nil {
				t.Fatal(err)
			}
		}
	}
	o, err := c.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func method(t testing.TB, name string, change func(cfg any)) ensemble.Method {
	t.Helper()
	var r ensemble.Registry
	if err := ensemble.Register(&r); err != nil {
		t.Fatal(err)
	}
	e, ok := r.Entry(name)
	if !ok {
		t.Fatalf("no entry %q", name)
	}
	cfg := e.Default()
	if change != nil {
		change(cfg)
	}
	m, err := e.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func logLoss(t testing.TB, p *model.Prediction, v view.View) float64 {
	t.Helper()
	l, err := model.LogLoss(p, v.Class, v.Weight)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The whole way of one walk-forward step: two bases that see half the signal
// each and one that sees none; on later rows the stack beats every base and the
// vote.
func TestStackBeatsItsBasesOnLaterRows(t *testing.T) {
	v, folds := world(3000, 3, 1)
	later, _ := world(3000, 3, 2)
	oof := collect(t, forward, v, folds)
	base := make([]*model.Prediction, len(baseNames))
	best := math.Inf(1)
	for b, name := range baseNames {
		base[b] = predictBase(t, name, fitBase(t, name, v, all(3000)), later, all(3000))
		best = math.Min(best, logLoss(t, base[b], later))
	}
	loss := map[string]float64{}
	for _, name := range []string{"voting", "stack_logistic"} {
		c, err := method(t, name, nil).Fit(ctx, env(), baseNames, oof, forward)
		if err != nil {
			t.Fatal(err)
		}
		if c.Provenance() != forward || !slices.Equal(c.Bases(), baseNames) {
			t.Errorf("%s: provenance %v, bases %q", name, c.Provenance(), c.Bases())
		}
		var p model.Prediction
		if err := c.Apply(ctx, base, &p); err != nil {
			t.Fatal(err)
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		loss[name] = logLoss(t, &p, later)
	}
	if !(loss["stack_logistic"] < best-0.05 && loss["stack_logistic"] < loss["voting"]-0.02) {
		t.Errorf("log-loss: best base %.4f, %v", best, loss)
	}
	// The cross-fitted loss speaks of the same stack: within 0.03 (four
	// standard errors of a mean over 3,000 rows) of that on the later rows.
	p, err := ensemble.CrossFit(ctx, env(), method(t, "stack_logistic", nil), oof, folds)
	if err != nil {
		t.Fatal(err)
	}
	if got := logLoss(t, p, v); math.Abs(got-loss["stack_logistic"]) > 0.04 {
		t.Errorf("cross-fitted log-loss %.4f, on later rows %.4f", got, loss["stack_logistic"])
	}
}

// With few rows the stack falls back on the class shares and not into noise.
func TestStackIsSturdyOnFewRows(t *testing.T) {
	later, _ := world(3000, 3, 2)
	for seed := range uint64(10) {
		v, folds := world(60, 3, 50+seed)
		oof := collect(t, forward, v, folds)
		c, err := method(t, "stack_logistic", nil).Fit(ctx, env(), baseNames, oof, forward)
		if err != nil {
			t.Fatal(err)
		}
		base := make([]*model.Prediction, len(baseNames))
		for b, name := range baseNames {
			base[b] = predictBase(t, name, fitBase(t, name, v, all(60)), later, all(3000))
		}
		var p model.Prediction
		if err := c.Apply(ctx, base, &p); err != nil {
			t.Fatal(err)
		}
		if got := logLoss(t, &p, later); got > 1.15 {
			t.Errorf("seed %d: log-loss %.4f with 60 rows (about 20 effective); a third each is 1.0986", seed, got)
		}
	}
}

// A base that is certain, and wrong, must not break the stack.
func TestStackBoundsCertainBases(t *testing.T) {
	v, folds := world(300, 3, 1)
	oof := collect(t, forward, v, folds)
	for i := range 300 {
		copy(oof.Prob[1].Row(i), []float64{0, 0, 0})
		oof.Prob[1].Row(i)[i%3] = 1
	}
	c, err := method(t, "stack_logistic", nil).Fit(ctx, env(), baseNames, oof, forward)
	if err != nil {
		t.Fatal(err)
	}
	var p model.Prediction
	if err := c.Apply(ctx, oof.Prob, &p); err != nil {
		t.Fatal(err)
	}
	if l := logLoss(t, &p, v); l > 1.0986 {
		t.Errorf("log-loss %.4f", l)
	}
}

func TestVotingArithmetic(t *testing.T) {
	a := &model.Prediction{N: 1, K: 3, Prob: []float64{0.6, 0.4, 0}}
	b := &model.Prediction{N: 1, K: 3, Prob: []float64{0.2, 0.2, 0.6}}
	for _, c := range []struct {
		weights []float64
		want    []float64
	}{
		{nil, []float64{0.4, 0.3, 0.3}},
		{[]float64{3, 1}, []float64{0.5, 0.35, 0.15}},
		{[]float64{0, 2}, []float64{0.2, 0.2, 0.6}},
	} {
		m := method(t, "voting", func(cfg any) { cfg.(*ensemble.VotingConfig).Weights = c.weights })
		v, err := m.Fit(ctx, env(), []string{"a", "b"}, nil, kfold)
		if err != nil {
			t.Fatal(err)
		}
		var p model.Prediction
		if err := v.Apply(ctx, []*model.Prediction{a, b}, &p); err != nil {
			t.Fatal(err)
		}
		for i := range c.want {
			if math.Abs(p.Prob[i]-c.want[i]) > 1e-15 {
				t.Errorf("weights %v: %v, want %v", c.weights, p.Prob, c.want)
				break
			}
		}
		if err := v.Apply(ctx, []*model.Prediction{a}, &p); err == nil {
			t.Error("one prediction for two bases is accepted")
		}
		if err := v.Apply(ctx, []*model.Prediction{a, {N: 2, K: 3, Prob: make([]float64, 6)}}, &p); err == nil {
			t.Error("predictions of unequal length are accepted")
		}
	}
	m := method(t, "voting", func(cfg any) { cfg.(*ensemble.VotingConfig).Weights = []float64{1, 2, 3} })
	if _, err := m.Fit(ctx, env(), []string{"a", "b"}, nil, kfold); err == nil {
		t.Error("three weights for two bases are accepted")
	}
	for _, bad := range [][]float64{{-1, 2}, {0, 0}, {math.NaN(), 1}} {
		if err := (&ensemble.VotingConfig{Weights: bad}).Validate(); err == nil {
			t.Errorf("weights %v are accepted", bad)
		}
	}
}

func TestFiles(t *testing.T) {
	v, folds := world(300, 3, 1)
	folds[1].Stop, folds[1].Train = folds[1].Train[:20], folds[1].Train[20:]
	oof := collect(t, forward, v, folds)
	var a, b bytes.Buffer
	if err := oof.Encode(&a); err != nil {
		t.Fatal(err)
	}
	read, err := ensemble.DecodeOOF(bytes.NewReader(a.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(oof, read) {
		t.Error("out-of-fold predictions change in a file")
	}
	if read.Encode(&b) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("what is read is written differently")
	}
	for i := 0; i < a.Len(); i += 97 {
		c := bytes.Clone(a.Bytes())
		c[i] ^= 4
		if _, err := ensemble.DecodeOOF(bytes.NewReader(c)); err == nil {
			t.Fatalf("byte %d changed: accepted", i)
		}
		if _, err := ensemble.DecodeOOF(bytes.NewReader(a.Bytes()[:i])); err == nil {
			t.Fatalf("first %d bytes: accepted", i)
		}
	}
	// A well-formed file with a false claim is refused too.
	forged := *oof
	forged.Folds = slices.Clone(oof.Folds)
	forged.Folds[0].Train = append(slices.Clone(oof.Folds[0].Train), 3)
	var f bytes.Buffer
	if err := forged.Encode(&f); err != nil {
		t.Fatal(err)
	}
	var ce *ensemble.CoverageError
	if _, err := ensemble.DecodeOOF(&f); !errors.As(err, &ce) {
		t.Errorf("a forged set is read: %v", err)
	}

	var r ensemble.Registry
	if err := ensemble.Register(&r); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Entries() {
		var first []byte
		for _, workers := range []int{1, 2, 4} {
			c, err := method(t, e.Name, nil).Fit(ctx, model.Env{Stream: rng.New(1), Workers: workers}, baseNames, oof, forward)
			if err != nil {
				t.Fatal(err)
			}
			var w bytes.Buffer
			if err := c.Encode(&w); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = w.Bytes()
			} else if !bytes.Equal(first, w.Bytes()) {
				t.Errorf("%s: %d workers give other bytes", e.Name, workers)
			}
			d, err := e.Decode(bytes.NewReader(w.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			var p, q model.Prediction
			if c.Apply(ctx, oof.Prob, &p) != nil || d.Apply(ctx, oof.Prob, &q) != nil || !reflect.DeepEqual(p, q) {
				t.Errorf("%s: other predictions after a file", e.Name)
			}
			if d.Provenance() != forward {
				t.Errorf("%s: provenance %v after a file", e.Name, d.Provenance())
			}
		}
		for i := 0; i < len(first); i += 13 {
			c := bytes.Clone(first)
			c[i] ^= 1
			if _, err := e.Decode(bytes.NewReader(c)); err == nil {
				t.Fatalf("%s: byte %d changed: accepted", e.Name, i)
			}
		}
		for _, bad := range []any{nil, 3, struct{}{}} {
			if _, err := e.New(bad); err == nil {
				t.Errorf("%s: config %T is accepted", e.Name, bad)
			}
		}
	}
	if err := ensemble.Register(&r); err == nil {
		t.Error("the same names are registered twice")
	}
}

// Rows of weight 0 are not there, and the prediction of a row does not depend
// on its neighbours.
func TestStackLaws(t *testing.T) {
	v, folds := world(300, 3, 1)
	oof := collect(t, forward, v, folds)
	for i := 0; i < 300; i += 4 {
		oof.Weight[i] = 0
	}
	m := method(t, "stack_logistic", nil)
	c, err := m.Fit(ctx, env(), baseNames, oof, forward)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := c.Encode(&want); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 300; i += 4 {
		oof.Class[i] = -oof.Class[i]
	}
	d, err := m.Fit(ctx, env(), baseNames, oof, forward)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if d.Encode(&got) != nil || !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Error("labels of rows of weight 0 change the stack")
	}
	var batch model.Prediction
	if err := c.Apply(ctx, oof.Prob, &batch); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			var one model.Prediction
			for i := w; i < 300; i += 4 {
				base := make([]*model.Prediction, len(oof.Prob))
				for b, p := range oof.Prob {
					base[b] = &model.Prediction{N: 1, K: 3, Prob: p.Row(i)}
				}
				if err := c.Apply(ctx, base, &one); err != nil || !slices.Equal(one.Prob, batch.Row(i)) {
					t.Errorf("row %d alone: %v (%v), in the batch %v", i, one.Prob, err, batch.Row(i))
					return
				}
			}
		})
	}
	wg.Wait()
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.Fit(done, env(), baseNames, oof, forward); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fit returns %v", err)
	}
	if err := c.Apply(done, oof.Prob, &batch); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled application returns %v", err)
	}
}

func Example() {
	// Four rows of two minutes each, in two folds without overlap.
	v := view.View{
		Rows:  []int{0, 1, 2, 3},
		Spans: []view.Span{{Decision: 0, Outcome: 1}, {Decision: 2, Outcome: 3}, {Decision: 4, Outcome: 5}, {Decision: 6, Outcome: 7}},
		Class: []int8{1, -1, 1, -1},
	}
	folds := []split.Fold{{Train: []int{2, 3}, Test: []int{0, 1}}, {Train: []int{0, 1}, Test: []int{2, 3}}}
	c, err := ensemble.NewCollector(ensemble.Provenance{Use: ensemble.KFold}, []string{"base"}, v, folds)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = c.Add("base", 0, &model.Prediction{N: 2, K: 3, Prob: []float64{0.2, 0.2, 0.6, 0.5, 0.3, 0.2}})
	_, err = c.Finish()
	fmt.Println(err)
	// Output: ensemble: not predicted by base "base": rows [2 3]
}
