package nn

import (
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// quickly sets what the fits of these tests share.
func quickly(c *Common, epochs int) {
	c.Epochs, c.Patience, c.LearningRate, c.Batch, c.WeightDecay = epochs, 0, 1e-2, 64, 0
}

// learnsPatterns fits cfg on each pattern, where a linear model stays at chance,
// 0.693, and on the last one with shuffled labels, where all do.
func learnsPatterns(t *testing.T, e model.Entry, cfg any, floor float64, patterns map[string]func(n int, seed uint64) view.View) {
	t.Helper()
	for _, name := range []string{"motif", "lag", "interaction", "long range", "regime flip"} {
		plant, ok := patterns[name]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if loss := logLoss(t, fitted(t, e, cfg, plant(1200, 1), view.View{}), plant(400, 2)); loss > floor {
				t.Errorf("log-loss %.3f, want below %.3f; chance is 0.693", loss, floor)
			}
		})
	}
}

// longRange is the pattern at the length of these tests.
func longRange(n int, seed uint64) view.View { return modeltest.LongRange(n, 20, 2, seed) }

func motif(n int, seed uint64) view.View { return modeltest.Motif(n, 16, 2, seed) }

func regimeFlip(n int, seed uint64) view.View { return modeltest.RegimeFlip(n, 16, 2, seed) }

// stepBenchmark is one step of 256 windows of 60×40 on one core, without the
// optimiser, in shards as the trainer has them.
func stepBenchmark(b *testing.B, build func(in Shape) network) {
	in := Shape{Streams: []Sequence{{60, 40}}, Outputs: 3}
	net := build(in)
	for _, p := range net.Params() {
		p.Shards(1)
	}
	r := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, 32*60*40)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	t := tape.New(0)
	classes := make([]int, 32)
	for b.Loop() {
		for range 8 {
			t.Reset(true, rng.New(1))
			t.CrossEntropy(net.Logits(t, &trainer.Batch{Rows: 32, Streams: []*tape.Tensor{t.Input(32*60, 40, x)}}), classes, nil, 0, 32)
			t.Backward()
			for _, p := range net.Params() {
				p.Forget()
			}
		}
	}
}

// With shuffled labels there is nothing to learn, and nothing is.
func TestStateModelsFindNothingInShuffledLabels(t *testing.T) {
	mamba, mamba2, s4d, s5, xlstm, gru := DefaultMamba(), DefaultMamba2(), DefaultS4D(), DefaultS5(), DefaultXLSTM(), DefaultGRU()
	mamba.Width, mamba.State, mamba2.Width, mamba2.State, mamba2.Head = 8, 4, 8, 4, 8
	s4d.Width, s4d.State, s5.Width, s5.State, xlstm.Width, xlstm.Heads, xlstm.Round, gru.Hidden = 8, 4, 8, 8, 8, 2, 4, 8
	for name, c := range map[string]struct {
		e   model.Entry
		cfg interface{ common() *Common }
	}{
		"mamba": {mambaEntry(), &mamba}, "mamba2": {mamba2Entry(), &mamba2}, "s4d": {s4dEntry(), &s4d},
		"s5": {s5Entry(), &s5}, "xlstm": {xlstmEntry(), &xlstm}, "gru": {gruEntry(), &gru},
	} {
		t.Run(name, func(t *testing.T) {
			quickly(c.cfg.common(), 2)
			train, test := modeltest.Shuffled(longRange(600, 1), 3), longRange(600, 2)
			if loss := logLoss(t, fitted(t, c.e, c.cfg, train, view.View{}), test); loss < 0.66 || loss > 0.85 {
				t.Errorf("log-loss %.3f, want about that of chance, 0.693", loss)
			}
		})
	}
}
