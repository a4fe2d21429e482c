package trainer

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// stepwise is small as a network without recurrence.
type stepwise struct{ *small }

func (stepwise) Stepwise() {}

// A shard is divided by the memory of its rows, and not where a norm or the loss
// needs all of them.
func TestPortionsBoundTheMemoryOfATape(t *testing.T) {
	const hidden = 1 << 14 // values, and as many gradients, before and after tanh: 256 kB a row
	for _, c := range []struct {
		name   string
		net    Network
		change func(f *fitter)
		want   int
	}{
		{"recurrent", newSmall(hidden, 1), func(*fitter) {}, 1},
		{"stepwise", stepwise{newSmall(hidden, 1)}, func(*fitter) {}, 3},
		{"large rows", newSmall(40*hidden, 1), func(*fitter) {}, 11},
		{"rows above all bounds", stepwise{newSmall(40*hidden, 1)}, func(*fitter) {}, 32},
		{"batch norm", stepwise{newSmall(hidden, 1)}, func(f *fitter) { f.params[0].Absorb = func([]float32) {} }, 1},
		{"sharpe", stepwise{newSmall(hidden, 1)}, func(f *fitter) { f.cfg.Loss = "sharpe" }, 1},
	} {
		f := &fitter{cfg: config(), net: c.net, params: c.net.Params(), train: exclusive(9, 1), env: env(1)}
		for _, p := range f.params {
			p.Shards(1)
		}
		f.weigh(2)
		c.change(f)
		f.weighRows()
		if got := f.portions(32); got != c.want {
			t.Errorf("%s: %d portions of 32 rows, want %d (%d bytes and %d for each row)", c.name, got, c.want, f.appetite.fixed, f.appetite.row)
		}
		for _, p := range f.params {
			if p.ShardGrad(0) != nil {
				t.Errorf("%s: a gradient is left in %v", c.name, p)
			}
		}
	}
}

// Gradients that are added up by portions are those of whole shards but for
// rounding, and the same bits for any number of workers.
func TestPortionsChangeNothingButRounding(t *testing.T) {
	var rep Report // of the last fit
	fit := func(n Network, workers int) []*tape.Param {
		c := config()
		c.Epochs, c.EMA, c.Batch, c.LearningRate = 2, 0.9, 100, 1e-3
		var err error
		if rep, err = Fit(context.Background(), env(workers), c, n, 2, exclusive(277, 1), exclusive(70, 2)); err != nil {
			t.Fatal(err)
		}
		return n.Params()
	}
	const hidden = 1 << 15
	want := fit(stepwise{newSmall(hidden, 1)}, 1)
	parts := rep
	whole := fit(newSmall(hidden, 1), 1)
	for i, e := range rep.Epochs {
		if p := parts.Epochs[i]; !(math.Abs(p.Train-e.Train) < 1e-4 && math.Abs(*p.Stop-*e.Stop) < 1e-4) {
			t.Errorf("epoch %d: losses are %v and %v in portions, %v and %v whole", i+1, p.Train, *p.Stop, e.Train, *e.Stop)
		}
	}
	for _, workers := range []int{2, 4} {
		for i, p := range fit(stepwise{newSmall(hidden, 1)}, workers) {
			if !slices.Equal(p.Value, want[i].Value) {
				t.Errorf("%d workers: %v differs", workers, p)
			}
		}
	}
	same := true
	for i, p := range whole {
		same = same && slices.Equal(p.Value, want[i].Value)
		for j, v := range p.Value {
			if d := math.Abs(float64(v - want[i].Value[j])); d > 1e-4 {
				t.Fatalf("%v: value %d is %v in portions and %v whole", p, j, want[i].Value[j], v)
			}
		}
	}
	if same {
		t.Error("both have the same bits: were there portions?")
	}
}

// Shards are small where a recurrence needs much memory for a row and has few
// parameters.
func TestShardsFollowMemory(t *testing.T) {
	small := newSmall(4, 1)
	for _, c := range []struct {
		name             string
		net              Network
		values, row, n   int
		want, wantShards int // rows of the largest shard
	}{
		{"a recurrence", small, 1000, 64 << 10, 256, 16, 16},
		{"a large mini-batch", small, 1000, 64 << 10, 1024, 64, 16},
		{"a small one", small, 1000, 64 << 10, 40, 20, 2},
		{"few rows", small, 1000, 64 << 10, 20, 20, 1},
		{"little memory", small, 1000, 16 << 10, 256, 32, 8},
		{"no recurrence", stepwise{small}, 1000, 64 << 10, 256, 32, 8},
		{"many parameters", small, 1 << 18, 64 << 10, 256, 32, 8},
		{"very many parameters", small, 1<<18 + 1, 64 << 10, 256, 128, 2},
	} {
		f := &fitter{net: c.net, values: c.values, appetite: appetite{0, c.row}}
		if got := f.shardsOf(c.n); got != c.wantShards || (c.n+got-1)/got != c.want {
			t.Errorf("%s: %d shards of %d rows, want %d of up to %d", c.name, got, c.n, c.wantShards, c.want)
		}
	}
}
