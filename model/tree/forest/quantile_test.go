package forest_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/view"
)

func trainQuantile(t *testing.T, d core.Data, c forest.Config, workers int) *forest.Quantile {
	t.Helper()
	q, err := forest.TrainQuantile(context.Background(), env(workers), forest.Random, d, nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Equations 4 to 6 of Meinshausen (2006), literally: weights of all training
// rows, then the distribution.
func TestQuantileTwin(t *testing.T) {
	v, y := sample(150, 5, 6, 0.1)
	test, _ := sample(40, 5, 7, 0.1)
	for _, weighted := range []bool{false, true} {
		d := core.Data{X: v.Table, Y: y}
		if weighted {
			d.Weight = make([]float64, len(y))
			for i := range y {
				y[i] = math.Round(y[i]*4) / 4 // equal targets
				d.Weight[i] = float64(i % 3)
			}
		}
		c := forest.DefaultRegression()
		c.Trees, c.MinSamplesLeaf, c.MaxFeatures = 12, 4, "2"
		q := trainQuantile(t, d, c, 2)
		levels := []float64{0.9, 0.05, 0.5}
		got, err := q.Predict(context.Background(), test.Table, levels, nil)
		if err != nil {
			t.Fatal(err)
		}
		row := func(x *view.Table, i int) []float32 {
			out := make([]float32, x.P)
			for j := range out {
				out[j] = x.Col(j)[i]
			}
			return out
		}
		for i := range test.Len() {
			w := make([]float64, len(y))
			for k := range q.Ensemble().Trees {
				tree := &q.Ensemble().Trees[k]
				at, total := tree.LeafOf(row(test.Table, i)), 0.0
				in := make([]float64, len(y))
				for j := range y {
					if tree.LeafOf(row(v.Table, j)) == at {
						in[j] = 1
						if weighted {
							in[j] = d.Weight[j]
						}
						total += in[j]
					}
				}
				for j := range w {
					w[j] += in[j] / total / float64(c.Trees)
				}
			}
			for k, a := range levels {
				candidates := append([]float64(nil), y...)
				sort.Float64s(candidates)
				want := math.NaN()
				for _, cand := range candidates {
					f := 0.0
					for j := range y {
						if y[j] <= cand {
							f += w[j]
						}
					}
					if f >= a-1e-9 {
						want = cand
						break
					}
				}
				if got[i*3+k] != want {
					t.Fatalf("weighted %v, row %d, level %v: %v, want %v", weighted, i, a, got[i*3+k], want)
				}
			}
		}
	}
}

// The width of the noise depends on x: the quantiles follow, which a mean with
// one error bar does not.
func TestQuantileCoverage(t *testing.T) {
	const n = 4000
	make1 := func(seed uint64) (*view.Table, []float64) {
		r := rand.New(rand.NewPCG(seed, 1))
		x, y := view.NewTable(n, []string{"a", "b"}), make([]float64, n)
		for i := range n {
			a := r.Float64()
			x.Col(0)[i], x.Col(1)[i] = float32(a), float32(r.Float64())
			y[i] = a + (0.1+a)*r.NormFloat64()
		}
		return x, y
	}
	x, y := make1(1)
	c := forest.DefaultRegression()
	c.Trees, c.MinSamplesLeaf, c.MaxSamples = 60, 40, "0.5"
	q := trainQuantile(t, core.Data{X: x, Y: y}, c, 2)
	xt, yt := make1(2)
	got, err := q.Predict(context.Background(), xt, []float64{0.1, 0.9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var in, rows, width [2]float64 // a below and above one half
	for i := range n {
		h := 0
		if xt.Col(0)[i] > 0.5 {
			h = 1
		}
		rows[h]++
		width[h] += got[2*i+1] - got[2*i]
		if yt[i] >= got[2*i] && yt[i] <= got[2*i+1] {
			in[h]++
		}
	}
	for h := range in {
		if share := in[h] / rows[h]; math.Abs(share-0.8) > 0.035 { // 4 standard errors of each half are 0.036
			t.Errorf("half %d: %.3f of the rows lie between the quantiles at 0.1 and 0.9", h, share)
		}
	}
	if ratio := width[1] / width[0]; ratio < 2 { // (0.1+0.75)/(0.1+0.25) = 2.4
		t.Errorf("the wide half is %.2f times as wide", ratio)
	}
}

func TestQuantileFile(t *testing.T) {
	v, y := sample(300, 4, 8, 0.05)
	c := forest.DefaultRegression()
	c.Trees, c.MinSamplesLeaf = 5, 10
	d := core.Data{X: v.Table, Y: y}
	var files [2]bytes.Buffer
	for k, workers := range []int{1, 4} {
		if err := trainQuantile(t, d, c, workers).Encode(&files[k]); err != nil {
			t.Fatal(err)
		}
	}
	raw := files[0].Bytes()
	if !bytes.Equal(raw, files[1].Bytes()) {
		t.Error("4 workers give other bytes than 1")
	}
	q, err := forest.DecodeQuantile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := q.Encode(&again); err != nil || !bytes.Equal(raw, again.Bytes()) {
		t.Errorf("what was read is written with other bytes (%v)", err)
	}
	a, _ := trainQuantile(t, d, c, 1).Predict(context.Background(), v.Table, []float64{0.25}, nil)
	b, err := q.Predict(context.Background(), v.Table, []float64{0.25}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("row %d: %v after reading, %v before", i, b[i], a[i])
		}
	}
	for i := 0; i < len(raw); i += 97 {
		bad := bytes.Clone(raw)
		bad[i] ^= 4
		if _, err := forest.DecodeQuantile(bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d changed is accepted", i)
		}
		if _, err := forest.DecodeQuantile(bytes.NewReader(raw[:i])); err == nil {
			t.Fatalf("the first %d bytes are accepted", i)
		}
	}
}

func TestQuantileRefuses(t *testing.T) {
	v, y := sample(100, 3, 8, 0)
	c := forest.DefaultRegression()
	c.Trees = 2
	d := core.Data{X: v.Table, Y: y}
	q := trainQuantile(t, d, c, 1)
	for _, level := range []float64{0, 1, -0.5, math.NaN()} {
		if _, err := q.Predict(context.Background(), v.Table, []float64{0.5, level}, nil); err == nil {
			t.Errorf("level %v is accepted", level)
		}
	}
	if _, err := q.Predict(context.Background(), v.Table.Columns([]int{0, 2}), []float64{0.5}, nil); err == nil {
		t.Error("a column less is accepted")
	}
	if _, err := forest.TrainQuantile(context.Background(), env(1), forest.Random, data(v), nil, forest.Default()); err == nil {
		t.Error("gini is accepted")
	}
}
