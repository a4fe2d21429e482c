package nn

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// averaged is a network of members whose outputs are averaged, as references have it.
type averaged struct {
	network
	members int
}

func (n averaged) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	return t.MeanSteps(n.network.Logits(t, in), n.members)
}

func TestTabMGolden(t *testing.T) {
	checkGolden(t, "tabm", func(in Shape) network {
		return averaged{newTabM(&TabM{Members: 4, Hidden: 7, Layers: 2}, in, rng.New(1)), 4}
	})
}

func TestRealMLPGolden(t *testing.T) {
	checkGolden(t, "realmlp", func(in Shape) network {
		return newRealMLP(&RealMLP{Hidden: 9, Layers: 2, Waves: 5, Embedding: 4, Frequency: 1}, in, rng.New(1))
	})
}

// flat is the windows of a pattern as columns of a table.
func flat(v view.View) view.View {
	w := v.Streams[0]
	k := w.Length * len(w.Columns)
	names := make([]string, k)
	for j := range names {
		names[j] = string(rune('a'+j/26)) + string(rune('a'+j%26))
	}
	out := view.View{Table: view.NewTable(w.Len(), names), Class: v.Class}
	row := make([]float32, k)
	for i := range w.Len() {
		w.Copy(i, row)
		for j, x := range row {
			out.Table.Col(j)[i] = x
		}
	}
	return out
}

// radius has class +1 where two of four columns are far from 0 together, with a few
// outliers, which no linear model sees; a quarter of the classes are 0 by a third.
func radius(n int, seed uint64) view.View {
	r := rand.New(rand.NewPCG(seed, 51))
	v := view.View{Table: view.NewTable(n, []string{"a", "b", "c", "d"}), Class: make([]int8, n)}
	for i := range n {
		for j := range 4 {
			v.Table.Col(j)[i] = float32(r.NormFloat64())
		}
		a, b := float64(v.Table.Col(0)[i]), float64(v.Table.Col(1)[i])
		v.Class[i] = -1
		if a*a+b*b > 1.386 { // the median of the square of the radius
			v.Class[i] = 1
		}
		if r.IntN(40) == 0 {
			v.Table.Col(2)[i] *= 1e4
		}
	}
	return v
}

// Networks of tables learn what no linear model can, and nothing from shuffled
// labels.
func TestTablesLearnPatterns(t *testing.T) {
	notUnderRace(t)
	tm, mp, rm := DefaultTabM(), DefaultMLP(), DefaultRealMLP()
	for _, c := range []*Common{&tm.Common, &mp.Common, &rm.Common} {
		c.Epochs, c.Patience, c.Batch = 12, 12, 64
	}
	tm.Members, tm.Hidden, tm.LearningRate = 8, 32, 1e-2
	mp.Hidden, mp.LearningRate = 32, 1e-2
	rm.Waves, rm.Hidden, rm.LearningRate, rm.LabelSmoothing = 6, 32, 4e-2, 0
	for _, c := range []struct {
		e   model.Entry
		cfg any
	}{{tabmEntry(), &tm}, {mlpEntry(), &mp}, {realmlpEntry(), &rm}} {
		t.Run(c.e.Name, func(t *testing.T) {
			for name, plant := range map[string]func(n int, seed uint64) view.View{
				"radius":      radius,
				"interaction": func(n int, seed uint64) view.View { return flat(crossing(n, seed)) },
				"regime flip": func(n int, seed uint64) view.View { return flat(regimeFlip(n, seed)) },
			} {
				if loss := logLoss(t, fitted(t, c.e, c.cfg, plant(1500, 1), plant(300, 3)), plant(500, 2)); loss > 0.35 {
					t.Errorf("%s: log-loss %.3f, want below 0.35; chance is 0.693", name, loss)
				}
			}
			noise := func(n int, seed uint64) view.View { return modeltest.Shuffled(radius(n, seed), seed) }
			if loss := logLoss(t, fitted(t, c.e, c.cfg, noise(1500, 1), noise(300, 3)), noise(500, 2)); loss < 0.66 || loss > 0.78 {
				t.Errorf("log-loss %.3f on shuffled labels; chance is 0.693", loss)
			}
		})
	}
}

