package nn

import (
	"fmt"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestITransformerGolden(t *testing.T) {
	cfg := ITransformer{Heads: 2, HeadWidth: 4, Layers: 2, Hidden: 12, Activation: "gelu"}
	checkGolden(t, "itransformer", func(in Shape) network { return newITransformer(&cfg, in, rng.New(1)) })
}

func TestPatchTSTGolden(t *testing.T) {
	cfg := PatchTST{Patch: 4, Stride: 2, Heads: 2, HeadWidth: 4, Layers: 2, Hidden: 12, RevIN: true, Head: "flatten", Activation: "gelu"}
	checkGolden(t, "patchtst", func(in Shape) network { return newPatchTST(&cfg, in, rng.New(1)) })
	cfg.Head = "last"
	checkGolden(t, "patchtst_last", func(in Shape) network { return newPatchTST(&cfg, in, rng.New(1)) })
}

func TestITransformerLearns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultITransformer()
	cfg.Heads, cfg.HeadWidth, cfg.Layers, cfg.Hidden, cfg.Dropout = 2, 8, 1, 64, 0
	cfg.Epochs, cfg.Batch, cfg.LearningRate = 15, 64, 5e-3
	learnsPlanted(t, itransformerEntry(), &cfg, 1200, planted{"lag", lag3, 0.45}, planted{"interaction", modeltest.Interaction, 0.2}, planted{"long range", modeltest.LongRange, 0.2})
}

func TestPatchTSTLearns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultPatchTST()
	cfg.Patch, cfg.Stride, cfg.Heads, cfg.HeadWidth, cfg.Layers, cfg.Hidden, cfg.Dropout, cfg.HeadDropout = 4, 2, 2, 8, 1, 32, 0, 0
	cfg.Epochs, cfg.Batch, cfg.LearningRate = 12, 64, 5e-3
	learnsPlanted(t, patchtstEntry(), &cfg, 1200, planted{"motif", modeltest.Motif, 0.3}, planted{"long range", modeltest.LongRange, 0.2})
}

// The default learns what the level of some of many channels tells, which the
// normalisation of a window removes. The class shares have a loss of about 1.09.
func TestPatchTSTLearnsALevelOfManyChannels(t *testing.T) {
	notUnderRace(t)
	const channels, length = 40, 24
	names := make([]string, channels)
	for j := range names {
		names[j] = fmt.Sprint("c", j)
	}
	levels := func(n int, seed uint64) view.View {
		r := rng.New(seed).Rand()
		w := view.NewWindows(n, length, names)
		w.Timeframe = "5m"
		v := view.View{Streams: []*view.Windows{w}, Class: make([]int8, n)}
		for i := range n {
			told, common := r.NormFloat64(), r.NormFloat64() // levels that some and all channels share
			v.Class[i] = int8(max(-1, min(1, math.Round(told))))
			for j := range channels {
				level := common + r.NormFloat64()/2
				if j%4 == 0 {
					level += told
				}
				for k := range length {
					w.Data[(i*length+k)*channels+j] = float32(level + 0.3*r.NormFloat64())
				}
			}
		}
		return v
	}
	cfg := DefaultPatchTST()
	cfg.Layers, cfg.Hidden, cfg.Batch, cfg.Epochs = 1, 32, 32, 4
	if loss := logLoss(t, fitted(t, patchtstEntry(), &cfg, levels(500, 1), view.View{}), levels(300, 2)); !(loss < 0.75) {
		t.Errorf("log-loss %.3f, want below 0.75", loss)
	}
	cfg.RevIN = true
	if loss := logLoss(t, fitted(t, patchtstEntry(), &cfg, levels(500, 1), view.View{}), levels(300, 2)); !(loss > 1) {
		t.Errorf("log-loss %.3f with revin, want above 1: there is no level to see", loss)
	}
}

// A head of many inputs learns more slowly.
func TestPatchTSTHeadRate(t *testing.T) {
	for _, c := range []struct {
		head            string
		steps, channels int
		want            float64
	}{
		{"last", 60, 64, 1}, {"last", 60, 256, 0.25}, {"flatten", 12, 32, 1}, {"flatten", 60, 64, 0.14285714285714285},
	} {
		cfg := DefaultPatchTST()
		cfg.Head = c.head
		net := newPatchTST(&cfg, Shape{Streams: []Sequence{{c.steps, c.channels}}, Outputs: 3}, rng.New(1)).(*patchTST)
		if got := net.out.weight.Rate; got != c.want {
			t.Errorf("%s of %d channels of %d bars: rate %v of %d inputs, want %v", c.head, c.channels, c.steps, got, net.out.weight.Shape[1], c.want)
		}
		if net.out.bias.Rate != 0 || net.in.weight.Rate != 0 {
			t.Errorf("%s: other rates than the head's are changed", c.head)
		}
	}
}
