package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
)

func TestTFTGolden(t *testing.T) {
	checkGolden(t, "tft", func(in Shape) network { return newTFT(&TFT{Heads: 2, HeadWidth: 3}, in, rng.New(1)) })
	checkGolden(t, "tft_past", func(in Shape) network { return newTFT(&TFT{Heads: 2, HeadWidth: 2}, in, rng.New(1)) })
}

func TestVSNLSTMGolden(t *testing.T) {
	checkGolden(t, "vsn_lstm", func(in Shape) network { return newVSNLSTM(&VSNLSTM{Width: 5}, in, rng.New(1)) })
}

func TestTFTLearns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultTFT()
	cfg.Heads, cfg.HeadWidth, cfg.Dropout = 2, 4, 0
	cfg.Epochs, cfg.Batch, cfg.LearningRate = 10, 32, 1e-2
	learnsPlanted(t, tftEntry(), &cfg, 1500, planted{"interaction", modeltest.Interaction, 0.2}, planted{"long range", modeltest.LongRange, 0.2})
	cfg.Epochs = 18 // a value among noise takes longer
	learnsPlanted(t, tftEntry(), &cfg, 2000, planted{"lag", lag3, 0.45})
}

func TestVSNLSTMLearns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultVSNLSTM()
	cfg.Width, cfg.Dropout = 12, 0
	cfg.Epochs, cfg.Batch, cfg.LearningRate = 10, 32, 1e-2
	learnsPlanted(t, vsnLSTMEntry(), &cfg, 1500, planted{"long range", modeltest.LongRange, 0.2})
	cfg.Epochs = 18
	learnsPlanted(t, vsnLSTMEntry(), &cfg, 2000, planted{"lag", lag3, 0.45})
}