// Members differ, each learns from its own loss, and probabilities are averaged.
func TestMembersAreAveraged(t *testing.T) {
	cfg := DefaultTabM()
	cfg.Epochs, cfg.Patience, cfg.Members, cfg.Hidden, cfg.Batch = 3, 3, 5, 16, 64
	v := radius(300, 1)
	m := fitted(t, tabmEntry(), &cfg, v, view.View{}).(*predictor)
	p := predicted(t, m, v)
	b := &buffer{tape: tape.New(0)}
	b.tape.Reset(false, rng.Stream{})
	z := m.nets[0].Logits(b.tape, m.in.put(b, v, 0, 10))
	if z.Rows != 50 {
		t.Fatalf("outputs are %v", z)
	}
	for i := range 10 {
		var mean [3]float64
		var one [5]float64
		for k := range 5 {
			row := z.Row(i*5 + k)
			q := []float64{float64(row[0]), float64(row[1]), float64(row[2])}
			model.Softmax(q, q)
			for c, x := range q {
				mean[c] += x / 5
			}
			one[k] = q[0]
		}
		for c, x := range mean {
			if math.Abs(x-p.Row(i)[c]) > 1e-9 {
				t.Errorf("row %d class %d is %v, the members' mean %v", i, c, p.Row(i)[c], x)
			}
		}
		for k := range 4 {
			if one[k] == one[4] {
				t.Errorf("row %d: members %d and 4 are equal", i, k)
			}
		}
	}
}

// Robust scales are the median and the quartiles; bounds are smooth; a column whose
// quartiles are equal is scaled by its range.
func TestRobustScales(t *testing.T) {
	v := view.NewTable(9, []string{"a", "flat", "constant"})
	rows := make([]int, 9)
	for i := range 9 {
		rows[i] = i
		v.Col(0)[i] = float32([]float64{4, 1, 8, 2, 6, 3, 7, 5, 1e9}[i]) // quartiles 3, 5, 7
		v.Col(2)[i] = 3
	}
	v.Col(1)[0], v.Col(1)[1] = 10, float32(math.NaN()) // 8 values: seven of 0, one of 10
	s := newScale(v, rows, nil, bound{3, true})
	var out [4]float32
	for _, c := range []struct {
		a, flat float32
		want    [2]float64
	}{
		{5, 0, [2]float64{0, 0}},
		{9, 10, [2]float64{1 / math.Sqrt(1+1.0/9), 2 / math.Sqrt(1+4.0/9)}},
		{-7, -5, [2]float64{-3 / math.Sqrt2, -1 / math.Sqrt(1+1.0/9)}},
		{1e9, 0, [2]float64{3, 0}},
		{-math.MaxFloat32, 0, [2]float64{-3, 0}},
	} {
		s.lay(&view.Table{N: 1, P: 3, Data: []float32{c.a, c.flat, 99}}, nil, 0, 1, out[:])
		if math.Abs(float64(out[0])-c.want[0]) > 1e-6 || math.Abs(float64(out[1])-c.want[1]) > 1e-6 || out[2] != 0 || out[3] != 0 {
			t.Errorf("%v and %v become %v, want %v", c.a, c.flat, out, c.want)
		}
	}
}

// Rows are laid out the same whichever share a call: each value scaled on its own,
// missing ones 0 with their indicator.
func TestRowsAreLaidOutAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	v := view.NewTable(300, []string{"a", "b", "c"})
	for i := range v.Data {
		v.Data[i] = float32(3 * r.NormFloat64())
		if i < 300 && i%7 == 0 {
			v.Data[i] = float32(math.NaN())
		}
	}
	rows := r.Perm(300)[:270]
	s := newScale(v, rows, nil, bound{at: 2})
	got := s.source(v, rows).data
	all := make([]float32, 300*s.width())
	s.lay(v, nil, 0, 300, all)
	for k, i := range rows {
		for j := range 3 {
			want := standard(v.Col(j)[i], s.mean[j], s.inv[j], s.bound)
			if a, b := got[k*4+j], all[i*4+j]; a != want || b != want {
				t.Fatalf("row %d column %d is %v and %v, want %v", i, j, a, b, want)
			}
		}
		if hole := got[k*4+3] == 1; hole != (i%7 == 0) || all[i*4+3] != got[k*4+3] {
			t.Fatalf("row %d: missing %v", i, hole)
		}
	}
}

// A file holds how inputs are scaled, and it matters.
func TestRobustInputsComeBack(t *testing.T) {
	cfg := DefaultRealMLP()
	cfg.Epochs, cfg.Patience, cfg.Hidden = 2, 2, 8
	v := radius(200, 1)
	m := fitted(t, realmlpEntry(), &cfg, v, view.View{})
	again, err := realmlpEntry().Decode(bytes.NewReader(encoded(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	if p, q := predicted(t, m, v), predicted(t, again, v); !slices.Equal(p.Prob, q.Prob) {
		t.Error("a file changes the predictions")
	}
	cfg.InputScale = "standard"
	if p, q := predicted(t, m, v), predicted(t, fitted(t, realmlpEntry(), &cfg, v, view.View{}), v); slices.Equal(p.Prob, q.Prob) {
		t.Error("input_scale has no effect")
	}
}
