package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestGRULearnsALag(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultGRU()
	cfg.Hidden, cfg.Epochs, cfg.LearningRate, cfg.Batch = 16, 25, 1e-2, 64
	loss := logLoss(t, fitted(t, gruEntry(), &cfg, lagged(2000, 10, 1), view.View{}), lagged(500, 10, 2))
	if loss > 0.4 {
		t.Errorf("log-loss %.3f, want below 0.4; chance is 0.693", loss)
	}
}

func TestGRUGolden(t *testing.T) {
	checkGolden(t, "gru", func(in Shape) network { return newGRU(&GRU{Hidden: 5, Layers: 2}, in, rng.New(1)) })
}
