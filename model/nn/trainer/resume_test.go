package trainer

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

// memory is a checkpoint in memory.
type memory map[string][]byte

func (m memory) Load(name string) ([]byte, error)     { return m[name], nil }
func (m memory) Save(name string, state []byte) error { m[name] = slices.Clone(state); return nil }

// weights are all values of a network.
func weights(n Network) []float32 {
	var w []float32
	for _, p := range n.Params() {
		w = append(w, p.Value...)
	}
	return w
}

// A fit that is ended after any epoch and taken up again has the bytes and the
// curve of one that went through, with or without stop rows and averaged weights.
func TestResumedFitsAreTheSame(t *testing.T) {
	train, stop := exclusive(500, 1), exclusive(200, 2)
	for _, c := range []struct {
		name  string
		ema   float64
		stop  Data
		every int
	}{{"plain", 0, Data{}, 1}, {"stop rows", 0, stop, 1}, {"averages and stop rows", 0.9, stop, 1}, {"averages", 0.9, Data{}, 1}, {"every third epoch", 0.9, stop, 3}} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config()
			cfg.Epochs, cfg.Patience, cfg.EMA, cfg.LearningRate = 8, 3, c.ema, 0.05
			through := newSmall(6, 1)
			want, err := Fit(context.Background(), env(1), cfg, through, 2, train, c.stop)
			if err != nil {
				t.Fatal(err)
			}
			for end := 1; end <= len(want.Epochs); end++ {
				e := env(2)
				e.Checkpoint, e.CheckpointEpochs = memory{}, c.every
				ctx, cancel := context.WithCancel(context.Background())
				e.Progress = func(done, _ int, _ string) {
					if done == end {
						cancel()
					}
				}
				if _, err := Fit(ctx, e, cfg, newSmall(6, 1), 2, train, c.stop); end < len(want.Epochs) && !errors.Is(err, context.Canceled) {
					t.Fatalf("ended after epoch %d: %v", end, err)
				}
				first := 0
				e.Progress = func(done, _ int, _ string) {
					if first == 0 {
						first = done
					}
				}
				again := newSmall(6, 1)
				got, err := Fit(context.Background(), e, cfg, again, 2, train, c.stop)
				if err != nil {
					t.Fatal(err)
				}
				if kept := end - end%c.every; end < len(want.Epochs) && first != kept+1 {
					t.Errorf("ended after epoch %d, taken up with epoch %d", end, first)
				}
				if end == len(want.Epochs) && first != 0 {
					t.Errorf("a fit that was done began again with epoch %d", first)
				}
				if !slices.Equal(weights(again), weights(through)) {
					t.Fatalf("ended after epoch %d: other weights", end)
				}
				if got.Best != want.Best || len(got.Epochs) != len(want.Epochs) || math.Float64bits(got.Loss) != math.Float64bits(want.Loss) || got.Afresh != "" {
					t.Fatalf("ended after epoch %d: %+v, want %+v", end, got, want)
				}
				for i, x := range got.Epochs {
					y := want.Epochs[i]
					if x.Train != y.Train || x.Rate != y.Rate || x.GradNorm != y.GradNorm || x.Stop != nil && *x.Stop != *y.Stop {
						t.Fatalf("ended after epoch %d: epoch %d is %+v, was %+v", end, i+1, x, y)
					}
				}
			}
		})
	}
}

// A state that is damaged, or of a fit with anything else, is left aside.
func TestForeignStatesAreNotUsed(t *testing.T) {
	cfg := config()
	cfg.Epochs = 2
	fit := func(c Config, seed uint64, train, stop Data, m memory) (Report, []float32) {
		t.Helper()
		e := env(1)
		if m != nil {
			e.Checkpoint = m
		}
		n := newSmall(6, seed)
		rep, err := Fit(context.Background(), e, c, n, 2, train, stop)
		if err != nil {
			t.Fatal(err)
		}
		return rep, weights(n)
	}
	train, stop := exclusive(300, 1), exclusive(50, 2)
	kept := memory{}
	fit(cfg, 1, train, stop, kept)
	if rep, _ := fit(cfg, 1, train, stop, memory{stateName: kept[stateName]}); rep.Afresh != "" {
		t.Fatalf("its own state was not used: %s", rep.Afresh)
	}
	other := cfg
	other.Beta1 = 0.8
	relabelled := exclusive(300, 1)
	relabelled.Class[7] = 1 - relabelled.Class[7]
	weighted := exclusive(300, 1)
	weighted.Weight = slices.Repeat([]float32{1, 2}, 150)
	cut, flipped := kept[stateName][:len(kept[stateName])-5], slices.Clone(kept[stateName])
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		cfg         Config
		seed        uint64
		train, stop Data
		state       []byte
	}{
		"configuration": {other, 1, train, stop, kept[stateName]},
		"start":         {cfg, 2, train, stop, kept[stateName]},
		"labels":        {cfg, 1, relabelled, stop, kept[stateName]},
		"weights":       {cfg, 1, weighted, stop, kept[stateName]},
		"stop rows":     {cfg, 1, train, Data{}, kept[stateName]},
		"cut short":     {cfg, 1, train, stop, cut},
		"one bit":       {cfg, 1, train, stop, flipped},
		"nothing":       {cfg, 1, train, stop, []byte{}},
	} {
		_, want := fit(c.cfg, c.seed, c.train, c.stop, nil)
		rep, got := fit(c.cfg, c.seed, c.train, c.stop, memory{stateName: c.state})
		if !slices.Equal(got, want) || !strings.Contains(rep.Afresh, "was not used") {
			t.Errorf("%s: %q", name, rep.Afresh)
		}
	}
}

