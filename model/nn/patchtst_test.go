package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
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