// Mini-batches whose gradients are added up make the step of one large one: the
// sums differ in their order only.
func TestAccumulatedStepsEqualLargeOnes(t *testing.T) {
	for _, order := range []string{"shuffled", "blocks"} {
		run := func(batch, accumulate int) []float32 {
			c := config()
			c.Epochs, c.Order, c.Batch, c.Accumulate, c.ClassWeight = 5, order, batch, accumulate, "balanced"
			d := exclusive(470, 1)
			d.Weight = make([]float32, 470)
			for i := range d.Weight {
				d.Weight[i] = 0.5 + float32(i%7)
			}
			n := newSmall(12, 1)
			if _, err := Fit(context.Background(), env(2), c, n, 2, d, Data{}); err != nil {
				t.Fatal(err)
			}
			return weights(n)
		}
		large, small := run(120, 1), run(30, 4)
		for i, v := range large {
			if d := math.Abs(float64(v - small[i])); d > 2e-5*max(1, math.Abs(float64(v))) {
				t.Fatalf("%s: weight %d is %v in one mini-batch and %v in four", order, i, v, small[i])
			}
		}
	}
}

// explosive is small whose outputs are not finite from a step on.
type explosive struct {
	*small
	calls, from int
}

func (n *explosive) Logits(t *tape.Tape, in *Batch) *tape.Tensor {
	if t.Train() {
		if n.calls++; n.calls >= n.from {
			return t.Scale(n.small.Logits(t, in), float32(math.NaN()))
		}
	}
	return n.small.Logits(t, in)
}

// A loss that explodes ends the fit with the last weights that are known to be
// good, or with an error in the first epoch.
func TestExplosions(t *testing.T) {
	c := config()
	c.Epochs, c.Batch = 6, 50 // one shard, six steps an epoch
	train, stop := exclusive(300, 1), exclusive(100, 2)
	after := func(epochs int) []float32 {
		n := newSmall(6, 1)
		cfg := c
		e := env(1)
		ctx, cancel := context.WithCancel(context.Background())
		e.Progress = func(done, _ int, _ string) {
			if done == epochs {
				cancel()
			}
		}
		if _, err := Fit(ctx, e, cfg, n, 2, train, Data{}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return weights(n)
	}
	for _, x := range []struct {
		name string
		from int // step
		stop Data
		kept int // epoch, 0: an error
		says string
	}{
		{"first step", 1, Data{}, 0, "epoch 1 step 1"},
		{"first epoch", 4, stop, 0, "epoch 1 step 4"},
		{"first step of the second epoch", 7, Data{}, 0, "epoch 2 step 1"},
		{"second epoch", 8, Data{}, 1, "epoch 2 step 2"},
		{"first step of the fourth epoch", 19, Data{}, 2, "epoch 4 step 1"},
		{"fourth epoch", 21, Data{}, 3, "epoch 4 step 3"},
		{"fourth epoch with stop rows", 19, stop, 3, "epoch 4 step 1"},
	} {
		n := &explosive{newSmall(6, 1), -2, x.from} // the first two calls ask for memory
		rep, err := Fit(context.Background(), env(1), c, n, 2, train, x.stop)
		if x.kept == 0 {
			if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), x.says) || !strings.Contains(err.Error(), "learning_rate") {
				t.Errorf("%s: %v", x.name, err)
			}
			continue
		}
		if err != nil || rep.Best != x.kept || !strings.Contains(rep.Note, x.says) {
			t.Errorf("%s: %+v, %v", x.name, rep, err)
			continue
		}
		if !slices.Equal(weights(n), after(x.kept)) {
			t.Errorf("%s: the weights are not those of epoch %d", x.name, x.kept)
		}
	}
}

func TestStopRowsThatExplode(t *testing.T) {
	c := config()
	c.Epochs = 3
	stop := exclusive(50, 2)
	stop.Source.(rowsOf)[3][1] = float32(math.NaN())
	_, err := Fit(context.Background(), env(1), c, newSmall(6, 1), 2, exclusive(200, 1), stop)
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "stop rows") {
		t.Errorf("error %v", err)
	}
}

// The curve says what each epoch did.
func TestCurve(t *testing.T) {
	c := config()
	c.Epochs, c.Warmup, c.ClipNorm = 12, 0, 0.1
	rep, err := Fit(context.Background(), env(1), c, newSmall(12, 1), 2, exclusive(500, 1), exclusive(300, 2))
	if err != nil {
		t.Fatal(err)
	}
	first, last := rep.Epochs[0], rep.Epochs[11]
	if !(last.Train < first.Train && *last.Stop < *first.Stop && last.Rate < 0.1*first.Rate && first.GradNorm > 0.1) {
		t.Errorf("first epoch %+v, last %+v", first, last)
	}
	if *rep.Epochs[rep.Best-1].Stop != rep.Loss {
		t.Errorf("the best epoch %d has loss %v, the report %v", rep.Best, *rep.Epochs[rep.Best-1].Stop, rep.Loss)
	}
}
